"""Laws of a window's amplitudes (Weibull, log-normal), from its log-cumulants, and their distance.

A window at one date is a sample of amplitudes `a`. With the mean `k1` and the variance `k2` of
`ln a` (Nicolas 2002), a Weibull law has shape `pi / sqrt(6 k2)` and scale
`exp(k1 + 0.5772 / shape)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cpazmal_scale.dtw.checks import filled, measured
from cpazmal_scale.kernels.lanes_soft import WIDEST

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Cost = Literal["squared", "wasserstein", "weibull"]
"""Local cost of two dates: squared differences; squared Wasserstein distances of log-amplitudes, or
of Weibull amplitudes."""
_ROOT = np.sqrt(6.0) / np.pi


def weibull_parameters(k1: ArrayLike, k2: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Shape and scale of the Weibull laws with log-cumulants `k1` and `k2`, of any shape.

    NaN stays NaN; `k2` = 0 gives an infinite shape.
    """
    with np.errstate(divide="ignore"):
        width = _ROOT * np.sqrt(np.asarray(filled(k2), np.float64))
        return 1.0 / width, np.exp(np.asarray(filled(k1), np.float64) + np.euler_gamma * width)


def wasserstein_series(series: ArrayLike) -> NDArray[np.float64]:
    """Series `(..., 2C, T)` of `k1, k2` of C channels as `k1, sqrt(k2)`.

    Squared Euclidean distances of these numbers are squared 2-Wasserstein distances of the laws of
    ln a, where the laws differ by location and scale only: log-normal laws, and Weibull laws, whose
    logarithm is Gumbel's. `distances` of the result is Wasserstein DTW, `barycenter` of it holds
    the Fréchet means of the aligned laws.

    Raises:
        ValueError: an odd number of features, or a negative variance.
    """
    values = _pairs(series).copy()
    values[..., 1::2, :] = np.sqrt(values[..., 1::2, :])
    return values


def from_wasserstein(series: ArrayLike) -> NDArray[np.float64]:
    """The `k1, k2` whose `wasserstein_series` this is; a negative root counts as 0."""
    values = np.array(series, np.float64)
    values[..., 1::2, :] = np.maximum(values[..., 1::2, :], 0.0) ** 2
    return values


def laws_of(series: ArrayLike) -> NDArray[np.float64]:
    """Series `(N, 2C, T)` of `k1, k2` as `(N, 3C, T)`: Weibull scale, 1/shape, second moment.

    Shapes below 0.5 (a variance of the logarithm above 6.6) count as 0.5.
    """
    from scipy.special import gamma

    values = _pairs(series)
    width = np.minimum(_ROOT * np.sqrt(values[:, 1::2]), WIDEST)
    scale = np.exp(values[:, 0::2] + np.euler_gamma * width)
    second = scale * scale * gamma(1.0 + 2.0 * width)
    number, channels, rows = width.shape
    return np.stack([scale, width, second], axis=2).reshape(number, 3 * channels, rows)


def weibull_gradient(
    laws: NDArray[np.float64], own: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Derivative `(2C, T')` of `sum of shares * cost` by `ln scale` and `1/shape` of `own`.

    Args:
        laws: `(N, 3C, T)` from `laws_of`.
        own: `(3C, T')` of the reference.
        shares: `(N, T, T')`, how often each cell counts.
    """
    from scipy.special import digamma, gamma

    found = np.empty((2 * len(own) // 3, own.shape[1]))
    for channel in range(len(own) // 3):
        scales, widths = laws[:, 3 * channel], laws[:, 3 * channel + 1]
        scale, width, second = own[3 * channel : 3 * channel + 3]
        sums = 1.0 + widths[:, :, None] + width
        cross = 2.0 * scales[:, :, None] * scale * gamma(sums)
        slope = 2.0 * second * digamma(1.0 + 2.0 * width)
        found[2 * channel] = (shares * (2.0 * second - cross)).sum(axis=(0, 1))
        found[2 * channel + 1] = (shares * (slope - cross * digamma(sums))).sum(axis=(0, 1))
    return found


def _pairs(series: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(measured(series, "series"), np.float64)
    if values.ndim < 2 or values.shape[-2] % 2:
        raise ValueError(
            f"series of laws are pairs of k1 and k2, (..., 2C, T), not of shape {values.shape}"
        )
    if np.any(values[..., 1::2, :] < 0):
        raise ValueError("k2 is a variance and cannot be negative; order the features k1, k2, ...")
    return values
