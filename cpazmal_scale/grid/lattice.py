"""Pixel lattices: presets, when two grids share one, where one lies in another, their union."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpazmal_scale.errors import GridMismatch

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

AUTHORS_PIXEL = 2.69494585e-5
"""Edge in degrees of a pixel of the published CPAZMaL dataset, on WGS84."""

TOLERANCE = 0.05
"""Largest distance in pixels between corners that count as the same."""


@dataclass(frozen=True)
class Preset:
    """A CRS and a square pixel in its units."""

    crs: str
    pixel: float


PRESETS = {
    "utm32n-3m": Preset("EPSG:32632", 3.0),
    "cpazmal": Preset("EPSG:4326", AUTHORS_PIXEL),
}
"""UTM zone 32 north at 3 m, and the WGS84 grid of the published CPAZMaL dataset."""


def snapped(bounds: tuple[float, float, float, float], preset: Preset) -> GeoBox:
    """The smallest grid that covers (left, bottom, right, top), edges at multiples of the pixel."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    left, bottom = (math.floor(round(edge / preset.pixel, 6)) for edge in bounds[:2])
    right, top = (math.ceil(round(edge / preset.pixel, 6)) for edge in bounds[2:])
    step = preset.pixel
    transform = Affine(step, 0, left * step, 0, -step, top * step)
    return GeoBox((top - bottom, right - left), transform, preset.crs)


def aligned(bounds: tuple[float, float, float, float], grid: GeoBox) -> GeoBox:
    """The smallest part of a grid's lattice that covers (left, bottom, right, top)."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    step = grid.transform
    left, right = ((edge - step.c) / step.a for edge in (bounds[0], bounds[2]))
    bottom, top = ((edge - step.f) / step.e for edge in (bounds[1], bounds[3]))
    first = math.floor(round(top, 6)), math.floor(round(left, 6))
    last = math.ceil(round(bottom, 6)), math.ceil(round(right, 6))
    origin = step.c + first[1] * step.a, step.f + first[0] * step.e
    transform = Affine(step.a, 0, origin[0], 0, step.e, origin[1])
    return GeoBox((last[0] - first[0], last[1] - first[1]), transform, grid.crs)


def difference(geobox: GeoBox, grid: GeoBox) -> str | None:
    """Readable difference between two pixel lattices; None when they are the same.

    They are when the CRS are equal and both corners of `geobox` fall on pixel corners of `grid`
    to `TOLERANCE`.
    """
    if geobox.crs != grid.crs:
        return f"CRS is {geobox.crs}, the grid's is {grid.crs}"
    height, width = geobox.shape
    mine, theirs = geobox.transform, grid.transform
    first = (mine.c - theirs.c) / theirs.a, (mine.f - theirs.f) / theirs.e
    last = first[0] + width * mine.a / theirs.a, first[1] + height * mine.e / theirs.e
    if max(abs(last[0] - first[0] - width), abs(last[1] - first[1] - height)) > TOLERANCE:
        return (
            f"pixel is {mine.a:.12g} x {-mine.e:.12g}, the grid's is "
            f"{theirs.a:.12g} x {-theirs.e:.12g} ({geobox.crs})"
        )
    shift = [part - round(part) for part in first]
    if max(map(abs, shift)) > TOLERANCE:
        return f"pixels are shifted by {shift[0]:+.2f} columns and {shift[1]:+.2f} rows"
    return None


def offset(geobox: GeoBox, grid: GeoBox, *, where: object) -> tuple[int, int]:
    """Row and column in `grid` of the first pixel of `geobox`.

    Raises:
        GridMismatch: the two do not share CRS and pixel lattice.
    """
    problem = difference(geobox, grid)
    if problem is not None:
        raise GridMismatch(
            problem, where=where, remedy="set ingest.resample, or warp it onto that grid first"
        )
    mine, theirs = geobox.transform, grid.transform
    return round((mine.f - theirs.f) / theirs.e), round((mine.c - theirs.c) / theirs.a)


def extent(geobox: GeoBox, grid: GeoBox, *, where: object) -> tuple[int, int, int, int]:
    """Rows and columns of `grid` that `geobox` touches: top, left, bottom, right (excluded).

    They may lie outside the grid; CRS and lattice may differ.

    Raises:
        GridMismatch: the footprint has no place in the grid's CRS.
    """
    if difference(geobox, grid) is None:
        row, column = offset(geobox, grid, where=where)
        return row, column, row + geobox.shape[0], column + geobox.shape[1]
    left, bottom, right, top = bounds_in(geobox, str(grid.crs), where=where)
    start = grid.transform
    return (
        math.floor((top - start.f) / start.e),
        math.floor((left - start.c) / start.a),
        math.ceil((bottom - start.f) / start.e),
        math.ceil((right - start.c) / start.a),
    )


def bounds_in(geobox: GeoBox, crs: str, *, where: object) -> tuple[float, float, float, float]:
    """Left, bottom, right, top of a footprint in another CRS.

    Raises:
        GridMismatch: it has no place there.
    """
    from rasterio.errors import RasterioError
    from rasterio.warp import transform_bounds

    try:
        found = transform_bounds(str(geobox.crs), crs, *geobox.boundingbox.bbox, densify_pts=21)
    except RasterioError:
        found = (math.inf,) * 4
    if not all(map(math.isfinite, found)):
        raise GridMismatch(
            f"its footprint has no place in {crs}", where=where, remedy="choose another grid"
        )
    left, bottom, right, top = map(float, found)
    return left, bottom, right, top


def union(geoboxes: Iterable[tuple[str, GeoBox]], *, resample: bool = False) -> GeoBox:
    """The smallest grid on the first lattice that covers all of the named ones.

    Raises:
        GridMismatch: naming the first that does not share the lattice, unless `resample` is set.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    named = list(geoboxes)
    first = named[0][1]
    boxes = []
    for name, geobox in named:
        if not resample:
            offset(geobox, first, where=name)
        boxes.append(extent(geobox, first, where=name))
    top, left = min(box[0] for box in boxes), min(box[1] for box in boxes)
    bottom, right = max(box[2] for box in boxes), max(box[3] for box in boxes)
    start = first.transform
    transform = Affine(start.a, 0, start.c + left * start.a, 0, start.e, start.f + top * start.e)
    return GeoBox((bottom - top, right - left), transform, first.crs)
