"""The files of a beam's ground: blocks of strips, and tiles of the map."""

from __future__ import annotations

import io
import math
import struct
import zipfile
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.storage import seal
from cpazmal_scale.terrain.ground import Ground

if TYPE_CHECKING:
    from numpy.typing import NDArray

FINISHED, STRIPS = "finished.json", "strips"
"""Names of the mark that all is there, and of the folder of strips."""
REMEDY = "remove its folder and run again"
_LOCAL_HEADER, _NAME_SIZE = 30, 26
"""Bytes before the name of a member of a zip file, and where its length is told."""
_HEADER_BYTES = 512
"""Bytes that hold the header of an array."""
RARE = "missed", "doubted"
"""Marks of a strip's cells that are stored where there are any."""


def strip_url(ground: Ground, strip: int, block: int) -> str:
    """Address of a block of a strip."""
    return storage.join(ground.url, STRIPS, f"{strip}_{block}.npz")


def tile_url(url: str, tile: tuple[int, int]) -> str:
    """Address of a tile of the ground at an address."""
    return storage.join(url, "tiles", f"{tile[0]}_{tile[1]}.npz")


def write(url: str, **arrays: NDArray[Any]) -> None:
    """Store arrays as one file, with its digest."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    data = buffer.getvalue()
    storage.write_bytes(url, seal.with_trailer(data, len(data)))


@lru_cache(maxsize=16)
def read(url: str, state: str = "") -> dict[str, NDArray[Any]]:  # noqa: ARG001 - part of the key
    """Arrays of a file; the last ones stay in memory.

    Args:
        url: of the file.
        state: what changes when it is replaced, such as its `storage.stamp`.

    Raises:
        StoreMissing: it is not there.
        StoreDamaged: it was altered.
    """
    data = storage.read_bytes(url)
    seal.check_trailer(data, url, REMEDY, required=True)
    with (
        seal.parsing("what a beam sees of its ground was altered", url, REMEDY),
        zipfile.ZipFile(io.BytesIO(data)) as stored,
    ):
        return {one.filename.removesuffix(".npy"): _array(data, one) for one in stored.infolist()}


def _array(data: bytes, member: zipfile.ZipInfo) -> NDArray[Any]:
    """An array of a file whose digest was compared, where it lies in memory; read-only."""
    name, extra = struct.unpack_from("<2H", data, member.header_offset + _NAME_SIZE)
    first = member.header_offset + _LOCAL_HEADER + name + extra
    head = io.BytesIO(data[first : first + _HEADER_BYTES])
    layout: Any = np.lib.format
    layout.read_magic(head)
    shape, by_columns, kind = layout.read_array_header_1_0(head)
    if by_columns:
        shape = shape[::-1]
    found = np.frombuffer(data, kind, math.prod(shape), first + head.tell()).reshape(shape)
    return found.T if by_columns else found
