"""One pass of DBA: every series aligned with an average, what it matches summed per date."""

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
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
        series: float64 `(N, T)`, NaN a missing date.
        shares: float64 `(N,)` weight of each series, the scale of its missing dates included.
        average: float64 `(T',)`.
        limits: int32 `(T, 2)` column limits.
        weights: float64 `(T, T')` additive cost per cell, or of size 0.
        sums: float64 `(T',)`, added to.
        counts: float64 `(T',)`, added to.
        costs: float64 `(N,)`, set to share times squared path cost; 0 for series that have no
            share or whose missing dates leave no path: they count for nothing.
    """
    rows, columns = series.shape[1], average.size
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    costs[:] = 0.0
    for n in range(series.shape[0]):
        if shares[n] == 0.0:
            continue
        _accumulate(series[n], average, limits, weights, total)
        if np.isinf(total[rows, columns]):
            continue
        costs[n] = shares[n] * total[rows, columns]
        i, j = rows - 1, columns - 1
        while True:
            gone = np.isnan(series[n, i])
            if not gone:
                sums[j] += shares[n] * series[n, i]
                counts[j] += shares[n]
            if i == 0 and j == 0:
                break
            best, down, right = total[i, j], 1, 1
            if not gone and i > 0 and total[i, j + 1] < best and not np.isnan(series[n, i - 1]):
                best, right = total[i, j + 1], 0
            if not gone and total[i + 1, j] < best:
                down, right = 0, 1
            i -= down
            j -= right


@nb.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _accumulate(
    one: np.ndarray,
    average: np.ndarray,
    limits: np.ndarray,
    weights: np.ndarray,
    total: np.ndarray,
) -> None:
    closed = False
    for i in range(one.size):
        gone = np.isnan(one[i])
        for j in range(limits[i, 0], limits[i, 1]):
            best = total[i, j]
            if not gone:
                if not closed:
                    best = min(best, total[i, j + 1])
                best = min(best, total[i + 1, j])
                step = one[i] - average[j]
                best += step * step
                if weights.size:
                    best += weights[i, j]
            total[i + 1, j + 1] = best
        closed = gone
