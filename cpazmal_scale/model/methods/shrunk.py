"""Multinomial logistic regression that is drawn to given scores where there is little to learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpazmal_scale.dtw import fitted_temperature, group_folds

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRENGTHS = (0.0, 1e-4, 1e-3, 1e-2, 0.1)
"""Inverse penalties that are tried; 0 leaves the given scores as they are."""


class Shrunk(NamedTuple):
    """Scores `sharpness * given + numbers @ weights.T + intercepts`."""

    sharpness: float
    weights: NDArray[np.float64]
    """`(C, D)`."""
    intercepts: NDArray[np.float64]
    """`(C,)`."""

    def scores(
        self, numbers: NDArray[np.float64], given: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Scores `(N, C)` of numbers `(N, D)` and given scores `(N, C)`."""
        return self.sharpness * given + numbers @ self.weights.T + self.intercepts


def shrunk(
    numbers: NDArray[np.float64],
    given: NDArray[np.float64],
    codes: NDArray[np.intp],
    strength: float,
) -> Shrunk:
    """The regression of least log-loss with a ridge penalty on all that departs from `given`.

    Args:
        numbers: z-scored `(N, D)`.
        given: scores `(N, C)`, of which one common factor is fitted first.
        codes: `(N,)` class positions.
        strength: inverse penalty.
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    count, classes = given.shape
    sharpness = 1.0 / fitted_temperature(np.ascontiguousarray(given.T), codes)
    shape = (classes, numbers.shape[1] + 1)
    if strength == 0:
        return Shrunk(sharpness, np.zeros((classes, shape[1] - 1)), np.zeros(classes))
    whole = np.concatenate([numbers, np.ones((count, 1))], axis=1)
    rows, base = np.arange(count), sharpness * given
    shares = balanced(codes)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        own = flat.reshape(shape)
        chances = log_softmax(base + whole @ own.T, axis=1)
        total = -shares @ chances[rows, codes] + (flat @ flat) / (2 * strength)
        away = np.exp(chances)
        away[rows, codes] -= 1.0
        away *= shares[:, None]
        return float(total), (away.T @ whole + own / strength).ravel()

    made = minimize(
        loss,
        np.zeros(np.prod(shape)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 200, "ftol": 1e-7},
    ).x.reshape(shape)
    return Shrunk(sharpness, made[:, :-1].copy(), made[:, -1].copy())


def best_strength(
    numbers: NDArray[np.float64],
    given: NDArray[np.float64],
    codes: NDArray[np.intp],
    groups: NDArray[np.intp],
    seed: int,
) -> float:
    """The inverse penalty of least log-loss on held-out groups, if it surely beats none.

    All classes count alike, and all groups of a class. The loss must fall by more than its standard
    error over the groups, else, and where nothing can be held out, it is 0.
    """
    count = int(groups.max()) + 1
    losses = np.zeros((len(STRENGTHS), count))
    for train, held in group_folds(codes, groups, seed):
        size = np.bincount(groups)[groups[held]]
        for place, strength in enumerate(STRENGTHS):
            made = shrunk(numbers[train], given[train], codes[train], strength)
            own = log_losses(made.scores(numbers[held], given[held]), codes[held])
            losses[place] += np.bincount(groups[held], own / size, count)
    main = np.array([np.bincount(codes[groups == group]).argmax() for group in range(count)])
    shares = balanced(main) / count
    best = int(np.argmin(losses @ shares))
    gain = losses[0] - losses[best]
    error = np.sqrt(((shares * (gain - shares @ gain)) ** 2).sum())
    return STRENGTHS[best] if shares @ gain > error else STRENGTHS[0]


def balanced(codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Weights `(N,)` that give every class as much, 1 in the mean."""
    counts = np.bincount(codes)
    return np.asarray(codes.size / ((counts > 0).sum() * counts[codes]))


def log_losses(scores: NDArray[np.float64], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Log-loss `(N,)` of scores `(N, C)`."""
    from scipy.special import log_softmax

    return np.asarray(-log_softmax(scores, axis=1)[np.arange(codes.size), codes])
