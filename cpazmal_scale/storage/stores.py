"""Zarr stores that compare what they hand out with checksums, or take those of what comes."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.storage import WrapperStore

from cpazmal_scale import storage
from cpazmal_scale.errors import StoreDamaged
from cpazmal_scale.storage.groups import SUMS, known_sums

if TYPE_CHECKING:
    from zarr.abc.store import Store
    from zarr.core.buffer import Buffer, BufferPrototype


def open_checked(url: str, remedy: str) -> Store:
    """A read-only Zarr store at any URL that hands out nothing that was altered.

    Args:
        url: of the group.
        remedy: what the errors say can be done.

    Raises:
        StoreMissing: there is no group.
        StoreDamaged: its checksums were altered or lost.
    """
    sums = known_sums(url, remedy)
    return Checked(storage.zarr_store(url, read_only=True), url, sums, remedy)


class OneByOne(WrapperStore["Store"]):
    """A store whose reads of several objects are reads of each, so that no check is passed by."""

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Parts of several objects, each as `get` gives it."""
        return list(await asyncio.gather(*(self.get(k, prototype, r) for k, r in key_ranges)))

    async def _get_many(
        self, requests: Iterable[tuple[str, BufferPrototype, ByteRequest | None]]
    ) -> AsyncGenerator[tuple[str, Buffer | None], None]:
        for key, prototype, byte_range in requests:
            yield key, await self.get(key, prototype, byte_range)


class Checked(OneByOne):
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
            return None if found is None else found[part(byte_range, len(found))]
        if found is None or zlib.crc32(found.to_bytes()) != known:
            state = "lost" if found is None else "surplus" if known is None else "altered"
            raise StoreDamaged(f"an object is {state}", where=where, remedy=self._remedy)
        return found[part(byte_range, len(found))]

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Names below a folder of the store."""
        with storage.one_sentence(storage.join(self._url, prefix), "list"):
            async for name in self._store.list_dir(prefix):
                yield name


def part(byte_range: ByteRequest | None, size: int) -> slice:
    """Where the bytes that a request asks for lie in an object of a size; all without one."""
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
