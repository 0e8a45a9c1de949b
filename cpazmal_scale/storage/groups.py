"""Zarr groups whose every object has a checksum, with which it is compared when it is read.

The member `sums` of a group holds the CRC-32 of all its other objects, the root document included.
An object that was altered, lost or added is an error. Groups without checksums are read as they
are.
"""

from __future__ import annotations

import functools
import json
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from cpazmal_scale import storage
from cpazmal_scale.errors import StoreDamaged, StoreMissing
from cpazmal_scale.storage import seal
from cpazmal_scale.storage.disk import PART

_READERS = 16
"""Requests in flight to an object store."""
ROOT = "zarr.json"
SUMS = "sums/zarr.json"
MARK = "checksums"
"""Attribute of a group that names the member with its checksums."""


def marked(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a group that has checksums."""
    return {**attributes, MARK: SUMS.partition("/")[0]}


class Sums(NamedTuple):
    """CRC-32 by object: of `documents`, all that is small, and of the `chunks` of large arrays."""

    documents: dict[str, int]
    chunks: dict[str, int]


def sums_document(sums: Sums, root: bytes) -> bytes:
    """The document of the member `sums`: a Zarr group without arrays."""
    documents = {**sums.documents, ROOT: zlib.crc32(root)}
    attributes = seal.sealed({"documents": documents, "chunks": sums.chunks})
    group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    return json.dumps(group, sort_keys=True).encode()


def read_sums(url: str, remedy: str) -> Sums:
    """Checksums of a group.

    Raises:
        StoreMissing: it has none.
        StoreDamaged: they were altered.
    """
    where = storage.join(url, SUMS)
    document = storage.read_json(where, remedy)
    with seal.parsing("the checksums cannot be read", where, remedy):
        if seal.FIELD not in document["attributes"]:
            raise StoreDamaged("the checksums have no seal", where=where, remedy=remedy)
        values = seal.opened(document["attributes"], where, remedy)
        return Sums(dict(values["documents"]), dict(values["chunks"]))


def write_group(url: str, documents: Mapping[str, bytes]) -> None:
    """Write a group of small objects and their checksums, the root document last.

    A killed writer leaves no group.

    Raises:
        StoreError: the store cannot be written.
    """
    sums = {key: zlib.crc32(data) for key, data in documents.items() if key != ROOT}
    text = sums_document(Sums(sums, {}), documents[ROOT])
    _write(url, {**documents, SUMS: text})


def finish_group(url: str, root: bytes, chunks: Mapping[str, int], remedy: str) -> None:
    """Replace the root document of a group once the checksums of its chunks are kept.

    Raises:
        StoreDamaged: the checksums of its documents were altered.
        StoreError: the store cannot be written.
    """
    sums = Sums(read_sums(url, remedy).documents, dict(chunks))
    _write(url, {SUMS: sums_document(sums, root), ROOT: root})


def replace_documents(url: str, documents: Mapping[str, bytes], remedy: str) -> None:
    """Replace documents of a finished group, its root among them; its chunks stay.

    Raises:
        StoreDamaged: the group's checksums were altered.
        StoreError: the store cannot be written.
    """
    old = read_sums(url, remedy)
    new = {key: zlib.crc32(data) for key, data in documents.items()}
    sums = Sums({**old.documents, **new}, old.chunks)
    _write(url, {**documents, SUMS: sums_document(sums, documents[ROOT])})


def _write(url: str, documents: Mapping[str, bytes]) -> None:
    below = sorted(key for key in documents if key != ROOT)
    for key in below:
        storage.write_bytes(storage.join(url, key), documents[key])
    storage.write_bytes(storage.join(url, ROOT), documents[ROOT])


def known_sums(url: str, remedy: str) -> dict[str, int] | None:
    """CRC-32 of every object of a group by its key; none if it was written without.

    Raises:
        StoreMissing: there is no group.
        StoreDamaged: its checksums were altered or lost.
    """
    root = storage.read_bytes(storage.join(url, ROOT))
    try:
        found = read_sums(url, remedy)
    except StoreMissing:
        if f'"{MARK}"'.encode() in root:
            raise StoreDamaged("its checksums are lost", where=url, remedy=remedy) from None
        return None
    return found.documents | found.chunks


def damages(url: str, remedy: str) -> list[StoreDamaged]:
    """Every object of a group that is lost, altered or surplus; none if it has no checksums.

    Raises:
        StoreMissing: there is no group.
        StoreError: the store cannot be reached.
    """
    try:
        sums = known_sums(url, remedy)
    except StoreDamaged as error:
        return [error]
    if sums is None:
        return []
    there = {key for key in storage.sizes(url) if not key.endswith(PART)}
    states = dict.fromkeys(there - sums.keys() - {SUMS}, "surplus")
    states |= dict.fromkeys(sums.keys() - there, "lost")
    present = [(key, sums[key]) for key in sorted(sums.keys() & there)]
    sound = storage.each(url, functools.partial(_is_sound, url), present)
    states |= {key: "altered" for (key, _), same in zip(present, sound, strict=True) if not same}
    return [
        StoreDamaged(f"an object is {state}", where=storage.join(url, key), remedy=remedy)
        for key, state in sorted(states.items())
    ]


def is_sound(url: str, sums: Mapping[str, int]) -> bool:
    """Whether objects are there and what their checksums say."""
    same = functools.partial(_is_sound, url)
    if not storage.is_remote(url):
        return all(map(same, sums.items()))
    with ThreadPoolExecutor(_READERS) as pool:
        return all(pool.map(same, sums.items()))


def _is_sound(url: str, item: tuple[str, int]) -> bool:
    try:
        return zlib.crc32(storage.read_bytes(storage.join(url, item[0]))) == item[1]
    except StoreMissing:
        return False
