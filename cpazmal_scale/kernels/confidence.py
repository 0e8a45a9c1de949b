"""The largest probability as held-out series bear it out; compiled, a pixel's bits are its own."""

from __future__ import annotations

import math

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept_with, source
from cpazmal_scale.kernels.decide import TOGETHER, entropies

LEAD = 2e-4
"""By how much the class that was decided stays ahead of the next one: two steps of a stored map."""
_LEAST = 1e-6


@inlined
def borne_out(chance: float, second: float, slope: float, offset: float) -> float:
    """`logistic(slope * logit(chance) + offset)`, kept ahead of the `second` largest chance.

    The other probabilities share what is left in the ratios that they had.
    """
    if slope == 1.0 and offset == 0.0:
        return chance
    near = min(max(chance, _LEAST), 1.0 - _LEAST)
    found = 1.0 / (1.0 + math.exp(-(slope * math.log(near / (1.0 - near)) + offset)))
    rest = 1.0 - chance
    ratio = min(second / rest, 1.0) if rest > 0.0 else 0.0
    return min(max(found, ratio / (1.0 + ratio) + LEAD), 1.0)


@kept_with(source("decide"))
def bear_out(
    index: np.ndarray,
    probability: np.ndarray,
    entropy: np.ndarray,
    margin: np.ndarray,
    confidence: np.ndarray,
) -> None:
    """Rescale the probabilities (C, P) of decided pixels in place, with entropy and margin (P,).

    `confidence` (C + 1) float64: a slope, and the offset of each predicted class. The predicted
    class is the one of `index`, or of the largest probability where a pixel was rejected.
    """
    classes, pixels = probability.shape
    chances, doubt = np.zeros((classes, TOGETHER), np.float32), np.zeros(TOGETHER, np.float32)
    best, spare = np.zeros(TOGETHER, np.int32), np.zeros(TOGETHER, np.float32)
    rows = np.zeros((5, TOGETHER))
    second, rest, sure, factor, even = rows[0], rows[1], rows[2], rows[3], rows[4]
    for start in range(0, pixels, TOGETHER):
        count = min(TOGETHER, pixels - start)
        for c in range(classes):
            for p in range(count):
                chances[c, p] = probability[c, start + p]
        _beside(index[start : start + count], chances, best, spare, second, rest)
        for p in range(count):
            left = rest[p]
            sure[p] = borne_out(
                float(spare[p]), second[p], confidence[0], confidence[1 + best[p]]
            )  # fmt: skip
            factor[p] = (1.0 - sure[p]) / left if left > 0.0 else 0.0
            even[p] = (1.0 - sure[p]) / max(classes - 1, 1) if left <= 0.0 else 0.0
        second[:] = 0.0
        for c in range(classes):
            chance = chances[c]
            for p in range(TOGETHER):
                other = chance[p] * factor[p] + even[p]
                chance[p] = other if c != best[p] else sure[p]
                second[p] = max(second[p], other) if c != best[p] else second[p]
        entropies(chances, doubt, spare)
        for p in range(count):
            if math.isfinite(probability[0, start + p]):
                entropy[start + p] = doubt[p]
                margin[start + p] = sure[p] - second[p]
                for c in range(classes):
                    probability[c, start + p] = chances[c, p]


@inlined
def _beside(
    index: np.ndarray, chances: np.ndarray, best: np.ndarray, top: np.ndarray, second: np.ndarray,
    rest: np.ndarray,
) -> None:  # fmt: skip
    """The predicted class, its probability, and the largest and the sum of the others."""
    classes = chances.shape[0]
    best[:], second[:], rest[:] = 0, 0.0, 0.0
    top[:] = chances[0]
    for c in range(1, classes):
        for p in range(TOGETHER):
            more = chances[c, p] > top[p]
            top[p] = chances[c, p] if more else top[p]
            best[p] = np.int32(c) if more else best[p]
    for p in range(index.size):
        best[p] = np.int32(index[p]) if index[p] < classes else best[p]
    for c in range(classes):
        for p in range(TOGETHER):
            chance = np.float64(chances[c, p])
            own = best[p] == c
            top[p] = chances[c, p] if own else top[p]
            second[p] = second[p] if own else max(second[p], chance)
            rest[p] += 0.0 if own else chance
