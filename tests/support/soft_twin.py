"""Soft alignment and Wasserstein distances of laws from their definitions, for comparison."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import logsumexp


def soft_naive(costs: NDArray[np.floating], gamma: float, limits: NDArray[np.integer]) -> float:
    """The soft (gamma 0: hard) least sum over a table of costs `(T, T')`, inside limits."""
    rows, columns = costs.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for i in range(rows):
        for j in range(limits[i][0], limits[i][1]):
            ways = np.array([total[i, j], total[i, j + 1], total[i + 1, j]])
            if np.isinf(ways).all():
                continue
            least = ways.min() if gamma == 0 else -gamma * logsumexp(-ways / gamma)
            total[i + 1, j + 1] = costs[i, j] + least
    return float(total[-1, -1])


def squared_wasserstein(one: Callable[[float], float], two: Callable[[float], float]) -> float:
    """Integral of the squared difference of two quantile functions."""
    found = quad(lambda p: (one(p) - two(p)) ** 2, 0, 1, limit=400, epsabs=1e-12, epsrel=1e-9)
    return float(found[0])
