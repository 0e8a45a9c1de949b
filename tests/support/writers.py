"""Writers that stand still at any operation of a store, while others come and go."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from cpazmal_scale import storage
from cpazmal_scale.cube.write import lease as leases
from cpazmal_scale.storage import atomic

OPERATIONS = [
    *((storage, name) for name in ("write_bytes", "create_bytes", "remove", "list_names")),
    *((storage, name) for name in ("read_bytes", "modified")),
    *((atomic, name) for name in ("look", "swap", "create", "place")),
]
"""What a writer asks of a store: the ways of looking and of changing."""

LOOKING = ("read_bytes", "look", "list_names")
"""Of looks only those at documents, leases and folders of a cube count: what else a writer reads,
it reads between them."""


def every(step: int) -> int:
    """Take each `step`-th of many cases; all of them with `CPAZMAL_FAULTS=all`."""
    return 1 if os.environ.get("CPAZMAL_FAULTS") == "all" else step


class Clock:
    """Counts the operations of the writer in front, and calls `act` before each."""

    def __init__(self) -> None:
        self.count = 0
        self.acts: Mapping[int, Callable[[], object]] = {}
        self._busy = False

    def tick(self) -> None:
        """The point before an operation, and after the one before."""
        if self._busy:
            return
        act = self.acts.get(self.count)
        self.count += 1
        if act is not None:
            self._busy = True
            try:
                act()
            finally:
                self._busy = False


@contextlib.contextmanager
def standing_still(
    monkeypatch: pytest.MonkeyPatch, acts: Mapping[int, Callable[[], object]]
) -> Iterator[Clock]:
    """Operations of a store in the block are counted; at number `n` `acts[n]` runs in between.

    All leases count as expired: nothing but the commit itself stands between the writers.
    """
    clock = Clock()
    clock.acts = acts

    def counted(operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(url: str, *arguments: Any, **options: Any) -> Any:
            if operation.__name__ not in LOOKING or url.endswith((".json", ".zarr")):
                clock.tick()
            return operation(url, *arguments, **options)

        return run

    with monkeypatch.context() as patched:
        for module, name in OPERATIONS:
            patched.setattr(module, name, counted(getattr(module, name)))
        patched.setattr(leases, "is_over", lambda *_, **__: True)
        patched.setattr(leases.Lease, "check", lambda _: None)
        patched.setattr(leases.Lease, "renew", lambda _: None)
        patched.setattr(atomic, "PATIENCE", 0.0)
        yield clock
