"""How the values of a layer become chunk objects, and back.

With a precision, backscatter keeps that many bits of its mantissa and the rest are zero, which
bit-shuffle and LZ4 store in half the room; all of it in codecs of the Zarr v3 specification, so
that any Zarr reader decodes it. Everything else is coded by Zstandard with a checksum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.vocabulary import POLARISATIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

MANTISSA = 23
"""Bits of the mantissa of a float32."""
ZSTD_LEVEL = 1
BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
ZSTD = {"name": "zstd", "configuration": {"level": ZSTD_LEVEL, "checksum": True}}
_BLOSC = {
    "typesize": 4,
    "cname": "lz4",
    "clevel": 5,
    "shuffle": "bitshuffle",
    "blocksize": 1 << 16,
}


def rounded(values: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """The values with `bits` of their mantissa, to nearest, ties to even.

    The relative error is at most 2^-(bits + 1). NaN stays NaN, infinite values and those whose
    rounding would be infinite stay as they are.
    """
    drop = MANTISSA - bits
    whole = np.ascontiguousarray(values, np.float32).view(np.uint32)
    even = (whole >> np.uint32(drop)) & np.uint32(1)
    even += np.uint32((1 << (drop - 1)) - 1)
    even += whole
    even &= np.uint32(~((1 << drop) - 1) & 0xFFFFFFFF)
    result = even.view(np.float32)
    if not np.isfinite(result).all():
        result = np.where(np.isfinite(result), result, values)
        result[np.isnan(values)] = np.nan
    return result


def is_rounded(layer: str, precision: int | None) -> bool:
    """Whether a layer is stored with less than all bits: backscatter alone, if so wished."""
    return precision is not None and layer in POLARISATIONS


def codecs(layer: str, precision: int | None) -> list[dict[str, Any]]:
    """The codecs of a layer's Zarr document; without a `precision` all bits are kept."""
    last = {"name": "blosc", "configuration": _BLOSC} if is_rounded(layer, precision) else ZSTD
    return [BYTES, last]


def attributes(layer: str, precision: int | None) -> dict[str, Any]:
    """What the attributes of a layer say of its precision."""
    if not is_rounded(layer, precision):
        return {}
    bits = int(precision or MANTISSA)
    decibels = 10 * np.log10(1 + 2.0 ** -(bits + 1))
    return {
        "quantization_algorithm": "bitround",
        "quantization_nsb": bits,
        "quantization_maximum_relative_error": 2.0 ** -(bits + 1),
        "comment": f"rounded to {bits} bits of mantissa: wrong by at most {decibels:.2g} dB",
    }


def encode(values: NDArray[Any], layer: str, precision: int | None) -> bytes:
    """A chunk object of a layer: the values are rounded, if so wished, and coded."""
    if not is_rounded(layer, precision):
        return compress(values)
    from numcodecs.blosc import Blosc

    shuffle = {"clevel": _BLOSC["clevel"], "blocksize": _BLOSC["blocksize"]}
    coder = Blosc(cname=_BLOSC["cname"], shuffle=Blosc.BITSHUFFLE, **shuffle)
    little = rounded(values, int(precision or MANTISSA)).astype("<f4", copy=False)
    return bytes(coder.encode(np.ascontiguousarray(little)))


def decode(data: bytes, document: dict[str, Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
    """The flat numbers of a chunk object of an array, by its Zarr document.

    `out` is room that may be used for them.

    Raises:
        ValueError: it is altered, or coded in a way that cubes are not.
    """
    kind = np.dtype(document["data_type"]).newbyteorder("<")
    name = document["codecs"][-1]["name"]
    try:
        if name == "blosc":
            from numcodecs.blosc import decompress

            _require_whole(data, document, kind.itemsize)
            return np.frombuffer(decompress(data, out), kind)
        if name == "zstd":
            from numcodecs.zstd import decompress as inflate

            return np.frombuffer(inflate(data, out), kind)
    except (RuntimeError, MemoryError, OverflowError) as error:
        raise ValueError(str(error)) from None
    raise ValueError(f"the codec {name} is unknown")


def _require_whole(data: bytes, document: dict[str, Any], itemsize: int) -> None:
    """Check the sizes in the header of a Blosc object, which its decoder trusts.

    Raises:
        ValueError: it is cut, or holds another number of values than a chunk.
    """
    shape = document["chunk_grid"]["configuration"]["chunk_shape"]
    whole = int.from_bytes(data[4:8], "little") == int(np.prod(shape)) * itemsize
    if len(data) < 16 or int.from_bytes(data[12:16], "little") != len(data) or not whole:
        raise ValueError("not a whole chunk")


def compress(values: NDArray[Any]) -> bytes:
    """A chunk object of numbers, all bits kept."""
    from numcodecs.zstd import Zstd

    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return bytes(Zstd(level=ZSTD_LEVEL, checksum=True).encode(little))
