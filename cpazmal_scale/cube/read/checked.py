"""The one way to a chunk of a cube: what should be there, and whether it is what was written."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.cube.format import coding, integrity, layout
from cpazmal_scale.cube.format.record import Record, start_of
from cpazmal_scale.errors import CubeDamaged, StoreMissing

if TYPE_CHECKING:
    from numpy.typing import NDArray

LISTS_AT_ONCE = 16
"""Lists of chunks that are fetched at the same time."""
_REMEDY = "run `cpazmal verify --repair`, or restore it from a copy"


class CheckedChunks:
    """The chunk objects of one committed state of a cube, compared with their CRC-32 when read.

    A chunk that the cube does not list holds no data and is not asked for; one that it lists is
    read whole and unaltered, or an error is raised. Lists are read once, when first needed.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self._sums: dict[tuple[str, int], NDArray[np.uint32]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"record": self.record, "_sums": {}}

    def load(self, lists: Iterable[tuple[str, int]]) -> None:
        """Read the lists of some layers and date numbers, several at a time.

        Raises:
            CubeDamaged: one is lost or altered.
        """
        with ThreadPoolExecutor(LISTS_AT_ONCE) as pool:
            for _ in pool.map(lambda one: self.sums(*one), lists):
                pass

    def sums(self, layer: str, index: int) -> NDArray[np.uint32]:
        """CRC-32 of the chunk objects (rows, columns) of a layer on a date, 0 where there is none.

        Raises:
            CubeDamaged: the list is lost or altered.
        """
        known = self._sums.get((layer, index))
        if known is None:
            known = self._sums[layer, index] = self._read_sums(layer, index)
        return known

    def read(self, layer: str, index: int, row: int, column: int) -> bytes | None:
        """A chunk object as it was written; None where the cube has none.

        Raises:
            CubeDamaged: it is lost, or its bytes are others than those that were written.
            StoreError: the store cannot be reached.
        """
        noted = int(self.sums(layer, index)[row, column])
        if not noted:
            return None
        where = storage.join(self.record.url, layout.chunk_key(layer, index, row, column))
        try:
            data = storage.read_bytes(where)
        except StoreMissing:
            data = None
        if data is not None and (zlib.crc32(data) or 1) == noted:
            return data
        # A repair may have replaced both the chunk and its list since the list was read.
        fresh = self._sums[layer, index] = self._read_sums(layer, index)
        if int(fresh[row, column]) != noted:
            return self.read(layer, index, row, column)
        what = f"chunk {row},{column} of {self._label(layer, index)}"
        what += " is lost" if data is None else " is altered"
        raise CubeDamaged(what, where=where, remedy=_REMEDY)

    def values(
        self, layer: str, index: int, place: tuple[int, int], out: NDArray[Any] | None = None
    ) -> NDArray[Any] | None:
        """The values (chunk, chunk) of a chunk; None where the cube has none.

        `out` is room for them that may be used: without it they have their own.

        Raises:
            CubeDamaged: it is lost, altered or cannot be decoded.
            StoreError: the store cannot be reached.
        """
        data = self.read(layer, index, *place)
        if data is None:
            return None
        edge = self.record.chunk
        try:
            return coding.decode(data, self.record.arrays[layer], out).reshape(edge, edge)
        except ValueError:
            where = storage.join(self.record.url, layout.chunk_key(layer, index, *place))
            what = f"chunk {place[0]},{place[1]} of {self._label(layer, index)} cannot be decoded"
            raise CubeDamaged(what, where=where, remedy=_REMEDY) from None

    def _read_sums(self, layer: str, index: int) -> NDArray[np.uint32]:
        record = self.record
        tiles = layout.tiles(record.grid, record.chunk)
        if not record.acquired(layer, index):
            return np.zeros(tiles, np.uint32)
        where = storage.join(record.url, layout.list_key(layer, index))
        said = record.sums.list_of(layer, index)
        try:
            data = storage.read_bytes(where)
            if said not in (None, integrity.checksum(data)):
                raise ValueError("its checksum is another")
            return layout.decode(data, "uint32").reshape(tiles)
        except (StoreMissing, ValueError) as error:
            state = "lost" if isinstance(error, StoreMissing) else "altered"
            what = f"the list of chunks of {self._label(layer, index)} is {state}"
            raise CubeDamaged(what, where=where, remedy=_REMEDY) from None

    def _label(self, layer: str, index: int) -> str:
        if layer in layout.STATIC:
            return layer
        return f"{layer} of {start_of(self.record, index):%Y-%m-%d}"
