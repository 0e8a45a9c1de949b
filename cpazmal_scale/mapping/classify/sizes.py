"""Bytes that blocks read and hold, and the shape of blocks that reads least twice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from cpazmal_scale.cube import ChunkReader
from cpazmal_scale.features import names
from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.mapping.classify.recipe import Recipe

if TYPE_CHECKING:
    from cpazmal_scale.grid.extent import Extent

TILE = (32, 256)
"""Rows and columns computed together: their series, and those of another worker, stay in L3."""
BASE_MEMORY = 420 << 20
"""Resident size of a worker with all libraries loaded and kernels compiled."""
_SHARE = 0.8
"""Of a worker's memory that a chosen block may take."""


class Shape(NamedTuple):
    """Rows and columns of a block, and the edge of the pieces of the cube that are read for it."""

    height: int
    width: int
    piece: int


class Sizes(NamedTuple):
    """What decides them: the grid, the recipe, the chunks of cube and map, the windows' halo."""

    shape: tuple[int, int]
    recipe: Recipe
    cube_chunk: int
    chunk: int
    halo: int

    @property
    def bytes_in(self) -> int:
        """Per pixel of the cube: all dates, with the mask."""
        return len(self.recipe.dates) * (4 * len(self.recipe.polarisations) + 1)

    @property
    def bytes_out(self) -> int:
        """Per pixel of the map."""
        flat = 6  # class, distance, valid dates
        return flat if self.recipe.withheld else flat + 2 * len(self.recipe.classes) + 5

    def read(self, runs: Sequence[Sequence[Block]], extent: Extent | None = None) -> int:
        """Whole cube chunks that runs of blocks below each other and their halo touch, each once.

        Where a run ends above another one, that leaves it what it needs of the rows below.
        """
        edge, halo, pixels = self.cube_chunk, self.halo, 0
        tops = {(run[0].y0, run[0].x0) for run in runs}
        for run in runs:
            low, high = run[0], run[-1]
            below = 0 if (high.y1, high.x0) in tops else halo
            rows = _touched(low.y0 - halo, high.y1 + below, self.shape[0], edge)
            columns = _touched(low.x0 - halo, low.x1 + halo, self.shape[1], edge)
            for (y0, y1), (x0, x1) in itertools.product(rows, columns):
                around = Block(y0 - halo, y1 + halo, x0 - halo, x1 + halo)
                if extent is None or extent.near(around):
                    pixels += (y1 - y0) * (x1 - x0)
        return pixels * self.bytes_in

    def memory(self, shape: Shape) -> int:
        """Largest resident size of a worker that computes blocks of this shape."""
        height, width = (min(n, m) for n, m in zip(shape, self.shape, strict=False))
        around = 2 * self.halo
        piece = [min(shape.piece, n) + 3 * around for n in (self.shape[0], width)]
        # Kept are rows above; first ones, and the object that they are stored as, are as many.
        pieces = 2 * math.prod(piece) + 3 * around * (width + around)
        decoded = 2 * max(ChunkReader.AT_ONCE) * self.cube_chunk**2 * 4
        settings = self.recipe.features
        every = names(self.recipe.polarisations, settings.xpol, settings.statistics)
        series = len(every) * len(self.recipe.dates) * 4
        tile = TILE[0] * TILE[1] * (3 * series + self.bytes_in + 400)
        made = 3 * height * width * self.bytes_out
        return BASE_MEMORY + pieces * self.bytes_in + decoded + tile + made

    def square(self, edge: int, limit: int) -> Shape:
        """Square blocks of an edge that was asked for, rounded up to whole map chunks."""
        edge = math.ceil(edge / self.chunk) * self.chunk
        whole = Shape(edge, edge, self.cube_chunk)
        fits = self.memory(whole) <= _SHARE * limit
        return whole if fits else whole._replace(piece=min(self.chunk, self.cube_chunk))

    def choose(self, limit: int, workers: int) -> Shape:
        """The blocks that read least twice and fit 80 % of the memory: one row of chunks, wide.

        Workers go down columns of blocks and keep what the next block needs, so only the sides of
        a column and the row above a division are read twice; a worker that waits for the last one
        costs as much as what it could read meanwhile.
        """
        unit = math.ceil(self.cube_chunk / self.chunk) * self.chunk
        small = self.square(self.chunk, limit)
        if small.piece < self.cube_chunk:
            return small
        rows, columns = (math.ceil(n / unit) for n in self.shape)
        best, least = Shape(unit, unit, self.cube_chunk), math.inf
        for number in range(1, columns + 1):
            width = math.ceil(columns / number)
            shape = Shape(unit, width * unit, self.cube_chunk)
            # A side between two columns costs a column of chunks twice, a division a row of them.
            beside = math.ceil(columns / width)
            sides, divisions = 2 * rows * (beside - 1), max(0, workers - beside)
            longest = math.ceil(rows * beside / workers) * width
            cost = workers * longest + sides + divisions * width
            if cost <= least and self.memory(shape) <= _SHARE * limit:
                best, least = shape, cost
        return best


def _touched(low: int, high: int, size: int, edge: int) -> list[tuple[int, int]]:
    """Chunks of an axis that a range touches, as far as they lie on the grid."""
    first, last = max(low, 0) // edge, -(-min(high, size) // edge)
    return [(at * edge, min((at + 1) * edge, size)) for at in range(first, last)]
