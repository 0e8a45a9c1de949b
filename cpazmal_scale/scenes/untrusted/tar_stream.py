"""The bytes of a tar file, handed out so that no header can ask for memory it does not need."""

from __future__ import annotations

import contextlib
import gzip
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

MAX_HEADER = 64 * 2**10
"""Largest header of a tar member in bytes: names are shorter."""
MAX_OF_MEMBER = 4 * MAX_HEADER
"""Most bytes of all headers of one member."""
MAX_HEADERS = 32 * 2**20
"""Most bytes of all headers of a tar file."""


class Guarded:
    """A stream that gives a tar reader no more than headers need, until `listed`.

    A header that claims a name of gigabytes is refused before memory is taken for it.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.listed = stream, False
        self.of_member = self.of_all = 0

    def read(self, size: int = -1) -> bytes:
        """As of a file.

        Raises:
            tarfile.ReadError: a header is larger than any honest one, or all of them are.
        """
        if not self.listed:
            self.of_member += size
            self.of_all += size
            honest = self.of_member <= MAX_OF_MEMBER and self.of_all <= MAX_HEADERS
            if not 0 <= size <= MAX_HEADER or not honest:
                raise tarfile.ReadError("its headers are larger than those of any product")
        return self.stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of a file: a reader seeks the next member."""
        self.of_member = 0
        return self.stream.seek(offset, whence)

    def tell(self) -> int:
        """As of a file."""
        return self.stream.tell()


@contextlib.contextmanager
def open_stream(path: Path) -> Iterator[Guarded]:
    """The bytes of a tar file, unpacked where they are packed by gzip."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            yield Guarded(file)
            return
        with gzip.GzipFile(fileobj=file) as stream:
            yield Guarded(stream)  # type: ignore[arg-type]
