"""Cubes written without scenes: layers first, then everything that makes them a cube."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.cube.format import coding, layout, record

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

PRECISION = 10
"""Bits of mantissa that cubes of benchmarks keep: the default of `ingest.precision`."""


def write_chunk(
    url: str, layer: str, date: int, place: tuple[int, int], values: NDArray[Any]
) -> bytes:
    """Store one chunk of a layer, with the precision that ingest has, and return its bytes."""
    row, column = place
    data = coding.encode(values, layer, PRECISION)
    storage.write_bytes(f"{url}/{layer}/c/{date}/{row}/{column}", data)
    return data


def finish(
    url: str,
    grid: GeoBox,
    chunk: int,
    beam: str,
    dates: Sequence[Mapping[str, Any]],
    stored: Mapping[str, NDArray[np.uint32]],
) -> None:
    """Write lists of chunks, coordinates and the root document.

    `dates` give a value for each of `layout.PER_DATE`, or leave it out; `stored` the checksums of
    every layer (T, chunk rows, chunk columns), 0 where there is no chunk.
    """
    layers = tuple(stored)
    for layer, sums in stored.items():
        for date, part in enumerate(sums):
            storage.write_bytes(f"{url}/stored/{layer}/c/{date}/0/0", layout.encode(part))
    blank = {"string": "", "int64": 0, "float32": float("nan")}
    for name, (kind, _) in layout.PER_DATE.items():
        values = [one.get(name, blank[kind]) for one in dates]
        values += [blank[kind]] * (layout.DATES_PER_CHUNK - len(values))
        encoded = layout.encode_texts if kind == "string" else layout.encode
        data = encoded(values if kind == "string" else np.array(values, kind))  # type: ignore[operator]
        storage.write_bytes(f"{url}/{name}/c/0", data)
    for name, axis in zip("yx", layout.axis_values(grid), strict=True):
        storage.write_bytes(f"{url}/{name}/c/0", layout.encode(axis))
    polarisations = [layer for layer in layers if layer != "mask"]
    facts = {
        "cpazmal_cube": layout.FORMAT,
        "beam": beam,
        "radiometry": "gamma0_T",
        "chunk": chunk,
        "polarisations": polarisations,
    }
    documents = layout.documents(layers, grid, chunk, len(dates), "gamma0_T", precision=PRECISION)
    storage.write_bytes(f"{url}/zarr.json", record.root_document(facts, documents))


def drop_from_cache(folder: Path) -> None:
    """Give the pages of all files of a folder back, so that they are read from the disk."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
