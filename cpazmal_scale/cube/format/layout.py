"""The Zarr v3 documents of a cube and the coding of its chunks.

Layers (`HH`, `HV`, …, `mask`) are cut in chunks of one date; `incidence` has no dates. Coordinates
along time hold `DATES_PER_CHUNK` dates per chunk, so that they open in one request each. Committed
values in them change only together with the separator of their keys (`c/0` or `c.0`), which the
root document states. `stored/<layer>` holds the CRC-32 of every chunk object, 0 where none is
stored: a lost chunk is not mistaken for no-data.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.config import MASK_BITS, NOT_VALID
from cpazmal_scale.cube.format import coding
from cpazmal_scale.grid.cf import from_attributes, to_attributes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

FORMAT = 2
DATES_PER_CHUNK = 256
INCIDENCE = "incidence"
GROUND = ("elevation", "local_incidence", "area_ratio", "terrain_mask")
"""What a beam sees of its ground, where its scenes are made on an elevation raster."""
STATIC = (INCIDENCE, *GROUND)
"""Layers that are the same on all dates of a beam."""
MASKS = ("mask", "terrain_mask")
"""Layers of flags."""
LISTS = "stored"
"""Group of the lists of chunk objects."""

_CHUNK = re.compile(r"(?P<layer>[^/]+)/c/(?:(?P<index>\d+)/)?(?P<row>\d+)/(?P<column>\d+)")
_COORDINATE = re.compile(r"(?P<name>[^/]+)/c[/.]\d+")


PER_DATE: dict[str, tuple[str, dict[str, Any]]] = {
    "time": (
        "int64",
        {
            "standard_name": "time",
            "long_name": "start of acquisition (UTC)",
            "units": "seconds since 1970-01-01",
            "calendar": "proleptic_gregorian",
            "axis": "T",
        },
    ),
    "scene_id": ("string", {"long_name": "identifier of the source product"}),
    "sensor": ("string", {"long_name": "sensor"}),
    "beam": ("string", {"long_name": "viewing geometry"}),
    "pass_direction": ("string", {"long_name": "flight direction (ASC or DSC)"}),
    "polarisations": ("string", {"long_name": "polarisations acquired"}),
    "source_sha256": ("string", {"long_name": "SHA-256 of the source files"}),
    "incidence_angle": (
        "float32",
        {"long_name": "incidence angle at scene centre", "units": "degree"},
    ),
    "resolution_range": ("float32", {"long_name": "ground range resolution", "units": "m"}),
    "resolution_azimuth": ("float32", {"long_name": "azimuth resolution", "units": "m"}),
    "resampling": ("string", {"long_name": "how it was brought onto this grid, empty: not at all"}),
}
"""Type on disk and attributes of the coordinates along time."""


def kinds() -> dict[str, str]:
    """Types on disk of the coordinates along time."""
    return {name: kind for name, (kind, _) in PER_DATE.items()}


_COORDINATES = frozenset((*PER_DATE, "y", "x"))

_PER_DATE_FILL: dict[str, float | str] = {"string": "", "int64": 0, "float32": "NaN"}


def array_document(
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    data_type: str,
    dimensions: tuple[str, ...],
    attributes: dict[str, Any],
    *,
    fill: float | str = 0,
    separator: str = "/",
) -> dict[str, Any]:
    """The metadata document of one array."""
    serializer = {"name": "vlen-utf8"} if data_type == "string" else coding.BYTES
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": data_type,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunks)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": separator}},
        "fill_value": fill,
        "codecs": [serializer, coding.ZSTD],
        "attributes": attributes,
        "dimension_names": list(dimensions),
        "storage_transformers": [],
    }


def group_document(attributes: dict[str, Any]) -> dict[str, Any]:
    """The metadata document of a group, without its members."""
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}


def layer_fill(layer: str) -> float:
    """What a missing chunk reads as: NaN, and "not valid" in the mask."""
    return NOT_VALID if layer in MASKS else float("nan")


def value_type(layer: str) -> str:
    """Type of a layer's values."""
    return "uint8" if layer in MASKS else "float32"


def tiles(grid: GeoBox, chunk: int) -> tuple[int, int]:
    """Rows and columns of chunks of a grid."""
    return -(-int(grid.shape[0]) // chunk), -(-int(grid.shape[1]) // chunk)


def chunk_folder(layer: str, index: int) -> str:
    """Folder of the chunk objects of a layer at date number `index`; no other date's lie in it."""
    return f"{layer}/c" if layer in STATIC else f"{layer}/c/{index}"


def chunk_key(layer: str, index: int, row: int, column: int) -> str:
    """Key of a chunk object of a layer at date number `index`."""
    return f"{chunk_folder(layer, index)}/{row}/{column}"


def chunk_of(key: str) -> tuple[str, int, int, int] | None:
    """Layer, date number (0 without dates), row and column of a chunk's key; None for others."""
    found = _CHUNK.fullmatch(key)
    if found is None or (found["index"] is None) != (found["layer"] in STATIC):
        return None
    return found["layer"], int(found["index"] or 0), int(found["row"]), int(found["column"])


def list_key(layer: str, index: int) -> str:
    """Key of the list of chunk objects of a layer at date number `index`."""
    return f"{LISTS}/{chunk_key(layer, index, 0, 0)}"


def list_of(key: str) -> tuple[str, int] | None:
    """Layer and date number of the key of a list of chunk objects; None for other keys."""
    found = chunk_of(key.removeprefix(f"{LISTS}/")) if key.startswith(f"{LISTS}/") else None
    return None if found is None else found[:2]


def coordinate_of(key: str) -> str | None:
    """Coordinate that the key of a chunk belongs to; None for keys of layers and documents."""
    found = _COORDINATE.fullmatch(key)
    return found["name"] if found and found["name"] in _COORDINATES else None


def coordinate_key(name: str, number: int, separator: str = "/") -> str:
    """Key of a chunk of a coordinate."""
    return f"{name}/c{separator}{number}"


def documents(
    layers: tuple[str, ...],
    grid: GeoBox,
    chunk: int,
    dates: int,
    radiometry: str,
    *,
    separators: Mapping[str, str] | None = None,
    commit: int = 0,
    precision: int | None = None,
) -> dict[str, dict[str, Any]]:
    """Documents of every array and subgroup of a cube with `dates` dates, by path.

    `separators` are those of coordinates whose keys do not use `/`. `commit` numbers the states of
    the cube. `precision` are the bits of mantissa kept, see `coding`.
    """
    height, width = grid.shape
    found: dict[str, dict[str, Any]] = {LISTS: group_document({"commit": commit})}
    for name, (length, attributes) in _axes(grid).items():
        found[name] = array_document((length,), (length,), "float64", (name,), attributes)
    found["spatial_ref"] = array_document((), (), "int64", (), to_attributes(grid))
    for layer in layers:
        mask, dated = layer in MASKS, layer not in STATIC
        found[layer] = array_document(
            (dates, height, width)[not dated :],
            (1, chunk, chunk)[not dated :],
            value_type(layer),
            ("time", "y", "x")[not dated :],
            _layer_attributes(layer, radiometry) | coding.attributes(layer, precision),
            fill=NOT_VALID if mask else "NaN",
        )
        found[layer]["codecs"] = coding.codecs(layer, precision)
        found[f"{LISTS}/{layer}"] = array_document(
            (dates, *tiles(grid, chunk))[not dated :],
            (1, *tiles(grid, chunk))[not dated :],
            "uint32",
            ("time", "chunk_row", "chunk_column")[not dated :],
            {"long_name": f"CRC-32 of the chunk objects of {layer}, 0 where none is stored"},
        )
    for name, (kind, attributes) in PER_DATE.items():
        found[name] = array_document(
            (dates,),
            (DATES_PER_CHUNK,),
            kind,
            ("time",),
            attributes,
            fill=_PER_DATE_FILL[kind],
            separator=(separators or {}).get(name, "/"),
        )
    return found


def _axes(grid: GeoBox) -> dict[str, tuple[int, dict[str, Any]]]:
    height, width = grid.shape
    if grid.crs is not None and grid.crs.geographic:
        y = {"standard_name": "latitude", "units": "degrees_north"}
        x = {"standard_name": "longitude", "units": "degrees_east"}
    else:
        y = {"standard_name": "projection_y_coordinate", "units": "m"}
        x = {"standard_name": "projection_x_coordinate", "units": "m"}
    return {"y": (height, {**y, "axis": "Y"}), "x": (width, {**x, "axis": "X"})}


_GROUND: dict[str, dict[str, Any]] = {
    "elevation": {
        "long_name": "height above the WGS84 ellipsoid",
        "standard_name": "height_above_reference_ellipsoid",
        "units": "m",
    },
    "local_incidence": {
        "long_name": "angle between the line of sight and the normal of the ground",
        "units": "degree",
    },
    "area_ratio": {
        "long_name": "area of ground per radar cell, across the line of sight, over the cell's own",
        "units": "1",
    },
    "terrain_mask": {
        "long_name": "layover, shadow and unknown ground of this viewing geometry",
        "flag_masks": list(MASK_BITS.values()),
        "flag_meanings": " ".join(MASK_BITS),
    },
}


_SIGMA = "surface_backwards_scattering_coefficient_of_radar_wave"


def _layer_attributes(layer: str, radiometry: str) -> dict[str, Any]:
    others = " ".join(name for name in PER_DATE if name != "time")
    shared = {"grid_mapping": "spatial_ref", "coordinates": others}
    if layer == INCIDENCE:
        return {
            "long_name": "incidence angle of this viewing geometry on the ellipsoid",
            "standard_name": "angle_of_incidence",
            "units": "degree",
            "grid_mapping": "spatial_ref",
        }
    if layer in _GROUND:
        return {**_GROUND[layer], "grid_mapping": "spatial_ref"}
    if layer == "mask":
        return {
            "long_name": "pixels to distrust",
            "flag_masks": list(MASK_BITS.values()),
            "flag_meanings": " ".join(MASK_BITS),
            **shared,
        }
    return {
        "long_name": f"{layer} backscatter coefficient {radiometry}, linear power",
        # CF defines it per area of ground, which is sigma0.
        **({"standard_name": _SIGMA} if radiometry == "sigma0" else {}),
        "units": "1",
        "polarization": layer,
        "radiometry": radiometry,
        **shared,
    }


def grid_of(arrays: dict[str, dict[str, Any]]) -> GeoBox:
    """The grid that the documents of a cube describe."""
    shape = (arrays["y"]["shape"][0], arrays["x"]["shape"][0])
    return from_attributes(arrays["spatial_ref"]["attributes"], shape)


def axis_values(grid: GeoBox) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates of pixel centres, y then x."""
    height, width = grid.shape
    transform = grid.transform
    y = transform.f + (np.arange(height, dtype=np.float64) + 0.5) * float(transform.e)
    x = transform.c + (np.arange(width, dtype=np.float64) + 0.5) * float(transform.a)
    return y, x


def encode(values: NDArray[Any]) -> bytes:
    """A chunk object of numbers."""
    return coding.compress(values)


def decode(data: bytes, data_type: str) -> NDArray[Any]:
    """The flat numbers of a chunk object.

    Raises:
        ValueError: it is altered.
    """
    return np.frombuffer(_inflated(data), np.dtype(data_type).newbyteorder("<"))


def encode_texts(texts: list[str]) -> bytes:
    """A chunk object of strings: their number, then each length and UTF-8 text."""
    from numcodecs.zstd import Zstd

    parts = [struct.pack("<I", len(texts))]
    for text in texts:
        coded = text.encode()
        parts += [struct.pack("<I", len(coded)), coded]
    return bytes(Zstd(level=coding.ZSTD_LEVEL, checksum=True).encode(b"".join(parts)))


def decode_texts(data: bytes) -> list[str]:
    """The strings of a chunk object.

    Raises:
        ValueError: it is altered.
    """
    raw = _inflated(data)
    try:
        (count,) = struct.unpack_from("<I", raw)
        texts, at = [], 4
        for _ in range(count):
            (length,) = struct.unpack_from("<I", raw, at)
            if at + 4 + length > len(raw):
                raise ValueError("a text is cut short")
            texts.append(raw[at + 4 : at + 4 + length].decode())
            at += 4 + length
    except struct.error:
        raise ValueError("a text is cut short") from None
    return texts


def _inflated(data: bytes) -> bytes:
    from numcodecs.zstd import Zstd

    try:
        return bytes(Zstd().decode(data))
    except (RuntimeError, MemoryError, OverflowError) as error:
        raise ValueError(str(error)) from None
