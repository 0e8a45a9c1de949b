"""The grid of a raster, by what its file says of it; contradictions are refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cpazmal_scale.errors import SceneUnreadable
from cpazmal_scale.grid import projections
from cpazmal_scale.grid.raster_files import misplaced

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

TURNED = 0.01
"""Pixels by which a rotation may move the corners of a raster: what rounding leaves."""


def geobox_of(raster: Any, url: str) -> GeoBox:
    """The grid of an open raster.

    Raises:
        SceneUnreadable: it has no CRS, is rotated, or lies nowhere.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    to_map = raster.transform
    if to_map.is_identity and (instead := _instead_of_a_grid(raster)):
        raise SceneUnreadable(
            f"it has {instead} and no grid: it is in radar geometry",
            where=url,
            remedy="correct its terrain first (SNAP's Range-Doppler Terrain Correction)",
        )
    if raster.crs is None or to_map.is_identity:
        raise SceneUnreadable(
            "it has no coordinate reference system",
            where=url,
            remedy="give it one with `gdal_edit.py -a_srs … -a_ullr …`",
        )
    height, width = raster.shape
    lean = abs(to_map.b) * height > TURNED * abs(to_map.a)
    lean |= abs(to_map.d) * width > TURNED * abs(to_map.e)
    if lean or to_map.a <= 0 or to_map.e >= 0:
        raise SceneUnreadable(
            "its grid is rotated or south-up", where=url, remedy="warp it north-up with gdalwarp"
        )
    straight = Affine(to_map.a, 0, to_map.c, 0, to_map.e, to_map.f)
    crs = _without_heights(raster.crs)
    if not _is_place(straight, raster.shape, crs):
        raise SceneUnreadable(
            f"its grid begins at {to_map.c:g}, {to_map.f:g} with pixels of {to_map.a:g} in "
            f"{_crs_name(crs)[:60]}, which is no place on Earth",
            where=url,
            remedy="copy the file again from its source, or give it the right reference system",
        )
    wrong = misplaced(raster)
    if wrong:
        raise SceneUnreadable(
            wrong,
            where=url,
            remedy="copy the file again from its source, or give it the right reference system",
        )
    body = projections.of_unknown_place(projections.of_raster(crs))
    if body:
        raise SceneUnreadable(
            f"its reference system does not say how {body} lies to WGS84",
            where=url,
            remedy="give it a reference system with a datum, such as by an EPSG code",
        )
    return GeoBox(raster.shape, straight, _crs_name(crs))


def _instead_of_a_grid(raster: Any) -> str:
    """What tells the places of pixels that lie on no grid; empty: nothing does."""
    if raster.gcps[0]:
        return "ground control points"
    if raster.rpcs is not None:
        return "rational polynomials (RPC)"
    return "arrays of places (geolocation)" if raster.tags(ns="GEOLOCATION") else ""


def _is_place(to_map: Any, shape: tuple[int, int], crs: Any) -> bool:
    """Whether a grid lies on Earth, with pixels of a millimetre to 100 km.

    Longitudes are counted from -180 or from 0 degrees, and may go on across the end.
    """
    from rasterio.errors import RasterioError
    from rasterio.warp import transform_bounds

    numbers = to_map.to_gdal()
    if not all(abs(number) < projections.FARTHEST for number in numbers):
        return False
    if not (crs.is_geographic or crs.is_projected):
        return False
    least, most = (1e-8, 1.0) if crs.is_geographic else (1e-3, 1e5)
    if not least <= min(to_map.a, -to_map.e) <= max(to_map.a, -to_map.e) <= most:
        return False
    left, top = to_map.c, to_map.f
    right, bottom = left + shape[1] * to_map.a, top + shape[0] * to_map.e
    if crs.is_geographic:
        return bool(-181 < left < right < 541 and -91 < bottom < top < 91)
    try:
        found = transform_bounds(crs, "EPSG:4326", left, bottom, right, top)
    except RasterioError:
        return False
    return all(map(math.isfinite, found))


def _crs_name(crs: Any) -> str:
    """The EPSG code where the CRS is one under another name, as in SNAP's headers; else its WKT.

    Rasters are stored east first, in which CRS84 and EPSG:4326 are the same.
    """
    code = crs.to_epsg(confidence_threshold=90)
    name = str(crs) if code is None else f"EPSG:{code}"
    return "EPSG:4326" if name == "OGC:CRS84" else name


def _without_heights(crs: Any) -> Any:
    """The CRS of a raster's pixels: heights that it has besides say nothing of where they are."""
    from rasterio.crs import CRS

    known = projections.of_raster(crs)
    if projections.unit_of_heights(known) is None:
        return crs
    return CRS.from_wkt(projections.horizontal(known).to_wkt())
