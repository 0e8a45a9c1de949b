"""Compiled loops from series to the classes' scores, and from scores to a decision.

Loops over pixels are innermost and in a fixed order, without fast-math: a pixel's bits depend on
its own series only.
"""

from __future__ import annotations

import math

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept, source
from cpazmal_scale.kernels.lanes_f64 import LANES, add, at_least, load, mul, spread, store, sub

NO_CLASS = 255
"""Index of a pixel without enough valid dates."""
SOURCE = source("lanes_f64")
_TOGETHER = 2 * LANES
_TILES = 16


@kept
def linear_scores(
    block: np.ndarray,
    mean: np.ndarray,
    weights: np.ndarray,
    intercepts: np.ndarray,
    out: np.ndarray,
    source: int = SOURCE,  # noqa: ARG001
) -> None:
    """`out[c, p] = intercepts[c] + sum over d of weights[c, d] (block[d, p] - mean[d])`.

    A missing value counts as its mean. `block` (D, P) float32; `mean` (D), `weights` (C, D),
    `intercepts` (C) and `out` (C, P) float64. Sums of four classes at a time stay in registers.
    """
    numbers, pixels = block.shape
    classes = weights.shape[0]
    whole = np.zeros((-(-classes // 4) * 4, numbers), np.float64)
    whole[:classes] = weights
    first = np.zeros(len(whole), np.float64)
    first[:classes] = intercepts
    tiles = np.zeros((_TILES, numbers * _TOGETHER), np.float64)
    sums = np.empty(len(whole) * _TOGETHER, np.float64)
    for start in range(0, pixels, _TILES * _TOGETHER):
        many = min(_TILES * _TOGETHER, pixels - start)
        _offsets(block, mean, start, many, tiles)
        for tile in range(-(-many // _TOGETHER)):
            at = start + tile * _TOGETHER
            count = min(_TOGETHER, pixels - at)
            for c in range(0, len(whole), 4):
                _four_classes(tiles[tile], numbers, whole, first, c, sums)
            for c in range(classes):
                out[c, at : at + count] = sums[c * _TOGETHER : c * _TOGETHER + count]


@inlined
def _offsets(block: np.ndarray, mean: np.ndarray, start: int, many: int, tiles: np.ndarray) -> None:
    """Offsets of some pixels from the means, 0 where a value is missing, tile by tile.

    Rows of numbers lie far apart: enough of each is read at once.
    """
    numbers, pixels = block.shape
    whole, zero = many // _TOGETHER, spread(0.0)
    flat = tiles.reshape(-1)
    for d in range(numbers):
        middle = spread(mean[d])
        for tile in range(whole):
            at, to = d * pixels + start + tile * _TOGETHER, (tile * numbers + d) * _TOGETHER
            one, two = sub(load(block, at), middle), sub(load(block, at + LANES), middle)
            store(flat, to, at_least(one, one, one, zero))
            store(flat, to + LANES, at_least(two, two, two, zero))
        for p in range(whole * _TOGETHER, many):
            value = np.float64(block[d, start + p]) - mean[d]
            at = (whole * numbers + d) * _TOGETHER + p - whole * _TOGETHER
            flat[at] = value if value == value else 0.0


@inlined
def _four_classes(
    tile: np.ndarray,
    numbers: int,
    weights: np.ndarray,
    intercepts: np.ndarray,
    c: int,
    sums: np.ndarray,
) -> None:
    """The scores of `_TOGETHER` pixels for four classes."""
    a = d = spread(intercepts[c])
    e = f = spread(intercepts[c + 1])
    g = h = spread(intercepts[c + 2])
    k = m = spread(intercepts[c + 3])
    for n in range(numbers):
        one, two = load(tile, n * _TOGETHER), load(tile, n * _TOGETHER + LANES)
        weight = spread(weights[c, n])
        a, d = add(a, mul(weight, one)), add(d, mul(weight, two))
        weight = spread(weights[c + 1, n])
        e, f = add(e, mul(weight, one)), add(f, mul(weight, two))
        weight = spread(weights[c + 2, n])
        g, h = add(g, mul(weight, one)), add(h, mul(weight, two))
        weight = spread(weights[c + 3, n])
        k, m = add(k, mul(weight, one)), add(m, mul(weight, two))
    at = c * _TOGETHER
    store(sums, at, a)
    store(sums, at + LANES, d)
    store(sums, at + 2 * LANES, e)
    store(sums, at + 3 * LANES, f)
    store(sums, at + 4 * LANES, g)
    store(sums, at + 5 * LANES, h)
    store(sums, at + 6 * LANES, k)
    store(sums, at + 7 * LANES, m)


@kept
def sort_rows(values: np.ndarray) -> None:
    """Sort the M numbers of each pixel of `values` (K, C, M, P) in place; all or none are NaN."""
    features, classes, count, pixels = values.shape
    for k in range(features):
        for c in range(classes):
            for last in range(count - 1, 0, -1):
                for m in range(last):
                    one, two = values[k, c, m], values[k, c, m + 1]
                    for p in range(pixels):
                        low, high = one[p], two[p]
                        one[p] = high if high < low else low
                        two[p] = low if high < low else high


@kept
def decide_scores(
    scores: np.ndarray,
    known: np.ndarray,
    sharpness: float,
    index: np.ndarray,
    probability: np.ndarray,
    entropy: np.ndarray,
    margin: np.ndarray,
) -> None:
    """Softmax of `sharpness * scores` (C, P), its first largest class, entropy over ln C, margin.

    Pixels that are not `known` (P), or with a score that is not finite, get no class and NaN.
    """
    classes, pixels = scores.shape
    per_log = 1.0 / math.log(max(classes, 2))
    chances = np.empty(classes, np.float64)
    for p in range(pixels):
        best, total, finite = 0, 0.0, known[p]
        for c in range(classes):
            if scores[c, p] > scores[best, p]:
                best = c
            finite = finite and math.isfinite(scores[c, p])
        if not finite:
            index[p], entropy[p], margin[p] = NO_CLASS, np.nan, np.nan
            probability[:, p] = np.nan
            continue
        for c in range(classes):
            chances[c] = math.exp(sharpness * (scores[c, p] - scores[best, p]))
            total += chances[c]
        doubt, second = 0.0, 0.0
        for c in range(classes):
            chance = chances[c] / total
            probability[c, p] = chance
            doubt -= chance * math.log(chance) if chance > 0 else 0.0
            if c != best and chance > second:
                second = chance
        index[p] = best
        entropy[p] = min(max(doubt * per_log, 0.0), 1.0)
        margin[p] = chances[best] / total - second
