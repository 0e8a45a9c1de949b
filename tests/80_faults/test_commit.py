"""Two and three writers of one cube, one of which stands still at any point for any time."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from support.late_channels import channel
from support.late_channels import config as channels
from support.limited_store import Answer, Asked, Failing, Rights, limited, refused
from support.scenes_factory import STARTS, campaign, run_config
from support.writers import every, standing_still

from cpazmal_scale import storage
from cpazmal_scale.cube import append, open_cube
from cpazmal_scale.cube import verify_cube as verify
from cpazmal_scale.cube.write import lease as leases
from cpazmal_scale.cube.write.append import publish
from cpazmal_scale.errors import CpazmalError, StoreError, WriterConflict
from cpazmal_scale.scenes import Scene, discover
from cpazmal_scale.stages.ingest import ingest
from cpazmal_scale.storage import atomic

Outcomes = dict[str, str]


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pulls a plug here."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def scenes(tmp_path) -> list[Scene]:
    """Four dates; the last has HH only and more no-data than the others."""
    folder = campaign(tmp_path / "scenes", shape=(20, 30))
    return discover(run_config(folder, "unused").ingest)


def pixels(scene: Scene) -> np.ndarray:
    with rasterio.open(scene.files[0].url) as raster:
        band = raster.read(1)
    return np.where(band == -999, np.nan, band)


def writer(url: str, scene: Scene, outcomes: Outcomes, name: str) -> Callable[[], None]:
    """Appends a scene; `outcomes` gets what it says of itself."""

    def run() -> None:
        try:
            outcomes[name] = append(url, scene, chunk=32)
        except CpazmalError as error:
            outcomes[name] = error.kind

    return run


def require_whole(
    url: str, scenes: list[Scene], held: set[str], outcomes: Outcomes, *, again: bool = True
) -> None:
    """A writer that reported its date has it in; nothing is lost; a refused one gets in `again`."""
    cube = open_cube(url).compute()
    ids = cube.scene_id.to_numpy().tolist()
    by_id = {scene.id: scene for scene in scenes}
    said = {name for name, outcome in outcomes.items() if outcome != "writer_conflict"}
    assert all(outcomes[name] in ("appended", "unchanged") for name in said), outcomes
    assert held | said <= set(ids), (outcomes, ids)
    assert len(ids) == len(set(ids))
    for number, name in enumerate(ids):
        np.testing.assert_array_equal(cube.HH[number], pixels(by_id[name]))
    assert verify(url) == []
    refused = set(outcomes) - said
    if refused and again:
        for name in refused:
            assert append(url, by_id[name], chunk=32) in ("appended", "unchanged")
        require_whole(url, scenes, held | said, dict.fromkeys(refused, "appended"))


def stop_at(
    monkeypatch: pytest.MonkeyPatch, url: str, first: Scene, acts: dict[int, Callable[[], None]]
) -> tuple[Outcomes, int]:
    """What the first writer says, stopped where `acts` run, and how many points it had."""
    outcomes: Outcomes = {}
    with standing_still(monkeypatch, acts) as clock:
        writer(url, first, outcomes, first.id)()
    return outcomes, clock.count


@pytest.mark.parametrize("kind", ["another date", "the same date", "a new cube"])
def test_a_writer_stopped_at_any_point_while_another_comes_and_goes(
    tmp_path, monkeypatch: pytest.MonkeyPatch, scenes: list[Scene], kind: str
) -> None:
    base = tmp_path / "base.zarr"
    held = set()
    if kind != "a new cube":
        append(str(base), scenes[0], chunk=32)
        held = {scenes[0].id}
    second = scenes[1] if kind == "the same date" else scenes[3]
    _, points = stop_at(monkeypatch, copied(base, tmp_path / "count.zarr"), scenes[1], {})
    seen = set()
    for point in range(0, points, every(4 if kind == "another date" else 8)):
        url = copied(base, tmp_path / f"{point}.zarr")
        outcomes: Outcomes = {}
        act = writer(url, second, outcomes, second.id)
        first, _ = stop_at(monkeypatch, url, scenes[1], {point: act})
        if kind == "the same date":
            seen.add((first[second.id], outcomes[second.id]))
            assert {first[second.id], outcomes[second.id]} & {"appended", "unchanged"}
        else:
            seen.add((first[scenes[1].id], outcomes[second.id]))
        both = first | outcomes if kind != "the same date" else first
        require_whole(url, scenes, held, both, again=point % 5 == 0)
    assert points > 60, points
    assert {one for pair in seen for one in pair} >= {"appended", "writer_conflict"}


def test_three_writers(tmp_path, monkeypatch: pytest.MonkeyPatch, scenes: list[Scene]) -> None:
    """The first stands still twice: at any point, and so many points later."""
    base = tmp_path / "base.zarr"
    append(str(base), scenes[0], chunk=32)
    _, points = stop_at(monkeypatch, copied(base, tmp_path / "count.zarr"), scenes[1], {})
    for number, (point, later) in enumerate(
        (point, later) for point in range(1, points, every(24)) for later in (1, 12, 50)
    ):
        url = copied(base, tmp_path / f"{number}.zarr")
        outcomes: Outcomes = {}
        acts = {
            point: writer(url, scenes[2], outcomes, scenes[2].id),
            point + later: writer(url, scenes[3], outcomes, scenes[3].id),
        }
        first, _ = stop_at(monkeypatch, url, scenes[1], acts)
        require_whole(url, scenes, {scenes[0].id}, first | outcomes)


def test_writers_that_stop_inside_each_other(
    tmp_path, monkeypatch: pytest.MonkeyPatch, scenes: list[Scene]
) -> None:
    """The first stops, the second stops while the third comes and goes, then both go on."""
    base = tmp_path / "base.zarr"
    append(str(base), scenes[0], chunk=32)
    _, points = stop_at(monkeypatch, copied(base, tmp_path / "count.zarr"), scenes[1], {})
    for number, (point, inner) in enumerate(
        (point, inner) for point in range(0, points, every(43)) for inner in range(2, points, 43)
    ):
        url = copied(base, tmp_path / f"{number}.zarr")
        outcomes: Outcomes = {}

        def second(url: str = url, inner: int = inner, outcomes: Outcomes = outcomes) -> None:
            act = writer(url, scenes[3], outcomes, scenes[3].id)
            outcomes |= stop_at(monkeypatch, url, scenes[2], {inner: act})[0]

        first, _ = stop_at(monkeypatch, url, scenes[1], {point: second})
        require_whole(url, scenes, {scenes[0].id}, first | outcomes)


def test_on_an_s3_server_that_decides(
    monkeypatch: pytest.MonkeyPatch, scenes: list[Scene], deciding_url: str
) -> None:
    """Some points; the writers' chunks, coordinates and documents are the same there."""
    count = f"{deciding_url}/count.zarr"
    append(count, scenes[0], chunk=32)
    _, points = stop_at(monkeypatch, count, scenes[1], {})
    for point in range(2, points, every(24)):
        url = f"{deciding_url}/{point}.zarr"
        append(url, scenes[0], chunk=32)
        outcomes: Outcomes = {}
        act = writer(url, scenes[3], outcomes, scenes[3].id)
        first, _ = stop_at(monkeypatch, url, scenes[1], {point: act})
        require_whole(url, scenes, {scenes[0].id}, first | outcomes, again=False)


def _puts(answers: dict[int, tuple[int, str, bool]]) -> Callable[[str, str, Asked], Answer]:
    """A server that gives errors to some attempts to replace an object, which it does or not."""
    count = itertools.count()

    def answer(method: str, _target: str, ask: Asked) -> Answer:
        status, code, done = answers.get(next(count) if method == "PUT" else -1, (0, "", True))
        found = ask() if done else (0, {}, b"")
        if not status:
            return found
        return refused(status, f"<Error><Code>{code}</Code><Message>-</Message></Error>".encode())

    return answer


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(
    ("status", "code", "done"),
    [
        (500, "InternalError", True),
        (503, "SlowDown", False),
        (409, "ConditionalRequestConflict", False),
        (412, "PreconditionFailed", False),
    ],
)
def test_a_server_that_decides_is_known_whatever_it_answers_once(
    monkeypatch: pytest.MonkeyPatch, deciding_url: str, status: int, code: str, done: bool, number
) -> None:
    """A writer that took it for one that does not would replace what others committed."""
    answers = _puts({number: (status, code, done)})
    with limited(os.environ["AWS_ENDPOINT_URL"], answers) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        assert atomic.decides(deciding_url)


def test_a_server_that_is_busy_with_every_object_once(
    monkeypatch: pytest.MonkeyPatch, scenes: list[Scene], deciding_url: str
) -> None:
    """It answers 409 to the first swap of each; coordinates came to lack what the root names."""
    url, busy, asked = f"{deciding_url}/c.zarr", threading.Event(), set()

    def answer(method: str, target: str, ask: Asked) -> Answer:
        key = target.partition("?")[0]
        swapped = re.search(r"zarr(\.manifest/\d+\.json|/(\w+/)?(c/0|zarr\.json))$", key)
        if method != "PUT" or not (swapped and busy.is_set()) or key in asked:
            return ask()
        asked.add(key)
        return refused(409, b"<Error><Code>ConditionalRequestConflict</Code></Error>")

    with limited(os.environ["AWS_ENDPOINT_URL"], answer) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        append(url, scenes[0], chunk=32)
        busy.set()
        outcome = append(url, scenes[1], chunk=32)
        assert len(asked) > 20
        require_whole(url, scenes, {scenes[0].id}, {scenes[1].id: outcome})


def test_a_server_that_knows_no_conditions_is_found_out(
    monkeypatch: pytest.MonkeyPatch, deciding_url: str
) -> None:
    answer = _puts(dict.fromkeys(range(1, 20), (501, "NotImplemented", False)))
    with limited(os.environ["AWS_ENDPOINT_URL"], answer) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        assert not atomic.decides(deciding_url)


def test_rights_below_the_workspace_are_enough(
    tmp_path, deciding_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = campaign(tmp_path / "scenes", shape=(20, 20), starts=STARTS[:1])
    prefix = deciding_url.removeprefix("s3://cpazmal/") + "/"
    with limited(os.environ["AWS_ENDPOINT_URL"], Rights(prefix)) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        config = run_config(folder, deciding_url)
        first, again = ingest(config), ingest(config)
        assert (len(first.cubes[0].appended), len(again.cubes[0].unchanged)) == (1, 1)
        assert not verify(first.cubes[0].url)
        assert not [one for one in storage.find(deciding_url) if "probe" in one]


def test_a_store_that_lets_nothing_be_removed_is_refused_before_anything_is_done(
    tmp_path, deciding_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = campaign(tmp_path / "scenes", shape=(20, 20), starts=STARTS[:1])
    with limited(os.environ["AWS_ENDPOINT_URL"], Rights("", remove=False)) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(StoreError, match="no permission to remove"):
            ingest(run_config(folder, deciding_url))
        (left,) = storage.find(deciding_url)
    assert left.startswith(f"{deciding_url}/cubes/DSC37.zarr.lease/")


@pytest.mark.parametrize("way", ["away", "lost answer"])
def test_a_server_that_fails_in_the_middle_of_a_commit(
    monkeypatch: pytest.MonkeyPatch, scenes: list[Scene], deciding_url: str, way: str
) -> None:
    """Away from a request on, or one request done whose answer is a 500; then it is back."""
    import s3fs

    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 2)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    failing = Failing()
    with limited(os.environ["AWS_ENDPOINT_URL"], failing) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        count = f"{deciding_url}/{way[0]}-count.zarr"
        append(count, scenes[0], chunk=32)
        before = failing.count
        append(count, scenes[1], chunk=32)
        requests = failing.count - before
        for point in range(3, requests, every(requests // 3)):
            url = f"{deciding_url}/{way[0]}-{point}.zarr"
            failing.begins = float("inf")
            append(url, scenes[0], chunk=32)
            failing.begins = failing.count + point
            failing.done = way == "lost answer"
            failing.ends = failing.begins + 1 if failing.done else float("inf")
            outcomes: Outcomes = {}
            writer(url, scenes[1], outcomes, scenes[1].id)()
            failing.begins = float("inf")
            said = outcomes[scenes[1].id]
            assert said in ("appended", "store"), point
            assert said == "appended" or way == "away", point
            held = {scenes[0].id, *([scenes[1].id] if said == "appended" else [])}
            assert held <= set(open_cube(url).scene_id.to_numpy().tolist())
            assert append(url, scenes[1], chunk=32) in ("appended", "unchanged")
            require_whole(url, scenes, {scenes[0].id, scenes[1].id}, {})


def test_a_late_polarisation_beside_a_new_date(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The coordinates of a date that is there change while another date comes."""
    folder = tmp_path / "late"
    for date in STARTS[:2]:
        channel(folder, date, "HH")
    channel(folder, STARTS[0], "HV")
    hh = discover(channels(f"{folder}/*_HH.tif", "unused").ingest)
    hv = discover(channels(f"{folder}/*_HV.tif", "unused").ingest)
    base = tmp_path / "base.zarr"
    append(str(base), hh[0], chunk=32)
    point, points = 0, 1
    while point < points:
        url = copied(base, tmp_path / f"{point}.zarr")
        outcomes: Outcomes = {}
        act = writer(url, hh[1], outcomes, "date")
        with standing_still(monkeypatch, {point: act}) as clock:
            writer(url, hv[0], outcomes, "late")()
        points = clock.count
        cube = open_cube(url).compute()
        if outcomes["late"] != "writer_conflict":
            assert cube.polarisations.to_numpy()[0] == "HH+HV"
            np.testing.assert_array_equal(cube.HV[0], pixels(hv[0]))
        assert (cube.sizes["time"] == 2) >= (outcomes["date"] == "appended")
        np.testing.assert_array_equal(cube.HH[0], pixels(hh[0]))
        assert [one for one in verify(url) if "surplus" not in one.what] == []
        append(url, hv[0]), append(url, hh[1])
        publish(url)
        cube = open_cube(url).compute()
        assert sorted(cube.polarisations.to_numpy().tolist()) == ["HH", "HH+HV"]
        np.testing.assert_array_equal(cube.HV[0], pixels(hv[0]))
        assert verify(url) == []
        point += every(8)


def test_who_publishes_late_does_not_bring_old_documents_back(
    tmp_path, monkeypatch: pytest.MonkeyPatch, scenes: list[Scene]
) -> None:
    base = tmp_path / "base.zarr"
    append(str(base), scenes[0], chunk=32)
    documents = {f"{name}/zarr.json" for name in ("HH", "time", "stored")}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("cpazmal_scale.cube.write.append.publish", lambda _: None)
        append(str(base), scenes[1], chunk=32)
    point, points = 0, 1
    while point < points:
        url = copied(base, tmp_path / f"{point}.zarr")
        act = writer(url, scenes[2], {}, "")
        conflicts = contextlib.suppress(WriterConflict)
        with standing_still(monkeypatch, {point: act}) as clock, conflicts:
            publish(url)
        points, point = clock.count, point + every(4)
        publish(url)
        assert verify(url) == []
        assert all(Path(url, one).exists() for one in documents)
        assert open_cube(url).sizes["time"] == 3
        assert xr_length(url) == 3


def xr_length(url: str) -> int:
    """Dates that a reader sees which ignores consolidated metadata."""
    import xarray as xr

    return int(xr.open_zarr(url, consolidated=False).sizes["time"])


def copied(base: Path, target: Path) -> str:
    """A copy of a cube with all that lies beside it."""
    for one in base.parent.glob(f"{base.name}*"):
        shutil.copytree(one, target.parent / one.name.replace(base.name, target.name, 1))
    return str(target)


def test_what_a_dead_writer_staged_goes_with_the_next_commit(tmp_path, scenes: list[Scene]) -> None:
    url = str(tmp_path / "cube.zarr")
    append(url, scenes[0], chunk=32)
    storage.write_bytes(f"{url}.staging/000002-dead/HH/c/1/0/0", b"half a chunk")
    storage.write_bytes(f"{url}/HH/c/0/.0.0123.part", b"half a file")
    storage.write_bytes(f"{url}.lease/.choosing.4567.json.89ab.part", b"half a ticket")
    append(url, scenes[1], chunk=32)
    assert storage.list_names(f"{url}.staging") == []
    assert not list(Path(tmp_path).rglob("*.part"))


STOPPING = """
import json, os, signal, sys
from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import ingest_scenes
from cpazmal_scale.cube.write import lease
from cpazmal_scale.errors import CpazmalError
from cpazmal_scale.storage import atomic, disk

config, seconds, module, name, ending = json.loads(sys.argv[1])
lease.SECONDS = seconds
where = {"storage": storage, "atomic": atomic, "disk": disk}[module]
operation = getattr(where, name)

def stopping(url, *arguments, **options):
    if str(url).endswith(ending) and not stopping.done:
        stopping.done = True
        print("stopped", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
    return operation(url, *arguments, **options)

stopping.done = False
setattr(where, name, stopping)
try:
    ingest_scenes(RunConfig.parse(config))
except CpazmalError as error:
    print(error.kind)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize(
    ("module", "name", "ending"),
    [
        ("storage", "write_bytes", ".json"),
        ("atomic", "create", "000002.json"),
        ("atomic", "place", "/HH/c/1/0/0"),
        ("atomic", "swap", "/zarr.json"),
        ("disk", "replace", ".zarr/zarr.json"),
    ],
)
def test_a_stopped_process_wakes_after_its_lease(
    tmp_path, scenes: list[Scene], module: str, name: str, ending: str
) -> None:
    """Real processes, real signals, a lease of one second; the last stands still inside a swap."""
    url = f"{tmp_path}/ws/cubes/DSC37.zarr"
    append(url, scenes[0], chunk=32)
    alone = tmp_path / "alone"
    shutil.copytree(tmp_path / "scenes", alone)
    for path in sorted((alone / "dsc").iterdir())[2:]:
        path.unlink()
    config = run_config(alone, tmp_path / "ws").model_dump(mode="json")
    call = json.dumps([config, 1.0, module, name, ending])
    command = [sys.executable, "-c", STOPPING, call]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stopped:
        assert stopped.stdout is not None
        assert stopped.stdout.readline() == "stopped\n"
        time.sleep(1.2)
        outcomes: Outcomes = {}
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(leases, "SECONDS", 1.0)
            patched.setattr(leases, "CHOOSING_SECONDS", 0.2)
            patched.setattr(atomic, "PATIENCE", 0.2)
            for scene in (scenes[2], scenes[3]):
                writer(url, scene, outcomes, scene.id)()
        os.kill(stopped.pid, signal.SIGCONT)
        told = stopped.communicate(timeout=500)[0].split()
    outcomes[scenes[1].id] = "appended" if stopped.returncode == 0 else told[-1]
    assert stopped.returncode in (0, WriterConflict.exit_code)
    require_whole(url, scenes, {scenes[0].id}, outcomes)
