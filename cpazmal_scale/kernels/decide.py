"""Decisions on many pixels at once, in loops over pixels that compilers turn into SIMD.

Additions, multiplications and selections only, in a fixed order and without fast-math: a pixel's
bits depend on its own distances only. Everything stands in one file for numba's cache.
"""

from __future__ import annotations

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept

REJECTED = 254
"""Index of a pixel that is too far from every class."""
NO_CLASS = 255
"""Index of a pixel without any distance."""
TOGETHER = 64
"""Pixels of a row that are decided together."""


@kept
def decide_pixels(
    distances: np.ndarray,
    per_tau: np.ndarray,
    sharpness: np.float32,
    weights: np.ndarray,
    rule: int,
    reject: np.float32,
    index: np.ndarray,
    probability: np.ndarray,
    entropy: np.ndarray,
    margin: np.ndarray,
    distance: np.ndarray,
) -> None:
    """All in float32, `TOGETHER` pixels at a time, row by row in loops that become SIMD."""
    features, classes, pixels = distances.shape
    own = np.zeros((classes, TOGETHER), np.float32)
    chances, sums, work = np.empty_like(own), np.empty_like(own), np.empty_like(own)
    rows = np.empty((5, TOGETHER), np.float32)
    least, weight, gap, doubt, spare = rows[0], rows[1], rows[2], rows[3], rows[4]
    best = np.empty(TOGETHER, np.int32)
    for start in range(0, pixels, TOGETHER):
        count = min(TOGETHER, pixels - start)
        chances[:], sums[:], weight[:] = 0, 0, 0
        for k in range(features):
            if weights[k] == 0:
                continue
            for c in range(classes):
                _scale(distances[k, c, start : start + count], per_tau[k], own[c])
            _weigh(own, weights[k], sums, weight, least)
            if rule == 0:
                _add_softmax(own, least, sharpness, weights[k], chances, work, spare)
            elif rule == 1:
                _add_vote(own, least, weights[k], chances, spare)
        _smallest(sums, least)
        for c in range(classes):
            _share(chances[c], weight)
            _share(sums[c], weight)
        _share(least, weight)
        if rule == 2:
            _add_softmax(sums, least, sharpness, np.float32(1), chances, work, spare)
        _choose(chances, sums, rule, best, gap, spare)
        entropies(chances, doubt, spare)
        for p in range(count):
            chosen = best[p] if least[p] <= reject else REJECTED
            index[start + p] = chosen if weight[p] > 0 else NO_CLASS
        some = slice(start, start + count)
        for c in range(classes):
            _known(chances[c], weight, probability[c, some])
        _known(least, weight, distance[some])
        _known(gap, weight, margin[some])
        _known(doubt, weight, entropy[some])


@inlined
def _scale(raw: np.ndarray, factor: np.float32, row: np.ndarray) -> None:
    for p in range(raw.size):
        row[p] = raw[p] * factor


@inlined
def _share(row: np.ndarray, weight: np.ndarray) -> None:
    for p in range(TOGETHER):
        row[p] /= weight[p] if weight[p] > 0 else np.float32(1)


@inlined
def _known(row: np.ndarray, weight: np.ndarray, out: np.ndarray) -> None:
    for p in range(out.size):
        out[p] = row[p] if weight[p] > 0 else np.float32(np.nan)


@inlined
def _smallest(own: np.ndarray, least: np.ndarray) -> None:
    least[:] = own[0]
    for c in range(1, own.shape[0]):
        row = own[c]
        for p in range(TOGETHER):
            least[p] = row[p] if row[p] < least[p] else least[p]


@inlined
def _weigh(
    own: np.ndarray, share: np.float32, sums: np.ndarray, weight: np.ndarray, least: np.ndarray
) -> None:
    """Add weighted distances to `sums`, but those of pixels with one that is not finite.

    `least` becomes each pixel's smallest distance, NaN for those left out.
    """
    least[:] = 0
    for c in range(own.shape[0]):
        row = own[c]
        for p in range(TOGETHER):
            least[p] += row[p] - row[p]
    for p in range(TOGETHER):
        weight[p] += share if least[p] == 0 else np.float32(0)
    for c in range(own.shape[0]):
        row, total = own[c], sums[c]
        for p in range(TOGETHER):
            total[p] += share * row[p] if least[p] == 0 else np.float32(0)
    for c in range(own.shape[0]):
        row = own[c]
        for p in range(TOGETHER):
            row[p] = row[p] if least[p] == 0 else np.float32(np.nan)
    _smallest(own, least)


@inlined
def _add_vote(
    own: np.ndarray, least: np.ndarray, share: np.float32, chances: np.ndarray, left: np.ndarray
) -> None:
    """Add `share` to the first class at the smallest distance."""
    left[:] = share
    for c in range(own.shape[0]):
        row, chance = own[c], chances[c]
        for p in range(TOGETHER):
            vote = left[p] if row[p] == least[p] else np.float32(0)
            chance[p] += vote
            left[p] -= vote


@inlined
def _add_softmax(
    own: np.ndarray,
    least: np.ndarray,
    sharpness: np.float32,
    share: np.float32,
    chances: np.ndarray,
    work: np.ndarray,
    total: np.ndarray,
) -> None:
    """Add `share * softmax(-sharpness own^2)`; pixels whose `least` is NaN get nothing."""
    total[:] = 0
    for c in range(own.shape[0]):
        row, power = own[c], work[c]
        for p in range(TOGETHER):
            power[p] = sharpness * (least[p] - row[p]) * (least[p] + row[p])
        _exp(power)
        for p in range(TOGETHER):
            total[p] += power[p]
    for p in range(TOGETHER):
        total[p] = share / total[p] if least[p] >= 0 else np.float32(0)
    for c in range(own.shape[0]):
        power, chance = work[c], chances[c]
        for p in range(TOGETHER):
            chance[p] += power[p] * total[p]


@inlined
def _exp(values: np.ndarray) -> None:
    """`exp` in place of numbers not above 0, within 2e-7 relative; 2e-38 below -87 and of NaN.

    `2^n` from the bits of n, `exp(x)`, |x| <= ln(2) / 2, by its Taylor polynomial: plain additions
    and multiplications, the same in every lane.
    """
    bits = np.empty(TOGETHER, np.int32)
    powers = bits.view(np.float32)
    for p in range(TOGETHER):
        value = values[p] if values[p] > np.float32(-87) else np.float32(-87)
        power = value * np.float32(1.4426950408889634)
        whole = np.int32(power - np.float32(0.5))
        bits[p] = (whole + np.int32(127)) << np.int32(23)
        x = (power - np.float32(whole)) * np.float32(0.6931471805599453)
        series = np.float32(1 / 5040) * x + np.float32(1 / 720)
        series = series * x + np.float32(1 / 120)
        series = series * x + np.float32(1 / 24)
        series = series * x + np.float32(1 / 6)
        series = series * x + np.float32(0.5)
        values[p] = (series * x + np.float32(1)) * x + np.float32(1)
    for p in range(TOGETHER):
        values[p] *= powers[p]


@inlined
def _choose(
    chances: np.ndarray,
    sums: np.ndarray,
    rule: int,
    best: np.ndarray,
    gap: np.ndarray,
    second: np.ndarray,
) -> None:
    """Class of each pixel by the rule, and how far its probability leads the next one."""
    chance, away = chances[0].copy(), sums[0].copy()
    best[:], second[:] = 0, 0
    for c in range(1, chances.shape[0]):
        one, far = chances[c], sums[c]
        for p in range(TOGETHER):
            nearer = (far[p] < away[p]) & ((rule == 2) | (rule == 1) & (one[p] == chance[p]))
            better = nearer | (one[p] > chance[p]) & (rule != 2)
            loser = chance[p] if better else one[p]
            second[p] = loser if loser > second[p] else second[p]
            best[p] = np.int32(c) if better else best[p]
            chance[p] = one[p] if better else chance[p]
            away[p] = far[p] if better else away[p]
    for p in range(TOGETHER):
        gap[p] = chance[p] - second[p]


@inlined
def entropies(chances: np.ndarray, total: np.ndarray, power: np.ndarray) -> None:
    """Normalised entropies; logarithms by the bits and the area series of the mantissa."""
    bits = np.empty(TOGETHER, np.int32)
    mantissa = bits.view(np.float32)
    per_log = np.float32(1 / np.log(max(chances.shape[0], 2)))
    total[:] = 0
    for c in range(chances.shape[0]):
        chance = chances[c]
        for p in range(TOGETHER):
            mantissa[p] = chance[p] if chance[p] > np.float32(1e-30) else np.float32(1e-30)
        for p in range(TOGETHER):
            whole = (bits[p] - np.int32(0x3F3504F3)) >> np.int32(23)
            bits[p] -= whole << np.int32(23)
            power[p] = np.float32(whole) * np.float32(0.6931471805599453)
        for p in range(TOGETHER):
            x = (mantissa[p] - np.float32(1)) / (mantissa[p] + np.float32(1))
            square = x * x
            series = np.float32(2 / 7) * square + np.float32(2 / 5)
            series = (series * square + np.float32(2 / 3)) * square + np.float32(2)
            total[p] -= chance[p] * (power[p] + series * x)
    for p in range(TOGETHER):
        doubt = total[p] * per_log
        total[p] = min(max(doubt, np.float32(0)), np.float32(1))
