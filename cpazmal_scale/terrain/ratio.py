"""Area ratio, local incidence, layover and shadow at the pixels of a map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept
from cpazmal_scale.terrain.facets import (
    BETA,
    COSINE,
    GAMMA,
    GAMMA_X,
    GAMMA_Y,
    UNIT,
    UU,
    UV,
    UW,
    VV,
    VW,
    WW,
)
from cpazmal_scale.terrain.nodes import CELL, along
from cpazmal_scale.terrain.shadow import look_up

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Bytes = NDArray[np.uint8]
    Floats = NDArray[np.float32]

LEAST = 0.05
"""Of the ratio of flat ground: cells with less lit ground are in shadow (Small 2011)."""
EVEN = 2.0
"""Times its own area, 3 dB, that may lie half a cell from a place beside folded or dark ground."""
LAYOVER, SHADOW = 1, 2
"""Bits of a pixel."""


@inlined
def _term(
    terms: Array, number: int, node: tuple[int, int, float], posts: Array, r: int, found: Array
) -> None:
    """A term of `facets.facet_terms` along a row of pixels, at their heights."""
    j, start, v = node
    c = 0
    while c < found.size:
        i = (start + c) // CELL
        a, da = along(terms, 2 * number, j, i, v)
        b, db = along(terms, 2 * number + 1, j, i, v)
        first, stop = i * CELL - start, min(found.size, (i + 1) * CELL - start)
        for n in range(c, stop):
            u = (n - first + 0.5) / CELL
            found[n] = (a + u * da) + posts[r + 1, n + 1] / UNIT * (b + u * db)
        c = stop


@inlined
def _arccos(x: float) -> float:
    """In radians, to 2 units in the last place, by the rational function of FreeBSD's `e_acos.c`.

    It is made of plain operations, so that every machine finds the same bits, several at once.
    """
    size = abs(x)
    steep = size > 0.5
    z = (1 - size) / 2 if steep else size * size
    p = 7.91534994289814532176e-04 + z * 3.47933107596021167570e-05
    p = 2.01212532134862925881e-01 + z * (-4.00555345006794114027e-02 + z * p)
    p = z * (1.66666666666666657415e-01 + z * (-3.25565818622400915405e-01 + z * p))
    q = -6.88283971605453293030e-01 + z * 7.70381505559019352791e-02
    q = 1 + z * (-2.40339491173441421878e00 + z * (2.02094576023350569471e00 + z * q))
    s = np.sqrt(z) if steep else size
    asin = s + s * (p / q)
    near = 2 * asin if steep else np.pi / 2 - asin
    return near if x >= 0 else np.pi - near


@inlined
def _angles(
    posts: Array, r: int, terms: Array, node: tuple[int, int, float], rows: Array, angle: Floats
) -> None:
    """Local incidence in degrees along a row; `rows` (10, w) gets the γ-area in its first."""
    for place, number in enumerate((GAMMA, GAMMA_X, GAMMA_Y, UU, UV, UW, VV, VW, WW)):
        _term(terms, number, node, posts, r, rows[place])
    for n in range(angle.size):
        across = (posts[r + 1, n + 2] - posts[r + 1, n]) / 2
        down = (posts[r + 2, n + 1] - posts[r, n + 1]) / 2
        gamma = rows[0, n] + across * rows[1, n] + down * rows[2, n]
        square = rows[3, n] + 2 * (across * rows[4, n] + down * rows[5, n])
        square += across * (across * rows[6, n] + 2 * down * rows[7, n])
        square += down * down * rows[8, n]
        rows[0, n] = gamma
        rows[1, n] = min(1.0, max(-1.0, gamma / np.sqrt(square)))
    for n in range(angle.size):
        angle[n] = _arccos(rows[1, n]) * (180 / np.pi)


@kept
def gather(
    posts: Array,
    line: Array,
    sample: Array,
    flat: Array,
    corner: tuple[int, int],
    hidden: Bytes,
    terms: Array,
    starts: tuple[int, int],
    first: tuple[int, int],
    sums: Floats,
    folded: Bytes,
    ratio: Floats,
    angle: Floats,
    mask: Bytes,
) -> None:
    """Area ratio, local incidence and mask at pixels.

    Args:
        posts: (h + 2, w + 2) heights at pixel centres, those around the window included.
        line: (h, w) place of each pixel in the area lattice.
        sample: Likewise.
        flat: (J, I, 2) line and place of the shadow lattice on the nodes; see `shadow.look_up`.
        corner: Line and place of the first of `hidden`.
        hidden: (lines, places) whether ground is in cast shadow.
        terms: (J, I, 2·TERMS) of `facets.facet_terms`, for the window.
        starts: Row and column of the first pixel in the map's lattice.
        first: Line and sample of the first cell of `sums`.
        sums: (lines, samples) γ-areas, m².
        folded: (lines, samples) 1 where a cell holds layover.
        ratio: (h, w) gets γ-area over the cell's own area, NaN in shadow and where unknown.
        angle: (h, w) gets the angle in degrees between line of sight and the ground's normal.
        mask: (h, w) gets `LAYOVER` and `SHADOW`.
    """
    top, start = starts[0] // CELL, starts[1] % CELL
    rows, dark = np.empty((9, ratio.shape[1])), np.empty(ratio.shape[1], np.uint8)
    for r in range(ratio.shape[0]):
        row = starts[0] + r
        j = row // CELL
        node = j - top, start, (row - j * CELL + 0.5) / CELL
        _angles(posts, r, terms, node, rows, angle[r])
        look_up(flat, node, 0.5, corner, hidden, dark)
        _term(terms, BETA, node, posts, r, rows[2])
        _term(terms, COSINE, node, posts, r, rows[3])
        for c in range(ratio.shape[1]):
            ratio[r, c], mask[r, c] = np.nan, 0
            if np.isnan(angle[r, c]) or np.isnan(line[r, c]):
                angle[r, c] = np.nan
                continue
            if rows[0, c] <= 0 or dark[c] != 0:
                mask[r, c] |= SHADOW
            cosine = rows[3, c]
            least = LEAST * cosine / np.sqrt(1 - cosine * cosine)
            area, flags = _cell(line[r, c], sample[r, c], first, sums, folded, least * rows[2, c])
            mask[r, c] |= flags
            if area / rows[2, c] < least:
                mask[r, c] |= SHADOW
            else:
                ratio[r, c] = area / rows[2, c]


@inlined
def _between(sums: Floats, k: float, m: float) -> float:
    """γ-area at a place between the centres of four cells."""
    i, j = int(np.floor(k)), int(np.floor(m))
    f, g = k - i, m - j
    area: float = (1 - f) * ((1 - g) * sums[i, j] + g * sums[i, j + 1])
    area += f * ((1 - g) * sums[i + 1, j] + g * sums[i + 1, j + 1])
    return area


@inlined
def _cell(
    line: float,
    sample: float,
    first: tuple[int, int],
    sums: Floats,
    folded: Bytes,
    least: float,
) -> tuple[float, int]:
    """γ-area at a place, NaN beyond the cells; and `LAYOVER` where its cell holds any.

    Where ground of the cells around is folded over or dark, an image may show what lies half a cell
    away: if that has more than `EVEN` times the place's area, the place is masked as they are.
    """
    k, m = line - first[0], sample - first[1]
    if not (1 <= k < sums.shape[0] - 2 and 1 <= m < sums.shape[1] - 2):
        return np.nan, 0
    area = _between(sums, k, m)
    i, j = int(np.floor(k + 0.5)), int(np.floor(m + 0.5))
    flags = LAYOVER if folded[i, j] != 0 else 0
    folds = dim = False
    for y in range(i - 1, i + 2):
        for x in range(j - 1, j + 2):
            folds = folds or folded[y, x] != 0
            dim = dim or sums[y, x] < least
    if folds or dim:
        most = max(_between(sums, k - 0.5, m), _between(sums, k + 0.5, m))
        most = max(most, max(_between(sums, k, m - 0.5), _between(sums, k, m + 0.5)))
        if most > EVEN * area:
            flags |= (LAYOVER if folds else 0) | (SHADOW if dim else 0)
    return area, flags
