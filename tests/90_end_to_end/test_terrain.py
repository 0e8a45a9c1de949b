"""From delivered products and a DEM to flattened backscatter: the truth comes back.

Products and truth are of the simulated radar, which shares nothing with the processor; everything
in between is done by the command line.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
import yaml
from pyproj import Transformer
from scipy.ndimage import binary_dilation

from cpazmal_scale.cube import open_cube
from cpazmal_scale.simulate.radar.cases import CASES, simulate_case

SIZE, DATES = 1_000.0, 3
LAYOVER, SHADOW, NO_DEM = 1, 2, 4
EDGES = (15, 30, 40, 50, 60, 75)


@dataclass(frozen=True)
class Trip:
    """A cube, and the truth on its pixels."""

    cube: xr.Dataset
    gamma: np.ndarray
    truth: dict[str, np.ndarray]
    reflectors: np.ndarray


def on_pixels(path: Path, cube: xr.Dataset) -> np.ndarray:
    """A truth layer at the cube's pixel centres, which are its own; NaN beyond its edge."""
    with rasterio.open(path) as raster:
        values = raster.read(1).astype(float)
        if raster.nodata is not None:
            values[values == raster.nodata] = np.nan
        x, y = np.meshgrid(cube.x.values, cube.y.values)
        columns, rows = ~raster.transform * (x, y)
        np.testing.assert_allclose(columns % 1, 0.5, atol=1e-6)
        rows, columns = (np.floor(part).astype(int) for part in (rows, columns))
    inside = (rows >= 0) & (rows < values.shape[0]) & (columns >= 0) & (columns < values.shape[1])
    found = np.full(inside.shape, np.nan)
    found[inside] = values[rows[inside], columns[inside]]
    return found


@pytest.fixture(scope="module")
def trip(tmp_path_factory: pytest.TempPathFactory) -> Trip:
    home = tmp_path_factory.mktemp("terrain")
    simulate_case(home, CASES["DSC-R"], size=SIZE, dates=DATES, seed=42)
    rules = {
        "scenes": str(home / "scenes"),
        "grid": "utm32n-3m",
        "level1b": {
            "radiometry": "gamma0_T",
            "terrain": {"dem": str(home / "dem.tif"), "vertical": str(home / "geoid.tif")},
        },
    }
    run = home / "run.yaml"
    run.write_text(yaml.safe_dump({"workspace": str(home / "run"), "ingest": rules}))
    command = [str(Path(sys.executable).with_name("cpazmal")), "ingest", "--config", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = (home / "run" / "cubes").glob("*.zarr")
    cube = open_cube(str(path)).load()
    truth = {
        name: on_pixels(home / "truth" / f"{name}.tif", cube)
        for name in ("mask", "local_incidence", "area_ratio")
    }
    dated = sorted((home / "truth").glob("gamma0_HH_*.tif"))
    gamma = np.stack([on_pixels(one, cube) for one in dated])
    return Trip(cube, gamma, truth, around(home / "truth" / "reflectors.csv", cube))


def around(table: Path, cube: xr.Dataset) -> np.ndarray:
    """Pixels within some 35 m of a corner reflector."""
    with table.open() as stream:
        places = [(float(row["lon"]), float(row["lat"])) for row in csv.DictReader(stream)]
    to_map = Transformer.from_crs("EPSG:4326", "EPSG:32632", always_xy=True)
    found = np.zeros((cube.sizes["y"], cube.sizes["x"]), bool)
    for x, y in (to_map.transform(*place) for place in places):
        found[np.abs(cube.y.values - y).argmin(), np.abs(cube.x.values - x).argmin()] = True
    return binary_dilation(found, iterations=12)


def clear(trip: Trip) -> np.ndarray:
    """Pixels that are neither folded nor dark, by truth and cube, and no reflector's."""
    dark = (trip.truth["mask"] != 0) | (trip.cube.terrain_mask.values != 0)
    return ~dark & ~trip.reflectors


def decibels(part: np.ndarray, whole: np.ndarray) -> float:
    return float(10 * np.log10(part.mean() / whole.mean()))


def test_backscatter_comes_back_whatever_the_slope(trip: Trip) -> None:
    """Level and flat over local incidence within the speckle; unflattened it falls 0.1 dB/°."""
    known = clear(trip) & np.isfinite(trip.cube.HH.values).all(axis=0)
    assert known.sum() > 40_000
    power, gamma = trip.cube.HH.values[:, known], trip.gamma[:, known]
    angle = trip.truth["local_incidence"][known]
    assert abs(decibels(power, gamma)) < 0.05
    classes = [(angle >= low) & (angle < high) for low, high in pairwise(EDGES)]
    middles = [angle[part].mean() for part in classes]
    weight = np.sqrt([part.sum() for part in classes])
    levels = np.array([decibels(power[:, part], gamma[:, part]) for part in classes])
    # Each class within 0.06 dB and three standard errors of its speckle.
    assert (np.abs(levels) < 0.06 + 3 * 4.34 / weight / np.sqrt(DATES / 2)).all(), levels
    assert abs(np.polyfit(middles, levels, 1, w=weight)[0]) < 0.003
    theta = np.radians(trip.cube.incidence.values[known])
    bare = power * trip.truth["area_ratio"][known] * np.tan(theta)
    before = [decibels(bare[:, part], gamma[:, part]) for part in classes]
    assert np.polyfit(middles, before, 1)[0] < -0.1


def test_areas_and_angles_are_those_of_the_ground(trip: Trip) -> None:
    known = clear(trip)
    apart = trip.cube.local_incidence.values[known] - trip.truth["local_incidence"][known]
    assert abs(np.median(apart)) < 0.02
    assert apart.std() < 0.3
    ratio = trip.cube.area_ratio.values[known] / trip.truth["area_ratio"][known]
    assert abs(10 * np.log10(np.median(ratio))) < 0.03
    assert np.percentile(np.abs(10 * np.log10(ratio)), 90) < 0.5


@pytest.mark.parametrize("bit", [LAYOVER, SHADOW])
def test_masks_are_those_of_rays(trip: Trip, bit: int) -> None:
    """Within a pixel: what is masked is so by the truth, and nothing of it is missed.

    Ground that shows the sensor less than a twentieth of what flat ground does counts as shadow.
    """
    seen = np.isfinite(trip.truth["mask"]) & (trip.cube.terrain_mask.values & NO_DEM == 0)
    mine = seen & (trip.cube.terrain_mask.values & bit > 0)
    theirs = seen & (np.nan_to_num(trip.truth["mask"]).astype(int) & bit > 0)
    assert theirs.sum() > 1000
    wide = np.ones((3, 3), bool)
    dim = trip.truth["area_ratio"] * np.tan(np.radians(trip.cube.incidence.values)) < 0.1
    allowed = theirs | dim if bit == SHADOW else theirs
    right = (mine & binary_dilation(allowed, wide)).sum() / mine.sum()
    found = (theirs & binary_dilation(mine, wide)).sum() / theirs.sum()
    assert min(right, found) > 0.95, (right, found)
    power = trip.cube.HH.values[:, seen]
    if bit == SHADOW:
        assert np.isnan(trip.cube.HH.values[:, mine]).mean() > 0.95
    assert not (power == 0).any()
    assert not np.isinf(power).any()
