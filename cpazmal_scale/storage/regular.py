"""Zarr's local store that reads regular files only, because pipes and devices never end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zarr.storage import LocalStore

from cpazmal_scale.storage.reach import regular

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype


class RegularFiles(LocalStore):
    """A local store whose objects are files: a pipe or device raises `StoreError`."""

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """The object of a key, or a part of it; None where there is none."""
        regular(str(self.root / key))
        return await super().get(key, prototype, byte_range)

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """The same for callers without a loop."""
        regular(str(self.root / key))
        return super().get_sync(key, prototype=prototype, byte_range=byte_range)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Parts of several objects."""
        wanted = list(key_ranges)
        for key, _ in wanted:
            regular(str(self.root / key))
        return await super().get_partial_values(prototype, wanted)
