"""Listings of what is stored: files, folders, sizes and times."""

from __future__ import annotations

import glob
from datetime import datetime
from typing import Any

from cpazmal_scale.addresses import is_remote, is_s3, local_path
from cpazmal_scale.storage.reach import filesystem_of, is_bucket_lost, is_of_settings, one_sentence


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


def list_names(url: str) -> list[str]:
    """Sorted names directly below a folder; empty when it does not exist.

    Raises:
        StoreMissing: there is no such bucket.
        StoreError: the store refuses or cannot be reached.
    """
    with one_sentence(url, "list"):
        if not is_remote(url):
            folder = local_path(url)
            return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        filesystem, path = filesystem_of(url)
        try:
            found = filesystem.ls(path, detail=False)
        except FileNotFoundError as error:
            if is_bucket_lost(error) or is_of_settings(error, url):
                raise
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


def tags(url: str) -> dict[str, str] | None:
    """ETag of every object below an S3 folder, by its path from there, in one listing; else none.

    Raises:
        StoreError: the store refuses or cannot be reached.
    """
    if not is_s3(url):
        return None
    with one_sentence(url, "list"):
        filesystem, path = filesystem_of(url)
        found = filesystem.find(path, detail=True)
        start = len(str(path).rstrip("/")) + 1
        told = {name[start:]: str(info.get("ETag") or "") for name, info in found.items()}
        return told if all(told.values()) else None


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
