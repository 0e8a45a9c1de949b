"""A map 40 km wide at 60° N: nothing is missing inside, and a cliff beside it darkens it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from support.ground import write_dem

from cpazmal_scale.execute import SerialExecutor
from cpazmal_scale.terrain.elevation import Dem
from cpazmal_scale.terrain.ellipsoid import ecef, normal
from cpazmal_scale.terrain.ground import plan_ground
from cpazmal_scale.terrain.layers import compute, read_layer
from cpazmal_scale.terrain.orbit import Orbit

CRS, LEFT, TOP, PIXEL = "EPSG:32632", 480_000.0, 6_651_000.0, 5.0
SHAPE = 32, 8_000
RADIUS, SPEED, ANGLE = 6_883_000.0, 7_600.0, 37.0


def orbit() -> Orbit:
    """A circle that sees the middle of the map from the east."""
    lon, lat = np.array([9.0]), np.array([60.0])
    ground, up = ecef(lon, lat, 500.0)[0], normal(lon, lat)[0]
    east = np.cross([0.0, 0.0, 1.0], up)
    sight = np.cos(np.radians(ANGLE)) * up
    sight += np.sin(np.radians(ANGLE)) * east / np.linalg.norm(east)
    along = float(ground @ sight)
    first = ground + (np.sqrt(along**2 + RADIUS**2 - ground @ ground) - along) * sight
    first /= RADIUS
    second = -np.cross(first, sight)
    second /= np.linalg.norm(second)
    seconds = np.arange(-60.0, 61.0, 10.0)
    turn = SPEED / RADIUS * seconds[:, None]
    position = RADIUS * (np.cos(turn) * first + np.sin(turn) * second)
    return Orbit(seconds, position, SPEED * (np.cos(turn) * second - np.sin(turn) * first))


@pytest.mark.parametrize("cliff", [0.0, 1500.0])
def test_a_wide_row_is_whole_and_a_cliff_beside_it_darkens_it(tmp_path: Path, cliff: float) -> None:
    grid = GeoBox(SHAPE, Affine(PIXEL, 0, LEFT, 0, -PIXEL, TOP), CRS)
    east = LEFT + SHAPE[1] * PIXEL
    step, around = 20.0, 6_000.0
    x = LEFT - around + (np.arange(int((east - LEFT + 2 * around) / step)) + 0.5) * step
    y = TOP + around - (np.arange(int(2 * around / step)) + 0.5) * step
    heights = 500 + 150 * np.sin(x / 900)[None, :] * np.cos(y / 700)[:, None]
    heights[:, (x > east + 100) & (x < east + 160)] += cliff
    profile = {"crs": CRS, "dtype": "float64"}
    path = write_dem(tmp_path / "d.tif", heights, LEFT - around, TOP + around, step, **profile)
    made = plan_ground(
        str(tmp_path / "g"),
        Dem(str(path), "ellipsoid"),
        grid,
        orbit(),
        first=0.0,
        side=0,
        reference=500.0,
    )
    compute(made, SerialExecutor())
    whole = slice(0, SHAPE[0]), slice(0, SHAPE[1])
    ratio = read_layer(made.url, grid, *whole, "area_ratio")
    mask = read_layer(made.url, grid, *whole, "terrain_mask")
    assert np.isfinite(read_layer(made.url, grid, *whole, "elevation")).all()
    if not cliff:
        assert np.isfinite(ratio).all()
        assert not mask.any()
        return
    # 1500 m hide 1130 m behind them at 37°, from 100 m beside the map on.
    dark = (mask & 2) > 0
    assert dark[:, -190:].mean() > 0.95
    assert np.isnan(ratio[:, -190:]).mean() > 0.95
    assert not dark[:, : -int(1300 / PIXEL)].any()
