"""Coordinate systems: whether this process knows them, what their names say, and heights."""

from __future__ import annotations

import functools
import math
import os
from typing import TYPE_CHECKING, Any

from cpazmal_scale.errors import ConfigError

if TYPE_CHECKING:
    import xarray as xr
    from odc.geo.geobox import GeoBox
    from pyproj import CRS

FARTHEST = 1e9
"""Coordinates are smaller, in any unit of any coordinate system; NaN is not."""
_ROUNDED = 0.1
"""Metres by which the rounded numbers of a text move a place."""
_AXES = 6_378_137.0, 6_356_752.3
"""Semi-axes of WGS84 and GRS80 in metres."""
_VARIABLES = ("PROJ_DATA", "PROJ_LIB")


def check_projections() -> None:
    """Find out at once, not after hours, whether a coordinate system can be looked up.

    Raises:
        ConfigError: it cannot; names the variable that points elsewhere.
    """
    given = [name for name in _VARIABLES if name in os.environ]
    if not given:
        return
    import rasterio
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        with rasterio.Env():  # GDAL's own words go to its log, not to the terminal
            CRS.from_epsg(4326).to_wkt()
    except CRSError:
        raise ConfigError(
            "PROJ finds no usable proj.db there, so that no coordinate system is known",
            where=f"{given[0]}={os.environ[given[0]]}",
            remedy=f"unset {' and '.join(given)}: the installed packages bring their own",
        ) from None


def of_raster(crs: Any) -> CRS:
    """The coordinate system of a raster that GDAL opened, with the heights that it has."""
    from pyproj import CRS

    return CRS.from_wkt(crs.to_wkt(version="WKT2_2019"))


def horizontal(crs: CRS) -> CRS:
    """A coordinate system without its heights."""
    return crs.sub_crs_list[0] if crs.is_compound else crs.to_2d()


def unit_of_heights(crs: CRS) -> str | None:
    """The unit of the heights that a coordinate system has; None where it has none."""
    part = crs.sub_crs_list[-1] if crs.is_compound else crs
    up = [axis for axis in part.axis_info if axis.direction in ("up", "down")]
    return up[-1].unit_name if up and not part.is_geocentric else None


def middle_latitude(grid: GeoBox) -> float:
    """Latitude of the middle of a grid in degrees, south of the equator negative."""
    from pyproj import Transformer

    x, y = grid.transform @ (grid.shape[1] / 2, grid.shape[0] / 2)
    to_degrees = Transformer.from_crs(str(grid.crs), "EPSG:4326", always_xy=True)
    return float(to_degrees.transform(x, y)[1])


def months_behind(cube: xr.Dataset) -> int:
    """Months by which the seasons of a cube lie behind those north of the equator: 0 or 6.

    A dataset without a place is taken to lie north.
    """
    from cpazmal_scale.grid.cf import grid_of

    placed = "spatial_ref" in cube.variables and "GeoTransform" in cube["spatial_ref"].attrs
    return 6 if placed and middle_latitude(grid_of(cube)) < 0 else 0


def off_its_name(crs: CRS, x: float, y: float) -> float:
    """Metres between a place by a coordinate system and by the one that is known by its name.

    0 where both are the same, or none has this name. What a text says of a projection's numbers is
    damaged more easily than seen: the name stays.
    """
    known = _of_name(crs.to_wkt())
    if known is None:
        return 0.0
    mine, theirs = _degrees(crs, x, y), _degrees(known, x, y)
    if not all(map(math.isfinite, (*mine, *theirs))):
        return math.inf
    a, b = crs.ellipsoid, known.ellipsoid
    assert a is not None
    assert b is not None
    east = (mine[0] - theirs[0] + 180) % 360 - 180
    far = math.hypot(east * math.cos(math.radians(theirs[1])), mine[1] - theirs[1])
    far = math.radians(far) * b.semi_major_metre
    far += abs(a.semi_major_metre - b.semi_major_metre)
    far += abs(a.semi_minor_metre - b.semi_minor_metre)
    return far if far > _ROUNDED else 0.0


def of_unknown_place(crs: CRS) -> str | None:
    """The ellipsoid of a coordinate system that PROJ places by taking it for that of WGS84.

    None where its datum is known, or its ellipsoid is that of WGS84 to a metre, as GRS80 is.
    """
    return _unplaced(horizontal(crs).to_wkt())


@functools.lru_cache(maxsize=64)
def _unplaced(wkt: str) -> str | None:
    """See `of_unknown_place`."""
    from pyproj import CRS, Transformer
    from pyproj.exceptions import ProjError

    crs = CRS.from_wkt(wkt)
    try:
        Transformer.from_crs(crs, "EPSG:4326", always_xy=True, allow_ballpark=False)
    except ProjError:
        body = crs.ellipsoid
        axes = (body.semi_major_metre, body.semi_minor_metre) if body else (0.0, 0.0)
        if any(abs(one - own) > 1 for one, own in zip(axes, _AXES, strict=True)):
            return body.name if body else "its ellipsoid"
    return None


@functools.lru_cache(maxsize=64)
def _of_name(wkt: str) -> CRS | None:
    """The coordinate system that has the name of another one, if that is not the same."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    crs = CRS.from_wkt(wkt)
    if crs.is_bound or crs.to_epsg(min_confidence=90) is not None:
        return None
    try:
        known = CRS.from_user_input(crs.name)
    except CRSError:
        return None
    same = known.name == crs.name and known.is_projected == crs.is_projected
    return known if same and known.is_geographic == crs.is_geographic else None


def _degrees(crs: CRS, x: float, y: float) -> tuple[float, float]:
    """Longitude from Greenwich and latitude on a coordinate system's own datum."""
    from pyproj import Transformer

    own = crs.geodetic_crs
    assert own is not None
    if crs.is_geographic:
        east, north = (
            math.degrees(part * crs.axis_info[0].unit_conversion_factor) for part in (x, y)
        )
    else:
        through = Transformer.from_crs(crs, own, always_xy=True)
        unit = own.axis_info[0].unit_conversion_factor
        east, north = (math.degrees(part * unit) for part in through.transform(x, y))
    meridian = own.prime_meridian
    return east + (meridian.longitude if meridian else 0.0), north
