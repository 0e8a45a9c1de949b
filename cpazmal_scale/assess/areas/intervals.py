"""95 % intervals of shares, which stay between 0 and 1 and have a width even where all is right.

Sources: Wilson, Probable inference, the law of succession, and statistical inference, Journal of
the American Statistical Association 22, 1927; Brown, Cai and DasGupta, Interval estimation for a
binomial proportion, Statistical Science 16, 2001, who advise it; for estimates of a stratified
sample the same by an effective number of units, Franco, Little, Louis and Slud, Comparative study
of confidence intervals for proportions in complex sample surveys, Journal of Survey Statistics and
Methodology 7, 2019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Z95 = 1.96


def wilson(shares: ArrayLike, units: ArrayLike) -> NDArray[np.float64]:
    """Wilson's interval of shares of independent units.

    Args:
        shares: (…) of 1; NaN stays NaN.
        units: (…) how many units each is counted from; not whole where it is an effective number.

    Returns:
        (…, 2) lower and upper end.
    """
    p, n = np.asarray(shares, np.float64), np.asarray(units, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
        half = Z95 / (1 + Z95**2 / n) * np.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    return np.clip(np.stack([middle - half, middle + half], axis=-1), 0, 1)


def of_estimates(
    shares: ArrayLike, standard_errors: ArrayLike, one_unit: ArrayLike
) -> NDArray[np.float64]:
    """Wilson's interval by the units that a simple random sample of equal error would have.

    That number is `p (1 − p) / s²` with the standard error s. Neither s nor the spread is taken
    smaller than one unit of another answer would make them, so that an estimate of exactly 1 is
    that of `1 / u − 1` units.

    Args:
        shares: (…) estimates of shares; NaN stays NaN.
        standard_errors: (…) of them.
        one_unit: (…) u, the share that one unit stands for.

    Returns:
        (…, 2) lower and upper end.
    """
    p = np.asarray(shares, np.float64)
    u = np.minimum(one_unit, 0.5)
    with np.errstate(invalid="ignore"):
        spread = np.maximum(p * (1 - p), u * (1 - u))
        return wilson(p, spread / np.maximum(standard_errors, u) ** 2)
