"""Scenes of another grid resampled onto the cube's: area means of power, flags by nearest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from support.scenes_factory import (
    STARTS,
    file_name,
    row,
    run_config,
    speckle,
    write_raster,
    write_table,
)

from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import ingest_scenes, open_cube, verify_cube
from cpazmal_scale.errors import GridMismatch
from cpazmal_scale.grid import warp

UTM = GeoBox((90, 120), Affine(3, 0, 339_000, 0, -3, 5_087_001), "EPSG:32632")
DEGREES = 2.69494585e-5


def lattice(pixel: float, shape: tuple[int, int], shift: float = 0.0) -> GeoBox:
    transform = Affine(pixel, 0, 339_000 + shift, 0, -pixel, 5_087_001 - shift)
    return GeoBox(shape, transform, "EPSG:32632")


def plain_area_mean(values: np.ndarray, source: GeoBox, grid: GeoBox) -> np.ndarray:
    """Mean weighted by overlap, NaN where data cover less than half: both grids in one CRS."""

    def weights(size: int, pixel: float, start: float, count: int, step: float) -> np.ndarray:
        low = start + np.arange(size) * pixel
        mine = np.arange(count) * step
        overlap = np.minimum(low + pixel, mine[:, None] + step) - np.maximum(low, mine[:, None])
        return np.maximum(overlap, 0)

    dx = source.transform.c - grid.transform.c
    dy = grid.transform.f - source.transform.f
    across = weights(values.shape[1], source.transform.a, dx, grid.shape[1], grid.transform.a)
    down = weights(values.shape[0], source.transform.a, dy, grid.shape[0], grid.transform.a)
    valid = np.isfinite(values)
    total = down @ np.where(valid, values, 0) @ across.T
    area = down @ valid.astype(float) @ across.T
    inside = down.sum(1)[:, None] * across.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / area
        return np.where(area >= 0.5 * inside * (1 - 1e-6), mean, np.nan)


@pytest.mark.parametrize(("pixel", "shift"), [(3.0, 0.75), (2.0, 0.0), (1.1, 0.3), (7.0, 1.0)])
def test_area_mean_has_a_plain_twin(pixel: float, shift: float) -> None:
    shape = (int(280 / pixel), int(370 / pixel))
    source = lattice(pixel, shape, shift)
    values = speckle(shape, 3)
    values[20:26, 30:50] = np.nan
    found = warp.area_mean(values, source, UTM)
    expected = plain_area_mean(values, source, UTM)
    inside = np.s_[2:88, 2:118]
    np.testing.assert_allclose(found[inside], expected[inside], rtol=2e-4)


def test_flags_are_those_of_the_nearest_pixel() -> None:
    flags = np.random.default_rng(0).integers(0, 4, (90, 120)).astype("u1")
    found = warp.nearest(flags, lattice(3, (90, 120), 1.8), UTM)
    np.testing.assert_array_equal(found[1:, 1:], flags[:-1, :-1])


def degree_scene(path: Path, seed: int, shape: tuple[int, int] = (150, 260)) -> np.ndarray:
    """A scene in the authors' WGS84 pixels that covers the UTM grid; returns its power."""
    import rasterio
    from rasterio.warp import transform_bounds

    west, _, _, north = transform_bounds("EPSG:32632", "EPSG:4326", *UTM.boundingbox.bbox)
    power, mask = speckle(shape, seed), np.zeros(shape, "f4")
    power[60:80, 100:140] = -999
    mask[:, :30] = 1
    profile = {"driver": "GTiff", "count": 2, "dtype": "float32", "nodata": -999.0}
    transform = Affine(DEGREES, 0, west - 20 * DEGREES, 0, -DEGREES, north + 20 * DEGREES)
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        **profile,
        height=shape[0],
        width=shape[1],
        crs="EPSG:4326",
        transform=transform,
    ) as raster:
        raster.write(power, 1)
        raster.write(mask, 2)
    return np.where(power == -999, np.nan, power)


@pytest.fixture
def two_grids(tmp_path) -> tuple[Path, np.ndarray]:
    """A UTM scene and a later one in degrees."""
    folder = tmp_path / "scenes"
    write_raster(folder / file_name(STARTS[0]), [speckle((90, 120)), np.zeros((90, 120))])
    power = degree_scene(folder / file_name(STARTS[1]), 5)
    write_table(folder, [row(start, polarisations="HH") for start in STARTS[:2]])
    return folder, power


def resampling(folder: Path, workspace: Path, **more: object) -> RunConfig:
    return run_config(folder, workspace).with_values({"ingest": {"resample": True, **more}})


def test_refused_unless_asked(tmp_path, two_grids) -> None:
    with pytest.raises(GridMismatch, match=r"CRS is EPSG:4326.*set ingest\.resample"):
        ingest_scenes(run_config(two_grids[0], tmp_path / "ws"))
    assert not (tmp_path / "ws").exists()


def test_mean_power_and_gaps_keep_their_size(tmp_path, two_grids) -> None:
    folder, power = two_grids
    config = resampling(folder, tmp_path / "ws")
    planned = str(ingest_scenes(config, dry_run=True))
    assert "area mean of EPSG:4326" in planned
    report = ingest_scenes(config).cubes[0]
    cube = open_cube(report.url)
    assert cube.resampling.to_numpy().tolist()[0] == ""
    assert cube.resampling.to_numpy().tolist()[1].startswith("area mean of EPSG:4326 2.6949458e-05")
    assert cube.rio.crs.to_epsg() == 32632
    box = UTM.boundingbox
    inside = cube.sel(x=slice(box.left, box.right), y=slice(box.top, box.bottom))
    image = inside.HH[1].to_numpy()
    east, north = 2.09, 2.994  # the authors' pixel in metres at 45.9 degrees north
    missing = np.isnan(image).sum() * 9 / (20 * 40 * east * north)
    assert missing == pytest.approx(1, abs=0.03)
    assert np.nanmean(image) == pytest.approx(np.nanmean(power), rel=0.01)
    assert (inside["mask"][1].to_numpy()[np.isnan(image)] == 32).all()
    assert verify_cube(report.url) == []
    assert ingest_scenes(config).cubes[0].unchanged == report.appended


def test_sums_over_areas_are_kept(tmp_path) -> None:
    """Power integrated over a bright target is the same before and after, wherever it lies."""
    source = lattice(2.0, (135, 180), 0.7)
    for y, x in ((40, 50), (61, 83), (90, 121)):
        values = np.full(source.shape, 0.01, np.float32)
        values[y : y + 3, x : x + 2] = 5
        found = warp.area_mean(values, source, UTM)
        before = (values[30:100, 30:130] - 0.01).sum() * 4
        after = (found[10:80, 10:100] - 0.01).sum() * 9
        assert after == pytest.approx(before, rel=1e-3)


def test_strips_join_without_seams(tmp_path, two_grids) -> None:
    folder, _ = two_grids
    whole = ingest_scenes(resampling(folder, tmp_path / "a", chunk=512)).cubes[0].url
    strips = ingest_scenes(resampling(folder, tmp_path / "b", chunk=16)).cubes[0].url
    one, other = (open_cube(url).HH[1].to_numpy() for url in (whole, strips))
    np.testing.assert_allclose(one, other, rtol=1e-2)
    np.testing.assert_array_equal(np.isnan(one), np.isnan(other))


@pytest.mark.parametrize(
    ("preset", "epsg", "pixel"), [("utm32n-3m", 32632, 3.0), ("cpazmal", 4326, DEGREES)]
)
def test_a_new_cube_on_a_preset_grid(tmp_path, two_grids, preset, epsg, pixel) -> None:
    report = ingest_scenes(resampling(two_grids[0], tmp_path / "ws", grid=preset)).cubes[0]
    cube = open_cube(report.url)
    assert cube.rio.crs.to_epsg() == epsg
    assert cube.rio.transform().a == pytest.approx(pixel)
    assert cube.rio.transform().c / pixel == pytest.approx(round(cube.rio.transform().c / pixel))
    assert not np.isnan(cube.HH).all(("y", "x")).any()
