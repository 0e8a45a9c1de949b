"""A map made small enough for a picture, row of blocks by row of blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.grid.areas import row_areas
from cpazmal_scale.grid.cf import grid_of, metres
from cpazmal_scale.vocabulary import NO_DATA, NOTHING, REJECTED

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Thumbnail:
    """A reduced map.

    `classes` (h, w) uint8 holds the most frequent value of each cell, 255 where most is no data;
    `margin` (h, w) float32 its mean, NaN no data; `cell` the (height, width) of a cell in metres;
    `square_metres` the area of each class value in the whole map.
    """

    classes: NDArray[np.uint8]
    margin: NDArray[np.float32]
    cell: tuple[float, float]
    square_metres: dict[int, float]

    @property
    def extent(self) -> tuple[float, float]:
        """Height and width on the ground, in metres."""
        return self.cell[0] * self.classes.shape[0], self.cell[1] * self.classes.shape[1]


def thumbnail(data: xr.Dataset, *, pixels: int = 1400) -> Thumbnail:
    """Reduce an open map so that no side has more than `pixels` cells.

    Memory holds some rows of the map at a time.
    """
    height, width = data["class"].shape
    step = max(1, math.ceil(max(height, width) / pixels))
    values = [*range(1, data.sizes["class_name"] + 1), REJECTED]
    grid = grid_of(data)
    ground = row_areas(grid)
    areas = dict.fromkeys(values, 0.0)
    classes, margins = [], []
    rows = step * max(1, 512 // step)
    for start in range(0, height, rows):
        part = slice(start, min(start + rows, height))
        block = data["class"][part].values
        for value in values:
            areas[value] += float((block == value).sum(axis=1) @ ground[part])
        classes.append(most_frequent(block, step, values))
        margins.append(_mean(data["margin"][part].values, step))
    tall, wide = metres(grid)
    return Thumbnail(
        np.concatenate(classes), np.concatenate(margins), (tall * step, wide * step), areas
    )


def most_frequent(block: NDArray[np.uint8], step: int, values: list[int]) -> NDArray[np.uint8]:
    """The commonest of `values` in cells of step × step pixels; 255 where most is none of them.

    Cells at the lower and right edge may be smaller; ties go to the first value.
    """
    if step == 1:
        return block
    tiled = _cells(block, step, NO_DATA)
    counts = np.stack([(tiled == value).sum(axis=(1, 3)) for value in values])
    best = np.array(values, np.uint8)[counts.argmax(axis=0)]
    whole = _cells(np.ones_like(block), step, 0).sum(axis=(1, 3))
    return np.where(2 * counts.sum(axis=0) >= whole, best, NO_DATA).astype(np.uint8)


def _mean(block: NDArray[np.uint16], step: int) -> NDArray[np.float32]:
    tiled = _cells(block, step, NOTHING)
    known = tiled != NOTHING
    count = known.sum(axis=(1, 3))
    total = np.where(known, tiled, 0).sum(axis=(1, 3), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / count * 1e-4, np.float32)


def _cells(block: NDArray[np.generic], step: int, fill: int) -> NDArray[np.generic]:
    height, width = (-(-n // step) * step for n in block.shape)
    padded = np.full((height, width), fill, block.dtype)
    padded[: block.shape[0], : block.shape[1]] = block
    return padded.reshape(height // step, step, width // step, step)
