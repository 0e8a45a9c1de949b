"""Restore lists of chunks and chunks, of one layer on one date.

First it is settled which list is right: the root document vouches for it, or the chunks and their
source do. A chunk that is intact is never removed for the sake of a list that nothing vouches for.
Then a chunk is written again only if its bytes have the CRC-32 noted when it was first written.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.cube.care.report import Repair
from cpazmal_scale.cube.care.sources import NotRereadable, Reread, Sources
from cpazmal_scale.cube.care.verify import Damage, chunk_url, list_url, read_list
from cpazmal_scale.cube.format import coding, integrity, layout
from cpazmal_scale.cube.format.record import Record
from cpazmal_scale.errors import StoreMissing
from cpazmal_scale.storage import atomic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    List = NDArray[np.uint32]

Place = tuple[int, int]


@dataclass(frozen=True)
class LayerRepair:
    """What became of a layer on a date: its damages, chunks given up and back, and its list."""

    repairs: list[Repair]
    lost: set[Place]
    back: set[Place]
    list_sum: int


@dataclass(frozen=True)
class _Vote:
    """The list that is right, and how that is known; `proven` if the list was not made up."""

    sums: List
    why: str
    proven: bool


def repair_layer(sources: Sources, layer: str, index: int, damages: list[Damage]) -> LayerRepair:
    """Repair the list and the chunks of a layer on a date.

    Raises:
        StoreError: the store cannot be reached.
        WriterConflict: another writer took the cube over.
    """
    record = sources.record
    here = present(record, layer, index)
    given_up = {one.place for one in damages if one.kind == "given up" and one.place is not None}
    with contextlib.ExitStack() as stack:
        fresh, reason = None, "its source gives other bytes now"
        try:
            if record.acquired(layer, index):
                fresh = stack.enter_context(sources.reread(layer, index))
        except NotRereadable as error:
            reason = str(error)
        vote = _vote(record, layer, index, here, fresh)
        sums, lost, back = vote.sums.copy(), set(), set()
        for place in _places(sums):
            if here.get(place) == int(sums[place]):
                continue
            if fresh is not None and fresh.sums[place] == sums[place]:
                _put_back(record, fresh, layer, index, place)
                back.add(place)
            else:
                set_aside(record, chunk_url(record, layer, index, place))
                sums[place] = 0
                lost.add(place)
        for place in sorted(given_up):
            if fresh is not None and fresh.sums[place]:
                _put_back(record, fresh, layer, index, place)
                sums[place] = fresh.sums[place]
                back.add(place)
    data = layout.encode(sums)
    if record.acquired(layer, index):
        storage.write_bytes(list_url(record, layer, index), data)
    for damage in damages:
        if damage.kind == "surplus" and (damage.place is None or not sums[damage.place]):
            set_aside(record, damage.where)
    found = [_outcome(damage, vote, sums, lost, back, reason) for damage in damages]
    return LayerRepair(found, lost, back, integrity.checksum(data))


def present(record: Record, layer: str, index: int) -> dict[Place, int]:
    """The CRC-32 of the chunk objects that are there and decode."""
    found = {}
    for place in _places(np.ones(layout.tiles(record.grid, record.chunk), np.uint32)):
        try:
            data = storage.read_bytes(chunk_url(record, layer, index, place))
            coding.decode(data, record.arrays[layer]).reshape(record.chunk, record.chunk)
        except (StoreMissing, ValueError):
            continue
        found[place] = integrity.checksum(data)
    return found


def set_aside(record: Record, where: str) -> None:
    """Move an object out of the cube to a folder beside it: repair destroys nothing."""
    key = where.removeprefix(f"{record.url}/")
    aside = storage.join(f"{record.url.rstrip('/')}.set-aside", f"{record.commit:06d}", key)
    with contextlib.suppress(StoreMissing):
        atomic.place(where, aside)
        storage.remove(where)


def _vote(
    record: Record, layer: str, index: int, here: dict[Place, int], fresh: Reread | None
) -> _Vote:
    """Which list of chunks is right."""
    stored, said = read_list(record, layer, index), record.sums.list_of(layer, index)
    acquired = record.acquired(layer, index)
    nothing = np.zeros(layout.tiles(record.grid, record.chunk), np.uint32)
    if not acquired:
        return _Vote(nothing, "", proven=True)
    if stored is not None and said is not None:
        return _Vote(stored, "", proven=True)
    mine = nothing.copy()
    for place, checksum in here.items():
        mine[place] = checksum
    source = None if fresh is None else fresh.sums
    if stored is None:
        return _rebuilt(mine, source, said)
    return _doubted(stored, mine, source)


def _rebuilt(mine: List, source: List | None, said: int | None) -> _Vote:
    """A list for one that is lost: what the root document vouches for, else the best there is."""
    for sums, why in ((mine, "rebuilt from the chunks"), (source, "restored from its source")):
        if sums is not None and said == integrity.checksum(layout.encode(sums)):
            return _Vote(sums, why, proven=True)
    if source is None:
        return _Vote(mine, "made of the chunks there are", proven=False)
    same = bool((mine[mine > 0] == source[mine > 0]).any())
    sums = source if same else np.where(mine > 0, mine, source)
    return _Vote(sums, "restored from its source", proven=True)


def _doubted(stored: List, mine: List, source: List | None) -> _Vote:
    """A list that nothing vouches for, beside intact chunks that contradict it."""
    other = (mine > 0) & (mine != stored)
    if source is not None and (source[other] == stored[other]).all():
        return _Vote(stored, "", proven=True)
    return _Vote(
        np.where(other, mine, stored), "the chunk is intact, its list was not", proven=True
    )


def _put_back(record: Record, fresh: Reread, layer: str, index: int, place: Place) -> None:
    key = layout.chunk_key(layer, index, *place)
    target = storage.join(record.url, key)
    atomic.place(storage.join(fresh.url, key), target)
    atomic.sync_folders([target.rpartition("/")[0]])


def _outcome(
    damage: Damage, vote: _Vote, sums: List, lost: set[Place], back: set[Place], reason: str
) -> Repair:
    """What became of one damage, in words."""
    restored = "restored from its source"
    if damage.kind == "list":
        done = vote.why if vote.proven else f"{vote.why}: {reason}"
        return Repair(damage.what, damage.where, done, vote.proven)
    if damage.kind == "surplus":
        kept = damage.place is not None and sums[damage.place]
        return Repair(damage.what, damage.where, vote.why if kept else "removed", True)
    if damage.place in back:
        return Repair(damage.what, damage.where, restored, True)
    if damage.kind == "given up":
        return Repair(damage.what, damage.where, f"still so: {reason}", False)
    if damage.place in lost:
        done = f"removed, it reads as no data from now on: {reason}"
        return Repair(damage.what, damage.where, done, False)
    return Repair(damage.what, damage.where, vote.why or restored, True)


def _places(sums: List) -> list[Place]:
    return [(int(row), int(column)) for row, column in np.argwhere(sums)]
