"""Exact places on nodes of the map, and interpolation between them.

Nodes lie at every `CELL`-th pixel edge of the map's pixel lattice, counted from the origin of its
CRS, never from a window: a pixel has the same place in every window, crop and task. Between nodes
places are bilinear along the map and a polynomial in height, which is exact to a few millimetres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept
from cpazmal_scale.terrain.coordinates import DEGREES, through, transformer
from cpazmal_scale.terrain.sight import Seen, Sight

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    Array = NDArray[np.float64]

CELL = 32
"""Pixels between nodes."""
LOWEST, HIGHEST = -500.0, 9000.0
"""Heights in metres above the ellipsoid between which places are interpolated."""
LEVELS = 5
"""Heights at which places are exact: one more than the degree of the polynomial."""
MIDDLE, HALF = (LOWEST + HIGHEST) / 2, (HIGHEST - LOWEST) / 2
_LEVELS = np.cos(np.pi * (np.arange(LEVELS) + 0.5) / LEVELS)
_POWERS = np.linalg.inv(np.vander(_LEVELS, increasing=True))
_DIGITS = 6
"""Decimals of a pixel to which the shift of a lattice is told."""


@dataclass(frozen=True)
class Lattice:
    """The endless pixel lattice of a grid.

    `step` are the pixel's edges along x and y in units of the CRS, the second negative; `shift`
    the x and y of a pixel corner, less than a pixel from 0.
    """

    crs: str
    step: tuple[float, float]
    shift: tuple[float, float]

    @classmethod
    def of(cls, grid: GeoBox) -> tuple[Lattice, int, int]:
        """The lattice of a grid, and the row and column of the grid's first pixel in it."""
        to_map = grid.transform
        step = float(to_map.a), float(to_map.e)
        numbers, shifts = [], []
        for edge, size in zip((float(to_map.c), float(to_map.f)), step, strict=True):
            place = round(edge / size, _DIGITS)
            numbers.append(math.floor(place))
            shifts.append(round(place - math.floor(place), _DIGITS) * size)
        return cls(str(grid.crs), step, (shifts[0], shifts[1])), numbers[1], numbers[0]

    def points(self, rows: Array, columns: Array) -> tuple[Array, Array]:
        """Longitude and latitude (h, w) in degrees of pixel edges `rows` (h) x `columns` (w)."""
        lon, lat = through(transformer(self.crs, DEGREES), *self.projected(rows, columns))
        return lon, lat

    def projected(self, rows: Array, columns: Array) -> tuple[Array, Array]:
        """Map coordinates x and y (h, w); see `points`."""
        shape = rows.size, columns.size
        x = np.broadcast_to(self.shift[0] + columns * self.step[0], shape)
        return x, np.broadcast_to(self.shift[1] + rows[:, None] * self.step[1], shape)


def cells(edge: slice) -> Array:
    """Numbers of the nodes around the pixels of a slice."""
    return np.arange(edge.start // CELL, (edge.stop - 1) // CELL + 2, dtype=np.float64)


class NodeLattice:
    """Places of a map's pixels in one image.

    Args:
        grid: The map; rows and columns count from its first pixel.
        sight: The image's geometry.
    """

    def __init__(self, grid: GeoBox, sight: Sight) -> None:
        self.sight = sight
        self.lattice, self._row, self._column = Lattice.of(grid)

    def window(self, rows: slice, columns: slice) -> Places:
        """Places of a window of pixels."""
        rows = slice(rows.start + self._row, rows.stop + self._row)
        columns = slice(columns.start + self._column, columns.stop + self._column)
        return Places(self.lattice, self.sight, rows, columns)


class Places:
    """Places of one window, whose rows and columns count in the lattice."""

    def __init__(self, lattice: Lattice, sight: Sight, rows: slice, columns: slice) -> None:
        self.lattice, self.rows, self.columns = lattice, rows, columns
        self._nodes = cells(rows), cells(columns)
        self.lon, self.lat = lattice.points(self._nodes[0] * CELL, self._nodes[1] * CELL)
        lon, lat = (np.broadcast_to(part, (LEVELS, *part.shape)) for part in (self.lon, self.lat))
        height = np.broadcast_to((MIDDLE + HALF * _LEVELS)[:, None, None], lon.shape)
        self.seen: Seen = sight.see(lon, lat, height)

    def image(self, height: Array, places: int = 1) -> tuple[Array, Array]:
        """Line and sample of points.

        Args:
            height: Metres above the ellipsoid (h·n, w·n) of n places per pixel and axis.
            places: n.

        Returns:
            Two arrays of that shape; NaN where the height is.
        """
        return self._pair(self.polynomials, height, places)

    def times(self, height: Array, places: int = 1) -> tuple[Array, Array]:
        """Azimuth and two-way range times of points; see `image`."""
        return self._pair(self._times, height, places)

    def incidence(self, height: Array) -> Array:
        """Angle in degrees (h, w) between the ellipsoid's normal and the line of sight."""
        cosine, _ = self._pair(self._cosine, height, 1)
        angles: Array = np.degrees(np.arccos(cosine))
        return angles

    def level(self, height: float) -> Array:
        """Line and sample (nodes, nodes, 2) of the nodes at one height."""
        z = (height - MIDDLE) / HALF
        found = np.zeros(self.polynomials.shape[:3])
        for power in reversed(range(LEVELS)):
            found = self.polynomials[..., power] + z * found
        return found

    def _pair(self, powers: Array, height: Array, places: int) -> tuple[Array, Array]:
        height = np.ascontiguousarray(height, np.float64)
        first, second = np.empty(height.shape), np.empty(height.shape)
        starts = self.rows.start, self.columns.start
        _interpolate(powers, height, starts, places, first, second)
        return first, second

    @cached_property
    def polynomials(self) -> Array:
        """Of line and sample at the nodes, see `interpolate_row`."""
        return _powers(self.seen.line, self.seen.sample)

    @cached_property
    def _times(self) -> Array:
        return _powers(self.seen.t, self.seen.tau)

    @cached_property
    def _cosine(self) -> Array:
        from cpazmal_scale.terrain.ellipsoid import normal

        cosine = np.sum(self.seen.look * normal(self.lon, self.lat), axis=-1)
        return _powers(cosine, cosine)


def _powers(first: Array, second: Array) -> Array:
    """Coefficients (nodes, nodes, 2, LEVELS) of polynomials in (h − MIDDLE)/HALF."""
    found = np.empty((*first.shape[1:], 2, LEVELS))
    for number, values in enumerate((first, second)):
        _combine(_POWERS, np.ascontiguousarray(values), found[:, :, number])
    return found


@kept
def _combine(powers: Array, values: Array, found: Array) -> None:
    """Numbers (LEVELS, J, I) at all levels to coefficients (J, I, LEVELS)."""
    for j in range(found.shape[0]):
        for i in range(found.shape[1]):
            for power in range(LEVELS):
                total = 0.0
                for level in range(LEVELS):
                    total += powers[power, level] * values[level, j, i]
                found[j, i, power] = total


@inlined
def along(nodes: Array, number: int, j: int, i: int, v: float) -> tuple[float, float]:
    """A number of the nodes on the left edge of a node cell, and its change over the cell."""
    left = (1 - v) * nodes[j, i, number] + v * nodes[j + 1, i, number]
    right = (1 - v) * nodes[j, i + 1, number] + v * nodes[j + 1, i + 1, number]
    return left, right - left


@kept
def _interpolate(
    powers: Array,
    height: Array,
    starts: tuple[int, int],
    places: int,
    first: Array,
    second: Array,
) -> None:
    """Bilinear polynomials of the surrounding nodes at every point."""
    for y in range(height.shape[0]):
        whole = 0, height.shape[1]
        interpolate_row(powers, height[y], starts, places, y, whole, first[y], second[y])


@inlined
def interpolate_row(
    powers: Array,
    height: Array,
    starts: tuple[int, int],
    places: int,
    y: int,
    part: tuple[int, int],
    first: Array,
    second: Array,
) -> None:
    """Bilinear polynomials of the surrounding nodes at points of a row.

    Args:
        powers: Coefficients (nodes, nodes, 2, LEVELS) of two numbers.
        height: (w·places) metres.
        starts: Row and column of the first pixel in the lattice.
        places: Points per pixel and axis.
        y: The row, counted in places from the first pixel.
        part: The first of its points that are computed, and the first beyond.
        first: (w·places) gets the first number.
        second: (w·places) gets the second one.
    """
    top, left = starts[0] // CELL, starts[1] // CELL
    fine = CELL * places
    row = starts[0] * places + y
    j = row // fine
    v = (row - j * fine + 0.5) / fine
    x = part[0]
    while x < part[1]:
        column = starts[1] * places + x
        i = column // fine
        stop = min(part[1], (i + 1) * fine - starts[1] * places)
        here, below = powers[j - top, i - left], powers[j - top + 1, i - left]
        there, beyond = powers[j - top, i - left + 1], powers[j - top + 1, i - left + 1]
        a0 = here[0, 0] + v * (below[0, 0] - here[0, 0])
        a1 = here[0, 1] + v * (below[0, 1] - here[0, 1])
        a2 = here[0, 2] + v * (below[0, 2] - here[0, 2])
        a3 = here[0, 3] + v * (below[0, 3] - here[0, 3])
        a4 = here[0, 4] + v * (below[0, 4] - here[0, 4])
        b0 = here[1, 0] + v * (below[1, 0] - here[1, 0])
        b1 = here[1, 1] + v * (below[1, 1] - here[1, 1])
        b2 = here[1, 2] + v * (below[1, 2] - here[1, 2])
        b3 = here[1, 3] + v * (below[1, 3] - here[1, 3])
        b4 = here[1, 4] + v * (below[1, 4] - here[1, 4])
        c0 = there[0, 0] + v * (beyond[0, 0] - there[0, 0]) - a0
        c1 = there[0, 1] + v * (beyond[0, 1] - there[0, 1]) - a1
        c2 = there[0, 2] + v * (beyond[0, 2] - there[0, 2]) - a2
        c3 = there[0, 3] + v * (beyond[0, 3] - there[0, 3]) - a3
        c4 = there[0, 4] + v * (beyond[0, 4] - there[0, 4]) - a4
        d0 = there[1, 0] + v * (beyond[1, 0] - there[1, 0]) - b0
        d1 = there[1, 1] + v * (beyond[1, 1] - there[1, 1]) - b1
        d2 = there[1, 2] + v * (beyond[1, 2] - there[1, 2]) - b2
        d3 = there[1, 3] + v * (beyond[1, 3] - there[1, 3]) - b3
        d4 = there[1, 4] + v * (beyond[1, 4] - there[1, 4]) - b4
        begin = i * fine - starts[1] * places
        for n in range(x, stop):
            u = (n - begin + 0.5) / fine
            z = (height[n] - MIDDLE) / HALF
            high = a3 + u * c3 + z * (a4 + u * c4)
            first[n] = a0 + u * c0 + z * (a1 + u * c1 + z * (a2 + u * c2 + z * high))
            high = b3 + u * d3 + z * (b4 + u * d4)
            second[n] = b0 + u * d0 + z * (b1 + u * d1 + z * (b2 + u * d2 + z * high))
        x = stop
