"""How far pixels are from the nearest of several mean series, many pixels at once."""

from __future__ import annotations

import math

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept

_TOGETHER = 64


@kept
def nearest_mean(
    block: np.ndarray,
    mean: np.ndarray,
    per_scale: np.ndarray,
    centres: np.ndarray,
    per_tau: np.ndarray,
    min_dates: int,
    known: np.ndarray,
    out: np.ndarray,
) -> None:
    """Least mean over features of scaled Euclidean distances `(P,)` of series `(K, T, P)`.

    A sum over the valid dates is scaled by all over valid ones. Features with fewer than
    `min_dates` valid dates do not count; pixels without any are not `known` and get NaN.

    Args:
        block: float32, raw, NaN missing.
        mean: float32 `(K,)`; with `per_scale` `(K,)` it makes z-scores.
        per_scale: one over the standard deviation.
        centres: float32 `(C, K, T)` mean series, z-scored.
        per_tau: float32 `(K,)`, one over the spread.
        min_dates: fewer valid dates do not count.
        known: bool `(P,)`.
        out: float32 `(P,)`.
    """
    classes, features, dates = centres.shape
    pixels = block.shape[2]
    tile = np.empty((dates, _TOGETHER), np.float32)
    sums = np.empty((classes, _TOGETHER), np.float32)
    square = np.empty(_TOGETHER, np.float32)
    valid = np.empty(_TOGETHER, np.float32)
    counted = np.empty(_TOGETHER, np.float32)
    gaps = np.empty((dates, _TOGETHER), np.float32)
    for p in range(0, pixels, _TOGETHER):
        some = min(_TOGETHER, pixels - p)
        sums[:], counted[:] = 0, 0
        for k in range(features):
            _fill(block[k, :, p : p + some], mean[k], per_scale[k], tile, gaps, valid)
            least = np.float32(max(min_dates, 1))
            whole = True
            for lane in range(some):
                whole = whole and valid[lane] == np.float32(dates)
            for lane in range(_TOGETHER):
                counted[lane] += np.float32(1) if valid[lane] >= least else np.float32(0)
            for c in range(classes):
                square[:] = 0
                for t in range(dates):
                    centre, here, gap = centres[c, k, t], tile[t], gaps[t]
                    if whole:
                        for lane in range(_TOGETHER):
                            step = here[lane] - centre
                            square[lane] += step * step
                    else:
                        for lane in range(_TOGETHER):
                            step = (here[lane] - centre) * gap[lane]
                            square[lane] += step * step
                total = sums[c]
                for lane in range(_TOGETHER):
                    scale = np.float32(dates) / max(valid[lane], np.float32(1))
                    away = np.float32(math.sqrt(square[lane] * scale)) * per_tau[k]
                    total[lane] += away if valid[lane] >= least else np.float32(0)
        for lane in range(some):
            nearest = np.float32(np.inf)
            for c in range(classes):
                nearest = min(nearest, sums[c, lane])
            known[p + lane] = counted[lane] > 0
            out[p + lane] = nearest / counted[lane] if counted[lane] > 0 else np.float32(np.nan)


@inlined
def _fill(
    rows: np.ndarray,
    mean: np.float32,
    per_scale: np.float32,
    tile: np.ndarray,
    gaps: np.ndarray,
    valid: np.ndarray,
) -> None:
    """The z-scores of some pixels, 0 where missing; 1 where valid; and how many are."""
    dates, some = rows.shape
    valid[:] = 0
    for t in range(dates):
        row, here, gap = rows[t], tile[t], gaps[t]
        here[some:], gap[some:] = 0, 0
        for lane in range(some):
            value = (row[lane] - mean) * per_scale
            good = abs(value) < np.float32(np.inf)
            here[lane] = value if good else np.float32(0)
            gap[lane] = np.float32(1) if good else np.float32(0)
        for lane in range(_TOGETHER):
            valid[lane] += gap[lane]
