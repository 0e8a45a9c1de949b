"""Ingest killed, starved, raced: readers see the old cube or the new one, a rerun completes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import operations
from support.scenes_factory import STARTS, campaign, run_config, speckle, write_raster
from support.writers import every

from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import ingest_scenes, open_cube, verify_cube
from cpazmal_scale.errors import StoreError

SCRIPT = """
import json, os, signal, sys, time
from pathlib import Path
from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import ingest_scenes
from cpazmal_scale.errors import CpazmalError
from cpazmal_scale.storage import atomic, files

settings = json.loads(sys.argv[1])
os.fsync = lambda _: None  # who is killed loses nothing that was written
left = settings.get("kill_at")

def dying(operation):
    def count(url, *arguments, **options):
        global left
        if left is not None:
            left -= 1
            if left < 0:
                if operation.__name__ == "write_bytes" and not storage.is_remote(url):
                    torn = Path(url).with_name("." + Path(url).name + ".torn.part")
                    torn.parent.mkdir(parents=True, exist_ok=True)
                    torn.write_bytes(arguments[0][: len(arguments[0]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)
        return operation(url, *arguments, **options)
    return count

for name in ("write_bytes", "create_bytes", "remove"):
    for module in (storage, files):
        setattr(module, name, dying(getattr(module, name)))
atomic.place = dying(atomic.place)
if settings.get("gate"):
    print("ready", flush=True)
    while not Path(settings["gate"]).exists():
        time.sleep(0.001)
try:
    print(ingest_scenes(RunConfig.parse(settings["config"])))
except CpazmalError as error:
    print(error.kind, error)
    sys.exit(error.exit_code)
"""

FORKING = """
import json, os, shutil, sys
import cpazmal_scale.cube.write.ingest, cpazmal_scale.scenes.check
import odc.geo.geobox, rasterio.windows, numcodecs.zstd, pyproj, psutil

script, base, work, settings = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
for kill_at in range(0, 10_000, settings.pop("step")):
    here = f"{work}/{kill_at}"
    shutil.copytree(base, here)
    settings["config"]["workspace"] = here
    settings["kill_at"] = kill_at
    child = os.fork()
    if child == 0:
        sys.argv = ["-", json.dumps(settings)]
        exec(compile(script, "script", "exec"), {"__name__": "child"})
        sys.stdout.flush()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        break
print(kill_at)
"""


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes die here, the power stays."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def settings(scenes: Path, workspace: Path | str, **more: object) -> dict[str, object]:
    return {"config": run_config(scenes, workspace).model_dump(mode="json"), **more}


def killed(tmp_path: Path, base: Path, config: RunConfig, step: int) -> int:
    """Runs of an ingest on copies of a workspace, `runs/k` killed at its k-th store operation.

    It takes each `step`-th, and returns the first number that nobody dies at.
    """
    call = json.dumps({"config": config.model_dump(mode="json"), "step": step})
    enumerator = run(FORKING, SCRIPT, str(base), str(tmp_path / "runs"), call)
    output, _ = enumerator.communicate(timeout=500)
    assert enumerator.returncode == 0
    return int(output.split()[-1])


def run(script: str, *arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True, **options
    )


def content(cube: str) -> dict[str, bytes]:
    """All objects of a cube but torn temporary files."""
    paths = [path for path in Path(cube).rglob("*") if path.is_file() and path.suffix != ".part"]
    return {str(path.relative_to(cube)): path.read_bytes() for path in paths}


@pytest.fixture
def one_then_three(tmp_path) -> tuple[Path, Path, str]:
    """Scenes, a workspace that holds the first date of three, and the undisturbed cube."""
    scenes = campaign(tmp_path / "scenes", shape=(20, 30), starts=STARTS[:3])
    held = tmp_path / "held"
    held.mkdir()
    for path in [*(scenes / "dsc").iterdir()][1:]:
        path.rename(held / path.name)
    ingest_scenes(run_config(scenes, tmp_path / "base"))
    for path in held.iterdir():
        path.rename(scenes / "dsc" / path.name)
    shutil.copytree(tmp_path / "base", tmp_path / "whole")
    return (
        scenes,
        tmp_path / "base",
        ingest_scenes(run_config(scenes, tmp_path / "whole")).cubes[0].url,
    )


def test_killed_at_any_store_operation(tmp_path, one_then_three) -> None:
    scenes, base, whole = one_then_three
    expected, states = content(whole), set()
    step = every(2)
    operations = killed(tmp_path, base, run_config(scenes, "-"), step)
    assert operations > 60
    reference = open_cube(whole).compute()
    for kill_at in range(0, operations, step):
        cube = f"{tmp_path}/runs/{kill_at}/cubes/DSC37.zarr"
        seen = open_cube(cube)
        states.add(seen.sizes["time"])
        chosen = np.isin(reference.scene_id, seen.scene_id)
        assert chosen.sum() == seen.sizes["time"] >= 1
        np.testing.assert_array_equal(seen.HH, reference.HH[chosen])
        assert verify_cube(cube) == []
        ingest_scenes(run_config(scenes, f"{tmp_path}/runs/{kill_at}"))
        assert content(cube) == expected, f"killed at store operation {kill_at}"
    assert states == {1, 2, 3}


def test_a_late_polarisation_and_a_resampled_date_killed_anywhere(tmp_path) -> None:
    folder, shape = tmp_path / "scenes", (20, 30)
    naming = {
        "pattern": r"X_(?P<start>\d{8}T\d{6})_(?P<polarisation>H[HV])\.tif$",
        "sensor": "PAZ1",
        "beam": "DSC37",
    }

    def config(workspace: Path | str) -> RunConfig:
        rules = {"ingest": {"resample": True}}
        return run_config(folder, workspace, **naming).with_values(rules)

    def channel(date: str, name: str, seed: int, **options: float) -> None:
        write_raster(folder / f"X_{date}_{name}.tif", [speckle(shape, seed)], **options)

    channel(STARTS[0], "HH", 1)
    channel(STARTS[0], "HV", 2)
    channel(STARTS[1], "HH", 3)
    base = tmp_path / "base"
    ingest_scenes(config(base))
    channel(STARTS[1], "HV", 4)
    channel(STARTS[2], "HH", 5, shift=0.4)
    shutil.copytree(base, tmp_path / "whole")
    whole = ingest_scenes(config(tmp_path / "whole")).cubes[0].url
    expected, states = content(whole), set()
    step = every(3)
    operations = killed(tmp_path, base, config("-"), step)
    assert operations > 40
    reference = open_cube(whole).compute()
    for kill_at in range(0, operations, step):
        cube = f"{tmp_path}/runs/{kill_at}/cubes/DSC37.zarr"
        seen = open_cube(cube).compute()
        held = seen.polarisations.to_numpy().tolist()
        states.add(tuple(held))
        late = "HV" in held[1]
        np.testing.assert_array_equal(seen.HH, reference.HH[: len(held)])
        np.testing.assert_array_equal(seen.HV[0], reference.HV[0])
        if late:
            np.testing.assert_array_equal(seen.HV[1], reference.HV[1])
        else:
            assert np.isnan(seen.HV[1]).all()
        assert all("surplus" in one.what and not late for one in verify_cube(cube))
        ingest_scenes(config(f"{tmp_path}/runs/{kill_at}"))
        assert content(cube) == expected, f"killed at store operation {kill_at}"
    assert states == {("HH+HV", "HH"), ("HH+HV",) * 2, ("HH+HV", "HH+HV", "HH")}


@pytest.mark.parametrize("kill_at", [0, 2, 9, 25, 60])
def test_a_new_cube_killed_on_the_way(tmp_path, kill_at: int) -> None:
    scenes = campaign(tmp_path / "scenes", shape=(50, 60), starts=STARTS[:2])
    workspace = tmp_path / "ws"
    process = run(SCRIPT, json.dumps(settings(scenes, workspace, kill_at=kill_at)))
    process.communicate(timeout=500)
    assert process.returncode == -9
    cube = f"{workspace}/cubes/DSC37.zarr"
    if storage.exists(f"{cube}/zarr.json"):
        assert verify_cube(cube) == []
    assert ingest_scenes(run_config(scenes, workspace)).cubes[0].dates == 2
    ingest_scenes(run_config(scenes, tmp_path / "calm"))
    assert content(cube) == content(f"{tmp_path}/calm/cubes/DSC37.zarr")


def test_killed_on_s3(tmp_path, s3_url: str, s3_server: dict[str, str]) -> None:
    scenes = campaign(tmp_path / "scenes", shape=(30, 40), starts=STARTS[:2])
    environment = {**os.environ, **s3_server}
    for kill_at in (6, 27):
        process = run(
            SCRIPT, json.dumps(settings(scenes, s3_url, kill_at=kill_at)), env=environment
        )
        process.communicate(timeout=500)
        assert process.returncode == -9
    report = ingest_scenes(run_config(scenes, s3_url)).cubes[0]
    assert report.dates == 2
    assert verify_cube(report.url) == []
    calm = ingest_scenes(run_config(scenes, tmp_path / "calm")).cubes[0]
    assert open_cube(report.url).attrs["state"] == open_cube(calm.url).attrs["state"]
    np.testing.assert_array_equal(open_cube(report.url).HV, open_cube(calm.url).HV)


def race(tmp_path: Path, scenes: Path, workspace: str, writers: int) -> list[int]:
    """Exit codes of processes that start to ingest the same scenes at the same moment."""
    gate = tmp_path / "gate"
    call = json.dumps(settings(scenes, workspace, gate=str(gate)))
    processes = [run(SCRIPT, call) for _ in range(writers)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    gate.touch()
    for process in processes:
        output = process.communicate(timeout=500)[0]
        assert process.returncode == 0 or output.startswith("writer_conflict"), output
    return [process.returncode for process in processes]


@pytest.mark.parametrize("store", ["local", "s3", "deciding"])
def test_writers_that_race_store_every_date_once(
    tmp_path, store: str, request: pytest.FixtureRequest
) -> None:
    scenes = campaign(tmp_path / "scenes", shape=(50, 60))
    if store != "local":
        workspace = request.getfixturevalue(f"{store}_url")
        assert race(tmp_path, scenes, workspace, 2)
    else:
        workspace = str(tmp_path / "ws")
        assert 0 in race(tmp_path, scenes, workspace, 4)
    report = ingest_scenes(run_config(scenes, workspace)).cubes[0]
    assert report.dates == 4
    assert verify_cube(report.url) == []
    calm = ingest_scenes(run_config(scenes, tmp_path / "calm")).cubes[0]
    assert open_cube(report.url).attrs["state"] == open_cube(calm.url).attrs["state"]
    np.testing.assert_array_equal(open_cube(report.url).HH, open_cube(calm.url).HH)


@pytest.mark.parametrize("writers", [2, 8])
def test_writers_of_overlapping_lists_lose_nothing(tmp_path, writers: int) -> None:
    """The scenes are a ring; each process has its share and the two that follow."""
    starts = [f"202001{10 + number}T054412" for number in range(max(4, writers))]
    scenes = campaign(tmp_path / "scenes", shape=(30, 40), starts=tuple(starts))
    files = sorted((scenes / "dsc").iterdir())
    step, lists = len(files) // writers, []
    for number in range(writers):
        folder = tmp_path / f"list{number}"
        folder.mkdir()
        shutil.copy(scenes / "acquisitions.csv", folder)
        for offset in range(step + 2):
            path = files[(number * step + offset) % len(files)]
            if not (folder / path.name).exists():
                (folder / path.name).hardlink_to(path)
        lists.append(folder)
    workspace, gate = tmp_path / "ws", tmp_path / "gate"
    calls = [json.dumps(settings(one, workspace, gate=str(gate))) for one in lists]
    processes = [run(SCRIPT, call) for call in calls]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    gate.touch()
    outputs = [process.communicate(timeout=500)[0] for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0 or output.startswith("writer_conflict"), output
    assert any(process.returncode == 0 for process in processes)
    for one in lists:
        report = ingest_scenes(run_config(one, workspace)).cubes[0]
    assert report.dates == len(starts)
    assert verify_cube(report.url) == []
    calm = ingest_scenes(run_config(scenes, tmp_path / "calm")).cubes[0]
    assert open_cube(report.url).attrs["state"] == open_cube(calm.url).attrs["state"]
    np.testing.assert_array_equal(open_cube(report.url).HH, open_cube(calm.url).HH)


@pytest.mark.parametrize("writes", [1, 5, 12, 25])
def test_a_store_that_fails_on_the_way_leaves_nothing(
    tmp_path, monkeypatch: pytest.MonkeyPatch, one_then_three, writes: int
) -> None:
    scenes, base, whole = one_then_three
    cube = f"{base}/cubes/DSC37.zarr"
    before, left = content(cube), [writes]
    write = storage.write_bytes

    def full(url: str, data: bytes) -> None:
        left[0] -= 1
        if left[0] < 0 and ".lease" not in url:
            raise StoreError("the disk is full", where=url)
        write(url, data)

    with monkeypatch.context() as patched:
        operations.replace(patched, "write_bytes", full)
        with pytest.raises(StoreError, match="the disk is full"):
            ingest_scenes(run_config(scenes, base))
    seen = open_cube(cube).sizes["time"]
    assert seen in (1, 2)
    # Once a commit is decided, what it stores is on its way: the next run goes on with it.
    decided = Path(f"{cube}.manifest/{seen + 1:06d}.json").exists()
    assert storage.list_names(f"{cube}/HH/c") in (
        [str(k) for k in range(seen)],
        [str(k) for k in range(seen + decided)],
    )
    assert before["HH/c/0/0/0"] == content(cube)["HH/c/0/0/0"]
    assert verify_cube(cube) == []
    ingest_scenes(run_config(scenes, base))
    assert content(cube) == content(whole)
