"""Temperature of the probabilities, fitted by log-loss on groups held out of the training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from cpazmal_scale.dtw.decision import NO_CLASS, decide

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_FOLDS = 3
_SMALLEST, _LARGEST = 1e-2, 1e3
_GOLDEN = (5**0.5 - 1) / 2


def group_folds(
    codes: NDArray[np.intp], groups: NDArray[np.intp], seed: int, count: int = _FOLDS
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """(train, held-out) positions of at most `count` folds, groups never on both sides.

    The groups of each class are dealt out in random order; folds whose training side lacks a
    class, or with nothing held out, are left out.

    Args:
        codes: `(N,)` class positions.
        groups: `(N,)` group numbers.
        seed: of the order.
        count: folds that the groups are dealt to.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    groups = np.unique(groups, return_inverse=True)[1]
    fold_of, turn = np.zeros(int(groups.max()) + 1, np.intp), 0
    main = np.array([np.bincount(codes[groups == g]).argmax() for g in range(len(fold_of))])
    for code in np.unique(codes):
        for group in rng.permutation(np.flatnonzero(main == code)):
            fold_of[group] = turn % count
            turn += 1
    folds, classes = fold_of[groups], np.unique(codes).size
    for fold in range(count):
        train, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if held.size and np.unique(codes[train]).size == classes:
            yield train, held


def fit_temperature(
    distances: NDArray[np.float32],
    codes: NDArray[np.intp],
    decision: Literal["soft", "vote", "sum"],
    weights: NDArray[np.float64] | None = None,
) -> float:
    """Temperature of smallest log-loss: a coarse scan, then a golden-section search.

    Args:
        distances: float32 `(K, C, N)` of held-out series in units of tau.
        codes: `(N,)` true class positions.
        decision: the rule; the probabilities of `vote` have no temperature, it gets 1.
        weights: `(N,)` what each series counts; none: all alike.

    Returns:
        A value in [0.01, 1000]; 1 where nothing was held out.
    """
    tau = np.ones(distances.shape[0])

    def loss(log_temperature: float) -> float:
        made = decide(distances, tau, float(np.exp(log_temperature)), decision=decision)
        known = made.index != NO_CLASS
        true = made.probability[codes, np.arange(codes.size)][known].astype(np.float64)
        if not true.size:
            return 0.0
        counts = None if weights is None else weights[known]
        return float(-np.average(np.log(np.maximum(true, 1e-15)), weights=counts))

    if decision == "vote" or codes.size == 0:
        return 1.0
    grid = np.linspace(np.log(_SMALLEST), np.log(_LARGEST), 24)
    at = int(np.argmin([loss(point) for point in grid]))
    low, high = float(grid[max(at - 1, 0)]), float(grid[min(at + 1, grid.size - 1)])
    for _ in range(20):
        one, two = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        low, high = (low, two) if loss(one) <= loss(two) else (one, high)
    return float(np.exp((low + high) / 2))
