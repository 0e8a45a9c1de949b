"""The recursion of the DTW room in a few plain lines, for comparison."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def naive(
    q: ArrayLike,
    s: ArrayLike,
    limits: NDArray[np.integer],
    weights: NDArray[np.floating] | None = None,
    min_dates: int = 1,
    open_ends: str | None = None,
) -> float:
    """DTW-AROW of `(K, T)` and `(K, T')`, float64, straight from its definition."""
    q, s = np.atleast_2d(np.asarray(q, float)), np.atleast_2d(np.asarray(s, float))
    rows, columns = q.shape[1], s.shape[1]
    gone = np.isnan(q).any(axis=0)
    total = np.full((rows, columns), np.inf)
    for i in range(rows):
        for j in range(limits[i][0], limits[i][1]):
            cost = 0.0
            if not gone[i]:
                cost = ((q[:, i] - s[:, j]) ** 2).sum()
                cost += 0.0 if weights is None else float(weights[i][j])
            opened = open_ends in ("begin", "both")
            ways = [0.0] if i == 0 and (j == 0 or opened) else []
            if i and j:
                ways.append(total[i - 1, j - 1])
            if i and not gone[i] and not gone[i - 1]:
                ways.append(total[i - 1, j])
            if j and not gone[i]:
                ways.append(total[i, j - 1])
            total[i, j] = cost + min(ways, default=np.inf)
    valid = rows - gone.sum()
    end = total[-1].min() if open_ends in ("end", "both") else total[-1, -1]
    if valid < max(min_dates, 1) or (gone.any() and np.isinf(end)):
        return np.nan
    return float(np.sqrt(end * rows / valid))
