"""Dates whose clocks are wrong are found beside the others, and moved where that is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from support.reflectors import FALSE_CLOCK

from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import ingest_scenes, open_cube
from cpazmal_scale.cube.write import plan
from cpazmal_scale.cube.write.align import Alignment
from cpazmal_scale.errors import GridMismatch
from cpazmal_scale.scenes import Scene, as_told, discover, movable, told
from cpazmal_scale.simulate.radar.cases import CASES, simulate_case
from cpazmal_scale.stages import ingest as stages

INJECTED = 0.37, -0.61
"""Lines and samples by which the second date lies off."""
METRES = 7_100.0, 149_896_229.0
"""Along the ground and in range, of a second."""
SHIFTED, FALSE, DATES = 1, 3, 5


@dataclass(frozen=True)
class Stack:
    """A cube of products of one beam, and the clocks of those that lie off."""

    config: RunConfig
    url: str
    said: str
    clocks: dict[int, tuple[float, float]]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    home = tmp_path_factory.mktemp("stack")
    case = replace(CASES["DSC-R"], reflectors=150)
    tiny = simulate_case(home / "axes", case, size=100.0, dates=4, truth=False)
    sensor = tiny.views[0].sensor
    steps = sensor.line_step, sensor.sample_step
    clocks = {SHIFTED: (INJECTED[0] * steps[0], INJECTED[1] * steps[1]), FALSE: FALSE_CLOCK}
    simulate_case(home, case, size=900.0, dates=DATES, clocks=clocks, truth=False)
    terrain = {"dem": str(home / "dem_ellipsoid.tif"), "vertical": "ellipsoid", "align": True}
    rules = {"scenes": str(home / "scenes"), "chunk": 256, "level1b": {"terrain": terrain}}
    config = RunConfig.parse({"workspace": str(home / "run"), "ingest": rules})
    said = str(stages.ingest(config))
    (path,) = (home / "run" / "cubes").glob("*.zarr")
    return Stack(config, str(path), said, clocks)


def delays(stack: Stack) -> list[tuple[float, float]]:
    """Seconds along azimuth and in range by which each date was moved."""
    found = []
    for words in open_cube(stack.url)["resampling"].values:
        told = re.search(r"moved by (\S+) s along azimuth and (\S+) s in range", str(words))
        found.append((float(told[1]), float(told[2])) if told else (0.0, 0.0))
    return found


def test_what_lies_off_is_found_and_nothing_else_is_moved(
    stack: Stack, at_most: Callable[[str, float, float], None]
) -> None:
    found = delays(stack)
    assert [one != (0.0, 0.0) for one in found] == [n in stack.clocks for n in range(DATES)]
    # In pixels of the map, of 3 m; the median of 25 windows that overlap.
    for number, most in ((SHIFTED, 0.05), (FALSE, 0.1)):
        apart = np.subtract(found[number], stack.clocks[number]) * METRES / 3.0
        at_most(f"date {number}, pixels of the map", np.abs(apart).max(), most)
    assert stack.said.count(": moved") == len(stack.clocks)
    assert stack.said.count(": not moved") == DATES - len(stack.clocks)


def test_a_cube_remembers_by_how_much_a_date_was_moved(stack: Stack) -> None:
    assert "moved where its image shows it" in open_cube(stack.url).attrs["processing"]
    assert len(ingest_scenes(stack.config).cubes[0].unchanged) == DATES
    chunks = {
        path: path.read_bytes()
        for path in sorted((Path(stack.url) / "HH" / "c" / str(SHIFTED)).rglob("*"))
        if path.is_file()
    }
    assert chunks
    for path in chunks:
        path.unlink()
    assert all(one.restored for one in stages.repair(stack.config))
    assert {path: path.read_bytes() for path in chunks} == chunks


def test_a_date_too_far_off_is_in_no_plan(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four dates of which one is too far for any move, one for the bound, and one is moved.

    The bound takes the alignment's measurement: none is made again.
    """
    home = Path(stack.config.workspace).parent
    terrain = {"dem": str(home / "axes" / "dem_ellipsoid.tif"), "vertical": "ellipsoid"}
    rules = {"scenes": str(home / "axes" / "scenes"), "max_shift": 0.2}
    rules["level1b"] = {"terrain": terrain | {"align": True}}
    config = RunConfig.parse({"workspace": str(tmp_path), "ingest": rules})
    places = (0.1, 0.0), (3.2, 0.5), (0.0, 0.4), (0.0, 1.0)

    def found(scenes: list[Scene], *_: object) -> tuple[list[Scene], dict[str, Alignment]]:
        lie = {
            scene.id: Alignment((0.0, 0.0), place, 0.05, 60, 3, moved=place == places[-1])
            for scene, place in zip(scenes, places, strict=True)
        }
        return scenes, lie

    monkeypatch.setattr(plan, "align", found)
    monkeypatch.delattr(plan, "measure_shifts")
    planned = ingest_scenes(config, dry_run=True)
    (cube,) = planned.cubes
    ids = sorted(one.name for one in (home / "axes" / "scenes").iterdir())
    assert [one.id for one in cube.scenes] == [ids[0], ids[3]]
    assert cube.dates == 2
    assert [": moved" in one.shift for one in cube.scenes] == [False, True]
    astray, far = (str(one) for one in planned.refused)
    assert astray.startswith(ids[1])
    assert "lies +3.20 pixels along the track and +0.50 in range off" in astray
    assert far.startswith(ids[2])
    assert "+0.40 in range beside the others, more than 0.2 pixels" in far
    with pytest.raises(GridMismatch, match=ids[1]):
        ingest_scenes(config)
    assert not list(tmp_path.iterdir())


def test_nothing_is_moved_unasked(stack: Stack) -> None:
    rules = stack.config.ingest
    terrain = rules.level1b.terrain.model_copy(update={"align": False})
    level1b = rules.level1b.model_copy(update={"terrain": terrain})
    scene = discover(rules.model_copy(update={"level1b": level1b}))[0]
    assert movable(scene) is None
    assert not told(as_told(scene, "moved by 1e-4 s along azimuth and 1e-9 s in range"))
