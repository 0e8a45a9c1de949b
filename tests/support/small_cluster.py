"""A Dask scheduler and its workers as processes of their own, such as an operator starts them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.servers import free_port

TESTS = Path(__file__).parents[1]


@dataclass
class RunningCluster:
    """`processes` by name: `scheduler`, then `worker-0` and so on."""

    address: str
    folder: Path
    environment: Mapping[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *words: str, **environment: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "dask", *words],
                env={**self.environment, **environment},
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )

    def start_scheduler(self) -> None:
        port = self.address.rsplit(":", 1)[1]
        quiet = ("--no-dashboard", "--no-show")
        self.start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", port, *quiet)

    def start_worker(
        self, number: int, *, threads: int = 1, memory: str = "3GiB", **environment: str
    ) -> None:
        scratch = str(self.folder / "scratch")
        limits = ("--nthreads", str(threads), "--memory-limit", memory)
        plain = ("--no-dashboard", "--no-nanny")
        self.start(
            f"worker-{number}",
            *("worker", self.address, *limits, *plain, "--local-directory", scratch),
            **environment,
        )

    def answers(self) -> bool:
        """Whether the scheduler takes connections."""
        host, port = self.address.removeprefix("tcp://").split(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=5):
            return True
        return False

    def stop(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait(300)


IDLE = {
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "500ms",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
}
"""As in local clusters of a run: processes that wait take less of the machine."""


@contextmanager
def dask_cluster(
    folder: Path, *, workers: int = 2, environment: Mapping[str, str] | None = None
) -> Iterator[RunningCluster]:
    """Workers can import the test modules; they connect when they are up."""
    given = {k: v for k, v in os.environ.items() if not k.startswith("DASK_")}
    paths = f"{TESTS.parent}{os.pathsep}{TESTS}"
    variables = {**given, **IDLE, **(environment or {}), "PYTHONPATH": paths}
    folder.mkdir(parents=True, exist_ok=True)
    cluster = RunningCluster(f"tcp://127.0.0.1:{free_port()}", folder, variables)
    cluster.start_scheduler()
    until(cluster.answers)
    for number in range(workers):
        cluster.start_worker(number)
    try:
        yield cluster
    finally:
        for process in reversed(cluster.processes.values()):
            process.kill()
            process.wait(300)


def until(condition: Callable[[], object], *, seconds: float = 300, every: float = 0.05) -> None:
    """Wait until a function, called `every` so many seconds, returns something true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(every)
