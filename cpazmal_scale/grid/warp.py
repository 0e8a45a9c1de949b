"""Rasters on another grid, resampled by rows: power as the mean over area, flags by nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.grid import lattice

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

MARGIN = 2
"""Pixels read around what a strip needs."""
LEAST_COVERED = 0.5
"""Share of a pixel's area that must hold data; less is no data, so that gaps keep their size."""
TOLERANCE = 0.02
"""Error in pixels allowed when positions between exactly transformed ones are interpolated."""


def method(geobox: GeoBox, grid: GeoBox) -> str:
    """How a raster is brought onto a grid, in words; empty when they share pixels."""
    if lattice.difference(geobox, grid) is None:
        return ""
    pixel = geobox.transform
    crs = geobox.crs.to_epsg() if geobox.crs is not None else None
    name = "another CRS" if crs is None else f"EPSG:{crs}"
    return f"area mean of {name} {pixel.a:.8g} x {-pixel.e:.8g}"


def source_window(geobox: GeoBox, strip: GeoBox) -> tuple[slice, slice] | None:
    """Rows and columns of a raster that a strip of the grid needs; None when it needs none."""
    top, left, bottom, right = lattice.extent(strip, geobox, where="a strip of the grid")
    height, width = geobox.shape
    rows = slice(max(0, top - MARGIN), min(height, bottom + MARGIN))
    columns = slice(max(0, left - MARGIN), min(width, right + MARGIN))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    return rows, columns


def area_mean(values: NDArray[np.float32], source: GeoBox, strip: GeoBox) -> NDArray[np.float32]:
    """Mean over the area of every pixel of `strip`, weighted by the overlap with source pixels.

    `values` have the shape of `source`, NaN for no data.

    Returns:
        Float32 of `strip`'s shape; NaN where data cover less than `LEAST_COVERED` of the pixel.
    """
    valid = ~np.isnan(values)
    mean = _warp(values, source, strip, "average", np.nan)
    covered = _warp(valid.astype(np.float32), source, strip, "average", None)
    mean[covered < LEAST_COVERED] = np.nan
    return mean


def nearest(flags: NDArray[np.uint8], source: GeoBox, strip: GeoBox) -> NDArray[np.uint8]:
    """The flags of the nearest source pixel, uint8 of `strip`'s shape; 0 outside the source."""
    return _warp(flags, source, strip, "nearest", None)


def _warp(
    values: NDArray[Any], source: GeoBox, strip: GeoBox, resampling: str, nodata: float | None
) -> NDArray[Any]:
    from rasterio.warp import Resampling, reproject

    out = np.full(strip.shape, 0 if nodata is None else nodata, values.dtype)
    reproject(
        values,
        out,
        src_transform=source.transform,
        src_crs=str(source.crs),
        src_nodata=nodata,
        dst_transform=strip.transform,
        dst_crs=str(strip.crs),
        dst_nodata=nodata,
        resampling=Resampling[resampling],
        tolerance=TOLERANCE,
        init_dest_nodata=nodata is not None,
    )
    return out
