"""A beam over a map: which tiles of ground its pixels may share radar cells and shadows with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.grid.areas import pixel_edge
from cpazmal_scale.terrain.elevation import Dem, Elevation, open_dem
from cpazmal_scale.terrain.ellipsoid import EARTH_RADIUS
from cpazmal_scale.terrain.facets import COSINE, TURN, facet_terms
from cpazmal_scale.terrain.nodes import Lattice
from cpazmal_scale.terrain.orbit import LIGHT, Orbit
from cpazmal_scale.terrain.sight import OrbitSight

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    Array = NDArray[np.float64]

ALONG, ACROSS = 4.0, 2.5
"""Metres of a cell of the area lattice along the track, and of its slant range."""
PLACES = 2
"""Cells of the shadow lattice per cell of the area lattice across the track."""
CELLS, TILE = 2**22, 512
"""Cells of a strip, about; pixels of a tile."""
BLOCK = 1024
"""Samples of a strip in one file."""
_GUARD = 3
"""Cells around those that pixels of the map fall into."""
_PEAKS = 200.0
"""Metres by which ground may be beyond the samples that its range is taken from."""
_SURROUNDINGS = 12_000.0
"""Metres around the map in which the range of heights is looked for."""


@dataclass(frozen=True)
class AreaAxes:
    """Lines per second and samples per second of two-way range."""

    lines: float
    samples: float

    def __call__(self, t: Array, tau: Array) -> tuple[Array, Array]:
        """See `sight.Axes`."""
        return t * self.lines, tau * self.samples


@dataclass(frozen=True, eq=False)
class Ground:
    """A beam over a map: everything the tasks need, as plain values.

    `url` is where strips and tiles are kept; `cells` are first and last line and sample that pixels
    of the map fall into; `tiles` the tiles of the map and its surroundings with the first and last
    line of each, in their order; `heights` the range of heights; `lines` those of a strip: results
    do not depend on it.
    """

    url: str
    dem: Dem
    grid: GeoBox
    sight: OrbitSight
    reference: float
    cells: tuple[int, int, int, int]
    tiles: tuple[tuple[int, int, int, int], ...]
    heights: tuple[float, float]
    turn: float
    lines: int

    def own(self, strip: int) -> tuple[int, int]:
        """First line of a strip, and the first beyond it."""
        first = self.cells[0] + strip * self.lines
        return first, min(first + self.lines, self.cells[1] + 1)

    @property
    def strips(self) -> tuple[int, ...]:
        """Numbers of the strips."""
        return tuple(range(-(-(self.cells[1] + 1 - self.cells[0]) // self.lines)))

    @property
    def map_tiles(self) -> tuple[tuple[int, int], ...]:
        """Row and column of the tiles that hold pixels of the map, in tiles of the lattice."""
        _, top, left = Lattice.of(self.grid)
        height, width = self.grid.shape
        rows = range(top // TILE, (top + height - 1) // TILE + 1)
        columns = range(left // TILE, (left + width - 1) // TILE + 1)
        return tuple((row, column) for row in rows for column in columns)


def plan_ground(
    url: str,
    dem: Dem,
    grid: GeoBox,
    orbit: Orbit,
    *,
    first: float,
    side: int,
    reference: float,
    known: tuple[float, float] | None = None,
) -> Ground:
    """Find out which ground a map's pixels may share radar cells and lines of sight with.

    Args:
        url: Where strips and tiles go.
        dem: The ground.
        grid: The map.
        orbit: Of a date of the beam.
        first: A time within the scene.
        side: +1 for a radar that looks right, −1 left.
        reference: A height of the area, metres.
        known: Lowest and highest ground around the map by another source, metres: what lies beyond
            the end of the raster may be as low or high.
    """
    speed = float(np.linalg.norm(orbit.velocity(first)))
    on_ground = speed * EARTH_RADIUS / float(np.linalg.norm(orbit.position(first)))
    axes = AreaAxes(on_ground / ALONG, LIGHT / 2 / ACROSS)
    sight = OrbitSight(orbit, axes, first, side=side)
    with open_dem(dem) as elevation:
        low, high = _range(elevation, grid)
    if known is not None:
        low, high = min(low, known[0]), max(high, known[1])
    heights = low - _PEAKS, high + _PEAKS
    lattice, top, left = Lattice.of(grid)
    height, width = grid.shape
    inside = _seen(lattice, sight, (top, left, top + height, left + width), heights)
    rect = (
        math.floor(inside[0].min()) - _GUARD,
        math.ceil(inside[0].max()) + _GUARD,
        math.floor(inside[1].min()) - _GUARD,
        math.ceil(inside[1].max()) + _GUARD,
    )
    terms = facet_terms(lattice, sight, slice(top, top + 1), slice(left, left + 1))
    angle = math.acos(min(1.0, float(terms[0, 0, 2 * COSINE])))
    reach = (heights[1] - heights[0]) * max(math.tan(angle), 1 / math.tan(angle))
    margin = math.ceil(reach / pixel_edge(grid)) + 1
    window = top - margin, left - margin, top + height + margin, left + width + margin
    return Ground(
        url=url,
        dem=dem,
        grid=grid,
        sight=sight,
        reference=reference,
        cells=rect,
        tiles=_tiles(lattice, sight, window, heights, rect),
        heights=heights,
        turn=math.copysign(1.0, float(terms[0, 0, 2 * TURN])),
        lines=_lines(rect),
    )


def _lines(rect: tuple[int, int, int, int]) -> int:
    """Lines of a strip of cells from first to last line and sample.

    Strips are as high as `CELLS` lets them be, so that workers need the same memory for every map,
    and equal in pairs, so that two workers end together; the cells of a small map are one strip.
    """
    total, most = rect[1] - rect[0] + 1, max(1, CELLS // (rect[3] - rect[2] + 1))
    count = 1 if total <= most // 2 else 2 * math.ceil(total / (2 * most))
    return math.ceil(total / count)


def _range(elevation: Elevation, grid: GeoBox) -> tuple[float, float]:
    """Lowest and highest ground in and around a map."""
    return elevation.span(*around(grid))


def around(grid: GeoBox) -> tuple[Array, Array]:
    """Longitude and latitude (9, 9) of points over a map and what may matter to it."""
    reach = math.ceil(_SURROUNDINGS / pixel_edge(grid))
    lattice, top, left = Lattice.of(grid)
    height, width = grid.shape
    rows = np.linspace(top - reach, top + height + reach, 9, dtype=np.float64)
    columns = np.linspace(left - reach, left + width + reach, 9, dtype=np.float64)
    return lattice.points(rows, columns)


def _seen(
    lattice: Lattice,
    sight: OrbitSight,
    window: tuple[int, int, int, int],
    heights: tuple[float, float],
) -> tuple[Array, Array]:
    """Lines and samples of points on a window's border and inside, at both heights."""
    rows: Array = np.linspace(window[0], window[2], 17, dtype=np.float64)
    columns: Array = np.linspace(window[1], window[3], 17, dtype=np.float64)
    lon, lat = lattice.points(rows, columns)
    both = [sight.see(lon, lat, np.full(lon.shape, height)) for height in heights]
    return np.stack([one.line for one in both]), np.stack([one.sample for one in both])


def _tiles(
    lattice: Lattice,
    sight: OrbitSight,
    window: tuple[int, int, int, int],
    heights: tuple[float, float],
    rect: tuple[int, int, int, int],
) -> tuple[tuple[int, int, int, int], ...]:
    """Tiles whose ground may fall into cells of the map: row, column, first and last line."""
    rows = np.arange(window[0] // TILE, window[2] // TILE + 2, dtype=np.float64)
    columns = np.arange(window[1] // TILE, window[3] // TILE + 2, dtype=np.float64)
    lon, lat = lattice.points(rows * TILE, columns * TILE)
    both = [sight.see(lon, lat, np.full(lon.shape, height)) for height in heights]

    def corners(values: list[Array], first: int, last: int) -> tuple[Array, Array]:
        stack = np.stack(
            [
                one[dj : dj + rows.size - 1, di : di + columns.size - 1]
                for one in values
                for dj in (0, 1)
                for di in (0, 1)
            ]
        )
        # A tile that reaches beyond the track has corners without a place, and may meet all cells.
        beyond = np.isnan(stack).any(axis=0)
        low, high = stack.min(axis=0) - 2, stack.max(axis=0) + 2
        return np.where(beyond, first, low), np.where(beyond, last, high)

    line = corners([one.line for one in both], rect[0], rect[1])
    sample = corners([one.sample for one in both], rect[2], rect[3])
    meets = (line[0] <= rect[1]) & (line[1] >= rect[0])
    meets &= (sample[0] <= rect[3]) & (sample[1] >= rect[2])
    return tuple(
        (int(rows[j]), int(columns[i]), int(line[0][j, i]), int(line[1][j, i]) + 1)
        for j, i in np.argwhere(meets)
    )
