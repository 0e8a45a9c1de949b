"""Keys in, results as they finish: the same interface over serial code, threads and Dask."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from cpazmal_scale.errors import ClusterLost
from cpazmal_scale.execute.lanes import Lanes

if TYPE_CHECKING:
    from distributed import Client

    from cpazmal_scale.progress import Progress

Key = TypeVar("Key")
Value = TypeVar("Value")

_AHEAD = 3
"""Tasks handed out per worker: one running, the others so that it never waits."""
_LOOK = 5.0
"""Seconds without a finished task, or for one result, after which lost ones are looked for."""
_LOST = object()
"""A result that went with its worker before it was fetched."""


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
        so that nothing heavy or secret travels with the keys. Keys given as `Lanes` stay with
        their worker, lane by lane.
        """
        ...


@dataclass(frozen=True)
class Execution:
    """Executor, block size and progress of a job.

    `block` is the edge of a block in pixels, rounded up to whole chunks (none: the job's own);
    `executor` computes the blocks (none: as `config.cluster` says); `progress` is called with
    pixels done and pixels in all.
    """

    block: int | None = None
    executor: Executor | None = None
    progress: Progress | None = None

    def on(self, executor: Executor) -> Execution:
        """The same with another executor."""
        return replace(self, executor=executor)


PLAIN = Execution()
"""As the configuration says, in silence."""


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
        if isinstance(keys, Lanes):
            yield from self._run_lanes(function, keys)
            return
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

    def _run_lanes(
        self, function: Callable[[Key], Value], lanes: Lanes[Key]
    ) -> Iterator[tuple[Key, Value | Exception]]:
        """One thread for every slot, so that what it keeps between keys is its own."""
        running: dict[Future[Value | Exception], tuple[int, Key]] = {}
        with contextlib.ExitStack() as stack:
            threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(self.workers)]

            def hand_out(slot: int) -> None:
                key = lanes.take(slot)
                if key is not None:
                    running[threads[slot].submit(_attempt, function, key)] = (slot, key)

            for slot in range(self.workers):
                hand_out(slot)
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    slot, key = running.pop(future)
                    hand_out(slot)
                    yield key, future.result()


class DaskExecutor:
    """Workers of a Dask cluster.

    Dask blames every key of a worker that dies. A key it gives up is retried alone: the
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
        first = (
            self._run_lanes(function, keys)
            if isinstance(keys, Lanes)
            else self._run(function, keys, self.workers * _AHEAD)
        )
        try:
            for key, result in first:
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
            result = _outcome(future)
            if result is _LOST:
                completed.add(future)
                continue
            key = running.pop(future)
            future.release()
            completed.update(hand_out(1))
            yield key, result

    def _run_lanes(
        self, function: Callable[[Key], Value], lanes: Lanes[Key]
    ) -> Iterator[tuple[Key, Value | Exception]]:
        """One task for every slot at a time, on the worker that ran the one before."""
        from distributed import wait

        running: dict[Any, tuple[int, Key]] = {}
        home: dict[int, str] = {}
        threads = dict(self._client.nthreads())

        def submit(slot: int, key: Key) -> None:
            where = {"workers": [home[slot]], "allow_other_workers": True} if slot in home else {}
            future = self._client.submit(_located, function, key, pure=False, **where)
            running[future] = (slot, key)

        def hand_out(slot: int) -> None:
            key = lanes.take(slot)
            if key is not None:
                submit(slot, key)

        for slot in range(self.workers):
            hand_out(slot)
        while running:
            try:
                with self._client.as_current():
                    done = wait(list(running), _LOOK, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                for future in self._stranded({f: home.get(running[f][0]) for f in running}):
                    slot, key = running.pop(future)
                    home.pop(slot, None)
                    future.cancel()
                    submit(slot, key)
                continue
            for future in done:
                outcome = _outcome(future)
                if outcome is _LOST:
                    continue
                slot, key = running.pop(future)
                result: Value | Exception
                home.pop(slot, None)
                if isinstance(outcome, Exception):
                    result = outcome
                else:
                    result, address = outcome
                    # A slot that came to another one's worker looks for a free one next time.
                    if sum(one == address for one in home.values()) < threads.get(address, 1):
                        home[slot] = address
                future.release()
                hand_out(slot)
                yield key, result

    def _stranded(self, asked: dict[Any, str | None]) -> list[Any]:
        """Futures whose worker is gone and that no other one has: Dask does not look again."""
        alive = set(self._client.nthreads())
        lost = [future for future, worker in asked.items() if worker and worker not in alive]
        if not lost:
            return []
        busy = {str(key) for keys in self._client.processing().values() for key in keys}
        return [future for future in lost if str(future.key) not in busy and not future.done()]


def _outcome(future: Any) -> Any:
    """What a finished future holds, the error that it ends with, or `_LOST`.

    Dask computes a lost result again; who waits here for it would not see that it is stranded.
    """
    from distributed import CancelledError

    try:
        return future.result(timeout=_LOOK)
    except CancelledError:
        raise
    except TimeoutError:
        return future.exception() if future.status == "error" else _LOST
    except Exception as error:  # noqa: BLE001 - handed to the caller with its key
        return error


def _located(function: Callable[[Key], Value], key: Key) -> tuple[Value, str]:
    """The result, and the address of the Dask worker that it comes from."""
    from distributed import get_worker

    return function(key), str(get_worker().address)


def _attempt(function: Callable[[Key], Value], key: Key) -> Value | Exception:
    try:
        return function(key)
    except Exception as error:  # noqa: BLE001 - handed to the caller with its key
        return error
