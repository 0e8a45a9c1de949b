"""Cast shadow: what lies below the line of sight to something nearer.

Ground is sampled on the *shadow lattice*: lines of the area lattice, and places along each line
where a fixed height is seen at equal steps of slant range. Outwards along a line the greatest
off-nadir angle so far is kept; ground seen at a smaller one is hidden.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept
from cpazmal_scale.terrain.nodes import CELL, along

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Bytes = NDArray[np.uint8]


@inlined
def _cosines(
    height: Array, r: int, ground: Array, node: tuple[int, int, float], seat: Array, cosine: Array
) -> None:
    """Of the off-nadir angles of a row of ground.

    `node` is the node row above, the column of the first place counted from the first node, and how
    far below the row lies in cells; `seat` the platform's place.
    """
    j, start, v = node
    px, py, pz = seat[0], seat[1], seat[2]
    far = np.sqrt(px * px + py * py + pz * pz)
    c = 0
    while c < cosine.size:
        i = (start + c) // CELL
        xa, dx = along(ground, 0, j, i, v)
        ya, dy = along(ground, 1, j, i, v)
        za, dz = along(ground, 2, j, i, v)
        na, dn = along(ground, 3, j, i, v)
        oa, do = along(ground, 4, j, i, v)
        wa, dw = along(ground, 5, j, i, v)
        first, stop = i * CELL - start, min(cosine.size, (i + 1) * CELL - start)
        for n in range(c, stop):
            u, h = (n - first + 0.5) / CELL, height[r, n]
            x = xa + u * dx + h * (na + u * dn) - px
            y = ya + u * dy + h * (oa + u * do) - py
            z = za + u * dz + h * (wa + u * dw) - pz
            below = -(x * px + y * py + z * pz)
            cosine[n] = below / (far * np.sqrt(x * x + y * y + z * z))
        c = stop


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
    top, start = starts[0] // CELL, starts[1] % CELL
    cosine = np.empty(height.shape[1])
    for r in range(height.shape[0]):
        row = starts[0] + r
        j = row // CELL
        node = j - top, start, (row - j * CELL + 0.5) / CELL
        _cosines(height, r, ground, node, platform[r], cosine)
        least = nearest[r]
        for c in range(height.shape[1]):
            hidden[r, c] = cosine[c] >= least
            least = cosine[c] if cosine[c] < least else least
        nearest[r] = least


@inlined
def look_up(
    flat: Array,
    node: tuple[int, int, float],
    part: float,
    first: tuple[int, int],
    hidden: Bytes,
    found: Bytes,
) -> None:
    """Whether ground along a row of the map is hidden: the cell it lies in; outside, not.

    Args:
        flat: (J, I, 2) line and place of the reference height on the nodes of the map; cell centres
            are at halves.
        node: Node row above, column of the first point counted from the first node, and how far
            below the row lies in cells.
        part: Where the points lie in their pixels.
        first: Line and place of the first cell.
        hidden: (lines, places).
        found: (w) gets 1 in shadow.
    """
    j, start, v = node
    lines, places = hidden.shape
    c = 0
    while c < found.size:
        i = (start + c) // CELL
        a, da = along(flat, 0, j, i, v)
        b, db = along(flat, 1, j, i, v)
        begin, stop = i * CELL - start, min(found.size, (i + 1) * CELL - start)
        for n in range(c, stop):
            u = (n - begin + part) / CELL
            line, place = a + u * da, b + u * db
            found[n] = 0
            if line == line and place == place:
                k, m = int(np.floor(line)) - first[0], int(np.floor(place)) - first[1]
                if 0 <= k < lines and 0 <= m < places:
                    found[n] = hidden[k, m]
        c = stop
