"""Ground area per radar cell: facets between pixel centres, summed into cells in radar geometry.

γ-areas of all lit facets are spread over points as dense as half a cell, and from each point
bilinearly to the four cells around it (Small 2011). They are collected by *squares* between four
cell centres, two numbers per corner: the second is how often the facets, lit or not, cover the
cell, reversed ones less than 0. That is 1 on every ground without gaps, folded or not; points make
it ripple by a percent or two, and the area with it, which is divided by it. Where the ground folds
over, facets arrive with reversed orientation: their cells hold layover.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept
from cpazmal_scale.terrain.facets import UNIT
from cpazmal_scale.terrain.nodes import CELL, along
from cpazmal_scale.terrain.shadow import look_up

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]

PER_CELL, MOST = 2, 64
"""Points per cell and axis over which a facet is spread, and the most per facet and axis."""
RIPPLE = 0.05
"""Share by which points may miss how often a cell is covered; what exceeds it are gaps."""
_BITS = 8
"""Bits of a facet's number of points along each of its axes."""
_REVERSED, _INSIDE = 1 << 16, 1 << 17
"""Bits beside them: it is folded over, and lies in the strip as a whole."""


@inlined
def _gammas(
    height: Array, r: int, terms: Array, node: int, start: int, v: float, gamma: Array
) -> None:
    """γ-areas of the facets below a row of posts; `start` is the column of the first post."""
    c = 0
    while c < gamma.size:
        i = (start + c + 1) // CELL
        a, da = along(terms, 0, node, i, v)
        b, db = along(terms, 1, node, i, v)
        d, dd = along(terms, 2, node, i, v)
        e, de = along(terms, 3, node, i, v)
        f, df = along(terms, 4, node, i, v)
        g, dg = along(terms, 5, node, i, v)
        first, stop = i * CELL - start - 1, min(gamma.size, (i + 1) * CELL - start - 1)
        for n in range(c, stop):
            u = (n - first) / CELL
            p, q = height[r, n], height[r, n + 1]
            s, t = height[r + 1, n], height[r + 1, n + 1]
            level = (p + q + s + t) / (4 * UNIT)
            across, down = ((q - p) + (t - s)) / 2, ((s - p) + (t - q)) / 2
            flat = (a + u * da) + level * (b + u * db)
            flat += across * ((d + u * dd) + level * (e + u * de))
            gamma[n] = flat + down * ((f + u * df) + level * (g + u * dg))
        c = stop


@inlined
def _shapes(
    line: Array,
    sample: Array,
    r: int,
    turn: float,
    limits: tuple[float, ...],
    shape: Words,
    cover: Array,
) -> None:
    """Points along both axes of every facet below a row, whether it is reversed, and where it is;
    `cover` gets the cells it covers, less than 0 where it is reversed.

    `limits` are the first and last line and sample between which points are in the strip.
    """
    for n in range(shape.size):
        la, lb, ld, le = line[r, n], line[r, n + 1], line[r + 1, n], line[r + 1, n + 1]
        sa, sb, sd, se = sample[r, n], sample[r, n + 1], sample[r + 1, n], sample[r + 1, n + 1]
        low, high = min(min(la, lb), min(ld, le)), max(max(la, lb), max(ld, le))
        near, far = min(min(sa, sb), min(sd, se)), max(max(sa, sb), max(sd, se))
        wide = max(max(abs(lb - la), abs(le - ld)), max(abs(sb - sa), abs(se - sd)))
        long = max(max(abs(ld - la), abs(le - lb)), max(abs(sd - sa), abs(se - sb)))
        here = ((lb - la) + (le - ld)) * ((sd - sa) + (se - sb))
        here -= ((ld - la) + (le - lb)) * ((sb - sa) + (se - sd))
        inside = low >= limits[0] and high < limits[1] and near >= limits[2] and far < limits[3]
        meets = high >= limits[0] and low < limits[1] and far >= limits[2] and near < limits[3]
        word = int(min(PER_CELL * wide, MOST - 1.0)) + 1
        word |= (int(min(PER_CELL * long, MOST - 1.0)) + 1) << _BITS
        cover[n] = here * turn / 4
        word |= _REVERSED if cover[n] < 0 else 0
        word |= _INSIDE if inside else 0
        shape[n] = word if meets else 0


@inlined
def _add(squares: Array, k: int, m: int, f: float, g: float, gamma: float, cover: float) -> None:
    """Share amounts between the corners of a square, by the place in it."""
    fourth, third, second = f * g, f - f * g, g - f * g
    first = 1 - f - second
    squares[k, m, 0] += gamma * first
    squares[k, m, 1] += gamma * second
    squares[k, m, 2] += gamma * third
    squares[k, m, 3] += gamma * fourth
    squares[k, m, 4] += cover * first
    squares[k, m, 5] += cover * second
    squares[k, m, 6] += cover * third
    squares[k, m, 7] += cover * fourth


@inlined
def _spread(
    line: tuple[float, float, float, float],
    sample: tuple[float, float, float, float],
    shape: int,
    amounts: tuple[float, float],
    corner: tuple[int, int],
    squares: Array,
    folded: Bytes,
) -> None:
    """Spread a facet's area, and the cells it covers, over points between its corners, which come
    row by row.
    """
    la, lb, ld, le = line
    sa, sb, sd, se = sample
    wide, long = shape & 255, (shape >> _BITS) & 255
    inside, folds = shape & _INSIDE != 0, shape & _REVERSED != 0
    gamma, cover = amounts[0] / (wide * long), amounts[1] / (wide * long)
    lines, samples = squares.shape[0], squares.shape[1]
    for p in range(long):
        y = (p + 0.5) / long
        l0, l1 = la + y * (ld - la), (lb + y * (le - lb)) - (la + y * (ld - la))
        s0, s1 = sa + y * (sd - sa), (sb + y * (se - sb)) - (sa + y * (sd - sa))
        for q in range(wide):
            x = (q + 0.5) / wide
            at, on = l0 + x * l1, s0 + x * s1
            f, g = np.floor(at), np.floor(on)
            k, m = int(f) - corner[0], int(g) - corner[1]
            if inside or (0 <= k < lines and 0 <= m < samples):
                _add(squares, k, m, at - f, on - g, gamma, cover)
            if folds:
                k, m = int(np.floor(at + 0.5)) - corner[0], int(np.floor(on + 0.5)) - corner[1]
                if 0 <= k < folded.shape[0] and 0 <= m < folded.shape[1]:
                    folded[k, m] = 1


@kept
def accumulate(
    height: Array,
    line: Array,
    sample: Array,
    flat: Array,
    first: tuple[int, int],
    hidden: Bytes,
    terms: Array,
    starts: tuple[int, int],
    turn: float,
    corner: tuple[int, int],
    squares: Array,
    folded: Bytes,
) -> None:
    """Add the γ-areas of the facets between posts to the squares of a strip, in order of facets.

    Args:
        height: (h, w) metres at pixel centres; a facet with an unknown one is left out.
        line: (h, w) place in the area lattice, whose cell centres are whole numbers.
        sample: Likewise.
        flat: (J, I, 2) line and place of the shadow lattice on the nodes; see `shadow.look_up`.
        first: Line and place of the first of `hidden`.
        hidden: (lines, places) whether ground is in cast shadow.
        terms: (J, I, 2·TERMS) of `facets.facet_terms`, for the window of posts.
        starts: Row and column of the first post in the map's lattice.
        turn: Sign of the orientation of flat ground.
        corner: Line and sample of the first cell, the first corner of the first square.
        squares: (lines, samples, 8), added to: m² of the corners above left, above right, below
            left and below right, and how often these are covered.
        folded: (lines + 1, samples + 1) set to 1 where a facet arrives reversed.
    """
    top, start, size = starts[0] // CELL, starts[1] % CELL, height.shape[1] - 1
    gamma, cover = np.empty(size), np.empty(size)
    shape, dark = np.empty(size, np.int64), np.empty(size, np.uint8)
    down, right = corner[0] + squares.shape[0], corner[1] + squares.shape[1]
    limits = float(corner[0]), float(down), float(corner[1]), float(right)
    for r in range(height.shape[0] - 1):
        row = starts[0] + r + 1
        j = row // CELL
        v = (row - j * CELL) / CELL
        _shapes(line, sample, r, turn, limits, shape, cover)
        _gammas(height, r, terms, j - top, start, v, gamma)
        look_up(flat, (j - top, start + 1, v), 0.0, first, hidden, dark)
        for c in range(size):
            if shape[c] != 0 and not np.isnan(gamma[c]):
                lit = gamma[c] if gamma[c] > 0 and dark[c] == 0 else 0.0
                corners = line[r, c], line[r, c + 1], line[r + 1, c], line[r + 1, c + 1]
                others = sample[r, c], sample[r, c + 1], sample[r + 1, c], sample[r + 1, c + 1]
                _spread(corners, others, shape[c], (lit, cover[c]), corner, squares, folded)


@kept
def cells_of(squares: Array, sums: NDArray[np.float32]) -> None:
    """γ-areas (lines − 1, samples − 1) of the cells between four squares each."""
    for k in range(sums.shape[0]):
        for m in range(sums.shape[1]):
            upper = squares[k, m, 3] + squares[k, m + 1, 2]
            gamma = upper + squares[k + 1, m, 1] + squares[k + 1, m + 1, 0]
            upper = squares[k, m, 7] + squares[k, m + 1, 6]
            cover = upper + squares[k + 1, m, 5] + squares[k + 1, m + 1, 4]
            sums[k, m] = gamma / min(max(cover, 1 - RIPPLE), 1 + RIPPLE)
