"""The power of radar images at the pixels of a map.

Power is averaged as power: first over the whole image samples that fit into a pixel, then over
places in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from cpazmal_scale.grid.areas import pixel_edge
from cpazmal_scale.kernels.compiled import inlined, kept

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    Array = NDArray[np.float64]

SUBPIXELS = 2
"""Places per pixel and axis whose power is averaged."""

Resampling = Literal["average", "nearest"]


class Image(Protocol):
    """A detected image."""

    @property
    def shape(self) -> tuple[int, int]:
        """Lines and samples."""

    def read(self, lines: slice, samples: slice) -> NDArray[np.float32]:
        """|DN|² (h, w) of a window, NaN where not valid."""


@dataclass(frozen=True)
class Sampling:
    """How an image is brought onto a grid: samples averaged along line and sample axis before,
    and places per pixel and axis.
    """

    looks: tuple[int, int]
    places: int

    @classmethod
    def between(
        cls, spacing: tuple[float, float], geobox: GeoBox, resampling: Resampling
    ) -> Sampling:
        """What fits an image of given ground spacing (azimuth, range) in metres to a grid."""
        if resampling == "nearest":
            return cls((1, 1), 1)
        pixel = pixel_edge(geobox)
        looks = [max(1, math.floor(pixel / step)) for step in spacing]
        return cls((looks[0], looks[1]), SUBPIXELS)


def sample(image: Image, line: Array, column: Array, sampling: Sampling) -> NDArray[np.float32]:
    """Mean power of an image at every pixel.

    Args:
        image: |DN|².
        line: Image lines (h·n, w·n) of n places per pixel and axis, from 0 at the centre of the
            first; NaN: no place.
        column: Image samples, likewise.
        sampling: Looks, and places n.

    Returns:
        Power (h, w) float32; NaN where no place of the pixel has a valid sample.
    """
    places, looks = sampling.places, sampling.looks
    found = np.full((line.shape[0] // places, line.shape[1] // places), np.nan, np.float32)
    size = -(-image.shape[0] // looks[0]), -(-image.shape[1] // looks[1])
    top, bottom, left, right = _bounds(line, column, looks, size)
    if top > bottom:
        return found
    block = _looked(image, [top, left], [bottom, right], looks)
    _means(block, (top, left), line, column, looks, places, found)
    return found


@inlined
def _cell(place: float, looks: int) -> float:
    """The look that a place along an axis lies in, before the first and beyond the last ones too;
    NaN where the place is.
    """
    cell: float = np.floor((place + 0.5) / looks)
    return cell


@kept
def _bounds(
    line: Array, column: Array, looks: tuple[int, int], size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """First and last look along both axes that places (h, w) lie in, of so many; first > last:
    none does.
    """
    top, bottom, left, right = size[0], -1, size[1], -1
    for r in range(line.shape[0]):
        for c in range(line.shape[1]):
            down, along = _cell(line[r, c], looks[0]), _cell(column[r, c], looks[1])
            if 0 <= down < size[0] and 0 <= along < size[1]:
                k, m = int(down), int(along)
                top, bottom = min(top, k), max(bottom, k)
                left, right = min(left, m), max(right, m)
    return top, bottom, left, right


@kept
def _means(
    block: NDArray[np.float32],
    first: tuple[int, int],
    line: Array,
    column: Array,
    looks: tuple[int, int],
    places: int,
    found: NDArray[np.float32],
) -> None:
    """Means (h, w) of the valid looks at the places of every pixel; `found` keeps what it has
    where there is none.

    Args:
        block: Looks of a part of an image, NaN where not valid.
        first: Row and column of its first look among all.
        line: (h·places, w·places) see `sample`.
        column: Likewise.
        looks: Samples of a look.
        places: Of a pixel along each axis.
        found: Gets the means.
    """
    for r in range(found.shape[0]):
        for c in range(found.shape[1]):
            total, count = 0.0, 0
            for y in range(r * places, (r + 1) * places):
                for x in range(c * places, (c + 1) * places):
                    down = _cell(line[y, x], looks[0]) - first[0]
                    along = _cell(column[y, x], looks[1]) - first[1]
                    if 0 <= down < block.shape[0] and 0 <= along < block.shape[1]:
                        power = block[int(down), int(along)]
                        if not np.isnan(power):
                            total, count = total + np.float64(power), count + 1
            if count > 0:
                found[r, c] = total / count


def _looked(
    image: Image, first: list[int], last: list[int], looks: tuple[int, int]
) -> NDArray[np.float32]:
    """Means over whole looks `first` to `last` of an image; its edge is cut short."""
    begin = [one * count for one, count in zip(first, looks, strict=True)]
    end = [(one + 1) * count for one, count in zip(last, looks, strict=True)]
    stop = [min(edge, one) for edge, one in zip(image.shape, end, strict=True)]
    values = image.read(slice(begin[0], stop[0]), slice(begin[1], stop[1]))
    if looks == (1, 1):
        return values
    beyond = [(0, one - cut) for one, cut in zip(end, stop, strict=True)]
    return cell_mean(np.pad(values, beyond, constant_values=np.nan), looks)


def cell_mean(values: NDArray[np.float32], cell: tuple[int, int]) -> NDArray[np.float32]:
    """Means of valid values over cells; NaN where a cell has none."""
    if cell == (1, 1):
        return values
    height, width = values.shape[0] // cell[0], values.shape[1] // cell[1]
    cells = values.reshape(height, cell[0], width, cell[1])
    valid = ~np.isnan(cells)
    count = valid.sum(axis=(1, 3))
    total = np.where(valid, cells, 0).sum(axis=(1, 3), dtype=np.float64)
    mean = np.full((height, width), np.nan, np.float32)
    np.divide(total, count, out=mean, where=count > 0, casting="same_kind")
    return mean
