"""Radar images onto a map grid: where every pixel is in the image, and the power found there.

Positions are exact on a coarse lattice of the map and linear between, which costs less than a
centimetre. Power is averaged as power: first over the whole image samples that fit into a pixel,
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    Array = NDArray[np.float64]

NODE_STEP = 32
"""Pixels between exactly computed positions."""
SUBPIXELS = 2
"""Places per pixel and axis whose power is averaged."""
METRES_PER_DEGREE = 111_320.0

Resampling = Literal["average", "nearest"]
Locate = Callable[["Array", "Array"], tuple["Array", ...]]
"""Longitude and latitude in degrees to coordinates of the image, each of the same shape."""


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


class Positions:
    """Image coordinates of a window of a map grid.

    Args:
        geobox: The grid.
        rows: Window.
        columns: Window.
        locate: The image's geometry.
    """

    def __init__(self, geobox: GeoBox, rows: slice, columns: slice, locate: Locate) -> None:
        from pyproj import Transformer

        self._edges = rows, columns
        row, column = (_nodes(edge) for edge in (rows, columns))
        to_map = geobox.transform
        x, y = to_map.a * column[None, :] + to_map.c, to_map.e * row[:, None] + to_map.f
        to_degrees = Transformer.from_crs(str(geobox.crs), "EPSG:4326", always_xy=True)
        shape = row.size, column.size
        lon, lat = to_degrees.transform(np.broadcast_to(x, shape), np.broadcast_to(y, shape))
        self._axes = row, column
        self._values = locate(np.asarray(lon), np.asarray(lat))

    def at(self, which: slice, places: int = 1) -> tuple[Array, ...]:
        """Some of the coordinates at `places`² points of every pixel, (h·places, w·places)."""
        down, along = (
            _between(axis, edge, places) for axis, edge in zip(self._axes, self._edges, strict=True)
        )
        found = []
        for value in self._values[which]:
            rows = _linear(value, down[0], down[1][:, None], axis=0)
            found.append(_linear(rows, along[0], along[1], axis=1))
        return tuple(found)


def _nodes(edge: slice) -> Array:
    """Node positions covering pixels of a slice, at most `NODE_STEP` apart."""
    count = max(1, math.ceil((edge.stop - edge.start) / NODE_STEP))
    return np.linspace(edge.start, edge.stop, count + 1)


def _between(nodes: Array, edge: slice, places: int) -> tuple[NDArray[np.intp], Array]:
    """For points inside every pixel: the node before, and how far along to the next."""
    points = edge.start + (np.arange((edge.stop - edge.start) * places) + 0.5) / places
    place = (points - nodes[0]) / (nodes[1] - nodes[0])
    before = np.minimum(place.astype(np.intp), nodes.size - 2)
    return before, place - before


def _linear(values: Array, before: NDArray[np.intp], along: Array, *, axis: int) -> Array:
    """Linear interpolation between neighbours of an axis."""
    first = np.take(values, before, axis)
    first += along * (np.take(values, before + 1, axis) - first)
    return first


def sample(image: Image, line: Array, column: Array, sampling: Sampling) -> NDArray[np.float32]:
    """Mean power of an image at every pixel.

    Args:
        image: |DN|².
        line: Image lines (h·n, w·n) of n places per pixel and axis, from 0 at the centre of the
            first.
        column: Image samples, likewise.
        sampling: Looks, and places n.

    Returns:
        Power (h, w) float32; NaN where no place of the pixel has a valid sample.
    """
    shape = line.shape[0] // sampling.places, line.shape[1] // sampling.places
    index = [
        np.floor((place + 0.5) / looks).astype(np.int64)
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
