"""The file system of an address, with its errors as one sentence."""

from __future__ import annotations

import contextlib
import errno
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cpazmal_scale.addresses import BUCKETS, is_chain, is_remote, local_path, small_scheme
from cpazmal_scale.errors import DiskFull, StoreError, StoreMissing

_CLIENT_LIBRARIES = frozenset(
    {
        *("adlfs", "aiobotocore", "aiohttp", "asyncio", "azure", "botocore", "fsspec", "ftplib"),
        *("gcsfs", "google", "http", "paramiko", "requests", "smbprotocol", "urllib3"),
    }
)
"""Packages whose errors come from a connection, whatever they derive from."""
_CONNECTION = (TimeoutError, ConnectionError)
"""Errors of a connection that may carry no number of the operating system."""
_LISTINGS_KEPT = BUCKETS | {"ftp"}
"""Schemes whose file systems remember listings of folders, and can be told not to."""


def filesystem_of(url: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and the path there; no character has a meaning."""
    import fsspec

    if not is_remote(url):
        return fsspec.filesystem("file"), str(local_path(url).absolute())
    url = small_scheme(url)
    with usable(url):
        if is_chain(url):
            filesystem, path = fsspec.core.url_to_fs(url, **options_of(url))
            return filesystem, str(path)
        protocol = url.partition("://")[0]
        kind = fsspec.get_filesystem_class(protocol)
        options = {**kind._get_kwargs_from_urls(url), **options_of(url)}
        return fsspec.filesystem(protocol, **options), str(kind._strip_protocol(url))


def options_of(url: str) -> dict[str, Any]:
    """What a remote file system is made with, so that it lists what is there now.

    Another process may have written a moment ago: listings must not come from a cache.
    """
    *outer, last = url.partition("://")[0].lower().split("::")
    options = {"use_listings_cache": False} if last in _LISTINGS_KEPT else {}
    return {last: options} if outer else options


@contextlib.contextmanager
def usable(url: str) -> Iterator[None]:
    """Turn what fsspec says of an address that it cannot use into one `StoreError`."""
    try:
        yield
    except (ImportError, ValueError) as error:
        raise StoreError(
            f"this kind of address cannot be used ({error})",
            where=url,
            remedy="use a path, s3://, or install what the message names",
        ) from None


def regular(url: str) -> Path:
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


@contextlib.contextmanager
def one_sentence(url: str, action: str) -> Iterator[None]:
    """Turn whatever a store raises into one `StoreError`."""
    try:
        yield
    except StoreError:
        raise
    except FileNotFoundError as error:
        if is_of_settings(error, url):
            raise StoreError(
                f"cannot {action} ({error.filename} is not there)",
                where=url,
                remedy="check the files that credentials and settings of the store name",
            ) from None
        what = "there is no such bucket" if is_bucket_lost(error) else "nothing is stored here"
        raise StoreMissing(
            what, where=url, remedy="check the address, bucket and endpoint"
        ) from None
    except PermissionError:
        raise StoreError(
            f"no permission to {action}", where=url, remedy="check credentials and access rights"
        ) from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(
                "the disk is full", where=url, remedy="free space and run again: it continues"
            ) from None
        if error.errno == errno.EROFS:
            raise StoreError(
                "the file system is read-only", where=url, remedy="choose another workspace"
            ) from None
        if error.errno == errno.EISDIR:
            raise StoreError(
                "a folder has this name", where=url, remedy="choose another name"
            ) from None
        if error.errno == errno.ENOTDIR or _is_above(error, url):
            raise StoreError(
                "a folder of this path is a file", where=url, remedy="choose another folder"
            ) from None
        reason = error.strerror or (str(error).splitlines() or [type(error).__name__])[0]
        raise StoreError(
            f"cannot {action} ({reason})", where=url, remedy="check that the store is reachable"
        ) from None
    except Exception as error:
        # Stores raise errors of their own client libraries, none of which is imported here.
        if not _is_of_a_client(error):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise StoreError(
            f"cannot {action} ({reason})", where=url, remedy="check endpoint and credentials"
        ) from None


def _is_above(error: OSError, url: str) -> bool:
    """Whether the file that an error names is where a folder of an address should be."""
    return error.errno == errno.EEXIST and f"/{error.filename}/".replace("//", "/") in f"/{url}"


def is_bucket_lost(error: FileNotFoundError) -> bool:
    """Whether a server of S3 says that the bucket itself is not there."""
    told = getattr(error.__cause__, "response", None) or {}
    return bool(told.get("Error", {}).get("Code") == "NoSuchBucket")


def is_of_settings(error: FileNotFoundError, url: str) -> bool:
    """Whether what is missing is a file that the settings of a remote store name."""
    named = isinstance(error.filename, str) and error.errno == errno.ENOENT
    return named and is_remote(url) and error.filename.strip("/") not in url


def is_from_store(error: BaseException) -> bool:
    """Whether the operating system or a store's client raised an error, and not a decoder."""
    numbered = isinstance(error, OSError) and error.errno is not None
    return _is_of_a_client(error) or numbered or isinstance(error, _CONNECTION)


def _is_of_a_client(error: BaseException) -> bool:
    """Whether an error is one of a client library, or one of Python's that one of them raised.

    Decoders raise `EOFError` and `ValueError` too: where a connection ends, or an endpoint is none,
    the innermost frame is the client's.
    """
    names = [type(error).__module__]
    if isinstance(error, EOFError | ValueError):
        names += [
            frame.f_globals.get("__name__", "")
            for frame, _ in traceback.walk_tb(error.__traceback__)
        ][-1:]
    return any(name.partition(".")[0] in _CLIENT_LIBRARIES for name in names)
