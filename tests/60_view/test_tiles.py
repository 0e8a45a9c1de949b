"""Tiles: cells of any size are what their pixels say, and memory stays bounded."""

from __future__ import annotations

import io
import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.small_campaign import CLASSES, NO_HV, SHAPE, backscatter, workspace

from cpazmal_scale.errors import ConfigError, StoreError
from cpazmal_scale.mapping import LEVELS, map_cube, mean_levels, mean_shares, open_map
from cpazmal_scale.palette import colours, rgb
from cpazmal_scale.view import EDGE, Held, Pyramid, ShownCube, ShownMap
from cpazmal_scale.view.paint import in_decibels
from cpazmal_scale.view.reduce import commonest, mean_power

BLANK = 255


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory: pytest.TempPathFactory) -> str:
    config = workspace(tmp_path_factory.mktemp("run"), classify={"reject": 1.5})
    return map_cube(config, *data).url


@pytest.fixture
def shown(finished: str):
    opened = ShownMap.open(finished, Held(32 << 20))
    yield opened
    opened.close()


@pytest.fixture
def cube(data):
    opened = ShownCube.open(data[1], (), Held(32 << 20))
    yield opened
    opened.close()


def parts(values: np.ndarray, step: int):
    """Row, column and pixels of every cell."""
    height, width = values.shape[-2:]
    for y in range(0, height, step):
        for x in range(0, width, step):
            yield y // step, x // step, values[..., y : y + step, x : x + step]


def commonest_values(part: np.ndarray) -> set[int]:
    """Values that are commonest in a cell, by count; no data where most is that."""
    known = part[part != BLANK]
    if 2 * known.size < part.size:
        return {BLANK}
    values, counts = np.unique(known, return_counts=True)
    return set(values[counts == counts.max()].tolist())


def known_mean(stored: np.ndarray) -> float:
    """Mean of shares as a map stores them; NaN of none."""
    known = stored[stored != 65535]
    return float(known.mean()) if known.size else np.nan


def test_a_map_is_seen_from_afar_without_its_chunks(finished: str, tmp_path: Path) -> None:
    """What is stored for that is what its chunks say, and a map without it is shown too."""
    whole, bare = tmp_path / "whole.zarr", tmp_path / "bare.zarr"
    for copy in (whole, bare):
        shutil.copytree(finished, copy)
    for chunk in (*whole.glob("probability/c/**/*"), *whole.glob("class/c/**/*")):
        if chunk.is_file():
            chunk.write_bytes(b"lost")
    for chunk in whole.glob("overview/shares/c/**/*"):
        if chunk.is_file():
            chunk.unlink()
    root = json.loads((bare / "zarr.json").read_text())
    held = root["consolidated_metadata"]["metadata"]
    for name in [name for name in held if name.startswith("overview")]:
        del held[name]
    del root["attributes"]["checksums"]
    (bare / "zarr.json").write_text(json.dumps(root))
    shutil.rmtree(bare / "overview")
    shutil.rmtree(bare / "sums")
    stored = open_map(finished)["probability"].values[1]
    objects = list((whole / "overview/whole").glob("c/**/[0-9]"))
    assert len([one for one in objects if one.is_file()]) == 1
    for level, apart in ((2, 0), (3, 1), (4, 0), (6, 1)):
        tiles, classes = [], []
        for url in (whole, bare, finished):
            opened = ShownMap.open(str(url), Held(32 << 20))
            tile = opened.tile("probability", (level, 0, 0), index=1, hidden=[])
            tiles.append(np.array(Image.open(io.BytesIO(tile))).astype(int))
            classes.append(opened.tile("class", (level, 0, 0), hidden=[]))
            opened.close()
        far, chunks, both = tiles
        assert classes[0] == classes[2]
        if not apart:
            assert classes[0] == classes[1]
        np.testing.assert_array_equal(far, both)
        # Cells that lack pixels weigh what is stored in smaller cells by those.
        full = np.ones(far.shape, bool)
        for row, column, part in parts(stored, 1 << level):
            full[row, column] = part.size == 4**level and (part != 65535).all()
        assert np.abs(far - chunks)[full].max() <= apart


@pytest.mark.parametrize("level", range(6))
def test_a_cell_of_power_is_the_mean_of_its_known_pixels(cube: ShownCube, level: int) -> None:
    power = backscatter()[0]
    for channel in range(2):
        for date in (0, NO_HV, 7):
            cells = cube.pyramid(channel, date).tile(level, 0, 0)
            assert cells.shape == (EDGE, EDGE)
            seen = np.zeros(cells.shape, bool)
            for row, column, part in parts(power[channel, date], 1 << level):
                if row < EDGE and column < EDGE:
                    known = part[np.isfinite(part)].astype(np.float64)
                    mean = known.mean() if known.size else np.nan
                    np.testing.assert_allclose(cells[row, column], mean, rtol=1e-5)
                    seen[row, column] = True
            assert np.isnan(cells[~seen]).all()


@pytest.mark.parametrize("level", range(6))
def test_cells_of_a_map_are_commonest_classes_and_mean_shares(shown: ShownMap, level: int) -> None:
    stored, step = open_map(shown.url), 1 << level
    stored_step = {8: 4, 32: 16}.get(step, step)
    classes = shown.pyramid("class").tile(level, 0, 0)
    probability = shown.pyramid("probability").tile(level, 0, 0)
    entropy = shown.pyramid("entropy").tile(level, 0, 0)
    pixels = stored["class"].values
    if step > stored_step:
        pixels = shown.pyramid("class").cells(
            stored_step, 0, 0, *(-(-n // stored_step) for n in SHAPE)
        )
    for row, column, part in parts(pixels, step // stored_step if step > stored_step else step):
        assert classes[row, column] in commonest_values(part)
    for name, cells in (("probability", probability), ("entropy", entropy)):
        for row, column, part in parts(stored[name].values, step):
            for index in np.ndindex(part.shape[:-2]):
                got = cells[(*index, row, column)]
                # Cells of 4 and 16 pixels are stored, rounded; those above are means of them.
                means = [known_mean(one) for *_, one in parts(part[index], stored_step)]
                if np.isnan(means).all():
                    assert got == BLANK
                else:
                    far = abs(int(got) - np.nanmean(means) * LEVELS / 10_000)
                    assert far <= (0.501 if step == stored_step else 1.001)
    assert (classes[-(-SHAPE[0] // step) :] == BLANK).all()
    assert {4, 254} <= set(np.unique(shown.pyramid("class").tile(0, 0, 0)))


@pytest.mark.parametrize("chunk", [5, 24, 32, 96])
def test_coarser_cells_are_made_of_those_of_chunks(chunk: int) -> None:
    """Whatever the edge of a chunk, also one that no power of two divides."""
    rng = np.random.default_rng(chunk)
    values = rng.gamma(1, 1, (96, 160)).astype(np.float32)

    def read(row: int, column: int) -> np.ndarray:
        return values[row * chunk : (row + 1) * chunk, column * chunk : (column + 1) * chunk]

    blank = np.array(np.nan, np.float32)
    with ThreadPoolExecutor(2) as pool:
        pyramid = Pyramid(
            "one", values.shape, chunk, read, mean_power, mean_power, blank, Held(1 << 24), pool
        )
        for step in (1, 2, 8, 32):
            cells = pyramid.cells(step, 1, 2, 2, 2)
            for row, column in np.ndindex(2, 2):
                y, x = (row + 1) * step, (column + 2) * step
                part = values[y : y + step, x : x + step]
                if part.size == 0:
                    assert np.isnan(cells[row, column])
                else:
                    np.testing.assert_allclose(cells[row, column], part.mean(), rtol=1e-5)


def test_tiles_are_pictures_in_the_colours_of_the_legend(shown: ShownMap) -> None:
    values = open_map(shown.url)["class"].values
    picture = Image.open(io.BytesIO(shown.tile("class", (0, 0, 0), hidden=[2]))).convert("RGBA")
    pixels = np.asarray(picture)[: SHAPE[0], : SHAPE[1]]
    chosen = colours(CLASSES)
    for value, code in enumerate(CLASSES, 1):
        found = {tuple(pixel) for pixel in pixels[values == value].tolist()}
        if code == "ACC":
            assert {pixel[3] for pixel in found} == {0}
        else:
            assert found == {(*rgb(chosen[code]), 255)}
    assert (pixels[values == BLANK][:, 3] == 0).all()
    for layer, index in (("probability", 3), ("entropy", 0), ("margin", 0)):
        assert shown.tile(layer, (1, 0, 0), index=index, hidden=[])[:4] == b"\x89PNG"
    for layer, index in (("probability", 4), ("change", 0), ("../class", 0)):
        with pytest.raises(ConfigError, match="no layer"):
            shown.tile(layer, (0, 0, 0), index=index, hidden=[])


def test_radar_tiles_are_grey_from_dark_to_bright(cube: ShownCube) -> None:
    low, high = cube.limits(0)
    assert -25 < low < high < 5
    assert cube.limits(0) == (low, high)
    picture = Image.open(io.BytesIO(cube.tile(0, 0, (0, 0, 0)))).convert("RGBA")
    pixels, power = np.asarray(picture)[: SHAPE[0], : SHAPE[1]], backscatter()[0][0, 0]
    assert (pixels[..., 3] == 0).tolist() == np.isnan(power).tolist()
    grey = pixels[..., 0].astype(int)
    order = np.argsort(power[np.isfinite(power)])
    assert (np.diff(grey[np.isfinite(power)][order]) >= 0).all()
    power = np.array([[-0.001, 0.0, np.nan, 1.0]], np.float32)  # subtracted noise, no data, 0 dB
    assert in_decibels(power, (-10, 0)).tolist() == [[0, 0, BLANK, LEVELS]]


def test_what_is_kept_is_bounded_and_was_used_last() -> None:
    held = Held(10_000)
    made: list[int] = []

    def make(n: int) -> np.ndarray:
        made.append(n)
        return np.full(2000, n, np.uint8)

    for n in (1, 2, 3, 1, 4, 5, 1):
        found = held.get(n, lambda n=n: make(n))
        assert found is not None
        assert found[0] == n
        assert held.nbytes <= 10_000
    assert made == [1, 2, 3, 4, 5]
    held.get(2, lambda: make(2))
    assert made[-1] == 2
    assert held.get("large", lambda: np.zeros(20_000, np.uint8)) is not None
    assert held.nbytes <= 10_000


def test_threads_that_ask_for_one_array_make_it_once() -> None:
    held, made, begun = Held(1000), [], threading.Event()

    def make() -> np.ndarray:
        begun.set()
        made.append(1)
        threading.Event().wait(0.2)
        return np.zeros(3)

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(held.get, "key", make)
        assert begun.wait(300)
        rest = [pool.submit(held.get, "key", make) for _ in range(3)]
        assert all(one.result() is first.result() for one in rest)
    assert made == [1]


def test_an_error_reaches_whoever_waits_and_is_not_kept() -> None:
    held = Held(1000)

    def fail() -> np.ndarray:
        raise OSError("out of reach")

    for _ in range(2):
        with pytest.raises(OSError, match="out of reach"):
            held.get("key", fail)
    assert held.get("key", lambda: np.ones(1)) is not None


def test_tiles_do_not_depend_on_what_is_kept(data, finished: str) -> None:
    roomy, narrow = (ShownMap.open(finished, Held(size)) for size in (32 << 20, 1))
    for place in ((0, 0, 0), (3, 0, 0)):
        one, two = (m.tile("class", place, hidden=[]) for m in (roomy, narrow))
        assert one == two
    assert narrow.held.nbytes == 0
    for opened in (roomy, narrow):
        opened.close()


def test_a_map_with_chunks_beyond_all_measure_is_refused(finished: str, monkeypatch) -> None:
    monkeypatch.setattr("cpazmal_scale.view.maps.MOST_BYTES", 100)
    with pytest.raises(StoreError, match="a chunk of class has"):
        ShownMap.open(finished, Held(1))


def test_reductions_of_no_data_are_no_data() -> None:
    nothing = np.full((2, 4, 4), 65535, np.uint16)
    assert (mean_shares(nothing, 2) == BLANK).all()
    assert (mean_levels(np.full((4, 4), BLANK, np.uint8), 2) == BLANK).all()
    assert (commonest([1, 2], np.full((4, 4), BLANK, np.uint8), 2) == BLANK).all()
    assert np.isnan(mean_power(np.full((4, 4), np.nan, np.float32), 2)).all()
