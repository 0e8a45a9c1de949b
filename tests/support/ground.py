"""Ground for tests: elevation rasters, real ones and such of a real product's own heights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from scipy.interpolate import griddata

from cpazmal_scale.scenes.level1b.georef import GeoGrid


def write_dem(
    path: Path, heights: np.ndarray, west: float, north: float, step: float, **profile: Any
) -> Path:
    """A GeoTIFF of heights (rows, columns), by default float32 in degrees of WGS84.

    Pixels are `wide` times (1) as wide as high.
    """
    used = {"crs": "EPSG:4326", "dtype": "float32", **profile}
    wide = used.pop("wide", 1.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=1,
        height=heights.shape[0],
        width=heights.shape[1],
        transform=Affine(wide * step, 0, west, 0, -step, north),
        **used,
    ) as file:
        file.write(heights.astype(used["dtype"]), 1)
    return path


def dem_of_grid(path: Path, grid: GeoGrid, *, step: float = 0.002, **profile: Any) -> Path:
    """The heights of a product's geolocation grid, which are above the ellipsoid, as a raster."""
    assert grid.height is not None
    west, north = float(grid.lon.min()) - 0.05, float(grid.lat.max()) + 0.05
    width, height = (int((np.ptp(one) + 0.1) / step) for one in (grid.lon, grid.lat))
    lon, lat = np.meshgrid(
        west + (np.arange(width) + 0.5) * step, north - (np.arange(height) + 0.5) * step
    )
    points = np.stack([grid.lon.ravel(), grid.lat.ravel()], axis=-1)
    inside, around = (
        griddata(points, grid.height.ravel(), (lon, lat), method=method)
        for method in ("linear", "nearest")
    )
    heights = np.where(np.isnan(inside), around, inside)
    return write_dem(path, heights + profile.pop("add", 0.0), west, north, step, **profile)
