"""The lease of a cube's writer: tickets beside it, so that two writers do not do the same work.

Every writer draws a ticket with a number above those it sees; the lowest one that is alive holds
the lease (Lamport's bakery). Each writes and removes only objects of its own name, so nobody
overwrites another's, whatever the store can do and however long one stands still between two steps.

Where the store decides conditions in one step, the lease is a courtesy: the commit itself compares
and swaps, and a ticket that was not renewed for `SECONDS` is set aside. Where it does not, the
lease is all there is: then a ticket lasts until its writer is gone for certain.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cpazmal_scale import storage
from cpazmal_scale.errors import StoreError, StoreMissing, WriterConflict
from cpazmal_scale.storage import atomic

SECONDS = 300.0
"""How long a lease lasts without renewal, where the store decides conditions."""
CHOOSING_SECONDS = 5.0
"""How long a writer waits for another that draws its number, which takes a few small requests."""
_TICKET = re.compile(r"(\d{8,})(?:\.([0-9a-f]+))?\.json|choosing\.([0-9a-f]+)\.json")

_held: set[str] = set()
"""Tokens of the leases that this process holds. Others of its own in the store are left over from
a release that the store did not take."""


def folder(cube_url: str) -> str:
    """Where the tickets of a cube's writers are."""
    return f"{cube_url.rstrip('/')}.lease"


def lock(cube_url: str) -> str:
    """The file that is locked while objects of a cube on a disk are replaced."""
    return storage.join(folder(cube_url), "lock")


@dataclass(frozen=True)
class _Ticket:
    """One writer's object; `number` is none while it draws one."""

    url: str
    number: int | None
    token: str

    @classmethod
    def named(cls, where: str, name: str) -> _Ticket | None:
        found = _TICKET.fullmatch(name)
        if found is None:
            return None
        number = None if found[1] is None else int(found[1])
        return cls(storage.join(where, name), number, found[2] or found[3] or "")

    def before(self, other: _Ticket) -> bool:
        """Whether this writer goes first."""
        mine, theirs = (self.number or 0, self.token), (other.number or 0, other.token)
        return self.number is not None and mine < theirs

    def read(self) -> dict[str, Any]:
        try:
            found = json.loads(storage.read_bytes(self.url))
        except (StoreMissing, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


class Lease:
    """A held lease; `check` before long work that would be for nothing without it."""

    def __init__(self, cube_url: str, ticket: _Ticket, *, expires: bool) -> None:
        self.cube_url, self.token, self._ticket = cube_url, ticket.token, ticket
        self._expires, self.deadline = expires, time.monotonic() + SECONDS

    def renew(self) -> None:
        """Extend the lease once a third of it has passed.

        Raises:
            WriterConflict: it expired, or another writer took over.
        """
        if self.deadline - time.monotonic() > SECONDS * 2 / 3:
            return
        self.check()
        storage.write_bytes(self._ticket.url, ticket_document(self.token))
        self.deadline = time.monotonic() + SECONDS

    def check(self) -> None:
        """The lease is still ours.

        Raises:
            WriterConflict: it expired, or another writer took over.
        """
        late = self._expires and time.monotonic() > self.deadline
        if late or self._ticket.read().get("token") != self.token:
            raise _taken_over(self.cube_url)

    def release(self) -> None:
        """Let the next writer in at once."""
        with contextlib.suppress(StoreError):
            storage.remove(self._ticket.url)


@contextlib.contextmanager
def hold(cube_url: str) -> Iterator[Lease]:
    """Hold the cube's write lease inside a `with` block.

    Raises:
        WriterConflict: another writer is at work.
    """
    token = uuid.uuid4().hex
    _held.add(token)
    try:
        lease = _acquire(cube_url, token)
        try:
            yield lease
        finally:
            lease.release()
    finally:
        _held.discard(token)


def _acquire(cube_url: str, token: str) -> Lease:
    where = folder(cube_url)
    expires = atomic.decides(where)
    choosing = _Ticket(storage.join(where, f"choosing.{token}.json"), None, token)
    storage.write_bytes(choosing.url, ticket_document(token))
    try:
        number = 1 + max((one.number or 0 for one in _tickets(where)), default=0)
        mine = _Ticket(storage.join(where, f"{number:08d}.{token}.json"), number, token)
        storage.write_bytes(mine.url, ticket_document(token))
    finally:
        with contextlib.suppress(StoreError):
            storage.remove(choosing.url)
    try:
        _wait_for_turn(cube_url, mine, expires=expires)
    except BaseException:
        with contextlib.suppress(StoreError):
            storage.remove(mine.url)
        raise
    storage.sweep(where, deep=False)
    return Lease(cube_url, mine, expires=expires)


def _wait_for_turn(cube_url: str, mine: _Ticket, *, expires: bool) -> None:
    """Set aside tickets of writers that are gone; give way to one that is before us."""
    deadline = time.monotonic() + CHOOSING_SECONDS
    try:
        now = storage.modified(mine.url).timestamp()
    except StoreMissing:
        raise _taken_over(cube_url) from None
    while True:
        choosing: tuple[_Ticket, dict[str, Any]] | None = None
        for other in _tickets(folder(cube_url)):
            if other.token == mine.token:
                continue
            holder = other.read()
            if is_over(other, holder, now, expires=expires):
                storage.remove(other.url)
            elif other.number is None:
                choosing = other, holder
            elif other.before(mine):
                raise _conflict(cube_url, other, holder, expires=expires)
        if choosing is None:
            return
        if time.monotonic() > deadline:
            if expires:
                return
            raise _conflict(cube_url, *choosing, expires=expires)
        time.sleep(0.05)


def _tickets(where: str) -> list[_Ticket]:
    found = (_Ticket.named(where, name) for name in storage.list_names(where))
    return [one for one in found if one is not None]


def ticket_document(token: str) -> bytes:
    """What a ticket says of its writer: its machine and process, as JSON."""
    return json.dumps(
        {
            "token": token,
            "host": _host(),
            "pid": os.getpid(),
            "process_started": _started(os.getpid()),
        }
    ).encode()


def is_over(ticket: _Ticket, holder: dict[str, Any], now: float, *, expires: bool) -> bool:
    """Whether a writer released, is gone from this machine, or did not renew its ticket in time.

    `now` is the time by the store's clock, which also dates the ticket: clocks of writers do not
    count.
    """
    if holder.get("released") or _is_gone(holder):
        return True
    if not expires:
        return False
    try:
        return abs(now - storage.modified(ticket.url).timestamp()) > SECONDS
    except StoreMissing:
        return True


def _is_gone(holder: dict[str, Any]) -> bool:
    """Whether a writer was a process of this machine that is no more."""
    pid = holder.get("pid")
    if holder.get("host") != _host() or not isinstance(pid, int):
        return False
    if pid == os.getpid() and str(holder.get("token")) not in _held:
        return True
    return _started(pid) != holder.get("process_started")


def _taken_over(cube_url: str) -> WriterConflict:
    return WriterConflict(
        "another writer took the cube over meanwhile",
        where=cube_url,
        remedy="run again: what is committed stays, the rest continues",
    )


def _conflict(
    cube_url: str, ticket: _Ticket, holder: dict[str, Any], *, expires: bool
) -> WriterConflict:
    host = str(holder.get("host", "?")).split(":")[0]
    lasts = f"wait for it, or {SECONDS:.0f} s if it is dead"
    return WriterConflict(
        f"another writer is at work (process {holder.get('pid', '?')} on {host})",
        where=cube_url,
        remedy=lasts if expires else f"wait for it, or remove {ticket.url} if it is dead",
    )


def _host() -> str:
    """This machine since its last start and this process-id namespace, where that can be told."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return ":".join(parts)


def _started(pid: int) -> float | None:
    """When a process started, counted from the start of the machine; None when there is none.

    Seconds since 1970 would be others once the machine's clock is set.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        try:
            told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return float(told[19])
        except OSError:  # a system without /proc
            return float(process.create_time())
    except (psutil.Error, ValueError, OverflowError):  # a number that no process has
        return None
