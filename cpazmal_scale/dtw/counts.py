"""How many barycenters a class needs, by cross-validation of whole groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.dtw.checks import equal_lengths, unmasked
from cpazmal_scale.dtw.decision import NO_CLASS
from cpazmal_scale.dtw.estimators import checked_groups
from cpazmal_scale.dtw.temperature import group_folds

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

COUNTS = (1, 2, 4, 8)
"""Barycenters per class that are tried."""
LEVEL = 0.01
"""Macro-F1 below which two counts are level."""
_SERIES_PER_CLASS = 40


def chosen_count(
    make: Callable[[int], Any],
    X: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> int:
    """The fewest barycenters whose macro-F1 on held-out groups is level with the largest.

    On at most 40 series of each class, spread over its groups, in folds of whole groups. Where no
    group can be held out one barycenter is taken.

    Args:
        make: an unfitted classifier of so many barycenters.
        X: series `(N, K, T)` or `(N, T)`, NaN missing.
        y: `(N,)` labels.
        groups: `(N,)` polygons.
        seed: of the folds and of the series that are taken.
    """
    if groups is None:
        return 1
    every = np.asarray(equal_lengths(X, "series"), np.float64)
    known = np.asarray(np.isfinite(every.reshape(len(every), -1)).any(axis=1))
    codes = np.unique(np.asarray(unmasked("labels", y)), return_inverse=True)[1]
    numbers = checked_groups(groups, len(every))
    rows = _spread(codes, numbers, known, seed)
    values, codes, numbers = every[rows], codes[rows], numbers[rows]
    folds = list(group_folds(codes, numbers, seed))
    if not folds:
        return 1
    fewest = min(int(np.bincount(codes[train]).min()) for train, _ in folds)
    counts = [count for count in COUNTS if count <= max(fewest // 2, 1)]
    found: list[float] = []
    for count in counts:
        found.append(_macro_f1(make, count, values, codes, folds))
        if found[-1] < max(found) or (len(found) > 1 and found[-1] == found[-2]):
            break  # twice as many were no better
    return next(c for c, f in zip(counts, found, strict=False) if f > max(found) - LEVEL)


def _spread(
    codes: NDArray[np.intp], groups: NDArray[np.intp], known: NDArray[np.bool_], seed: int
) -> NDArray[np.intp]:
    """Positions of at most so many series of each class, group by group in turn."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    chosen = []
    for code in np.unique(codes):
        own = rng.permutation(np.flatnonzero((codes == code) & known))
        turn = np.empty(own.size, np.intp)
        for group in np.unique(groups[own]):
            there = np.flatnonzero(groups[own] == group)
            turn[there] = np.arange(there.size)
        chosen.append(own[np.argsort(turn, kind="stable")[:_SERIES_PER_CLASS]])
    return np.sort(np.concatenate(chosen))


def _macro_f1(
    make: Callable[[int], Any],
    count: int,
    values: NDArray[np.float64],
    codes: NDArray[np.intp],
    folds: list[tuple[NDArray[np.intp], NDArray[np.intp]]],
) -> float:
    """Of all folds together."""
    size = int(codes.max()) + 1
    confusion = np.zeros((size, size + 1))
    for train, held in folds:
        other = make(count).fit(values[train], codes[train])
        index = other.decide(values[held]).index.astype(np.intp)
        np.add.at(confusion, (codes[held], np.where(index == NO_CLASS, size, index)), 1)
    right = np.diag(confusion)
    both = confusion.sum(axis=1) + confusion.sum(axis=0)[:size]
    return float(np.mean(2 * right / np.maximum(both, 1)))
