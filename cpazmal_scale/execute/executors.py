"""Keys in, results as they finish: the same interface over serial code, threads and Dask."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from cpazmal_scale.errors import ClusterLost

if TYPE_CHECKING:
    from distributed import Client

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

    def __init__(self, client: Client, address: str, workers: int | None = None) -> None:
        self._client = client
        self._address = address
        self.workers = workers or sum(client.nthreads().values())

    def run(
        self, function: Callable[[Key], Value], keys: Iterable[Key]
    ) -> Iterator[tuple[Key, Value | Exception]]:
        """See `Executor.run`."""
        from distributed import CancelledError, KilledWorker

        accused = []
        try:
            for key, result in self._run(function, keys, self.workers * _AHEAD):
                if isinstance(result, KilledWorker):
                    accused.append(key)
                else:
                    yield key, result
            yield from self._run(function, accused, 1)
        except CancelledError:
            raise ClusterLost(
                "the Dask scheduler went away",
                where=self._address,
                remedy="start it and run again: what is finished is kept",
            ) from None

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
