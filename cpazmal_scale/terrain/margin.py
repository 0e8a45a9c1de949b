"""The unknown ground beyond the end of an elevation raster, and the pixels that it may affect.

Its height may be any of the area: from the lowest to the highest it falls into a stretch of radar
cells, and at the highest it may cast a shadow. Gaps below about a hundred metres are not counted:
they are no end of a raster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.kernels.compiled import kept
from cpazmal_scale.terrain.nodes import CELL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Bytes = NDArray[np.uint8]
    Whole = NDArray[np.int64]

_SHARE = 0.5
"""Of a node cell's heights from which it counts as unknown."""


def mark_missed(
    height: Array, levels: tuple[Array, Array], first: tuple[int, int], missed: Bytes
) -> None:
    """Mark the radar cells that ground of unknown height may fall into.

    Args:
        height: (J·CELL + 1, I·CELL + 1) metres at the pixel centres of whole node cells.
        levels: Least and most line and sample (J or more, I or more, 2) of the node cells over all
            heights.
        first: Line and sample of the first cell.
        missed: (lines, samples) set to 1.
    """
    unknown = np.isnan(height[:-1, :-1])
    if not unknown.any():
        return
    rows, columns = (size // CELL for size in unknown.shape)
    share = unknown.reshape(rows, CELL, columns, CELL).mean(axis=(1, 3))
    least, most = (one[:rows, :columns][share >= _SHARE] for one in levels)
    seen = np.isfinite(least).all(axis=-1)
    low = np.maximum(np.floor(least[seen]).astype(np.int64) - first, 0)
    high = np.maximum(np.ceil(most[seen]).astype(np.int64) + 1 - first, 0)
    for (top, left), (bottom, right) in zip(low.tolist(), high.tolist(), strict=True):
        missed[top:bottom, left:right] = 1


class Raised:
    """Heights along lines of the shadow lattice, block by block from near to far, with unknown
    ground as high as any may be; before the first place of a line nothing is known.
    """

    def __init__(self, lines: int, highest: float) -> None:
        self.highest, self.met = highest, False
        self._since = np.full(lines, CELL, np.int64)

    def block(self, height: Array) -> Array | None:
        """Heights (lines, places) of the next block; None as long as no unknown ground was met.

        Ground counts as unknown where `CELL` places up to it are.
        """
        raised = np.empty(height.shape)
        self.met = bool(_raise(height, self.highest, self._since, raised)) or self.met
        return raised if self.met else None


@kept
def _raise(height: Array, highest: float, since: Whole, raised: Array) -> bool:
    """Heights with unknown ground at the highest; whether there is any.

    Args:
        height: (lines, places) metres, NaN unknown.
        highest: Metres.
        since: (lines) unknown places up to the first; gets those up to the last.
        raised: (lines, places) gets the heights.
    """
    met = False
    for line in range(height.shape[0]):
        length = since[line]
        for place in range(height.shape[1]):
            known = height[line, place] == height[line, place]
            length = 0 if known else length + 1
            high = length >= CELL
            met = met or high
            raised[line, place] = highest if high else height[line, place]
        since[line] = length
    return met


@kept
def take_marks(
    marks: Bytes,
    first: tuple[int, int],
    line: Array,
    sample: Array,
    cell: tuple[float, int],
    found: Bytes,
) -> None:
    """Mark pixels (h, w) whose places lie in marked cells.

    Args:
        marks: (lines, samples) 1 marked.
        first: Line and sample of the first of them.
        line: (h, w) of the pixels, NaN where they have no place.
        sample: Likewise.
        cell: How far a cell begins before its number, and cells per sample.
        found: Gets 1 for these pixels, and keeps what it has for others.
    """
    for r in range(found.shape[0]):
        for c in range(found.shape[1]):
            k = np.floor(line[r, c] + cell[0]) - first[0]
            m = np.floor(sample[r, c] * cell[1] + cell[0]) - first[1]
            if 0 <= k < marks.shape[0] and 0 <= m < marks.shape[1] and marks[int(k), int(m)] > 0:
                found[r, c] = 1
