"""One writer per cube: numbered lease objects beside it, created only if absent.

The holder is the highest number. Taking over a dead or expired holder creates the next number,
which the store grants to one writer only; nothing shared is ever deleted first. Some S3 servers
ignore conditional writes without saying so, and two writers may both be told yes: so on a remote
store each waits longer than a small write takes and reads back who was last (Fischer's timed mutual
exclusion). A writer whose own time is up stops before its next write.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cpazmal_scale import storage
from cpazmal_scale.errors import StoreError, StoreMissing, WriterConflict

SECONDS = 300.0
"""How long a lease lasts without renewal."""
SETTLE_SECONDS = 1.0
"""Longer than one small write on a remote store takes."""


def folder(cube_url: str) -> str:
    """Where the lease objects of a cube are."""
    return f"{cube_url.rstrip('/')}.lease"


_held: set[str] = set()
"""Tokens of the leases that this process holds. Others of its own in the store are left over from
a release that the store did not take."""


class Lease:
    """A held lease; `check` before every write that matters."""

    def __init__(self, cube_url: str, number: int, token: str) -> None:
        self.cube_url, self.number, self.token = cube_url, number, token
        self._deadline = time.monotonic() + SECONDS

    @property
    def _url(self) -> str:
        return storage.join(folder(self.cube_url), _name(self.number))

    def renew(self) -> None:
        """Extend the lease once a third of it has passed.

        Raises:
            WriterConflict: it expired, or another writer took over.
        """
        if self._deadline - time.monotonic() > SECONDS * 2 / 3:
            return
        self.check()
        storage.write_bytes(self._url, _document(self.token))
        self._deadline = time.monotonic() + SECONDS
        self.check()

    def check(self) -> None:
        """The lease is still ours.

        Raises:
            WriterConflict: it expired, or another writer took over.
        """
        lost = time.monotonic() > self._deadline
        lost = lost or storage.exists(storage.join(folder(self.cube_url), _name(self.number + 1)))
        if lost or _read(self._url).get("token") != self.token:
            raise WriterConflict(
                "another writer took the cube over meanwhile",
                where=self.cube_url,
                remedy="run again: what is committed stays, the rest continues",
            )

    def release(self) -> None:
        """Let the next writer in at once."""
        with contextlib.suppress(StoreError):
            if _read(self._url).get("token") == self.token:
                storage.write_bytes(self._url, _document(self.token, released=True))


@contextlib.contextmanager
def hold(cube_url: str) -> Iterator[Lease]:
    """Be the only writer of a cube for the time of the block.

    Raises:
        WriterConflict: another writer is at work.
    """
    lease = _acquire(cube_url)
    _held.add(lease.token)
    try:
        yield lease
    finally:
        _held.discard(lease.token)
        lease.release()


def _acquire(cube_url: str) -> Lease:
    where = folder(cube_url)
    numbers = [int(name[:-5]) for name in storage.list_names(where) if _is_lease(name)]
    last = max(numbers, default=0)
    if last:
        holder = _read(storage.join(where, _name(last)))
        if not _is_over(holder):
            raise _conflict(cube_url, holder)
    token = uuid.uuid4().hex
    url = storage.join(where, _name(last + 1))
    created = storage.create_bytes(url, _document(token))
    if created and storage.is_remote(url):
        time.sleep(SETTLE_SECONDS)
    holder = _read(url)
    if holder.get("token") != token:
        raise _conflict(cube_url, holder)
    for number in numbers:
        storage.remove(storage.join(where, _name(number)))
    return Lease(cube_url, last + 1, token)


def _name(number: int) -> str:
    return f"{number:08d}.json"


def _is_lease(name: str) -> bool:
    return name.endswith(".json") and name[:-5].isdigit()


def _read(url: str) -> dict[str, Any]:
    try:
        found = json.loads(storage.read_bytes(url))
    except (StoreMissing, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _document(token: str, *, released: bool = False) -> bytes:
    return json.dumps(
        {
            "token": token,
            "host": _host(),
            "pid": os.getpid(),
            "process_started": _started(os.getpid()),
            "expires": time.time() + SECONDS,
            "released": released,
        }
    ).encode()


def _is_over(holder: dict[str, Any]) -> bool:
    """Whether the holder released, expired, or was a process of this machine that is gone."""
    if not holder or holder.get("released") or time.time() > float(holder.get("expires", 0)):
        return True
    if holder.get("host") != _host():
        return False
    if holder.get("pid") == os.getpid() and holder.get("token") not in _held:
        return True
    return _started(int(holder["pid"])) != holder.get("process_started")


def _conflict(cube_url: str, holder: dict[str, Any]) -> WriterConflict:
    host = str(holder.get("host", "?")).split(":")[0]
    return WriterConflict(
        f"another writer is at work (process {holder.get('pid', '?')} on {host})",
        where=cube_url,
        remedy=f"wait for it, or {SECONDS:.0f} s if it is dead",
    )


def _host() -> str:
    """This machine since its last start and this process-id namespace, where that can be told."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return ":".join(parts)


def _started(pid: int) -> float | None:
    """When a process started, seconds since 1970; None when there is none."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None
