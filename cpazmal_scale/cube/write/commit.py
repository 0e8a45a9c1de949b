"""A commit: staged beside the cube, decided by one object, then completed by any later writer.

1. The writer stages its objects in a folder of its own, where nobody else writes.
2. It creates the manifest of the next commit, which the store grants to one writer only: the
   commit is *decided*. It says which bytes come under which key, and which root document follows.
3. The objects are put in place and the coordinates and the root document swapped, each only if it
   is still what it was before. Any writer does this, as often as it likes: all of them store the
   same bytes, and who comes late finds the root document replaced and stops.

So a writer may stand still between any two steps, for any time: it never replaces what came after.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.cube.format import integrity, layout, manifest
from cpazmal_scale.cube.format.manifest import Manifest
from cpazmal_scale.cube.format.record import ROOT, parse_root, read_root, separator_of
from cpazmal_scale.cube.write import lease
from cpazmal_scale.errors import CubeDamaged, StoreMissing, WriterConflict
from cpazmal_scale.storage import atomic, disk
from cpazmal_scale.vocabulary import POLARISATIONS

_FILES = "source_sha256"


def base_of(root: bytes | None) -> str:
    """The SHA-256 of a root document, by which the commit that follows names it."""
    return "" if root is None else hashlib.sha256(root).hexdigest()


def staging_name(commit: int, token: str) -> str:
    """Name of the folder in which a writer stages a commit."""
    return f"{commit:06d}-{token}"


def staging(cube_url: str, name: str = "") -> str:
    """Where commits of a cube are staged."""
    where = f"{cube_url.rstrip('/')}.staging"
    return storage.join(where, name) if name else where


def decide(cube_url: str, wanted: Manifest) -> None:
    """Create the manifest of a commit, after which it will be carried out.

    Raises:
        WriterConflict: another commit follows the same root document.
        StoreError: the store failed; it may have been created.
    """
    assert wanted.plan is not None
    where, data = manifest.url_of(cube_url, wanted.commit), wanted.encode()
    if not atomic.create(where, data):
        held = atomic.look(where)
        known = held.data is not None and manifest.decode(held.data, wanted.commit)
        # A manifest of an earlier version, or one that is altered, decides nothing.
        if known and known.plan is not None:
            raise conflict(cube_url)
        if not atomic.swap(where, held, data, lock=lease.lock(cube_url)):
            raise conflict(cube_url)
    root = read_root(cube_url)
    if base_of(root) == wanted.plan.base or _follows(cube_url, root, wanted):
        return
    # It was created after the commit of this number had come, gone and been cleared up.
    storage.remove(where)
    raise conflict(cube_url)


def _follows(cube_url: str, root: bytes | None, wanted: Manifest) -> bool:
    """Whether a root document is that of a commit, or came after it."""
    if root == wanted.root:
        return True
    if root is None:
        return False
    commit = commit_of(root, cube_url)
    if commit <= wanted.commit:
        return False
    then = manifest.read_manifest(cube_url, commit)
    if then is None or len(then.dates) < len(wanted.dates):
        return False
    return all(
        set(str(mine.get(_FILES)).split("+")) <= set(str(theirs.get(_FILES)).split("+"))
        for mine, theirs in zip(wanted.dates, then.dates, strict=False)
    )


def carry_out(cube_url: str, decided: Manifest) -> None:
    """Put in place what a decided commit says; nothing where that has been done.

    Raises:
        CubeDamaged: what it staged is lost.
        StoreError: the store failed; the next writer goes on.
    """
    assert decided.plan is not None
    where = storage.join(cube_url, ROOT)
    seen = atomic.look(where)
    if base_of(seen.data) != decided.plan.base:
        return
    _place(cube_url, decided)
    remove_surplus(cube_url, decided)
    if _swap_coordinates(cube_url, decided):
        atomic.swap(where, seen, decided.root, lock=lease.lock(cube_url))


def require(cube_url: str, decided: Manifest) -> None:
    """The cube has what was decided.

    Raises:
        WriterConflict: it has not.
    """
    if not _follows(cube_url, read_root(cube_url), decided):
        raise conflict(cube_url)


def settle(cube_url: str) -> None:
    """Carry out a commit that was decided and whose writer died or stands still; clear up.

    Raises:
        CubeDamaged: the root document is lost or altered, or what was staged is lost.
        StoreError: the store failed.
    """
    root = read_root(cube_url)
    while True:
        decided = manifest.read_manifest(cube_url, commit_of(root, cube_url) + 1)
        if decided is None or decided.plan is None:
            break
        carry_out(cube_url, decided)
        before, root = root, read_root(cube_url)
        if root == before:
            break
    if root is None and any(number > 1 for number in manifest.numbers(cube_url)):
        raise CubeDamaged(
            "its root document is lost",
            where=storage.join(cube_url, ROOT),
            remedy="run `cpazmal verify --repair`, or restore it from a copy",
        )
    clear(cube_url, commit_of(root, cube_url))
    if not storage.is_remote(cube_url):
        with atomic.locked(lease.lock(cube_url)):
            for path in disk.parts(storage.local_path(cube_url)):
                path.unlink(missing_ok=True)


def commit_of(root: bytes | None, cube_url: str) -> int:
    """Number of the commit that a root document is of; 0 for none."""
    return 0 if root is None else int(parse_root(root, cube_url)[0].get("commit", 0))


def clear(cube_url: str, commit: int) -> None:
    """Remove what was staged for commits up to a number: those are in, or can never be."""
    for name in storage.list_names(staging(cube_url)):
        number = name.partition("-")[0]
        if number.isdigit() and int(number) <= commit:
            storage.remove(staging(cube_url, name), recursive=True)


def _place(cube_url: str, decided: Manifest) -> None:
    plan = decided.plan
    assert plan is not None

    def one(key: str) -> None:
        target = storage.join(cube_url, key)
        try:
            atomic.place(storage.join(staging(cube_url, plan.staging), key), target)
        except StoreMissing:
            _require(target, plan.objects[key], cube_url, decided)

    storage.each(cube_url, one, plan.objects)
    folders = {storage.join(cube_url, key).rpartition("/")[0] for key in plan.objects}
    atomic.sync_folders(sorted(folders))


def _require(target: str, checksum: int, cube_url: str, decided: Manifest) -> None:
    """What is not staged any more must be in place, or the commit have been carried out."""
    assert decided.plan is not None
    seen = atomic.look(target)
    if seen.data is not None and integrity.checksum(seen.data) == checksum:
        return
    if base_of(read_root(cube_url)) == decided.plan.base:
        raise CubeDamaged(
            "what a commit has staged is lost",
            where=target,
            remedy="run `cpazmal verify --repair`, then ingest again",
        )


def remove_surplus(cube_url: str, decided: Manifest) -> None:
    """Remove objects that earlier versions left where this commit has none.

    Below what the commit itself stores no later commit stores anything. What a date lacks another
    may bring: there the root document must be held still, which an S3 server cannot do.
    """
    assert decided.plan is not None
    mine = {one for one in map(layout.list_of, decided.plan.objects) if one}
    found = storage.each(cube_url, lambda one: _others(cube_url, *one, decided), sorted(mine))
    for where in [where for some in found for where in some]:
        storage.remove(where)
    lacked = [
        storage.join(cube_url, above, layout.chunk_folder(polarisation, index))
        for layer, index in mine
        if layer == "mask"
        for polarisation in POLARISATIONS
        if (polarisation, index) not in mine
        for above in ("", layout.LISTS)
    ]
    if storage.is_remote(cube_url) and atomic.decides(cube_url):
        return
    with atomic.locked(lease.lock(cube_url)):
        if base_of(read_root(cube_url)) == decided.plan.base:
            for where in lacked:
                if storage.list_names(where):
                    storage.remove(where, recursive=True)


def _others(cube_url: str, layer: str, index: int, decided: Manifest) -> list[str]:
    """Chunks of a layer and date that a commit does not store."""
    assert decided.plan is not None
    folder, there = layout.chunk_folder(layer, index), {}
    with contextlib.suppress(StoreMissing):
        there = storage.sizes(storage.join(cube_url, folder))
    keys = [f"{folder}/{name}" for name in there]
    return [
        storage.join(cube_url, key)
        for key in keys
        if layout.chunk_of(key) and key not in decided.plan.objects
    ]


def _swap_coordinates(cube_url: str, decided: Manifest) -> bool:
    """Replace the coordinates along time; whether all are those of the commit now."""
    assert decided.plan is not None
    new = coordinate_objects(decided)
    seen = dict(
        zip(new, storage.each(cube_url, lambda key: _seen(cube_url, key), new), strict=True)
    )
    if base_of(read_root(cube_url)) != decided.plan.base:
        return False

    def one(key: str) -> bool:
        where = storage.join(cube_url, key)
        return seen[key].data == new[key] or atomic.swap(
            where, seen[key], new[key], lock=lease.lock(cube_url)
        )

    return all(storage.each(cube_url, one, new))


def _seen(cube_url: str, key: str) -> atomic.Seen:
    return atomic.look(storage.join(cube_url, key))


def coordinate_objects(decided: Manifest) -> dict[str, bytes]:
    """The objects of all coordinates along time after a commit, by key."""
    _, arrays = parse_root(decided.root, "")
    found: dict[str, bytes] = {}
    for name, values in manifest.dates_of(decided).items():
        found |= coordinate_chunks(name, values, separator_of(arrays[name]))
    return found


def coordinate_chunks(name: str, values: list[Any], separator: str) -> dict[str, bytes]:
    """The objects of a coordinate along time, by key."""
    kind, size = layout.PER_DATE[name][0], layout.DATES_PER_CHUNK
    return {
        layout.coordinate_key(name, first // size, separator): _coordinate(
            values[first : first + size], kind
        )
        for first in range(0, len(values), size)
    }


def _coordinate(values: list[Any], kind: str) -> bytes:
    rest = layout.DATES_PER_CHUNK - len(values)
    if kind == "string":
        return layout.encode_texts([*values, *[""] * rest])
    padded = [*values, *[0 if kind == "int64" else float("nan")] * rest]
    return layout.encode(np.array(padded, kind))


def conflict(cube_url: str) -> WriterConflict:
    """That another commit came first."""
    return WriterConflict(
        "the cube changed while this date was written",
        where=cube_url,
        remedy="run again: what is committed stays, the rest continues",
    )
