"""A cache of arrays with a limit in bytes that drops those used least recently."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ENTRY = 200
"""Bytes of an entry beside its array."""


class Held:
    """Arrays by key, at most `limit` bytes together; the first thread that asks makes one for all.

    Threads that ask for a key that is being made wait for it. What was used longest ago goes first.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._bytes = limit, 0
        self._arrays: OrderedDict[Hashable, NDArray[Any] | None] = OrderedDict()
        self._coming: dict[Hashable, Future[NDArray[Any] | None]] = {}
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that are kept now."""
        return self._bytes

    def get(self, key: Hashable, make: Callable[[], NDArray[Any] | None]) -> NDArray[Any] | None:
        """The array of a key, made if it is not there; nobody may write to it.

        What `make` raises reaches everybody who waits; the next one tries again.
        """
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
            coming = self._coming.get(key)
            mine = coming is None
            if coming is None:
                coming = self._coming[key] = Future()
        if not mine:
            return coming.result()
        try:
            made = make()
        except BaseException as error:
            with self._lock:
                del self._coming[key]
            coming.set_exception(error)
            raise
        with self._lock:
            del self._coming[key]
            self._keep(key, made)
        coming.set_result(made)
        return made

    def _keep(self, key: Hashable, made: NDArray[Any] | None) -> None:
        size = _size(made)
        if size > self._limit:
            return
        self._arrays[key] = made
        self._bytes += size
        while self._bytes > self._limit:
            _, oldest = self._arrays.popitem(last=False)
            self._bytes -= _size(oldest)


def _size(made: NDArray[Any] | None) -> int:
    return _ENTRY + (0 if made is None else made.nbytes)
