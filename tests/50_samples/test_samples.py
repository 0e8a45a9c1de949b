"""Labelled windows: polygons, index, series, clusters, splits, SQL."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import rioxarray  # noqa: F401
import shapely
import xarray as xr

from cpazmal_scale.config import Features, Samples
from cpazmal_scale.cube import window_pixels
from cpazmal_scale.errors import SampleError, StoreMissing
from cpazmal_scale.features import block_series
from cpazmal_scale.samples import (
    nothing,
    open_windows,
    query,
    read_index,
    read_polygons,
    self_labelled,
    splits,
    window_index,
    window_series,
    write_index,
)
from cpazmal_scale.samples.sql import chosen

LEFT, TOP, PIXEL = 334_000.0, 5_082_000.0, 3.0
FEATURES = Features()


def make_cube(
    size: tuple[int, int] = (96, 128), dates: int = 5, chunk: int | None = 32, seed: int = 0
) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    power = rng.gamma(2, 0.05, (2, dates, *size)).astype(np.float32)
    time = np.datetime64("2020-01-08T17:25:29", "s") + np.arange(dates) * np.timedelta64(11, "D")
    mask = np.zeros((dates, *size), np.uint8)
    cube = xr.Dataset(
        {
            "HH": (("time", "y", "x"), power[0]),
            "HV": (("time", "y", "x"), power[1]),
            "mask": (("time", "y", "x"), mask),
        },
        {
            "time": time.astype("datetime64[ns]"),
            "y": TOP - (np.arange(size[0]) + 0.5) * PIXEL,
            "x": LEFT + (np.arange(size[1]) + 0.5) * PIXEL,
            "incidence_angle": ("time", np.full(dates, 36.5)),
        },
        {"beam": "DSC_132_strip_011"},
    ).rio.write_crs("EPSG:32632")
    return cube.chunk({"time": 1, "y": chunk, "x": chunk}) if chunk else cube


def square(row: float, column: float, height: float, width: float) -> shapely.Polygon:
    """A rectangle in pixels of the cube's grid."""
    return shapely.box(
        LEFT + column * PIXEL,
        TOP - (row + height) * PIXEL,
        LEFT + (column + width) * PIXEL,
        TOP - row * PIXEL,
    )


def make_polygons(*rows: tuple[str, str, Any]) -> geopandas.GeoDataFrame:
    labels, groups, shapes = zip(*rows, strict=True)
    return geopandas.GeoDataFrame(
        {"class": labels, "group": groups}, geometry=list(shapes), crs="EPSG:32632"
    )


FOUR = (
    ("ABL", "ABL001", square(3, 5, 30, 30)),
    ("ABL", "ABL002", square(50, 5, 21, 40)),
    ("ICA", "ICA001", square(3, 60, 28, 28)),
    ("ICA", "ICA002", square(60, 70, 30, 30)),
)
TWO_CLASSES = Samples(classes=("ICA", "ABL"))


def index_of(cube: xr.Dataset, samples: Samples = TWO_CLASSES, **changes: Any) -> pd.DataFrame:
    settings: dict[str, Any] = {"seed": 1, "polarisations": ("HH", "HV"), **changes}
    polygons = settings.pop("polygons", make_polygons(*FOUR))
    return window_index(cube, polygons, samples, FEATURES, **settings)


# Polygons


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp"])
def test_polygons_of_every_format_are_read_alike(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"p.{suffix}"
    make_polygons(*FOUR).to_file(path)
    table = read_polygons(str(path))
    assert list(table["class"]) == ["ABL", "ABL", "ICA", "ICA"]
    assert list(table["group"]) == ["ABL001", "ABL002", "ICA001", "ICA002"]
    for read, (_, _, drawn) in zip(table.geometry, FOUR, strict=True):
        assert read.symmetric_difference(drawn).area < 1e-3 * drawn.area


def test_polygons_are_read_from_s3(tmp_path: Path, s3_url: str) -> None:
    from cpazmal_scale import storage

    make_polygons(*FOUR).to_file(tmp_path / "p.gpkg")
    storage.write_bytes(f"{s3_url}/p.gpkg", (tmp_path / "p.gpkg").read_bytes())
    assert len(read_polygons(f"{s3_url}/p.gpkg")) == 4


def test_self_intersections_are_repaired_and_parts_of_a_group_joined(tmp_path: Path) -> None:
    bow_tie = shapely.Polygon([(0, 0), (100, 100), (100, 0), (0, 100)])
    rows = [("ABL", "A1", bow_tie), ("ABL", "A1", shapely.box(200, 0, 300, 10)), FOUR[1]]
    make_polygons(*rows).to_file(tmp_path / "p.gpkg")
    table = read_polygons(str(tmp_path / "p.gpkg"))
    assert list(table["group"]) == ["A1", "ABL002"]
    assert table.geometry.is_valid.all()
    assert table.geometry.iloc[0].area == pytest.approx(5000 + 1000)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.rename(columns={"group": "name"}), "no column `group`"),
        (lambda t: t.rename(columns={"class": "name"}), "no column `class`"),
        (lambda t: t.iloc[:0], "no polygon"),
        (lambda t: t.iloc[:3], "class ICA has 1 usable group,"),
        (lambda t: t.assign(group=[None, "b", "c", "d"]), "has no group"),
        (lambda t: t.set_geometry(t.geometry.boundary), "group ABL001: a LineString without area"),
    ],
)
def test_polygons_that_cannot_be_used_are_refused(tmp_path: Path, change: Any, words: str) -> None:
    change(make_polygons(*FOUR)).to_file(tmp_path / "p.gpkg")
    with pytest.raises(SampleError, match=words) as caught:
        read_polygons(str(tmp_path / "p.gpkg"))
    assert caught.value.remedy


def test_polygons_without_crs_or_format_or_class_are_refused(tmp_path: Path) -> None:
    table = make_polygons(*FOUR)
    table.to_file(tmp_path / "p.shp")
    (tmp_path / "p.prj").unlink()
    with pytest.raises(SampleError, match="no CRS"):
        read_polygons(str(tmp_path / "p.shp"))
    (tmp_path / "q.gpkg").write_bytes(b"\0" * 100)
    with pytest.raises(SampleError, match="not a vector file"):
        read_polygons(str(tmp_path / "q.gpkg"))
    with pytest.raises(StoreMissing):
        read_polygons(str(tmp_path / "r.gpkg"))
    table.to_file(tmp_path / "s.gpkg")
    with pytest.raises(SampleError, match="no polygon of class HAG"):
        read_polygons(str(tmp_path / "s.gpkg"), ["ABL", "HAG"])
    assert len(read_polygons(str(tmp_path / "s.gpkg"), ["ICA"])) == 2


# Index


def test_windows_fill_the_polygon_from_its_top_left_pixel() -> None:
    index = index_of(make_cube())
    assert list(index["class"].unique()) == ["ICA", "ABL"]
    for group, (top, left, down, across) in {
        "ABL001": (3, 5, 4, 4),
        "ABL002": (50, 5, 3, 5),
        "ICA001": (3, 60, 4, 4),
        "ICA002": (60, 70, 4, 4),
    }.items():
        found = index[index["group"] == group]
        expected = itertools.product(range(down), range(across))
        assert set(zip(found["y0"], found["x0"], strict=True)) == {
            (top + 7 * i, left + 7 * j) for i, j in expected
        }
    first = index[index["group"] == "ABL001"].iloc[0]
    assert (first["y"], first["x"]) == (TOP - 6.5 * PIXEL, LEFT + 8.5 * PIXEL)
    assert first["size"] == 7
    assert first["beam"] == "DSC_132_strip_011"
    assert first["polarisations"] == "HH,HV"
    assert first["incidence_angle"] == 36.5
    assert first["time_start"] == pd.Timestamp("2020-01-08T17:25:29")
    assert first["time_end"] == pd.Timestamp("2020-02-21T17:25:29")


@pytest.mark.parametrize("stride", [1, 3, 10])
def test_every_window_lies_wholly_in_its_polygon(stride: int) -> None:
    blob = shapely.Point(LEFT + 150, TOP - 140).buffer(66).difference(square(40, 45, 9, 3))
    polygons = make_polygons(("ABL", "a", blob), ("ABL", "b", square(3, 5, 20, 20)))
    index = index_of(
        make_cube(dates=1), Samples(classes=("ABL",), stride=stride, max_per_group=None),
        polygons=polygons,
    )  # fmt: skip
    found = index[index["group"] == "a"]
    assert len(found) > 3
    inside = shapely.union_all([square(w.y0, w.x0, 7, 7) for w in found.itertuples()])
    assert inside.difference(blob.buffer(1e-4)).area == 0
    rows = int((blob.bounds[3] - TOP) / -PIXEL), int((blob.bounds[0] - LEFT) / PIXEL)
    every = [
        (y, x)
        for y in range(rows[0], 96 - 7)
        for x in range(rows[1], 128 - 7)
        if blob.covers(square(y, x, 7, 7))
        and (y - found["y0"].iloc[0]) % stride == 0
        and (x - found["x0"].iloc[0]) % stride == 0
    ]
    assert sorted(zip(found["y0"], found["x0"], strict=True)) == every


def test_polygons_in_another_crs_give_the_same_windows() -> None:
    cube = make_cube()
    wide = [(c, g, shape.buffer(0.05)) for c, g, shape in FOUR]
    here = index_of(cube, polygons=make_polygons(*wide))
    there = index_of(cube, polygons=make_polygons(*wide).to_crs("EPSG:4326"))
    pd.testing.assert_frame_equal(here, there)


def test_at_most_max_per_group_by_seed_whatever_the_other_polygons() -> None:
    samples = Samples(classes=("ABL",), max_per_group=5)
    cube = make_cube()
    first = index_of(cube, samples)
    assert (first.groupby("group").size() == 5).all()
    pd.testing.assert_frame_equal(first, index_of(cube, samples))
    assert not first[["y0", "x0"]].equals(index_of(cube, samples, seed=2)[["y0", "x0"]])
    more = make_polygons(*FOUR, ("ABL", "ABL000", square(75, 5, 20, 20)))
    added = index_of(cube, samples, polygons=more)
    pd.testing.assert_frame_equal(added[added["group"] != "ABL000"].reset_index(drop=True), first)


def test_fractions_count_pixels_and_unfit_windows_are_left_out() -> None:
    cube = make_cube(dates=4).compute()
    cube["mask"][:, 3:10, 5:12] = 1  # one window wholly in layover
    cube["mask"][0, 3:10, 12:19] = 2  # the next in shadow on one date of four
    cube["HH"][:, 3:10, 19:23] = np.nan  # the next has 3 of 7 columns left
    cube["HH"][:2, 10:17, 5:9] = np.nan  # this one on half the dates
    cube["HV"][:] = np.nan  # a missing cross-polarisation costs no window
    lenient = Samples(classes=("ABL",), max_masked=1, min_valid=0, max_per_group=None)
    index = index_of(cube, lenient).set_index(["y0", "x0"])
    columns = ["valid_fraction", "layover_fraction", "shadow_fraction", "masked_fraction"]
    assert list(index.loc[(3, 5), columns]) == [0, 1, 0, 1]
    assert list(index.loc[(3, 12), columns]) == [1, 0, 0.25, 0.25]
    assert list(index.loc[(3, 19), columns]) == pytest.approx([3 / 7, 0, 0, 0])
    assert list(index.loc[(10, 5), columns]) == pytest.approx([(1 + 3 / 7) / 2, 0, 0, 0])
    assert list(index.loc[(10, 12), columns]) == [1, 0, 0, 0]
    strict = index_of(cube, Samples(classes=("ABL",)))
    kept = set(zip(strict["y0"], strict["x0"], strict=True))
    assert not kept & {(3, 5), (3, 12), (3, 19)}
    assert {(10, 5), (10, 12)} <= kept


def test_index_refuses_what_cannot_be_sampled() -> None:
    cube = make_cube()
    far = make_polygons(*((c, g, shapely.transform(s, lambda p: p + 1e5)) for c, g, s in FOUR))
    with pytest.raises(SampleError, match="outside the cube"):
        index_of(cube, polygons=far)
    with pytest.raises(SampleError, match="class HAG has 0 usable groups"):
        index_of(cube, Samples(classes=("ABL", "HAG")))
    half = make_polygons(*FOUR[:3], ("ICA", "ICA002", far.geometry.iloc[3]))
    with pytest.raises(SampleError, match="class ICA has 1 usable group, ") as caught:
        index_of(cube, polygons=half)
    assert "ICA" in str(caught.value.remedy)
    with pytest.raises(SampleError, match="no polarisation VH") as caught:
        index_of(cube, polarisations=("HH", "VH"))
    assert "HH, HV" in str(caught.value.remedy)
    with pytest.raises(SampleError, match="no CRS"):
        index_of(cube.drop_vars("spatial_ref"))


# Pixels and series


@pytest.mark.parametrize("chunk", [None, 16, 32, 50])
def test_windows_across_chunks_hold_the_cube_s_pixels(chunk: int | None) -> None:
    cube = make_cube(chunk=chunk)
    rng = np.random.default_rng(3)
    y0, x0 = rng.integers(0, 96 - 20, 300), rng.integers(0, 128 - 20, 300)
    seen = np.zeros(300, int)
    HV, HH = cube["HV"].to_numpy(), cube["HH"].to_numpy()
    for pixels in window_pixels(cube, y0, x0, 20, ["HV", "HH"]):
        seen[pixels.rows] += 1
        for row, power in zip(pixels.rows, pixels.power, strict=True):
            box = np.s_[:, y0[row] : y0[row] + 20, x0[row] : x0[row] + 20]
            np.testing.assert_array_equal(power, np.stack([HV[box], HH[box]]))
    assert (seen == 1).all()


def test_every_chunk_is_read_once_and_others_not_at_all() -> None:
    cube = make_cube(dates=3)
    read: list[tuple[int, ...]] = []

    def spy(block: np.ndarray, block_info: Any = None) -> np.ndarray:
        if block_info and block_info[0].get("chunk-location"):
            read.append(tuple(block_info[0]["chunk-location"]))
        return block

    spied = cube["HH"].data.map_blocks(spy, dtype=np.float32, meta=np.zeros((0, 0, 0), "f4"))
    cube = cube.assign(HH=(("time", "y", "x"), spied))
    y0, x0 = np.array([3, 30, 1, 25]), np.array([3, 30, 5, 2])  # (30, 30) touches four chunks
    ticks: list[tuple[int, int]] = []
    for _ in window_pixels(cube, y0, x0, 7, ["HH"], lambda done, of: ticks.append((done, of))):
        pass
    assert sorted(read) == sorted(itertools.product(range(3), range(2), range(2)))
    assert ticks == [(i, 4) for i in range(1, 5)]


def test_series_equal_the_block_kernel_bit_for_bit() -> None:
    cube = make_cube().compute()
    cube["HV"][2] = np.nan  # a date without the cross-polarisation
    cube["mask"][1, 5:9, 5:9] = 2
    whole = block_series(
        np.stack([cube["HH"].to_numpy(), cube["HV"].to_numpy()]), cube["mask"].to_numpy(),
        FEATURES.excluded, floor=FEATURES.floor,
    )  # fmt: skip
    index = index_of(cube)
    series = window_series(cube.chunk({"time": 1, "y": 32, "x": 32}), index, FEATURES, ["HH", "HV"])
    assert series.values.dtype == np.float32
    np.testing.assert_array_equal(
        series.values,
        np.stack([whole[:, :, y, x] for y, x in zip(index["y0"], index["x0"], strict=True)]),
    )
    assert np.isnan(series.values[:, 3:, 2]).all()
    assert np.isfinite(series.values[:, :3, 2]).all()
    assert series.names[0] == "HH.k1"
    assert len(series.names) == 9
    assert series.dates.dtype == np.dtype("datetime64[s]")
    single = window_series(cube, index, FEATURES, ["HH"])
    np.testing.assert_array_equal(single.values, series.values[:, :3])


def test_series_refuse_another_window_or_cube() -> None:
    cube = make_cube()
    index = index_of(cube)
    with pytest.raises(SampleError, match=r"7 pixels wide, features\.window is 5"):
        window_series(cube, index, Features(window=5), ["HH"])
    with pytest.raises(SampleError, match="outside the cube of 40 × 128"):
        window_series(cube.isel(y=slice(40)), index, FEATURES, ["HH"])
    with pytest.raises(SampleError, match="no date"):
        window_series(cube.isel(time=slice(0)), index, FEATURES, ["HH"])


@pytest.mark.parametrize("part", [{"y": slice(1, None)}, {"x": slice(2, None)}])
def test_windows_of_another_grid_are_refused_wherever_they_are_read(
    part: dict[str, slice], tmp_path: Path
) -> None:
    cube = make_cube()
    index = index_of(cube)
    moved = cube.isel(part)
    coarse = cube.assign_coords(y=TOP - (np.arange(96) + 0.5) * 2 * PIXEL)
    write_index(index, f"{tmp_path}/a.parquet")
    for other in (moved, coarse, cube.isel(y=slice(None, None, -1))):
        with pytest.raises(SampleError, match=r"drawn on another grid.*make the samples again"):
            window_series(other, index, FEATURES, ["HH"])
        with pytest.raises(SampleError, match="drawn on another grid"):
            open_windows(f"{tmp_path}/a.parquet", other)
    write_index(index.drop(columns="x"), f"{tmp_path}/b.parquet")
    with pytest.raises(SampleError, match="not a Parquet file of samples"):
        open_windows(f"{tmp_path}/b.parquet", cube)


@pytest.mark.slow
def test_real_scenes_give_bright_and_dark_classes(shared_data: Path, tmp_path: Path) -> None:
    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.cube import ingest_scenes, open_cube

    example = Path(__file__).parents[2] / "docs" / "examples" / "sentinel1-rtc.yaml"
    burst = shared_data / "s1-rtc" / "T137-292323-IW2"
    if not burst.is_dir() or not example.exists():
        pytest.skip("the Sentinel-1 RTC burst or its example configuration is not here")
    run = RunConfig.load(example, workspace=str(tmp_path))
    ingest_scenes(
        run.model_copy(update={"ingest": run.ingest.model_copy(update={"scenes": str(burst)})})
    )
    cube = open_cube(f"{tmp_path}/cubes/T137-292323-IW2.zarr")
    index = self_labelled(cube, run.samples, run.features, run.seed, ("VV", "VH"))
    series = window_series(cube, index, run.features, ("VV", "VH"))
    level = [series.values[(index["class"] == f"C{n}").to_numpy(), 0].mean() for n in range(1, 5)]
    assert len(index) > 150
    assert level == sorted(level)
    assert level[3] - level[0] > 0.3  # nepers: 2.6 dB
    assert np.isfinite(series.values).all()


# Store and SQL


@pytest.mark.parametrize("place", ["local", "s3"])
def test_index_is_stored_and_queried(
    place: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    base = str(tmp_path) if place == "local" else request.getfixturevalue("s3_url")
    url = f"{base}/samples/a.parquet"
    index = index_of(make_cube())
    write_index(index, url)
    pd.testing.assert_frame_equal(read_index(url), index, check_dtype=False)
    count = query("SELECT class, count(*) AS n FROM samples GROUP BY class ORDER BY class", url)
    assert count.to_dict("list") == {"class": ["ABL", "ICA"], "n": [31, 32]}
    some = query(
        "SELECT * FROM windows WHERE class IN ('ICA', 'HAG') AND incidence_angle < 40 "
        "AND date < '2020-01-20' AND y0 < 5",
        url,
    )
    assert set(some["group"]) == {"ICA001"}
    assert len(some) == 4 * 2  # windows × dates
    assert list(some["date"].unique()) == list(
        pd.to_datetime(["2020-01-08T17:25:29", "2020-01-19T17:25:29"])
    )
    assert len(query("SELECT * FROM windows WHERE y0 < 0", url)) == 0
    assert nothing(url) == (
        "no row: there are 63 windows of ABL, ICA, 2020-01-08 to 2020-02-21, "
        "incidence 36.5° to 36.5°"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT clas FROM windows",
        "SELEC 1",
        "SELECT * FROM other",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY windows TO '/tmp/never.csv'",
        "SELECT * FROM index",
        "SET enable_external_access = true; SELECT * FROM '/etc/passwd'",
        "SELECT 1; DROP VIEW windows",
        "INSTALL httpfs",
        "ATTACH '/tmp/never.duckdb'",
        "SELECT getenv('HOME')",
        "SELECT * FROM secret",
        "",
    ],
)
def test_wrong_sql_is_one_sentence(sql: str, tmp_path: Path) -> None:
    url = f"{tmp_path}/a.parquet"
    write_index(index_of(make_cube(dates=1)), url)
    secret = pd.DataFrame({"key": ["a variable of this process"]})
    with pytest.raises(SampleError, match="the query fails") as caught:
        query(sql, url)
    assert "\n" not in str(caught.value)
    assert any(word in str(caught.value.remedy) for word in ("valid_fraction", "one question"))
    assert not Path("/tmp/never.csv").exists()
    assert len(secret) == 1


CHANGING = (
    *("random() < 0.5", "RANDOM() < 0.5", "main.random() < 0.5", "uuid() > 'a'"),
    *("list_transform([1], lambda x: random())[1] < 0.5", "time_start < now()"),
    *("time_start < current_date", "time_start < CURRENT_TIMESTAMP", "time_start < today()"),
    *("time_start < localtimestamp", "time_start > ago(INTERVAL 3 DAY)"),
    *("age(time_start) > INTERVAL 3 DAY", "id IN (SELECT id FROM samples USING SAMPLE 50%)"),
    *("id IN (SELECT id FROM samples TABLESAMPLE 50%)",),
    "id IN (SELECT id FROM samples ORDER BY random() LIMIT 3)",
)
STEADY = (
    *("hash(id) % 2 = 0", "class = 'random'", "age(time_end, time_start) > INTERVAL 3 DAY"),
    *("year(time_start) = 2020", "strftime(time_start, '%m') = '01'"),
    "list_max(dates) > '2020-01-01'",
    "id IN (SELECT min(id) FROM samples GROUP BY class)",
)


@pytest.mark.parametrize(
    ("condition", "is_steady"), [*((c, False) for c in CHANGING), *((c, True) for c in STEADY)]
)
def test_chance_and_the_clock_choose_no_windows(condition: str, is_steady: bool) -> None:
    """The same run would take other windows, and be told as the same."""
    index = index_of(make_cube())
    if is_steady:
        assert len(chosen(index, condition)) <= len(index)
        return
    with pytest.raises(SampleError, match="chooses other windows every time"):
        chosen(index, condition)


def test_several_indices_are_asked_together_and_old_ones_are_named() -> None:
    here = index_of(make_cube(dates=2))
    there = index_of(make_cube(dates=3)).assign(beam="ASC_59")
    found = query("SELECT beam, count(*) AS n FROM windows GROUP BY beam ORDER BY n", [here, there])
    assert found.to_dict("list") == {"beam": ["DSC_132_strip_011", "ASC_59"], "n": [126, 189]}
    ids = query("SELECT DISTINCT id FROM windows ORDER BY id", [here, there])["id"]
    assert ids.tolist() == list(range(126))
    quoted = query('SELECT "group", min("size") AS s FROM samples GROUP BY 1 ORDER BY 1', here)
    assert quoted["group"].tolist() == ["ABL001", "ABL002", "ICA001", "ICA002"]
    assert len(query("SELECT date FROM windows", here.iloc[:0])) == 0
    assert nothing(here.iloc[:0]) == "no row: the index is empty"
    with pytest.raises(SampleError, match="does not know its dates"):
        query("SELECT 1", here.drop(columns="dates"))


def test_a_missing_or_broken_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        read_index(f"{tmp_path}/none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(SampleError, match="not a Parquet file"):
        read_index(f"{tmp_path}/bad.parquet")


# Clusters


def brightness_cube() -> xr.Dataset:
    """Four levels in bands of 24 columns, with gaps in space and time."""
    cube = make_cube((120, 96), dates=6, chunk=None)
    level = np.repeat([0.3, 0.01, 1.0, 0.05], 24).astype(np.float32)
    cube["HH"] = cube["HH"] * 10 * level
    cube["HV"] = cube["HV"] * 2 * level
    cube["HV"][3:] = np.nan
    cube["HH"][2, :60] = np.nan
    cube["mask"][:, :20, :20] = 1
    return cube.chunk({"time": 1, "y": 50, "x": 50})


def test_clusters_find_the_surfaces_and_are_ordered_by_brightness() -> None:
    cube = brightness_cube()
    index = self_labelled(cube, Samples(), FEATURES, 3, ["HH", "HV"])
    expected = np.array(["C3", "C1", "C4", "C2"])[index["x0"] // 24]
    assert (index["class"].to_numpy() == expected).mean() > 0.95
    across = (index["x0"] // 24) != ((index["x0"] + 6) // 24)
    assert 0 <= across.mean() < 0.02
    assert not ((index["y0"] < 14) & (index["x0"] < 14)).any()
    assert (index.groupby("class")["group"].nunique() >= 2).all()
    folds = list(splits.stratified_group_folds(index["class"], index["group"], 3, 0))
    assert len(folds) == 3
    again = self_labelled(cube, Samples(), FEATURES, 3, ["HH", "HV"])
    pd.testing.assert_frame_equal(index, again)
    assert set(index.columns) == set(index_of(make_cube(dates=1)).columns)


def test_clusters_read_few_chunks_of_a_large_cube() -> None:
    cube = make_cube((400, 400), dates=1, chunk=16)
    index = self_labelled(cube, Samples(clusters=2), FEATURES, 0, ["HH"])
    chunks = set(zip(index["y0"] // 16, index["x0"] // 16, strict=True))
    assert 16 <= len(chunks) <= 64
    assert len(index) <= 4096


def test_clusters_refuse_too_little() -> None:
    with pytest.raises(SampleError, match="usable windows cannot make 32 clusters"):
        self_labelled(make_cube((30, 30)), Samples(clusters=32), FEATURES, 0, ["HH"])
    flat = make_cube(chunk=None)
    flat["HH"][:] = 0.1
    with pytest.raises(SampleError, match="differ too little"):
        self_labelled(flat, Samples(), FEATURES, 0, ["HH"])
    with pytest.raises(SampleError, match="no polarisation VV"):
        self_labelled(flat, Samples(), FEATURES, 0, ["VV"])


# Splits


def labelled(groups_per_class: dict[str, int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = [
        (label, f"{label}{group}")
        for label, count in groups_per_class.items()
        for group in range(count)
        for _ in range(rng.integers(3, 60))
    ]
    y, groups = np.array(rows).T
    order = rng.permutation(len(y))
    return y[order], groups[order]


def lacking_classes(y: np.ndarray, train: np.ndarray, test: np.ndarray) -> set[str]:
    """Classes that a fold has on one side only, or on none."""
    return set(y) - (set(y[train]) & set(y[test]))


@pytest.mark.parametrize("seed", range(5))
def test_stratified_folds_keep_groups_whole_and_test_everything_once(seed: int) -> None:
    y, groups = labelled({"ABL": 7, "ACC": 9, "HAG": 7, "ICA": 9}, seed)
    tested = np.zeros(len(y), int)
    for train, test in splits.stratified_group_folds(y, groups, 3, seed):
        assert not set(groups[train]) & set(groups[test])
        assert len(train) + len(test) == len(y)
        assert lacking_classes(y, train, test) == set()
        tested[test] += 1
    assert (tested == 1).all()
    first, again, other = (
        [test.tolist() for _, test in splits.stratified_group_folds(y, groups, 3, s)]
        for s in (seed, seed, seed + 1)
    )
    assert first == again != other


def test_a_fold_without_a_class_is_named() -> None:
    y, groups = labelled({"ABL": 6, "ICA": 2})
    lacking = [
        lacking_classes(y, train, test)
        for train, test in splits.stratified_group_folds(y, groups, 3, 0)
    ]
    assert lacking.count({"ICA"}) == 1
    assert lacking.count(set()) == 2


def test_splits_refuse_too_few_groups_and_leaks() -> None:
    y, groups = labelled({"ABL": 4, "ICA": 1})
    with pytest.raises(SampleError, match="class ICA lies in 1 group only"):
        list(splits.stratified_group_folds(y, groups, 3, 0))
    y, groups = labelled({"ABL": 2, "ICA": 2})
    with pytest.raises(SampleError, match="4 groups cannot make 5 folds"):
        list(splits.stratified_group_folds(y, groups, 5, 0))
    with pytest.raises(SampleError, match="group b is both"):
        splits.check_disjoint(np.array(list("abb")), np.array([0, 1]), np.array([2]))


@pytest.mark.parametrize(("per_class", "folds"), [(1, None), (2, None), (2, 10)])
def test_cyclic_folds_test_as_many_groups_of_every_class(per_class: int, folds: int | None) -> None:
    y, groups = labelled({"ABL": 5, "ACC": 9, "ICA": 3})
    found = list(splits.cyclic_group_folds(y, groups, groups_per_class=per_class, folds=folds))
    assert len(found) == (folds or -(-9 // per_class))
    for train, test in found:
        assert not set(groups[train]) & set(groups[test])
        for label in np.unique(y):
            assert len(set(groups[test][y[test] == label])) == per_class
            assert (y[train] == label).any()
    assert {g for _, test in found for g in groups[test]} == set(groups)


def test_cyclic_folds_refuse_what_they_cannot_count() -> None:
    y, groups = labelled({"ABL": 5, "ICA": 2})
    with pytest.raises(SampleError, match="class ICA has 2 groups, 2 of them to test on"):
        list(splits.cyclic_group_folds(y, groups, groups_per_class=2))
    with pytest.raises(SampleError, match="more than one class"):
        list(splits.cyclic_group_folds(np.array(list("aabb")), np.array(list("xyxy"))))
