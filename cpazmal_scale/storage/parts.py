"""Local files that appear whole or not at all, and the removal of what a killed writer leaves.

A writer fills a part file beside its target, holds a lock on it, and puts it in place in one step.
The kernel drops the lock when the writer dies, so that an unlocked part belongs to nobody.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

_SUFFIX = ".part"
_FOREIGN = ".partial"
"""Suffix of the temporary files of Zarr's own local store, which holds no lock."""


@contextlib.contextmanager
def part_of(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A locked, empty file beside `target`: put it in place inside the block, or it is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part, file = _locked(target)
    try:
        yield part, file
    finally:
        part.unlink(missing_ok=True)
        file.close()


def _locked(target: Path) -> tuple[Path, BinaryIO]:
    while True:
        part = target.with_name(f".{target.name}.{uuid.uuid4().hex}{_SUFFIX}")
        file = part.open("wb")
        # A sweep may have removed it between its creation and the lock.
        if not _lock(file) or os.fstat(file.fileno()).st_nlink:
            return part, file
        file.close()


def _lock(file: BinaryIO) -> bool:
    """Lock a file for this process, unless another holds it or the file system has no locks."""
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def settle(paths: Iterable[Path], top: Path) -> None:
    """Bring the names of files to the disk: those of their folders up to and with `top`."""
    folders: set[Path] = set()
    for path in paths:
        for folder in path.parents:
            if folder in folders:
                break
            folders.add(folder)
            if folder == top:
                break
    for folder in sorted(folders, key=lambda one: -len(one.parts)):
        with contextlib.suppress(OSError):  # some file systems refuse to sync folders
            _sync(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path, *, deep: bool = True) -> list[Path]:
    """Remove the parts that dead writers left in a folder, and with `deep` below it.

    Returns:
        What was removed.
    """
    removed = []
    found = folder.rglob("*") if deep else folder.glob("*")
    for path in [one for one in found if one.name.endswith((_SUFFIX, _FOREIGN))]:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError), path.open("rb") as file:
            if path.name.endswith(_FOREIGN) or (path.name.startswith(".") and _lock(file)):
                path.unlink()
                removed.append(path)
    return removed
