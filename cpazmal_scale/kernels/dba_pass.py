"""One pass of DBA: every series aligned with an average, what it matches summed per date."""

from __future__ import annotations

import numpy as np

from cpazmal_scale.kernels.compiled import kept


@kept
def align_all(
    series: np.ndarray,
    shares: np.ndarray,
    average: np.ndarray,
    limits: np.ndarray,
    weights: np.ndarray,
    sums: np.ndarray,
    counts: np.ndarray,
    costs: np.ndarray,
) -> None:
    """Add what each date of `average` is matched with to `sums`, its weight to `counts`.

    Args:
        series: float64 `(N, K, T)`, NaN in all features of a missing date.
        shares: float64 `(N,)` weight of each series, the scale of its missing dates included.
        average: float64 `(K, T')`.
        limits: int32 `(T, 2)` column limits.
        weights: float64 `(T, T')` additive cost per cell, or of size 0.
        sums: float64 `(K, T')`, added to.
        counts: float64 `(T',)`, added to.
        costs: float64 `(N,)`, set to share times squared path cost; 0 for series that have no
            share or whose missing dates leave no path: they count for nothing.
    """
    rows, columns = series.shape[2], average.shape[1]
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    costs[:] = 0.0
    for n in range(series.shape[0]):
        if shares[n] == 0.0:
            continue
        accumulate(series[n], average, limits, weights, total)
        if np.isinf(total[rows, columns]):
            continue
        costs[n] = shares[n] * total[rows, columns]
        i, j = rows - 1, columns - 1
        while True:
            gone = np.isnan(series[n, 0, i])
            if not gone:
                for k in range(series.shape[1]):
                    sums[k, j] += shares[n] * series[n, k, i]
                counts[j] += shares[n]
            if i == 0 and j == 0:
                break
            down, right, best = 1, 1, total[i, j]
            if not gone:
                if i > 0 and total[i, j + 1] < best and not np.isnan(series[n, 0, i - 1]):
                    right, best = 0, total[i, j + 1]
                if total[i + 1, j] < best:
                    down, right = 0, 1
            i -= down
            j -= right


@kept
def accumulate(
    one: np.ndarray,
    average: np.ndarray,
    limits: np.ndarray,
    weights: np.ndarray,
    total: np.ndarray,
) -> None:
    """Fill `total` `(T + 1, T' + 1)`, given infinite but for the 0 in its first corner."""
    closed = True
    for i in range(one.shape[1]):
        value, above, row = one[0, i], total[i], total[i + 1]
        first, end = np.uint32(limits[i, 0]), np.uint32(limits[i, 1])
        left, gone = np.inf, np.isnan(value)
        for j in range(first, end):
            if gone:
                row[j + 1] = above[j]
                continue
            best = min(above[j], left)
            if not closed:
                best = min(best, above[j + 1])
            step = value - average[0, j]
            cost = step * step
            for k in range(1, one.shape[0]):
                step = one[k, i] - average[k, j]
                cost += step * step
            if weights.size:
                cost += weights[i, j]
            row[j + 1] = left = best + cost
        closed = gone
