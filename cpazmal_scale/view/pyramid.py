"""A chunked raster at every power of two: cells of 1, 2, 4 … pixels, made when asked for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.view.cache import Held

EDGE = 256
"""Cells along the side of a tile."""
_COARSEST = 64
"""Cells that are made of the pixels of a chunk; coarser ones are made of these."""


class Ready(NamedTuple):
    """Cells of `step` pixels that are stored: `cells(row, column)` gives those of a chunk."""

    step: int
    cells: Callable[[int, int], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Pyramid:
    """One variable of a raster in cells of any power of two.

    `shape` has rows and columns, `chunk` the edge of a chunk; `read(row, column)` gives the values
    (…, h, w) of a chunk, cut at the lower and right edge of the grid, none where it holds nothing;
    `reduce(values, step)` makes cells (…, ⌈h/step⌉, ⌈w/step⌉) of pixels, `again(cells, step)` makes
    coarser ones of cells. `blank` (…) is the value of a cell without data; `ready`, finest first,
    spares reading the chunks for cells of its steps and coarser ones.
    """

    name: Hashable
    shape: tuple[int, int]
    chunk: int
    read: Callable[[int, int], NDArray[Any] | None]
    reduce: Callable[[NDArray[Any], int], NDArray[Any]]
    again: Callable[[NDArray[Any], int], NDArray[Any]]
    blank: NDArray[Any]
    held: Held
    pool: Executor
    ready: tuple[Ready, ...] = ()

    @property
    def base(self) -> int:
        """The coarsest cells that are made chunk by chunk; a chunk has a whole number of them."""
        if self.ready:
            return self.ready[-1].step
        return min(self.chunk & -self.chunk, _COARSEST)

    def tile(self, level: int, row: int, column: int) -> NDArray[Any]:
        """Cells (…, EDGE, EDGE) of 2^level pixels; outside the grid they are blank."""
        return self.cells(1 << level, row * EDGE, column * EDGE, EDGE, EDGE)

    def cells(self, step: int, y: int, x: int, height: int, width: int) -> NDArray[Any]:
        """Cells (…, height, width) of `step` pixels, from cell (y, x) on."""
        if step > self.base:
            more = step // self.base
            return self.held.get(  # type: ignore[return-value]
                (self.name, "cells", step, y, x, height, width),
                lambda: self.again(
                    self.cells(self.base, y * more, x * more, height * more, width * more), more
                ),
            )
        side = self.chunk // step
        out = np.empty((*self.blank.shape, height, width), self.blank.dtype)
        out[...] = self.blank[..., None, None]
        places = list(self._touched(side, y, x, height, width))
        found = self.pool.map(lambda place: self._reduced(step, *place), places)
        for (row, column), part in zip(places, found, strict=True):
            if part is None:
                continue
            top, left = row * side - y, column * side - x
            rows, columns = (
                _overlap(top, part.shape[-2], height),
                _overlap(left, part.shape[-1], width),
            )
            inside = part[
                ..., rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
            ]
            out[..., rows, columns] = inside
        return out

    def _touched(
        self, side: int, y: int, x: int, height: int, width: int
    ) -> Iterator[tuple[int, int]]:
        """Row and column of the chunks that cells lie in."""
        down, across = (-(-n // self.chunk) for n in self.shape)
        for row in range(max(y // side, 0), min(-(-(y + height) // side), down)):
            for column in range(max(x // side, 0), min(-(-(x + width) // side), across)):
                yield row, column

    def _reduced(self, step: int, row: int, column: int) -> NDArray[Any] | None:
        def make() -> NDArray[Any] | None:
            for ready in reversed(self.ready):
                if ready.step <= step:
                    cells = ready.cells(row, column)
                    return cells if ready.step == step else self.again(cells, step // ready.step)
            values = self.read(row, column)
            return None if values is None else self.reduce(values, step)

        return self.held.get((self.name, step, row, column), make)


def _overlap(start: int, length: int, size: int) -> slice:
    """The part of a range that lies in 0 … size."""
    return slice(max(start, 0), max(min(start + length, size), max(start, 0)))
