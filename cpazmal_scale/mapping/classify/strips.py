"""A block's series, strip after strip of whole cube chunks, the next one read while one is used."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpazmal_scale.cube import ChunkReader

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.grid.blocks import Block


class Strip(NamedTuple):
    """Some rows of the output, from `y` on, with the pixels of their windows.

    `power` (P, T, h + 2·halo, w + 2·halo) and `mask` (T, …) belong to h output rows; `seconds` is
    what reading them took, `waited` how much of it was not hidden by computing.
    """

    y: int
    power: NDArray[np.float32]
    mask: NDArray[np.uint8]
    seconds: float
    waited: float = 0.0


def strips(reader: ChunkReader, block: Block, halo: int) -> Iterator[Strip]:
    """The block from top to bottom, cut where the cube's chunks end; no pixel is read twice.

    Outside the grid power is NaN and the mask says not valid. The arrays are overwritten two
    strips later.

    Raises:
        CubeDamaged: a chunk is lost or cannot be decoded.
    """
    pieces = cut_rows(block, halo, reader.chunk)
    tallest = max(y1 - y0 + (2 * halo if i else 0) for i, (y0, y1) in enumerate(pieces))
    width = block.x1 - block.x0 + 2 * halo
    buffers = [reader.buffers(tallest, width) for _ in pieces[:2]]
    filled = [0] * len(pieces)

    def read(i: int) -> Strip:
        began = time.perf_counter()
        power, mask = buffers[i % 2]
        y0, y1 = pieces[i]
        carry = 2 * halo if i else 0
        if i:
            before, end = buffers[(i - 1) % 2], filled[i - 1]
            power[:, :, :carry] = before[0][:, :, end - carry : end]
            mask[:, :carry] = before[1][:, end - carry : end]
        filled[i] = rows = carry + y1 - y0
        reader.read(power[:, :, carry:rows], mask[:, carry:rows], y0, block.x0 - halo)
        seconds = time.perf_counter() - began
        return Strip(y0 - carry + halo, power[:, :, :rows], mask[:, :rows], seconds)

    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(read, 0)
        for i in range(len(pieces)):
            began = time.perf_counter()
            strip = coming.result()
            waited = time.perf_counter() - began
            if i + 1 < len(pieces):
                coming = ahead.submit(read, i + 1)
            yield strip._replace(waited=waited)


def cut_rows(block: Block, halo: int, chunk: int) -> list[tuple[int, int]]:
    """Rows to read one after the other, halo included, cut between the cube's chunks."""
    inner = range(-(-(block.y0 + 1) // chunk) * chunk, block.y1, chunk)
    # A first piece no taller than its halos would leave no output row.
    cuts = [y for y in inner if y - block.y0 > halo]
    return list(itertools.pairwise([block.y0 - halo, *cuts, block.y1 + halo]))
