"""The tree of checksums in a root document: of itself, of every coordinate and list of chunks.

The attribute `integrity` holds the SHA-256 of the root document without it (`document`), the CRC-32
of the values of every coordinate along time (`coordinates`, by name: the object itself may already
hold the next date), and that of every list of chunks (`lists`, by layer and number of date). The
lists hold those of the chunks. Where a cube of an earlier version does not say, there is nothing to
compare with: None.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

NAME = "integrity"


@dataclass(frozen=True)
class Sums:
    """CRC-32 of coordinates by name, and of lists of chunks by layer and number of date."""

    coordinates: dict[str, int] = field(default_factory=dict)
    lists: dict[str, list[int | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, attributes: dict[str, Any]) -> Sums:
        """Those in the attributes of a root document."""
        found = attributes.get(NAME, {})
        return cls(dict(found.get("coordinates", {})), dict(found.get("lists", {})))

    def list_of(self, layer: str, index: int) -> int | None:
        """That of a list of chunks; None where the cube does not say."""
        held = self.lists.get(layer, [])
        return held[index] if index < len(held) else None

    def with_list(self, layer: str, index: int, value: int) -> Sums:
        """The same with another list of chunks."""
        held = [*self.lists.get(layer, [])]
        held += [None] * (index + 1 - len(held))
        held[index] = value
        return Sums(self.coordinates, {**self.lists, layer: held})

    def with_coordinates(self, dates: dict[str, list[Any]], kinds: dict[str, str]) -> Sums:
        """The same with other coordinates; `kinds` are their types on disk."""
        found = {name: values_sum(values, kinds[name]) for name, values in dates.items()}
        return Sums(found, self.lists)


def checksum(data: bytes) -> int:
    """CRC-32 of an object, never 0."""
    return zlib.crc32(data) or 1


def values_sum(values: list[Any], kind: str) -> int:
    """CRC-32 of the values of a coordinate, as they come back from the store."""
    if kind == "float32":
        numbers = [float(np.float32(value)) for value in values]
        values = [None if number != number else number for number in numbers]
    return checksum(json.dumps(values, allow_nan=False).encode())


def same_values(some: list[Any], others: list[Any]) -> bool:
    """Whether two coordinates have the same values, NaN like NaN, numbers as float32 has them."""
    kind = "float32" if any(isinstance(value, float) for value in others) else "other"
    return values_sum(some, kind) == values_sum(others, kind)


def sealed(document: dict[str, Any], sums: Sums) -> dict[str, Any]:
    """A root document with its checksums."""
    plain = {name: value for name, value in document["attributes"].items() if name != NAME}
    below = {"coordinates": sums.coordinates, "lists": sums.lists}
    unsigned = {**document, "attributes": {**plain, NAME: below}}
    signed = {**below, "document": _digest(unsigned)}
    return {**document, "attributes": {**plain, NAME: signed}}


def is_intact(document: dict[str, Any]) -> bool | None:
    """Whether a root document has the SHA-256 it says; None where it says none."""
    found = document["attributes"].get(NAME)
    if found is None:
        # A bit of the attribute's own name may be the one that is flipped.
        others = (one for one in document["attributes"].values() if isinstance(one, dict))
        return False if any({"coordinates", "lists"} & one.keys() for one in others) else None
    below = {key: value for key, value in found.items() if key != "document"}
    unsigned = {**document, "attributes": {**document["attributes"], NAME: below}}
    return bool(found.get("document") == _digest(unsigned))


def _digest(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
