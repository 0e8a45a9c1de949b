"""Whether two methods differ: McNemar over windows, a permutation over polygons."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpazmal_scale.assess.validate.metrics import f1_scores

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
    a, b = _sums(first), _sums(second)
    moved = swap @ (b - a).reshape(len(first), -1)
    moved = moved.reshape(_FLIPS, *a.shape[1:])
    one, two = (_macro_f1(total) for total in (a.sum(0) + moved, b.sum(0) - moved))
    seen = abs(float(_macro_f1(a.sum(0)) - _macro_f1(b.sum(0))))
    reached = int((np.abs(one - two) >= seen - 1e-12).sum())
    return (reached + 1) / (_FLIPS + 1)


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """P `(n,)` of a family of n comparisons, corrected by Holm (1979)."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty(len(p))
    found[order] = np.minimum(stepped, 1.0)
    return found


def _sums(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """What F1 is made of, `(G, 3, C)`: right, in the reference, predicted."""
    size = counts.shape[1]
    right = np.diagonal(counts[..., :size], axis1=1, axis2=2)
    sums = (right, counts.sum(axis=2), counts[..., :size].sum(axis=1))
    return np.stack(sums, axis=1).astype(np.float64)


def _macro_f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    right, support, predicted = np.moveaxis(sums, -2, 0)
    return f1_scores(right, support, predicted)[1]
