"""Rasters on another grid, resampled by rows.

The nearest pixel keeps the statistics of speckle on every date, the mean over area keeps sums and
smooths: at a shift of half a pixel four pixels are averaged, at none a single one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cpazmal_scale.grid import lattice

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

Method = Literal["nearest", "average"]

MARGIN = 2
"""Pixels read around what a strip needs."""
LEAST_COVERED = 0.5
"""Share of a pixel's area that must hold data; less is no data, so that gaps keep their size."""
TOLERANCE = 0.02
"""Error in pixels allowed when positions between exactly transformed ones are interpolated."""
NODES = 32
"""Pixels between exactly transformed positions, counted from the origin of the grid's CRS, so that
strips of one grid get the same positions."""
_HALF = 1e-6
"""Pixels by which positions are moved, so that rounding does not decide between two neighbours."""


def method(geobox: GeoBox, grid: GeoBox, how: Method = "nearest") -> str:
    """How a raster is brought onto a grid, in words; empty when they share pixels."""
    if lattice.difference(geobox, grid) is None:
        return ""
    pixel = geobox.transform
    crs = geobox.crs.to_epsg() if geobox.crs is not None else None
    name = "another CRS" if crs is None else f"EPSG:{crs}"
    words = "nearest pixel" if how == "nearest" else "area mean"
    return f"{words} of {name} {pixel.a:.8g} x {-pixel.e:.8g}"


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

    `values` have the shape of `source`, NaN for no data; outside of it there is none.

    Returns:
        Float32 of `strip`'s shape; NaN where data cover less than `LEAST_COVERED` of the pixel.
    """
    values, source = _surrounded(values, source, strip)
    valid = ~np.isnan(values)
    mean = _warp(values, source, strip, "average", np.nan)
    covered = _warp(valid.astype(np.float32), source, strip, "average", None)
    mean[covered < LEAST_COVERED] = np.nan
    return mean


def _surrounded(
    values: NDArray[np.float32], source: GeoBox, strip: GeoBox
) -> tuple[NDArray[np.float32], GeoBox]:
    """The raster with a rim of no data as wide as a pixel of `strip`.

    GDAL weighs a pixel that lies partly outside a raster by the part inside alone.
    """
    top, left, bottom, right = lattice.extent(strip, source, where="a strip of the grid")
    height, width = strip.shape
    rim = MARGIN + math.ceil(max((bottom - top) / height, (right - left) / width))
    return np.pad(values, rim, constant_values=np.nan), source.pad(rim)


def nearest(
    layers: NDArray[Any], source: GeoBox, strip: GeoBox, *, outside: float = 0
) -> NDArray[Any]:
    """The pixel of the source in which the centre of every pixel of `strip` lies.

    Args:
        layers: (…, h, w) of the shape of `source`, any type.
        source: where they lie.
        strip: the pixels wanted.
        outside: value where the centre lies outside the source.

    Returns:
        (…, H, W) of the same type.
    """
    rows, columns = _positions(source, strip)
    inside = (rows >= 0) & (rows < source.shape[0]) & (columns >= 0) & (columns < source.shape[1])
    height, width = source.shape
    found = layers[..., rows.clip(0, height - 1), columns.clip(0, width - 1)]
    found[..., ~inside] = outside
    return found


def _positions(source: GeoBox, strip: GeoBox) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column of the source, (H, W) or as axes of it, for the centre of every pixel."""
    height, width = strip.shape
    step, own = strip.transform, source.transform
    if source.crs == strip.crs:
        x = step.c + step.a * (np.arange(width, dtype=np.float64) + 0.5)
        y = step.f + step.e * (np.arange(height, dtype=np.float64) + 0.5)
        return _cells((y - own.f) / own.e)[:, None], _cells((x - own.c) / own.a)[None, :]
    # Pixels are counted from the origin of the CRS: any strip of a grid finds the same nodes.
    first = math.floor(step.f / step.e + _HALF), math.floor(step.c / step.a + _HALF)
    shift = step.f - first[0] * step.e, step.c - first[1] * step.a
    ys, xs = (_nodes(start, size) for start, size in zip(first, (height, width), strict=True))
    down, across = _through(
        (shift[0] + step.e * (ys + 0.5), shift[1] + step.a * (xs + 0.5)), strip, source
    )
    places = [
        _between(nodes, first[0] + np.arange(height), first[1] + np.arange(width), ys, xs)
        for nodes in ((down - own.f) / own.e, (across - own.c) / own.a)
    ]
    return _cells(places[0]), _cells(places[1])


def _nodes(first: int, size: int) -> NDArray[np.int64]:
    """Multiples of `NODES` that enclose `size` pixels from `first`."""
    return np.arange(first // NODES, (first + size) // NODES + 2) * NODES


def method_of(words: str) -> Method:
    """The method that words of `method` tell."""
    return "average" if "area mean" in words else "nearest"


def _through(
    axes: tuple[NDArray[np.floating], NDArray[np.floating]], strip: GeoBox, source: GeoBox
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Northing and easting in the source's CRS of the nodes of a lattice."""
    from rasterio.warp import transform

    y, x = (one.ravel() for one in np.meshgrid(*axes, indexing="ij"))
    east, north = transform(str(strip.crs), str(source.crs), x, y)
    shape = axes[0].size, axes[1].size
    return np.array(north).reshape(shape), np.array(east).reshape(shape)


def _between(
    nodes: NDArray[np.float64],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    ys: NDArray[np.int64],
    xs: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Positions of all pixels, bilinear between the nodes around them."""
    i, j = (rows - ys[0]) // NODES, (columns - xs[0]) // NODES
    v, u = (rows - ys[i]) / NODES, (columns - xs[j]) / NODES
    left = nodes[:, j] * (1 - u) + nodes[:, j + 1] * u
    places: NDArray[np.float64] = left[i] * (1 - v)[:, None] + left[i + 1] * v[:, None]
    return places


def _cells(places: NDArray[np.floating]) -> NDArray[np.intp]:
    cells: NDArray[np.intp] = np.floor(places + _HALF).astype(np.intp)
    return cells


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
