"""First rows of a column of blocks, left beside the map for the worker that ends above them.

Its last block needs a few rows of those chunks; one object spares it a whole row of chunks.
"""

from __future__ import annotations

import contextlib
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import StoreError
from cpazmal_scale.mapping.classify import records

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rows = tuple["NDArray[Any]", "NDArray[Any]"]
"""Power (P, T, h, w) float32 and mask (T, h, w) uint8."""
_SUM = 4
"""Bytes of the checksum that an object begins with."""


class Edges(NamedTuple):
    """Of blocks in columns x0 ≤ x < x1 of the map at an address."""

    map_url: str
    x0: int
    x1: int

    def leave(self, y: int, rows: Rows) -> None:
        """Store the rows of the cube from row y on.

        Raises:
            StoreError: the workspace cannot be written.
        """
        data = b"".join(part.tobytes() for part in rows)
        storage.write_bytes(self._url(y), zlib.crc32(data).to_bytes(_SUM, "little") + data)

    def find(self, y: int, rows: Rows) -> bool:
        """Fill rows that begin at row y; false where nobody has left them, or others."""
        with contextlib.suppress(StoreError):
            data = storage.read_bytes(self._url(y))
            told, body = data[:_SUM], data[_SUM:]
            if len(body) != sum(part.nbytes for part in rows):
                return False
            if zlib.crc32(body).to_bytes(_SUM, "little") != told:
                return False
            at = 0
            for part in rows:
                part[...] = np.frombuffer(body, part.dtype, part.size, at).reshape(part.shape)
                at += part.nbytes
            return True
        return False

    def _url(self, y: int) -> str:
        return storage.join(records.folder(self.map_url), f"edge-y{y}-x{self.x0}-{self.x1}")
