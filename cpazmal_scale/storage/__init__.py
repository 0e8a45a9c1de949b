"""The few object-store operations everything else uses, on any fsspec URL."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from cpazmal_scale.addresses import absolute as absolute
from cpazmal_scale.addresses import is_chain
from cpazmal_scale.addresses import is_remote as is_remote
from cpazmal_scale.addresses import join as join
from cpazmal_scale.addresses import local_path as local_path
from cpazmal_scale.errors import StoreDamaged, StoreError, StoreMissing
from cpazmal_scale.storage import disk
from cpazmal_scale.storage.reach import filesystem_of as filesystem_of
from cpazmal_scale.storage.reach import is_from_store as is_from_store
from cpazmal_scale.storage.reach import one_sentence as one_sentence

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from zarr.abc.store import Store

Key = TypeVar("Key")
Result = TypeVar("Result")
REQUESTS = 16
"""Requests in flight to an object store."""


def exists(url: str) -> bool:
    """Whether a file, object or folder is there."""
    with one_sentence(url, "look"):
        if not is_remote(url):
            return local_path(url).exists()
        filesystem, path = filesystem_of(url)
        try:
            # `exists` of some file systems takes a store out of reach for an absent file.
            filesystem.info(path)
        except FileNotFoundError:
            return False
        return True


def modified(url: str) -> datetime:
    """When a file was last changed, in UTC.

    Raises:
        StoreMissing: nothing is there.
    """
    with one_sentence(url, "look"):
        filesystem, path = filesystem_of(url)
        when: datetime = filesystem.modified(path)
        return when


def stamp(url: str) -> str:
    """What changes when a file is replaced, as far as the store tells; empty where nothing is."""
    with one_sentence(url, "look"):
        if not is_remote(url):
            try:
                found = local_path(url).stat()
            except (FileNotFoundError, NotADirectoryError):
                return ""
            return f"{found.st_mtime_ns}-{found.st_size}-{found.st_ino}"
        filesystem, path = filesystem_of(url)
        try:
            facts = filesystem.info(path)
        except FileNotFoundError:
            return ""
        told = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "mtime", "size")
        return "-".join(str(facts[name]) for name in told if facts.get(name) is not None)


def read_bytes(url: str) -> bytes:
    """The whole content of a small file.

    Raises:
        StoreMissing: nothing is there.
        StoreError: the store refuses or cannot be reached.
    """
    with one_sentence(url, "read"):
        if not is_remote(url):
            return local_path(url).read_bytes()
        filesystem, path = filesystem_of(url)
        # Asked for a file at once, s3fs asks for its size first: two requests instead of one.
        at_once = {"max_concurrency": 1} if url.startswith("s3://") else {}
        return bytes(filesystem.cat_file(path, **at_once))


@contextlib.contextmanager
def open_binary(url: str) -> Iterator[BinaryIO]:
    """A file opened for reading anywhere in it; of a remote one only what is read is fetched.

    Raises:
        StoreMissing: nothing is there.
        StoreError: the store refuses or cannot be reached.
    """
    with one_sentence(url, "read"):
        if not is_remote(url):
            with _regular(url).open("rb") as file:
                yield file
            return
        filesystem, path = filesystem_of(url)
        with filesystem.open(path, "rb") as file:
            yield file


def _regular(url: str) -> Path:
    """The path of a local file that ends: no pipe and no device.

    Raises:
        StoreError: it is one.
    """
    path = local_path(url)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise StoreError(
            "a pipe or device, not a file", where=url, remedy="put the file itself there"
        )
    return path


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


def each(url: str, do: Callable[[Key], Result], keys: Iterable[Key]) -> list[Result]:
    """What a function gives for every key, of a remote store at `url` several at a time."""
    if not is_remote(url):
        return [do(key) for key in keys]
    with ThreadPoolExecutor(REQUESTS) as pool:
        return list(pool.map(do, keys))


def list_names(url: str) -> list[str]:
    """Sorted names directly below a folder; empty when it does not exist."""
    with one_sentence(url, "list"):
        if not is_remote(url):
            folder = local_path(url)
            return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        filesystem, path = filesystem_of(url)
        try:
            found = filesystem.ls(path, detail=False)
        except FileNotFoundError:
            return []
        own = path.rstrip("/")
        return sorted(p.rstrip("/").rsplit("/", 1)[-1] for p in found if p.rstrip("/") != own)


def find(url: str, *, literal: bool = False) -> list[str]:
    """Sorted URLs of all files below a folder, of those a glob matches, or of the one file.

    With `literal` the signs `*`, `?` and `[` are part of a name.

    Raises:
        StoreMissing: there is no such bucket.
        StoreError: the store refuses or cannot be reached.
    """
    with one_sentence(url, "list"):
        filesystem, path = filesystem_of(url)
        if filesystem.isfile(path):
            paths = [path]
        elif not literal and glob.has_magic(path) and not filesystem.exists(path):
            paths = filesystem.glob(_pattern(filesystem, path))
        else:
            paths = filesystem.find(path)
        if is_remote(url):
            return sorted(filesystem.unstrip_protocol(found) for found in paths)
        return sorted(str(found) for found in paths)


def _pattern(filesystem: Any, path: str) -> str:
    """The path as a glob, in which those of its folders that exist by their name stand for it."""
    *folders, name = path.split("/")
    safe: list[str] = []
    plain = ""
    for folder in folders:
        plain = f"{plain}/{folder}" if safe else folder
        signs = any(sign in folder for sign in "*?[")
        safe.append(glob.escape(folder) if signs and filesystem.exists(plain) else folder)
    return "/".join([*safe, name])


def sizes(url: str) -> dict[str, int]:
    """Bytes of every file below a folder, by its path from there.

    Raises:
        StoreError: the store refuses or cannot be reached.
    """
    with one_sentence(url, "list"):
        filesystem, path = filesystem_of(url)
        found = filesystem.find(path, detail=True)
        start = len(str(path).rstrip("/")) + 1
        return {name[start:]: int(info["size"]) for name, info in sorted(found.items())}


def remove(url: str, *, recursive: bool = False) -> None:
    """Delete a file, or a folder with `recursive`; nothing happens when it is not there."""
    with one_sentence(url, "remove"):
        filesystem, path = filesystem_of(url)
        with contextlib.suppress(FileNotFoundError):
            if is_remote(url) and glob.has_magic(path):  # `rm` would take the path for a pattern
                for one in filesystem.find(path) if recursive else [path]:
                    filesystem.rm_file(one)
                return
            filesystem.rm(path, recursive=recursive)


def sweep(url: str, *, deep: bool = True) -> None:
    """Remove what killed writers left half-written in a folder, and with `deep` below it."""
    if not is_remote(url):
        with one_sentence(url, "tidy up"):
            disk.sweep(local_path(url), deep=deep)


def read_json(url: str, remedy: str = "remove it and run again") -> Any:
    """The content of a JSON document.

    Raises:
        StoreMissing: nothing is there.
        StoreDamaged: it is not JSON.
        StoreError: it cannot be reached.
    """
    try:
        return json.loads(read_bytes(url))
    except (ValueError, RecursionError):
        raise StoreDamaged("not a JSON document", where=url, remedy=remedy) from None


def write_json(url: str, value: Any) -> None:
    """Replace a JSON document in one step."""
    write_bytes(url, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """A JSON document as `write_json` stores it."""
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode()


def write_arrays(folder: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Store arrays as one file named by its content, for processes that need the same ones.

    Returns:
        Its URL, which never holds anything else.
    """
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    url = join(folder, f"{hashlib.sha256(buffer.getvalue()).hexdigest()[:16]}.npz")
    write_bytes(url, buffer.getvalue())
    return url


def read_arrays(url: str) -> dict[str, NDArray[Any]]:
    """Arrays that `write_arrays` stored; pickled ones are refused.

    Raises:
        StoreMissing: nothing is there.
        StoreDamaged: its content is not what its name says.
    """
    import numpy as np

    data = read_bytes(url)
    if hashlib.sha256(data).hexdigest()[:16] != url.rpartition("/")[2].removesuffix(".npz"):
        raise StoreDamaged("shared arrays were altered", where=url, remedy="run again")
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def upload(path: Path, url: str) -> None:
    """Put a local file at `url`, replacing what is there in one step."""
    with one_sentence(url, "write"):
        if is_remote(url):
            filesystem, there = filesystem_of(url)
            filesystem.put_file(str(path), there)
        elif local_path(url).absolute() != path.absolute():
            disk.copy(path, local_path(url))


@contextlib.contextmanager
def open_local(url: str, *beside: str) -> Iterator[Path]:
    """A local path with the content of `url`; a remote file is copied for the time of the block.

    Those of the files `beside` it that exist are next to it in the block too.

    Raises:
        StoreMissing: nothing is there.
    """
    if not is_remote(url):
        with one_sentence(url, "look"):
            path = _regular(url)
        if not exists(url):
            raise StoreMissing("no such file", where=url, remedy="check the path")
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="cpazmal-") as folder:
        for one in (url, *filter(exists, beside)):
            with one_sentence(one, "read"):
                filesystem, path_there = filesystem_of(one)
                filesystem.get_file(path_there, str(Path(folder) / one.rsplit("/", 1)[-1]))
        yield Path(folder) / url.rsplit("/", 1)[-1]


def zarr_store(url: str, *, read_only: bool = False) -> Store:
    """A Zarr store at any URL; local chunk files are replaced atomically."""
    from zarr.storage import FsspecStore, LocalStore

    if is_remote(url) and "::" in url and not is_chain(url):
        filesystem, path = filesystem_of(url)
        return FsspecStore.from_mapper(filesystem.get_mapper(path), read_only=read_only)
    if is_remote(url):
        return FsspecStore.from_url(url, read_only=read_only)
    return LocalStore(local_path(url), read_only=read_only)


@contextlib.contextmanager
def open_seekable(url: str) -> Iterator[BinaryIO]:
    """A file to read parts of; of a remote one only the parts that are read are fetched.

    Raises:
        StoreMissing: nothing is there.
    """
    with contextlib.ExitStack() as stack:
        with one_sentence(url, "read"):
            if is_remote(url):
                filesystem, path = filesystem_of(url)
                opened = filesystem.open(path, "rb", cache_type="blockcache")
            else:
                opened = _regular(url).open("rb")
            stream = stack.enter_context(opened)
        yield stream
