"""Restore what `verify` finds: documents and coordinates from their copies, chunks from sources.

Nothing is made worse: what is intact stays, what is replaced is first compared with all that tells
of it, and what has to go is set aside beside the cube. A chunk that cannot be restored is listed in
the root document's `losses` and reads as no data: never silently.
"""

from __future__ import annotations

from collections import defaultdict

from cpazmal_scale import storage
from cpazmal_scale.cube.care import documents
from cpazmal_scale.cube.care.chunks import LayerRepair, repair_layer
from cpazmal_scale.cube.care.report import Repair
from cpazmal_scale.cube.care.sources import Finder, Sources
from cpazmal_scale.cube.care.verify import Damage, examine
from cpazmal_scale.cube.format import layout, manifest
from cpazmal_scale.cube.format.manifest import Manifest
from cpazmal_scale.cube.format.record import (
    Record,
    no_cube,
    read_record,
    read_root,
    root_document,
)
from cpazmal_scale.cube.write import commit as commits
from cpazmal_scale.cube.write.append import member_documents, publish, write_axes
from cpazmal_scale.cube.write.lease import hold
from cpazmal_scale.progress import Progress

__all__ = ["Finder", "Repair", "repair_cube"]


def repair_cube(
    url: str, find: Finder, *, resample: bool = False, progress: Progress | None = None
) -> list[Repair]:
    """Repair a cube in place, as its only writer.

    `find` gives scenes for a date: files count only if their SHA-256 is that of the date.

    Returns:
        One entry per damage; empty when the cube was sound.

    Raises:
        StoreMissing: no cube is there, and no manifest of one.
        StoreError: the store cannot be reached.
        WriterConflict: another writer is at work.
    """
    if read_root(url) is None and not manifest.numbers(url):
        raise no_cube(url)
    with hold(url) as lease:
        done = documents.restore_root(url)
        for step in (documents.withdraw_lost_commit, documents.restore_coordinates):
            done += step(url) if all(one.restored for one in done) else []
        record = read_record(url) if all(one.restored for one in done) else None
        if record is not None:
            damages = examine(record, progress=progress)
            done += _everything(Sources(record, find, lease, resample), damages)
        return done


def _everything(sources: Sources, damages: list[Damage]) -> list[Repair]:
    """Repair each; the root document is replaced when lists changed."""
    record, done = sources.record, []
    layers: dict[tuple[str, int], list[Damage]] = defaultdict(list)
    for damage in damages:
        if damage.kind in ("list", "chunk", "given up", "surplus"):
            layers[damage.layer, damage.index].append(damage)
        else:
            done.append(_simple(record, damage))
    changed: dict[tuple[str, int], LayerRepair] = {}
    for (layer, index), found in sorted(layers.items()):
        changed[layer, index] = repair_layer(sources, layer, index, found)
        done += changed[layer, index].repairs
    _commit(record, changed)
    publish(record.url)
    return done


def _simple(record: Record, damage: Damage) -> Repair:
    """Repair what is not a chunk."""
    if damage.kind == "axis":
        write_axes(record.url, record.grid)
        return Repair(damage.what, damage.where, "rebuilt", True)
    if damage.kind == "document":
        document = dict(member_documents(record))[damage.where]
        storage.write_bytes(damage.where, document)
        return Repair(damage.what, damage.where, "rebuilt", True)
    if damage.kind == "manifest":
        return Repair(damage.what, damage.where, documents.rebuild_manifest(record), True)
    remedy = "ingest the cube again"
    if damage.kind == "doubt":
        remedy = "nothing shows which is right; restore both from a copy, or ingest again"
    return Repair(damage.what, damage.where, f"not restored: {remedy}", False)


def _commit(record: Record, changed: dict[tuple[str, int], LayerRepair]) -> None:
    """Replace the root document where its losses or the checksums of lists are others now."""
    losses, sums = {*record.losses}, record.sums
    for (layer, index), one in changed.items():
        losses |= {(layer, index, *place) for place in one.lost}
        losses -= {(layer, index, *place) for place in one.back}
        if record.acquired(layer, index):
            sums = sums.with_list(layer, index, one.list_sum)
    sealed = record.is_sealed
    if losses == {*record.losses} and (not sealed or sums == record.sums):
        return
    commit = record.commit + 1
    attributes = {**record.attributes, "commit": commit, "losses": sorted(map(list, losses))}
    if not losses:
        del attributes["losses"]
    arrays = {**record.arrays, layout.LISTS: layout.group_document({"commit": commit})}
    sums = sums.with_coordinates(record.dates, layout.kinds())
    root = root_document(attributes, arrays, sums)
    rows = manifest.rows_of(record.dates, manifest.sources_of(record))
    plan = manifest.Plan(commits.base_of(record.root))
    wanted = Manifest(commit, root, rows, plan)
    commits.decide(record.url, wanted)
    commits.carry_out(record.url, wanted)
    commits.require(record.url, wanted)
