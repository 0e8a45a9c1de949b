"""Folders that are gone after a block, and what killed processes left of theirs."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

from cpazmal_scale.addresses import is_remote, join, local_path
from cpazmal_scale.errors import StoreError
from cpazmal_scale.storage import disk
from cpazmal_scale.storage.files import remove, write_bytes
from cpazmal_scale.storage.look import find, list_names, modified
from cpazmal_scale.storage.reach import one_sentence

ALIVE = "alive"
"""The object by which a process says that it still needs a folder of a remote store."""
RENEWED = 3600.0
"""Seconds after which it is written again."""
KEPT = 86400.0
"""Seconds without a change after which a folder is a dead process's."""


@contextlib.contextmanager
def scratch(url: str) -> Iterator[str]:
    """A new folder below one at `url`, gone after the block.

    What processes left there that died is removed first: at once on a local disk, a day after it
    was last heard of them elsewhere.

    Raises:
        StoreError: the store refuses or cannot be reached before the block.
    """
    if not is_remote(url):
        with disk.scratch(local_path(url)) as folder:
            yield str(folder)
        return
    new = join(url, uuid.uuid4().hex)
    over = threading.Event()
    write_bytes(join(new, ALIVE), b"")
    threading.Thread(target=_renew, args=(new, over), daemon=True).start()
    try:
        _sweep(url, new)
        yield new
    finally:
        over.set()
        with contextlib.suppress(StoreError):  # a day later, the next run removes it
            remove(new, recursive=True)


@contextlib.contextmanager
def local_scratch() -> Iterator[Path]:
    """A new folder of this machine for what a process works on, gone after the block.

    Those of this user's dead processes go before it.

    Raises:
        StoreError: the folder of temporary files is full, or nothing may be written there.
    """
    with contextlib.ExitStack() as stack:
        with one_sentence("the folder of temporary files", "write"):
            folder = stack.enter_context(disk.local_scratch())
        yield folder


def _renew(folder: str, over: threading.Event) -> None:
    while not over.wait(RENEWED):
        with contextlib.suppress(StoreError):
            write_bytes(join(folder, ALIVE), b"")


def _sweep(url: str, own: str) -> None:
    """Remove the folders of dead processes, where the store tells times and lets them be removed.

    Both times are by the store's clock: those of machines do not count.
    """
    with contextlib.suppress(StoreError, NotImplementedError):
        now = modified(join(own, ALIVE))
        for name in list_names(url):
            left = join(url, name)
            with contextlib.suppress(StoreError):  # another process may remove it just now
                if all((now - modified(one)).total_seconds() > KEPT for one in find(left)):
                    remove(left, recursive=True)
