"""What a commit needs of a store: create if absent, replace if unchanged, put in place, sync.

`create` and `swap` are decided by the store in one step: on disk by a link and by a lock that the
kernel takes back from a dead process, on S3 by `If-None-Match` and `If-Match`. Some S3 servers
ignore these headers without saying so, and some file systems have no locks; `decides` finds that
out, and there both only look before they write: their callers must then be alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from cpazmal_scale import storage
from cpazmal_scale.addresses import is_s3
from cpazmal_scale.errors import StoreError, StoreMissing, WriterConflict
from cpazmal_scale.storage import disk

PATIENCE = 10.0
"""Seconds to wait for another process that replaces an object, which takes it milliseconds."""
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL})
_LOST = frozenset(
    {"PreconditionFailed", "ConditionalRequestConflict", "412", "409", "NotImplemented", "501"}
)
"""Answers of S3 servers to a condition that does not hold, or that they do not know."""
_TRIES = 5
"""How often a condition that holds may be refused by a server that decides."""

_HONOURS: dict[tuple[str, str], bool] = {}
"""What this process found out of S3 buckets at their endpoints."""


class Seen(NamedTuple):
    """An object as it was read: its bytes, None where there was none, and the store's tag of it."""

    data: bytes | None
    tag: str = ""


def look(url: str) -> Seen:
    """An object, to be replaced if it is still the same.

    Raises:
        StoreError: the store refuses or cannot be reached.
    """
    if not is_s3(url):
        with contextlib.suppress(StoreMissing):
            return Seen(storage.read_bytes(url))
        return Seen(None)
    from fsspec.asyn import sync

    with contextlib.suppress(StoreMissing), storage.one_sentence(url, "read"):
        filesystem, path = storage.filesystem_of(url)
        return Seen(*sync(filesystem.loop, _got, filesystem, path))
    return Seen(None)


async def _got(filesystem: Any, path: str) -> tuple[bytes, str]:
    """An S3 object and its tag, in one request: asked for apart they might be of two objects."""
    bucket, key, _ = filesystem.split_path(path)
    answer = await filesystem._call_s3("get_object", Bucket=bucket, Key=key)
    async with answer["Body"] as body:
        return bytes(await body.read()), str(answer["ETag"])


def swap(url: str, seen: Seen, data: bytes, *, lock: str) -> bool:
    """Replace an object if it is still as seen; whether it holds `data` now.

    `lock` is the file that all who replace objects of this kind on a disk lock.

    Raises:
        WriterConflict: another process holds the lock and does not move.
        StoreError: the store refuses or cannot be reached.
    """
    if is_s3(url) and decides(url.rpartition("/")[0]):
        return _swap_there(url, seen, data)
    with locked(lock):
        now = look(url)
        if now.data != seen.data:
            return now.data == data
        storage.write_bytes(url, data)
        return True


def _swap_there(url: str, seen: Seen, data: bytes) -> bool:
    """Replace an S3 object if it is still as seen.

    A server refuses a condition that holds where it is busy with another request for the object
    (409): what was refused counts only once the object is seen to be another one's.
    """
    condition = {"IfNoneMatch": "*"} if seen.data is None else {"IfMatch": seen.tag}
    for _ in range(_TRIES):
        if _put(url, data, condition):
            return True
        now = look(url)
        if now != seen:
            return now.data == data
    raise StoreError(
        "the store refuses again and again to replace an object that nobody changed",
        where=url,
        remedy="run again when it is less busy",
    )


def create(url: str, data: bytes) -> bool:
    """Write an object if there is none; whether it holds `data` now, by whomever.

    Raises:
        StoreError: the store refuses or cannot be reached.
    """
    if is_s3(url) and decides(url.rpartition("/")[0]):
        created = _put(url, data, {"IfNoneMatch": "*"})
    else:
        created = storage.create_bytes(url, data)
    # The store may have written it though its answer was lost, and the client have asked again.
    return created or look(url).data == data


def place(source: str, target: str) -> None:
    """Give a stored object a second address, replacing what is there; both stay.

    Raises:
        StoreMissing: `source` is not there.
        StoreError: the store refuses or cannot be reached.
    """
    with storage.one_sentence(source, "copy"):
        if storage.is_remote(source):
            filesystem, there = storage.filesystem_of(source)
            _, path = storage.filesystem_of(target)
            if is_s3(source):
                # Chunks are far below the size from which S3 wants a copy in parts.
                origin, name, _ = filesystem.split_path(there)
                bucket, key, _ = filesystem.split_path(path)
                where = {"Bucket": origin, "Key": name}
                filesystem.call_s3("copy_object", Bucket=bucket, Key=key, CopySource=where)
                filesystem.invalidate_cache(path)
            else:
                filesystem.cp_file(there, path)
            return
        disk.link(storage.local_path(source), storage.local_path(target))


def sync_folders(urls: Iterable[str]) -> None:
    """Make the names in local folders last through a loss of power."""
    for url in urls:
        if not storage.is_remote(url):
            with storage.one_sentence(url, "write"):
                disk.sync_folder(storage.local_path(url))


@contextlib.contextmanager
def locked(lock: str) -> Iterator[None]:
    """Hold a local lock file, which the kernel frees when the process ends; nothing on a remote.

    Raises:
        WriterConflict: another process holds it and does not move.
    """
    if storage.is_remote(lock):
        yield
        return
    with _opened(storage.local_path(lock)) as handle:
        deadline = time.monotonic() + PATIENCE
        while _lock(handle) is False:
            if time.monotonic() > deadline:
                raise WriterConflict(
                    "another writer stands still in the middle of its commit",
                    where=lock,
                    remedy="let that process go on or end it, then run again",
                )
            time.sleep(0.01)
        yield


def decides(folder: str) -> bool:
    """Whether the store of a folder decides conditions in one step; tried there, once per store.

    Raises:
        StoreError: the store refuses to write, read or remove in the folder, or cannot be reached.
    """
    if is_s3(folder):
        store = folder.split("/")[2], os.environ.get("AWS_ENDPOINT_URL", "")
        if store not in _HONOURS:
            _HONOURS[store] = _honours(folder)
        return _HONOURS[store]
    if storage.is_remote(folder):
        return False
    path = storage.local_path(folder).absolute()
    return _has_locks(next(one for one in (path, *path.parents) if one.is_dir()))


def _honours(folder: str) -> bool:
    """Whether the S3 server of a folder obeys `If-None-Match` and `If-Match`.

    What is stored afterwards counts, and not what it answers: an answer may be lost, and the
    request that is then sent again be refused; other writers hold the server for one that decides.
    """
    probe = storage.join(folder, f".cpazmal-probe-{uuid.uuid4().hex}")
    storage.write_bytes(probe, b"1")
    try:
        for condition in ({"IfNoneMatch": "*"}, {"IfMatch": f'"{"0" * 32}"'}):
            if _probed(probe, b"2", condition):
                return False
        return any(_probed(probe, b"3", {"IfMatch": look(probe).tag}) for _ in range(_TRIES))
    finally:
        storage.remove(probe)


def _probed(probe: str, data: bytes, condition: dict[str, str]) -> bool:
    """Whether an object holds bytes after it was to be replaced under a condition."""
    _put(probe, data, condition)
    return look(probe).data == data


@lru_cache(maxsize=64)
def _has_locks(folder: Path) -> bool:
    """Whether files in a folder can be locked; yes, where none can be written."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            return _lock(probe.fileno()) is not None
    except OSError:
        return True


def _put(url: str, data: bytes, condition: dict[str, str]) -> bool:
    """Put an S3 object under a condition; False when the store says that it does not hold."""
    with storage.one_sentence(url, "write"):
        filesystem, path = storage.filesystem_of(url)
        bucket, key, _ = filesystem.split_path(path)
        try:
            filesystem.call_s3("put_object", Bucket=bucket, Key=key, Body=data, **condition)
        except FileNotFoundError:
            if "IfMatch" in condition:
                return False
            raise
        except FileExistsError:
            return False
        except OSError as error:
            answer = getattr(error.__cause__, "response", None) or {}
            if str(answer.get("Error", {}).get("Code")) in _LOST:
                return False
            raise
        filesystem.invalidate_cache(path)
        return True


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    with storage.one_sentence(str(path), "lock"):
        disk.make_folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        yield handle
    finally:
        os.close(handle)


def _lock(handle: int) -> bool | None:
    """Whether a file is locked now; None where the file system has no locks."""
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return None
    return True
