"""The page that shows a map: what it holds, and what it does in a real browser from disk."""

from __future__ import annotations

import base64
import json
import re
import shutil
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import browser as chromium
from support.browser import ENTER, ESCAPE, LEFT, Browser
from support.small_campaign import (
    CLASSES,
    M2,
    SHAPE,
    backscatter,
    make_model,
    whole_series,
    workspace,
)

from cpazmal_scale import storage
from cpazmal_scale.config import Features, RunConfig
from cpazmal_scale.dtw import decide
from cpazmal_scale.errors import ModelMismatch, StoreError
from cpazmal_scale.mapping import Recipe, map_cube, open_map, plan_map, write_viewer
from cpazmal_scale.mapping.classify.store import write_template
from cpazmal_scale.mapping.show import viewer
from cpazmal_scale.mapping.show.overview import Averages, Layer, mean_layers, step_for
from cpazmal_scale.mapping.show.sampled import Sampled, grid_points, sample
from cpazmal_scale.model import open_model
from cpazmal_scale.palette import colours, rgb
from cpazmal_scale.storage import groups

HOSTILE = "</title></script><script>window.hacked = 1</script><!--<script>"


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory: pytest.TempPathFactory) -> str:
    config = workspace(tmp_path_factory.mktemp("run"), classify={"reject": 1.5})
    return map_cube(config, *data).url


@pytest.fixture(scope="module")
def page(data, finished: str) -> str:
    model, cube = data
    return write_viewer(
        finished, finished.replace(".zarr", ".html"), cube_url=cube, model_url=model, points=20
    )


@pytest.fixture(scope="module")
def sampled(data, finished: str) -> tuple[Sampled, np.ndarray]:
    """The sampled pixels and the mean image."""
    opened, model = open_map(finished), open_model(data[0])
    recipe = Recipe.model_validate_json(opened.attrs["recipe"])
    points = grid_points(Layer(opened["class"].values, 1), SHAPE, 20)
    mean = Averages(SHAPE, 1)
    return sample(opened, points, data[1], model, recipe, mean), mean.means()


def contents(path: str) -> tuple[dict, dict[str, bytes]]:
    """The facts and arrays of a page, read without a browser."""
    text = Path(path).read_text()
    facts = re.search(r'<script type="application/json" id="facts">(.*?)</script>', text, re.S)
    blobs = re.findall(r'octet-stream" id="data-([\w-]+)">(.*?)</script>', text)
    assert facts is not None
    return json.loads(facts[1]), {n: zlib.decompress(base64.b64decode(b)) for n, b in blobs}


def test_the_page_says_how_much_lies_below_the_floor(data, page: str) -> None:
    """As `cpazmal map` says it of every eighth row and column."""
    features, (power, mask, _) = open_model(data[0]).features, backscatter()
    shares = [
        np.mean(values[np.isfinite(values) & (flags & features.excluded == 0)] < 10**-3.1)
        for values, flags in zip(power[..., ::8, ::8], [mask[..., ::8, ::8]] * 2, strict=True)
    ]
    told = ", ".join(f"{n} {s:.1%}" for n, s in zip(("HH", "HV"), shares, strict=True))
    assert contents(page)[0]["floored"] == f"Pixels under −31 dB: {told.replace('%', ' %')}."


def test_the_page_holds_the_means_of_the_windows(data, page: str) -> None:
    facts, blobs = contents(page)
    means = np.frombuffer(blobs["means"], "<f4").reshape(len(CLASSES), len(facts["features"]), -1)
    np.testing.assert_array_equal(means, open_model(data[0]).means)


def test_map_and_cube_are_read_at_the_same_time(
    data, finished: str, page: str, monkeypatch, tmp_path: Path
) -> None:
    """Neither is begun after the other is done, and the page is the same."""
    together = threading.Barrier(2)
    for name, work in (("sample", sample), ("mean_layers", mean_layers)):

        def meeting(*given: Any, work: Callable[..., Any] = work) -> Any:
            together.wait(10)
            return work(*given)

        monkeypatch.setattr(f"cpazmal_scale.mapping.show.viewer.{name}", meeting)
    again = write_viewer(
        finished, f"{tmp_path}/again.html", cube_url=data[1], model_url=data[0], points=20
    )
    assert Path(again).read_text() == Path(page).read_text()


def test_layers_are_the_map(page: str, finished: str) -> None:
    facts, blobs = contents(page)
    stored = open_map(finished)
    assert facts["layers"]["class"] == [*SHAPE, 1]
    classes = np.frombuffer(blobs["layer-class"], np.uint8).reshape(SHAPE)
    np.testing.assert_array_equal(classes, stored["class"])
    for c in range(len(CLASSES)):
        shown = np.frombuffer(blobs[f"layer-probability-{c}"], np.uint8).reshape(SHAPE)
        exact = stored["probability"][c].values
        np.testing.assert_array_equal(shown == 255, exact == 65535)
        assert np.abs(shown * 100.0 - exact)[exact != 65535].max() <= 50.01
    shares = {c["code"]: c["m2"] for c in facts["classes"]}
    assert shares["ACC"] == pytest.approx(M2 * int((stored["class"] == 2).sum()), rel=1e-4)
    assert shares["–"] == pytest.approx(M2 * int((stored["class"] == 254).sum()), rel=1e-3)
    assert shares["–"] > 0


def test_series_are_those_of_the_map_bit_for_bit(data, finished: str, sampled) -> None:
    found, mean = sampled
    power, series = backscatter()[0], whole_series(Features())
    rows, columns = found.at.T
    np.testing.assert_array_equal(found.series, series[:, :, rows, columns].transpose(2, 0, 1))
    assert np.isnan(found.series).any()
    with np.errstate(invalid="ignore"):
        known = np.isfinite(power[0])
        twin = np.where(known, power[0], 0).sum(axis=0) / known.sum(axis=0)
    np.testing.assert_allclose(mean, twin, rtol=1e-5)


def test_regions_change_nothing(data, finished: str, sampled, monkeypatch) -> None:
    """Regions smaller than a window, so that every window reaches into its neighbours."""
    opened, model = open_map(finished), open_model(data[0])
    recipe = Recipe.model_validate_json(opened.attrs["recipe"])
    monkeypatch.setattr("cpazmal_scale.mapping.show.sampled.MEMORY", 5 * 5 * 10 * 9)
    mean = Averages(SHAPE, 1)
    again = sample(opened, sampled[0].at, data[1], model, recipe, mean)
    for name in ("at", "series", "distances", "classes", "probability"):
        np.testing.assert_array_equal(getattr(again, name), getattr(sampled[0], name))
    np.testing.assert_array_equal(mean.means(), sampled[1])


def test_distances_lead_to_the_map(data, finished: str, sampled) -> None:
    found, _ = sampled
    stored, model = open_map(finished), open_model(data[0])
    rows, columns = found.at.T
    np.testing.assert_array_equal(found.classes, stored["class"].values[rows, columns])
    np.testing.assert_array_equal(
        found.probability, stored["probability"].values[:, rows, columns].T
    )
    again = decide(
        np.ascontiguousarray(np.moveaxis(found.distances, 0, 2)),
        np.ones(len(model.names)),
        float(model.classifier.temperature_),
        decision="sum",
        reject=1.5,
    )
    index = np.where(again.index == 254, 254, again.index + 1)
    np.testing.assert_array_equal(index, found.classes)


def test_points_fill_a_regular_grid_and_have_a_class() -> None:
    classes = np.ones((60, 90), np.uint8)
    classes[:20] = 255
    classes[30, 45] = 255
    points = grid_points(Layer(classes, 3), (179, 268), 30)
    assert (classes[points[:, 0] // 3, points[:, 1] // 3] == 1).all()
    assert (points < (179, 268)).all()
    cells = {(int(y) // 9, int(x) // 9) for y, x in points}
    assert cells == {(y, x) for y in range(20) for x in range(30) if y * 3 + 2 >= 20}
    assert len(grid_points(Layer(np.full((9, 9), 255, np.uint8), 1), (9, 9), 5)) == 0


@pytest.mark.parametrize("step", [1, 3, 7])
@pytest.mark.parametrize("tile", [5, 16])
def test_averages_do_not_depend_on_regions(step: int, tile: int) -> None:
    rng = np.random.default_rng(step)
    values = rng.normal(size=(23, 37)).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    values[14:, 28:] = np.nan
    stored = np.where(np.isnan(values), 65535, np.abs(values * 1000)).astype(np.uint16)
    averages, whole = Averages((23, 37), step), Averages((23, 37), step)
    for y in range(0, 23, tile):
        for x in range(0, 37, tile):
            averages.add_power(values[None, y : y + tile, x : x + tile], y, x)
            whole.add_stored(stored[y : y + tile, x : x + tile], y, x)
    _are_means(averages.means(), values, step)
    _are_means(whole.means(), np.where(stored == 65535, np.nan, stored), step)


def _are_means(found: np.ndarray, values: np.ndarray, step: int) -> None:
    for row, line in enumerate(found):
        for column, mean in enumerate(line):
            cell = values[row * step : (row + 1) * step, column * step : (column + 1) * step]
            known = [float(v) for v in cell.ravel() if not np.isnan(v)]
            if known:
                assert mean == pytest.approx(sum(known) / len(known), rel=1e-6, abs=1e-6)
            else:
                assert np.isnan(mean)


@pytest.mark.parametrize(("step", "cells"), [(3, 3), (4, 4), (5, 8), (9, 12)])
def test_mean_layers_are_means_of_the_map(finished: str, step: int, cells: int) -> None:
    """Out of the map's own cells of 4 pixels where these are small enough."""
    opened = open_map(finished)
    found = mean_layers(finished, opened, ("entropy", "probability"), step)
    assert set(found) == {"entropy", *(f"probability-{c}" for c in range(len(CLASSES)))}
    for key, layer in found.items():
        assert layer.step == cells
        name, _, number = key.partition("-")
        stored = opened[name].values[int(number)] if number else opened[name].values
        for row, line in enumerate(layer.values):
            for column, value in enumerate(line):
                here = slice(row * cells, (row + 1) * cells), slice(column * cells, None)
                cell = stored[here][:, :cells].astype(float)
                known = cell[cell != 65535]
                if known.size == cell.size:
                    assert abs(value - known.mean() / 100) < 1
                assert (value == 255) == (known.size == 0)


def test_page_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers that do not compress are made coarser, the classes last."""
    rng = np.random.default_rng(0)
    noise = {f"probability-{i}": rng.integers(0, 101, (256, 256), np.uint8) for i in range(12)}
    classes = {"class": np.repeat(rng.integers(1, 5, (256, 32), np.uint8), 8, axis=1)}
    layers = {name: Layer(values, 2) for name, values in {**noise, **classes}.items()}
    monkeypatch.setattr(viewer, "LAYER_BYTES", 150_000)
    fitted = viewer.fitted_layers(layers)
    assert sum(len(layer.deflated) for layer in fitted.values()) <= 150_000
    assert fitted["class"].step == 2
    for name, layer in fitted.items():
        shape = tuple(-(-512 // layer.step) for _ in "yx")
        assert layer.values.shape == shape, name
    assert step_for((2048, 100), 2048) == 1
    assert step_for((2049, 100), 2048) == 2


def test_wrong_model_and_unfinished_map_are_refused(data, finished: str, tmp_path: Path) -> None:
    model, cube = data
    other = make_model(f"{tmp_path}/model.zarr", RunConfig.parse({"seed": 8}))
    with pytest.raises(ModelMismatch):
        write_viewer(finished, f"{tmp_path}/map.html", cube_url=cube, model_url=other)
    unfinished = plan_map(workspace(tmp_path), model, cube)
    write_template(unfinished)
    with pytest.raises(StoreError):
        write_viewer(unfinished.url, f"{tmp_path}/map.html", cube_url=cube, model_url=model)
    assert not (tmp_path / "map.html").exists()


# In a browser.


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory):
    reason = chromium.missing()
    if reason:
        pytest.skip(reason)
    with chromium.browser(tmp_path_factory.mktemp("profile")) as opened:
        opened.open("about:blank")
        yield opened


@pytest.fixture
def shown(window: Browser, page: str) -> Browser:
    """The page, freshly opened from disk."""
    return show(window, page)


def show(window: Browser, path: str) -> Browser:
    window.open("about:blank")
    window.requests()
    window.log("browser")
    window.open(f"file://{path}")
    window.wait("return document.documentElement?.dataset.ready === 'yes'")
    window.settle()
    return window


def screen(window: Browser, row: float, column: float) -> tuple[float, float]:
    """Where a place of the grid is in the window."""
    return tuple(
        window.run(
            "const box = document.getElementById('map').getBoundingClientRect();"
            "const [x, y] = viewer.toScreen(arguments[0], arguments[1]);"
            "return [x + box.left, y + box.top]",
            row,
            column,
        )
    )


def text(window: Browser, name: str) -> str:
    return window.run("return document.getElementById(arguments[0]).textContent", name)


def choose(window: Browser, layer: str) -> None:
    window.run("document.querySelector(`input[value=${arguments[0]}]`).click()", layer)
    window.settle()


def opaque(window: Browser) -> None:
    window.run(
        "const slider = document.getElementById('opacity'); slider.value = 100;"
        "slider.dispatchEvent(new Event('input'))"
    )
    window.settle()


def colour_at(window: Browser, row: float, column: float) -> tuple[int, ...]:
    x, y = screen(window, row, column)
    return tuple(int(v) for v in window.picture()[round(y), round(x)])


def interior(classes: np.ndarray, value: int) -> tuple[int, int]:
    """A pixel amid others of its class."""
    same = classes == value
    inner = same.copy()
    for axis in (0, 1):
        for shift in (-1, 1):
            inner &= np.roll(same, shift, axis)
    rows, columns = np.nonzero(inner[2:-2, 2:-2])
    return int(rows[len(rows) // 2]) + 2, int(columns[len(rows) // 2]) + 2


def test_opens_from_disk_without_errors_or_requests(shown: Browser, page: str) -> None:
    assert shown.requests() == [f"file://{page}"]
    assert shown.run("return performance.getEntriesByType('resource').length") == 0
    assert shown.log("browser") == []
    assert "DSC_1" in shown.run("return document.title")
    assert "DSC_1 · 8 Jan 2020 – 16 Apr 2020 · 10 dates · HH, HV" in text(shown, "subtitle")
    assert shown.run("return document.querySelectorAll('.entry').length") == len(CLASSES) + 1
    assert "ha" in text(shown, "legend")


def test_classes_are_drawn_where_they_are(shown: Browser, finished: str) -> None:
    opaque(shown)
    classes = open_map(finished)["class"].values
    told = shown.run(
        "return [...Array(arguments[0] * arguments[1]).keys()].map((i) =>"
        " viewer.valueAt('class', Math.floor(i / arguments[1]), i % arguments[1]) ?? 255)",
        *SHAPE,
    )
    np.testing.assert_array_equal(np.array(told).reshape(SHAPE), classes)
    picture = shown.picture()
    (left, top), (right, bottom) = (screen(shown, *corner) for corner in ((0, 0), SHAPE))
    rows, columns = np.nonzero((classes <= len(CLASSES)) & (np.indices(SHAPE)[1] < 70))
    x = left + (columns + 0.5) * (right - left) / SHAPE[1]
    y = top + (rows + 0.5) * (bottom - top) / SHAPE[0]
    clear = (y > 200) & (y < picture.shape[0] - 80)  # not under the cards
    drawn = picture[y.round().astype(int), x.round().astype(int)][clear]
    table = np.array([rgb(colours(CLASSES)[code]) for code in CLASSES])
    np.testing.assert_array_equal(drawn, table[classes[rows, columns] - 1][clear])


def test_layers_switch_and_opacity_shows_the_radar_image(shown: Browser) -> None:
    left, top = screen(shown, 0, 0)
    right, bottom = screen(shown, *SHAPE)
    area = (slice(round(top), round(bottom)), slice(round(left), round(right)))
    pictures = {}
    for layer in ("class", "margin", "entropy", "probability", "backscatter"):
        choose(shown, layer)
        pictures[layer] = shown.picture()[area].astype(int)
    names = list(pictures)
    for i, one in enumerate(names):
        for other in names[:i]:
            assert np.abs(pictures[one] - pictures[other]).mean() > 3, (one, other)
    grey = pictures["backscatter"]
    assert np.ptp(grey, axis=2).max() <= 16
    choose(shown, "probability")
    before = shown.picture()[area]
    shown.run(
        "const which = document.getElementById('which'); which.value = 2;"
        "which.dispatchEvent(new Event('change'))"
    )
    shown.settle()
    assert (shown.picture()[area] != before).any()
    assert "HAG hanging glacier" in text(shown, "legend")
    assert shown.log("browser") == []


def test_a_class_can_be_hidden(shown: Browser, finished: str) -> None:
    opaque(shown)
    row, column = interior(open_map(finished)["class"].values, 1)
    before = colour_at(shown, row + 0.5, column + 0.5)
    shown.run("document.querySelector('.entry').click()")
    shown.settle()
    assert colour_at(shown, row + 0.5, column + 0.5) != before
    assert shown.run("return document.querySelector('.entry').ariaPressed") == "false"


def test_cursor_tells_place_class_and_probabilities(shown: Browser, finished: str) -> None:
    from pyproj import Transformer

    stored = open_map(finished)
    row, column = interior(stored["class"].values, 3)
    shown.mouse(chromium.move(*screen(shown, row + 0.5, column + 0.5)))
    assert text(shown, "hover-class") == "HAG hanging glacier"
    likely = stored["probability"].values[:, row, column].max() / 100
    assert f"{round(likely + 1e-9)} %" in text(shown, "hover-bars")
    where = text(shown, "where")
    x, y = map(int, re.findall(r"EPSG:32632\s+(\d+), (\d+)", where)[0])
    assert abs(x - (331200 + 3 * (column + 0.5))) <= 3
    assert abs(y - (5078400 - 3 * (row + 0.5))) <= 3
    latitude, longitude = (float(v) for v in re.findall(r"([\d.]+)° [NE]", where))
    expected = Transformer.from_crs(32632, 4326, always_xy=True).transform(x, y)
    assert (longitude, latitude) == pytest.approx(expected, abs=2e-5)


def test_an_order_of_the_legend_moves_no_figure(
    window: Browser, data, sampled, tmp_path: Path
) -> None:
    """Legends are in the user's order, arrays in that of the map's values."""
    config = workspace(tmp_path, classify={"reject": 1.5}, legend={"ICA": {"order": 1}})
    made, place = map_cube(config, *data).url, f"{tmp_path}/map.html"
    own = show(window, write_viewer(made, place, cube_url=data[1], model_url=data[0], points=20))
    found = sampled[0]
    i = int(np.flatnonzero(found.classes == 4)[3])
    own.click(*screen(own, *(found.at[i] + 0.5).tolist()))
    rows = own.run(
        "return [...document.querySelectorAll('#distances tbody tr')].map("
        "(row) => [row.cells[0].textContent, Number(row.cells[2].textContent)])"
    )
    away = np.nanmean(found.distances[i], axis=0)
    assert dict(rows) == pytest.approx(dict(zip(CLASSES, away.tolist(), strict=True)), abs=0.006)
    sure = round(found.probability[i, 3] / 100)
    assert text(own, "pixel-class") == f"ICA ice apron, {sure} %"


def test_click_shows_series_barycenters_and_distances(
    shown: Browser, data, finished: str, sampled
) -> None:
    found, model = sampled[0], open_model(data[0])
    i = int(np.flatnonzero(found.classes == 4)[3])
    row, column = found.at[i].tolist()
    shown.click(*screen(shown, row + 0.5, column + 0.5))
    assert text(shown, "pixel-class").startswith("ICA ice apron, ")
    assert f"row {row}, column {column}" in text(shown, "pixel-where")
    picked = shown.run("return viewer.state.picked")
    assert shown.run("return viewer.placeOf(arguments[0])", picked) == [row, column]
    aligned = "barycenters, aligned (warped in time): no calendar dates"
    aligned += "; dashed: mean of the class's windows on each date"
    assert text(shown, "typical") == aligned
    assert text(shown, "measure") == "DTW distance to the barycenters (1: usual within a class)"
    for k in (0, 8):
        shown.run(
            "const feature = document.getElementById('feature'); feature.value = arguments[0];"
            "feature.dispatchEvent(new Event('change'))",
            k,
        )
        drawn = shown.run("return viewer.seriesOf(arguments[0], arguments[1])", picked, k)
        drawn = np.array([np.nan if v is None else v for v in drawn], float)
        spread = np.nanmax(found.series[:, k]) - np.nanmin(found.series[:, k])
        np.testing.assert_allclose(drawn, found.series[i, k], atol=spread / 4000)
        points = shown.run("return document.querySelectorAll('#chart .dot').length")
        assert points == int(np.isfinite(found.series[i, k]).sum())
        rows = shown.run(
            "return [...document.querySelectorAll('#distances tbody tr')].map("
            "(row) => [...row.cells].map((cell) => cell.textContent))"
        )
        assert [entry[0] for entry in rows] == list(CLASSES)
        one = [float(entry[1]) for entry in rows]
        np.testing.assert_allclose(one, found.distances[i, k], atol=0.006)
        every = [float(entry[2]) for entry in rows]
        np.testing.assert_allclose(every, np.nanmean(found.distances[i], axis=0), atol=0.006)
        assert int(np.argmin(every)) == 3
    lines = shown.run(
        "return [...document.querySelectorAll('#chart .line')].map((line) => line.dataset.name)"
    )
    assert sorted(lines[:-2]) == list(CLASSES)
    assert len(model.classes) == len(lines) - 2
    dashes = "return getComputedStyle(document.querySelector('#chart .dashed')).strokeDasharray"
    assert shown.run(dashes) == "6px, 4px"
    assert "ICA ice apron" in text(shown, "said")
    assert shown.log("browser") == []
    shown.press(ESCAPE)
    assert shown.run("return document.getElementById('series').hidden")


def test_curve_lies_where_its_values_are(shown: Browser, sampled) -> None:
    """Heights of the dots are an affine function of the series."""
    found = sampled[0]
    shown.run("viewer.pick(arguments[0], arguments[1])", *(found.at[5] + 0.5).tolist())
    picked = shown.run("return viewer.state.picked")
    heights = shown.run(
        "return [...document.querySelectorAll('#chart .dot')].map((dot) => +dot.getAttribute('cy'))"
    )
    values = found.series[picked, 0]
    values = values[np.isfinite(values)]
    slope, zero = np.polyfit(values, heights, 1)
    assert slope < 0
    np.testing.assert_allclose(heights, slope * values + zero, atol=0.3)


def test_wheel_drag_and_keys_move_the_map(shown: Browser) -> None:
    x, y = screen(shown, 40, 50)
    scale = "return viewer.view.scale"
    before, bar = shown.run(scale), text(shown, "scale-text")
    shown.wheel(x, y, -400)
    assert shown.run(scale) > 1.5 * before
    assert screen(shown, 40, 50) == pytest.approx((x, y), abs=1.5)
    metres = float(text(shown, "scale-text").split()[0])
    width = shown.run("return document.getElementById('scale-bar').offsetWidth")
    assert width == pytest.approx(metres * shown.run(scale), abs=1.5)
    assert metres < float(bar.split()[0])
    shown.drag((x, y), (x + 60, y - 40))
    assert screen(shown, 40, 50) == pytest.approx((x + 60, y - 40), abs=1.5)
    assert shown.run("return document.getElementById('series').hidden")
    shown.run("document.getElementById('map').focus()")
    shown.press(LEFT)
    assert screen(shown, 40, 50)[0] == pytest.approx(x + 120, abs=1.5)
    shown.press("0")
    assert shown.run(scale) == pytest.approx(before)
    shown.press(ENTER)
    assert not shown.run("return document.getElementById('series').hidden")
    assert shown.log("browser") == []


def test_dark_colours_follow_the_system(shown: Browser) -> None:
    light = shown.picture()[5, 5]
    feature = {"name": "prefers-color-scheme", "value": "dark"}
    shown.emulate("Emulation.setEmulatedMedia", features=[feature])
    shown.settle()
    dark = shown.picture()[5, 5]
    shown.emulate("Emulation.setEmulatedMedia", features=[])
    assert light.min() > 200
    assert dark.max() < 60


def test_phone(window: Browser, page: str, sampled) -> None:
    window.emulate(
        "Emulation.setDeviceMetricsOverride",
        width=390, height=800, deviceScaleFactor=2, mobile=True,
    )  # fmt: skip
    try:
        show(window, page)
        assert window.run("return document.documentElement.scrollWidth") == 390
        row, column = (sampled[0].at[40] + 0.5).tolist()
        window.click(*screen(window, row, column), kind="touch")
        left, top, right, bottom = window.run(
            "const box = document.getElementById('series').getBoundingClientRect();"
            "return [box.left, box.top, box.right, box.bottom]"
        )
        assert (left, right) == (0, 390)
        assert bottom == pytest.approx(800, abs=1)
        assert screen(window, row, column)[1] < top
        window.run("document.getElementById('menu').click()")
        assert window.run("return document.getElementById('menu').ariaExpanded") == "true"
        assert window.log("browser") == []
    finally:
        window.emulate("Emulation.clearDeviceMetricsOverride")


def test_reduced_map_and_hostile_names(
    window: Browser, data, finished: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A map larger than the page shows in cells, and text from files stays text."""
    root = storage.read_json(f"{finished}/zarr.json")
    recipe = json.loads(root["attributes"]["recipe"])
    copy = tmp_path / "map.zarr"
    shutil.copytree(finished, copy)
    root["attributes"]["recipe"] = json.dumps({**recipe, "beam": HOSTILE})
    sums = groups.read_sums(str(copy), "").chunks
    groups.finish_group(str(copy), json.dumps(root).encode(), sums, "")
    monkeypatch.setattr(viewer, "EDGE", 40)
    model, cube = data
    page = write_viewer(str(copy), f"{tmp_path}/a page.html", cube_url=cube, model_url=model)
    show(window, page.replace(" ", "%20"))
    assert window.run("return window.hacked") is None
    assert HOSTILE in text(window, "subtitle")
    assert HOSTILE in window.run("return document.title")
    assert window.log("browser") == []
    assert contents(page)[0]["layers"]["class"] == [30, 35, 3]
    opaque(window)
    cells = window.run(
        "return [...Array(30 * 35).keys()].map((i) =>"
        " viewer.valueAt('class', 3 * Math.floor(i / 35) + 1, 3 * (i % 35) + 1) ?? 255)"
    )
    small = np.array(cells).reshape(30, 35)
    row, column = interior(small, 2)
    assert colour_at(window, 3 * row + 1.5, 3 * column + 1.5) == rgb(colours(CLASSES)["ACC"])
