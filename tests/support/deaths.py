"""Processes that die at any change of the disk: from then on nothing more happens to it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

CHANGES = ("replace", "rename", "link", "unlink", "rmdir", "mkdir", "fsync")
"""Calls of the operating system by which a writer changes a disk, or waits for it."""


class Death(BaseException):
    """What is raised in place of the change at which a process dies, and of all after it."""


class Disk:
    """Counts changes of the disk, and lets the process die at one of them."""

    def __init__(self, dies_at: int | None) -> None:
        self.changes = 0
        self.dies_at = dies_at

    def wrapped(self, change: Callable[..., Any]) -> Callable[..., Any]:
        """A call that is counted, and not made by the dead."""

        def act(*given: Any, **named: Any) -> Any:
            self.changes += 1
            if self.dies_at is not None and self.changes > self.dies_at:
                raise Death
            return change(*given, **named)

        return act


@contextlib.contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, at: int | None = None) -> Iterator[Disk]:
    """In the block the process dies at the change of this number; none: changes are counted."""
    disk = Disk(at)
    with monkeypatch.context() as patched:
        for name in CHANGES:
            patched.setattr(os, name, disk.wrapped(getattr(os, name)))
        with contextlib.suppress(Death):
            yield disk
