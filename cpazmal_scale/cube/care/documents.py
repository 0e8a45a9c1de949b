"""Restore the root document, the coordinates and the manifest of a cube from each other.

The root document and its copies in manifests are compared with everything else: with the members'
own documents and with the coordinates. What agrees with most is right, and a root document that no
copy beats is never replaced.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from cpazmal_scale import storage
from cpazmal_scale.cube.care.report import Repair
from cpazmal_scale.cube.format import integrity, layout, manifest
from cpazmal_scale.cube.format.manifest import Manifest, Source
from cpazmal_scale.cube.format.record import (
    ROOT,
    Record,
    parse_root,
    read_coordinate,
    read_root,
    separator_of,
)
from cpazmal_scale.cube.write import commit as commits
from cpazmal_scale.cube.write import lease as leases
from cpazmal_scale.errors import CubeDamaged, StoreMissing
from cpazmal_scale.storage import atomic

_RESTORED = "restored from the manifest"


@dataclass(frozen=True)
class _Candidate:
    """What may be the root document: its bytes, and what in the store agrees with it."""

    root: bytes
    votes: int


def restore_root(url: str) -> list[Repair]:
    """Put a lost or altered root document back; empty when it is the one that most agrees with."""
    where, what = storage.join(url, ROOT), "the root document is lost or altered"
    seen = atomic.look(where)
    here = None if seen.data is None else _candidate(url, seen.data)
    copies = []
    for number in reversed(manifest.numbers(url)):
        found = manifest.read_manifest(url, number)
        if found is None or (found.plan and found.plan.base == commits.base_of(seen.data)):
            continue
        copy = _candidate(url, found.root)
        copies += [] if copy is None else [copy]
    best = max(copies, key=lambda one: one.votes, default=None)
    if here is not None and (best is None or best.votes <= here.votes):
        return []
    if best is None:
        return [Repair(what, where, "not restored: there is no manifest", False)]
    swapped = atomic.swap(where, seen, best.root, lock=leases.lock(url))
    done = _RESTORED if swapped else "not restored: another process replaced it meanwhile"
    return [Repair(what, where, done, swapped)]


def _candidate(url: str, root: bytes) -> _Candidate | None:
    """A root document with the number of members and coordinates that agree; None if it is none."""
    try:
        attributes, arrays = parse_root(root, url)
        length = int(arrays["time"]["shape"][0])
        layout.grid_of(arrays)
    except (CubeDamaged, KeyError, ValueError, TypeError, IndexError):
        return None
    votes = 0
    for name in layout.PER_DATE:
        try:
            read_coordinate(url, name, length, arrays, integrity.Sums.of(attributes))
            votes += 1
        except CubeDamaged:
            continue
    for name, document in arrays.items():
        try:
            data = storage.read_bytes(storage.join(url, name, ROOT))
            votes += json.loads(data) == document
        except (StoreMissing, ValueError):
            continue
    return _Candidate(root, votes)


def restore_coordinates(url: str) -> list[Repair]:
    """Put lost or altered coordinates along time back, from any manifest that has them."""
    root = read_root(url)
    if root is None:
        return []
    attributes, arrays = parse_root(root, url)
    length, done = int(arrays["time"]["shape"][0]), []
    sums = integrity.Sums.of(attributes)
    for name in layout.PER_DATE:
        try:
            read_coordinate(url, name, length, arrays, sums)
        except CubeDamaged as error:
            what, where = f"the coordinate {name} is lost or altered", str(error.where)
            values = _values(url, name, length, root, sums)
            if values is None:
                done.append(Repair(what, where, "not restored: the manifest is lost", False))
                continue
            _write_coordinate(url, name, values, separator_of(arrays[name]))
            done.append(Repair(what, where, _RESTORED, True))
    return done


def _values(
    url: str, name: str, length: int, root: bytes, sums: integrity.Sums
) -> list[Any] | None:
    """The values of a coordinate in a manifest that the root document vouches for."""
    kind, said = layout.kinds()[name], sums.coordinates.get(name)
    for number in reversed(manifest.numbers(url)):
        found = manifest.read_manifest(url, number)
        values = [] if found is None else manifest.dates_of(found).get(name, [])[:length]
        if found is None or len(values) < length:
            continue
        vouched = found.root == root if said is None else said == integrity.values_sum(values, kind)
        if vouched:
            return values
    return None


def _write_coordinate(url: str, name: str, values: list[Any], separator: str) -> None:
    for key, data in commits.coordinate_chunks(name, values, separator).items():
        where = storage.join(url, key)
        atomic.swap(where, atomic.look(where), data, lock=leases.lock(url))


def rebuild_manifest(record: Record) -> str:
    """Write the manifest of a record again, with what the lost one still tells; what was done."""
    where = manifest.url_of(record.url, record.commit)
    seen = atomic.look(where)
    sources = _salvaged(record, seen.data)
    rows = manifest.rows_of(record.dates, sources)
    plan = manifest.Plan("unknown")
    data = Manifest(record.commit, record.root, rows, plan).encode()
    atomic.swap(where, seen, data, lock=leases.lock(record.url))
    return "rebuilt" if all(sources) else "rebuilt without the names of the source files"


def _salvaged(record: Record, data: bytes | None) -> list[list[Source]]:
    """Sources in an altered manifest whose SHA-256 the cube has for that date."""
    found: list[list[Source]] = [[] for _ in range(record.length)]
    try:
        rows = json.loads(data or b"")["dates"]
        for index, row in enumerate(rows[: record.length]):
            known = set(record.sources_of(index))
            for one in row["sources"]:
                files = one["files"]
                whole = [str(file["url"]) for file in files if file["sha256"] in known]
                plain = isinstance(one["polarisations"], list) and isinstance(one["static"], list)
                plain = plain and isinstance(one.get("levels", {}), dict)
                if plain and len(whole) == len(files):
                    found[index].append(one)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return found


def withdraw_lost_commit(url: str) -> list[Repair]:
    """Carry out a commit that was decided; take it back when what it staged is lost."""
    try:
        commits.settle(url)
    except CubeDamaged as error:
        root = read_root(url)
        where = manifest.url_of(url, commits.commit_of(root, url) + 1)
        storage.remove(where)
        return [Repair(error.what, where, "taken back: ingest its scenes again", True)]
    return []
