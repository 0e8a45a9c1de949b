"""A cube as a read-only Zarr store in which a lost or altered chunk is an error, not no-data."""

from __future__ import annotations

import asyncio
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale.cube.format import layout
from cpazmal_scale.cube.format.record import ROOT, Record
from cpazmal_scale.cube.read.checked import CheckedChunks
from cpazmal_scale.errors import CubeDamaged
from cpazmal_scale.storage import stores

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

CHUNKS_AT_ONCE = 16


class CubeStore(stores.OneByOne):
    """The committed state that a record describes.

    Every chunk of a layer is compared with the CRC-32 that the cube lists, so that it is read whole
    even where a part is asked for; chunks that it does not list are not asked for. Zarr itself
    reads a missing object as the fill value.
    """

    def __init__(self, record: Record) -> None:
        super().__init__(storage.zarr_store(record.url, read_only=True))
        self.chunks = CheckedChunks(record)

    def __reduce__(self) -> tuple[type[CubeStore], tuple[Record]]:
        return CubeStore, (self.chunks.record,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CubeStore) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __dask_tokenize__(self) -> tuple[str, str]:
        return self._identity

    @property
    def _identity(self) -> tuple[str, str]:
        record = self.chunks.record
        return record.url, hashlib.sha256(record.root).hexdigest()

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The object of a key, or a range of its bytes; None where the cube has none.

        Raises:
            CubeDamaged: it is lost or altered.
        """
        record = self.chunks.record
        chunk = layout.chunk_of(key)
        if key == ROOT or (chunk and chunk[0] in record.layers):
            data: bytes | None = record.root
            if chunk:
                loop = asyncio.get_running_loop()
                data = await loop.run_in_executor(_pool(), self.chunks.read, *chunk)
            if data is None:
                return None
            return prototype.buffer.from_bytes(data[stores.part(byte_range, len(data))])
        value: Buffer | None = await self._store.get(key, prototype, byte_range)
        coordinate = layout.coordinate_of(key)
        if value is None and coordinate:
            raise CubeDamaged(
                f"the coordinate {coordinate} is lost",
                where=storage.join(record.url, key),
                remedy="run `cpazmal verify --repair`, or restore it from a copy",
            )
        return value


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(CHUNKS_AT_ONCE, thread_name_prefix="cube-chunks")


# A forked process has no threads but the one that forked.
os.register_at_fork(after_in_child=_pool.cache_clear)
