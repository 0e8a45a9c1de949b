"""The page over HTTP and in a real browser: draw, name, cut, move, undo, save, interpret."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import geopandas
import numpy as np
import pytest
import shapely
from support import browser as chromium
from support.browser import ENTER, Browser
from support.labelling import STANDARD, mapped_workspace, polygons_of, square, users_file
from support.small_campaign import CLASSES, SHAPE, UTM
from support.small_cluster import until as happens

from cpazmal_scale import catalog, web
from cpazmal_scale.assess import read_units, write_units
from cpazmal_scale.config import RunConfig
from cpazmal_scale.label import Desk, page
from cpazmal_scale.samples import read_polygons
from cpazmal_scale.stages import areas
from cpazmal_scale.stages import label as stage

HOSTILE = "<script>window.hacked = 1</script>"
LEFT_KEY, RIGHT_KEY, DELETE = "\ue012", "\ue014", "\ue017"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    return mapped_workspace(tmp_path_factory.mktemp("run"))


@pytest.fixture
def desk(run: RunConfig, tmp_path: Path) -> Iterator[Desk]:
    file = users_file(tmp_path / "polygons.gpkg")
    opened = stage.polygons(run.with_values({"samples": {"polygons": str(file)}}))
    yield opened
    opened.close()


class Client:
    """What the page's own scripts can ask, without a browser."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.place = f"{self.origin}{parts.path}"
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(CookieJar()), urllib.request.ProxyHandler({})
        )
        self.opener.open(url, timeout=300).read()

    def ask(self, path: str, body: object = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"origin": self.origin} if data else {}
        request = urllib.request.Request(self.place + path, data, headers)
        try:
            with self.opener.open(request, timeout=300) as got:
                content = got.read()
                json_ = "json" in got.headers["content-type"]
                return got.status, json.loads(content) if json_ else content
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())


@pytest.fixture
def client(desk: Desk) -> Iterator[Client]:
    with web.running(page(desk)) as server:
        yield Client(server.url)


def test_questions_and_answers(client: Client, desk: Desk) -> None:
    _, facts = client.ask("desk")
    assert facts["place"]["shape"] == list(SHAPE)
    assert [date["sent"] for date in facts["dates"]][3] == ["HH"]
    _, state = client.ask("state")
    assert [one["group"] for one in state["polygons"]] == ["ABL001", "ABL002", "ACC001", "7"]
    shown = np.array(state["polygons"][2]["shape"][0][0])
    down, across = facts["place"]["metres"]
    np.testing.assert_allclose(shown.min(0), [34 * across, -20 * down], atol=1e-6)
    few = {one["code"]: one["few"] for one in state["classes"]}
    assert few == dict.fromkeys(CLASSES, True)

    ring = [[3, -3], [60, -3], [60, -60], [3, -3]]
    edit = {"kind": "draw", "label": "HAG", "shape": [[ring]]}
    status, done = client.ask("edit", {"revision": state["revision"], "edit": edit})
    assert status == 200
    (new,) = done["polygons"]
    assert (new["class"], new["group"]) == ("HAG", "HAG001")
    np.testing.assert_allclose(new["shape"][0][0], ring, atol=1e-6)
    assert done["unsaved"] == 1

    status, error = client.ask("edit", {"revision": state["revision"], "edit": edit})
    assert (status, error["kind"]) == (409, "writer_conflict")
    status, found = client.ask("series", {"id": new["id"]})
    assert set(found["decibel"]) == {"HH", "HV"}
    assert found["decibel"]["HV"][3] is None
    assert client.ask("save", {})[1]["written"] == 1
    assert len(geopandas.read_file(desk.session.url, layer="polygons")) == 5
    status, found = client.ask("proposals")
    assert status == 200
    assert found["uncertain"]
    black, white = client.ask("limits/HH")[1]
    assert -40 < black < white < 20
    assert client.ask("limits/HV.k1")[1][0] < client.ask("limits/HV.k1")[1][1]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("edit", {"edit": {"kind": "drop"}}),
        ("edit", {"edit": {"kind": "reshape", "id": 77, "shape": []}}),
        ("edit", {"edit": {"kind": "draw", "shape": "x", "label": "A"}}),
        ("edit", {"edit": [1]}),
        (
            "edit",
            {"edit": {"kind": "draw", "shape": [[[[1e308, 1], [2, 2], [1, 2]]]], "label": "A"}},
        ),
        ("series", {}),
        ("series", {"id": 99}),
        ("series", {"id": [1]}),
        ("series", {"shape": [[[[1, 1], [2, 2]]]]}),
        ("keep", {"name": "../x.gpkg"}),
        ("keep", {"name": "/tmp/x.gpkg"}),
        ("keep", {"name": "x.txt"}),
        ("keep", [1]),
        ("tile/HH/0/0/99/0", None),
        ("tile/VV/0/0/0/0", None),
        ("tile/HH/99/0/0/0", None),
        ("chip/class/0/1/1", None),
        ("limits/VV", None),
        ("limits/class", None),
        ("undo", {}),
    ],
)
def test_nonsense_is_answered_in_one_sentence(client: Client, path: str, body: object) -> None:
    _, state = client.ask("state")
    if isinstance(body, dict):
        body = {"revision": state["revision"], **body}
    status, answer = client.ask(path, body)
    assert status in (400, 404, 409)
    assert answer["error"].strip()
    assert client.ask("state")[1]["polygons"] == state["polygons"]


def test_an_edit_on_a_full_disk_is_to_be_done_again(client: Client, monkeypatch) -> None:
    """What is shown is what is on the disk, and the same edit succeeds when there is room."""
    _, state = client.ask("state")
    edit = {"kind": "delete", "ids": [state["polygons"][0]["id"]]}
    asked = {"revision": state["revision"], "edit": edit}

    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fails)
        status, found = client.ask("edit", asked)
    assert (status, found["kind"]) == (409, "disk_full")
    assert found["error"].endswith(
        "the disk is full; free space, then do this again: it was not done"
    )
    assert client.ask("state")[1]["polygons"] == state["polygons"]
    assert client.ask("edit", asked)[1]["gone"] == edit["ids"]


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    reason = chromium.missing()
    if reason:
        pytest.skip(reason)
    with chromium.browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def shown(desk: Desk, window: Browser) -> Iterator[Browser]:
    with web.running(page(desk)) as server:
        yield show(window, server.url)
        window.open("about:blank")


def show(window: Browser, url: str) -> Browser:
    window.open("about:blank")
    window.log("browser")
    window.requests()
    window.open(url)
    window.wait("return document.documentElement?.dataset.ready === 'yes'")
    window.run("cpazmal.map.getView().setResolution(0.45)")
    window.settle()
    return window


def screen(window: Browser, column: float, row: float) -> tuple[float, float]:
    """Where a place of the grid, in pixels, is in the window."""
    x, y = window.run(
        "const box = document.getElementById('map').getBoundingClientRect();"
        "const [x, y] = cpazmal.map.getPixelFromCoordinate([arguments[0] * 3, -arguments[1] * 3]);"
        "return [x + box.left, y + box.top]",
        column,
        row,
    )
    return float(x), float(y)


def press_tool(window: Browser, tool: str) -> None:
    window.run(f"document.querySelector('[data-tool={tool}]').click()")
    window.settle()


def click(window: Browser, name: str) -> None:
    window.run("document.getElementById(arguments[0]).click()", name)
    window.settle()


def said(window: Browser) -> str:
    return str(window.run("return document.getElementById('said').textContent"))


def pick(window: Browser, number: int) -> None:
    window.run(
        "const p = cpazmal.polygons; p.choose([p.source.getFeatureById(arguments[0])])", number
    )
    window.settle()


def sketch(window: Browser, *corners: tuple[float, float]) -> None:
    """Click corners, the last one twice."""
    for column, row in corners:
        window.click(*screen(window, column, row))
    window.click(*screen(window, *corners[-1]))


def until(window: Browser, script: str) -> None:
    window.wait(f"return {script}")
    window.settle()


def saved(window: Browser, desk: Desk) -> geopandas.GeoDataFrame:
    click(window, "save")
    until(window, "document.getElementById('save').textContent === 'Saved'")
    return geopandas.read_file(desk.session.url, layer="polygons", fid_as_index=True)


def in_pixels(table: geopandas.GeoDataFrame, number: int) -> shapely.Geometry:
    shape = table.to_crs("EPSG:32632").geometry[number]
    away = ~UTM.transform
    return shapely.transform(shape, lambda c: np.stack(away * (c[:, 0], c[:, 1]), -1))


@pytest.mark.filterwarnings("ignore:More than one layer")
def test_a_polygon_is_drawn_named_and_saved(shown: Browser, desk: Desk) -> None:
    press_tool(shown, "draw")
    sketch(shown, (70, 10), (90, 10), (90, 30), (70, 30))
    assert "give a class first" in said(shown)
    click_class(shown, "HAG")
    sketch(shown, (70, 10), (90, 10), (90, 30), (70, 30))
    until(shown, "document.getElementById('save').textContent === 'Save (1)'")
    until(shown, "document.querySelector('#series svg[role=img]') !== null")
    label = shown.run("return document.querySelector('#series svg').getAttribute('aria-label')")
    assert "on 10 of 10 dates" in label
    assert "HV" in label
    assert "9 of 10" in label
    picked = shown.run(
        "const svg = document.querySelector('#series svg'), box = svg.getBoundingClientRect();"
        "svg.dispatchEvent(new MouseEvent('click', {clientX: box.right - 12}));"
        "const mark = document.querySelector('#series .now').getAttribute('x1');"
        "return [document.getElementById('date').value, Number(mark) > box.width - 20]"
    )
    assert picked == ["9", True]
    table = saved(shown, desk)
    new = int(table.index.max())
    assert table.loc[new, ["class", "group"]].tolist() == ["HAG", "HAG001"]
    drawn = in_pixels(table, new)
    assert shapely.hausdorff_distance(drawn, shapely.box(70, 10, 90, 30)) < 0.5
    assert len(read_polygons(desk.session.url, ["ABL"])) == 2


def click_class(window: Browser, code: str) -> None:
    window.run(
        "[...document.querySelectorAll('#classes button')]"
        ".find((one) => one.textContent.startsWith(arguments[0])).click()",
        code,
    )
    window.settle()


def test_cut_move_reshape_delete_undo_and_redo(shown: Browser, desk: Desk) -> None:
    before = geopandas.read_file(desk.session.url, layer="polygons", fid_as_index=True)
    shown.click(*screen(shown, 40, 14))
    assert shown.run("return cpazmal.polygons.chosen().map((one) => one.getId())") == [3]
    press_tool(shown, "split")
    sketch(shown, (30, 14), (50, 14))
    until(shown, "cpazmal.polygons.source.getFeatures().length === 5")
    assert "ACC ACC001" in said(shown)

    pick(shown, 4)
    press_tool(shown, "move")
    shown.drag(screen(shown, 67, 55), screen(shown, 77, 60))
    until(shown, "cpazmal.now.unsaved === 3")
    press_tool(shown, "reshape")
    shown.drag(screen(shown, 70, 53), screen(shown, 66, 53))
    until(shown, "cpazmal.now.revision === 4")
    pick(shown, 1)
    shown.run("document.querySelector('#tools button[title=Delete]').click()")
    until(shown, "cpazmal.polygons.source.getFeatures().length === 4")
    table = saved(shown, desk)
    assert sorted(table.index) == [2, 3, 4, 5]
    moved = in_pixels(table, 4)
    assert moved.bounds == pytest.approx((66, 53, 84, 67), abs=0.6)
    assert table.geometry[2].equals_exact(before.geometry[2], 0)
    assert table.who[5] == "mapper 2"

    for left in (3, 2, 1, 0):
        click(shown, "undo")
        until(shown, f"cpazmal.now.revision === {10 - left}")
    assert shown.run("return document.getElementById('undo').disabled")
    after = saved(shown, desk)
    assert sorted(after.index) == [1, 2, 3, 4]
    for number in before.index:
        assert after.geometry[number].equals_exact(before.geometry[number], 0)
    click(shown, "redo")
    until(shown, "cpazmal.polygons.source.getFeatures().length === 5")


def test_neighbours_are_joined_and_groups_renewed(shown: Browser, desk: Desk) -> None:
    click(shown, "propose")
    until(shown, "document.querySelectorAll('#proposals button').length > 3")
    heads = shown.run(
        "return [...document.querySelectorAll('#proposals h3')].map((h) => h.textContent)"
    )
    assert heads[0] == "Classes with too few groups"
    assert "The map is unsure (entropy)" in heads
    shown.run(
        "[...document.querySelectorAll('#proposals button')]"
        ".find((one) => one.textContent === 'ABL ABL001 + ABL ABL002').click()"
    )
    assert shown.run("return cpazmal.polygons.chosen().length") == 2
    click(shown, "join")
    until(shown, "cpazmal.now.classes.find((one) => one.code === 'ABL').groups === 1")
    pick(shown, 2)
    click(shown, "new-group")
    until(shown, "cpazmal.now.classes.find((one) => one.code === 'ABL').groups === 2")
    table = saved(shown, desk)
    assert table.group[1] == "ABL001"
    assert table.group[2] == "ABL002"


def test_all_of_it_by_keys(shown: Browser, desk: Desk) -> None:
    click_class(shown, "HAG")
    shown.run("document.getElementById('map').focus()")
    shown.press("d")
    for x, y in ((75, 40), (90, 40), (90, 55)):
        shown.run("cpazmal.map.getView().setCenter([arguments[0] * 3, -arguments[1] * 3])", x, y)
        shown.press(" ")
    shown.press(ENTER)
    until(shown, "cpazmal.polygons.source.getFeatures().length === 5")
    shown.press("m")
    shown.press(RIGHT_KEY, RIGHT_KEY)
    until(shown, "cpazmal.now.revision === 4")
    shown.press("r", "n", LEFT_KEY)
    until(shown, "cpazmal.now.revision === 5")
    new = shown.run("return cpazmal.polygons.chosen()[0].getId()")
    shape = in_pixels(saved(shown, desk), new)
    corners = {(round(x), round(y)) for x, y in shapely.get_coordinates(shape)}
    assert {(92, 40), (92, 55)} <= corners
    assert corners & {(76, 40), (91, 40), (91, 55)}
    shown.press(DELETE)
    until(shown, "cpazmal.now.revision === 7")


def test_edits_outlast_the_browser_and_the_server(
    run: RunConfig, window: Browser, tmp_path: Path
) -> None:
    """A real process of the command line, killed; the next one has everything."""
    file = users_file(tmp_path / "polygons.gpkg")
    settings = tmp_path / "run.yaml"
    settings.write_text(json.dumps({"beam": "DSC_1", "samples": {"polygons": str(file)}}))
    command = [sys.executable, "-m", "cpazmal_scale.cli", "label", run.workspace]
    if not (Path("cpazmal_scale/cli/__main__.py")).exists():
        command[1:3] = ["-c", "from cpazmal_scale.cli import main; main()"]
    command += ["--config", str(settings), "--no-browser"]

    def start() -> tuple[subprocess.Popen[str], str]:
        env = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("http://"):
                return process, line.strip()
        raise AssertionError("it ended")

    process, url = start()
    before = file.read_bytes()
    try:
        show(window, url)
        pick(window, 1)
        click_class(window, "ICA")
        until(window, "cpazmal.now.unsaved === 1")
        window.open("about:blank")
    finally:
        process.kill()
        process.wait()
    assert file.read_bytes() == before

    process, url = start()
    try:
        show(window, url)
        assert "1 change of an earlier time" in said(window)
        click(window, "save")
        until(window, "document.getElementById('save').textContent === 'Saved'")
        window.open("about:blank")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(300) == 0
    table = geopandas.read_file(file, layer="polygons", fid_as_index=True)
    assert table["class"][1] == "ICA"


def test_a_file_changed_elsewhere(shown: Browser, desk: Desk) -> None:
    pick(shown, 1)
    click_class(shown, "ICA")
    until(shown, "cpazmal.now.unsaved === 1")
    Path(desk.session.url).unlink()
    polygons_of(list(STANDARD[:2])).to_file(desk.session.url, driver="GPKG", layer="polygons")
    theirs = Path(desk.session.url).read_bytes()
    click(shown, "save")
    until(shown, "document.getElementById('conflict').open")
    assert Path(desk.session.url).read_bytes() == theirs
    name = shown.run("return document.getElementById('keep-name').value")
    assert name == "polygons-2.gpkg"
    shown.run("document.querySelector('#keep button').click()")
    until(shown, "!document.getElementById('conflict').open")
    until(shown, "document.getElementById('file').textContent.endsWith('polygons-2.gpkg')")
    assert desk.session.url.endswith("polygons-2.gpkg")
    assert len(geopandas.read_file(desk.session.url, layer="polygons")) == 4
    assert Path(desk.session.url.replace("polygons-2", "polygons")).read_bytes() == theirs


def test_nothing_from_elsewhere_and_names_are_text(
    run: RunConfig, window: Browser, tmp_path: Path
) -> None:
    shapes = [(HOSTILE, f"{HOSTILE}{i}", square(8 + 20 * i, 10, 10)) for i in range(3)]
    file = users_file(tmp_path / f"{'<b>'}.gpkg", shapes=shapes)
    opened = stage.polygons(run.with_values({"samples": {"polygons": str(file)}}))
    try:
        with web.running(page(opened)) as server:
            show(window, server.url)
            pick(window, 1)
            click(window, "propose")
            until(window, "document.querySelectorAll('#proposals button').length > 0")
            assert window.run("return window.hacked") is None
            assert HOSTILE in window.run("return document.getElementById('classes').textContent")
            origin = server.url.split("/", 3)[2]
            asked = [u for u in window.requests() if not u.startswith(("about:", "data:", "blob:"))]
            assert {urlsplit(address).netloc for address in asked} == {origin}
            assert [line["message"] for line in window.log("browser")] == []
            window.open("about:blank")
    finally:
        opened.close()


def test_on_a_phone(desk: Desk, window: Browser) -> None:
    size = {"width": 390, "height": 780, "deviceScaleFactor": 2, "mobile": True}
    window.emulate("Emulation.setDeviceMetricsOverride", **size)
    window.emulate("Emulation.setTouchEmulationEnabled", enabled=True)
    try:
        with web.running(page(desk)) as server:
            show(window, server.url)
            assert window.run("return document.documentElement.scrollWidth") <= 390
            small = window.run(
                "return [...document.querySelectorAll('button, select, #name input')]"
                ".filter((one) => one.offsetParent && one.getBoundingClientRect().height < 40)"
                ".map((one) => one.outerHTML)"
            )
            assert small == []
            click_class(window, "HAG")
            press_tool(window, "draw")
            corners = ((46, 40), (56, 40), (56, 50), (46, 50))
            window.run("cpazmal.map.getView().setCenter([50 * 3, -45 * 3])")
            for column, row in corners:
                window.click(*screen(window, column, row), kind="touch")
                time.sleep(0.35)  # two taps within a third of a second are a double tap
            click(window, "end")
            until(window, "cpazmal.polygons.source.getFeatures().length === 5")
            window.open("about:blank")
    finally:
        window.emulate("Emulation.clearDeviceMetricsOverride")
        window.emulate("Emulation.setTouchEmulationEnabled", enabled=False)


def test_a_checker_finds_nothing_serious(
    run: RunConfig, desk: Desk, window: Browser, tmp_path: Path
) -> None:
    """Of Deque's rules (WCAG 2.2 A and AA, good practice), by day and by night, in all states."""
    axe = pytest.importorskip("axe_core_python")
    checker = (Path(axe.__file__).parent / "axe.min.js").read_text()
    name = next(e.name for e in catalog.entries(run.workspace, kind="map"))
    url = write_units(areas.design(run, name, units=8), str(tmp_path / "units.gpkg"))

    def check(state: str) -> None:
        window.run(checker)
        found = window.call(
            "/execute/async",
            {"script": "axe.run().then((all) => arguments[0](all.violations))", "args": []},
        )
        bad = [one for one in found if one["impact"] in ("serious", "critical")]
        assert not bad, (state, [(one["id"], one["nodes"][0]["html"]) for one in bad])

    def emulate(scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        window.emulate("Emulation.setEmulatedMedia", features=features)

    try:
        with web.running(page(desk)) as server:
            for scheme in ("light", "dark"):
                emulate(scheme)
                show(window, server.url)
                pick(window, 1)
                press_tool(window, "reshape")
                click(window, "propose")
                until(window, "document.querySelector('#series svg[role=img]') !== null")
                until(window, "document.querySelectorAll('#proposals button').length > 3")
                check(f"polygons, {scheme}")
            window.run("document.getElementById('conflict').showModal()")
            check("conflict")
            window.open("about:blank")
        with web.running(page(stage.points(run, url))) as server:
            show(window, server.url)
            until(window, "document.querySelector('#series svg[role=img]') !== null")
            check("points")
            window.open("about:blank")
    finally:
        emulate("")


def test_points_are_interpreted_one_by_one_without_the_map(
    run: RunConfig, window: Browser, tmp_path: Path
) -> None:
    name = next(e.name for e in catalog.entries(run.workspace, kind="map"))
    drawn = areas.design(run, name, units=8)
    url = write_units(drawn, str(tmp_path / "units.gpkg"))
    opened = stage.points(run, url)
    try:
        with web.running(page(opened)) as server:
            assert Client(server.url).ask("tile/class/0/0/0/0")[0] == 404
            assert Client(server.url).ask("proposals")[0] == 400
            show(window, server.url)
            assert "0 of 8 done" in window.run(
                "return document.getElementById('unit-name').textContent"
            )
            chips = "[...document.querySelectorAll('#chips img')]"
            until(window, f"{chips}.every((one) => one.naturalWidth === 48)")
            assert window.run("return document.querySelectorAll('#chips img').length") == 6
            until(window, "document.querySelector('#series svg[role=img]') !== null")
            assert not window.run("return document.getElementById('over-row').offsetParent")
            window.run("document.getElementById('map').focus()")
            for done in range(1, 8):
                window.press(str(1 + done % 4))
                until(
                    window,
                    f"document.getElementById('unit-name').innerText.includes('{done} of 8')",
                )
            click(window, "undo")
            until(window, "document.getElementById('unit-name').innerText.includes('6 of 8')")
            window.press("1")
            until(window, "document.getElementById('unit-name').innerText.includes('7 of 8')")
            click(window, "unit-unknown")
            until(window, "document.getElementById('unit-name').innerText.includes('8 of 8')")
            click(window, "save")
            until(window, "document.getElementById('save').textContent === 'Saved'")
            window.open("about:blank")
    finally:
        opened.close()
    read = read_units(url, str(drawn["map"].iloc[0]))
    assert len(read) == 8
    assert set(read["reference"]) <= {*CLASSES, "unknown"}
    assert (read["reference"] == "unknown").sum() == 1
    assert read.drop(columns="reference").equals(
        drawn[drawn["unit"].isin(read["unit"])].drop(columns="reference").reset_index(drop=True)
    )


def test_dates_and_what_lies_above(shown: Browser) -> None:
    first = shown.picture()
    click(shown, "before")
    until(shown, "document.getElementById('date').selectedIndex === cpazmal.desk.first - 1")
    happens(lambda: (shown.picture() != first).any())
    shown.run(
        "const over = document.getElementById('over'); over.value = 'class';"
        "over.dispatchEvent(new Event('change'))"
    )
    shown.run("cpazmal.map.renderSync()")
    happens(lambda: len(np.unique(shown.picture().reshape(-1, 3), axis=0)) > 300)
