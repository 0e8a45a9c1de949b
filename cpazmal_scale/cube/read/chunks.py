"""Regions of a cube for chosen dates, chunk objects decoded straight to where they are used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.cube.format import layout
from cpazmal_scale.cube.format.record import Record, read_record
from cpazmal_scale.errors import CubeDamaged, ModelMismatch, StoreMissing

if TYPE_CHECKING:
    from numpy.typing import NDArray

REMOTE_READERS = 16
"""Requests in flight to an object store."""

_Key = TypeVar("_Key")
_DAMAGED = "run `cpazmal verify`, then restore or ingest again"


class _Piece(NamedTuple):
    """The part of one chunk object that lies in a region."""

    layer: int
    date: int
    row: int
    column: int
    source: tuple[slice, slice]
    target: tuple[slice, slice]


@dataclass(frozen=True)
class ChunkReader:
    """The layers of a cube at some dates, in order of time whatever the order of ingest.

    `layers` ends with the mask; `positions` (T) are the dates' places in the store; `stored`
    (layers, T, chunk rows, chunk columns) tells which chunk objects there are: the others hold no
    data and are not asked for.
    """

    url: str
    layers: tuple[str, ...]
    shape: tuple[int, int]
    chunk: int
    positions: tuple[int, ...]
    stored: NDArray[np.bool_]

    @classmethod
    def open(cls, url: str, polarisations: tuple[str, ...], dates: tuple[str, ...]) -> ChunkReader:
        """Open the cube at its last committed state.

        Raises:
            StoreMissing: there is no cube.
            ModelMismatch: it lacks one of the dates.
        """
        record = read_record(url)
        if record is None:
            raise StoreMissing("no cube is here", where=url, remedy="run `cpazmal ingest` first")
        known = {int(t): i for i, t in enumerate(record.dates["time"])}
        wanted = np.array(dates, "datetime64[s]").astype(np.int64).tolist()
        lacking = [date for date, t in zip(dates, wanted, strict=True) if t not in known]
        if lacking:
            raise ModelMismatch(
                f"the cube no longer holds {lacking[0]}", where=url, remedy="plan the map again"
            )
        layers, positions = (*polarisations, "mask"), tuple(known[t] for t in wanted)
        stored = _stored(record, layers, positions)
        shape = (int(record.grid.shape[0]), int(record.grid.shape[1]))
        return cls(url, layers, shape, record.chunk, positions, stored)

    def buffers(self, rows: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Arrays for power (P, T, rows, width) and mask (T, rows, width)."""
        dates = len(self.positions)
        return (
            np.empty((len(self.layers) - 1, dates, rows, width), np.float32),
            np.empty((dates, rows, width), np.uint8),
        )

    def read(self, power: NDArray[np.float32], mask: NDArray[np.uint8], y0: int, x0: int) -> None:
        """Fill power (P, T, h, w) and mask (T, h, w) with the region that begins at (y0, x0).

        Raises:
            CubeDamaged: a chunk is lost or cannot be decoded.
        """
        height, width = mask.shape[1:]
        inside = (y0 >= 0, y0 + height <= self.shape[0], x0 >= 0, x0 + width <= self.shape[1])
        if not all(inside):
            power[...] = np.nan
            mask[...] = layout.layer_fill("mask")

        def fetch(piece: _Piece) -> None:
            here = mask if piece.layer == len(self.layers) - 1 else power[piece.layer]
            here[piece.date, *piece.target] = self._part(piece)

        pieces = self._pieces(y0, x0, height, width)
        if storage.is_remote(self.url):
            _share(fetch, pieces)
        else:
            for piece in pieces:
                fetch(piece)

    def _pieces(self, y0: int, x0: int, height: int, width: int) -> Iterator[_Piece]:
        rows = list(_overlaps(y0, height, self.shape[0], self.chunk))
        columns = list(_overlaps(x0, width, self.shape[1], self.chunk))
        for layer in range(len(self.layers)):
            for date in range(len(self.positions)):
                for row, from_y, to_y in rows:
                    for column, from_x, to_x in columns:
                        yield _Piece(layer, date, row, column, (from_y, from_x), (to_y, to_x))

    def _part(self, piece: _Piece) -> NDArray[np.generic] | float:
        layer = self.layers[piece.layer]
        if not self.stored[piece.layer, piece.date, piece.row, piece.column]:
            return layout.layer_fill(layer)
        place = f"{layer}/c/{self.positions[piece.date]}/{piece.row}/{piece.column}"
        where = storage.join(self.url, place)
        try:
            data = storage.read_bytes(where)
            flat = layout.decode(data, "uint8" if layer == "mask" else "float32")
            return flat.reshape(self.chunk, self.chunk)[piece.source]
        except StoreMissing:
            raise CubeDamaged("a chunk is lost", where=where, remedy=_DAMAGED) from None
        except (RuntimeError, ValueError):
            raise CubeDamaged("a chunk cannot be decoded", where=where, remedy=_DAMAGED) from None


def _stored(
    record: Record, layers: tuple[str, ...], positions: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Which chunk objects the cube says it has."""
    tiles = tuple(-(-int(size) // record.chunk) for size in record.grid.shape)
    found = np.zeros((len(layers), len(positions), *tiles), np.bool_)

    def fetch(at: tuple[int, ...]) -> None:
        acquired = record.dates["polarisations"][positions[at[1]]].split("+")
        if layers[at[0]] not in acquired and layers[at[0]] != "mask":
            return
        where = storage.join(record.url, layout.list_key(layers[at[0]], positions[at[1]]))
        try:
            sums = layout.decode(storage.read_bytes(where), "uint32").reshape(tiles)
        except StoreMissing:
            raise CubeDamaged("a list of chunks is lost", where=where, remedy=_DAMAGED) from None
        except (RuntimeError, ValueError):
            raise CubeDamaged(
                "a list of chunks cannot be decoded", where=where, remedy=_DAMAGED
            ) from None
        found[at] = sums != 0

    _share(fetch, np.ndindex(found.shape[:2]))
    return found


def _share(function: Callable[[_Key], None], keys: Iterable[_Key]) -> None:
    """Call a function for every key from several threads; the first failure is raised."""
    with ThreadPoolExecutor(REMOTE_READERS) as pool:
        for _ in pool.map(function, keys):
            pass


def _overlaps(start: int, length: int, size: int, chunk: int) -> Iterator[tuple[int, slice, slice]]:
    """Chunks that a range of pixels touches: number, part of the chunk, place in the range."""
    low, high = max(start, 0), min(start + length, size)
    for number in range(low // chunk, -(-high // chunk)):
        first, last = max(low, number * chunk), min(high, (number + 1) * chunk)
        begin = number * chunk
        yield number, slice(first - begin, last - begin), slice(first - start, last - start)
