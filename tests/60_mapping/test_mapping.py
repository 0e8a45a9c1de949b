"""Maps: the plan's promises, the same bits however they are computed, naive twin, opening."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from support import operations
from support.fingerprint import fingerprint
from support.small_campaign import (
    CLASSES,
    DATES,
    M2,
    SHAPE,
    UTM,
    WGS84,
    backscatter,
    make_cube,
    make_model,
    whole_series,
    workspace,
)
from support.small_campaign import truth as true_classes

from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import ChunkReader
from cpazmal_scale.errors import ModelMismatch, PlanRefused, StoreError, StoreMissing
from cpazmal_scale.grid.areas import pixel_areas
from cpazmal_scale.grid.blocks import cut
from cpazmal_scale.mapping import map_cube, open_map, plan_card, plan_map
from cpazmal_scale.mapping.classify.sizes import Sizes
from cpazmal_scale.mapping.classify.store import write_template
from cpazmal_scale.mapping.classify.walk import Walk
from cpazmal_scale.model import open_model
from cpazmal_scale.palette import (
    NO_DATA,
    change_colours,
    colours,
    rgb,
    sides,
    transition,
    transitions,
)
from cpazmal_scale.vocabulary import CLASS_NAMES, GLACIER_CLASSES

DAY = {"start": "2020-01-01", "end": "2020-12-31"}


@pytest.fixture(scope="module")
def finished(data: tuple[str, str], tmp_path_factory: pytest.TempPathFactory):
    """A finished map and its result."""
    return map_cube(workspace(tmp_path_factory.mktemp("run")), *data)


@pytest.mark.parametrize("statistics", [None, ("cv", "k1", "histogram"), ("mean", "entropy", "k4")])
def test_map_equals_the_naive_route(data, statistics, finished, tmp_path: Path) -> None:
    """Whole-scene features through the classifier's own decision, without blocks or tiles."""
    if statistics is not None:
        config = workspace(tmp_path, features={"statistics": statistics, "unbiased": True})
        data = (make_model(f"{tmp_path}/model.zarr", config), data[1])
        finished = map_cube(config, *data)
    model = open_model(data[0])
    series = whole_series(model.features)
    flat = series.reshape(len(model.names), DATES, -1)
    decided = model.classifier.classify_block(flat, model.on_dates(model.dates).limits)
    made = open_map(finished.url)
    expected = np.where(decided.index < 254, decided.index + 1, decided.index).reshape(SHAPE)
    np.testing.assert_array_equal(made["class"], expected)
    for name in ("entropy", "margin"):
        stored = made[name].values.reshape(-1)
        np.testing.assert_array_equal(stored == 65535, np.isnan(getattr(decided, name)))
        near = np.nan_to_num(getattr(decided, name), nan=6.5535)
        np.testing.assert_allclose(stored * 1e-4, near, atol=5.1e-5)
    np.testing.assert_allclose(
        made.distance.values.reshape(-1), decided.distance, rtol=1e-3, equal_nan=True
    )
    np.testing.assert_array_equal(made.n_valid_dates, np.isfinite(series[0]).sum(axis=0))
    known = made["class"].values < 254
    assert np.abs(made.probability.values[:, known].sum(axis=0).astype(int) - 10000).max() <= 2
    assert (made["class"].values[known] - 1 == true_classes(SHAPE)[known]).mean() > 0.7


@pytest.mark.parametrize("case", ["large", "small", "threads", "order", "chunks"])
def test_same_bits_however_it_is_computed(case: str, data, finished, tmp_path: Path) -> None:
    """Block size, workers and order of ingest leave no trace in any object of the map.

    Dask's processes are held to the same in `tests/80_faults/test_map.py`.
    """
    settings = {
        "large": {"classify": {"block": 64}},
        "small": {"classify": {"block": 32}},
        "threads": {"cluster": {"kind": "threads", "workers": 3}, "classify": {"block": 32}},
        "order": {"classify": {"block": 32}},
        "chunks": {},
    }[case]
    model, cube = data
    if case == "order":
        cube = make_cube(f"{tmp_path}/cube.zarr", order=(7, 0, 9, 3, 4, 5, 1, 8, 2, 6))
    if case == "chunks":
        cube = make_cube(f"{tmp_path}/cube.zarr", chunk=48)
    made = map_cube(workspace(tmp_path, **settings), model, cube)
    assert made.id == finished.id
    assert made.floored == finished.floored
    if case == "chunks":
        xr.testing.assert_identical(open_map(made.url), open_map(finished.url))
    else:
        assert fingerprint(made.url) == fingerprint(finished.url)


def test_second_run_computes_nothing(data, finished) -> None:
    before = fingerprint(finished.url)
    calls: list[tuple[int, int]] = []
    config = workspace(Path(finished.url).parents[1])
    again = map_cube(config, *data, progress=lambda *done: calls.append(done))
    assert (again.blocks_executed, again.blocks_skipped, calls) == (0, finished.blocks_executed, [])
    assert again.pixels_by_class == finished.pixels_by_class
    assert fingerprint(finished.url) == before
    assert not Path(finished.url.replace(".zarr", ".progress")).exists()


def test_result_adds_up(finished) -> None:
    stored = open_map(finished.url)["class"].values
    assert finished.pixels == int((stored < 254).sum())
    assert list(finished.areas.index) == list(CLASSES)
    assert finished.areas["share"].sum() == pytest.approx(1)
    assert finished.areas["km2"].sum() * 1e6 == pytest.approx(finished.pixels * M2)
    assert finished.areas.loc["HAG", "name"] == "hanging glacier"
    assert finished.peak_memory > 50 << 20
    assert finished.pixels_per_second_per_core > 0


def test_the_share_below_the_floor_is_that_of_every_eighth_row_and_column(data, finished) -> None:
    features, (power, mask, _) = open_model(data[0]).features, backscatter()
    seen, flags = (np.asarray(a)[..., ::8, ::8].reshape(*a.shape[:-2], -1) for a in (power, mask))
    for channel, values in zip(("HH", "HV"), seen, strict=True):
        pairs = [
            value < 10**-3.1
            for value, flag in zip(values.flat, flags.flat, strict=True)
            if np.isfinite(value) and not flag & features.excluded
        ]
        assert finished.floored[channel] == pytest.approx(np.mean(pairs), abs=1e-12)
    assert 0 < finished.floored["HV"] < 0.05
    assert f"HV {finished.floored['HV']:.1%}" in str(finished)


def test_progress_counts_pixels(data, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    config = workspace(tmp_path, classify={"block": 64})
    map_cube(config, *data, progress=lambda *done: calls.append(done))
    assert calls[0] == (0, math.prod(SHAPE))
    assert calls[-1] == (math.prod(SHAPE), math.prod(SHAPE))
    assert len(calls) == 5


def test_opens_decoded_in_one_line(finished) -> None:
    made = xr.open_zarr(finished.url, decode_coords="all")
    assert made.rio.crs.to_epsg() == 32632
    assert made["class"].rio.crs.to_epsg() == 32632
    numbers = [float(n) for n in made.spatial_ref.attrs["GeoTransform"].split()]
    assert tuple(numbers) == UTM.transform.to_gdal()
    assert np.isnan(made["class"].values[:, -1]).all()
    chances = made.probability.sel(class_name="ACC")
    assert float(chances.max()) <= 1
    assert bool(chances.isnull().any())
    assert made["class"].attrs["flag_meanings"] == "ABL ACC HAG ICA rejected"
    assert made.attrs["Conventions"] == "CF-1.11"
    assert made.attrs["time_coverage_start"] == "2020-01-08T06:20:00Z"


def test_unfinished_map_is_refused_or_labelled(data, tmp_path: Path) -> None:
    made = plan_map(workspace(tmp_path), *data)
    with pytest.raises(StoreMissing, match="no map here"):
        open_map(made.url)
    write_template(made)
    with pytest.raises(StoreError, match="the map is not finished"):
        open_map(made.url)
    assert open_map(made.url, allow_incomplete=True).attrs["complete"] == 0


def test_template_written_again_changes_nothing(data, finished, tmp_path: Path) -> None:
    made = plan_map(workspace(tmp_path), *data)
    write_template(made)
    before = fingerprint(made.url)
    write_template(made)
    assert fingerprint(made.url) == before


def test_rejection(data, finished, tmp_path: Path) -> None:
    made = map_cube(workspace(tmp_path, classify={"reject": 1.0}), *data)
    assert made.id != finished.id
    stored = open_map(made.url)
    rejected = stored["class"].values == 254
    assert 0 < rejected.sum() == made.pixels_by_class["rejected"] < rejected.size
    assert (stored.distance.values[rejected] > 0.99).all()
    assert "rejected" in made.areas.index


def test_period_and_decision_are_part_of_the_identity(data, tmp_path: Path) -> None:
    plans = [
        plan_map(workspace(tmp_path, **settings), *data)
        for settings in (
            {},
            DAY,
            {"end": "2020-03-31"},
            {"classify": {"reject": 9.0}},
            {"classify": {"block": 32}},
            {"cluster": {"kind": "threads", "workers": 7}},
        )
    ]
    ids = [made.id for made in plans]
    assert ids[0] == ids[1] == ids[4] == ids[5]
    assert len(set(ids)) == 3
    assert len(plans[2].recipe.dates) == 8
    with pytest.raises(ModelMismatch, match=r"the model is DTW barycenter \(sum\), the run asks"):
        plan_map(workspace(tmp_path, classify={"decision": "vote"}), *data)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": {"window": 5}}, "features.window 7, the run asks for 5"),
        ({"features": {"floor_db": -30}}, "features.floor_db -31.0, the run asks for -30.0"),
        ({"features": {"masked": []}}, "features.masked layover, shadow"),
        ({"dtw": {"min_dates": 8}}, "dtw.min_dates 6, the run asks for 8"),
        ({"dtw": {"radius": 1}}, "dtw.radius null, the run asks for 1"),
        ({"dtw": {"open_ends": "both"}}, "dtw.open_ends null, the run asks for both"),
        ({"polarisations": ["HH"]}, "polarisations HH, HV, the run asks for HH"),
    ],
)
def test_what_the_model_was_not_trained_with_is_refused(data, tmp_path, changes, said: str) -> None:
    """It would change nothing of the map; what is as in training may be said."""
    with pytest.raises(ModelMismatch, match=re.escape(f"the model was trained with {said}")):
        plan_map(workspace(tmp_path, **changes), *data)
    every = RunConfig().model_dump(include={"features", "dtw"})
    del every["dtw"]["radius"]
    assert (
        plan_map(workspace(tmp_path, **every), *data).id == plan_map(workspace(tmp_path), *data).id
    )


@pytest.mark.parametrize("start", ["12-30", "01-06"])
def test_a_start_beside_that_of_the_training_is_taken(data, tmp_path, start: str) -> None:
    plan = plan_map(workspace(tmp_path, dtw={"season_start": start}), *data)
    assert plan.recipe.season_start == start


@pytest.mark.parametrize("start", ["06-28", "07-02", "07-07"])
def test_the_other_hemisphere_is_compared_half_a_year_later(data, tmp_path, start: str) -> None:
    """The cube's first months are then the last ones of the season, which the training lacks."""
    with pytest.raises(ModelMismatch, match="lie at a time of the year that the training"):
        plan_map(workspace(tmp_path, dtw={"season_start": start}), *data)


@pytest.mark.parametrize("start", ["10-01", "04-01", "12-01", "01-08", "07-09"])
def test_a_start_that_shifts_the_season_is_refused(data, tmp_path, start: str) -> None:
    """A year that begins in October, declared to one who counted from January."""
    with pytest.raises(ModelMismatch, match=f"season_start {start} lies .* leave it out"):
        plan_map(workspace(tmp_path, dtw={"season_start": start}), *data)


@pytest.mark.parametrize(
    ("trained", "latitude", "refused"),
    [
        ({}, -33.0, True),
        ({"hemisphere": "south"}, 46.0, True),
        ({"hemisphere": "south"}, -33.0, False),
        ({"hemisphere": "unknown"}, -33.0, False),
        ({}, -3.0, False),
    ],
)
def test_the_other_hemisphere_has_to_be_declared(
    data, tmp_path, monkeypatch, trained: dict, latitude: float, refused: bool
) -> None:
    provenance = {"beam": "DSC37", **trained}
    made = dataclasses.replace(open_model(data[0]), provenance=provenance)
    monkeypatch.setattr("cpazmal_scale.model.open_model", lambda _: made)
    monkeypatch.setattr("cpazmal_scale.grid.projections.middle_latitude", lambda _: latitude)
    told = pytest.raises(ModelMismatch, match=r"of the equator .* set dtw\.season_start")
    with told if refused else contextlib.nullcontext():
        plan_map(workspace(tmp_path), *data)
    plan_map(workspace(tmp_path, dtw={"season_start": made.season_start}), *data)


def test_shorter_period_is_mapped(data, tmp_path: Path) -> None:
    made = map_cube(workspace(tmp_path, end="2020-03-31"), *data)
    assert open_map(made.url).n_valid_dates.max() == 8


def test_too_few_dates_and_missing_channel(data, tmp_path: Path) -> None:
    with pytest.raises(ModelMismatch, match="3 dates in this period"):
        plan_map(workspace(tmp_path, end="2020-01-31"), *data)
    with pytest.raises(ModelMismatch):
        plan_map(workspace(tmp_path, start="2021-01-01"), *data)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("shape", "edge"), list(itertools.product([(5, 9), (64, 65)], [4, 32])))
def test_blocks_tile_the_grid(shape: tuple[int, int], edge: int) -> None:
    count = np.zeros(shape, int)
    for block in cut(shape, edge):
        count[block.y0 : block.y1, block.x0 : block.x1] += 1
        assert block.y0 % edge == block.x0 % edge == 0
    assert (count == 1).all()


def test_plan_counts_what_it_says(data, tmp_path: Path) -> None:
    made = plan_map(workspace(tmp_path, classify={"block": 40}), *data)
    model = open_model(data[0])
    limits = model.on_dates(model.dates).limits
    cells = sum(int(last - first) for first, last in limits)
    assert made.seconds_per_pixel == pytest.approx(9 * len(CLASSES) * cells / 4e9)
    assert made.block == (64, 64)
    # two columns of blocks; each reads the 32-pixel chunks under itself and its halo once
    assert made.bytes_read == 88 * (96 + (104 - 32)) * DATES * 9
    assert made.bytes_written == math.prod(SHAPE) * (4 * 2 + 11)
    assert f"{len(made.blocks)} of 64 × 64" in plan_card(made)


def test_a_plan_counts_the_workers_of_a_running_cluster(data, tmp_path: Path) -> None:
    from distributed import LocalCluster

    threads = workspace(tmp_path, cluster={"workers": 3, "threads": 2})
    assert plan_map(threads, *data).workers == 6
    # Without a limit: a worker that lives in this process counts all that the process holds.
    inside = {"dashboard_address": ":0", "processes": False, "memory_limit": 0}
    with LocalCluster(n_workers=5, threads_per_worker=1, **inside) as running:
        address = {"kind": "address", "address": running.scheduler_address}
        config = workspace(tmp_path, cluster=address)
        assert "on 5 workers" in plan_card(plan_map(config, *data))
        assert map_cube(config, *data).workers == 5
    assert map_cube(config, *data).blocks_executed == 0  # a finished map needs no scheduler


def test_plan_refuses_what_does_not_fit(data, tmp_path: Path) -> None:
    config = workspace(tmp_path, cluster={"kind": "serial", "memory_gib": 0.25})
    with pytest.raises(PlanRefused, match=r"GiB of a worker's 0\.2"):
        map_cube(config, *data)
    assert list(tmp_path.iterdir()) == []


def test_memory_forecast_does_not_grow_with_the_scene(tmp_path: Path, data) -> None:
    """The largest block that is chosen fits, however large the grid."""
    recipe = plan_map(workspace(tmp_path), *data).recipe
    recipe = recipe.model_copy(update={"dates": recipe.dates * 3})
    needed = set()
    for size in (20_000, 200_000):
        sizes = Sizes((size, size), recipe, 512, 512, 3)
        needed.add(sizes.memory(sizes.choose(2 << 30, 2)))
    assert max(needed) <= 0.8 * (2 << 30)


@pytest.mark.parametrize("piece", [32, 64, 48])
@pytest.mark.parametrize("halo", [0, 3, 20])
@pytest.mark.parametrize("order", [None, (9, 2, 3, 4, 8, 0, 1, 7, 6, 5)])
def test_a_walk_is_the_cube(piece: int, halo: int, order, tmp_path: Path) -> None:
    """Windows cover the columns once, from top to bottom, with the pixels around them."""
    cube = make_cube(f"{tmp_path}/cube.zarr", order=order)
    power, mask, start = backscatter()
    dates = tuple(str(d) for d in start.astype("datetime64[s]"))
    reader = ChunkReader.open(cube, ("HH", "HV"), dates)
    around = ((0, 0), (halo, halo), (halo, halo))
    power = np.pad(power, ((0, 0), *around), constant_values=np.nan)
    mask = np.pad(mask, around, constant_values=32)
    for y0, columns in ((0, (0, 64)), (32, (64, SHAPE[1])), (64, (32, 96)), (0, (0, SHAPE[1]))):
        seen = np.zeros(SHAPE, int)
        walk = Walk(reader, y0, columns, halo, piece)
        for last in range(y0 + 32, SHAPE[0] + 32, 32):
            last = min(last, SHAPE[0])
            while walk.y < last:
                window = walk.next(min(last + 32, SHAPE[0]))
                height, width = (n - 2 * halo for n in window.mask.shape[1:])
                seen[window.y : window.y + height, window.x : window.x + width] += 1
                rows = slice(window.y, window.y + height + 2 * halo)
                across = slice(window.x, window.x + width + 2 * halo)
                np.testing.assert_array_equal(window.power, power[:, :, rows, across])
                np.testing.assert_array_equal(window.mask, mask[:, rows, across])
        assert (seen[y0:, slice(*columns)] == 1).all()
        assert seen.sum() == (SHAPE[0] - y0) * (columns[1] - columns[0])


@pytest.mark.parametrize("edge", [None, 32, 64])
def test_every_chunk_is_read_once_per_walk(
    edge: int | None, data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down a column of blocks nothing is read twice; the plan says how much that is."""
    asked: Counter[str] = Counter()
    read = storage.read_bytes

    def counted(url: str) -> bytes:
        asked[url] += "/c/" in url and "stored" not in url
        return read(url)

    config = workspace(tmp_path, classify={"block": edge})
    planned = plan_map(config, *data)
    operations.replace(monkeypatch, "read_bytes", counted)
    map_cube(config, *data)
    chunks = {url: n for url, n in asked.items() if "/HH/" in url or "/mask/" in url}
    columns = math.ceil(SHAPE[1] / planned.block[1])
    assert max(chunks.values()) <= min(columns, 3)
    rows = math.ceil(SHAPE[0] / 32)
    assert sum(chunks.values()) <= 2 * DATES * rows * (math.ceil(SHAPE[1] / 32) + 2 * (columns - 1))


class InTurns:
    """Two workers, each a thread of its own, one block of each after the other, the last first."""

    workers = 2

    def run(self, function, lanes):
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
            keys = [(thread, slot, lanes.take(slot)) for slot, thread in enumerate((one, other))]
            while keys:
                thread, slot, key = keys.pop()
                if key is not None:
                    yield key, thread.submit(function, key).result()
                    keys.insert(0, (thread, slot, lanes.take(slot)))


@pytest.mark.parametrize("left", ["whole", "altered"])
def test_two_workers_read_one_row_of_chunks_twice(
    left: str, data, finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first rows of the lower one are left for the upper one; damaged, they are read again."""
    asked: Counter[str] = Counter()
    read = storage.read_bytes

    def counted(url: str) -> bytes:
        asked[url] += "/c/" in url and "stored" not in url
        found = read(url)
        if "/edge-" not in url or left == "whole":
            return found
        return found[:-1] + bytes([found[-1] ^ 1])

    cube = make_cube(f"{tmp_path}/cube.zarr", chunk=24)
    config = workspace(tmp_path, cluster={"kind": "threads", "workers": 2})
    planned = plan_map(config, data[0], cube)
    operations.replace(monkeypatch, "read_bytes", counted)
    made = map_cube(config, data[0], cube, executor=InTurns())
    rows, columns = (math.ceil(n / 24) for n in SHAPE)
    assert planned.block == (24, columns * 24)
    twice = columns if left == "whole" else 2 * columns
    for layer in ("/HH/", "/mask/"):
        chunks = sum(n for url, n in asked.items() if layer in url)
        assert chunks == DATES * (rows * columns + twice)
    read_whole = planned.bytes_read / (math.prod(SHAPE) * DATES * 9)
    assert read_whole == pytest.approx(1 + 24 / SHAPE[0])
    xr.testing.assert_identical(open_map(made.url), open_map(finished.url))


def test_row_areas_of_geographic_grids() -> None:
    """Against geodesic polygons on the ellipsoid, and the sphere's 4πR² in the whole."""
    import pyproj

    areas = pixel_areas(GeoBox(SHAPE, WGS84.transform, WGS84.crs)).square_metres[:, 0]
    geod = pyproj.Geod(ellps="WGS84")
    step = WGS84.resolution.x
    for row in (0, 87):
        top = 45.84 - row * step
        x, y = [6.86, 6.86 + step, 6.86 + step, 6.86], [top, top, top - step, top - step]
        polygon = abs(geod.polygon_area_perimeter(x, y)[0])
        assert areas[row] == pytest.approx(polygon, rel=1e-5)
    grid = GeoBox((180, 360), Affine(1, 0, -180, 0, -1, 90), WGS84.crs)
    world = pixel_areas(grid).square_metres[:, 0]
    assert world.sum() * 360 == pytest.approx(510_065_621.7e6, rel=1e-8)


def test_geographic_map(data, tmp_path: Path) -> None:
    cube = make_cube(f"{tmp_path}/cube.zarr", grid=WGS84)
    made = map_cube(workspace(tmp_path), data[0], cube)
    assert made.areas["km2"].sum() * 1e6 / made.pixels == pytest.approx(6.27, abs=0.02)
    assert open_map(made.url).rio.crs.to_epsg() == 4326


def test_on_an_object_store(data, finished, s3_url: str, tmp_path: Path) -> None:
    model, cube = make_model(f"{s3_url}/model.zarr"), make_cube(f"{s3_url}/cube.zarr", chunk=128)
    config = RunConfig.parse({"workspace": s3_url, "cluster": {"kind": "threads", "workers": 2}})
    made = map_cube(config, model, cube)
    assert made.url == f"{s3_url}/maps/{finished.id}.zarr"
    xr.testing.assert_identical(open_map(made.url).load(), open_map(finished.url).load())


SEEN = {
    "normal": np.eye(3),
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
}
"""Machado et al. (2009), severity 1: deuteranopia and protanopia."""


def _apart(first: str, second: str) -> float:
    """The least distance of two colours in CIELAB, of all eyes."""
    one, other = (np.array(rgb(colour)) / 255 for colour in (first, second))
    return min(np.linalg.norm(_lab(one, m) - _lab(other, m)) for m in map(np.array, SEEN.values()))


def test_colours_are_told_apart_by_colour_blind_eyes() -> None:
    for one, other in itertools.combinations(colours(CLASSES).values(), 2):
        assert _apart(one, other) > 25
    for one, other in itertools.combinations(colours(CLASS_NAMES).values(), 2):
        assert _apart(one, other) > 15


def test_kinds_of_change_are_told_apart_by_colour_blind_eyes() -> None:
    classes = [code for code in CLASS_NAMES if code != "CIT"]
    changes = sides(transitions(classes))
    drawn = change_colours(changes, colours(classes), GLACIER_CLASSES)
    kinds = {code: transition(*both, GLACIER_CLASSES) for code, both in changes.items()}
    assert len(set(kinds.values())) == 5
    for one, other in itertools.combinations(drawn, 2):
        assert kinds[one] == kinds[other] or _apart(drawn[one], drawn[other]) > 10
    assert all(_apart(colour, NO_DATA) > 10 for colour in drawn.values())


def _lab(srgb: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    linear = np.where(srgb > 0.04045, ((srgb + 0.055) / 1.055) ** 2.4, srgb / 12.92)
    linear = np.clip(matrix @ linear, 0, 1)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    ratio = to_xyz @ linear / [0.9505, 1.0, 1.089]
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_colours_do_not_depend_on_the_other_classes() -> None:
    assert colours(("ICA", "X"))["ICA"] == colours(CLASSES)["ICA"]
    clusters = colours([f"C{i}" for i in range(1, 9)])
    assert len(set(clusters.values())) == 8


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell it otherwise")
def test_a_worker_s_memory_is_its_own() -> None:
    """Linux begins a process's largest size with that of the one which started it."""
    large = np.ones(600 * 2**17)
    code = "from cpazmal_scale.mapping.classify.block import peak_memory; print(peak_memory())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 2**25 < int(told.stdout) < large.nbytes
