"""A map made small enough for a picture, row of blocks by row of blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.grid.areas import row_areas
from cpazmal_scale.grid.cf import grid_of, metres
from cpazmal_scale.mapping.show.export import rows_of
from cpazmal_scale.mapping.show.overview import Averages
from cpazmal_scale.vocabulary import NO_DATA, REJECTED

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
    height, width = (int(n) for n in data["class"].shape)
    step = max(1, math.ceil(max(height, width) / pixels))
    values = [*range(1, data.sizes["class_name"] + 1), REJECTED]
    grid = grid_of(data)
    ground = row_areas(grid)
    areas = dict.fromkeys(values, 0.0)
    classes, margins = [], Averages((height, width), step)
    rest = np.empty((0, width), np.uint8)
    for rows in rows_of(data["class"]):
        part = data[["class", "margin"]].isel(y=rows).compute()
        margins.add_stored(part["margin"].values, rows.start, 0)
        strip = np.concatenate((rest, part["class"].values))
        first, whole = rows.start - len(rest), len(strip) // step * step
        if rows.stop == height:
            whole = len(strip)
        cells, by_row = most_frequent(strip[:whole], step, values)
        for value, count in zip(values, by_row.T, strict=True):
            areas[value] += float(count @ ground[first : first + whole])
        classes.append(cells)
        rest = strip[whole:]
    tall, wide = metres(grid)
    margin = margins.means() * np.float32(1e-4)
    return Thumbnail(np.concatenate(classes), margin, (tall * step, wide * step), areas)


def most_frequent(
    block: NDArray[np.uint8], step: int, values: list[int]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The commonest of `values` in cells of step × step pixels; 255 where most is none of them.

    Cells at the lower and right edge may be smaller; ties go to the first value. The second array
    (h, V) counts the pixels of each of the values in every row.
    """
    from cpazmal_scale.kernels.cells import count_values

    height, width = block.shape
    others = len(values)
    slots = np.full(256, others, np.int64)
    slots[values] = range(others)
    counts = np.zeros((-(-height // step), -(-width // step), others + 1), np.int32)
    by_row = np.zeros((height, others + 1), np.int64)
    count_values(block, slots, step, counts, by_row)
    chosen = counts[..., :others]
    best = np.array(values, np.uint8)[chosen.argmax(axis=2)]
    most = 2 * chosen.sum(axis=2) >= counts.sum(axis=2)
    reduced = block if step == 1 else np.where(most, best, np.uint8(NO_DATA))
    return reduced, by_row[:, :others]
