"""Regions of a cube for chosen dates, chunk objects decoded straight to where they are used."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.cube.format import layout
from cpazmal_scale.cube.format.record import Record, require_record
from cpazmal_scale.cube.read.checked import CheckedChunks
from cpazmal_scale.errors import ModelMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray


class _Piece(NamedTuple):
    """The part of one chunk object that lies in a region."""

    layer: int
    date: int
    row: int
    column: int
    source: tuple[slice, slice]
    target: tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class ChunkReader:
    """The layers of a cube at some dates, in order of time whatever the order of ingest.

    `layers` ends with the mask; `positions` (T) are the dates' places in the store.
    """

    AT_ONCE: ClassVar[tuple[int, int]] = (4, 32)
    """Chunks that a process reads and decodes at once: files, and objects of a remote store."""

    chunks: CheckedChunks
    layers: tuple[str, ...]
    positions: tuple[int, ...]

    @classmethod
    def open(cls, url: str, polarisations: tuple[str, ...], dates: tuple[str, ...]) -> ChunkReader:
        """Open the cube at its last committed state.

        Raises:
            StoreMissing: there is no cube.
            ModelMismatch: it lacks one of the dates.
            CubeDamaged: a list of chunks is lost or altered.
        """
        return cls.of(require_record(url), polarisations, dates)

    @classmethod
    def of(
        cls, record: Record, polarisations: tuple[str, ...], dates: tuple[str, ...]
    ) -> ChunkReader:
        """Open the cube at a state that is known.

        Raises:
            ModelMismatch: it lacks one of the dates.
            CubeDamaged: a list of chunks is lost or altered.
        """
        known = {int(t): i for i, t in enumerate(record.dates["time"])}
        wanted = np.array(dates, "datetime64[s]").astype(np.int64).tolist()
        lacking = [date for date, t in zip(dates, wanted, strict=True) if t not in known]
        if lacking:
            raise ModelMismatch(
                f"the cube no longer holds {lacking[0]}",
                where=record.url,
                remedy="plan the map again",
            )
        layers, positions = (*polarisations, "mask"), tuple(known[t] for t in wanted)
        chunks = CheckedChunks(record)
        chunks.load((layer, index) for layer in layers for index in positions)
        return cls(chunks, layers, positions)

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        height, width = self.chunks.record.grid.shape
        return int(height), int(width)

    @property
    def chunk(self) -> int:
        """Edge of a chunk in pixels."""
        return self.chunks.record.chunk

    def buffers(self, rows: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Arrays for power (P, T, rows, width) and mask (T, rows, width)."""
        dates = len(self.positions)
        return (
            np.empty((len(self.layers) - 1, dates, rows, width), np.float32),
            np.empty((dates, rows, width), np.uint8),
        )

    def read(self, power: NDArray[np.float32], mask: NDArray[np.uint8], y0: int, x0: int) -> None:
        """Fill power (P, T, h, w) and mask (T, h, w) with the region that begins at (y0, x0).

        Outside the grid power is NaN and the mask says not valid.

        Raises:
            CubeDamaged: a chunk is lost or altered.
        """
        self.fetch(power, mask, y0, x0).wait()

    def fetch(self, power: NDArray[np.float32], mask: NDArray[np.uint8], y0: int, x0: int) -> Fetch:
        """Begin to fill power and mask, see `read`, in other threads; `wait` raises errors."""
        height, width = mask.shape[1:]
        inside = (y0 >= 0, y0 + height <= self.shape[0], x0 >= 0, x0 + width <= self.shape[1])
        if not all(inside):
            power[...] = np.nan
            mask[...] = layout.layer_fill("mask")
        pool = _readers(storage.is_remote(self.chunks.record.url))
        pieces = self._pieces(y0, x0, height, width)
        return Fetch([pool.submit(self._place, power, mask, piece) for piece in pieces])

    @property
    def outside(self) -> int:
        """The mask's value outside the grid and where nothing is stored."""
        return int(layout.layer_fill("mask"))

    def has(self, layer: str, date: int) -> bool:
        """Whether a layer was acquired on a date, by its place in time."""
        return self.chunks.record.acquired(layer, self.positions[date])

    def chunk_of(self, layer: int, date: int, row: int, column: int) -> NDArray[Any] | None:
        """The values of one chunk, cut at the grid's edge; None where the cube has none.

        Raises:
            CubeDamaged: it is lost or altered.
            StoreError: the store cannot be reached.
        """
        place = (row, column)
        values = self.chunks.values(self.layers[layer], self.positions[date], place)
        height, width = (n - i * self.chunk for n, i in zip(self.shape, place, strict=True))
        return None if values is None else np.ascontiguousarray(values[:height, :width])

    def _place(self, power: NDArray[np.float32], mask: NDArray[np.uint8], piece: _Piece) -> float:
        """Decode one chunk to where it belongs; the seconds this took."""
        began = time.perf_counter()
        layer, index = self.layers[piece.layer], self.positions[piece.date]
        here = mask if piece.layer == len(self.layers) - 1 else power[piece.layer]
        room = _room(self.chunk**2 * here.itemsize)
        values = self.chunks.values(layer, index, (piece.row, piece.column), room)
        part = layout.layer_fill(layer) if values is None else values[piece.source]
        here[piece.date, *piece.target] = part
        return time.perf_counter() - began

    def _pieces(self, y0: int, x0: int, height: int, width: int) -> Iterator[_Piece]:
        rows = list(_overlaps(y0, height, self.shape[0], self.chunk))
        columns = list(_overlaps(x0, width, self.shape[1], self.chunk))
        for layer in range(len(self.layers)):
            for date in range(len(self.positions)):
                for row, from_y, to_y in rows:
                    for column, from_x, to_x in columns:
                        yield _Piece(layer, date, row, column, (from_y, from_x), (to_y, to_x))


class Fetch:
    """A region that is being read; `seconds` is the threads' time, once it is there."""

    def __init__(self, parts: list[Future[float]]) -> None:
        self._parts = parts
        self.seconds = 0.0

    def wait(self) -> None:
        """Return when the region is there.

        Raises:
            CubeDamaged: a chunk is lost or altered.
            StoreError: the store cannot be reached.
        """
        try:
            self.seconds = sum(part.result() for part in self._parts)
        except BaseException:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Give up, and return when nothing is written any more."""
        for part in self._parts:
            part.cancel()
        wait(self._parts)


_thread = threading.local()


def _room(size: int) -> NDArray[np.uint8]:
    """Bytes that this thread decodes into, chunk after chunk."""
    room: NDArray[np.uint8] | None = getattr(_thread, "room", None)
    if room is None or room.size < size:
        room = _thread.room = np.empty(size, np.uint8)
    return room[:size]


@cache
def _readers(remote: bool) -> ThreadPoolExecutor:
    """The threads of this process that read chunks."""
    return ThreadPoolExecutor(ChunkReader.AT_ONCE[remote], "cube-reader")


# A forked process has no threads but the one that forked.
os.register_at_fork(after_in_child=_readers.cache_clear)


def _overlaps(start: int, length: int, size: int, chunk: int) -> Iterator[tuple[int, slice, slice]]:
    """Chunks that a range of pixels touches: number, part of the chunk, place in the range."""
    low, high = max(start, 0), min(start + length, size)
    for number in range(low // chunk, -(-high // chunk)):
        first, last = max(low, number * chunk), min(high, (number + 1) * chunk)
        begin = number * chunk
        yield number, slice(first - begin, last - begin), slice(first - start, last - start)
