"""Elevation, slope and aspect of windows, from an elevation raster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import SampleError
from cpazmal_scale.grid import projections, raster_files
from cpazmal_scale.grid.cf import Middle, middle
from cpazmal_scale.storage import seal

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from cpazmal_scale.grid.edges import PixelEdges

_NAMES = "elevation", "slope", "aspect"
ELLIPSOID, UNSTATED = "WGS84 ellipsoid", "not stated"
"""What heights are above: those of a cube's layer, and those of a raster that does not say it."""
_TILE = 512
"""Edge of the regions read at once."""


def terrain(
    dem: str | None, grid: PixelEdges, y0: NDArray[np.int64], x0: NDArray[np.int64], size: int
) -> dict[str, NDArray[np.float64]]:
    """Mean elevation, slope and aspect of windows of a cube.

    The raster is brought onto the cube's pixels (bilinear). Slope and aspect are those of the mean
    gradient over the window and a pixel around it, on the ground: neither the scale of a projection
    nor the way in which its columns run counts.

    Args:
        dem: single-band raster in metres on any fsspec URL and in any CRS; none: nothing is known.
        grid: the cube's pixels.
        y0: (N) row of each window's top-left pixel.
        x0: (N) column of it.
        size: edge of the windows in pixels.

    Returns:
        (N) `elevation` in metres, `slope` in degrees from the horizontal, `aspect` in degrees
        clockwise from north, down the slope; NaN outside the raster.

    Raises:
        SampleError: the raster cannot be read or has no CRS, or covers no window.
        StoreMissing: it is not there.
    """
    found = np.full((3, len(y0)), np.nan)
    if dem is not None and len(y0):
        with storage.open_local(dem) as path:
            _fill(found, str(path), dem, grid, np.stack([y0, x0], 1), size)
        if not np.isfinite(found[0]).any():
            raise SampleError(
                "the elevation raster covers no window",
                where=dem,
                remedy="check its CRS and extent, or leave out samples.dem",
            )
    return dict(zip(_NAMES, found, strict=True))


def datum_of_raster(dem: str) -> str:
    """What an elevation raster's reference system says that its heights are above.

    Raises:
        SampleError: it cannot be read.
        StoreMissing: it is not there.
    """
    with storage.open_local(dem) as path, _opened(str(path), dem) as source:
        if source.crs is None:
            return UNSTATED
        crs = projections.of_raster(source.crs)
    if crs.is_compound:
        return str(crs.sub_crs_list[1].name)
    return ELLIPSOID if len(crs.axis_info) == 3 else UNSTATED


def _fill(
    found: NDArray[np.float64],
    path: str,
    dem: str,
    grid: PixelEdges,
    corners: NDArray[np.int64],
    size: int,
) -> None:
    from affine import Affine
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    transform = Affine(grid.dx, 0, grid.left, 0, grid.dy, grid.top)
    with _opened(path, dem) as source:
        if source.crs is None:
            raise SampleError("no CRS", where=dem, remedy="save it with its reference system")
        wrong = raster_files.heights_problem(source)
        if wrong:
            raise SampleError(wrong[0], where=dem, remedy=wrong[1])
        scale, offset = float(source.scales[0]), float(source.offsets[0])
        # Pixels around the cube are part of the grid, so that windows at its rim have gradients.
        onto = {
            "crs": grid.crs,
            "transform": transform * Affine.translation(-1, -1),
            "width": grid.width + 2,
            "height": grid.height + 2,
        }
        with WarpedVRT(
            source, resampling=Resampling.bilinear, nodata=np.nan, dtype="float32", **onto
        ) as warped:
            tiles = corners // _TILE
            for tile in np.unique(tiles, axis=0):
                rows = np.flatnonzero((tiles == tile).all(1))
                low = corners[rows].min(0)
                high = corners[rows].max(0) + size + 2
                heights = warped.read(
                    1, window=((int(low[0]), int(high[0])), (int(low[1]), int(high[1])))
                ).astype(np.float64)
                heights = heights * scale + offset
                pixel = _beside(grid, corners[rows])
                found[:, rows] = _of_windows(heights, corners[rows] - low, size, pixel)


def terrain_of_layer(
    layer: xr.DataArray,
    grid: PixelEdges,
    y0: NDArray[np.int64],
    x0: NDArray[np.int64],
    size: int,
) -> dict[str, NDArray[np.float64]]:
    """The same from a cube's own heights (y, x), which are above the ellipsoid; see `terrain`.

    Beyond its rim the ground goes straight on.
    """
    found = np.full((3, len(y0)), np.nan)
    corners = np.stack([y0, x0], 1)
    tiles = corners // _TILE
    for tile in np.unique(tiles, axis=0):
        rows = np.flatnonzero((tiles == tile).all(1))
        low, high = corners[rows].min(0) - 1, corners[rows].max(0) + size + 1
        inside = [slice(max(0, a), b) for a, b in zip(low, high, strict=True)]
        heights = layer[inside[0], inside[1]].to_numpy().astype(np.float64)
        beyond = [
            (int(part.start - a), int(b - part.start - edge))
            for part, a, b, edge in zip(inside, low, high, heights.shape, strict=True)
        ]
        heights = np.pad(heights, beyond, mode="reflect", reflect_type="odd")
        pixel = _beside(grid, corners[rows])
        found[:, rows] = _of_windows(heights, corners[rows] - low - 1, size, pixel)
    return dict(zip(_NAMES, found, strict=True))


@contextlib.contextmanager
def _opened(path: str, dem: str) -> Iterator[Any]:
    """The elevation raster, opened with the driver that its suffix names.

    Raises:
        SampleError: it is none, damaged, or refers to other files.
    """
    suffix = PurePosixPath(path).suffix.lower()
    remedy = "give a GeoTIFF of elevations"
    if suffix not in raster_files.ELEVATIONS:
        raise SampleError(f"files of `{suffix}` are not read", where=dem, remedy=remedy)
    opening = raster_files.open_plain(Path(path), raster_files.ELEVATIONS[suffix])
    with (
        seal.parsing("not a raster that can be read", dem, remedy, SampleError),
        contextlib.ExitStack() as stack,
    ):
        try:
            source = stack.enter_context(opening)
        except ValueError as error:
            raise SampleError(str(error), where=dem, remedy=remedy) from None
        yield source


def _of_windows(
    heights: NDArray[np.float64], corners: NDArray[np.int64], size: int, pixel: Middle
) -> NDArray[np.float64]:
    """Elevation, slope and aspect (3, n) of windows whose corners lie one pixel inside."""
    up = (heights[:-2, 1:-1] - heights[2:, 1:-1]) / (2 * pixel.tall)
    right = (heights[1:-1, 2:] - heights[1:-1, :-2]) / (2 * pixel.wide)
    y, x = corners[:, 0, None, None], corners[:, 1, None, None]
    ys, xs = y + np.arange(size)[:, None], x + np.arange(size)
    elevation, up, right = (
        values[ys, xs].mean((1, 2)) for values in (heights[1:-1, 1:-1], up, right)
    )
    slope = np.degrees(np.arctan(np.hypot(up, right)))
    aspect = (np.degrees(np.arctan2(-right, -up)) + pixel.azimuth) % 360
    return np.stack([elevation, slope, aspect])


def _beside(grid: PixelEdges, corners: NDArray[np.int64]) -> Middle:
    """A pixel amid some corners, up being the way in which y grows.

    Sizes are below 0 where rows run north or columns west.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    row, column = corners.mean(axis=0)
    wide, tall = abs(grid.dx), abs(grid.dy)
    x, y = grid.left + column * grid.dx, grid.top + row * grid.dy
    place = Affine(wide, 0, x - wide / 2, 0, -tall, y + tall / 2)
    found = middle(GeoBox((1, 1), place, grid.crs.to_wkt()))
    return found._replace(
        tall=float(np.copysign(found.tall, -grid.dy)), wide=float(np.copysign(found.wide, grid.dx))
    )
