"""Cast shadow: what lies below the line of sight to something nearer.

Ground is sampled on the *shadow lattice*: lines of the area lattice, and places along each line
where a fixed height is seen at equal steps of slant range. Outwards along a line the greatest
off-nadir angle so far is kept; ground seen at a smaller one is hidden.
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


@kept
def sweep(
    height: Array,
    ground: Array,
    platform: Array,
    starts: tuple[int, int],
    nearest: Array,
    hidden: Bytes,
) -> None:
    """Mark what is hidden in a block of the shadow lattice.

    Args:
        height: (lines, places) metres, NaN unknown, which hides nothing.
        ground: (J, I, 6) earth-fixed place of height 0 and the normal, at every `CELL`-th edge.
        platform: (lines, 3) earth-fixed place of the platform.
        starts: Line and place of the first cell.
        nearest: (lines) cosine of the greatest angle so far, from block to block; updated.
        hidden: (lines, places) gets 1 in shadow.
    """
    top, left = starts[0] // CELL, starts[1] // CELL
    for r in range(height.shape[0]):
        row = starts[0] + r
        j = row // CELL
        v = (row - j * CELL + 0.5) / CELL
        px, py, pz = platform[r, 0], platform[r, 1], platform[r, 2]
        far = np.sqrt(px * px + py * py + pz * pz)
        least = nearest[r]
        for c in range(height.shape[1]):
            hidden[r, c] = 0
            h = height[r, c]
            if np.isnan(h):
                continue
            column = starts[1] + c
            i = column // CELL
            u = (column - i * CELL + 0.5) / CELL
            a, b = ground[j - top, i - left], ground[j - top, i - left + 1]
            d, e = ground[j - top + 1, i - left], ground[j - top + 1, i - left + 1]
            wa, wb, wd, we = (1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u
            x = wa * (a[0] + h * a[3]) + wb * (b[0] + h * b[3])
            x += wd * (d[0] + h * d[3]) + we * (e[0] + h * e[3]) - px
            y = wa * (a[1] + h * a[4]) + wb * (b[1] + h * b[4])
            y += wd * (d[1] + h * d[4]) + we * (e[1] + h * e[4]) - py
            z = wa * (a[2] + h * a[5]) + wb * (b[2] + h * b[5])
            z += wd * (d[2] + h * d[5]) + we * (e[2] + h * e[5]) - pz
            cosine = -(x * px + y * py + z * pz) / (far * np.sqrt(x * x + y * y + z * z))
            if cosine >= least:
                hidden[r, c] = 1
            else:
                least = cosine
        nearest[r] = least


@kept
def look_up(line: Array, place: Array, first: tuple[int, int], hidden: Bytes, found: Bytes) -> None:
    """Whether points of the shadow lattice are hidden: the cell they lie in; outside, not.

    Args:
        line: (h, w) places in the shadow lattice, whose cell centres are at halves.
        place: Likewise.
        first: Line and place of the first cell.
        hidden: (lines, places).
        found: (h, w) gets 1 in shadow.
    """
    lines, places = hidden.shape
    for r in range(line.shape[0]):
        for c in range(line.shape[1]):
            found[r, c] = 0
            if np.isnan(line[r, c]) or np.isnan(place[r, c]):
                continue
            k, m = int(np.floor(line[r, c])) - first[0], int(np.floor(place[r, c])) - first[1]
            if 0 <= k < lines and 0 <= m < places:
                found[r, c] = hidden[k, m]
