"""Windows as arrays: what is read, chosen, scaled, normalised and balanced."""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pyproj
import pytest
import rasterio
import rioxarray  # noqa: F401
import shapely
import xarray as xr
from affine import Affine

from cpazmal_scale import samples
from cpazmal_scale.config import Features, Flags, RunConfig, Samples
from cpazmal_scale.errors import SampleError
from cpazmal_scale.grid.edges import PixelEdges
from cpazmal_scale.samples import BY_DATE, window_index, write_index
from cpazmal_scale.samples.draw.anchor import best_corners
from cpazmal_scale.samples.draw.index import describe
from cpazmal_scale.samples.draw.terrain import datum_of_raster, terrain
from cpazmal_scale.samples.tensors import WindowItems

LEFT, TOP, PIXEL = 334_000.0, 5_082_000.0, 3.0
SIZE = (96, 128)
FEATURES = Features()


def make_cube(dates: int = 12, chunk: int = 32, seed: int = 0) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    power = rng.gamma(2, 0.05, (2, dates, *SIZE)).astype(np.float32)
    power[1] *= np.float32(0.2)
    power[:, :, 20:24, 20:24] = np.nan
    mask = np.zeros((dates, *SIZE), np.uint8)
    mask[2, 60:70, 70:80] = 2
    time = np.datetime64("2020-01-08T17:25:29", "ns") + np.arange(dates) * np.timedelta64(30, "D")
    dims = ("time", "y", "x")
    cube = xr.Dataset(
        {"HH": (dims, power[0]), "HV": (dims, power[1]), "mask": (dims, mask)},
        {
            "time": time,
            "y": TOP - (np.arange(SIZE[0]) + 0.5) * PIXEL,
            "x": LEFT + (np.arange(SIZE[1]) + 0.5) * PIXEL,
            "incidence_angle": ("time", np.linspace(34, 38, dates)),
        },
        {"beam": "DSC_132"},
    ).rio.write_crs("EPSG:32632")
    return cube.chunk({"time": 1, "y": chunk, "x": chunk})


def square(row: float, column: float, height: float, width: float) -> shapely.Polygon:
    west, north = LEFT + column * PIXEL, TOP - row * PIXEL
    return shapely.box(west, north - height * PIXEL, west + width * PIXEL, north)


FOUR = (
    ("ABL", "ABL001", square(3, 5, 30, 30)),
    ("ABL", "ABL002", square(50, 5, 21, 40)),
    ("ICA", "ICA001", square(3, 60, 28, 28)),
    ("ICA", "ICA002", square(60, 70, 30, 30)),
)


def make_polygons(rows: Any = FOUR) -> geopandas.GeoDataFrame:
    labels, groups, shapes = zip(*rows, strict=True)
    table = {"class": labels, "group": groups}
    return geopandas.GeoDataFrame(table, geometry=list(shapes), crs="EPSG:32632")


@pytest.fixture(scope="module")
def windows() -> samples.Windows:
    return samples.draw_windows(make_cube(), make_polygons())


def naive(windows: samples.Windows, name: str) -> np.ndarray:
    """Pixels of one polarisation (N, T, w, w), window after window."""
    power, mask = (windows.cube[one].to_numpy() for one in (name, "mask"))
    power = np.where(mask & FEATURES.excluded, np.nan, power)
    size = FEATURES.window
    corners = zip(windows.index["y0"], windows.index["x0"], strict=True)
    return np.stack([power[:, y : y + size, x : x + size] for y, x in corners])


# Reading


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp"])
def test_windows_of_polygon_files_are_those_of_the_table(
    suffix: str, tmp_path: Path, windows: samples.Windows
) -> None:
    make_polygons().to_file(tmp_path / f"p.{suffix}")
    read = samples.draw_windows(make_cube(), str(tmp_path / f"p.{suffix}"))
    columns = ["class", "group", "y0", "x0"]
    pd.testing.assert_frame_equal(read.index[columns], windows.index[columns])


def test_numpy_and_lazy_xarray_hold_the_cube_s_pixels(windows: samples.Windows) -> None:
    values = windows.to_numpy()
    expected = np.stack([naive(windows, "HH"), naive(windows, "HV")], axis=1)
    assert values.shape == (len(windows), 2, 12, 7, 7)
    np.testing.assert_array_equal(values, expected)
    assert np.isnan(values).any()
    lazy = windows.to_xarray()
    assert lazy["HH"].chunks is not None
    assert lazy["HH"].dims == ("window", "time", "row", "column")
    assert lazy["class"].values.tolist() == windows.classes.tolist()
    some = lazy.isel(window=slice(3, 9))
    np.testing.assert_array_equal(some["HV"].to_numpy(), expected[3:9, 1])
    np.testing.assert_array_equal(lazy["HH"].to_numpy(), expected[:, 0])


def test_an_index_is_opened_with_its_cube(tmp_path: Path, windows: samples.Windows) -> None:
    write_index(windows.index, f"{tmp_path}/a.parquet")
    again = samples.open_windows(f"{tmp_path}/a.parquet", windows.cube)
    np.testing.assert_array_equal(again.to_numpy(), windows.to_numpy())
    assert again.polarisations == ("HH", "HV")
    other = windows.cube.assign_attrs(beam="ASC_1")
    with pytest.raises(SampleError, match="no window of beam ASC_1"):
        samples.open_windows(windows.index, other)


@pytest.mark.parametrize("place", ["local", "s3"])
def test_windows_are_found_in_a_stored_cube(
    place: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from support.small_campaign import UTM, backscatter
    from support.small_campaign import make_cube as stored_cube

    base = str(tmp_path) if place == "local" else request.getfixturevalue("s3_url")
    url = stored_cube(f"{base}/cube.zarr")
    x, y = UTM.transform.c, UTM.transform.f
    rows = [
        (
            name,
            f"{name}{n}",
            shapely.box(x + 21 * n, y - 60 - 21 * m, x + 21 * n + 21, y - 39 - 21 * m),
        )
        for m, name in enumerate(("ABL", "ICA"))
        for n in range(2)
    ]
    found = samples.draw_windows(
        url, make_polygons(rows), Samples(classes=("ABL", "ICA"), max_masked=1)
    )
    power, mask, _ = backscatter()
    valid = np.where(mask & FEATURES.excluded, np.nan, power)
    y0, x0 = found.index.loc[0, ["y0", "x0"]]
    np.testing.assert_array_equal(found.to_numpy()[0], valid[:, :, y0 : y0 + 7, x0 : x0 + 7])


# Choosing


def test_dates_months_and_seasons(windows: samples.Windows) -> None:
    days = windows.dates.astype("datetime64[D]").astype(str)
    half = windows.during("2020-03-01", "2020-08-05")
    assert half.dates.astype("datetime64[D]").astype(str).tolist() == [
        day for day in days if "2020-03-01" <= day <= "2020-08-05"
    ]
    summer = windows.during(seasons=["summer"])
    assert {int(str(day)[5:7]) for day in summer.dates} == {6, 7, 8}
    assert {int(str(day)[5:7]) for day in windows.during(months=[1, 12]).dates} <= {1, 12}
    below = windows.cube.rio.write_crs("EPSG:32719").rio.write_transform()  # 44° south
    winter = dataclasses.replace(windows, cube=below).during(seasons=["winter"])
    assert list(winter.dates) == list(summer.dates)
    two = windows.during(dates=[days[4], days[1]])
    assert two.dates.astype("datetime64[D]").astype(str).tolist() == [days[1], days[4]]
    kept = [int(np.flatnonzero(windows.dates == date)[0]) for date in summer.dates]
    np.testing.assert_array_equal(summer.to_numpy(), windows.to_numpy()[:, :, kept])
    asked = summer.query("SELECT DISTINCT date FROM windows ORDER BY date")["date"]
    np.testing.assert_array_equal(asked.to_numpy("datetime64[s]"), summer.dates)
    with pytest.raises(SampleError, match="no date is left") as caught:
        windows.during("2030-01-01")
    assert "2020-01-08" in str(caught.value.remedy)
    with pytest.raises(SampleError, match="no season monsoon"):
        windows.during(seasons=["monsoon"])  # type: ignore[list-item]


def test_a_run_takes_months_and_days(tmp_path: Path) -> None:
    from support.small_campaign import make_cube as stored_cube

    from cpazmal_scale.cube import open_cube

    url = stored_cube(f"{tmp_path}/cube.zarr")
    every = open_cube(url)["time"].to_numpy()
    config = RunConfig.parse({"months": [2, 3], "start": "2020-01-20", "dates": None})
    chosen = open_cube(url, **config.period)["time"].to_numpy()
    assert 0 < len(chosen) < len(every)
    assert {str(one)[5:7] for one in chosen} <= {"02", "03"}
    days = [str(one)[:10] for one in every[[1, 5]]]
    one = RunConfig.parse({"dates": days})
    assert [str(d)[:10] for d in open_cube(url, **one.period)["time"].to_numpy()] == days


def test_sql_chooses_windows(windows: samples.Windows) -> None:
    some = windows.where("class = 'ICA' AND y0 >= 60")
    assert set(some.groups) == {"ICA002"}
    rows = windows.query("SELECT DISTINCT id FROM windows WHERE masked_fraction > 0 ORDER BY id")
    shadowed = windows.take(rows["id"].to_numpy())
    assert len(shadowed) == 4
    assert set(shadowed.groups) == {"ICA002"}
    dates = windows.query("SELECT DISTINCT date FROM windows WHERE masked_fraction > 0")["date"]
    assert dates.to_numpy("datetime64[s]").tolist() == [windows.dates[2].tolist()]
    flat = windows.query("SELECT incidence_angle FROM windows ORDER BY date, id")
    np.testing.assert_allclose(
        flat["incidence_angle"].to_numpy().reshape(12, -1).std(axis=1), 0, atol=1e-4
    )
    with pytest.raises(SampleError, match="no window satisfies class = 'HAG'") as caught:
        windows.where("class = 'HAG'")
    assert "ABL, ICA" in str(caught.value.remedy)
    with pytest.raises(SampleError, match="the query fails"):
        windows.where("1) UNION SELECT (2")


# Scales and normalisation


def test_scales_and_normalisation_by_training_windows(windows: samples.Windows) -> None:
    linear = windows.to_numpy()
    np.testing.assert_allclose(windows.scaled("amplitude").to_numpy(), np.sqrt(linear), rtol=1e-6)
    decibel = windows.scaled("dB")
    np.testing.assert_allclose(decibel.to_numpy(), 10 * np.log10(linear), rtol=1e-5, atol=1e-5)
    train = decibel.take(decibel.groups != "ICA002")
    found = train.statistics()
    wide = train.to_numpy().astype(np.float64)
    np.testing.assert_allclose(found.mean, np.nanmean(wide, axis=(0, 2, 3, 4)), rtol=1e-9)
    np.testing.assert_allclose(found.std, np.nanstd(wide, axis=(0, 2, 3, 4)), rtol=1e-6)
    scores = decibel.normalised(found).to_numpy()
    centre, spread = (np.array(part)[:, None, None, None] for part in (found.mean, found.std))
    np.testing.assert_allclose(scores, (decibel.to_numpy() - centre) / spread, atol=1e-5)
    lazy = decibel.normalised(found).to_xarray()
    np.testing.assert_array_equal(lazy["HV"].to_numpy(), scores[:, 1])
    turned = decibel.channels("HV", "HH").normalised(found).to_numpy()
    np.testing.assert_array_equal(turned, scores[:, ::-1])
    alone = decibel.channels("HV").normalised(found).to_numpy()
    np.testing.assert_array_equal(alone, scores[:, 1:])
    for other in (windows, decibel.channels("HH", "HV").scaled("amplitude")):
        with pytest.raises(SampleError, match="do not fit"):
            other.normalised(found)
    of_one = train.channels("HH").statistics()
    with pytest.raises(SampleError, match=r"HH in dB do not fit .* HV dB"):
        decibel.channels("HV").normalised(of_one)
    only = windows.channels("HV")
    np.testing.assert_array_equal(only.to_numpy(), linear[:, 1:])
    with pytest.raises(SampleError, match="no polarisation VH"):
        windows.channels("VH")


# Rules


def index_of(rules: Samples, cube: xr.Dataset | None = None, rows: Any = FOUR) -> pd.DataFrame:
    return window_index(
        cube if cube is not None else make_cube(), make_polygons(rows), rules, FEATURES, seed=1,
        polarisations=("HH",),
    )  # fmt: skip


def rules(**changes: Any) -> Samples:
    values = {"classes": ("ABL", "ICA"), "max_masked": 1.0, "min_valid": 0.0, "max_per_group": None}
    return Samples.model_validate({**values, **changes})


@pytest.mark.parametrize("across", ["typical", "every", "stack"])
def test_shares_across_dates(across: str) -> None:
    cube = make_cube().compute()
    cube["HH"][:, 3:5, 5:12] = np.nan  # two rows of seven never
    cube["HH"][4, 5, 5:12] = np.nan  # a third row on one date of twelve
    cube["mask"][7, 8, 5:12] = 16
    cube["mask"][8, 9, 5:12] = 16
    index = index_of(rules(across=across), cube).set_index(["y0", "x0"])
    valid, noisy = index.loc[(3, 5), ["valid_fraction", "noise_limited_fraction"]]
    expected = {"typical": (5 / 7, 2 / 7 / 12), "every": (4 / 7, 1 / 7), "stack": (4 / 7, 2 / 7)}
    assert (valid, noisy) == pytest.approx(expected[across])
    by_date = index.loc[(3, 5), "valid_by_date"]
    np.testing.assert_allclose(by_date, np.where(np.arange(12) == 4, 4 / 7, 5 / 7), rtol=1e-6)
    assert index.loc[(3, 12), "valid_fraction"] == 1


def test_the_share_under_the_floor_is_that_of_a_loop() -> None:
    cube, features = make_cube(), Features(floor_db=-17.0)
    corners = [(3, 4), (18, 17), (30, 29), (58, 66), (64, 100)]  # whole, gaps, four chunks, masked
    index = pd.DataFrame(corners, columns=["y0", "x0"]).assign(size=features.window)
    found = samples.window_series(cube, index, features, ("HH", "HV")).floored
    for channel in ("HH", "HV"):
        below = valid = 0
        for y, x in corners:
            part = cube[[channel, "mask"]].isel(y=slice(y, y + 7), x=slice(x, x + 7))
            pairs = zip(part[channel].values.flat, part["mask"].values.flat, strict=True)
            for power, flag in pairs:
                if np.isfinite(power) and flag != 2:  # a shadow
                    valid, below = valid + 1, below + (10 * np.log10(power) < -17)
        assert found[channel] == pytest.approx(below / valid, abs=1e-12)
    assert 0 < found["HH"] < found["HV"] < 1


def test_every_flag_has_its_own_limit() -> None:
    cube = make_cube().compute()
    for at, bit in enumerate((1, 2, 4, 8, 16)):
        cube["mask"][:, 50:54, 5 + 7 * at : 12 + 7 * at] = bit
    names = ("layover", "shadow", "no_dem", "outside_swath", "noise_limited")
    every = set(index_of(rules(), cube).set_index(["y0", "x0"]).index)
    for at, name in enumerate(names):
        strict = index_of(rules(flags={name: 0.5}), cube)
        assert every - set(strict.set_index(["y0", "x0"]).index) == {(50, 5 + 7 * at)}
        assert (index_of(rules(flags={name: 0.6}), cube)[f"{name}_fraction"].max()) == (
            pytest.approx(4 / 7)
        )
    assert set(Flags.model_fields) == set(names)


def test_a_rule_that_leaves_nothing_is_named() -> None:
    with pytest.raises(SampleError, match=r"none of 63 windows satisfies samples\.where, y0 < 0"):
        index_of(rules(where="y0 < 0"))
    asked: list[int] = []

    def spy(block: np.ndarray, block_info: Any = None) -> np.ndarray:
        asked.append(1)
        return block

    cube = make_cube()
    watched = cube["HH"].data.map_blocks(spy, dtype=np.float32, meta=np.zeros((0, 0, 0), "f4"))
    with pytest.raises(SampleError, match="elevatoin"):
        index_of(rules(where="elevatoin > 3"), cube.assign(HH=(cube["HH"].dims, watched)))
    assert asked == []
    dark = make_cube().compute()
    dark["HH"][:] = np.nan
    with pytest.raises(SampleError, match=r"none of 63 windows satisfies samples\.min_valid"):
        index_of(rules(min_valid=0.5), dark)
    with pytest.raises(SampleError, match="class ICA has 1 usable group, "):
        index_of(rules(where="\"group\" <> 'ICA001'"))


# Offsets


def authors_offsets(taken: np.ndarray, stride: int) -> int:
    """Most windows at any offset, by trying every one."""
    return max(
        int(taken[top::stride, left::stride].sum())
        for top in range(stride)
        for left in range(stride)
    )


@pytest.mark.parametrize("stride", [3, 7, 9])
@pytest.mark.parametrize("across", ["typical", "every", "stack"])
def test_the_best_offset_is_that_of_brute_force(stride: int, across: str) -> None:
    cube = make_cube(dates=4).compute()
    rng = np.random.default_rng(stride)
    cube["HH"].values[:, rng.integers(0, 96, 30), rng.integers(0, 128, 30)] = np.nan
    cube["mask"].values[
        rng.integers(0, 4, 40), rng.integers(0, 96, 40), rng.integers(0, 128, 40)
    ] = 1
    blob = shapely.Point(LEFT + 150, TOP - 140).buffer(90).difference(square(40, 45, 9, 3))
    choice = rules(stride=stride, offset="best", min_valid=0.97, max_masked=0.03, across=across)
    grid = PixelEdges(cube)
    y0, x0 = best_corners(cube, "HH", grid.pixels_inside(blob), choice, FEATURES)
    assert len(set(y0 % stride)) == len(set(x0 % stride)) == 1
    # Every window that fits, by the index itself, one pixel apart.
    rows = [("ABL", "a", blob), *((*names, one.difference(blob)) for *names, one in FOUR[1:])]
    every = index_of(choice.model_copy(update={"stride": 1, "offset": "corner"}), cube, rows)
    fits = every[every["group"] == "a"]
    taken = np.zeros(SIZE, np.bool_)
    taken[fits["y0"], fits["x0"]] = True
    assert taken[y0, x0].all()
    assert len(y0) == authors_offsets(taken, stride) > 0
    chosen = index_of(choice, cube, rows)
    corner = index_of(choice.model_copy(update={"offset": "corner"}), cube, rows)
    assert (chosen["group"] == "a").sum() == len(y0) >= (corner["group"] == "a").sum()


def test_pixels_inside_are_those_of_one_by_one() -> None:
    grid = PixelEdges(make_cube(dates=3))
    hole = shapely.Point(LEFT + 171, TOP - 150).buffer(20)
    for shape in (
        shapely.Point(LEFT + 150, TOP - 140).buffer(133).difference(hole),
        square(0, 0, 96, 128),
        square(3.5, 4.5, 70, 1.5),
        square(10, 10, 0.5, 0.5),
        shapely.union_all([square(1, 1, 5, 5), square(80, 100, 40, 40)]),
        shapely.box(0, 0, 1, 1),
    ):
        one = set(zip(*(a.tolist() for a in grid.windows_inside(shape, 1, 1)), strict=True))
        found = list(zip(*(a.tolist() for a in grid.pixels_inside(shape)), strict=True))
        assert len(found) == len(set(found))
        assert set(found) == one


def test_large_polygons_are_judged_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    from cpazmal_scale.samples.draw import anchor

    cube, choice = make_cube(dates=3), rules(offset="best", min_valid=0.95)
    covered = PixelEdges(cube).pixels_inside(square(5, 5, 60, 60))
    whole = best_corners(cube, "HH", covered, choice, FEATURES)
    monkeypatch.setattr(anchor, "PIXELS", 1)
    strips = best_corners(cube, "HH", covered, choice, FEATURES)
    np.testing.assert_array_equal(np.stack(whole), np.stack(strips))


# Terrain


def write_dem(path: Path, plane: tuple[float, float], crs: str = "EPSG:32632") -> Path:
    """Heights 2000 + e·east + n·north over the cube, in metres."""
    step = 10.0
    transform = Affine(step, 0, LEFT - 50, 0, -step, TOP + 50)
    y, x = np.mgrid[0:40, 0:50].astype(float)
    heights = 2000 + plane[0] * (x + 0.5) * step - plane[1] * (y + 0.5) * step
    profile = {"driver": "GTiff", "height": 40, "width": 50, "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", crs=crs, transform=transform, **profile) as file:
        file.write(heights.astype(np.float32), 1)
    return path


@pytest.mark.parametrize(
    ("plane", "slope", "aspect"),
    [((0, 1), 45, 180), ((1, 0), 45, 270), ((0, -0.5), 26.565, 0), ((-1, -1), 54.736, 45)],
)
def test_slope_and_aspect_of_a_plane(
    plane: tuple[float, float], slope: float, aspect: float, tmp_path: Path
) -> None:
    dem = write_dem(tmp_path / "dem.tif", plane)
    index = index_of(rules(dem=str(dem)))
    np.testing.assert_allclose(index["slope"], slope, atol=0.01)
    # Columns of UTM 32 lead north on its meridian at 9° E, and west of north on this side of it.
    convergence = -1.538
    turned = (index["aspect"] - aspect - convergence + 180) % 360 - 180
    np.testing.assert_allclose(turned, 0, atol=0.01)
    east, north = index["x"] - LEFT + 50, index["y"] - TOP - 50
    expected = 2000 + plane[0] * east + plane[1] * north
    np.testing.assert_allclose(index["elevation"], expected, atol=0.02)


def test_a_cube_that_holds_heights_needs_no_raster(tmp_path: Path) -> None:
    cube, plane = make_cube(dates=3), (0.3, -0.5)
    y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    step = float(cube.x[1] - cube.x[0])
    heights = 2000 + plane[0] * (x + 0.5) * step - plane[1] * (y + 0.5) * step
    own = cube.assign(elevation=(("y", "x"), heights.astype(np.float32)))
    corners = np.array([0, 3, SIZE[0] - 7]), np.array([0, 60, SIZE[1] - 7])
    windows = pd.DataFrame(
        {"class": "a", "group": "1", "y0": corners[0], "x0": corners[1]}, index=[0, 1, 2]
    )
    told = describe(own, windows, FEATURES, ["HH"], samples=rules())
    np.testing.assert_allclose(told["slope"], np.degrees(np.arctan(np.hypot(*plane))), atol=0.01)
    np.testing.assert_allclose(
        told["elevation"],
        2000 + (plane[0] * (corners[1] + 3.5) - plane[1] * (corners[0] + 3.5)) * step,
        atol=0.01,
    )
    # A raster that is given goes first.
    dem = write_dem(tmp_path / "dem.tif", (0, 1))
    given = describe(own, windows, FEATURES, ["HH"], samples=rules(dem=str(dem)))
    np.testing.assert_allclose(given["slope"], 45, atol=0.01)
    assert set(told["elevation_datum"]) == {"WGS84 ellipsoid"}
    assert set(given["elevation_datum"]) == {"not stated"}


@pytest.mark.parametrize(
    ("crs", "datum"),
    [
        ("EPSG:32632+3855", "EGM2008 height"),
        ("EPSG:2056+5728", "LN02 height"),
        ("EPSG:4979", "WGS84 ellipsoid"),
        ("EPSG:32632", "not stated"),
    ],
)
def test_a_raster_tells_what_its_heights_are_above(crs: str, datum: str, tmp_path: Path) -> None:
    profile = {"driver": "GTiff", "height": 2, "width": 2, "count": 1, "dtype": "float32"}
    place = Affine(1, 0, 6, 0, -1, 46)
    with rasterio.open(tmp_path / "dem.tif", "w", crs=crs, transform=place, **profile) as file:
        file.write(np.ones((1, 2, 2), np.float32))
    assert datum_of_raster(str(tmp_path / "dem.tif")) == datum


def test_slope_on_a_grid_in_degrees(tmp_path: Path) -> None:
    """One metre up per metre north, on the authors' WGS84 pixels at 45.85° N."""
    cube = make_cube(dates=3).drop_vars("spatial_ref")
    step = 2.69494585e-5
    cube = cube.assign_coords(
        y=45.85 - (np.arange(SIZE[0]) + 0.5) * step, x=6.86 + (np.arange(SIZE[1]) + 0.5) * step
    ).rio.write_crs("EPSG:4326")
    y = 45.851 - (np.arange(80)[:, None] + 0.5) * 1e-4
    heights = np.broadcast_to(2000 + (y - 45.85) * 111_144, (80, 80)).astype(np.float32)
    profile = {"driver": "GTiff", "height": 80, "width": 80, "count": 1, "dtype": "float32"}
    transform = Affine(1e-4, 0, 6.859, 0, -1e-4, 45.851)
    with rasterio.open(
        tmp_path / "dem.tif", "w", crs="EPSG:4326", transform=transform, **profile
    ) as file:
        file.write(heights, 1)
    at = np.array([10, 40]), np.array([10, 60])
    found = terrain(str(tmp_path / "dem.tif"), PixelEdges(cube), *at, 7)
    np.testing.assert_allclose(found["slope"], 45, atol=0.1)
    np.testing.assert_allclose(found["aspect"], 180, atol=0.1)


@pytest.mark.parametrize(
    ("crs", "latitude"), [("EPSG:3413", 75.0), ("EPSG:3031", -75.0), ("EPSG:3857", 60.0)]
)
def test_slope_and_aspect_are_those_of_the_ground(
    crs: str, latitude: float, tmp_path: Path
) -> None:
    """One metre up per metre north at 150° W, whatever way the columns of a projection lead."""
    west = -150.0
    middle = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(west, latitude)
    cube = make_cube(dates=3).drop_vars("spatial_ref")
    cube = cube.assign_coords(
        y=middle[1] - (np.arange(SIZE[0]) - SIZE[0] / 2) * PIXEL,
        x=middle[0] + (np.arange(SIZE[1]) - SIZE[1] / 2) * PIXEL,
    ).rio.write_crs(crs)
    metres = pyproj.Geod(ellps="WGS84").inv(west, latitude - 0.01, west, latitude + 0.01)[2] / 0.02
    size, step = (200, 600), 1e-4
    y = latitude + (size[0] / 2 - np.arange(size[0])[:, None] - 0.5) * step
    heights = np.broadcast_to(2000 + (y - latitude) * metres, size).astype(np.float32)
    place = Affine(step, 0, west - size[1] / 2 * step, 0, -step, latitude + size[0] / 2 * step)
    profile = {"driver": "GTiff", "height": size[0], "width": size[1], "count": 1}
    with rasterio.open(
        *(tmp_path / "dem.tif", "w"), crs="EPSG:4326", transform=place, dtype="float32", **profile
    ) as file:
        file.write(heights, 1)
    at = np.array([10, 40]), np.array([10, 60])
    found = terrain(str(tmp_path / "dem.tif"), PixelEdges(cube), *at, 7)
    np.testing.assert_allclose(found["slope"], 45, atol=0.2)
    np.testing.assert_allclose(found["aspect"], 180, atol=0.2)


def test_terrain_filters_windows_and_is_unknown_elsewhere(tmp_path: Path) -> None:
    dem = write_dem(tmp_path / "dem.tif", (0, 1))
    every = index_of(rules(dem=str(dem)))
    middle = every["elevation"].quantile(0.2)
    some = index_of(
        rules(dem=str(dem), where=f"elevation > {middle} AND aspect BETWEEN 90 AND 270")
    )
    assert 0 < len(some) < len(every)
    assert (some["elevation"] > middle).all()
    assert index_of(rules())[["elevation", "slope", "aspect"]].isna().all(axis=None)
    grid = PixelEdges(make_cube())
    at = np.array([0, 89]), np.array([0, 121]), 7
    far = terrain(str(dem), grid, *at)
    assert np.isfinite(far["slope"]).all()
    with rasterio.open(dem) as raster:
        profile, heights = raster.profile, raster.read(1)
    with rasterio.open(tmp_path / "dm.tif", "w", **{**profile, "dtype": "int32"}) as raster:
        raster.write(np.rint(heights * 1000).astype("int32"), 1)
        raster.scales, raster.offsets = (0.001,), (5.0,)
    scaled = terrain(str(tmp_path / "dm.tif"), grid, *at)
    np.testing.assert_allclose(scaled["elevation"], far["elevation"] + 5, atol=0.01)
    np.testing.assert_allclose(scaled["slope"], far["slope"], atol=0.05)
    with rasterio.open(tmp_path / "dm.tif", "r+") as raster:
        raster.units = ("ft",)
    with pytest.raises(SampleError, match="its heights are in ft"):
        terrain(str(tmp_path / "dm.tif"), grid, *at)
    elsewhere = write_dem(tmp_path / "far.tif", (0, 1), "EPSG:32631")
    with pytest.raises(SampleError, match="covers no window"):
        index_of(rules(dem=str(elsewhere)))
    (tmp_path / "bad.tif").write_bytes(b"no raster")
    with pytest.raises(SampleError, match="not a raster"):
        index_of(rules(dem=f"{tmp_path}/bad.tif"))


# Balance


def test_classes_are_balanced_evenly_from_their_groups() -> None:
    sizes = {"A/1": 50, "A/2": 40, "A/3": 3, "B/4": 20, "B/5": 25, "B/6": 22}
    names = np.repeat(list(sizes), list(sizes.values()))
    classes, groups = np.array([name.split("/") for name in names]).T
    for threshold, expected in (
        (None, {"A/1": 20, "A/2": 20, "B/4": 14, "B/5": 13, "B/6": 13}),
        (3, {"A/1": 3, "A/2": 3, "A/3": 3, "B/4": 3, "B/5": 3, "B/6": 3}),
        (22, {"A/1": 22, "A/2": 22, "B/5": 22, "B/6": 22}),
    ):
        rows = samples.balanced(classes, groups, threshold, seed=3)
        found = {
            str(k): int(v) for k, v in zip(*np.unique(names[rows], return_counts=True), strict=True)
        }
        if threshold is None:  # the best threshold of all
            assert len(rows) == max(
                len(samples.balanced(classes, groups, t)) for t in (3, 20, 22, 25) if t < 25
            )
            assert found == {"A/1": 22, "A/2": 22, "B/5": 22, "B/6": 22}
        else:
            assert found == expected
    again = samples.balanced(classes, groups, 3, seed=3)
    np.testing.assert_array_equal(again, samples.balanced(classes, groups, 3, seed=3))
    assert not np.array_equal(again, samples.balanced(classes, groups, 3, seed=4))
    with pytest.raises(SampleError, match="class A has 1 groups of at least 45"):
        samples.balanced(classes, groups, 45)


def test_a_balanced_index(windows: samples.Windows) -> None:
    index = index_of(rules(balance=True))
    assert index["class"].value_counts().nunique() == 1
    assert windows.balanced().summary()["windows"].nunique() == 1
    assert list(windows.summary().columns) == ["windows", "groups"]
    assert windows.summary().loc["ABL"].tolist() == [31, 2]
    about = windows.about("ICA002")
    assert (about["class"], about["windows"]) == ("ICA", 16)
    assert LEFT + 70 * PIXEL < about["x"] < LEFT + 100 * PIXEL
    around = windows.index.assign(aspect=np.where(windows.index.index % 2, 350.0, 20.0))
    facing = dataclasses.replace(windows, index=around).about("ICA002")["aspect"]
    assert facing == pytest.approx(5, abs=1e-9)
    assert np.isnan(about["aspect"])
    with pytest.raises(SampleError, match="no window of group ICA009") as caught:
        windows.about("ICA009")
    assert "ICA001, ICA002" in str(caught.value.remedy)


# Regular calendars


def test_series_on_a_regular_calendar() -> None:
    day = np.datetime64("2020-01-01", "s")
    dates = day + np.array([0, 10, 20, 60, 70]) * np.timedelta64(1, "D")
    values = np.array(
        [[0.0, 10, 20, 60, 70], [0, np.nan, 20, 60, 70], [np.nan, 10, 20, 60, np.nan]]
    )
    made, calendar = samples.regular_series(values, dates, every_days=5, max_gap_days=20)
    days = (calendar - day) / np.timedelta64(1, "D")
    np.testing.assert_array_equal(days, np.arange(0, 71, 5))
    gap = (days > 20) & (days < 60)
    np.testing.assert_allclose(made[0], np.where(gap, np.nan, days))
    np.testing.assert_allclose(made[1], np.where(gap, np.nan, days))
    outside = (days < 10) | (days > 60) | gap
    np.testing.assert_allclose(made[2], np.where(outside, np.nan, days))
    wide, _ = samples.regular_series(values, dates, every_days=5, max_gap_days=40)
    np.testing.assert_allclose(wide[0], days)
    stacked = np.stack([values.T, values.T * 2], axis=2)  # (T, n, 2)
    first, _ = samples.regular_series(stacked, dates, every_days=5, max_gap_days=20, axis=0)
    np.testing.assert_array_equal(first[:, :, 0].T, made)
    with pytest.raises(SampleError, match="positive"):
        samples.regular_series(values, dates, every_days=0, max_gap_days=20)


@pytest.mark.parametrize(
    ("days", "step", "gap", "says"),
    [
        ([0, 2, 1], 1, 5, "must increase"),
        ([0, 1, 1], 1, 5, "must increase"),
        ([], 1, 5, "needs a date"),
        ([0, 1], np.inf, 5, "positive"),
        ([0, 1], np.nan, 5, "positive"),
        ([0, 1], 1, 0, "positive"),
        ([0, 1], 1, np.nan, "positive"),
    ],
)
def test_calendars_that_cannot_be_are_refused(days, step: float, gap: float, says: str) -> None:
    dates = np.datetime64("2020-01-01", "s") + np.array(days, "m8[D]")
    with pytest.raises(SampleError, match=says):
        samples.regular_series(np.zeros(len(days)), dates, every_days=step, max_gap_days=gap)


@pytest.mark.parametrize(
    ("values", "dates", "step", "says"),
    [
        (np.zeros(2), np.array([20200108, 20200119]), 1, "no dates"),
        (np.zeros(2), [0.0, 11.0], 1, "no dates"),
        (np.zeros(3), np.array(["2020-01-08", "2020-01-19"], "M8[D]"), 1, "2 dates for values"),
        (np.zeros(2) + 1j, np.array(["2020-01-08", "2020-01-19"], "M8[D]"), 1, "complex128"),
        (np.zeros(2), np.array(["2020-01-08", "2020-01-19"], "M8[D]"), 1e-6, "millions"),
    ],
)
def test_what_is_no_series_of_dates_is_refused(values, dates, step: float, says: str) -> None:
    with pytest.raises(SampleError, match=says):
        samples.regular_series(values, dates, every_days=step, max_gap_days=40)


@pytest.mark.parametrize(
    ("values", "axis"), [(np.zeros(2), 5), (np.zeros(2), 0.5), (np.array(["1", "2"]), 0)]
)
def test_what_has_no_place_in_a_series_is_refused(values, axis) -> None:
    dates = np.array(["2020-01-08", "2020-01-19"], "M8[D]")
    with pytest.raises(SampleError, match=f"2 dates for values of .* along axis {axis}"):
        samples.regular_series(values, dates, every_days=6, max_gap_days=40, axis=axis)


def test_a_calendar_agrees_with_numpy_where_nothing_is_missing() -> None:
    rng = np.random.default_rng(0)
    days = np.sort(rng.choice(300, 25, replace=False))
    dates = np.datetime64("2020-01-01", "s") + days * np.timedelta64(1, "D")
    values = rng.normal(size=25)
    made, calendar = samples.regular_series(values, dates, every_days=7.5, max_gap_days=1e9)
    steps = (calendar - dates[0]) / np.timedelta64(1, "D")
    np.testing.assert_allclose(made, np.interp(steps, days - days[0], values), atol=1e-6)


# torch


def test_items_of_a_batch_are_whole_and_numbered(windows: samples.Windows) -> None:
    items = WindowItems(windows)
    rows = [5, 0, 40]
    pixels, labels = items.read(rows)
    np.testing.assert_array_equal(pixels, np.nan_to_num(windows.to_numpy()[rows], nan=0))
    assert items.classes[labels].tolist() == windows.classes[rows].tolist()


def test_torch_is_asked_for_only_when_wanted(windows: samples.Windows) -> None:
    if importlib.util.find_spec("torch") is not None:
        pytest.skip("torch is installed")
    with pytest.raises(SampleError, match="torch is not installed"):
        windows.to_torch()


def test_a_torch_loader_gives_the_pixels(windows: samples.Windows) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    loader = torch.utils.data.DataLoader(windows.to_torch(), batch_size=16)
    pixels = torch.cat([batch for batch, _ in loader])
    np.testing.assert_array_equal(pixels.numpy(), np.nan_to_num(windows.to_numpy(), nan=0))


def test_lists_of_the_index_have_a_value_per_date(windows: samples.Windows) -> None:
    for name in BY_DATE:
        assert {len(values) for values in windows.index[name]} == {12}


# Polygons that lie upon each other


def corners(index: pd.DataFrame, label: str) -> set[tuple[int, int]]:
    chosen = index[index["class"] == label]
    return set(zip(chosen["y0"], chosen["x0"], strict=True))


def test_ground_of_two_classes_is_in_no_window(caplog: pytest.LogCaptureFixture) -> None:
    """Two rectangles share rows 24 to 32 and columns 60 to 69: 90 pixels."""
    rows = (
        *FOUR[:2],
        *(("ICA", f"ICA00{n}", square(70, 10 + 30 * n, 20, 20)) for n in (1, 2)),
        ("ABL", "ABL003", square(3, 40, 30, 30)),
        ("ROC", "ROC001", square(24, 60, 30, 35)),
        ("ROC", "ROC002", square(60, 100, 25, 25)),
    )
    with caplog.at_level("WARNING", "cpazmal_scale"):
        index = samples.draw_windows(make_cube(), make_polygons(rows)).index
    told = [record.getMessage() for record in caplog.records]
    assert any("ABL ABL003 and ROC ROC001 in 90 pixels" in text for text in told)
    boxes = [
        (one["class"], shapely.box(one["x0"], one["y0"], one["x0"] + 7, one["y0"] + 7))
        for one in index.to_dict("records")
    ]
    disputed = shapely.box(60, 24, 70, 33)
    assert {"ABL", "ROC"} <= {label for label, _ in boxes}
    assert all(box.intersection(disputed).area < 1e-6 for _, box in boxes)
    for label, box in boxes:
        assert all(box.intersection(other).area == 0 for name, other in boxes if name != label)
    assert corners(index, "ABL") >= {(3, 5), (50, 5)}


def test_a_sliver_between_neighbours_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    rows = (*FOUR[:3], ("ICA", "ICA002", square(3, 34.2, 21, 20.8)))
    with caplog.at_level("WARNING", "cpazmal_scale"):
        index = samples.draw_windows(make_cube(), make_polygons(rows)).index
    assert "overlap" not in caplog.text
    assert corners(index, "ABL") == corners(
        samples.draw_windows(make_cube(), make_polygons()).index, "ABL"
    )


@pytest.mark.parametrize("twin", [square(3, 5, 30, 30), square(10, 10, 8, 8)])
def test_a_polygon_in_one_of_another_class_is_refused(twin: shapely.Polygon) -> None:
    rows = (*FOUR, ("ICA", "ICA009", twin))
    with pytest.raises(
        SampleError, match=r"100% of polygon (ICA ICA009|ABL ABL001) lies in"
    ) as said:
        samples.draw_windows(make_cube(), make_polygons(rows))
    assert "cut one out of the other" in str(said.value)


def test_ground_of_two_groups_of_a_class_is_of_one_group(caplog: pytest.LogCaptureFixture) -> None:
    """A copy of a polygon under another name, and one that overlaps its neighbour."""
    rows = (
        *FOUR,
        ("ABL", "ABL003", square(20, 20, 30, 31)),  # larger than ABL001
        ("ICA", "copy", FOUR[3][2]),
    )
    with caplog.at_level("WARNING", "cpazmal_scale"):
        index = samples.draw_windows(make_cube(), make_polygons(rows)).index
    assert "ICA ICA002 and ICA copy in 900 pixels" in caplog.text
    assert "ABL ABL001 and ABL ABL003 in 195 pixels" in caplog.text
    assert "cut one out of the other, or give them one group" in caplog.text
    assert set(index["group"]) == {"ABL001", "ABL002", "ABL003", "ICA001", "ICA002"}
    boxes = {
        group: [shapely.box(x, y, x + 7, y + 7) for y, x in own[["y0", "x0"]].to_numpy().tolist()]
        for group, own in index.groupby("group")
    }
    for one, other in itertools.combinations(boxes, 2):
        shared = shapely.union_all(boxes[one]).intersection(shapely.union_all(boxes[other]))
        assert shared.area == 0, (one, other)
    whole = index_of(rules()).groupby("group").size()
    assert (
        index.groupby("group").size()[["ABL001", "ABL002"]] == whole[["ABL001", "ABL002"]]
    ).all()


def test_a_table_of_polygons_is_checked_like_a_file(windows: samples.Windows) -> None:
    columns = ["class", "group", "y0", "x0"]
    table = make_polygons()
    shuffled = pd.concat([table.iloc[::-1], table]).rename(columns={"class": "Class"})
    shuffled = shuffled.rename_geometry("shape")
    again = samples.draw_windows(make_cube(), shuffled)
    pd.testing.assert_frame_equal(again.index[columns], windows.index[columns])
    numbered = samples.draw_windows(make_cube(), table.assign(group=[1, 2, 3, 4]))
    assert set(numbered.groups) == {"1", "2", "3", "4"}
    for wrong, says in (
        (table.rename(columns={"class": "what"}), "the polygons: no column `class`"),
        (table.assign(group=["a", None, "b", "c"]), "has no group"),
        (table.set_crs(None, allow_override=True), "no CRS"),
        (table.set_geometry(table.boundary), "without area, not a polygon"),
        (table.iloc[:3], "class ICA has 1 usable group"),
    ):
        with pytest.raises(SampleError, match=says):
            samples.draw_windows(make_cube(), wrong)


def test_a_slash_in_a_name_joins_no_groups() -> None:
    rows = (
        *(("a/b", name, shape) for name, (_, _, shape) in zip("cd", FOUR[:2], strict=True)),
        *(("a", name, shape) for name, (_, _, shape) in zip(("b/c", "d"), FOUR[2:], strict=True)),
    )
    index = index_of(rules(classes=("a", "a/b"), max_per_group=5), rows=rows)
    assert index.groupby(["class", "group"]).size().tolist() == [5, 5, 5, 5]
    classes, groups = np.repeat(["a/b", "a"], 20), np.repeat(["c", "d", "b/c", "d"], 10)
    kept = samples.balanced(classes, groups)
    assert len(kept) == 40
