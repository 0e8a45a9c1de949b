"""Files opened to read parts of them, local copies of remote files, Zarr stores."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cpazmal_scale.addresses import is_chain, is_remote, local_path, small_scheme
from cpazmal_scale.errors import StoreMissing
from cpazmal_scale.storage.look import exists
from cpazmal_scale.storage.reach import filesystem_of, one_sentence, options_of, regular, usable
from cpazmal_scale.storage.temporary import local_scratch

if TYPE_CHECKING:
    from zarr.abc.store import Store


@contextlib.contextmanager
def open_binary(url: str) -> Iterator[BinaryIO]:
    """A file opened for reading anywhere in it; of a remote one only what is read is fetched.

    Raises:
        StoreMissing: nothing is there.
        StoreError: the store refuses or cannot be reached.
    """
    with one_sentence(url, "read"):
        if not is_remote(url):
            with regular(url).open("rb") as file:
                yield file
            return
        filesystem, path = filesystem_of(url)
        with filesystem.open(path, "rb") as file:
            yield file


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
                opened = regular(url).open("rb")
            stream = stack.enter_context(opened)
        yield stream


@contextlib.contextmanager
def open_local(url: str, *beside: str) -> Iterator[Path]:
    """A local path with the content of `url`; a remote file is copied for the time of the block.

    Those of the files `beside` it that exist are next to it in the block too.

    Raises:
        StoreMissing: nothing is there.
    """
    if not is_remote(url):
        with one_sentence(url, "look"):
            path = regular(url)
        if not exists(url):
            raise StoreMissing("no such file", where=url, remedy="check the path")
        yield path
        return
    with local_scratch() as folder:
        for one in (url, *filter(exists, beside)):
            with one_sentence(one, "read"):
                filesystem, path_there = filesystem_of(one)
                filesystem.get_file(path_there, str(folder / one.rsplit("/", 1)[-1]))
        yield folder / url.rsplit("/", 1)[-1]


def zarr_store(url: str, *, read_only: bool = False) -> Store:
    """A Zarr store at any URL; local chunk files are replaced atomically."""
    from zarr.storage import FsspecStore

    from cpazmal_scale.storage.regular import RegularFiles

    if is_remote(url) and "::" in url and not is_chain(url):
        filesystem, path = filesystem_of(url)
        return FsspecStore.from_mapper(filesystem.get_mapper(path), read_only=read_only)
    if is_remote(url):
        with usable(url):
            return FsspecStore.from_url(
                small_scheme(url), storage_options=options_of(url), read_only=read_only
            )
    return RegularFiles(local_path(url), read_only=read_only)
