"""Records of finished blocks, next to the map: what a killed run need not compute again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cpazmal_scale import storage
from cpazmal_scale.errors import StoreMissing
from cpazmal_scale.grid.blocks import Block


def summary_url(map_url: str) -> str:
    """The JSON document that describes a finished map."""
    return map_url.removesuffix(".zarr") + ".json"


def _folder(map_url: str) -> str:
    return map_url.removesuffix(".zarr") + ".progress"


def begin(map_url: str, block: int) -> int:
    """Remember the edge of the blocks; a run that continues another one keeps that one's."""
    url = storage.join(_folder(map_url), "plan.json")
    if not storage.exists(url):
        storage.write_json(url, {"block": block})
    return int(storage.read_json(url)["block"])


def record(map_url: str, digest: dict[str, Any]) -> None:
    """Note that a block is written; called after its last byte is."""
    name = Block(*digest["block"]).name
    storage.write_json(storage.join(_folder(map_url), f"block-{name}.json"), digest)


def find(map_url: str, block: Block) -> dict[str, Any] | None:
    """The record of a block; none if it is not finished."""
    try:
        found: dict[str, Any] = storage.read_json(
            storage.join(_folder(map_url), f"block-{block.name}.json")
        )
    except StoreMissing:
        return None
    return found


def recorded(map_url: str) -> dict[Block, dict[str, Any]]:
    """Records of the finished blocks."""
    folder = _folder(map_url)
    names = [name for name in storage.list_names(folder) if name.startswith("block-")]
    digests = [storage.read_json(storage.join(folder, name)) for name in names]
    return {Block(*digest["block"]): digest for digest in digests}


def finish(map_url: str, facts: dict[str, Any], digests: Iterable[dict[str, Any]]) -> None:
    """Write the summary of a map from the records of all its blocks."""
    ordered = sorted(digests, key=lambda digest: digest["block"])
    storage.write_json(summary_url(map_url), {**facts, "blocks": ordered})


def clear(map_url: str) -> None:
    """Remove the records of a published map."""
    storage.remove(_folder(map_url), recursive=True)
