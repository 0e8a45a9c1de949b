"""Executors: every key comes back once, with its result or its failure, wherever it ran."""

from __future__ import annotations

import functools
import os
import signal
import time
from pathlib import Path

import pytest

from cpazmal_scale.config import Cluster
from cpazmal_scale.errors import ClusterError
from cpazmal_scale.execute import open_executor
from cpazmal_scale.execute.lanes import Lanes


def square(key: int, *, bad: int | None = None) -> int:
    if key == bad:
        raise ValueError("bad key")
    return key * key


def die_once(key: int, *, folder: str) -> int:
    marker = Path(folder) / f"{key}"
    if key % 4 == 0 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return key


def always_dies(key: int) -> int:
    if key == 3:
        time.sleep(0.3)  # others are handed to this worker meanwhile
        os.kill(os.getpid(), signal.SIGKILL)
    return key


@pytest.mark.parametrize("kind", ["serial", "threads", "local"])
def test_every_key_once(kind: str) -> None:
    with open_executor(Cluster(kind=kind, workers=2)) as executor:
        results = list(executor.run(functools.partial(square, bad=7), range(25)))
        assert executor.workers == (1 if kind == "serial" else 2)
    assert sorted(key for key, _ in results) == list(range(25))
    for key, result in results:
        if key == 7:
            assert isinstance(result, ValueError)
        else:
            assert result == key * key


def test_killed_worker_is_replaced_and_a_deadly_key_is_returned(tmp_path: Path) -> None:
    with open_executor(Cluster(kind="local", workers=2)) as executor:
        survived = dict(executor.run(functools.partial(die_once, folder=str(tmp_path)), range(8)))
        assert survived == {key: key for key in range(8)}
        deadly = dict(executor.run(always_dies, range(12)))
    assert type(deadly.pop(3)).__name__ == "KilledWorker"
    assert deadly == {key: key for key in range(12) if key != 3}


class LastWords:
    """A result whose worker dies of sending it, once."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        marker = Path(self.folder) / "sent"
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return str, ("told",)


def tell(key: int, *, folder: str) -> int | LastWords:
    return LastWords(folder) if key == 1 else key


@pytest.mark.parametrize("lanes", [False, True])
def test_a_worker_dies_with_a_result_that_was_not_fetched(tmp_path: Path, *, lanes: bool) -> None:
    """In a lane it is asked for again of a worker that is gone."""
    keys = Lanes([range(3)]) if lanes else range(3)
    with open_executor(Cluster(kind="local", workers=1)) as executor:
        found = dict(executor.run(functools.partial(tell, folder=str(tmp_path)), keys))
    assert (tmp_path / "sent").exists()
    assert found == {0: 0, 1: "told", 2: 2}


def test_a_running_scheduler_is_used_by_its_address() -> None:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0"
    ) as running:
        cluster = Cluster(kind="address", address=running.scheduler_address)
        with open_executor(cluster) as executor:
            assert executor.workers == 2
            assert dict(executor.run(square, range(5))) == {key: key**2 for key in range(5)}
        assert len(running.scheduler.workers) == 1


def test_unreachable_scheduler_is_one_sentence() -> None:
    cluster = Cluster(kind="address", address="tcp://127.0.0.1:9", wait_s=0.5)
    with pytest.raises(ClusterError, match="no Dask scheduler answers"), open_executor(cluster):
        pass
