"""Records of finished blocks, next to the map: what a killed run need not compute again."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import StoreDamaged, StoreMissing
from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.mapping.classify import store
from cpazmal_scale.storage import groups, seal

_LOG = logging.getLogger(__name__)
_AT_WORK = 120.0
"""Seconds after its last finished block for which a run may still be at work."""


def summary_url(map_url: str) -> str:
    """The JSON document that describes a finished map."""
    return map_url.removesuffix(".zarr") + ".json"


def folder(map_url: str) -> str:
    """What a run keeps beside its map until this is published."""
    return map_url.removesuffix(".zarr") + ".progress"


def begin(map_url: str, block: tuple[int, int]) -> tuple[int, int]:
    """Remember rows and columns of the blocks; a run that continues another keeps that one's.

    It warns where the other one may still be at work.
    """
    url = storage.join(folder(map_url), "plan.json")
    _tell_of_another(map_url)
    for kept in (map_url, folder(map_url)):
        storage.sweep(kept)
    known = (_read(url) or {}).get("block")
    if not isinstance(known, list) or [type(edge) for edge in known] != [int, int]:
        seal.write_document(url, {"block": list(block)})
        return block
    return known[0], known[1]


def _tell_of_another(map_url: str) -> None:
    """Warn where another run may be at work on the same map."""
    kept = folder(map_url)
    urls = [storage.join(kept, name) for name in storage.list_names(kept)]
    last = max(filter(None, storage.each(kept, _changed, urls)), default=None)
    idle = _AT_WORK if last is None else (datetime.now(UTC) - last).total_seconds()
    if idle < _AT_WORK:
        _LOG.warning(
            "another run was at work on the map %s %.0f s ago: if it still is, both compute many "
            "of the same blocks, and the map is the same",
            map_url,
            max(idle, 0.0),
        )


def _changed(url: str) -> datetime | None:
    with contextlib.suppress(StoreMissing):
        return storage.modified(url)
    return None


def record(map_url: str, digest: dict[str, Any]) -> None:
    """Note that a block is written; called after its last byte is."""
    name = Block(*digest["block"]).name
    seal.write_document(storage.join(folder(map_url), f"block-{name}.json"), digest)


def find(map_url: str, block: Block) -> dict[str, Any] | None:
    """The record of a block; none if it is not finished, or its chunks are not what it says."""
    found = _read(storage.join(folder(map_url), f"block-{block.name}.json"))
    if found is None or found.get("block") != list(block) or "objects" not in found:
        return None
    return found if groups.is_sound(map_url, found["objects"]) else None


def recorded(map_url: str, blocks: Iterable[Block]) -> dict[Block, dict[str, Any]]:
    """Records of those of the blocks that are finished."""
    names = set(storage.list_names(folder(map_url)))
    begun = [block for block in blocks if f"block-{block.name}.json" in names]
    found = {block: find(map_url, block) for block in begun}
    return {block: digest for block, digest in found.items() if digest is not None}


def finish(map_url: str, facts: dict[str, Any], digests: Iterable[dict[str, Any]]) -> None:
    """Write the summary of a map from the records of all its blocks, and publish the map."""
    ordered = sorted(digests, key=lambda digest: digest["block"])
    told = [{k: v for k, v in digest.items() if k != "objects"} for digest in ordered]
    seal.write_document(summary_url(map_url), {**facts, "blocks": told})
    sums = {key: value for digest in ordered for key, value in digest["objects"].items()}
    store.publish(map_url, sums)


def summary(map_url: str) -> dict[str, Any]:
    """The summary of a finished map.

    Raises:
        StoreMissing: there is none.
        StoreDamaged: it is not what was written.
    """
    url = summary_url(map_url)
    found = seal.read_document(url, store.REMEDY)
    with seal.parsing("not the summary of a map", url, store.REMEDY):
        for block in found["blocks"]:
            Block(*block["block"])
        return found


def floored(summary: Mapping[str, Any]) -> dict[str, float]:
    """Share of a map's valid pixels and dates below the floor, by channel.

    Empty of a map that was made from maps, or before this was recorded.
    """
    blocks = summary["blocks"]
    if not all("floored" in block for block in blocks):
        return {}
    counts = {
        name: np.sum([block["floored"][name] for block in blocks], axis=0)
        for name in blocks[0]["floored"]
    }
    return {name: float(below / max(every, 1)) for name, (below, every) in counts.items()}


def clear(map_url: str) -> None:
    """Remove the records of a published map, those that a killed run left there too."""
    storage.remove(folder(map_url), recursive=True)


def _read(url: str) -> dict[str, Any] | None:
    """A document of a run; none if it is not there or not what was written."""
    try:
        return seal.read_document(url)
    except (StoreMissing, StoreDamaged):
        return None
