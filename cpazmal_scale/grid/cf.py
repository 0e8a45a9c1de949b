"""A grid and its description in files: `GeoBox` here, attributes of a CF grid mapping there."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import xarray as xr
    from odc.geo.geobox import GeoBox


def to_attributes(grid: GeoBox) -> dict[str, Any]:
    """CF grid-mapping attributes with the exact affine transform, as rioxarray writes them."""
    import pyproj

    crs = pyproj.CRS.from_user_input(str(grid.crs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of what only the WKT can say
        told = crs.to_cf()
    attributes = {name: value for name, value in told.items() if value is not None}
    return {
        **attributes,
        "spatial_ref": attributes["crs_wkt"],
        "GeoTransform": " ".join(repr(float(part)) for part in grid.transform.to_gdal()),
    }


def from_attributes(attributes: Mapping[str, Any], shape: tuple[int, int]) -> GeoBox:
    """The grid of `shape` (rows, columns) that grid-mapping attributes describe.

    Raises:
        KeyError: `crs_wkt` or `GeoTransform` is missing.
        ValueError: the transform is not six numbers.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    numbers = [float(part) for part in str(attributes["GeoTransform"]).split()]
    if len(numbers) != 6:
        raise ValueError(f"GeoTransform has {len(numbers)} numbers instead of six")
    return GeoBox(shape, Affine.from_gdal(*numbers), str(attributes["crs_wkt"]))


def grid_of(data: xr.Dataset) -> GeoBox:
    """The grid of an open cube or map.

    Raises:
        KeyError: it has no `spatial_ref` with a transform.
    """
    shape = (int(data.sizes["y"]), int(data.sizes["x"]))
    return from_attributes(data["spatial_ref"].attrs, shape)


class Middle(NamedTuple):
    """The pixel at the centre of a grid, on the ground."""

    tall: float
    """Its height in metres."""
    wide: float
    """Its width in metres."""
    azimuth: float
    """Degrees clockwise from north in which its column leads up."""


def metres(grid: GeoBox) -> tuple[float, float]:
    """Height and width on the ground of the pixel at the centre of a grid, in metres."""
    return middle(grid)[:2]


def middle(grid: GeoBox) -> Middle:
    """The pixel at the centre of a grid, by geodesics on the ellipsoid of its datum.

    Up is north in geographic grids alone: in others it is off by the convergence of meridians,
    some degrees in UTM and any angle in polar projections. Where nothing says how the grid lies on
    the earth, sizes are those of its own unit and up is north.
    """
    import pyproj

    crs = pyproj.CRS.from_user_input(str(grid.crs))
    base = crs.source_crs if crs.is_derived else crs.geodetic_crs
    row, column = (count / 2 for count in grid.shape)
    right, down = np.array([-0.5, 0.5, 0, 0]) + column, np.array([0, 0, 0.5, -0.5]) + row
    matrix = grid.transform
    x = matrix.a * right + matrix.b * down + matrix.c
    y = matrix.d * right + matrix.e * down + matrix.f
    if base is not None:
        x, y = pyproj.Transformer.from_crs(crs, base, always_xy=True).transform(x, y)
        degrees = math.degrees(base.axis_info[0].unit_conversion_factor)
        x, y = np.asarray(x) * degrees, np.asarray(y) * degrees
    if base is None or not np.isfinite([x, y]).all():
        unit = float(crs.axis_info[0].unit_conversion_factor)
        return Middle(abs(float(matrix.e)) * unit, abs(float(matrix.a)) * unit, 0.0)
    geod: Any = base.get_geod() or pyproj.Geod(ellps="WGS84")
    azimuths, _, (wide, tall) = geod.inv(x[::2], y[::2], x[1::2], y[1::2])
    return Middle(float(tall), float(wide), float(azimuths[1]))
