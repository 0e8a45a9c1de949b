"""How sure a classifier may be: temperature, and the largest probability as held-out series bear it
out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale.kernels.confidence import bear_out
from cpazmal_scale.vocabulary import CALIBRATED_GROUPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.dtw.decision import Decision

_COLDEST, _WARMEST = 1e-2, 1e3
_RIDGE = 1.0
_STEEPEST = 10.0
_LEAST = 1e-6
_QUANTILE = 1.96


class Calibration(NamedTuple):
    """How sure a classifier may be, fitted on held-out groups."""

    temperature: float
    confidence: NDArray[np.float64]
    """`(C + 1,)`, see `fitted_confidence`."""
    known_within: float
    """Half width of the 95 % interval of the share of right decisions, see `known_within`."""


def can_calibrate(codes: NDArray[np.intp], groups: NDArray[np.intp]) -> bool:
    """Whether every class position in `(N,)` codes has enough of the `(N,)` groups."""
    return all(
        np.unique(groups[codes == code]).size >= CALIBRATED_GROUPS for code in np.unique(codes)
    )


def as_they_are(classes: int) -> NDArray[np.float64]:
    """The confidence that changes nothing."""
    return np.concatenate([np.ones(1), np.zeros(classes)])


def fitted_temperature(
    scores: NDArray[np.float64],
    codes: NDArray[np.intp],
    weights: NDArray[np.float64] | None = None,
) -> float:
    """Temperature in [0.01, 1000] at which softmax(scores / temperature) has least log-loss.

    Args:
        scores: `(C, N)` of held-out series.
        codes: `(N,)` true class positions.
        weights: `(N,)` what each series counts; none: 1.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    finite = np.isfinite(scores).all(axis=0)
    known, true = scores[:, finite], codes[finite]
    if not true.size:
        return 1.0
    own = known[true, np.arange(true.size)]
    counts = None if weights is None else weights[finite]

    def loss(log_temperature: float) -> float:
        sharpness = np.exp(-log_temperature)
        losses = logsumexp(sharpness * known, axis=0) - sharpness * own
        return float(np.average(losses, weights=counts))

    bounds = (np.log(_COLDEST), np.log(_WARMEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def alike(groups: NDArray[np.intp]) -> NDArray[np.float64]:
    """What each of the `(N,)` series counts so that all groups count alike; the mean is 1."""
    _, place, size = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(len(groups) / (len(size) * size[place]))


def fitted_confidence(
    probability: NDArray[np.floating],
    codes: NDArray[np.intp],
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Slope and offsets `(C + 1,)` of a logistic regression of being right on the largest logit.

    Each predicted class has its own offset, the ridge penalty draws slope and offsets to 1 and 0.

    Args:
        probability: `(C, N)` of held-out series; NaN columns are left out.
        codes: `(N,)` true class positions.
        weights: `(N,)` what each series counts; none: 1.
    """
    from scipy.optimize import minimize
    from scipy.special import expit, logit

    known = np.isfinite(probability).all(axis=0)
    own, true = probability[:, known].astype(np.float64), codes[known]
    classes = len(own)
    if not true.size:
        return as_they_are(classes)
    best = own.argmax(axis=0)
    sure = logit(np.clip(own[best, np.arange(best.size)], _LEAST, 1.0 - _LEAST))
    right = (best == true).astype(np.float64)
    counts = np.ones(best.size) if weights is None else weights[known]

    def loss(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope, common, offsets = at[0], at[1], at[2:]
        odds = slope * sure + common + offsets[best]
        total = counts @ (np.logaddexp(0.0, odds) - right * odds)
        total += _RIDGE * ((slope - 1.0) ** 2 + (offsets**2).sum())
        away = counts * (expit(odds) - right)
        by = np.concatenate(
            [
                [(away * sure).sum() + 2 * _RIDGE * (slope - 1.0), away.sum()],
                np.bincount(best, away, classes) + 2 * _RIDGE * offsets,
            ]
        )
        return float(total), by

    start = np.concatenate([np.ones(1), np.zeros(classes + 1)])
    bounds = [(0.0, _STEEPEST), *[(None, None)] * (classes + 1)]
    made = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return np.concatenate([made[:1], made[2:] + made[1]])


def known_within(right: NDArray[Any], count: NDArray[Any]) -> float:
    """Half width of the 95 % interval of the share of right decisions on held-out groups.

    A group is one observation, whatever the number of its series. Two groups of mean size are
    added, one all right and one all wrong (Agresti and Coull 1998), so that few groups without an
    error are not certain.

    Args:
        right: `(G,)` right decisions on each group's series.
        count: `(G,)` its series; groups without any are left out.
    """
    some = count > 0
    if not some.any():
        return 1.0
    more = count[some].mean()
    kept, of = np.append(right[some], [more, 0.0]), np.append(count[some], [more, more])
    away = kept - of * kept.sum() / of.sum()
    return float(min(_QUANTILE * np.sqrt((away**2).sum()) / of.sum(), 1.0))


def stored_width(value: object) -> float | None:
    """`known_within` as a model's JSON has it; none: not calibrated, or of an earlier version.

    Raises:
        ValueError: no number from 0 to 1.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise ValueError(f"the share of right decisions is known to {value!r}")
    return float(value)


def calibrated(
    scores: NDArray[np.float64], codes: NDArray[np.intp], groups: NDArray[np.intp]
) -> Calibration:
    """What scores `(C, N)` of held-out series of class `codes` `(N,)` and `groups` bear out.

    Groups count alike, whatever the number of their series.
    """
    from scipy.special import softmax

    weights = alike(groups)
    temperature = fitted_temperature(scores, codes, weights)
    confidence = fitted_confidence(softmax(scores / temperature, axis=0), codes, weights)
    right = scores.argmax(axis=0) == codes
    known = known_within(np.bincount(groups, right), np.bincount(groups))
    return Calibration(temperature, confidence, known)


def borne_out(made: Decision, confidence: NDArray[np.float64]) -> Decision:
    """The decision with probabilities, entropy and margin as held-out series bear them out.

    The arrays of `made` are written in place; its classes and distances stay.
    """
    if not np.array_equal(confidence, as_they_are(len(confidence) - 1)):
        bear_out(made.index, made.probability, made.entropy, made.margin, confidence)
    return made
