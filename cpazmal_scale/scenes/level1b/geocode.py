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
from cpazmal_scale.kernels.compiled import kept
from cpazmal_scale.terrain.nodes import CELL, Places, interpolate_row
from cpazmal_scale.terrain.resample import inside_row

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    Array = NDArray[np.float64]

SUBPIXELS = 2
"""Places per pixel and axis whose power is averaged."""

AROUND = 3
"""Samples by which places may exceed those at the nodes around them."""

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


@dataclass(frozen=True, eq=False)
class Looks:
    """The looks of an image that lie at the places of a window's pixels.

    `cells` (2, h·n, w·n) int32 are row and column of the look at each of n places per pixel and
    axis, −1 where there is none; `first` and `last` the rows and columns between which they lie.
    """

    sampling: Sampling
    cells: NDArray[np.int32]
    first: tuple[int, int]
    last: tuple[int, int]


def looks_at(
    places: Places, posts: Array, sampling: Sampling, shape: tuple[int, int]
) -> Looks | None:
    """Find the looks at the pixels of a window.

    Args:
        places: Of the window's pixels in the image.
        posts: Metres above the ellipsoid (h + 2, w + 2) at pixel centres of the window and around
            it, NaN unknown.
        sampling: Looks, and places of a pixel.
        shape: Lines and samples of the image.

    Returns:
        None where no pixel lies in the image.
    """
    meets = _meets(places, posts, shape)
    if not meets.any():
        return None
    fine, looks = sampling.places, sampling.looks
    size = -(-shape[0] // looks[0]), -(-shape[1] // looks[1])
    cells = np.full((2, (posts.shape[0] - 2) * fine, (posts.shape[1] - 2) * fine), -1, np.int32)
    starts = places.rows.start, places.columns.start
    around = _cells(places.polynomials, posts, meets, starts, fine, looks, size, cells)
    top, bottom, left, right = around
    return Looks(sampling, cells, (top, left), (bottom, right)) if top <= bottom else None


def _meets(places: Places, posts: Array, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Whether ground of a node cell (J, I), between the lowest and the highest height of the
    window, may lie in the image.
    """
    low, high = _span(posts)
    if low > high:
        return np.zeros((1, 1), bool)
    both = np.stack([places.level(low), places.level(high)])
    corners = both[:, :-1, :-1], both[:, :-1, 1:], both[:, 1:, :-1], both[:, 1:, 1:]
    ends = np.concatenate(corners)
    # Nodes that are not seen tell nothing.
    misses = (ends.max(axis=0) < -AROUND) | (ends.min(axis=0) > np.add(shape, AROUND))
    meets: NDArray[np.bool_] = ~misses.any(axis=-1)
    return meets


def sample(image: Image, looks: Looks) -> NDArray[np.float32]:
    """Mean power of an image at every pixel.

    Args:
        image: |DN|².
        looks: At the pixels (h, w).

    Returns:
        Power (h, w) float32; NaN where no place of the pixel has a valid sample.
    """
    places = looks.sampling.places
    _, height, width = looks.cells.shape
    found = np.full((height // places, width // places), np.nan, np.float32)
    block = _looked(image, [*looks.first], [*looks.last], looks.sampling.looks)
    _means(block, looks.first, looks.cells, places, found)
    return found


@kept
def _span(posts: Array) -> tuple[float, float]:
    """Lowest and highest of heights, NaN left out; lowest > highest: none is known."""
    low, high = np.inf, -np.inf
    for r in range(posts.shape[0]):
        for c in range(posts.shape[1]):
            height = posts[r, c]
            low, high = height if height < low else low, height if height > high else high
    return low, high


@kept
def _cells(
    powers: Array,
    posts: Array,
    meets: NDArray[np.bool_],
    starts: tuple[int, int],
    places: int,
    looks: tuple[int, int],
    size: tuple[int, int],
    cells: NDArray[np.int32],
) -> tuple[int, int, int, int]:
    """Row and column of the look at every place.

    Args:
        powers: See `interpolate_row`.
        posts: See `looks_at`.
        meets: Which cells of nodes are looked at.
        starts: Row and column of the first pixel in the lattice.
        places: Of a pixel along each axis.
        looks: Samples of a look.
        size: Looks of the image.
        cells: (2, h·places, w·places), −1; gets them where there is one.

    Returns:
        First and last row, first and last column; first > last: no place lies in the image.
    """
    width = cells.shape[2]
    height, line, column = np.empty(width), np.empty(width), np.empty(width)
    top, bottom, left, right = size[0], -1, size[1], -1
    for y in range(cells.shape[1]):
        j = (starts[0] + y // places) // CELL - starts[0] // CELL
        for i in range(meets.shape[1]):
            if not meets[j, i]:
                continue
            begin = max(0, (starts[1] // CELL + i) * CELL - starts[1])
            end = min(width // places, (starts[1] // CELL + i + 1) * CELL - starts[1])
            part = begin * places, end * places
            inside_row(posts, places, y, (begin, end), height)
            interpolate_row(powers, height, starts, places, y, part, line, column)
            for n in range(part[0], part[1]):
                down = np.floor((line[n] + 0.5) / looks[0])
                along = np.floor((column[n] + 0.5) / looks[1])
                inside = 0 <= down < size[0] and 0 <= along < size[1]
                k, m = np.int32(down if inside else -1.0), np.int32(along if inside else -1.0)
                cells[0, y, n], cells[1, y, n] = k, m
                top, bottom = min(top, int(k) if inside else top), max(bottom, int(k))
                left, right = min(left, int(m) if inside else left), max(right, int(m))
    return top, bottom, left, right


@kept
def _means(
    block: NDArray[np.float32],
    first: tuple[int, int],
    cells: NDArray[np.int32],
    places: int,
    found: NDArray[np.float32],
) -> None:
    """Means (h, w) of the valid looks at the places of every pixel; `found` keeps what it has
    where there is none.

    Args:
        block: Looks of a part of an image, NaN where not valid.
        first: Row and column of its first look among all.
        cells: (2, h·places, w·places) see `Looks`.
        places: Of a pixel along each axis.
        found: Gets the means.
    """
    for r in range(found.shape[0]):
        for c in range(found.shape[1]):
            total, count = 0.0, 0
            for y in range(r * places, (r + 1) * places):
                for x in range(c * places, (c + 1) * places):
                    if cells[0, y, x] >= 0:
                        power = block[cells[0, y, x] - first[0], cells[1, y, x] - first[1]]
                        known = power == power
                        total += np.float64(power) if known else 0.0
                        count += 1 if known else 0
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
