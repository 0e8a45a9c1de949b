"""The temperature of probabilities, fitted by log-loss on scores of held-out groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALLEST, _LARGEST = 1e-2, 1e3


def fitted_temperature(scores: NDArray[np.float64], codes: NDArray[np.intp]) -> float:
    """Temperature in [0.01, 1000] at which softmax(scores / temperature) has least log-loss.

    Args:
        scores: `(C, N)` of held-out series.
        codes: `(N,)` true class positions.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    finite = np.isfinite(scores).all(axis=0)
    known, true = scores[:, finite], codes[finite]
    if not true.size:
        return 1.0
    own = known[true, np.arange(true.size)]

    def loss(log_temperature: float) -> float:
        sharpness = np.exp(-log_temperature)
        return float((logsumexp(sharpness * known, axis=0) - sharpness * own).mean())

    bounds = (np.log(_SMALLEST), np.log(_LARGEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
