"""The k smallest of many distances."""

from __future__ import annotations

import numpy as np

from cpazmal_scale.kernels.compiled import kept


@kept
def keep_smallest(every: np.ndarray, values: np.ndarray, places: np.ndarray) -> None:
    """The `k` smallest of each row, smallest first, of equal ones the first.

    Args:
        every: float32 `(N, R)`; NaN is never among the smallest.
        values: float32 `(N, k)`, k ≤ R, written; NaN where fewer than k are numbers.
        places: intp `(N, k)`, written; any column where `values` is NaN.
    """
    last = values.shape[1] - 1
    for n in range(every.shape[0]):
        own, place = values[n], places[n]
        own[:] = np.inf
        for k in range(last + 1):
            place[k] = k
        for r in range(every.shape[1]):
            value = every[n, r]
            if value < own[last]:
                at = last
                while at > 0 and value < own[at - 1]:
                    own[at], place[at] = own[at - 1], place[at - 1]
                    at -= 1
                own[at], place[at] = value, r
        for k in range(last + 1):
            if own[k] == np.inf:
                own[k] = np.nan
