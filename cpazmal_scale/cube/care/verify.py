"""Read everything a cube stores again, and name what is missing or altered."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.cube.format import integrity, layout, manifest
from cpazmal_scale.cube.format.record import ROOT, Record, no_cube, read_record, start_of
from cpazmal_scale.cube.read.checked import CheckedChunks
from cpazmal_scale.cube.write.append import member_documents
from cpazmal_scale.errors import CubeDamaged, StoreMissing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.progress import Progress

Kind = Literal[
    "identity", "document", "manifest", "doubt", "axis", "list", "chunk", "surplus", "given up"
]

READERS = 8


@dataclass(frozen=True)
class Damage:
    """One lost, altered or surplus object; of a layer with date number `index` and `place`."""

    kind: Kind
    what: str
    where: str
    layer: str = ""
    index: int = 0
    place: tuple[int, int] | None = None

    @property
    def error(self) -> CubeDamaged:
        """The finding as an error."""
        return CubeDamaged(
            self.what,
            where=self.where,
            remedy="run `cpazmal verify --repair`, or restore it from a copy",
        )


def verify_cube(url: str, *, progress: Progress | None = None) -> list[CubeDamaged]:
    """Every chunk of every date against the CRC-32 noted when it was written.

    Returns:
        One finding per lost, altered or surplus object, and per chunk that was given up; empty when
        the cube is sound. `progress` counts dates.

    Raises:
        StoreMissing: no cube is there.
        StoreError: the store cannot be reached.
    """
    try:
        record = read_record(url)
    except CubeDamaged as finding:
        return [finding]
    if record is None and is_cube(url):
        where = storage.join(url, ROOT)
        return [Damage("document", "the root document is lost", where).error]
    if record is None:
        raise no_cube(url)
    return [damage.error for damage in examine(record, progress=progress)]


def is_cube(url: str) -> bool:
    """Whether a cube was written here, even if nobody can read it now."""
    return storage.exists(storage.join(url, ROOT)) or bool(manifest.numbers(url))


def examine(record: Record, *, progress: Progress | None = None) -> list[Damage]:
    """What is wrong with a cube whose root document and coordinates along time can be read."""
    found = [*_documents(record), *_axes(record), *_given_up(record)]
    with ThreadPoolExecutor(READERS) as pool:
        for layer in record.static:
            found += _layer(record, layer, 0, pool)
        for index in range(record.length):
            for layer in (*record.polarisations, "mask"):
                found += _layer(record, layer, index, pool)
            if progress is not None:
                progress(index + 1, record.length)
    return found


def _documents(record: Record) -> Iterator[Damage]:
    ids = record.dates["scene_id"]
    for twice in sorted({one for one in ids if ids.count(one) > 1}):
        yield Damage("identity", f"the scene {twice} is stored twice", record.url)
    yield from _manifest(record)
    yield from _members(record)


def _manifest(record: Record) -> Iterator[Damage]:
    """The manifest of the record's commit, which has a copy of everything."""
    if not record.commit:
        return
    where = manifest.url_of(record.url, record.commit)
    found = manifest.read_manifest(record.url, record.commit)
    if found is None or (found.root != record.root and record.is_sealed):
        yield Damage("manifest", "the manifest is lost or altered", where)
    elif found.root != record.root:
        yield Damage("doubt", "the root document and its copy in the manifest differ", where)
    else:
        values = manifest.dates_of(found)
        for name in layout.PER_DATE:
            if not integrity.same_values(values.get(name, []), record.dates[name]):
                what = f"the coordinate {name} and its copy in the manifest differ"
                kind: Kind = "manifest" if record.is_sealed else "doubt"
                yield Damage(kind, what, where)


def _members(record: Record) -> Iterator[Damage]:
    """The members' own documents; while some are still to follow a commit, those are no damage."""
    documents = member_documents(record)
    found = {where: _read(where) for where, _ in documents}
    last, wanted = documents[-1]
    follows = found[last] != wanted and _commit_of(found[last]) not in (None, record.commit)
    if found[last] is None:
        others = [(found[where], document) for where, document in documents[:-1]]
        follows = all(data in (None, document) for data, document in others)
        follows = follows and any(data is None for data, _ in others)
    for where, document in documents:
        sound = _is_document(found[where]) if follows else found[where] == document
        if not sound:
            name = where.removeprefix(f"{record.url}/").removesuffix(f"/{ROOT}")
            yield Damage("document", f"the document of {name} is lost or altered", where)


def _read(where: str) -> bytes | None:
    try:
        return storage.read_bytes(where)
    except StoreMissing:
        return None


def _commit_of(document: bytes | None) -> int | None:
    """The commit that the document of `stored` names; None where it is none."""
    try:
        return int(json.loads(document or b"")["attributes"]["commit"])
    except (ValueError, KeyError, TypeError):
        return None


def _is_document(data: bytes | None) -> bool:
    """Whether bytes are the document of an array or group; those not written yet are absent."""
    try:
        return data is None or json.loads(data)["zarr_format"] == 3
    except (ValueError, KeyError, TypeError):
        return False


def _axes(record: Record) -> Iterator[Damage]:
    for name, expected in zip("yx", layout.axis_values(record.grid), strict=True):
        where = storage.join(record.url, layout.coordinate_key(name, 0))
        try:
            same = np.array_equal(layout.decode(storage.read_bytes(where), "float64"), expected)
        except (StoreMissing, ValueError):
            same = False
        if not same:
            yield Damage("axis", f"the coordinate {name} is lost or altered", where)


def _given_up(record: Record) -> Iterator[Damage]:
    for layer, index, row, column in record.losses:
        label = label_of(record, layer, index)
        where = storage.join(record.url, layout.chunk_key(layer, index, row, column))
        what = f"chunk {row},{column} of {label} was given up: it reads as no data"
        yield Damage("given up", what, where, layer, index, (row, column))


def label_of(record: Record, layer: str, index: int) -> str:
    """A layer on a date, in words."""
    return layer if layer in layout.STATIC else f"{layer} of {start_of(record, index):%Y-%m-%d}"


def _layer(record: Record, layer: str, index: int, pool: ThreadPoolExecutor) -> Iterator[Damage]:
    """Findings of one layer on one date."""
    label, where = label_of(record, layer, index), list_url(record, layer, index)
    sums = np.zeros(layout.tiles(record.grid, record.chunk), np.uint32)
    if record.acquired(layer, index):
        stored = read_list(record, layer, index)
        sums = sums if stored is None else stored
        if stored is None:
            what = f"the list of chunks of {label} is lost or altered"
            yield Damage("list", what, where, layer, index)
            return
    elif storage.exists(where):
        what = f"the list of chunks of {label} is surplus"
        yield Damage("surplus", what, where, layer, index)
    noted = [(int(row), int(column)) for row, column in np.argwhere(sums)]
    problems = pool.map(partial(_problem, record, layer, index, sums), noted)
    for place, problem in zip(noted, problems, strict=True):
        if problem is not None:
            what = f"chunk {place[0]},{place[1]} of {label} {problem}"
            yield Damage("chunk", what, chunk_url(record, layer, index, place), layer, index, place)
    for place in sorted(set(_present(record, layer, index)) - set(noted)):
        what = f"chunk {place[0]},{place[1]} of {label} is surplus"
        yield Damage("surplus", what, chunk_url(record, layer, index, place), layer, index, place)


def list_url(record: Record, layer: str, index: int) -> str:
    """Address of the list of a layer's chunks on a date."""
    return storage.join(record.url, layout.list_key(layer, index))


def chunk_url(record: Record, layer: str, index: int, place: tuple[int, int]) -> str:
    """Address of a chunk object."""
    return storage.join(record.url, layout.chunk_key(layer, index, *place))


def read_list(record: Record, layer: str, index: int) -> NDArray[np.uint32] | None:
    """CRC-32 of the chunk objects of a layer on a date; None when the list is lost or altered."""
    try:
        return CheckedChunks(record).sums(layer, index).copy()
    except CubeDamaged:
        return None


def _problem(
    record: Record, layer: str, index: int, sums: NDArray[np.uint32], place: tuple[int, int]
) -> str | None:
    try:
        data = storage.read_bytes(chunk_url(record, layer, index, place))
    except StoreMissing:
        return "is lost"
    return None if (zlib.crc32(data) or 1) == int(sums[place]) else "is altered"


def _present(record: Record, layer: str, index: int) -> Iterator[tuple[int, int]]:
    folder = layout.chunk_folder(layer, index)
    for name in storage.sizes(storage.join(record.url, folder)):
        found = layout.chunk_of(f"{folder}/{name}")
        if found:
            yield found[2:]
