"""Files read, replaced, created and removed whole."""

from __future__ import annotations

import contextlib
import errno
import glob
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from cpazmal_scale.addresses import is_remote, is_s3, local_path
from cpazmal_scale.storage import disk, plain_get
from cpazmal_scale.storage.reach import filesystem_of, one_sentence, regular

Key = TypeVar("Key")
Result = TypeVar("Result")
REQUESTS = 16
"""Requests in flight to an object store."""


def read_bytes(url: str) -> bytes:
    """The whole content of a small file.

    Raises:
        StoreMissing: nothing is there.
        StoreError: the store refuses or cannot be reached.
    """
    with one_sentence(url, "read"):
        if not is_remote(url):
            return regular(url).read_bytes()
        if is_s3(url) and (data := plain_get.get(url)) is not None:
            return data
        filesystem, path = filesystem_of(url)
        # Asked for a file at once, s3fs asks for its size first: two requests instead of one.
        at_once = {"max_concurrency": 1} if is_s3(url) else {}
        return bytes(filesystem.cat_file(path, **at_once))


def write_bytes(url: str, data: bytes) -> None:
    """Replace a file in one step: readers see the old content or the new, never a part.

    Raises:
        StoreError: the store is read-only, full, missing or cannot be reached.
    """
    with one_sentence(url, "write"):
        if is_remote(url):
            filesystem, path = filesystem_of(url)
            filesystem.pipe_file(path, data)
            return
        disk.replace(local_path(url), data)


def create_bytes(url: str, data: bytes) -> bool:
    """Write a file only if nothing is there; whether it was written.

    The store decides in one step on local disks and on S3 servers that honour `If-None-Match`.
    Servers that ignore it overwrite: callers that need exclusion read back what they wrote.

    Raises:
        StoreError: the store is read-only, full, missing or cannot be reached.
    """
    with one_sentence(url, "write"):
        if not is_remote(url):
            return disk.create(local_path(url), data)
        filesystem, path = filesystem_of(url)
        if filesystem.exists(path):
            return False
        try:
            filesystem.pipe_file(path, data, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            # Ceph answers a lost race with EINVAL.
            if error.errno == errno.EINVAL and filesystem.exists(path):
                return False
            raise
        return True


def remove(url: str, *, recursive: bool = False) -> None:
    """Delete a file, or a folder with `recursive`; nothing happens when it is not there.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    with one_sentence(url, "remove"):
        filesystem, path = filesystem_of(url)
        with contextlib.suppress(FileNotFoundError):
            if is_remote(url) and not recursive:  # `rm` of s3fs is silent where it is refused
                filesystem.rm_file(path)
            elif is_remote(url) and glob.has_magic(path):  # `rm` would take it for a pattern
                for one in filesystem.find(path):
                    filesystem.rm_file(one)
            else:
                filesystem.rm(path, recursive=recursive)
                below = path.rstrip("/") + "/"
                # An object store may go on to name the folder itself.
                if is_remote(url) and any(one.startswith(below) for one in filesystem.find(path)):
                    raise PermissionError


def sweep(url: str, *, deep: bool = True) -> None:
    """Remove what killed writers left half-written in a folder, and with `deep` below it."""
    if not is_remote(url):
        with one_sentence(url, "tidy up"):
            disk.sweep(local_path(url), deep=deep)


def upload(path: Path, url: str) -> None:
    """Put a local file at `url`, replacing what is there in one step."""
    with one_sentence(url, "write"):
        if is_remote(url):
            filesystem, there = filesystem_of(url)
            filesystem.put_file(str(path), there)
        elif local_path(url).absolute() != path.absolute():
            disk.copy(path, local_path(url))


def each(url: str, do: Callable[[Key], Result], keys: Iterable[Key]) -> list[Result]:
    """What a function gives for every key, of a remote store at `url` several at a time."""
    if not is_remote(url):
        return [do(key) for key in keys]
    with ThreadPoolExecutor(REQUESTS) as pool:
        return list(pool.map(do, keys))
