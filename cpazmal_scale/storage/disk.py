"""Files on a local disk that appear whole, and outlast a loss of power once they are there."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import tempfile
import uuid
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

PART = ".part"
"""What the names of files that are being written end with."""
_OURS = re.compile(r"\..+\.[0-9a-f]{32}\.part")
_FOREIGN = ".partial"
TRIES = 3
_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EXDEV, errno.EMLINK})
_NO_SYNC = frozenset({errno.EINVAL, errno.EBADF, errno.ENOTSUP})


def replace(target: Path, data: bytes) -> None:
    """Write a file in place of what is there."""
    _settle(target, lambda part: _write(part, data))


def copy(source: Path, target: Path) -> None:
    """Copy a file in place of what is there."""
    _settle(target, lambda part: _copy(source, part))


def link(source: Path, target: Path) -> None:
    """Give a file a second name, in place of what is there; a copy where there are no links.

    The new name lasts once its folder is synced.
    """
    make_folder(target.parent)
    part = _part_of(target)
    try:
        try:
            part.hardlink_to(source)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _copy(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)  # one file under both names is not replaced


def create(target: Path, data: bytes) -> bool:
    """Write a file if there is none; whether it was written."""
    make_folder(target.parent)
    for left in reversed(range(TRIES)):
        part = _part_of(target)
        try:
            _write(part, data)
            # A link appears with its content: nobody reads a half-written file.
            target.hardlink_to(part)
            break
        except FileExistsError:
            return False
        except FileNotFoundError:
            # Another process that clears up after dead writers may have taken it for theirs.
            if not left:
                raise
        finally:
            part.unlink(missing_ok=True)
    sync_folder(target.parent)
    return True


def make_folder(path: Path) -> None:
    """Make a folder and those above it."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder last."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems do not sync folders.
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(handle)


def parts(folder: Path) -> Iterator[Path]:
    """Files below a folder that were being written when their writers died, or still are."""
    for path, _, names in os.walk(folder):
        yield from (Path(path, name) for name in names if name.endswith(PART) and name[0] == ".")


def sweep(folder: Path, *, deep: bool = True) -> None:
    """Remove the parts that dead writers left in a folder, and with `deep` below it.

    A living writer holds a lock on its part while it fills it. The temporary files of Zarr's own
    local store, which nobody here writes, go too.
    """
    found = folder.rglob("*") if deep else folder.glob("*")
    for path in [one for one in found if one.name.endswith((PART, _FOREIGN))]:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError), path.open("rb") as file:
            if path.name.endswith(_FOREIGN) or (path.name[0] == "." and _lock(file)):
                path.unlink()


@contextlib.contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A new folder that is gone after the block; those of dead processes go before it.

    A living process holds a lock on its folder. Where folders cannot be locked, as on NFS, nobody
    knows who lives, and what dead processes left stays.
    """
    for left in parent.glob("*") if parent.is_dir() else ():
        with _locked_folder(left) as ours:
            if ours:
                shutil.rmtree(left, ignore_errors=True)
    for _ in range(TRIES):
        folder = parent / uuid.uuid4().hex
        folder.mkdir(parents=True)
        with _locked_folder(folder) as ours:
            if ours is False or not folder.is_dir():
                continue  # another process, which clears up, was between the two steps
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return
    raise FileNotFoundError(errno.ENOENT, "another process removes it again and again", str(parent))


@contextlib.contextmanager
def local_scratch() -> Iterator[Path]:
    """A new folder of this machine for what a process works on, gone after the block.

    Those of this user's dead processes go before it.
    """
    parent = Path(tempfile.gettempdir(), f"cpazmal-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        parent.mkdir(0o700)
    facts = parent.lstat()
    if stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o022:
        with scratch(parent) as folder:
            yield folder
        return
    with tempfile.TemporaryDirectory(prefix="cpazmal-") as name:  # another user took the name
        yield Path(name)


@lru_cache(maxsize=4096)
def tidy(folder: Path) -> None:
    """Remove what dead writers left in a folder, once in the life of a process.

    Where files cannot be locked nobody knows who lives, and it stays.
    """
    with contextlib.suppress(OSError):
        for path in [Path(one) for one in os.scandir(folder) if _OURS.fullmatch(one.name)]:
            with contextlib.suppress(OSError), path.open("rb") as file:
                if _is_free(file):
                    path.unlink()


@contextlib.contextmanager
def _locked_folder(folder: Path) -> Iterator[bool | None]:
    """Whether a folder is locked by this block now; none where that cannot be told."""
    try:
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield None
        return
    try:
        yield _is_free(file)
    finally:
        os.close(file)


def _is_free(file: BinaryIO | int) -> bool | None:
    """Whether this process has locked a file until it is closed; none where that cannot be told."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _lock(file: BinaryIO) -> bool:
    """Lock a file until it is closed, unless another process has; true where there are no locks."""
    return _is_free(file) is not False


def _settle(target: Path, fill: Callable[[Path], None]) -> None:
    for left in reversed(range(TRIES)):
        make_folder(target.parent)
        tidy(target.parent)
        part = _part_of(target)
        try:
            fill(part)
            part.replace(target)
            break
        except FileNotFoundError:
            # Another process that clears up after dead writers may have taken it for theirs.
            if not left:
                raise
        finally:
            part.unlink(missing_ok=True)
    sync_folder(target.parent)


def _part_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.{uuid.uuid4().hex}{PART}")


def _write(part: Path, data: bytes) -> None:
    with part.open("wb") as file:
        _lock(file)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _copy(source: Path, part: Path) -> None:
    with source.open("rb") as stream, part.open("wb") as file:
        _lock(file)
        shutil.copyfileobj(stream, file)
        file.flush()
        os.fsync(file.fileno())
