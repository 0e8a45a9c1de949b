"""Ground area per radar cell, and the ratio of it to the cell's own area at every pixel.

γ-areas of all lit facets are summed into cells of an area lattice in radar geometry, each spread
over points as dense as a third of a cell, bilinearly (Small 2011). Where the ground folds over,
facets arrive with reversed orientation: their cells hold layover.
"""

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
from cpazmal_scale.terrain.nodes import CELL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Bytes = NDArray[np.uint8]

PER_CELL, MOST = 3, 64
"""Points per cell and axis over which a facet is spread, and the most per facet."""
LEAST = 0.05
"""Of the ratio of flat ground: cells with less lit ground are in shadow (Small 2011)."""
LAYOVER, SHADOW = 1, 2
"""Bits of a pixel."""


@inlined
def _term(terms: Array, j: int, i: int, v: float, u: float, number: int, height: float) -> float:
    level = height / UNIT
    a = terms[j, i, number, 0] + level * terms[j, i, number, 1]
    b = terms[j, i + 1, number, 0] + level * terms[j, i + 1, number, 1]
    c = terms[j + 1, i, number, 0] + level * terms[j + 1, i, number, 1]
    d = terms[j + 1, i + 1, number, 0] + level * terms[j + 1, i + 1, number, 1]
    value: float = (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * c + u * d)
    return value


@inlined
def _spread(sums: Array, k: int, m: int, amount: float) -> None:
    if 0 <= k < sums.shape[0] and 0 <= m < sums.shape[1]:
        sums[k, m] += amount


@inlined
def _edges(terms: Array, j: int, i: int, v: float, edge: Array) -> None:
    """The γ terms on both sides of a node cell, at a height between its upper and lower nodes."""
    for side in range(2):
        over, under = terms[j, i + side], terms[j + 1, i + side]
        for number in range(3):
            for part in range(2):
                edge[side, number, part] = (1 - v) * over[number, part] + v * under[number, part]


@inlined
def _gamma(edge: Array, u: float, level: float, across: float, down: float) -> float:
    """γ-area of a facet that rises by `across` and `down` per pixel."""
    total = 0.0
    for side in range(2):
        one = edge[side, 0, 0] + level * edge[side, 0, 1]
        one += across * (edge[side, 1, 0] + level * edge[side, 1, 1])
        one += down * (edge[side, 2, 0] + level * edge[side, 2, 1])
        total += one * (u if side == 1 else 1 - u)
    return total


@inlined
def _scatter(
    line: tuple[float, float, float, float],
    sample: tuple[float, float, float, float],
    gamma: float,
    reversed_: bool,
    sums: Array,
    folded: Bytes,
) -> None:
    """Spread a facet's area over points between its corners, which come row by row."""
    la, lb, ld, le = line
    sa, sb, sd, se = sample
    low, high = min(min(la, lb), min(ld, le)), max(max(la, lb), max(ld, le))
    near, far = min(min(sa, sb), min(sd, se)), max(max(sa, sb), max(sd, se))
    lines, samples = sums.shape
    whole = low >= 0 and high < lines - 1 and near >= 0 and far < samples - 1
    long = max(max(abs(le - la), abs(se - sa)), max(abs(ld - lb), abs(sd - sb)))
    count = min(MOST, int(PER_CELL * long) + 1)
    share = max(gamma, 0.0) / (count * count)
    for p in range(count):
        y = (p + 0.5) / count
        al, bl = la + y * (ld - la), lb + y * (le - lb)
        a, b = sa + y * (sd - sa), sb + y * (se - sb)
        for q in range(count):
            x = (q + 0.5) / count
            at, on = al + x * (bl - al), a + x * (b - a)
            k, m = int(np.floor(at)), int(np.floor(on))
            f, g = at - k, on - m
            if whole:
                sums[k, m] += share * (1 - f) * (1 - g)
                sums[k, m + 1] += share * (1 - f) * g
                sums[k + 1, m] += share * f * (1 - g)
                sums[k + 1, m + 1] += share * f * g
            else:
                _spread(sums, k, m, share * (1 - f) * (1 - g))
                _spread(sums, k, m + 1, share * (1 - f) * g)
                _spread(sums, k + 1, m, share * f * (1 - g))
                _spread(sums, k + 1, m + 1, share * f * g)
            if reversed_:
                k, m = int(np.floor(at + 0.5)), int(np.floor(on + 0.5))
                if 0 <= k < lines and 0 <= m < samples:
                    folded[k, m] = 1


@kept
def accumulate(
    height: Array,
    line: Array,
    sample: Array,
    shaded: Bytes,
    terms: Array,
    starts: tuple[int, int],
    turn: float,
    first: tuple[int, int],
    sums: Array,
    folded: Bytes,
) -> None:
    """Add the γ-areas of the facets between posts to the cells of a strip, in order of facets.

    Args:
        height: (h, w) metres at pixel centres; a facet with an unknown one is left out.
        line: (h, w) place in the area lattice, whose cell centres are whole numbers.
        sample: Likewise.
        shaded: (h, w) whether the facet below and right of a post lies in cast shadow.
        terms: Of `facets.facet_terms`, for the window of posts.
        starts: Row and column of the first post in the map's lattice.
        turn: Sign of the orientation of flat ground.
        first: Line and sample of the strip's first cell.
        sums: (lines, samples) m², added to.
        folded: (lines, samples) set to 1 where a facet arrives reversed.
    """
    top, left = starts[0] // CELL, starts[1] // CELL
    lines, samples = sums.shape
    edge = np.empty((2, 3, 2))
    for r in range(height.shape[0] - 1):
        row = starts[0] + r + 1
        j = row // CELL
        v = (row - j * CELL) / CELL
        cell = -1
        for c in range(height.shape[1] - 1):
            a, b = height[r, c], height[r, c + 1]
            d, e = height[r + 1, c], height[r + 1, c + 1]
            mean = (a + b + d + e) / 4
            if np.isnan(mean):
                continue
            la, lb = line[r, c] - first[0], line[r, c + 1] - first[0]
            ld, le = line[r + 1, c] - first[0], line[r + 1, c + 1] - first[0]
            if max(max(la, lb), max(ld, le)) < -1 or min(min(la, lb), min(ld, le)) > lines:
                continue
            sa, sb = sample[r, c] - first[1], sample[r, c + 1] - first[1]
            sd, se = sample[r + 1, c] - first[1], sample[r + 1, c + 1] - first[1]
            if max(max(sa, sb), max(sd, se)) < -1 or min(min(sa, sb), min(sd, se)) > samples:
                continue
            here = ((lb - la) + (le - ld)) * ((sd - sa) + (se - sb))
            here -= ((ld - la) + (le - lb)) * ((sb - sa) + (se - sd))
            reversed_ = here * turn < 0
            gamma = 0.0
            if shaded[r, c] == 0:
                column = starts[1] + c + 1
                i = column // CELL
                if i != cell:
                    cell = i
                    _edges(terms, j - top, i - left, v, edge)
                across, down = ((b - a) + (e - d)) / 2, ((d - a) + (e - b)) / 2
                gamma = _gamma(edge, (column - i * CELL) / CELL, mean / UNIT, across, down)
            if gamma > 0 or reversed_:
                _scatter((la, lb, ld, le), (sa, sb, sd, se), gamma, reversed_, sums, folded)


@kept
def gather(
    posts: Array,
    line: Array,
    sample: Array,
    shaded: Bytes,
    terms: Array,
    starts: tuple[int, int],
    first: tuple[int, int],
    sums: NDArray[np.float32],
    folded: Bytes,
    ratio: NDArray[np.float32],
    angle: NDArray[np.float32],
    mask: Bytes,
) -> None:
    """Area ratio, local incidence and mask at pixels.

    Args:
        posts: (h + 2, w + 2) heights at pixel centres, those around the window included.
        line: (h, w) place of each pixel in the area lattice.
        sample: Likewise.
        shaded: (h, w) whether the pixel lies in cast shadow.
        terms: Of `facets.facet_terms`, for the window.
        starts: Row and column of the first pixel in the map's lattice.
        first: Line and sample of the first cell of `sums`.
        sums: (lines, samples) γ-areas, m².
        folded: (lines, samples) 1 where a cell holds layover.
        ratio: (h, w) gets γ-area over the cell's own area, NaN in shadow and where unknown.
        angle: (h, w) gets the angle in degrees between line of sight and the ground's normal.
        mask: (h, w) gets `LAYOVER` and `SHADOW`.
    """
    top, left = starts[0] // CELL, starts[1] // CELL
    lines, samples = sums.shape
    for r in range(line.shape[0]):
        row = starts[0] + r
        j = row // CELL
        v = (row - j * CELL + 0.5) / CELL
        for c in range(line.shape[1]):
            ratio[r, c] = angle[r, c] = np.nan
            mask[r, c] = 0
            height = posts[r + 1, c + 1]
            across = (posts[r + 1, c + 2] - posts[r + 1, c]) / 2
            down = (posts[r + 2, c + 1] - posts[r, c + 1]) / 2
            if np.isnan(height + across + down) or np.isnan(line[r, c]):
                continue
            column = starts[1] + c
            i = column // CELL
            u = (column - i * CELL + 0.5) / CELL
            jj, ii = j - top, i - left
            gamma = _term(terms, jj, ii, v, u, GAMMA, height)
            gamma += across * _term(terms, jj, ii, v, u, GAMMA_X, height)
            gamma += down * _term(terms, jj, ii, v, u, GAMMA_Y, height)
            square = _term(terms, jj, ii, v, u, UU, height)
            square += 2 * across * _term(terms, jj, ii, v, u, UV, height)
            square += 2 * down * _term(terms, jj, ii, v, u, UW, height)
            square += across * across * _term(terms, jj, ii, v, u, VV, height)
            square += down * down * _term(terms, jj, ii, v, u, WW, height)
            square += 2 * across * down * _term(terms, jj, ii, v, u, VW, height)
            cosine = min(1.0, max(-1.0, gamma / np.sqrt(square)))
            angle[r, c] = np.degrees(np.arccos(cosine))
            if gamma <= 0 or shaded[r, c] != 0:
                mask[r, c] |= SHADOW
            at, on = line[r, c] - first[0], sample[r, c] - first[1]
            k, m = int(np.floor(at + 0.5)), int(np.floor(on + 0.5))
            if 0 <= k < lines and 0 <= m < samples and folded[k, m] != 0:
                mask[r, c] |= LAYOVER
            k, m = int(np.floor(at)), int(np.floor(on))
            if not (0 <= k < lines - 1 and 0 <= m < samples - 1):
                continue
            f, g = at - k, on - m
            area = (1 - f) * ((1 - g) * sums[k, m] + g * sums[k, m + 1])
            area += f * ((1 - g) * sums[k + 1, m] + g * sums[k + 1, m + 1])
            found = area / _term(terms, jj, ii, v, u, BETA, height)
            cosine = _term(terms, jj, ii, v, u, COSINE, height)
            if found < LEAST * cosine / np.sqrt(1 - cosine * cosine):
                mask[r, c] |= SHADOW
            else:
                ratio[r, c] = found
