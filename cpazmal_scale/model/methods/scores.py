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
_ABREAST = 8
_IN_CACHE = 512


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
def standardised(values: np.ndarray, mean: np.ndarray, scale: np.ndarray, out: np.ndarray) -> None:
    """z-scores of `values` (K, T, P), `mean` and `scale` (K) float64, rounded once to float32."""
    for k in range(values.shape[0]):
        for t in range(values.shape[1]):
            row, to = values[k, t], out[k, t]
            for p in range(row.size):
                to[p] = np.float32((np.float64(row[p]) - mean[k]) / scale[k])


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


@kept
def deep_trees(
    block: np.ndarray,
    feature: np.ndarray,
    threshold: np.ndarray,
    child: np.ndarray,
    missing_left: np.ndarray,
    roots: np.ndarray,
    leaf_values: np.ndarray,
    out: np.ndarray,
) -> None:
    """Add the `leaf_values` (nodes, C) of the leaf that a pixel reaches in every tree to `out`.

    A node goes to `child` if its feature is at most its threshold (or missing, where
    `missing_left`), else to `child + 1`; a leaf is its own child. Eight pixels walk down a tree
    together, so that the loads of one hide behind those of the others. `block` (D, P) float32,
    `out` (C, P) float64.
    """
    pixels = block.shape[1]
    nodes = np.empty(_ABREAST, np.int32)
    for start in range(0, pixels, _IN_CACHE):
        end = min(start + _IN_CACHE, pixels)
        for tree in range(roots.size):
            for first in range(start, end, _ABREAST):
                count = min(_ABREAST, end - first)
                nodes[:] = roots[tree]
                moved = 1
                while moved != 0:
                    moved = 0
                    for p in range(count):
                        node = nodes[p]
                        value = block[feature[node], first + p]
                        left = (value <= threshold[node]) | (
                            (value != value) & (missing_left[node] != 0)
                        )
                        after = child[node] + (0 if left else 1)
                        moved |= after - node
                        nodes[p] = after
                for p in range(count):
                    for c in range(out.shape[0]):
                        out[c, first + p] += leaf_values[nodes[p], c]


@kept
def small_trees(
    block: np.ndarray,
    feature: np.ndarray,
    threshold: np.ndarray,
    left_out: np.ndarray,
    missing_left: np.ndarray,
    bounds: np.ndarray,
    tree_class: np.ndarray,
    leaf_values: np.ndarray,
    out: np.ndarray,
) -> None:
    """Add the leaf of every tree of at most 30 leaves to its class's row of `out`.

    Every node is looked at, in loops that become SIMD, instead of walked to (QuickScorer, Lucchese
    et al. 2015): a test that fails strikes out the leaves of its left side, and of those that
    remain the first is reached.

    Args:
        block: float32 `(D, P)`.
        feature: int32 `(nodes,)`, inner nodes of all trees, tree by tree.
        threshold: float32 `(nodes,)`.
        left_out: int32 `(nodes,)` bits of the leaves that stay when the test fails.
        missing_left: uint8 `(nodes,)` whether the test holds for a missing number.
        bounds: int32 `(trees + 1,)` first node of each tree, and the end.
        tree_class: int32 `(trees,)`.
        leaf_values: float64 `(trees, leaves)`, from left to right.
        out: float64 `(C, P)`.
    """
    pixels = block.shape[1]
    remain = np.empty(_TOGETHER, np.int32)
    lowest = np.empty(_TOGETHER, np.float32)
    bits = lowest.view(np.int32)
    every = np.int32(-1)
    for start in range(0, pixels, _TOGETHER):
        count = min(_TOGETHER, pixels - start)
        for tree in range(tree_class.size):
            remain[:] = every
            for node in range(bounds[tree], bounds[tree + 1]):
                row = block[feature[node], start : start + count]
                limit, kept_leaves = threshold[node], left_out[node]
                if missing_left[node]:
                    for p in range(count):
                        remain[p] &= kept_leaves if row[p] > limit else every
                else:
                    for p in range(count):
                        remain[p] &= every if row[p] <= limit else kept_leaves
            for p in range(count):  # a power of two as float32 holds its exponent
                lowest[p] = np.float32(remain[p] & -remain[p])
            values, total = leaf_values[tree], out[tree_class[tree], start : start + count]
            for p in range(count):
                total[p] += values[(bits[p] >> 23) - 127]
