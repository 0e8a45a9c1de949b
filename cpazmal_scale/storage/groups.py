"""Zarr groups whose every object has a checksum, with which it is compared when it is read.

The member `sums` of a group holds the CRC-32 of all its other objects, the root document included.
An object that was altered, lost or added is an error. Groups without checksums are read as they
are.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncGenerator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.storage import WrapperStore

from cpazmal_scale import storage
from cpazmal_scale.errors import StoreDamaged, StoreMissing
from cpazmal_scale.storage import seal

if TYPE_CHECKING:
    from zarr.abc.store import Store
    from zarr.core.buffer import Buffer, BufferPrototype

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


def _write(url: str, documents: Mapping[str, bytes]) -> None:
    below = sorted(key for key in documents if key != ROOT)
    for key in below:
        storage.write_bytes(storage.join(url, key), documents[key])
    storage.settle(url, below)
    storage.write_bytes(storage.join(url, ROOT), documents[ROOT])
    storage.settle(url, [ROOT])


def is_sound(url: str, sums: Mapping[str, int]) -> bool:
    """Whether objects are there and what their checksums say."""

    def same(item: tuple[str, int]) -> bool:
        try:
            return zlib.crc32(storage.read_bytes(storage.join(url, item[0]))) == item[1]
        except StoreMissing:
            return False

    if not storage.is_remote(url):
        return all(map(same, sums.items()))
    with ThreadPoolExecutor(_READERS) as pool:
        return all(pool.map(same, sums.items()))


def check_documents(url: str, remedy: str) -> None:
    """Check all objects of a group but chunks; of one without checksums nothing is checked.

    Raises:
        StoreDamaged: one is not what was written.
    """
    try:
        sums = read_sums(url, remedy)
    except StoreMissing:
        return
    if not is_sound(url, sums.documents):
        raise StoreDamaged("its metadata were altered", where=url, remedy=remedy)


def open_checked(url: str, remedy: str) -> Store:
    """A read-only Zarr store at any URL that hands out nothing that was altered.

    Args:
        url: of the group.
        remedy: what the errors say can be done.

    Raises:
        StoreMissing: there is no group.
        StoreDamaged: its checksums were altered or lost.
    """
    root = storage.read_bytes(storage.join(url, ROOT))
    sums = None
    try:
        found = read_sums(url, remedy)
        sums = found.documents | found.chunks
    except StoreMissing:
        if f'"{MARK}"'.encode() in root:
            raise StoreDamaged("its checksums are lost", where=url, remedy=remedy) from None
    return Checked(storage.zarr_store(url, read_only=True), url, sums, remedy)


class Checked(WrapperStore["Store"]):
    """A store that compares every object with its checksum before it hands out any of it.

    `sums` are the checksums by key; none: objects are handed out as they are.
    """

    def __init__(self, store: Store, url: str, sums: Mapping[str, int] | None, remedy: str) -> None:
        super().__init__(store)
        self._url, self._sums, self._remedy = url, sums, remedy

    def _with_store(self, store: Store) -> Checked:
        return Checked(store, self._url, self._sums, self._remedy)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """An object or a part of it, once the whole is known to be what was written."""
        where = storage.join(self._url, key)
        with storage.one_sentence(where, "read"):
            found = await self._store.get(key, prototype)
        known = self._sums.get(key) if self._sums is not None else None
        if self._sums is None or key == SUMS or (found is None and known is None):
            return None if found is None else found[_slice(byte_range, len(found))]
        if found is None or zlib.crc32(found.to_bytes()) != known:
            state = "lost" if found is None else "surplus" if known is None else "altered"
            raise StoreDamaged(f"an object is {state}", where=where, remedy=self._remedy)
        return found[_slice(byte_range, len(found))]

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Parts of several objects."""
        return list(await asyncio.gather(*(self.get(k, prototype, r) for k, r in key_ranges)))

    async def _get_many(
        self, requests: Iterable[tuple[str, BufferPrototype, ByteRequest | None]]
    ) -> AsyncGenerator[tuple[str, Buffer | None], None]:
        for key, prototype, byte_range in requests:
            yield key, await self.get(key, prototype, byte_range)


def _slice(byte_range: ByteRequest | None, size: int) -> slice:
    if isinstance(byte_range, RangeByteRequest):
        return slice(byte_range.start, byte_range.end)
    if isinstance(byte_range, OffsetByteRequest):
        return slice(byte_range.offset, size)
    if isinstance(byte_range, SuffixByteRequest):
        return slice(max(size - byte_range.suffix, 0), size)
    return slice(None)


class Recording(WrapperStore["Store"]):
    """A store that brings every object to the disk and remembers its checksum in `sums`."""

    def __init__(self, url: str) -> None:
        super().__init__(storage.zarr_store(url))
        self.url = url
        self.sums: dict[str, int] = {}

    async def set(self, key: str, value: Buffer) -> None:
        """Write an object in one step."""
        data = value.to_bytes()
        await asyncio.to_thread(storage.write_bytes, storage.join(self.url, key), data)
        self.sums[key] = zlib.crc32(data)

    async def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        self.sums.pop(key, None)
        with storage.one_sentence(storage.join(self.url, key), "remove"):
            await self._store.delete(key)

    def settle(self) -> None:
        """Bring the names of all that was written to the disk too."""
        storage.settle(self.url, self.sums)
