"""Whether two methods differ: McNemar over windows, a permutation over polygons."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpazmal_scale.assess.validate.metrics import scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EXACT_BELOW = 25
_FLIPS = 5000


class McNemar(NamedTuple):
    """Windows that only one of two methods gets right."""

    first_only: int
    second_only: int
    p: float
    """Two-sided: exact binomial under 25 such windows, else chi-squared with continuity
    correction."""


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> McNemar:
    """McNemar's test of the same windows `(N,)`, right or wrong by two methods.

    It takes windows as independent; those of one polygon are not, so that p is too small.
    """
    from scipy.stats import binomtest, chi2

    b, c = int((first & ~second).sum()), int((~first & second).sum())
    if b + c == 0:
        return McNemar(b, c, 1.0)
    if b + c < _EXACT_BELOW:
        return McNemar(b, c, float(binomtest(b, b + c).pvalue))
    return McNemar(b, c, float(chi2.sf(max(abs(b - c) - 1, 0) ** 2 / (b + c), df=1)))


def polygon_permutation(
    first: NDArray[np.integer], second: NDArray[np.integer], seed: int
) -> float:
    """Two-sided p of the difference in macro-F1 under exchange of the methods, polygon by polygon.

    If the methods do not differ, each polygon's predictions could as well be the other's: all of
    its windows change sides together. The smallest p is 1 / 5001.

    Args:
        first: counts `(G, C, C + 1)` by polygon.
        second: those of the other method.
        seed: of the exchanges; the same for every pair of methods.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, _FLIPS]))
    swap = rng.integers(0, 2, (_FLIPS, len(first))).astype(np.float64)
    a, b = (counts.reshape(len(counts), -1).astype(np.float64) for counts in (first, second))
    shape = (_FLIPS, *first.shape[1:])
    moved = swap @ (b - a)
    one, two = (
        scores(total.reshape(shape)).macro_f1 for total in (a.sum(0) + moved, b.sum(0) - moved)
    )
    seen = abs(float(scores(first.sum(axis=0)).macro_f1 - scores(second.sum(axis=0)).macro_f1))
    reached = int((np.abs(one - two) >= seen - 1e-12).sum())
    return (reached + 1) / (_FLIPS + 1)
