"""What a product is delivered in: a folder, a zip or a tar file, read by member.

Nothing is unpacked where an archive says. Members that are stored uncompressed are read in place;
compressed ones are spilled, one at a time and bounded, into a temporary file.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import io
import os
import re
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from cpazmal_scale import storage
from cpazmal_scale.errors import COPY_AGAIN, SceneUnreadable, StoreError
from cpazmal_scale.scenes import listing
from cpazmal_scale.scenes.untrusted.tar_stream import Guarded, open_stream

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
MAX_MEMBERS = 20_000
MAX_DIRECTORY = 16 * 2**20
"""Bytes that a zip's directory of so many members stays below."""
MAX_RATIO = 200
"""Largest ratio of unpacked to packed size; radar images reach about three."""
FREE_BYTES = 64 * 2**20
"""Unpacked size below which the ratio does not matter."""
_PIECE = 2**20
_ESCAPES = re.compile(r"^[/\\]|^[A-Za-z]:|\\|\0|(^|/)\.\.(/|$)")
_BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError),
)


@dataclass(frozen=True)
class Extent:
    """Where a member's bytes lie in a local file."""

    path: Path
    offset: int
    size: int


class Container(Protocol):
    """An open folder or archive; `sizes` has the bytes of every member by name."""

    url: str
    sizes: dict[str, int]

    def open(self, name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        """A member as a stream."""

    def local(self, name: str) -> contextlib.AbstractContextManager[Extent]:
        """A member's bytes in a local file."""


@contextlib.contextmanager
def open_container(url: str) -> Iterator[Container]:
    """The folder or archive at a URL.

    Raises:
        SceneUnreadable: a damaged archive, one that names files outside itself, or one that would
            unpack to implausibly much.
        StoreMissing: nothing is there.
    """
    if not is_archive(url):
        yield _Folder(url)
        return
    with storage.open_local(url) as path, contextlib.ExitStack() as stack:
        container: Container
        with _one_sentence(url):
            if url.lower().endswith(".zip"):
                container = _Zip(url, path, stack.enter_context(_open_zip(path)))
            else:
                container = _Tar(url, path, stack.enter_context(open_stream(path)))
        yield container


class _Directory(io.BufferedReader):
    """A zip's bytes, of which its reader takes the directory whole: no more than any product's."""

    listed = False

    def read(self, size: int | None = -1, /) -> bytes:
        """As of a file.

        Raises:
            BadZipFile: more is asked for at once before the members are known.
        """
        if not self.listed:
            whole = size is None or size < 0
            asked = os.fstat(self.fileno()).st_size - self.tell() if whole else size
            if asked is not None and asked > MAX_DIRECTORY:
                raise zipfile.BadZipFile(f"its directory has {asked} bytes")
        return super().read(size)


@contextlib.contextmanager
def _open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    with _Directory(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
        file.listed = True
        yield archive


def is_archive(url: str) -> bool:
    """Whether a URL has the name of an archive."""
    return url.lower().endswith(SUFFIXES)


def where(container: Container, name: str) -> str:
    """A member in words of an error."""
    return storage.join(container.url, name)


def read_member(container: Container, name: str, limit: int) -> bytes:
    """A small member whole, or its first `limit + 1` bytes if it is larger.

    Raises:
        SceneUnreadable: it is not there, or damaged.
    """
    _require(container, name)
    with _one_sentence(where(container, name)), container.open(name) as stream:
        return stream.read(limit + 1)


@contextlib.contextmanager
def local_member(container: Container, name: str) -> Iterator[Extent]:
    """A member's bytes in a local file, for as long as the block lasts.

    Raises:
        SceneUnreadable: it is not there, or damaged.
    """
    _require(container, name)
    with contextlib.ExitStack() as stack:
        with _one_sentence(where(container, name)):
            extent = stack.enter_context(container.local(name))
        yield extent


def sha256(container: Container, name: str) -> str:
    """The digest of a member, read whole: an archive's own checksum is verified on the way.

    Raises:
        SceneUnreadable: it is not there, or damaged.
    """
    _require(container, name)
    digest, done = hashlib.sha256(), 0
    with _one_sentence(where(container, name)), container.open(name) as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
            done += len(piece)
    if done != container.sizes[name]:
        raise _unreadable(f"{done} bytes of {container.sizes[name]}", where(container, name))
    return digest.hexdigest()


class _Folder:
    def __init__(self, url: str) -> None:
        self.url = storage.absolute(url)
        self.sizes = listing.sizes(self.url)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        with storage.open_binary(storage.join(self.url, name)) as stream:
            yield stream

    @contextlib.contextmanager
    def local(self, name: str) -> Iterator[Extent]:
        with storage.open_local(storage.join(self.url, name)) as path:
            yield Extent(path, 0, path.stat().st_size)


class _Zip:
    def __init__(self, url: str, path: Path, archive: zipfile.ZipFile) -> None:
        self.url, self.path, self.archive = url, path, archive
        # Some programs of Windows write its separator, which the format does not know.
        names = [one.filename.replace("\\", "/") for one in archive.infolist()]
        self.members = {
            name.removeprefix("./"): one
            for name, one in zip(names, archive.infolist(), strict=True)
            if not name.endswith("/")
        }
        self.sizes = {name: one.file_size for name, one in self.members.items()}
        _check(url, names, self.sizes, path)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        with self.archive.open(self.members[name]) as stream:
            yield stream

    @contextlib.contextmanager
    def local(self, name: str) -> Iterator[Extent]:
        info = self.members[name]
        if info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1:
            yield Extent(self.path, self._data_offset(info), info.file_size)
            return
        with self.open(name) as stream, _spilled(stream, info.file_size) as extent:
            yield extent

    def _data_offset(self, info: zipfile.ZipInfo) -> int:
        """First byte of a member's data: its local header's own names may be longer."""
        with self.path.open("rb") as file:
            file.seek(info.header_offset)
            head = file.read(30)
        if len(head) < 30 or head[:4] != b"PK\3\4":
            raise zipfile.BadZipFile("a member's header is not where the directory says")
        lengths = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        return info.header_offset + 30 + lengths


class _Tar:
    def __init__(self, url: str, path: Path, stream: Guarded) -> None:
        self.url, self.path, self.stream = url, path, stream
        self.packed = isinstance(stream.stream, gzip.GzipFile)
        self.archive = tarfile.TarFile(fileobj=stream)  # type: ignore[arg-type]
        self.members: dict[str, tarfile.TarInfo] = {}
        self.sizes: dict[str, int] = {}
        names: list[str] = []
        # Member by member: an archive that lies is left at the first large lie.
        for one in self.archive:
            name = one.name.removeprefix("./")
            names.append(name)
            if one.isreg() and not one.issparse():
                self.members[name], self.sizes[name] = one, one.size
            if one.size > FREE_BYTES or len(names) > MAX_MEMBERS:
                _check(url, names, self.sizes, path)
        _check(url, names, self.sizes, path)
        stream.listed = True
        if self.packed:
            self._verify()

    def _verify(self) -> None:
        """Read what follows the last member: the checksum of all is at the end."""
        done = 0
        while piece := self.stream.read(_PIECE):
            done += len(piece)
            if done > FREE_BYTES:
                raise tarfile.ReadError("data follow the end of the archive")

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        stream = self.archive.extractfile(self.members[name])
        if stream is None:
            raise tarfile.ReadError("not a file")
        with stream:
            yield stream

    @contextlib.contextmanager
    def local(self, name: str) -> Iterator[Extent]:
        member = self.members[name]
        if not self.packed:
            yield Extent(self.path, member.offset_data, member.size)
            return
        with self.open(name) as stream, _spilled(stream, member.size) as extent:
            yield extent


def _check(url: str, names: list[str], sizes: dict[str, int], path: Path) -> None:
    """Refuse an archive that names files outside itself, or that would unpack to too much."""
    escaping = next((name for name in names if _ESCAPES.search(name)), None)
    if escaping is not None:
        raise _unreadable(f"it names a file outside itself: `{escaping[:60]}`", url)
    if len(names) > MAX_MEMBERS:
        raise _unreadable(f"it has more than {MAX_MEMBERS} members", url)
    total = sum(sizes.values())
    if total > max(FREE_BYTES, MAX_RATIO * path.stat().st_size):
        raise _unreadable(
            f"it would unpack to {total / 2**30:.1f} GiB, more than {MAX_RATIO} times its size", url
        )


@contextlib.contextmanager
def _spilled(stream: IO[bytes], size: int) -> Iterator[Extent]:
    """A temporary copy of a stream that must have `size` bytes."""
    with storage.local_scratch() as folder:
        path = folder / "member"
        with path.open("wb") as copy:
            done = 0
            while piece := stream.read(min(_PIECE, size + 1 - done)):
                copy.write(piece)
                done += len(piece)
        if done != size:
            raise zipfile.BadZipFile(f"a member has {done} bytes instead of {size}")
        yield Extent(path, 0, size)


def _require(container: Container, name: str) -> None:
    if name not in container.sizes:
        raise _unreadable("the product lacks this file", where(container, name))


@contextlib.contextmanager
def _one_sentence(url: str) -> Iterator[None]:
    """Turn whatever a damaged archive raises into one `SceneUnreadable`."""
    try:
        yield
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise StoreError(
                "the disk is full", where=tempfile.gettempdir(), remedy="free space or set TMPDIR"
            ) from None
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise _unreadable(f"the archive cannot be read ({reason})", url) from None


def _unreadable(what: str, url: str) -> SceneUnreadable:
    return SceneUnreadable(what, where=url, remedy=COPY_AGAIN)
