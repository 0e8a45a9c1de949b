"""Check that no cross-polarised channel is far brighter than the co-polarised one."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.cube.format.placement import place
from cpazmal_scale.cube.read.chunks import ChunkReader
from cpazmal_scale.errors import SceneImplausible
from cpazmal_scale.scenes import SWAPPED, Scene, SceneReader, before_ground

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cpazmal_scale.cube.format.record import Record

_EDGE, _ALONG = 256, 3
"""Edge in pixels of the squares that are compared, and how many stand along a side."""


def require_order(record: Record, index: int, scene: Scene) -> None:
    """Check that no cross-polarised channel is by far brighter than the co-polarised one.

    Args:
        record: of the cube.
        index: the date whose channels are there.
        scene: the channels of this date that come now.

    Raises:
        SceneImplausible: one is, in squares spread over what the scene covers.
    """
    held = record.polarisations_of(index)
    for at, name in enumerate(scene.polarisations):
        for cross in ("HV", "VH"):
            co = cross[0] * 2
            other = {cross: co, co: cross}.get(name)
            if other not in held:
                continue
            more = _brighter(record, index, scene, at, other) * (1 if name == cross else -1)
            if more > SWAPPED:
                raise SceneImplausible(
                    f"{cross} is {more:.1f} dB brighter than {co} of this date, as no ground is: "
                    f"this file or the one that the cube has as {other} is another channel",
                    where=scene.files[0].url,
                    remedy="give both files their right names and ingest into a new workspace",
                )


def _brighter(record: Record, index: int, scene: Scene, at: int, other: str) -> float:
    """Median decibels by which a channel of a scene is above one of the cube; 0 unknown."""
    time = np.datetime64(int(record.dates["time"][index]), "s")
    reader = ChunkReader.of(record, (other,), (str(time),))
    found = [np.zeros(0, np.float32)]
    for rows, columns in _squares(record, scene):
        part = record.grid[rows, columns]
        with SceneReader(before_ground(scene), part, resample=True) as file:
            mine = file.read(0, part.shape[0])[0][at]
        theirs, mask = reader.buffers(*part.shape)
        reader.read(theirs, mask, rows.start, columns.start)
        found.append(_difference(mine, theirs[0, 0]))
    every = np.concatenate(found)
    return float(np.median(every)) if every.size else 0.0


def _squares(record: Record, scene: Scene) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of squares spread over what a scene covers of the cube."""
    where = place(scene, record.grid, resample=True)
    sides = []
    for low, high in (where.rows, where.columns):
        edge = min(_EDGE, high - low)
        starts = np.unique(np.linspace(low, high - edge, _ALONG).astype(int)).tolist()
        sides.append([slice(start, start + edge) for start in starts])
    yield from itertools.product(*sides)


def _difference(mine: NDArray[np.float32], theirs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Decibels between two images where both have power."""
    both = (mine > 0) & (theirs > 0) & np.isfinite(mine) & np.isfinite(theirs)
    return np.asarray(10 * np.log10(mine[both] / theirs[both]), np.float32)
