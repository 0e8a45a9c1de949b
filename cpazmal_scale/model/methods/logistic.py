"""Multinomial logistic regression, its penalty chosen on held-out groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.dtw import group_folds
from cpazmal_scale.model.methods.flat import NEAREST_DAYS, imputed
from cpazmal_scale.model.methods.linear import LinearClassifier, z_scores

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


STRENGTHS = (0.01, 0.1, 1.0)
"""Inverse penalties that are tried."""
WITHOUT_GROUPS = 0.1
"""Inverse penalty where nothing can be held out."""


class Logistic(LinearClassifier):
    """Multinomial logistic regression on z-scored numbers, ridge penalty.

    `strength` is the inverse penalty; none: the one of least log-loss on held-out groups.
    """

    def __init__(
        self,
        days: ArrayLike | None = None,
        nearest_days: float = NEAREST_DAYS,
        min_dates: int = 1,
        reject: float | None = None,
        temperature: float | None = None,
        seed: int = 0,
        strength: float | None = None,
    ) -> None:
        super().__init__(days, nearest_days, min_dates, reject, temperature, seed)
        self.strength = strength

    def chosen(self) -> dict[str, Any]:
        """The penalty, which held-out fits take over."""
        return {"strength": self.strength_}

    def learn(
        self,
        values: NDArray[np.float64],
        codes: NDArray[np.intp],
        groups: NDArray[np.intp] | None,
    ) -> None:
        """Learn from vectors `(N, K·T)`, NaN missing, class positions and group numbers."""
        whole, _ = imputed(values)
        scaled, mean, scale = z_scores(whole)
        self.strength_ = self.strength or best_strength(scaled, codes, groups, self.seed)
        self.keep(*coefficients(scaled, codes, self.strength_), mean, scale)


def best_strength(
    values: NDArray[np.float64],
    codes: NDArray[np.intp],
    groups: NDArray[np.intp] | None,
    seed: int,
) -> float:
    """The inverse penalty of least log-loss on held-out groups."""
    from scipy.special import log_softmax

    folds = [] if groups is None else list(group_folds(codes, groups, seed))
    if not folds:
        return WITHOUT_GROUPS
    losses = []
    for strength in STRENGTHS:
        loss = 0.0
        for train, held in folds:
            weights, intercepts = coefficients(values[train], codes[train], strength)
            made = values[held] @ weights.T + intercepts
            if made.shape[1] == 1:
                made = np.concatenate([np.zeros_like(made), made], axis=1)
            loss -= log_softmax(made, axis=1)[np.arange(held.size), codes[held]].sum()
        losses.append(loss)
    return STRENGTHS[int(np.argmin(losses))]


def coefficients(
    values: NDArray[np.float64], codes: NDArray[np.intp], strength: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights `(C, D)` and intercepts `(C,)`, or those of the second of two classes."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=300, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(values, codes)
    return np.asarray(model.coef_, np.float64), np.asarray(model.intercept_, np.float64)


make, opened = Logistic.of_run, Logistic.from_state
