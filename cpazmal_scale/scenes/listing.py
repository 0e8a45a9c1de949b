"""Which files lie at the address of the scenes: regular ones only, under the names they have."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from cpazmal_scale import storage
from cpazmal_scale.errors import SceneUnreadable, StoreError, StoreMissing

_SIGNS = "*?["
_REMEDY = "check the path or bucket; paths in a run.yaml start from its folder"
_COPIED_BY_MAC = ("._", ".DS_Store")
_ARCHIVED_BY_MAC = "__MACOSX"


def list_files(url: str) -> tuple[list[str], str]:
    """Sorted files of a folder (with all below), a single file or a glob; and the folder.

    What is there under the very name is taken, whatever signs it has; a glob is a name that is
    not there. Links are followed, to folders too; pipes, devices and what macOS leaves beside
    files are no files. To single files and those of a glob their sidecars are added.

    Raises:
        StoreMissing: there is nothing at the URL.
    """
    url = storage.absolute(url)
    found = _find(url)
    if not found:
        raise StoreMissing("no scenes are here", where=url, remedy=_REMEDY)
    folder = url
    if found == [url] or not storage.exists(url):
        folder = _fixed_part(url) if found != [url] else url.rsplit("/", 1)[0]
        named = [f"{stem}.yaml" for one in found for stem in (one, one.rsplit(".", 1)[0])]
        found = sorted({*found, *filter(storage.exists, named)})
    return found, folder


def sizes(url: str) -> dict[str, int]:
    """Bytes of every file below a folder, by its path from there; links are followed.

    Raises:
        StoreError: the store refuses or cannot be reached.
    """
    if storage.is_remote(url):
        return storage.sizes(url)
    top = storage.local_path(url)
    files = sorted(path for path in _below(top) if path.exists())
    return {str(path.relative_to(top)): path.stat().st_size for path in files}


def small_file(url: str, most: int) -> bytes:
    """The content of a file of at most `most` bytes.

    Raises:
        SceneUnreadable: it is longer, or a pipe or device.
        StoreMissing: nothing is there.
    """
    path = None if storage.is_remote(url) else storage.local_path(url)
    if path is not None and path.exists() and not path.is_file():
        raise SceneUnreadable("not a regular file", where=url, remedy="put the file itself there")
    with storage.open_binary(url) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise SceneUnreadable(
            f"more than {most // 2**10} KiB", where=url, remedy="check that it is the right file"
        )
    return data


def _fixed_part(url: str) -> str:
    """The folder of a glob above its first sign; a folder of the very name is none of its signs."""
    folder = url.rsplit("/", 1)[0]
    while any(sign in folder for sign in _SIGNS) and not storage.exists(folder):
        folder = folder.rsplit("/", 1)[0]
    return folder


def _find(url: str) -> list[str]:
    if storage.is_remote(url):
        found = storage.find(url, literal=True) or storage.find(url)
        return [one for one in found if not _left_by_mac(one)]
    path = storage.local_path(url)
    if path.is_dir():
        return sorted(one for one in map(str, _below(path)) if not _left_by_mac(one))
    if os.path.lexists(path):
        if not path.is_file():
            raise SceneUnreadable(
                "neither a folder nor a regular file",
                where=url,
                remedy="give a folder, file or glob",
            )
        return [str(path)]
    if not any(sign in str(path) for sign in _SIGNS):
        return []
    return sorted(one for one in storage.find(str(path)) if Path(one).is_file())


def _below(folder: Path) -> Iterator[Path]:
    """Regular files in a folder and below, through links, each real folder once on a way down.

    A link to nothing counts: a scene that is not there must not be left out in silence.

    Raises:
        StoreError: a folder cannot be listed.
    """
    for where, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        above = {os.path.realpath(one) for one in _above(Path(where), folder)}
        folders[:] = [
            name
            for name in folders
            if name != _ARCHIVED_BY_MAC and os.path.realpath(Path(where, name)) not in above
        ]
        for name in files:
            path = Path(where, name)
            if _is_regular(path):
                yield path


def _refuse(error: OSError) -> None:
    raise StoreError(
        f"the folder cannot be listed ({error.strerror})",
        where=error.filename,
        remedy="give yourself the right to read it, or take it away",
    )


def _above(where: Path, top: Path) -> list[Path]:
    """A folder and those above it, up to `top`."""
    return [where, *(one for one in where.parents if one == top or top in one.parents)]


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return path.is_symlink()


def _left_by_mac(url: str) -> bool:
    path = PurePosixPath(url)
    return path.name.startswith(_COPIED_BY_MAC) or _ARCHIVED_BY_MAC in path.parts
