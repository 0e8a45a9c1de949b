"""What can die while a map is made, what is left on disk, and that running again completes it.

| fault | left behind | run again |
|---|---|---|
| process killed -9 after n blocks | template, n records | computes the others only |
| killed while the template is written | arrays without a root document | writes it again |
| killed -9 at any block, before or after its record | records before it | the others only |
| worker killed | nothing of the block, or a part | block is computed again |
| a worker killed every few blocks | as above, each time | ≤ 10 % of the blocks again |
| a chunk of the cube is damaged | all other blocks, their records | once repaired: those blocks |
| a block kills every worker | all other blocks, their records | that block only |
| the Dask scheduler dies | finished blocks, their records | computes the others only |
| the S3 server stops | finished blocks, their records | computes the others only |
"""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.fingerprint import fingerprint
from support.servers import S3Server
from support.small_campaign import UTM, make_cube, make_model, workspace
from support.small_cluster import dask_cluster, until

from cpazmal_scale import storage
from cpazmal_scale.errors import BlocksFailed, ClusterLost, StoreError
from cpazmal_scale.execute import Executor, SerialExecutor, open_executor
from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.mapping import map_cube, open_map, plan_map
from cpazmal_scale.mapping.classify import records as block_records
from cpazmal_scale.mapping.classify.store import write_template

pytestmark = pytest.mark.timeout(900)  # on a busy machine

BLOCKS = {"classify": {"block": 32}}


@dataclass
class Counting:
    """Counts the executions of every block."""

    inner: Executor
    calls: Counter[Block]

    @property
    def workers(self) -> int:
        return self.inner.workers

    def run(self, function: Any, keys: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        for key, result in self.inner.run(function, keys):
            self.calls[key] += 1
            yield key, result


@dataclass
class Sabotaged:
    """Runs something else in place of the function, which it is given."""

    inner: Executor
    sabotage: Any

    @property
    def workers(self) -> int:
        return self.inner.workers

    def run(self, function: Any, keys: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        return self.inner.run(functools.partial(self.sabotage, function), keys)


def deadly(function: Any, block: Block, *, folder: str) -> Any:
    """One block kills its worker once, when all but its record is on disk; another one always."""
    with (Path(folder) / "calls").open("a") as calls:
        calls.write(f"{block.name}\n")
    if block.name == "y32-x64":
        os.kill(os.getpid(), signal.SIGKILL)
    if block.name == "y0-x32" and not (Path(folder) / "died").exists():
        (Path(folder) / "died").touch()
        function(block)
        progress = Path(function.keywords["map_url"].replace(".zarr", ".progress"))
        (progress / f"block-{block.name}.json").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return function(block)


def deadly_once(function: Any, block: Block, *, folder: str) -> Any:
    """One block kills its worker the first time."""
    if block.name == "y32-x32" and not (Path(folder) / "died").exists():
        (Path(folder) / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return function(block)


def unreachable(function: Any, block: Block) -> Any:
    raise AssertionError(f"{block.name} was computed again")


def records(url: str) -> list[str]:
    return [
        n for n in storage.list_names(url.replace(".zarr", ".progress")) if n.startswith("block-")
    ]


KILLED = """
import os, signal, sys; sys.path.insert(0, {tests!r})
from support.small_campaign import workspace
from cpazmal_scale.mapping import map_cube
calls = []
def stop(*told):
    calls.append(told)
    if len(calls) > {enough}:  # the first call says that nothing is done
        os.kill(os.getpid(), signal.SIGSTOP)
config = workspace({folder!r}, classify={{"block": 32}})
map_cube(config, {model!r}, {cube!r}, progress=stop)
"""


def test_killed_run_continues(data, undisturbed, tmp_path: Path) -> None:
    """kill -9 of the whole process after some blocks; only the others are computed again."""
    enough = 5
    config = workspace(tmp_path, **BLOCKS)
    url = plan_map(config, *data).url
    code = KILLED.format(
        tests=str(Path(__file__).parents[1]),
        folder=str(tmp_path),
        model=data[0],
        cube=data[1],
        enough=enough,
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    _, state = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(state), "it ended before it stood still"
    process.kill()
    process.wait()
    left = len(records(url))
    assert left == enough
    with pytest.raises(StoreError, match="the map is not finished"):
        open_map(url)
    counting = Counting(SerialExecutor(), Counter())
    made = map_cube(config, *data, executor=counting)
    assert made.blocks_executed == counting.calls.total() == 12 - left
    assert made.blocks_skipped == left
    assert fingerprint(url) == undisturbed


def kill_at(function: Any, block: Block, *, name: str, recorded: bool) -> Any:
    """Die at one block, before it begins or right after its record is written."""
    if block.name == name and not recorded:
        os.kill(os.getpid(), signal.SIGKILL)
    digest = function(block)
    if block.name == name:
        os.kill(os.getpid(), signal.SIGKILL)
    return digest


def died(work: Any) -> bool:
    """Run something in a forked process; whether it was killed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("recorded", [False, True])
def test_killed_at_any_block(recorded: bool, data, undisturbed, tmp_path: Path) -> None:
    """kill -9 at every block in turn, before it and after its record; nothing is done twice."""
    blocks = plan_map(workspace(tmp_path, **BLOCKS), *data).blocks
    for number, block in enumerate(blocks):
        config = workspace(tmp_path / block.name, **BLOCKS)
        sabotage = functools.partial(kill_at, name=block.name, recorded=recorded)
        executor = Sabotaged(SerialExecutor(), sabotage)
        assert died(functools.partial(map_cube, config, *data, executor=executor))
        counting = Counting(SerialExecutor(), Counter())
        made = map_cube(config, *data, executor=counting)
        assert made.blocks_skipped == number + recorded
        assert counting.calls.total() == len(blocks) - number - recorded
        assert fingerprint(made.url) == undisturbed


def test_resumed_run_keeps_the_first_ones_blocks(
    data, undisturbed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another block size does not throw finished blocks away, and the run that began is named."""
    first = Sabotaged(SerialExecutor(), fail_late)
    with pytest.raises(BlocksFailed):
        map_cube(workspace(tmp_path, **BLOCKS), *data, executor=first)
    assert "another run" not in caplog.text
    made = map_cube(workspace(tmp_path, classify={"block": 96}), *data)
    assert f"another run was at work on the map {made.url}" in caplog.text
    assert (made.blocks_executed, made.blocks_skipped) == (4, 8)
    assert fingerprint(made.url) == undisturbed


def fail_late(function: Any, block: Block) -> Any:
    if block.y0 == 64:
        raise StoreError("the disk is full", where="here")
    return function(block)


def test_failed_blocks_are_named_and_nothing_is_published(data, tmp_path: Path) -> None:
    sabotaged = Sabotaged(SerialExecutor(), fail_late)
    with pytest.raises(BlocksFailed, match=r"4 of 12 blocks failed \(y64-x0.*the disk is full"):
        map_cube(workspace(tmp_path, **BLOCKS), *data, executor=sabotaged)
    url = plan_map(workspace(tmp_path), *data).url
    assert len(records(url)) == 8
    with pytest.raises(StoreError, match="not finished"):
        open_map(url)


def killing(function: Any, block: Block, *, folder: str, every: int) -> Any:
    """The process that begins the n-th, 2 n-th, … block dies of it."""
    calls = Path(folder) / "calls"
    with calls.open("ab", buffering=0) as file:
        file.write(f"{block.name}\n".encode())
        mine = file.tell()  # others may have written since
    if len(calls.read_bytes()[:mine].split()) % every == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return function(block)


def test_a_worker_dies_every_few_blocks(data, tmp_path: Path) -> None:
    """The map completes; every block whose worker died, and not every block, is executed again."""
    cube = make_cube(f"{tmp_path}/cube.zarr", grid=UTM.zoom_to((320, 256)))
    config = workspace(tmp_path / "killed", **BLOCKS)
    undisturbed = map_cube(workspace(tmp_path / "whole", **BLOCKS), data[0], cube)
    cluster = config.cluster.model_copy(update={"kind": "local", "workers": 2})
    sabotage = functools.partial(killing, folder=str(tmp_path), every=35)
    with open_executor(cluster) as executor:
        made = map_cube(config, data[0], cube, executor=Sabotaged(executor, sabotage))
    calls = (tmp_path / "calls").read_text().split()
    assert made.blocks_executed == len(set(calls)) == 80
    killed = calls[34::35]
    again = Counter(calls)
    assert all(again[name] > 1 for name in killed)
    assert min(again.values()) == 1
    assert fingerprint(made.url) == fingerprint(undisturbed.url)


def test_killed_workers_and_a_deadly_block(data, undisturbed, tmp_path: Path) -> None:
    """A worker's death costs its blocks again; the block that kills every worker is named."""
    config = workspace(tmp_path, **BLOCKS)
    url = plan_map(config, *data).url
    cluster = config.cluster.model_copy(update={"kind": "local", "workers": 2})
    sabotage = functools.partial(deadly, folder=str(tmp_path))
    with (
        open_executor(cluster) as executor,
        pytest.raises(BlocksFailed, match=r"1 of 12 .*: y32-x64 kills its worker, alone too"),
    ):
        map_cube(config, *data, executor=Sabotaged(executor, sabotage))
    calls = Counter((tmp_path / "calls").read_text().split())
    assert len(calls) == 12
    assert calls["y32-x64"] >= 3
    assert calls["y0-x32"] >= 2
    assert len(records(url)) == 11
    with pytest.raises(StoreError, match="not finished"):
        open_map(url)
    again = map_cube(config, *data)
    assert (again.blocks_executed, again.blocks_skipped) == (1, 11)
    assert fingerprint(url) == undisturbed


def test_a_block_outlives_the_only_worker(data, undisturbed, tmp_path: Path) -> None:
    """It asked for a worker that is gone, and no other one was there to take it."""
    config = workspace(tmp_path, **BLOCKS)
    cluster = config.cluster.model_copy(update={"kind": "local", "workers": 1})
    sabotage = functools.partial(deadly_once, folder=str(tmp_path))
    with open_executor(cluster) as executor:
        made = map_cube(config, *data, executor=Sabotaged(executor, sabotage))
    assert (tmp_path / "died").exists()
    assert fingerprint(made.url) == undisturbed


@pytest.mark.parametrize("damage", ["flipped", "lost"])
def test_damaged_chunk_fails_its_blocks_only(damage: str, data, tmp_path: Path) -> None:
    """A flipped byte or a lost chunk is an error, never a number; after the repair all is well."""
    cube = make_cube(f"{tmp_path}/cube.zarr")
    chunk = Path(cube) / "HV/c/5/0/0"
    whole = chunk.read_bytes()
    if damage == "lost":
        chunk.unlink()
    else:
        chunk.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    config = workspace(tmp_path, **BLOCKS)
    reason = {"lost": "is lost", "flipped": "is altered"}[damage]
    with pytest.raises(BlocksFailed, match=rf"4 of 12 blocks failed.*{reason}.*HV/c/5/0/0"):
        map_cube(config, data[0], cube)
    chunk.write_bytes(whole)
    made = map_cube(config, data[0], cube)
    assert (made.blocks_executed, made.blocks_skipped) == (4, 8)


def test_killed_while_the_template_is_written(data, undisturbed, tmp_path: Path) -> None:
    """Without its root document there is no map; the template is written over what is left."""
    config = workspace(tmp_path)
    made = plan_map(config, *data)
    write_template(made)
    (Path(made.url) / "zarr.json").unlink()
    (Path(made.url) / "margin" / "zarr.json").write_text("{")
    assert fingerprint(map_cube(config, *data).url) == undisturbed


def test_killed_before_it_was_published(
    data, undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every block recorded, but no summary or mark: nothing is computed, the map is published."""
    config = workspace(tmp_path)
    url = plan_map(config, *data).url

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(block_records, "finish", die)
        with pytest.raises(KeyboardInterrupt):
            map_cube(config, *data)
    left = len(records(url))
    again = map_cube(config, *data, executor=Sabotaged(SerialExecutor(), unreachable))
    assert (again.blocks_executed, again.blocks_skipped) == (0, left)
    assert fingerprint(url) == undisturbed


def test_another_model_at_the_same_address(data, tmp_path: Path) -> None:
    """A map begun with one model is not continued with another."""
    model = make_model(f"{tmp_path}/model.zarr")
    config = workspace(tmp_path, **BLOCKS)
    with pytest.raises(BlocksFailed):
        map_cube(config, model, data[1], executor=Sabotaged(SerialExecutor(), fail_late))
    first = plan_map(config, model, data[1])
    storage.remove(model, recursive=True)
    make_model(model, config.model_copy(update={"seed": 7}))
    made = map_cube(config, model, data[1])
    assert made.id != first.id
    with pytest.raises(StoreError):
        open_map(first.url)


@dataclass
class Interrupted:
    """Something happens after some results; later blocks wait until `released` is there."""

    inner: Executor
    after: int
    happens: Callable[[], None]
    folder: Path

    @property
    def workers(self) -> int:
        return self.inner.workers

    def run(self, function: Any, keys: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        held = functools.partial(held_up, function, folder=str(self.folder), free=2 * self.after)
        for number, result in enumerate(self.inner.run(held, keys)):
            if number == self.after:
                self.happens()
            yield result


def held_up(function: Any, block: Block, *, folder: str, free: int) -> Any:
    """The first blocks go through; the others wait until they are released."""
    begun = Path(folder) / "begun"
    with begun.open("a") as file:
        file.write(f"{block.name}\n")
    if len(begun.read_text().split()) > free:
        until((Path(folder) / "released").exists)
    return function(block)


def test_a_lost_scheduler_costs_the_unfinished_blocks_only(
    data, undisturbed, tmp_path: Path
) -> None:
    with dask_cluster(tmp_path / "dask") as running:
        cluster = {"kind": "address", "address": running.address}
        config = workspace(tmp_path, cluster=cluster, **BLOCKS)
        with open_executor(config.cluster) as executor:
            lost = Interrupted(executor, 3, functools.partial(running.stop, "scheduler"), tmp_path)
            with pytest.raises(ClusterLost, match="went away; start it and run again"):
                map_cube(config, *data, executor=lost)
    url = plan_map(config, *data, workers=1).url
    left = len(records(url))
    assert 4 <= left < 12
    again = map_cube(workspace(tmp_path, **BLOCKS), *data)
    assert (again.blocks_executed, again.blocks_skipped) == (12 - left, left)
    assert fingerprint(url) == undisturbed


def test_a_stopped_store_costs_the_unfinished_blocks_only(
    undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    server = S3Server(tmp_path / "s3")
    (server.folder / "cpazmal").mkdir(parents=True)
    server.start()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        data = make_model("s3://cpazmal/model.zarr"), make_cube("s3://cpazmal/cube.zarr")
        config = workspace("s3://cpazmal/work", **BLOCKS)

        def stop() -> None:
            server.stop()
            (tmp_path / "released").touch()

        stopping = Interrupted(SerialExecutor(), 3, stop, tmp_path)
        with pytest.raises(BlocksFailed, match="8 of 12 blocks failed") as caught:
            map_cube(config, *data, executor=stopping)
        assert isinstance(caught.value.__cause__, StoreError)
        assert "\n" not in str(caught.value)
        server.start()
        again = map_cube(config, *data)
        assert (again.blocks_executed, again.blocks_skipped) == (8, 4)
    finally:
        server.stop()
        s3fs.S3FileSystem.clear_instance_cache()
