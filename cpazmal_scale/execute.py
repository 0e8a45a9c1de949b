"""One executor interface over serial code, threads and Dask: keys in, results as they finish."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from cpazmal_scale.errors import ConfigError

if TYPE_CHECKING:
    from distributed import Client

    from cpazmal_scale.config import Cluster

Key = TypeVar("Key")
Value = TypeVar("Value")

_AHEAD = 3
"""Tasks handed out per worker: one running, the others so that it never waits."""


class Executor(Protocol):
    """Runs a function over keys; failures are returned with their key, not raised."""

    @property
    def workers(self) -> int:
        """Keys that are computed at the same time."""
        ...

    def run(
        self, function: Callable[[Key], Value], keys: Iterable[Key]
    ) -> Iterator[tuple[Key, Value | Exception]]:
        """Yield `(key, result)` in the order of completion; results are held nowhere else.

        `function` is a module-level function or a `functools.partial` of one with plain values,
        so that nothing heavy or secret travels with the keys.
        """
        ...


@dataclass(frozen=True)
class SerialExecutor:
    """One key after the other, in this thread."""

    workers: int = 1

    def run(
        self, function: Callable[[Key], Value], keys: Iterable[Key]
    ) -> Iterator[tuple[Key, Value | Exception]]:
        """See `Executor.run`."""
        for key in keys:
            yield key, _attempt(function, key)


@dataclass(frozen=True)
class ThreadExecutor:
    """Threads of this process; the kernels release the GIL."""

    workers: int

    def run(
        self, function: Callable[[Key], Value], keys: Iterable[Key]
    ) -> Iterator[tuple[Key, Value | Exception]]:
        """See `Executor.run`."""
        waiting = iter(keys)
        running: dict[Future[Value | Exception], Key] = {}
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                while True:
                    while len(running) < self.workers * _AHEAD:
                        try:
                            key = next(waiting)
                        except StopIteration:
                            break
                        running[pool.submit(_attempt, function, key)] = key
                    if not running:
                        return
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        yield running.pop(future), future.result()
            finally:
                pool.shutdown(cancel_futures=True)


class DaskExecutor:
    """Workers of a Dask cluster.

    Dask blames every key of a worker that dies. A key it gives up is heard again alone: the
    innocent ones succeed, and one that kills its worker again comes back as a failure.
    """

    def __init__(self, client: Client, address: str) -> None:
        self._client = client
        threads = client.nthreads().values()
        if not threads:
            raise ConfigError(
                "the Dask scheduler has no workers",
                where=address,
                remedy="start workers with `dask worker ADDRESS`",
            )
        self.workers = sum(threads)

    def run(
        self, function: Callable[[Key], Value], keys: Iterable[Key]
    ) -> Iterator[tuple[Key, Value | Exception]]:
        """See `Executor.run`."""
        from distributed import KilledWorker

        accused = []
        for key, result in self._run(function, keys, self.workers * _AHEAD):
            if isinstance(result, KilledWorker):
                accused.append(key)
            else:
                yield key, result
        yield from self._run(function, accused, 1)

    def _run(
        self, function: Callable[[Key], Value], keys: Iterable[Key], at_once: int
    ) -> Iterator[tuple[Key, Value | Exception]]:
        from distributed import as_completed

        waiting = iter(keys)
        running: dict[Any, Key] = {}

        def hand_out(most: int) -> list[Any]:
            futures = []
            for key in itertools.islice(waiting, most):
                futures.append(self._client.submit(function, key, pure=False))
                running[futures[-1]] = key
            return futures

        completed = as_completed(hand_out(at_once), loop=self._client.loop)
        for future in completed:
            key = running.pop(future)
            error = future.exception()
            result = error if isinstance(error, Exception) else future.result()
            future.release()
            completed.update(hand_out(1))
            yield key, result


def _attempt(function: Callable[[Key], Value], key: Key) -> Value | Exception:
    try:
        return function(key)
    except Exception as error:  # noqa: BLE001 - handed to the caller with its key
        return error


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def open_executor(cluster: Cluster) -> Iterator[Executor]:
    """The executor a run asks for, closed at the end of the block.

    Raises:
        ConfigError: the Dask scheduler cannot be reached or has no workers.
    """
    workers = cluster.workers or cores()
    if cluster.kind == "serial":
        yield SerialExecutor()
    elif cluster.kind == "threads":
        yield ThreadExecutor(workers)
    else:
        with contextlib.ExitStack() as stack:
            address = cluster.address or stack.enter_context(_local_cluster(cluster, workers))
            yield DaskExecutor(stack.enter_context(_connect(address)), address)


@contextlib.contextmanager
def _local_cluster(cluster: Cluster, workers: int) -> Iterator[str]:
    import dask
    from distributed import LocalCluster

    # Orchestrators that log everything would print every connection of the cluster.
    logging.getLogger("distributed").setLevel(logging.WARNING)

    # One thread per core overall: the kernels are single-threaded and release the GIL.
    single = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "GDAL_NUM_THREADS"), "1")
    settings = {
        "distributed.nanny.pre-spawn-environ": single,
        "distributed.scheduler.allowed-failures": 1,
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=f"{cluster.memory_gib}GiB",
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as local,
    ):
        yield local.scheduler_address


@contextlib.contextmanager
def _connect(address: str) -> Iterator[Client]:
    from distributed import Client

    try:
        client = Client(address, timeout="10s", set_as_default=False)
    except OSError:
        raise ConfigError(
            "no Dask scheduler answers",
            where=address,
            remedy="check cluster.address, or use cluster.kind: local",
        ) from None
    with client:
        yield client
