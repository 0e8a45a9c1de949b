"""The page of a map: its series are the map's own, and a browser shows what it says."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from support import browser as chromium
from support.browser import ENTER, ESCAPE
from support.small_campaign import (
    CLASSES,
    NO_HV,
    SHAPE,
    WGS84,
    backscatter,
    make_cube,
    whole_series,
    workspace,
)

from cpazmal_scale import storage, web
from cpazmal_scale.cli.app import app
from cpazmal_scale.config import Features
from cpazmal_scale.cube import ChunkReader
from cpazmal_scale.dtw import decide
from cpazmal_scale.errors import CpazmalError, GridMismatch, StoreMissing
from cpazmal_scale.mapping import map_cube, open_map, read_recipe
from cpazmal_scale.model import open_model
from cpazmal_scale.palette import colours, rgb
from cpazmal_scale.storage import groups
from cpazmal_scale.view import Held, Made, PixelSeries, ShownCube, map_page

HOSTILE = "</title></script><script>window.hacked = 1</script><!--<script>"
PIXEL = (25, 40)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory: pytest.TempPathFactory) -> str:
    config = workspace(tmp_path_factory.mktemp("run"), classify={"reject": 1.5})
    return map_cube(config, *data).url


@pytest.fixture(scope="module")
def made(data) -> Made:
    model, cube = data
    return Made(cube, model)


@pytest.fixture(scope="module")
def series(data, finished: str) -> Iterator[PixelSeries]:
    recipe = read_recipe(finished)
    cube = ShownCube.open(data[1], recipe.dates, Held(32 << 20))
    yield PixelSeries.of(cube, recipe, open_model(data[0]))
    cube.close()


class Client:
    """A program with the page's cookie."""

    def __init__(self, url: str) -> None:
        self.place = urlsplit(url)
        self.cookie = ""
        _, headers, _ = self.ask(f"?{self.place.query}")
        self.cookie = headers["set-cookie"].partition(";")[0]

    def ask(self, address: str) -> tuple[int, dict[str, str], bytes]:
        line = http.client.HTTPConnection(str(self.place.hostname), self.place.port, timeout=300)
        line.request("GET", self.place.path + address, headers={"cookie": self.cookie})
        with line.getresponse() as got:
            return got.status, {k.lower(): v for k, v in got.getheaders()}, got.read()

    def json(self, address: str) -> object:
        return json.loads(self.ask(address)[2])


@pytest.fixture(scope="module")
def client(finished: str, made: Made) -> Iterator[Client]:
    with web.running(map_page(finished, made=made)) as server:
        yield Client(server.url)


def test_features_are_those_of_the_map_bit_for_bit(series: PixelSeries) -> None:
    whole = whole_series(Features())
    for row, column in [(0, 0), (31, 32), (40, 31), (62, 20), (SHAPE[0] - 1, SHAPE[1] - 10)]:
        found = series.at(row, column)
        np.testing.assert_array_equal(
            np.array(found["features"], np.float32), whole[:, :, row, column]
        )
        assert found["valid"] == int(np.isfinite(whole[0, :, row, column]).sum())
    assert np.isnan(np.array(series.at(*PIXEL)["features"])).any(), "HV is missing on one date"


def test_channels_are_the_cubes_in_decibels_with_their_gaps(series: PixelSeries) -> None:
    power, mask, _ = backscatter()
    good = (mask & Features().excluded) == 0
    for row, column in [PIXEL, (6, 60), (41, 31)]:
        around = np.s_[row - 3 : row + 4, column - 3 : column + 4]
        for position, channel in enumerate(series.at(row, column)["channels"]):
            assert channel["name"] == ("HH", "HV")[position]
            for date in range(10):
                value = power[position, date, row, column]
                known = np.isfinite(value) and good[date, row, column]
                expected = 10 * np.log10(value) if known else np.nan
                assert channel["pixel"][date] == pytest.approx(expected, abs=1e-3, nan_ok=True)
                part = power[position, date][around][good[date][around]].astype(np.float64)
                part = part[np.isfinite(part)]
                mean = 10 * np.log10(part.mean()) if part.size else np.nan
                assert channel["mean"][date] == pytest.approx(mean, abs=1e-3, nan_ok=True)
    assert np.isnan(series.at(*PIXEL)["channels"][1]["mean"][NO_HV])
    assert not np.isnan(series.at(*PIXEL)["channels"][0]["mean"][NO_HV])


def test_distances_lead_to_the_map(series: PixelSeries, finished: str, client: Client) -> None:
    stored, model = open_map(finished), series.model
    assert model is not None
    for row, column in [(10, 10), PIXEL, (33, 70), (70, 50)]:
        found = client.json(f"pixel/0/{row}/{column}")
        assert isinstance(found, dict)
        distances = np.array(found["distances"], np.float32)[:, :, None]
        again = decide(
            np.ascontiguousarray(distances),
            np.ones(len(model.names)),
            float(model.classifier.temperature_),
            decision="sum",
            reject=1.5,
        )
        index = int(again.index[0])
        assert found["class"] == (index if index == 254 else index + 1)
        assert found["class"] == int(stored["class"][row, column])
        expected = stored["probability"][:, row, column].values * 1e-4
        assert found["probability"] == pytest.approx(expected.tolist())
    nothing = client.json(f"pixel/0/10/{SHAPE[1] - 1}")
    assert isinstance(nothing, dict)
    assert (nothing["class"], nothing["entropy"]) == (255, None)
    assert set(nothing["channels"][0]["mean"]) == {None}


def test_facts_are_the_maps(client: Client, finished: str) -> None:
    (facts,) = client.json("facts")  # type: ignore[misc]
    assert facts["place"]["shape"] == list(SHAPE)
    assert facts["place"]["metres"] == pytest.approx([3.0, 3.0], rel=1e-3)
    assert facts["layers"] == ["class", "margin", "entropy", "probability"]
    areas = {c["code"]: c["m2"] for c in facts["classes"]}
    stored = open_map(finished)["class"].values
    assert areas["ACC"] == pytest.approx(9 * int((stored == 2).sum()), rel=3e-4)
    assert areas["–"] == pytest.approx(9 * int((stored == 254).sum()), rel=3e-4)
    assert areas["–"] > 0
    assert [c["dates"][NO_HV] for c in facts["channels"]] == [True, False]
    (classes, _, *series) = np.array(facts["centres"]).shape
    assert classes == len(CLASSES)
    assert np.array(facts["means"], float).shape == (classes, *series)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("map/0/class/0/0/0/0.png", 200),
        ("map/0/probability/3/2/0/0.png", 200),
        ("cube/1/9/1/0/0.png", 200),
        ("limits/0", 200),
        ("map/1/class/0/0/0/0.png", 400),
        ("map/0/nothing/0/0/0/0.png", 400),
        ("map/0/probability/4/0/0/0.png", 400),
        ("map/0/class/0/0/9/0.png", 400),
        ("map/0/class/0/60/0/0.png", 400),
        ("cube/2/0/0/0/0.png", 400),
        ("cube/0/10/0/0/0.png", 400),
        ("pixel/0/88/0", 400),
        ("pixel/0/-1/0", 404),
        ("map/0/class/0/0/0/0.png?hide=1,999,-3,x", 200),
    ],
)
def test_addresses(client: Client, address: str, status: int) -> None:
    found, headers, body = client.ask(address)
    assert found == status, body
    if status == 200 and ".png" in address:
        assert (headers["content-type"], body[:4]) == ("image/png", b"\x89PNG")
    if status == 400:
        assert json.loads(body)["kind"] == "config"


def test_chunks_of_all_dates_are_read_at_once(data, finished: str, monkeypatch) -> None:
    """As many reads wait for each other as may run: one after the other would never end."""
    together = threading.Barrier(ChunkReader.AT_ONCE[0])
    real, waiting = ChunkReader.chunk_of, iter(range(ChunkReader.AT_ONCE[0]))

    def meet(self: ChunkReader, *where: int) -> object:
        if next(waiting, None) is not None:
            together.wait(300)
        return real(self, *where)

    monkeypatch.setattr(ChunkReader, "chunk_of", meet)
    cube = ShownCube.open(data[1], (), Held(1 << 20))
    power, _ = cube.window(*PIXEL, 7)
    assert np.isfinite(power[0]).all()
    assert not together.broken
    cube.close()


def test_a_map_without_its_cube_and_model_is_shown_all_the_same(finished: str) -> None:
    with web.running(map_page(finished)) as server:
        client = Client(server.url)
        (facts,) = client.json("facts")  # type: ignore[misc]
        assert (facts["channels"], facts["features"]) == ([], [])
        found = client.json("pixel/0/10/10")
        assert isinstance(found, dict)
        assert set(found) == {"class", "probability", "entropy", "margin"}
        assert client.ask("cube/0/0/0/0/0.png")[0] == 400


def test_a_damaged_chunk_is_one_sentence(data, finished: str, tmp_path: Path) -> None:
    cube, model = shutil.copytree(data[1], tmp_path / "cube.zarr"), data[0]
    chunk = cube / "HH" / "c" / "4" / "0" / "1"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"?")
    with web.running(map_page(finished, made=Made(str(cube), model))) as server:
        client = Client(server.url)
        for address in ("pixel/0/25/40", "cube/0/4/0/0/0.png"):
            status, _, body = client.ask(address)
            assert (status, json.loads(body)["kind"]) == (409, "cube_damaged")
            assert "chunk 0,1 of HH of 2020-02-21 is altered" in json.loads(body)["error"]
        assert client.ask("pixel/0/70/70")[0] == 200
        assert client.ask("cube/0/5/0/0/0.png")[0] == 200


def test_maps_of_other_grids_are_refused(data, finished: str, tmp_path: Path) -> None:
    other = make_cube(f"{tmp_path}/other.zarr", grid=WGS84)
    elsewhere = map_cube(workspace(tmp_path), data[0], other).url
    with pytest.raises(GridMismatch, match="different grids"):
        map_page(finished, elsewhere)
    with pytest.raises(StoreMissing):
        map_page(f"{tmp_path}/nothing.zarr")


def test_map_and_cube_on_an_object_store(data, finished: str, made: Made, s3_url: str) -> None:
    for source, name in ((finished, "maps/one.zarr"), (data[1], "cubes/cube.zarr")):
        for path in sorted(Path(source).rglob("*")):
            if path.is_file():
                where = f"{s3_url}/{name}/{path.relative_to(source)}"
                storage.upload(path, where)
    summary = finished.replace(".zarr", ".json")
    storage.upload(Path(summary), f"{s3_url}/maps/one.json")
    near = map_page(finished, made=made)
    with web.running(map_page(f"{s3_url}/maps/one.zarr")) as server, web.running(near) as here:
        far, local = Client(server.url), Client(here.url)
        for address in ("map/0/class/0/1/0/0.png", "cube/0/3/0/0/0.png"):
            assert far.ask(address)[2] == local.ask(address)[2]
        one, two = far.json("pixel/0/25/40"), local.json("pixel/0/25/40")
        assert isinstance(one, dict)
        assert isinstance(two, dict)
        assert one["channels"] == two["channels"]


@pytest.fixture(scope="module")
def hostile(finished: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The map under a beam whose name is markup."""
    copy = tmp_path_factory.mktemp("hostile") / "map.zarr"
    shutil.copytree(finished, copy)
    shutil.copy(finished.replace(".zarr", ".json"), str(copy).replace(".zarr", ".json"))
    root = json.loads((copy / "zarr.json").read_text())
    recipe = json.loads(root["attributes"]["recipe"])
    root["attributes"]["recipe"] = json.dumps({**recipe, "beam": HOSTILE})
    root["attributes"]["software"] = HOSTILE
    sums = groups.read_sums(str(copy), "").chunks
    groups.finish_group(str(copy), json.dumps(root).encode(), sums, "")
    return str(copy)


@pytest.fixture(scope="module")
def window(
    hostile: str, finished: str, made: Made, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[chromium.Browser]:
    if (reason := chromium.missing()) is not None:
        pytest.skip(reason)
    import axe_core_python

    checker = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text()
    page = map_page(hostile, finished, made=made)
    profile = tmp_path_factory.mktemp("profile")
    with web.running(page) as server, chromium.browser(profile) as window:
        window.emulate("Page.addScriptToEvaluateOnNewDocument", source=checker)
        window.open(server.url)
        window.wait("return document.documentElement?.dataset.ready === 'yes'")
        yield window


def at(window: chromium.Browser, row: int, column: int) -> tuple[int, int]:
    """Where the centre of a pixel is in the window."""
    x, y = window.run(
        "const at = view.map.getPixelFromCoordinate(view.ground.centre(arguments[0]));"
        "const box = document.getElementById('map').getBoundingClientRect();"
        "return [at[0] + box.x, at[1] + box.y]",
        [row, column],
    )
    return round(x), round(y)


def colour(window: chromium.Browser, row: int, column: int) -> tuple[int, ...]:
    x, y = at(window, row, column)
    return tuple(window.picture()[y, x].tolist())


def test_names_are_text_and_nothing_comes_from_elsewhere(window) -> None:
    assert window.run("return window.hacked") is None
    assert HOSTILE in window.run("return document.getElementById('subtitle').textContent")
    origin = window.run("return document.getElementById('origin').textContent")
    assert HOSTILE in origin
    assert "share of right decisions to ± 0." in origin
    assert "Pixels under −31 dB: HH 0." in origin
    here = window.run("return location.host")
    asked = [url for url in window.requests() if not url.startswith(("data:", "chrome"))]
    assert {urlsplit(url).netloc for url in asked} == {here}
    assert any("/map/0/class/" in url for url in asked)
    assert window.log("browser") == []


def test_classes_have_their_colours_and_can_be_hidden(window, finished: str) -> None:
    stored = open_map(finished)["class"].values
    chosen = colours(CLASSES)
    for value, code in enumerate(CLASSES, 1):
        row, column = interior(stored, value)
        assert colour(window, row, column) == rgb(chosen[code])
    row, column = interior(stored, 2)
    press = "document.querySelectorAll('.entry')[1].click()"
    window.run(press)
    window.run("view.map.renderSync()")
    window.wait("return view.state.hidden.has(2)")
    wait_for_tiles(window)
    assert colour(window, row, column) != rgb(chosen["ACC"])
    window.run(press)
    wait_for_tiles(window)
    assert colour(window, row, column) == rgb(chosen["ACC"])


def test_a_click_shows_the_series_of_the_pixel(window, finished: str) -> None:
    row, column = interior(open_map(finished)["class"].values, 1)
    window.click(*at(window, row, column))
    window.wait("return view.state.found !== null")
    assert window.run("return view.state.pixel") == [row, column]
    said = window.run("return document.getElementById('pixel-where').textContent")
    assert said.startswith(f"row {row}, column {column}; ")
    assert window.run("return document.getElementById('pixel-class').textContent")[:3] == "ABL"
    shown = "return [...document.querySelectorAll('#chart .line')].map((p) => p.dataset.name)"
    assert {*CLASSES, "mean"} < {*window.run(shown)}
    lines = window.run("return document.querySelectorAll('#channels .line').length")
    assert lines == 2
    gaps = window.run("return document.querySelectorAll('#channels .line')[1].getAttribute('d')")
    assert gaps.count("M") == 2, "the date without HV is a gap"
    window.press(ESCAPE)
    assert window.run("return document.getElementById('series').hidden")


def test_the_series_never_lies_over_its_pixel(window, finished: str) -> None:
    seen = "return document.elementFromPoint(...arguments[0]).closest('#map') !== null"
    for row, column in ((3, 3), (SHAPE[0] - 3, SHAPE[1] - 3), (SHAPE[0] // 2, SHAPE[1] - 3)):
        window.press("0")
        window.settle()
        window.click(*at(window, row, column))
        window.wait(f"return String(view.state.found && view.state.pixel) === '{row},{column}'")
        assert window.run(seen, at(window, row, column)), "the pixel is in sight"
        window.press(ESCAPE)
    window.press("0")


def test_the_keyboard_is_enough(window) -> None:
    window.run("document.getElementById('map').focus()")
    window.press("0", ENTER)
    window.wait("return view.state.found !== null")
    row, column = window.run("return view.state.pixel")
    assert abs(row - SHAPE[0] / 2) < 2
    assert abs(column - SHAPE[1] / 2) < 2
    before = window.run("return view.map.getView().getZoom()")
    window.run("document.getElementById('map').focus()")
    window.press("+")
    window.wait(f"return view.map.getView().getZoom() > {before}")
    window.press("0", ESCAPE)


def test_the_slider_divides_two_maps(window, finished: str) -> None:
    row, column = interior(open_map(finished)["class"].values, 3)
    orange = rgb(colours(CLASSES)["HAG"])
    window.run("view.map.getLayers().item(1).setVisible(false)")
    for split, seen in ((0, True), (100, False)):
        window.run(
            "const split = document.getElementById('split'); split.value = arguments[0];"
            "split.dispatchEvent(new Event('input')); view.map.renderSync()",
            split,
        )
        wait_for_tiles(window)
        assert (colour(window, row, column) == orange) is seen
    window.run("view.change({})")


def test_the_radar_image_of_a_date(window) -> None:
    window.run("view.change({ layer: 'radar', channel: 1, date: 4 })")
    wait_for_tiles(window)
    window.wait("return document.querySelector('.ends')?.textContent.includes('dB')")
    assert any("/cube/1/4/" in url for url in window.requests())
    red, green, blue = colour(window, *PIXEL)
    assert red == green == blue
    window.run("view.change({ layer: 'class' })")


def test_an_accessibility_checker_finds_nothing_serious(window) -> None:
    window.run("view.show([25, 40])")
    window.wait("return !document.getElementById('series').hidden")
    found = window.call(
        "/execute/async",
        {
            "script": "const done = arguments[0]; axe.run().then((r) => done(r.violations.map("
            "(v) => [v.impact, v.id, v.nodes.map((n) => n.html)])), (e) => done(String(e)))",
            "args": [],
        },
    )
    assert [one for one in found if one[0] in ("serious", "critical")] == []
    window.press(ESCAPE)


def wait_for_tiles(window: chromium.Browser) -> None:
    """Until the map has painted all that it asked for."""
    window.call(
        "/execute/async",
        {
            "script": "const done = arguments[0]; view.map.once('rendercomplete', () => done());"
            "view.map.render()",
            "args": [],
        },
    )
    window.settle()


def interior(classes: np.ndarray, value: int) -> tuple[int, int]:
    """A pixel of a class among pixels of it."""
    alike = np.lib.stride_tricks.sliding_window_view(classes == value, (5, 5)).all(axis=(2, 3))
    row, column = np.argwhere(alike)[0] + 2
    return int(row), int(column)


def test_the_command_serves_until_it_is_stopped(
    data, finished: str, made: Made, tmp_path: Path
) -> None:
    command = Path(sys.executable).with_name("cpazmal")
    words = ("view", finished, "--cube", data[1], "--model", data[0], "--no-browser")
    process = subprocess.Popen(
        [str(command), *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    client = Client(process.stdout.readline().strip())
    assert process.stdout.readline() == "Ctrl-C ends it\n"
    found = client.json("pixel/0/25/40")
    assert isinstance(found, dict)
    assert len(found["channels"]) == 2
    process.send_signal(signal.SIGINT)
    rest, wrong = process.communicate(timeout=300)
    assert (process.returncode, rest, wrong) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nothing",), "no catalog entry 'nothing'"),
        (("nothing.zarr",), "no map here; run `cpazmal map`"),
        (("MAP", "--cube", "none.zarr"), "no cube is here; check --cube"),
        (("http://127.0.0.1:9/map.zarr",), "check that the store is reachable"),
        (("https://me:secret@example.com/map.zarr",), "an address holds a password"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(
    finished: str, tmp_path: Path, words: tuple[str, ...], sentence: str, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [finished if word == "MAP" else word for word in words]
    with pytest.raises(CpazmalError) as wrong:
        app.meta(["view", *given, "--no-browser"], exit_on_error=False, print_error=False)
    assert sentence in str(wrong.value)
    assert "secret" not in str(wrong.value)
