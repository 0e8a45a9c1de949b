"""A cube read downwards in pieces of whole chunks, each once, the next one while one is used.

A piece is joined to the last rows and columns of those above and left of it, so that the windows
around its pixels are complete; nothing but those rows and columns is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale.config import NOT_VALID
from cpazmal_scale.cube import ChunkReader, Fetch
from cpazmal_scale.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.mapping.classify.edges import Edges, Rows

Needed = Callable[[int, int, int, int], bool]
"""Whether an output pixel of rows y0 ≤ y < y1 and columns x0 ≤ x < x1 is wanted."""


class Window(NamedTuple):
    """Output pixels from (y, x) on, with the pixels of their windows.

    `power` (P, T, h + 2·halo, w + 2·halo) and `mask` (T, …) belong to (h, w) output pixels; both
    are overwritten after the next window. `read` are the seconds of the threads that read,
    `waited` those that were not hidden by computing.
    """

    y: int
    x: int
    power: NDArray[np.float32]
    mask: NDArray[np.uint8]
    read: float
    waited: float


class _Coming(NamedTuple):
    """A piece that is being read: its rows and its number in the row of pieces."""

    y0: int
    y1: int
    number: int
    power: NDArray[np.float32]
    mask: NDArray[np.uint8]
    fetch: Fetch


class Walk:
    """Windows that cover columns x0 ≤ x < x1 from row y0 on, row of pieces by row of pieces.

    Args:
        reader: of the cube.
        y0: first output row.
        columns: first and last + 1 output column.
        halo: pixels around an output pixel that its window needs.
        piece: edge of the pieces: that of the cube's chunks, or less where memory is short.
        needed: what is wanted; pieces that no wanted pixel needs are not read.
        edges: where first rows are left for a walk that ends above, and found below the last ones.
    """

    def __init__(
        self,
        reader: ChunkReader,
        y0: int,
        columns: tuple[int, int],
        halo: int,
        piece: int,
        needed: Needed | None = None,
        edges: Edges | None = None,
    ) -> None:
        self.y = y0
        self._reader, self._halo, self._piece, self._needed = reader, halo, piece, needed
        self._top, self._bottom = y0 - halo, reader.shape[0] + halo
        self._left = columns[0] - halo
        ends = cuts(self._left, columns[1] + halo, piece, 2 * halo)
        self._columns = list(zip([self._left, *ends], ends, strict=False))
        tallest = min(piece, self._bottom - self._top) + 6 * halo
        widest = max(b - a for a, b in self._columns) + 2 * halo
        dates, powers = len(reader.positions), len(reader.layers) - 1
        size = dates * tallest * widest
        self._buffers = [
            (np.empty(powers * size, np.float32), np.empty(size, np.uint8)) for _ in range(2)
        ]
        width = columns[1] - columns[0] + 2 * halo
        self._above = reader.buffers(2 * halo, width)
        self._edges = edges
        self._first: Rows | None = reader.buffers(halo, width) if edges and halo and y0 else None
        self._found: Rows | None = None
        self._last: tuple[NDArray[np.float32], NDArray[np.uint8]] | None = None
        self._end = self._top
        self._coming: _Coming | None = None

    def next(self, last: int, *, ends: bool = False) -> Window:
        """The next window; of a new row of pieces, without what rows from `last` on alone need.

        `ends` tells that no later one needs more.

        Raises:
            CubeDamaged: a chunk is lost or altered.
        """
        stop = last + self._halo
        coming = self._coming or self._begin_row(self._end, stop, ends=ends)
        began = time.perf_counter()
        try:
            coming.fetch.wait()
        except StoreError:
            # What was read ahead for a later block may have failed long ago, and now succeed.
            if coming.number:
                raise
            coming = self._begin(coming.y0, coming.y1, 0)
            coming.fetch.wait()
        waited = time.perf_counter() - began
        y0, y1, number, power, mask, fetch = coming
        if number == 0:
            y1 = self._end = min(y1, stop)
        above, left = self._margins(y0, number)
        rows = above + y1 - y0
        window = power[:, :, :rows], mask[:, :rows]
        self._join(window, above, left, number)
        self._last, self._coming = window, None
        if number + 1 < len(self._columns):
            self._begin(y0, y1, number + 1)
        else:
            self.y = y1 - self._halo
            if self._edges and self._first and y0 == self._top:
                self._edges.leave(y0 + self._halo, self._first)
            if y1 < min(stop, self._bottom):
                self._begin_row(y1, stop, ends=ends)
        x = self._columns[number][0] - left + self._halo
        return Window(y0 - above + self._halo, x, *window, fetch.seconds, waited)

    def close(self) -> None:
        """Give up the piece that is being read."""
        if self._coming is not None:
            self._coming.fetch.cancel()

    def _begin_row(self, y0: int, stop: int, *, ends: bool) -> _Coming:
        """Begin the pieces from row y0 on: whole ones, or the last few rows where they are left."""
        self._found = None
        if self._edges and ends and self._top < y0 and stop - y0 == self._halo:
            rows = self._reader.buffers(self._halo, self._columns[-1][1] - self._left)
            self._found = rows if self._edges.find(y0, rows) else None
        whole = cuts(y0, self._bottom, self._piece, 2 * self._halo)[0]
        return self._begin(y0, whole if self._found is None else stop, 0)

    def _margins(self, y0: int, number: int) -> tuple[int, int]:
        """Rows above and columns left of a piece that come from other pieces."""
        around = 2 * self._halo
        return around if y0 > self._top else 0, around if number else 0

    def _begin(self, y0: int, y1: int, number: int) -> _Coming:
        """Read a piece in the background, into the buffer that the last window does not use."""
        above, left = self._margins(y0, number)
        x0, x1 = self._columns[number]
        self._buffers.reverse()
        flat_power, flat_mask = self._buffers[0]
        shape = (len(self._reader.positions), above + y1 - y0, left + x1 - x0)
        size = int(np.prod(shape))
        mask = flat_mask[:size].reshape(shape)
        power = flat_power[: (len(self._reader.layers) - 1) * size].reshape(-1, *shape)
        here: Rows = power[:, :, above:, left:], mask[:, above:, left:]
        halo, fetch = self._halo, Fetch([])
        if self._found is not None:
            for part, rows in zip(here, self._found, strict=True):
                part[...] = rows[..., x0 - self._left : x1 - self._left]
        elif self._needed is None or self._needed(y0 - halo, y1 + halo, x0 - halo, x1 + halo):
            fetch = self._reader.fetch(*here, y0, x0)
        else:
            here[0][...], here[1][...] = np.nan, NOT_VALID
            if y0 == self._top:
                self._first = None
        self._coming = _Coming(y0, y1, number, power, mask, fetch)
        return self._coming

    def _join(
        self,
        window: tuple[NDArray[np.float32], NDArray[np.uint8]],
        above: int,
        left: int,
        number: int,
    ) -> None:
        """Add the margins to a piece, and keep its last rows for the pieces below."""
        x0, x1 = (x - self._left for x in self._columns[number])
        around = 2 * self._halo
        arrays: list[tuple[NDArray[Any], ...]] = [self._above, window, self._last or window]
        if self._first and not above:
            rows: Rows = window
            for first, values in zip(self._first, rows, strict=True):
                first[..., x0:x1] = values[..., self._halo : around, left:]
        for kept, values, before in zip(*arrays, strict=True):
            if left:
                values[..., :left] = before[..., before.shape[-1] - left :]
            if above:
                values[..., :above, left:] = kept[..., x0:x1]
            kept[..., x0:x1] = values[..., values.shape[-2] - around :, left:]


def cuts(start: int, end: int, piece: int, least: int) -> list[int]:
    """Ends of pieces of a range: multiples of `piece`, both sides of them longer than `least`."""
    first = (start + least) // piece + 1
    inner = range(first * piece, end - least, piece)
    return [*inner, end]
