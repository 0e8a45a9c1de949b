"""A map made small enough for a picture, row of blocks by row of blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.grid.areas import pixel_areas
from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.grid.cf import grid_of, middle
from cpazmal_scale.mapping.classify.coarse import most_frequent
from cpazmal_scale.mapping.show.export import rows_of
from cpazmal_scale.mapping.show.overview import Averages
from cpazmal_scale.vocabulary import REJECTED

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Thumbnail:
    """A reduced map.

    `classes` (h, w) uint8 holds the most frequent value of each cell, 255 where most is no data;
    `margin` (h, w) float32 its mean, on a map of change that of `change`, NaN no data, withheld or
    not asked for;
    `cell` the (height, width) of a cell in metres and `north` degrees clockwise from up to true
    north, at the middle of the map; `square_metres` the area of each class value in the whole map.
    """

    classes: NDArray[np.uint8]
    margin: NDArray[np.float32]
    cell: tuple[float, float]
    square_metres: dict[int, float]
    north: float

    @property
    def extent(self) -> tuple[float, float]:
        """Height and width on the ground, in metres."""
        return self.cell[0] * self.classes.shape[0], self.cell[1] * self.classes.shape[1]


def thumbnail(data: xr.Dataset, *, pixels: int = 1400, margins: bool = True) -> Thumbnail:
    """Reduce an open map so that no side has more than `pixels` cells, with or without margins.

    Memory holds some rows of the map at a time.
    """
    height, width = (int(n) for n in data["class"].shape)
    step = max(1, math.ceil(max(height, width) / pixels))
    values = [*range(1, data.sizes["class_name"] + 1), REJECTED]
    grid = grid_of(data)
    ground, areas = pixel_areas(grid), np.zeros(len(values))
    classes, sureness = [], Averages((height, width), step)
    rest = np.empty((0, width), np.uint8)
    sure = "change" if "change" in data else "margin"
    held = [name for name in ("class", *([sure] if margins else [])) if name in data]
    for rows in rows_of(data["class"]):
        part = data[held].isel(y=rows).compute()
        if sure in part:
            sureness.add_stored(part[sure].values, rows.start, 0)
        strip = np.concatenate((rest, part["class"].values))
        first, whole = rows.start - len(rest), len(strip) // step * step
        if rows.stop == height:
            whole = len(strip)
        cells, _ = most_frequent(strip[:whole], step, values)
        areas += ground.of(strip[:whole], Block(first, first + whole, 0, width), values)
        classes.append(cells)
        rest = strip[whole:]
    pixel = middle(grid)
    margin = sureness.means() * np.float32(1e-4)
    return Thumbnail(
        np.concatenate(classes),
        margin,
        (pixel.tall * step, pixel.wide * step),
        dict(zip(values, areas.tolist(), strict=True)),
        -pixel.azimuth,
    )
