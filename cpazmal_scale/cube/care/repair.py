"""Restore what `verify` finds: documents and coordinates from the manifest, chunks from sources.

A chunk is written again only if its bytes have the CRC-32 noted when it was first written. What
cannot be restored is removed, listed in the root document's `losses` and reads as no data: never
silently.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.cube.care.verify import Damage, chunk_url, examine, list_url, read_list
from cpazmal_scale.cube.format import layout, manifest
from cpazmal_scale.cube.format.record import (
    ROOT,
    Record,
    parse_root,
    read_coordinate,
    read_record,
    read_root,
    root_document,
)
from cpazmal_scale.cube.write.append import member_documents, publish, write_axes, write_coordinate
from cpazmal_scale.cube.write.chunks import Target, write_layers
from cpazmal_scale.cube.write.lease import Lease, hold
from cpazmal_scale.errors import CpazmalError, CubeDamaged, SceneError, StoreMissing
from cpazmal_scale.progress import Progress
from cpazmal_scale.scenes import Scene
from cpazmal_scale.vocabulary import ordered

Finder = Callable[[Record, int], Iterable[Scene]]
"""Scenes that may be the sources of a date."""


@dataclass(frozen=True)
class Repair:
    """What became of one damage; not `restored` means that data are gone, or still rotten."""

    what: str
    where: str
    done: str
    restored: bool

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.done}"


def repair_cube(
    url: str, find: Finder, *, resample: bool = False, progress: Progress | None = None
) -> list[Repair]:
    """Repair a cube in place, as its only writer.

    `find` gives scenes for a date: files count only if their SHA-256 is that of the date.

    Returns:
        One entry per damage; empty when the cube was sound.

    Raises:
        StoreMissing: no cube is there, and no manifest of one.
        WriterConflict: another writer is at work.
    """
    if read_root(url) is None and not manifest.numbers(url):
        raise StoreMissing("no cube is here", where=url, remedy="check the address")
    with hold(url) as lease:
        done = _root(url)
        done += _coordinates(url) if all(one.restored for one in done) else []
        record = read_record(url) if all(one.restored for one in done) else None
        if record is not None:
            chunks = _Chunks(record, find, lease, resample)
            done += chunks.restore(examine(record, progress=progress))
        return done


def _root(url: str) -> list[Repair]:
    """Restore a lost or altered root document from the latest manifest."""
    where, what = storage.join(url, ROOT), "the root document is lost or altered"
    root = read_root(url) or b""
    try:
        attributes, _ = parse_root(root, url)
        found = manifest.read_manifest(url, int(attributes["commit"]))
        if found is None or str(found["root"]).encode() == root:
            return []
    except (CubeDamaged, KeyError, ValueError, TypeError):
        pass
    for number in reversed(manifest.numbers(url)):
        found = manifest.read_manifest(url, number)
        if found is not None:
            storage.write_bytes(where, str(found["root"]).encode())
            return [Repair(what, where, "restored from the manifest", True)]
    return [Repair(what, where, "not restored: there is no manifest", False)]


def _coordinates(url: str) -> list[Repair]:
    """Restore lost or altered coordinates along time from the manifest."""
    root = read_root(url)
    if root is None:
        return []
    attributes, arrays = parse_root(root, url)
    length, done = int(arrays["time"]["shape"][0]), []
    found = manifest.read_manifest(url, int(attributes.get("commit", 0)))
    for name, (kind, _) in layout.PER_DATE.items():
        try:
            read_coordinate(url, name, length, arrays)
            continue
        except CubeDamaged as error:
            what, where = f"the coordinate {name} is lost or altered", str(error.where)
        if found is None:
            done.append(Repair(what, where, "not restored: the manifest is lost", False))
            continue
        values: list[Any] = [date[name] for date in found["dates"]]
        values = [float("nan") if v is None else v for v in values] if kind == "float32" else values
        separator = arrays[name]["chunk_key_encoding"]["configuration"]["separator"]
        write_coordinate(url, name, values, separator)
        done.append(Repair(what, where, "restored from the manifest", True))
    return done


class _Chunks:
    """The repair of everything below a readable root document."""

    def __init__(self, record: Record, find: Finder, lease: Lease, resample: bool) -> None:
        self.record, self.find, self.lease, self.resample = record, find, lease, resample
        self.losses = {*record.losses}
        self.sources = manifest.sources_of(record)

    def restore(self, damages: list[Damage]) -> list[Repair]:
        """Repair each; the root document is replaced when chunks were given up or came back."""
        done, layers = [], defaultdict(list)
        for damage in damages:
            if damage.kind in ("list", "chunk", "given up"):
                layers[damage.layer, damage.index].append(damage)
            else:
                done.append(self._simple(damage))
        for (layer, index), found in sorted(layers.items()):
            done += self._layer(layer, index, found)
        if self.losses != {*self.record.losses}:
            self._commit()
        if any(damage.kind in ("document", "manifest") for damage in damages):
            self._documents()
        publish(self.record.url)
        return done

    def _simple(self, damage: Damage) -> Repair:
        done, restored = "rebuilt", True
        if damage.kind == "surplus":
            storage.remove(damage.where)
            done = "removed"
        elif damage.kind == "axis":
            write_axes(self.record.url, self.record.grid)
        elif damage.kind == "manifest":
            self._write_manifest(self.record.root, self.record.commit)
            done = "rebuilt without the names of the source files"
        elif damage.kind == "identity":
            done, restored = "not restored: ingest the cube again", False
        return Repair(damage.what, damage.where, done, restored)

    def _documents(self) -> None:
        for where, document in member_documents(self.record):
            storage.write_bytes(where, document)

    def _layer(self, layer: str, index: int, damages: list[Damage]) -> list[Repair]:
        """Restore chunks of one layer and date from their source, or give them up."""
        stored = read_list(self.record, layer, index)
        places = {one.place for one in damages if one.place is not None}
        new, reason = None, f"its source was not found among the scenes{self._whereabouts(index)}"
        scene = self._source(layer, index)
        if scene is not None:
            new, reason = self._read_again(scene, layer, index, places, stored)
        back = {place for place in places if new is not None and new[place]}
        rotten = {one.place for one in damages if one.kind == "chunk" and one.place is not None}
        sums = stored if stored is not None else new
        sums = self._present(layer, index) if sums is None else sums
        for place in back:
            sums[place] = 0 if new is None else new[place]
        for place in rotten - back:
            storage.remove(chunk_url(self.record, layer, index, place))
            sums[place] = 0
        storage.write_bytes(list_url(self.record, layer, index), layout.encode(sums))
        self.losses |= {(layer, index, *place) for place in rotten - back}
        self.losses -= {(layer, index, *place) for place in back}
        return [self._outcome(damage, back, new is not None, reason) for damage in damages]

    def _outcome(
        self, damage: Damage, back: set[tuple[int, int]], read: bool, reason: str
    ) -> Repair:
        if damage.kind == "list":
            done = "restored from its source" if read else f"made of the chunks there are: {reason}"
            return Repair(damage.what, damage.where, done, read)
        if damage.place in back:
            return Repair(damage.what, damage.where, "restored from its source", True)
        done = f"removed, it reads as no data from now on: {reason}"
        done = f"still so: {reason}" if damage.kind == "given up" else done
        return Repair(damage.what, damage.where, done, False)

    def _whereabouts(self, index: int) -> str:
        files = [file["url"] for one in self.sources[index] for file in one["files"]]
        return f" (it was {files[0]})" if files else ""

    def _source(self, layer: str, index: int) -> Scene | None:
        """The scene, of the date's very files, that holds a layer; None when a file is missing."""
        if layer in layout.STATIC:
            index = self._first_with(layer)
        known = set(self.record.sources_of(index))
        additions = [{f["sha256"] for f in one["files"]} for one in self.sources[index]]
        for scene in self.find(self.record, index):
            files = tuple(file for file in scene.files if file.sha256 in known)
            if layer == "mask" and additions:
                files = tuple(file for file in files if file.sha256 in additions[0])
            elif layer not in ("mask", *layout.STATIC):
                files = tuple(file for file in files if layer in file.bands)
            needed = self._needed(layer, index, known, additions)
            if files and needed <= {file.sha256 for file in files}:
                names = ordered({name for file in files for name in file.polarisations})
                return replace(scene, files=files, polarisations=names)
        return None

    def _first_with(self, layer: str) -> int:
        """The date that brought a static layer."""
        for index, additions in enumerate(self.sources):
            if any(layer in one["static"] for one in additions):
                return index
        return 0

    def _needed(
        self, layer: str, index: int, known: set[str], additions: list[set[str]]
    ) -> set[str]:
        """Hashes of all files a layer was made of."""
        if layer in layout.STATIC:
            return set()
        if not additions:
            return known if layer == "mask" else set()
        if layer == "mask":
            return additions[0]
        files = [file for one in self.sources[index] for file in one["files"]]
        return {file["sha256"] for file in files if layer in file["bands"]}

    def _read_again(
        self,
        scene: Scene,
        layer: str,
        index: int,
        wanted: set[tuple[int, int]],
        sums: np.ndarray[Any, np.dtype[np.uint32]] | None,
    ) -> tuple[np.ndarray[Any, np.dtype[np.uint32]] | None, str]:
        """Write the wanted chunks (all, without a list) again; their CRC-32, or why not."""
        record = self.record
        target = Target(record.url, record.grid, record.chunk, index, self.resample)
        places = {chunk_url(record, layer, index, place): place for place in wanted}
        other: list[tuple[int, int]] = []

        def put(url: str, data: bytes) -> None:
            if sums is None and url != list_url(record, layer, index):
                storage.write_bytes(url, data)
            if sums is None or url not in places:
                return
            noted = int(sums[places[url]])
            if noted in (0, zlib.crc32(data) or 1):
                storage.write_bytes(url, data)
            else:
                other.append(places[url])

        try:
            found = write_layers(target, scene, (layer,), self.lease, store=put)
        except (SceneError, CpazmalError) as error:
            return None, f"its source cannot be read ({error.what})"
        new = found.get(layer)
        if new is None:
            return None, "its source does not hold it"
        for place in other:
            new[place] = 0
        return new, "its source gives other bytes now"

    def _present(self, layer: str, index: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
        """A list of the chunk objects that are there and decode."""
        sums = np.zeros(layout.tiles(self.record.grid, self.record.chunk), np.uint32)
        if self.record.acquired(layer, index):
            for row, column in np.ndindex(sums.shape):
                try:
                    data = storage.read_bytes(chunk_url(self.record, layer, index, (row, column)))
                    layout.decode(data, layout.value_type(layer))
                except (StoreMissing, RuntimeError, ValueError):
                    continue
                sums[row, column] = zlib.crc32(data) or 1
        return sums

    def _commit(self) -> None:
        """Replace the root document by one with the new list of losses."""
        record, commit = self.record, self.record.commit + 1
        attributes = {
            **record.attributes,
            "commit": commit,
            "losses": sorted(map(list, self.losses)),
        }
        arrays = {**record.arrays, "stored": layout.group_document({"commit": commit})}
        root = root_document(attributes, arrays)
        self._write_manifest(root, commit)
        self.lease.check()
        storage.write_bytes(storage.join(record.url, ROOT), root)

    def _write_manifest(self, root: bytes, commit: int) -> None:
        manifest.write_manifest(self.record.url, commit, root, self.record.dates, self.sources)
