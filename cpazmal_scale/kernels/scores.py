"""Compiled loops from series to the classes' scores, and from scores to a decision.

Loops over pixels are innermost and in a fixed order, without fast-math: a pixel's bits depend on
its own series only.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cpazmal_scale.kernels.channels import copy
from cpazmal_scale.kernels.compiled import inlined, kept, kept_with, source
from cpazmal_scale.kernels.lanes_f64 import LANES, load, multiply_add, spread, store
from cpazmal_scale.kernels.tiles import CHUNK, gather

NO_CLASS = 255
"""Index of a pixel without enough valid dates."""
SOURCE = source("channels", "lanes_f64", "lanes_f32", "tiles")
_ROWS = 15
_ONE, _TWO, _THREE = np.uint64(LANES), np.uint64(2 * LANES), np.uint64(3 * LANES)


@kept_with(SOURCE)
def linear_scores(
    block: np.ndarray,
    mean: np.ndarray,
    weights: np.ndarray,
    intercepts: np.ndarray,
    out: np.ndarray,
) -> None:
    """`out[c, p] = intercepts[c] + sum over d of weights[c, d] (block[d, p] - mean[d])`.

    A missing value counts as its mean. `block` (D, P) float32; `mean` (D), `weights` (C, D),
    `intercepts` (C) and `out` (C, P) float64.
    """
    numbers, pixels = block.shape
    instead, fours, first = mean.astype(np.float32), *_by_fours(mean, weights, intercepts)
    rows, sums = np.zeros((_ROWS, CHUNK), np.float32), np.empty((len(first), CHUNK), np.float64)
    values, factors, totals = rows.reshape(-1), fours.reshape(-1), sums.reshape(-1)
    for start in range(0, pixels, CHUNK):
        many = min(CHUNK, pixels - start)
        for c in range(len(first)):
            sums[c] = first[c]
        for d in range(0, numbers, _ROWS):
            count = min(_ROWS, numbers - d)
            gather(block, d, count, start, many, instead, rows)
            for p in range(0, many, 4 * LANES):
                for c in range(0, len(first), 4):
                    at = c * numbers + 4 * d
                    _four_classes(values, p, count, factors, at, totals, c * CHUNK + p)
        for c in range(len(out)):
            copy(sums[c, :many], out[c, start:])


@inlined
def _by_fours(
    mean: np.ndarray, weights: np.ndarray, intercepts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (C / 4, D, 4) and scores (C) of a series of zeros, C filled up with empty classes."""
    classes, numbers = weights.shape
    fours = -(-classes // 4)
    rows, first = np.zeros((fours, numbers, 4), np.float64), np.zeros(fours * 4, np.float64)
    for c in range(classes):
        rows[c // 4, :, c % 4] = weights[c]
        total = 0.0
        for d in range(numbers):
            total += weights[c, d] * mean[d]
        first[c] = intercepts[c] - total
    return rows, first


@inlined
def _four_classes(
    rows: np.ndarray, p: int, count: int, weights: np.ndarray, w: int, sums: np.ndarray, at: int
) -> None:
    """Add some numbers of four vectors of pixels, from `p` on, to the scores of four classes.

    Offsets are unsigned: whether one is negative would have to be looked for.
    """
    a, b, d, e = _load_four(sums, at)
    f, g, h, k = _load_four(sums, at + CHUNK)
    m, n, o, q = _load_four(sums, at + 2 * CHUNK)
    r, s, t, u = _load_four(sums, at + 3 * CHUNK)
    x, y = np.uint64(p), np.uint64(w)
    for _ in range(count):
        i, j, v, z = (
            load(rows, x),
            load(rows, x + _ONE),
            load(rows, x + _TWO),
            load(rows, x + _THREE),
        )
        a, b, d, e = _weighted(weights, y, i, j, v, z, a, b, d, e)
        f, g, h, k = _weighted(weights, y + np.uint64(1), i, j, v, z, f, g, h, k)
        m, n, o, q = _weighted(weights, y + np.uint64(2), i, j, v, z, m, n, o, q)
        r, s, t, u = _weighted(weights, y + np.uint64(3), i, j, v, z, r, s, t, u)
        x, y = x + np.uint64(CHUNK), y + np.uint64(4)
    _store_four(sums, at, a, b, d, e)
    _store_four(sums, at + CHUNK, f, g, h, k)
    _store_four(sums, at + 2 * CHUNK, m, n, o, q)
    _store_four(sums, at + 3 * CHUNK, r, s, t, u)


@inlined
def _weighted(
    weights: np.ndarray, at: Any, i: Any, j: Any, v: Any, z: Any, a: Any, b: Any, d: Any, e: Any
) -> Any:
    w = spread(weights[at])
    return (
        multiply_add(w, i, a), multiply_add(w, j, b), multiply_add(w, v, d), multiply_add(w, z, e)
    )  # fmt: skip


@inlined
def _load_four(sums: np.ndarray, at: int) -> Any:
    return (
        load(sums, at), load(sums, at + LANES), load(sums, at + 2 * LANES),
        load(sums, at + 3 * LANES),
    )  # fmt: skip


@inlined
def _store_four(sums: np.ndarray, at: int, one: Any, two: Any, three: Any, four: Any) -> None:
    store(sums, at, one)
    store(sums, at + LANES, two)
    store(sums, at + 2 * LANES, three)
    store(sums, at + 3 * LANES, four)


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
        best, total, weighted, finite = 0, 0.0, 0.0, known[p]
        for c in range(classes):
            if scores[c, p] > scores[best, p]:
                best = c
            finite = finite and math.isfinite(scores[c, p])
        if not finite:
            index[p], entropy[p], margin[p] = NO_CLASS, np.nan, np.nan
            probability[:, p] = np.nan
            continue
        for c in range(classes):
            behind = sharpness * (scores[c, p] - scores[best, p])
            chances[c] = math.exp(behind)
            total += chances[c]
            weighted += chances[c] * behind
        doubt, second = math.log(total) - weighted / total, 0.0
        for c in range(classes):
            chance = chances[c] / total
            probability[c, p] = chance
            if c != best and chance > second:
                second = chance
        index[p] = best
        entropy[p] = min(max(doubt * per_log, 0.0), 1.0)
        margin[p] = chances[best] / total - second
