"""Scenes of another grid resampled onto the cube's: the nearest pixel, or area means of power."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
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
from cpazmal_scale.grid.shift import measure_shift

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
    config = resampling(folder, tmp_path / "ws", resample="average")
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
    np.testing.assert_array_equal(one, other)
    mean = [
        open_cube(ingest_scenes(resampling(folder, tmp_path / name, **more)).cubes[0].url).HH[1]
        for name, more in (
            ("c", {"chunk": 512, "resample": "average"}),
            ("d", {"chunk": 16, "resample": "average"}),
        )
    ]
    np.testing.assert_allclose(*mean, rtol=1e-2)
    np.testing.assert_array_equal(*map(np.isnan, mean))


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


def test_the_nearest_pixel_is_the_one_in_which_the_centre_lies() -> None:
    """Against every position transformed on its own, over a width where longitudes bend."""
    from rasterio.warp import transform

    source = GeoBox((400, 500), Affine(1e-3, 0, 6.6, 0, -1e-3, 46.1), "EPSG:4326")
    values = np.arange(200_000, dtype="f4").reshape(400, 500)
    grid = GeoBox((301, 277), Affine(90, 0, 325_011, 0, -90, 5_101_007), "EPSG:32632")
    x, y = grid.transform * np.meshgrid(np.arange(277) + 0.5, np.arange(301) + 0.5)
    east, north = transform("EPSG:32632", "EPSG:4326", x.ravel(), y.ravel())
    rows = np.floor((46.1 - np.array(north)) / 1e-3).astype(int).reshape(x.shape)
    columns = np.floor((np.array(east) - 6.6) / 1e-3).astype(int).reshape(x.shape)
    inside = (rows >= 0) & (rows < 400) & (columns >= 0) & (columns < 500)
    expected = np.where(inside, values[rows.clip(0, 399), columns.clip(0, 499)], np.nan)
    found = warp.nearest(values, source, grid, outside=np.nan)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    assert same.mean() > 0.998
    parts = [
        warp.nearest(values, source, grid[y0 : y0 + 7], outside=np.nan) for y0 in range(0, 301, 7)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), found)


@pytest.mark.parametrize("how", ["nearest", "average"])
@pytest.mark.parametrize("covered", [0.15, 0.35, 0.45, 0.55, 0.8])
def test_a_pixel_less_than_half_covered_has_no_data(how: str, covered: float) -> None:
    """The raster ends inside the grid's pixels of row 10, from the north."""
    source = GeoBox(
        (60, 240), Affine(3, 0, 338_900, 0, -3, 5_087_001 - 3 * (11 - covered)), UTM.crs
    )
    values = speckle(source.shape)
    if how == "nearest":
        found = warp.nearest(values, source, UTM, outside=np.nan)
    else:
        found = warp.area_mean(values, source, UTM)
    assert np.isnan(found[:10]).all()
    assert np.isnan(found[10]).all() == (covered < 0.5)
    assert not np.isnan(found[11:40]).any()


def windows_kappa2(image: np.ndarray, size: int = 7) -> float:
    """Mean second log-cumulant of windows without gaps."""
    height, width = (side // size * size for side in image.shape)
    parts = np.log(image[:height, :width]).reshape(height // size, size, width // size, size)
    each = parts.transpose(0, 2, 1, 3).reshape(-1, size * size)
    return float(each[np.isfinite(each).all(1)].var(1).mean())


def real_stack(
    shared_data: Path, folder: Path, moves: list[tuple[float, float]]
) -> list[np.ndarray]:
    """Dates of a real burst of land, the lattice of each moved by a part of a pixel."""
    files = sorted(
        (shared_data / "s1-rtc" / "T137-292323-IW2").glob("*_VV.tif"),
        key=lambda path: path.name.split("_")[4],
    )
    images = []
    folder.mkdir()
    for path, (right, down) in zip(files, moves, strict=False):
        with rasterio.open(path) as raster:
            images.append(raster.read(1))
            profile = raster.profile | {
                "transform": raster.transform * Affine.translation(right, down)
            }
            with rasterio.open(folder / path.name, "w", **profile) as moved:
                moved.write(images[-1], 1)
    return images


MOVES = [(0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.25, -0.4), (0.9, 0.1)]


def sentinel1(folder: Path, workspace: Path, **ingest: object) -> RunConfig:
    example = Path(__file__).parents[2] / "docs" / "examples" / "sentinel1-rtc.yaml"
    config = RunConfig.load(example, workspace=str(workspace))
    return config.with_values({"ingest": {"scenes": str(folder), "chunk": 64, **ingest}})


def test_statistics_of_real_dates_are_native_on_every_date(tmp_path, shared_data: Path) -> None:
    images = real_stack(shared_data, tmp_path / "s", MOVES)
    cube = open_cube(
        ingest_scenes(sentinel1(tmp_path / "s", tmp_path / "ws", resample=True)).cubes[0].url
    )
    for date, image in enumerate(images):
        found = windows_kappa2(cube.VV[date].to_numpy())
        assert found == pytest.approx(windows_kappa2(image), rel=0.05)


def moved_by(image: np.ndarray, down: int, right: int) -> np.ndarray:
    return np.roll(image, (down, right), (0, 1))


def test_a_date_that_lies_off_is_told_and_refused_if_asked(tmp_path, shared_data: Path) -> None:
    images = real_stack(shared_data, tmp_path / "s", [(0.0, 0.0)] * 5)
    path = sorted((tmp_path / "s").glob("*"), key=lambda one: one.name.split("_")[4])[3]
    with rasterio.open(path, "r+") as raster:
        raster.write(moved_by(images[3], 0, 1), 1)
    config = sentinel1(tmp_path / "s", tmp_path / "ws", max_shift=0.4)
    with pytest.raises(
        GridMismatch, match=r"it lies \+[01]\.\d\d columns and .* beside the others"
    ) as refused:
        ingest_scenes(config)
    assert path.name.split("_")[4][:15] in str(refused.value.where)
    (said,) = ingest_scenes(config, dry_run=True).refused
    assert str(refused.value).startswith(str(said))
    assert "ingest.skip_refused" in str(refused.value)
    assert not (tmp_path / "ws").exists()
    path.unlink()
    assert ingest_scenes(config).cubes[0].dates == 4


def test_shifts_of_real_images_are_measured_to_a_tenth(shared_data: Path, tmp_path) -> None:
    from scipy.ndimage import shift as moved

    images = np.log(real_stack(shared_data, tmp_path / "s", [(0.0, 0.0)] * 12))
    mean = images[:11].mean(0)
    before = measure_shift(images[11], mean)
    for down, right in ((0.6, 0.0), (-0.3, 0.4), (2.0, -1.5)):
        after = measure_shift(moved(images[11], (down, right), mode="nearest"), mean)
        assert after is not None
        assert after.rows - before.rows == pytest.approx(down, abs=0.1)
        assert after.columns - before.columns == pytest.approx(right, abs=0.1)


def test_speckle_alone_has_no_place() -> None:
    images = np.log(speckle((2, 200, 200)))
    assert measure_shift(images[0], images[1]) is None
    assert measure_shift(images[0], np.full((200, 200), np.nan, "f4")) is None
