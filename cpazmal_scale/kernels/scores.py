"""Compiled loops from series to the classes' scores, and from scores to a decision.

Loops over pixels are innermost and in a fixed order, without fast-math: a pixel's bits depend on
its own series only.
"""

from __future__ import annotations

import math

import numpy as np

from cpazmal_scale.kernels.compiled import kept

NO_CLASS = 255
"""Index of a pixel without enough valid dates."""
_TOGETHER = 256


@kept
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
    classes = weights.shape[0]
    sums = np.empty((classes, _TOGETHER), np.float64)
    away = np.empty(_TOGETHER, np.float64)
    for start in range(0, pixels, _TOGETHER):
        count = min(_TOGETHER, pixels - start)
        for c in range(classes):
            sums[c, :] = intercepts[c]
        for d in range(numbers):
            row = block[d, start : start + count]
            middle = mean[d]
            for p in range(count):
                value = np.float64(row[p]) - middle
                away[p] = value if value == value else 0.0
            for c in range(classes):
                weight, total = weights[c, d], sums[c]
                for p in range(_TOGETHER):
                    total[p] += weight * away[p]
        for c in range(classes):
            out[c, start : start + count] = sums[c, :count]


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
