"""What heights of an elevation raster are above, and the way from there to the ellipsoid.

Inside the program every height is above the WGS84 ellipsoid. PROJ leaves heights unchanged, without
a word, where it lacks a geoid's grid; here only its best operation is used, or a geoid raster.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import DemError
from cpazmal_scale.grid import raster_files
from cpazmal_scale.grid.areas import METRES_PER_DEGREE
from cpazmal_scale.terrain.coordinates import through

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyproj import CRS

    Array = NDArray[np.float64]

NAMED = {"EGM2008": 3855, "EGM96": 5773, "LN02": 5728, "IGN69": 5720}
"""EPSG codes of vertical systems that may be named."""
ELLIPSOID = "ellipsoid"
MOST = 120.0
"""No geoid is farther from the ellipsoid, in metres."""
_LEAST = 0.5
"""Share of an area for which the surface must be known."""
_STEEP, _ROUGH = 1e-3, 1.0
"""Twice the steepest slope of a geoid, and metres that its raster may be rough."""
_REMEDY = (
    f"set ingest.level1b.terrain.vertical to {ELLIPSOID}, {', '.join(NAMED)}, an EPSG code or a "
    "geoid raster"
)


@dataclass(frozen=True)
class Datum:
    """What heights are above.

    `undulation` gives metres from the ellipsoid up to that surface, at longitude and latitude in
    degrees; none: heights are above the ellipsoid.
    """

    name: str
    undulation: Callable[[Array, Array], Array] | None = None

    def above_ellipsoid(self, lon: Array, lat: Array) -> Array:
        """Metres to be added to heights at points in degrees, NaN where not known.

        Raises:
            DemError: PROJ lacks a grid.
        """
        if self.undulation is None or lon.size == 0:
            return np.zeros(lon.shape)
        found = self.undulation(lon, lat)
        return np.where(np.abs(found) <= MOST, found, np.nan)

    def require(self, lon: Array, lat: Array) -> None:
        """Look whether the surface is known over an area, of which points in degrees are given.

        Raises:
            DemError: PROJ lacks a grid, the surface is known for less than half of the points, or
                a geoid raster is too steep for a geoid.
        """
        known = float(np.isfinite(self.above_ellipsoid(lon, lat)).mean())
        problem = f"{self.name} is known for {known:.0%} of the area" if known < _LEAST else None
        remedy = "give a geoid raster that covers it"
        farthest = self._farthest(lon, lat) if problem else 0.0
        if farthest > MOST:
            problem = (
                f"{self.name} lies up to {farthest:.0f} m from the ellipsoid, as no geoid does"
            )
            remedy = "give undulations, in metres"
        if problem is None and isinstance(self.undulation, _Geoid):
            jump = self.undulation.jump(lon, lat)
            if jump is not None:
                problem = f"{self.name} changes by {jump:.0f} m from one pixel to the next"
                remedy = "declare its missing values, or give the raster of a geoid"
        if problem is not None:
            raise DemError(problem, where="ingest.level1b.terrain.vertical", remedy=remedy)

    def _farthest(self, lon: Array, lat: Array) -> float:
        """Metres that the surface is told to be from the ellipsoid at most; 0: nothing is told."""
        told = np.zeros(1) if self.undulation is None else np.abs(self.undulation(lon, lat))
        return float(np.max(told, initial=0.0, where=np.isfinite(told)))


def datum_of(crs: CRS, vertical: str | None, *, where: object) -> Datum:
    """The datum of a raster's heights, by its CRS or a setting, which goes first.

    Args:
        crs: Of the raster.
        vertical: `ellipsoid`, a name of `NAMED`, an EPSG code or the address of a geoid raster.
        where: The raster.

    Raises:
        DemError: nothing tells what heights are above, a grid or code is not known to PROJ, the
            unit is not the metre, or the geoid raster cannot be used.
    """
    if vertical is None:
        return _of_crs(crs, where)
    if vertical == ELLIPSOID:
        return Datum(ELLIPSOID)
    code = NAMED.get(vertical.upper()) or _code(vertical)
    if code is None:
        return _of_raster(vertical)
    return _of_vertical(_vertical_crs(code, vertical), where)


def _code(text: str) -> int | None:
    digits = text.upper().removeprefix("EPSG:")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 7 else None


def _of_crs(crs: CRS, where: object) -> Datum:
    if crs.is_compound:
        return _of_vertical(crs.sub_crs_list[1], where)
    if len(crs.axis_info) == 3:
        _require_metres(crs, where)
        return Datum(ELLIPSOID)
    raise DemError("nothing says what its heights are above", where=where, remedy=_REMEDY)


def _vertical_crs(code: int, text: str) -> CRS:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        found = CRS.from_epsg(code)
    except CRSError:
        found = None
    if found is None or not found.is_vertical:
        raise DemError(
            f"`{text}` is no vertical system",
            where="ingest.level1b.terrain.vertical",
            remedy=f"give {ELLIPSOID}, {', '.join(NAMED)}, an EPSG code or a geoid raster",
        )
    return found


def _require_metres(crs: CRS, where: object) -> None:
    unit = crs.axis_info[-1]
    if unit.direction == "down":
        raise DemError(f"its {crs.name} counts downwards", where=where, remedy="give heights")
    if unit.unit_conversion_factor != 1.0:
        raise DemError(
            f"its heights are in {unit.unit_name}", where=where, remedy="convert them to metres"
        )


def _of_vertical(vertical: CRS, where: object) -> Datum:
    """Heights above a surface that PROJ knows."""
    from pyproj import CRS, Transformer
    from pyproj.crs import CompoundCRS
    from pyproj.exceptions import ProjError

    _require_metres(vertical, where)
    ellipsoid = CRS.from_epsg(4979)
    source = CompoundCRS(vertical.name, [CRS.from_epsg(4326), vertical])

    def undulation(lon: Array, lat: Array) -> Array:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # the missing grid, reported below
                strict = Transformer.from_crs(
                    source, ellipsoid, always_xy=True, only_best=True, allow_ballpark=False
                )
                found = through(strict, lon, lat, np.zeros(lon.shape))[2]
        except ProjError:
            raise _no_grid(vertical, source, ellipsoid) from None
        if not np.isfinite(found).any() and not _ways(source, ellipsoid).best_available:
            raise _no_grid(vertical, source, ellipsoid)
        return found

    return Datum(vertical.name, undulation)


@lru_cache(maxsize=8)
def _ways(source: CRS, target: CRS) -> Any:
    """The operations between two systems that PROJ knows, for want of grids or not."""
    from pyproj.transformer import TransformerGroup

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return TransformerGroup(source, target, always_xy=True, allow_ballpark=False)


def _no_grid(vertical: CRS, source: CRS, ellipsoid: CRS) -> DemError:
    from pyproj.datadir import get_user_data_dir  # type: ignore[attr-defined]

    ways = _ways(source, ellipsoid)
    names = sorted({grid.short_name for way in ways.unavailable_operations for grid in way.grids})
    lacking = f"PROJ lacks the grid {' or '.join(names)}" if names else "PROJ knows no way"
    delivered = next((name for name in names if name.endswith(".tif")), None)
    fetched = f"fetch it with `python -m pyproj sync --file {delivered}`, " if delivered else ""
    return DemError(
        f"{lacking} from {vertical.name} to the ellipsoid here",
        where="ingest.level1b.terrain.vertical",
        remedy=f"{fetched}put it into {get_user_data_dir()}, or give a geoid raster",
    )


def _of_raster(url: str) -> Datum:
    """Heights above a geoid whose undulation is a raster in degrees."""
    grid = _read_geoid(url)
    return Datum(f"geoid {url.rsplit('/', 1)[-1]}", grid)


@dataclass(frozen=True, eq=False)
class _Geoid:
    """Undulations (rows, columns) at pixel centres; (column, row) 0 lies at `first`."""

    values: Array
    first: tuple[float, float]
    step: tuple[float, float]

    def __call__(self, lon: Array, lat: Array) -> Array:
        """Bilinear undulation, NaN beyond the raster; it wraps where it goes around the earth."""
        height, width = self.values.shape
        around = abs(abs(width * self.step[0]) - 360) < abs(self.step[0]) / 2
        east = (lon - self.first[0] + 180.0 * (not around)) % 360.0 - 180.0 * (not around)
        x, y = east / self.step[0], (lat - self.first[1]) / self.step[1]
        column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        row = np.where(y == height - 1, height - 2, row)
        inside = (row >= 0) & (row < height - 1)
        if not around:
            column = np.where(x == width - 1, width - 2, column)
            inside &= (column >= 0) & (column < width - 1)
        u, v = x - column, y - row
        row = np.clip(row, 0, height - 2)
        left, right = column % width, (column + 1) % width
        top = self.values[row, left] * (1 - u) + self.values[row, right] * u
        low = self.values[row + 1, left] * (1 - u) + self.values[row + 1, right] * u
        return np.where(inside, top * (1 - v) + low * v, np.nan)

    def jump(self, lon: Array, lat: Array) -> float | None:
        """The largest change (m) between pixels beside each other under an area, if no geoid is as
        steep.
        """
        height, width = self.values.shape
        x = (float(lon.flat[0]) - self.first[0] + 180.0) % 360.0 - 180.0 + lon - lon.flat[0]
        column, row = x / self.step[0], (lat - self.first[1]) / self.step[1]
        columns, rows = (
            np.clip(np.arange(math.floor(one.min()), math.ceil(one.max()) + 1), 0, size - 1)
            for one, size in ((column, width), (row, height))
        )
        part = self.values[np.ix_(np.unique(rows), np.unique(columns))]
        north, east = (abs(one) * METRES_PER_DEGREE for one in (self.step[1], self.step[0]))
        found = None
        for axis, metres in ((0, north), (1, east)):
            change = np.abs(np.diff(part, axis=axis))
            most = float(np.nanmax(change, initial=0.0))
            if most > _ROUGH + _STEEP * metres:
                found = max(most, found or 0.0)
        return found


_DRIVERS = {".gtx": "GTX", ".tif": "GTiff", ".tiff": "GTiff"}


def _read_geoid(url: str) -> _Geoid:
    from rasterio.errors import RasterioError

    driver = _DRIVERS.get(f".{url.lower().rpartition('.')[2]}")
    problem = f"its name ends with none of {', '.join(_DRIVERS)}"
    if driver is not None:
        with storage.open_local(url) as path:
            try:
                with raster_files.open_plain(path, driver) as raster:
                    values: Any = raster.read(1, masked=True).astype(np.float64).filled(np.nan)
                    values = values * raster.scales[0] + raster.offsets[0]
                    crs, to_map = raster.crs, raster.transform
                    problem = "" if crs is not None and crs.is_geographic else "not in degrees"
                    problem = "it is rotated" if (to_map.b, to_map.d) != (0, 0) else problem
            except (RasterioError, ValueError) as error:
                problem = f"it cannot be read ({str(error).splitlines()[0]})"
    if problem:
        raise DemError(
            f"no geoid raster: {problem}", where=url, remedy=f"give one in degrees; or {_REMEDY}"
        )
    first = to_map.c + to_map.a / 2, to_map.f + to_map.e / 2
    return _Geoid(values, first, (to_map.a, to_map.e))
