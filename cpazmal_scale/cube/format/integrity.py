"""The tree of checksums in a root document: of itself, of every list of chunks and coordinate.

The attribute `integrity` holds the SHA-256 of the root document without it (`document`), and the
CRC-32 of the objects below: `coordinates` by name and number of chunk, `lists` by layer and number
of date. The lists hold those of the chunks. Where a cube of an earlier version does not say, there
is nothing to compare with: None.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Any

NAME = "integrity"
Sums = dict[str, list[int | None]]


def checksum(data: bytes) -> int:
    """CRC-32 of an object, never 0."""
    return zlib.crc32(data) or 1


def sealed(document: dict[str, Any], coordinates: Sums, lists: Sums) -> dict[str, Any]:
    """A root document with its checksums; those of what it does not have any more are left out."""
    found = {"coordinates": coordinates, "lists": lists}
    attributes = {**document["attributes"], NAME: found}
    sealed = {**document, "attributes": attributes}
    found["document"] = _digest(sealed)  # type: ignore[assignment]
    return sealed


def is_intact(document: dict[str, Any]) -> bool | None:
    """Whether a root document has the SHA-256 it says; None where it says none."""
    said = document["attributes"].get(NAME, {}).get("document")
    return None if said is None else bool(said == _digest(document))


def sums_of(attributes: dict[str, Any], kind: str) -> Sums:
    """The CRC-32 of `coordinates` or `lists` in the attributes of a root document."""
    return dict(attributes.get(NAME, {}).get(kind, {}))


def sum_of(attributes: dict[str, Any], kind: str, name: str, number: int) -> int | None:
    """The CRC-32 of one coordinate chunk or list; None where the cube does not say."""
    held = sums_of(attributes, kind).get(name, [])
    return held[number] if number < len(held) else None


def agrees(attributes: dict[str, Any], kind: str, name: str, number: int, data: bytes) -> bool:
    """Whether an object is the one that was written, as far as the cube says."""
    return sum_of(attributes, kind, name, number) in (None, checksum(data))


def with_sum(sums: Sums, name: str, number: int, value: int | None) -> None:
    """Note one checksum."""
    held = list(sums.get(name, []))
    held += [None] * (number + 1 - len(held))
    held[number] = value
    sums[name] = held


def _digest(document: dict[str, Any]) -> str:
    attributes = dict(document["attributes"])
    found = {key: value for key, value in attributes[NAME].items() if key != "document"}
    plain = {**document, "attributes": {**attributes, NAME: found}}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
