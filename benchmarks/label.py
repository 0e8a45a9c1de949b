"""The label page on a large cube: how long interactions wait for their picture, in a browser.

`python -m benchmarks.label WORKSPACE`: one with a cube and a map. 500 polygons of 60 corners are
spread over it, into a folder of its own. Chromium's own Event Timing API says how long each
event took until the next frame was painted; edits are timed until their answer is shown.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import shapely

from cpazmal_scale import web
from cpazmal_scale.config import RunConfig
from cpazmal_scale.grid.cf import grid_of
from cpazmal_scale.label import page
from cpazmal_scale.mapping.classify.block import peak_memory
from cpazmal_scale.stages import label as stage
from cpazmal_scale.stages import workspace

sys.path.append(str(Path(__file__).parents[1] / "tests"))

POLYGONS, CORNERS, REACH = 500, 60, 40
CLASSES = ("ABL", "ACC", "FOR", "HAG", "ICA", "LAC", "PLA", "ROC")
WATCH = """
window.waits = {};
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) (waits[one.name] ??= []).push(one.duration);
}).observe({ type: 'event', durationThreshold: 16 });
window.frames = []; let before = 0;
const frame = (now) => {
  if (before) frames.push(now - before);
  before = now;
  requestAnimationFrame(frame);
};
requestAnimationFrame(frame);
"""


def polygons(config: RunConfig, path: Path) -> None:
    """500 polygons of 60 corners, spread over the cube."""
    rng = np.random.default_rng(1)
    grid = grid_of(workspace.open_period(config))
    turn = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    rows = []
    for number in range(POLYGONS):
        middle = rng.uniform(2 * REACH, np.array(grid.shape) - 2 * REACH)
        reach = REACH * rng.uniform(0.6, 1.4, CORNERS)
        x, y = grid.transform * (middle[1] + reach * np.cos(turn), middle[0] + reach * np.sin(turn))
        code = CLASSES[number % len(CLASSES)]
        rows.append((code, f"{code}{number:03d}", shapely.Polygon(np.stack([x, y], 1))))
    codes, groups, shapes = zip(*rows, strict=True)
    table = geopandas.GeoDataFrame(
        {"class": codes, "group": groups}, geometry=list(shapes), crs=str(grid.crs)
    )
    table.to_file(path, driver="GPKG", layer="polygons")


def main() -> None:
    """Print one line per interaction."""
    from support.browser import DOWN, UP, browser, move

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "polygons.gpkg"
        config = RunConfig(workspace=sys.argv[1])
        polygons(config, file)
        config = config.with_values({"samples": {"polygons": str(file)}})
        began = time.perf_counter()
        desk = stage.polygons(config)
        print(f"opened in {time.perf_counter() - began:.2f} s: {desk.layers.cube.shape} pixels")
        with web.running(page(desk)) as server, browser(Path(folder) / "profile") as window:
            began = time.perf_counter()
            window.open(server.url)
            window.wait("return document.documentElement.dataset.ready === 'yes'")
            print(f"page with {POLYGONS} polygons ready in {time.perf_counter() - began:.2f} s")
            window.wait(LOADED)
            print(f"whole picture in {time.perf_counter() - began:.2f} s")
            window.run(WATCH)
            for name, end in (("first pan", (640, 470)), ("pan, far away", (360, 330))):
                told(name, window, lambda end=end: drag(window, (500, 400), end, move, DOWN, UP))
            first = window.run(
                "const f = cpazmal.polygons.source.getFeatures()[7];"
                "cpazmal.polygons.choose([f]);"
                "const extent = f.getGeometry().getExtent();"
                "cpazmal.map.getView().fit(extent, {padding: [200, 200, 200, 200]});"
                "return f.getId()"
            )
            began = time.perf_counter()
            window.wait("return document.querySelector('#series svg[role=img]') !== null")
            print(f"series of a polygon shown in {time.perf_counter() - began:.2f} s")
            window.wait(LOADED)
            print(f"close view in {time.perf_counter() - began:.2f} s")
            told("pan, near", window, lambda: drag(window, (300, 300), (420, 360), move, DOWN, UP))
            told("wheel", window, lambda: window.wheel(500, 400, -240))
            told("choose by click", window, lambda: window.click(*at(window, first)))
            tool(window, "move")
            told(
                "move a polygon",
                window,
                lambda: drag(window, at(window, first), (520, 380), move, DOWN, UP),
            )
            tool(window, "reshape")
            told(
                "drag a corner",
                window,
                lambda: drag(window, corner(window, first), (420, 330), move, DOWN, UP),
            )
            tool(window, "choose")
            told("date", window, lambda: window.run("document.getElementById('after').click()"))
            for name in ("undo", "redo", "undo"):
                answered(name, window, f"document.getElementById('{name}').click()")
            answered("name", window, "document.querySelector('#classes button').click()")
            answered("save", window, "document.getElementById('save').click()")
            began = time.perf_counter()
            window.run("document.getElementById('propose').click()")
            window.wait("return document.querySelectorAll('#proposals button').length > 3")
            print(f"proposals in {time.perf_counter() - began:.2f} s")
            window.open("about:blank")
    peak = peak_memory() / 2**30
    print(f"peak memory of the server {peak:.2f} GiB")


LOADED = (
    "if (!window.watched) { window.watched = true; window.idle = false;"
    "cpazmal.map.on('rendercomplete', () => { window.idle = true; }); cpazmal.map.render(); }"
    "return window.idle"
)


def tool(window: Any, name: str) -> None:
    """Take up a tool."""
    window.run("document.querySelector(`[data-tool=${arguments[0]}]`).click()", name)
    window.settle()


def at(window: Any, number: int) -> tuple[float, float]:
    """Where the middle of a polygon is in the window."""
    return on_screen(window, number, "getInteriorPoint().getCoordinates()")


def corner(window: Any, number: int) -> tuple[float, float]:
    """Where its first corner is."""
    return on_screen(window, number, "getFirstCoordinate()")


def on_screen(window: Any, number: int, place: str) -> tuple[float, float]:
    """A coordinate of a polygon in the window."""
    x, y = window.run(
        f"const c = cpazmal.polygons.source.getFeatureById({number}).getGeometry().{place};"
        "const box = document.getElementById('map').getBoundingClientRect();"
        "const p = cpazmal.map.getPixelFromCoordinate(c); return [p[0] + box.left, p[1] + box.top]"
    )
    return float(x), float(y)


def drag(window: Any, start: Any, end: Any, move: Any, down: Any, up: Any) -> None:
    """Drag in twelve steps, as a hand does."""
    steps = [move(*start), down]
    for share in np.linspace(0, 1, 12):
        x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
        steps.append({**move(x, y), "duration": 16})
    window.mouse(*steps, up)


def told(name: str, window: Any, act: Any) -> None:
    """Do something; the longest wait of its events for a frame, and the longest frame."""
    window.run("window.waits = {}; window.frames.length = 0")
    act()
    time.sleep(0.6)
    waits = window.run("return window.waits")
    frames = window.run("return window.frames")
    worst = max((max(some) for some in waits.values()), default=0.0)
    print(
        f"{name:<18} longest wait {worst:5.0f} ms  longest frame {max(frames, default=0):5.0f} ms  "
        f"{json.dumps({kind: max(some) for kind, some in waits.items()})}"
    )


def answered(name: str, window: Any, script: str) -> None:
    """Do something that the server answers; milliseconds until the page shows it."""
    window.run(
        f"const before = cpazmal.now.revision, start = performance.now(); {script};"
        "window.answer = new Promise((done) => { const look = () => {"
        "if (cpazmal.now.revision !== before) done(performance.now() - start);"
        "else requestAnimationFrame(look); }; look(); })"
    )
    took = window.call("/execute/async", {"script": "window.answer.then(arguments[0])", "args": []})
    print(f"{name:<18} shown after {took:5.0f} ms")


if __name__ == "__main__":
    main()
