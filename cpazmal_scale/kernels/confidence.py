"""The largest probability as held-out series bear it out; compiled, a pixel's bits are its own."""

from __future__ import annotations

import math

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept

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


@kept
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
    per_log = 1.0 / math.log(max(classes, 2))
    slope = confidence[0]
    for p in range(pixels):
        if not math.isfinite(probability[0, p]):
            continue
        best = index[p]
        if best >= classes:
            best = 0
            for c in range(1, classes):
                if probability[c, p] > probability[best, p]:
                    best = c
        second, rest = 0.0, 0.0
        for c in range(classes):
            if c != best:
                second = max(second, probability[c, p])
                rest += probability[c, p]
        sure = borne_out(float(probability[best, p]), second, slope, confidence[1 + best])
        factor = (1.0 - sure) / rest if rest > 0.0 else 0.0
        even = (1.0 - sure) / max(classes - 1, 1) if rest <= 0.0 else 0.0
        doubt, second = 0.0, 0.0
        for c in range(classes):
            chance = sure if c == best else probability[c, p] * factor + even
            probability[c, p] = chance
            doubt -= chance * math.log(chance) if chance > 0.0 else 0.0
            if c != best:
                second = max(second, chance)
        entropy[p] = min(max(doubt * per_log, 0.0), 1.0)
        margin[p] = sure - second
