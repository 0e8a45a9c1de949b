"""Check that an elevation raster covers the cube and agrees with the products' own heights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import DemError, DemMismatch
from cpazmal_scale.grid.areas import METRES_PER_DEGREE
from cpazmal_scale.terrain.coordinates import continuous
from cpazmal_scale.terrain.displaced import EAST, NORTH, Displacement, displacement
from cpazmal_scale.terrain.ground import around
from cpazmal_scale.terrain.missing_heights import CLIFF, Extremes
from cpazmal_scale.terrain.nodes import Lattice
from cpazmal_scale.terrain.resample import HIGHEST, LOWEST
from cpazmal_scale.words import box

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    from cpazmal_scale.terrain.elevation import Elevation

    Array = NDArray[np.float64]
    Bounds = tuple[float, float, float, float]

FARTHEST = 15.0
"""Metres between the medians of a raster and of a product's own heights that may be terrain."""
UNLIKE = 0.6
"""Of the spread of a product's own heights, from which a raster's differences are of other ground;
both are median absolute deviations, and those below twice `FARTHEST` may be terrain."""
FEWEST, MOST = 10, 400
"""Points that are needed to judge, and that are looked at."""
DISPLACED, HALVED = 300.0, 0.5
"""Metres by which a raster may seem displaced beside a product's own heights, which are those of
cells of 300 m; and of the spread of differences, what is left at most where it is."""
_SURE = 3 * 1.2533 * 1.4826
"""Standard errors, of a median by the median absolute deviation, that chance may explain."""
LEAST = 0.5
"""Share of an area whose heights must be known."""
_LOOKS = 9
"""Points along a side of a grid from which its bounds in degrees are taken."""
_OF_DATUM = 33
"""The same, at which the datum is looked at."""
_BESIDE = 2048
"""Pixels along a side of a tile in which marks are looked for around a map."""
_FEET = 3.2808


@dataclass(frozen=True)
class Difference:
    """An elevation raster minus a product's own heights, in metres: median, median absolute
    deviation, the number of points, and how far it seems displaced, if it does.
    """

    median: float
    deviation: float
    points: int
    displaced: Displacement | None = None

    def __str__(self) -> str:
        said = (
            f"{self.median:+.1f} m from the product's own heights (± {self.deviation:.1f} m, "
            f"{self.points} points)"
        )
        return said if self.displaced is None else f"{said}, and seems {self.displaced}"


def compare(elevation: Elevation, lon: Array, lat: Array, height: Array) -> Difference | None:
    """Compare a raster with points whose heights above the ellipsoid are known.

    A product's heights are those of a coarse elevation model: the raster's mean around each point
    is compared, and few points on steep ground may differ by what chance explains.

    Args:
        elevation: The open raster.
        lon: Degrees, any shape.
        lat: Degrees, same shape.
        height: Metres above the ellipsoid, same shape.

    Returns:
        None where too few points lie in the raster.

    Raises:
        DemMismatch: the two are of different surfaces.
    """
    inside = elevation.covers(lon, lat)
    points = [one[inside] for one in (lon, lat, height)]
    if points[0].size < FEWEST:
        return None
    some = np.unique(np.linspace(0, points[0].size - 1, MOST).astype(np.int64))
    east, north, own = (one[some] for one in points)
    here = _mean(_around(elevation, east, north))
    known = np.isfinite(here)
    if known.sum() < FEWEST:
        return None
    here, own = here[known], own[known]
    apart = here - own
    median = float(np.median(apart))
    displaced = _displaced(elevation, east[known], north[known], own)
    deviation = float(np.median(np.abs(apart - median)))
    found = Difference(median, deviation, int(known.sum()), displaced)
    if abs(median) > FARTHEST + _SURE * found.deviation / found.points**0.5:
        raise DemMismatch(
            f"the elevation raster lies {abs(median):.0f} m {'above' if median > 0 else 'below'} "
            "the product's own heights",
            where=elevation.dem.url,
            remedy=_remedy(elevation, here, own, median),
        )
    spread = float(np.median(np.abs(own - np.median(own))))
    if found.deviation > max(2 * FARTHEST, UNLIKE * spread):
        raise DemMismatch(
            f"the elevation raster differs from the product's own heights by {found.deviation:.0f} "
            f"m from point to point, where these differ by {spread:.0f} m",
            where=elevation.dem.url,
            remedy="give the raster of this place; its rows run southwards, its columns eastwards",
        )
    return found


def _displaced(elevation: Elevation, lon: Array, lat: Array, own: Array) -> Displacement | None:
    """How far a raster seems to be displaced, if it does.

    Raises:
        DemMismatch: too far.
    """
    found = displacement(lambda *metres: _around(elevation, lon, lat, *metres), own)
    if found is not None and found.distance > DISPLACED and found.left < HALVED:
        raise DemMismatch(
            f"the ground of the elevation raster lies {found}",
            where=elevation.dem.url,
            remedy="correct its corner or its CRS",
        )
    return found


def _around(
    elevation: Elevation, lon: Array, lat: Array, right: float = 0.0, up: float = 0.0
) -> Array:
    """Heights (n, 25) around points (n) that are moved by metres east and north."""
    north = (NORTH + up) / METRES_PER_DEGREE
    wide = (EAST + right) / METRES_PER_DEGREE / np.cos(np.radians(lat))[:, None]
    here, there = np.broadcast_arrays(lon[:, None] + wide, lat[:, None] + north)
    heights = elevation.at(here.ravel(), there.ravel(), together=EAST.size)
    return heights.reshape(lon.size, -1)


def _mean(heights: Array) -> Array:
    """Means of the known heights of rows; NaN where none is."""
    known = np.isfinite(heights)
    total = np.where(known, heights, 0.0).sum(axis=1)
    count = known.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _remedy(elevation: Elevation, here: Array, own: Array, median: float) -> str:
    ratio = float(np.median(here) / max(1.0, float(np.median(own))))
    if abs(ratio / _FEET - 1) < 0.1:
        return "its heights seem to be in feet: convert them to metres"
    if elevation.datum.undulation is None and abs(median) < 120:
        return (
            "its heights are probably above a geoid: set ingest.level1b.terrain.vertical to its "
            "name"
        )
    if abs(median) < 120:
        return (
            f"its heights are probably not above {elevation.datum.name}: correct "
            "ingest.level1b.terrain.vertical"
        )
    return "give the elevation raster of this place, in metres"


def meet(elevation: Elevation, grid: GeoBox) -> None:
    """Look whether a raster lies where a grid is.

    Raises:
        DemError: it does not, naming both places.
    """
    raster, area = elevation.bounds(), _bounds(grid)
    if not _meet(area, raster):
        raise _short(elevation, area, 0.0)


def share(elevation: Elevation, grid: GeoBox) -> float:
    """Share of the raster's own pixels under a grid whose heights are known; all are looked at."""
    return _under(elevation, grid)[0]


def _under(elevation: Elevation, grid: GeoBox) -> tuple[float, Extremes, float]:
    """Share of known heights under a grid, their ends, and the largest step between neighbours."""
    known = total = step = 0.0
    ends = Extremes()
    for heights, width, jump in elevation.under(grid):
        known, total = known + width * np.isfinite(heights).sum(), total + width * heights.size
        ends.add(heights)
        step = max(step, jump)
    return float(known / total) if total else 0.0, ends, step


def covered(elevation: Elevation, grid: GeoBox, ground: tuple[float, float] | None = None) -> float:
    """See `share`.

    Args:
        elevation: The open raster.
        grid: A map.
        ground: Lowest and highest ground there by another source, metres above the ellipsoid.

    Raises:
        DemError: it is less than half, naming both places; what heights are above is not known
            there; heights that return, under the map or around it, stand apart from all others
            and from that ground, so that they mark missing ones; or neighbours differ as no ground
            does.
    """
    found, ends, step = _under(elevation, grid)
    if found < LEAST:
        raise _short(elevation, _bounds(grid), found)
    lattice, top, left = Lattice.of(grid)
    rows, columns = (np.linspace(0.5, edge - 0.5, _OF_DATUM) for edge in grid.shape)
    elevation.datum.require(*lattice.points(rows + top, columns + left))
    if ground is not None:
        up = _undulation(elevation, grid)
        surface = ground[0] - up, ground[1] - up
        mark = ends.mark(surface) or _beside(elevation, grid).mark(surface)
        if mark is not None:
            raise DemError(
                str(mark),
                where=elevation.dem.url,
                remedy="declare them, such as with `gdal_edit.py -a_nodata`",
            )
    if step > CLIFF:
        raise DemError(
            f"its heights jump by {step:.0f} m from one pixel to the next, which no ground does",
            where=elevation.dem.url,
            remedy="copy the file again; if it marks missing heights, declare them with "
            "`gdal_edit.py -a_nodata`",
        )
    return found


def _beside(elevation: Elevation, grid: GeoBox) -> Extremes:
    """Ends of the heights on and around a map, which may lie over it or hide it."""
    ends = Extremes()
    for heights in elevation.some(*around(grid), _BESIDE):
        ends.add(heights)
    return ends


def _undulation(elevation: Elevation, grid: GeoBox) -> float:
    """Metres from the ellipsoid to what heights are above, at a grid's middle."""
    lattice, top, left = Lattice.of(grid)
    lon, lat = lattice.points(
        np.array([top + grid.shape[0] / 2]), np.array([left + grid.shape[1] / 2])
    )
    return float(np.nan_to_num(elevation.datum.above_ellipsoid(lon, lat))[0, 0])


def _bounds(grid: GeoBox) -> Bounds:
    """West, south, east and north of a grid in degrees."""
    lattice, top, left = Lattice.of(grid)
    rows, columns = (np.linspace(0, edge, _LOOKS) for edge in grid.shape)
    lon, lat = lattice.points(rows + top, columns + left)
    lon = continuous(lon)
    return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())


def _short(elevation: Elevation, area: Bounds, found: float) -> DemError:
    west, south, east, north = raster = elevation.bounds()
    swapped = _meet(area, (south, west, north, east)) and not _meet(area, raster)
    remedy = "give an elevation raster of the whole area and some kilometres around"
    if swapped:
        remedy = "its latitude and longitude look swapped: save it with its axes in order"
    elif found == 0 and _meet(area, raster):
        remedy = (
            f"its values there are missing, 0 or not between {LOWEST:.0f} and {HIGHEST:.0f} m: "
            "give heights in metres, and terrain.sea where 0 is the sea"
        )
    return DemError(
        f"it has heights for {math.floor(found * 1000) / 10:.1f}% of the area: it covers "
        f"{box(raster)}, the area is {box(area)}",
        where=elevation.dem.url,
        remedy=remedy,
    )


def _meet(one: Bounds, other: Bounds) -> bool:
    """Whether two areas meet; longitudes may count from -180 or from 0 degrees."""
    turns = (-360.0, 0.0, 360.0)
    beside = any(one[0] + turn <= other[2] and other[0] <= one[2] + turn for turn in turns)
    return beside and one[1] <= other[3] and other[1] <= one[3]
