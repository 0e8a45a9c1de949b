"""The DEM of a simulated site: heights above the ellipsoid, and above a geoid of its own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.simulate.radar import earth
from cpazmal_scale.simulate.radar.pixels import heights
from cpazmal_scale.simulate.radar.surface import Surface
from cpazmal_scale.simulate.radar.truth import Frame, write_layer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

GEOID_STEP = 0.05
"""Degrees between nodes of the geoid."""
_AROUND = 4
_LEVEL, _EAST, _NORTH = 51.5, -0.8, 1.7
"""Metres of undulation in the middle, and metres per degree east and north."""


def write_elevation(folder: Path, frame: Frame, surface: Surface) -> None:
    """Write `dem_ellipsoid.tif`, `geoid.tif` and `dem.tif`, whose heights are above that geoid.

    The CRS of `dem.tif` tells nothing of its vertical datum, as of most DEMs that are delivered.
    """
    x, y = np.meshgrid(frame.x, frame.y)
    height = heights(surface, x, y)
    write_layer(folder / "dem_ellipsoid.tif", frame, height.astype(np.float32))
    lon, lat = earth.to_degrees(frame.crs, x, y)
    grid = _geoid_grid(lon, lat)
    write_layer(folder / "geoid.tif", grid, _undulation(grid, *np.meshgrid(grid.x, grid.y)))
    above = height - _undulation(grid, lon, lat)
    write_layer(folder / "dem.tif", frame, above.astype(np.float32))


def _geoid_grid(lon: Array, lat: Array) -> Frame:
    left = (math.floor(float(lon.min()) / GEOID_STEP) - _AROUND) * GEOID_STEP
    top = (math.ceil(float(lat.max()) / GEOID_STEP) + _AROUND) * GEOID_STEP
    across = math.ceil((float(lon.max()) - left) / GEOID_STEP) + _AROUND
    down = math.ceil((top - float(lat.min())) / GEOID_STEP) + _AROUND
    return Frame("EPSG:4326", left, top, GEOID_STEP, down, across)


def _undulation(grid: Frame, lon: Array, lat: Array) -> NDArray[np.float32]:
    """A tilted plane: bilinear interpolation of any grid of it is exact."""
    east, north = lon - float(grid.x.mean()), lat - float(grid.y.mean())
    return (_LEVEL + _EAST * east + _NORTH * north).astype(np.float32)
