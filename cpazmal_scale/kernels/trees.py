"""Decision trees for many pixels at once: deep ones are walked, small ones looked at whole."""

from __future__ import annotations

import numpy as np

from cpazmal_scale.kernels.compiled import kept

_TOGETHER = 256
_ABREAST = 8
_IN_CACHE = 512


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
