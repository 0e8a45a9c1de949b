"""From the independent simulated radar to γ0 on the map, and back to its truth."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy.ndimage import binary_dilation, binary_erosion

from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import cube_url, ingest_scenes, open_cube
from cpazmal_scale.scenes import discover
from cpazmal_scale.scenes.level1b.reader import open_product
from cpazmal_scale.simulate.radar.cases import CASES, Simulated, simulate_case
from cpazmal_scale.simulate.radar.images import tiles_of
from cpazmal_scale.simulate.radar.passes import View
from cpazmal_scale.simulate.radar.scatterers import areas

DATES = 3
LOOKS = {**CASES, "ASC-L": replace(CASES["ASC-R"], side="L")}
"""The simulated cases, and the fourth pair of flight and side."""
Bound = Callable[[str, float, float], None]


def ingested(
    home: Path, grid: str | None = None, *, run: str = "run", chunk: int = 256, **level1b: Any
) -> Any:
    terrain = {"dem": str(home / "dem.tif"), "vertical": str(home / "geoid.tif")}
    rules = {"terrain": terrain, **level1b}
    config = RunConfig.parse(
        {
            "workspace": str(home / run),
            "ingest": {
                "scenes": str(home / "scenes"),
                "chunk": chunk,
                "grid": grid,
                "level1b": rules,
            },
        }
    )
    (report,) = ingest_scenes(config).cubes
    return open_cube(cube_url(str(home / run), report.beam))


def truth(home: Path, name: str, like: Any) -> np.ndarray:
    """A layer of the truth on the pixels of a cube, NaN beyond."""
    with rasterio.open(home / "truth" / f"{name}.tif") as raster:
        values = raster.read(1).astype(float)
        corner = raster.transform
    step = float(like.x[1] - like.x[0])
    column = round((float(like.x[0]) - step / 2 - corner.c) / step)
    row = round((corner.f - float(like.y[0]) - step / 2) / step)
    found = np.full((like.sizes["y"], like.sizes["x"]), np.nan)
    rows = slice(max(0, -row), min(found.shape[0], values.shape[0] - row))
    columns = slice(max(0, -column), min(found.shape[1], values.shape[1] - column))
    found[rows, columns] = values[
        rows.start + row : rows.stop + row, columns.start + column : columns.stop + column
    ]
    return found


@pytest.fixture(scope="module")
def mountain(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    folder = tmp_path_factory.mktemp("mountain")
    return simulate_case(folder, CASES["DSC-R"], size=900.0, dates=DATES)


@pytest.fixture(scope="module")
def home(mountain: Simulated) -> Path:
    return mountain.folder


@pytest.fixture(scope="module")
def cube(home: Path) -> Any:
    return ingested(home, radiometry="gamma0_T").load()


def near(values: np.ndarray, pixels: int = 1) -> np.ndarray:
    return np.asarray(binary_dilation(values, np.ones((3, 3)), iterations=pixels))


def test_the_area_ratio_is_that_of_the_scatterers(home: Path, cube: Any, at_most: Bound) -> None:
    """Summed by the simulator from random points, by nothing of the processor's."""
    expected, codes = truth(home, "area_ratio", cube), truth(home, "mask", cube)
    angle = truth(home, "local_incidence", cube)
    found = cube["area_ratio"].values.astype(float)
    clear = (codes == 0) & (cube["terrain_mask"].values == 0)
    clear &= np.isfinite(expected) & np.isfinite(found) & np.isfinite(angle)
    clear = np.asarray(binary_erosion(clear, np.ones((7, 7))))
    assert clear.sum() > 5000
    apart = 10 * np.log10(found[clear] / expected[clear])
    at_most("mean, dB", abs(apart.mean()), 0.03)
    at_most("trend, dB per degree", abs(np.polyfit(angle[clear], apart, 1)[0]), 0.001)
    classes = []
    for low in range(20, 75, 15):
        part = (angle[clear] >= low) & (angle[clear] < low + 15)
        if part.sum() > 500:
            classes.append(abs(apart[part].mean()))
    assert len(classes) >= 3
    at_most("classes of local incidence, dB", max(classes), 0.06)


def test_local_incidence_and_masks_are_the_truth(
    home: Path, cube: Any, at_most: Bound, at_least: Bound
) -> None:
    angle, codes = truth(home, "local_incidence", cube), truth(home, "mask", cube)
    known = np.isfinite(angle) & (codes < 4)
    found = cube["local_incidence"].values
    apart = (found - angle)[known & np.isfinite(found)]
    at_most("local incidence, median, degrees", abs(np.median(apart)), 0.02)
    assert np.percentile(np.abs(apart), 90) < 0.5
    inside = np.asarray(binary_erosion(known, np.ones((3, 3)), iterations=5))
    mine = cube["terrain_mask"].values
    # Ground of less than a twentieth of flat ground's area counts as shadow, too.
    dark = truth(home, "area_ratio", cube) < 0.05 / np.tan(np.radians(37.4))
    for bit, name in ((1, "layover"), (2, "shadow")):
        one, other = (mine & bit) > 0, np.nan_to_num(codes).astype(int) & bit > 0
        other |= dark if bit == 2 else False
        one, other = one & inside, other & inside
        assert other.sum() > 200, name
        wrong = (one & ~near(other)) | (other & ~near(one))
        at_least(f"{name}, IoU within a pixel", 1 - wrong.sum() / (one | other).sum(), 0.95)
        at_least(f"{name}, agreement within a pixel", 1 - wrong[inside].mean(), 0.99)
        at_most(f"{name}, missed beyond a pixel", (other & ~near(one)).sum(), 0)


class Bare:
    """The area that every sample of some lines of a pass faces, over the sample's own: power of
    ground of γ0 = 1.
    """

    def __init__(self, view: View, first: int, stop: int) -> None:
        self.shape = view.lines, view.samples
        self.sums = np.full(self.shape, np.nan)
        part, sensor = np.zeros((stop - first, view.samples)), view.sensor
        sensor = sensor._replace(first=sensor.first + first * sensor.line_step)
        own, tiles = np.uint64(1), tiles_of(view, 12.0)
        areas(view.surface, view.patch, sensor, tiles, own, (1, 1), part)
        self.sums[first + 1 : stop - 1] = part[1:-1]

    def read(self, lines: slice, samples: slice) -> np.ndarray:
        return self.sums[lines, samples].astype(np.float32)


def test_no_power_beside_the_mask_is_far_above_the_grounds_own(
    mountain: Simulated, cube: Any, at_most: Bound
) -> None:
    """What single samples show, over what it is divided by: at the first pixel, too."""
    terrain = {"dem": str(mountain.folder / "dem_ellipsoid.tif"), "vertical": "ellipsoid"}
    level1b = {"radiometry": "beta0", "noise": "keep", "terrain": terrain}
    rules = {"scenes": str(mountain.products[0].parent), "level1b": level1b}
    (scene,) = discover(RunConfig.parse({"ingest": rules}).ingest)
    product = scene.files[0].product
    assert product is not None
    step, shape = float(cube.x[1] - cube.x[0]), (cube.sizes["y"], cube.sizes["x"])
    to_map = Affine(step, 0, float(cube.x[0]) - step / 2, 0, -step, float(cube.y[0]) + step / 2)
    with open_product(product, GeoBox(shape, to_map, CASES["DSC-R"].crs)) as reader:
        reader.images[:] = [cast("Any", Bare(mountain.views[0], 260, 320))]
        power, _ = reader.read(*(slice(0, edge) for edge in shape))
    seen = power[0] / product.annotation.layers[0].cal_factor
    whole = binary_erosion(np.isfinite(seen), np.ones((13, 13)))
    clear = whole & (cube["terrain_mask"].values == 0) & np.isfinite(cube["area_ratio"].values)
    masked = near(cube["terrain_mask"].values & 3 > 0)
    over = 10 * np.log10(seen[clear] / cube["area_ratio"].values[clear])
    assert (masked & clear).sum() > 200
    at_most("highest outside the mask, dB", float(over.max()), 3.0)


def test_folded_ground_has_the_power_of_its_sheets(home: Path, cube: Any, at_most: Bound) -> None:
    """Masked as layover by both: means over all of it and all dates, reflectors left out."""
    paths = sorted((home / "truth").glob("gamma0_HH_*.tif"))
    expected = np.stack([truth(home, path.stem, cube) for path in paths])
    found = cube["HH"].values.astype(float)
    bright = (found > 40 * np.nanmean(found)).any(axis=0)
    folded = (truth(home, "mask", cube) == 1) & (cube["terrain_mask"].values == 1)
    folded &= np.isfinite(expected + found).all(axis=0) & ~near(bright, 12)
    assert folded.sum() > 300
    apart = 10 * np.log10(found[:, folded].mean() / expected[:, folded].mean())
    at_most("dB", abs(apart), 0.7)


def test_flattened_power_is_the_grounds_own(home: Path, cube: Any, at_most: Bound) -> None:
    """Speckle averages out over classes of local incidence, and over the dates."""
    paths = sorted((home / "truth").glob("gamma0_HH_*.tif"))
    expected = np.stack([truth(home, path.stem, cube) for path in paths])
    codes, angle = truth(home, "mask", cube), truth(home, "local_incidence", cube)
    found = cube["HH"].values.astype(float)
    assert found.shape == expected.shape == (DATES, *angle.shape)
    clear = (codes == 0) & (cube["mask"].values & 7 == 0).all(axis=0)
    clear &= np.isfinite(expected + found).all(axis=0) & np.isfinite(angle)
    bright = (found > 40 * np.nanmean(found)).any(axis=0)  # reflectors stand there
    clear &= ~near(bright, 12)

    def apart(part: np.ndarray) -> float:
        return float(10 * np.log10(found[:, part].mean() / expected[:, part].mean()))

    at_most("mean, dB", abs(apart(clear)), 0.1)
    classes = []
    for low in range(15, 75, 15):
        part = clear & (angle >= low) & (angle < low + 15)
        if part.sum() > 8000:
            classes.append(abs(apart(part)))
    assert len(classes) >= 2
    at_most("classes of local incidence, dB", max(classes), 0.1)


@pytest.mark.parametrize("chunk", [64, 512, 1024])
def test_a_cube_does_not_depend_on_its_chunks(home: Path, cube: Any, chunk: int) -> None:
    """Not a bit of power, mask or layers."""
    other = ingested(home, run=f"chunks-of-{chunk}", chunk=chunk, radiometry="gamma0_T").load()
    for name in ("HH", "mask", "area_ratio", "elevation", "local_incidence", "terrain_mask"):
        assert other[name].values.tobytes() == cube[name].values.tobytes(), name


def test_ground_that_is_computed_anew_is_told(home: Path, tmp_path: Path) -> None:
    """Where what was kept of it is gone, another date's orbit gives other numbers."""
    terrain = {"dem": str(home / "dem.tif"), "vertical": str(home / "geoid.tif")}
    rules = {"scenes": str(tmp_path / "in"), "chunk": 256, "level1b": {"terrain": terrain}}
    config = RunConfig.parse({"workspace": str(tmp_path / "run"), "ingest": rules})
    said = []
    for product in sorted((home / "scenes").iterdir()):
        shutil.copytree(product, tmp_path / "in" / product.name)
        said.append(str(ingest_scenes(config)))
        if len(said) == 2:
            shutil.rmtree(tmp_path / "run" / "terrain")
    assert ["computed anew" in one for one in said] == [False, False, True]
    told = re.search(r"differ from the cube's by (\S+) dB as a median", said[-1])
    assert told
    assert 0 < float(told[1]) < 0.1


@pytest.mark.parametrize(
    "case", ["ASC-R", "ASC-L", "DSC-L", "south", "60N", "zone-edge", "MGD-flipped"]
)
def test_the_other_geometries_have_their_truth_too(tmp_path: Path, case: str) -> None:
    simulate_case(tmp_path, LOOKS[case], size=400.0)
    # A cube in the truth's own zone, which the scene at a zone's edge might not choose.
    grid = "utm32n-3m" if LOOKS[case].crs == "EPSG:32632" else None
    made = ingested(tmp_path, grid, radiometry="gamma0_T", noise="keep").load()
    angle, codes = truth(tmp_path, "local_incidence", made), truth(tmp_path, "mask", made)
    expected, found = truth(tmp_path, "area_ratio", made), made["area_ratio"].values
    clear = (codes == 0) & (made["terrain_mask"].values == 0)
    clear &= np.isfinite(expected) & np.isfinite(found) & np.isfinite(angle)
    clear = np.asarray(binary_erosion(clear, np.ones((7, 7))))
    assert clear.sum() > 800
    assert abs((10 * np.log10(found[clear] / expected[clear])).mean()) <= 0.05
    assert abs(np.median(made["local_incidence"].values[clear] - angle[clear])) < 0.05
