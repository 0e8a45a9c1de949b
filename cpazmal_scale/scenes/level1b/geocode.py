"""The power of radar images at the pixels of a map.

Power is averaged as power: first over the whole image samples that fit into a pixel, then over
places in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    Array = NDArray[np.float64]

SUBPIXELS = 2
"""Places per pixel and axis whose power is averaged."""
METRES_PER_DEGREE = 111_320.0

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
        pixel = ground_pixel(geobox)
        looks = [max(1, math.floor(pixel / step)) for step in spacing]
        return cls((looks[0], looks[1]), SUBPIXELS)


def ground_pixel(geobox: GeoBox) -> float:
    """The shorter edge of a pixel in metres."""
    step = abs(geobox.transform.a)
    if geobox.crs is not None and geobox.crs.geographic:
        return step * METRES_PER_DEGREE * math.cos(math.radians(geobox.boundingbox.bottom))
    return step


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
    shape = line.shape[0] // sampling.places, line.shape[1] // sampling.places
    index = [
        np.floor((np.where(np.isnan(place), -np.float64(looks), place) + 0.5) / looks).astype(
            np.int64
        )
        for place, looks in zip((line, column), sampling.looks, strict=True)
    ]
    size = [-(-edge // looks) for edge, looks in zip(image.shape, sampling.looks, strict=True)]
    inside = (index[0] >= 0) & (index[0] < size[0]) & (index[1] >= 0) & (index[1] < size[1])
    if not inside.any():
        return np.full(shape, np.nan, np.float32)
    first = [int(one[inside].min()) for one in index]
    last = [int(one[inside].max()) for one in index]
    block = _looked(image, first, last, sampling.looks)
    power = np.full(line.shape, np.nan, np.float32)
    power[inside] = block[index[0][inside] - first[0], index[1][inside] - first[1]]
    return cell_mean(power, (sampling.places, sampling.places))


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
