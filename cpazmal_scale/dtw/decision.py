"""From distances to a class with its probability and uncertainty, pixel by pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numba as nb
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Rule = Literal["soft", "vote", "sum"]

REJECTED = 254
"""Index of a pixel that is too far from every class."""
NO_CLASS = 255
"""Index of a pixel without any distance."""
_RULES = {"soft": 0, "vote": 1, "sum": 2}


class Decision(NamedTuple):
    """What was decided for each of P pixels."""

    index: NDArray[np.uint8]  # type: ignore[assignment]
    """`(P,)` class position 0..C-1, 254 rejected, 255 no class."""
    probability: NDArray[np.float32]
    """`(C, P)`, sums to 1; NaN without class, kept where rejected."""
    entropy: NDArray[np.float32]
    """`(P,)` Shannon entropy of the probabilities over ln C: 0 certain, 1 uniform."""
    margin: NDArray[np.float32]
    """`(P,)` largest minus second largest probability."""
    distance: NDArray[np.float32]
    """`(P,)` distance to the nearest class: mean over features in units of tau."""


def decide(
    distances: NDArray[np.float32],
    tau: ArrayLike,
    temperature: float = 1.0,
    weights: ArrayLike | None = None,
    *,
    decision: Rule = "soft",
    reject: float | None = None,
) -> Decision:
    """Class, probabilities and uncertainty from the distances to each class.

    With `d_ck = D_ck / tau_k` and feature weights `w_k` (sum 1 over the features that have
    distances; a feature whose distance to any class is not finite is left out):

    * `soft`: `p_c = sum_k w_k softmax_c(-d_ck^2 / (2 temperature))`; class = argmax p.
    * `vote`: `p_c` = weight of the features whose nearest class is c; class = argmax p, ties to
      the smaller `sum_k w_k d_ck`.
    * `sum`: `p_c = softmax_c(-S_c^2 / (2 temperature))`, `S_c = sum_k w_k d_ck`; class = argmin S.

    Remaining ties go to the first class. A pixel's result depends on its own distances only.

    Args:
        distances: float32 `(K, C, P)` of K features to the nearest centroid of C classes.
        tau: `(K,)` typical within-class distance, > 0.
        temperature: > 0; larger is less certain.
        weights: `(K,)` weight of each feature, not negative; none: equal.
        decision: the rule.
        reject: pixels whose distance to every class, as `Decision.distance`, is larger become 254.

    Raises:
        ValueError: unknown rule, shapes that do not match, tau or temperature not positive.
    """
    if distances.ndim != 3 or distances.dtype != np.float32:
        raise ValueError("distances must be float32 of shape (features, classes, pixels)")
    features, classes, pixels = distances.shape
    if not 0 < classes < REJECTED:
        raise ValueError(f"between 1 and {REJECTED - 1} classes can be told apart, not {classes}")
    if decision not in _RULES:
        raise ValueError(f"decision must be soft, vote or sum, not {decision!r}")
    if not (temperature > 0 and np.isfinite(temperature)):
        raise ValueError(f"temperature must be positive, not {temperature}")
    if reject is not None and not reject > 0:
        raise ValueError(f"reject must be positive, not {reject}")
    scales = _per_feature("tau", tau, features, 1.0)
    if np.any(scales <= 0):
        raise ValueError("tau must be positive")
    result = Decision(
        np.empty(pixels, np.uint8),
        np.empty((classes, pixels), np.float32),
        np.empty(pixels, np.float32),
        np.empty(pixels, np.float32),
        np.empty(pixels, np.float32),
    )
    _decide(
        np.ascontiguousarray(distances),
        1.0 / scales,
        0.5 / float(temperature),
        _per_feature("weights", weights, features, 1.0),
        _RULES[decision],
        np.inf if reject is None else float(reject),
        *result,
    )
    return result


def _per_feature(
    name: str, values: ArrayLike | None, features: int, default: float
) -> NDArray[np.float64]:
    array = np.full(features, default) if values is None else np.array(values, np.float64, ndmin=1)
    if array.shape != (features,) or not np.all(np.isfinite(array)) or np.any(array < 0):
        raise ValueError(f"{name} must be {features} finite numbers, not negative")
    return array


@nb.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _decide(
    distances: np.ndarray,
    per_tau: np.ndarray,
    sharpness: float,
    weights: np.ndarray,
    rule: int,
    reject: float,
    index: np.ndarray,
    probability: np.ndarray,
    entropy: np.ndarray,
    margin: np.ndarray,
    distance: np.ndarray,
) -> None:
    features, classes, pixels = distances.shape
    chances, sums, own = np.empty(classes), np.empty(classes), np.empty(classes)
    for p in range(pixels):
        chances[:] = 0.0
        sums[:] = 0.0
        weight = 0.0
        for k in range(features):
            nearest, finite = 0, True
            for c in range(classes):
                own[c] = distances[k, c, p] * per_tau[k]
                finite = finite and np.isfinite(own[c])
                if own[c] < own[nearest]:
                    nearest = c
            if not finite or weights[k] == 0.0:
                continue
            weight += weights[k]
            for c in range(classes):
                sums[c] += weights[k] * own[c]
            if rule == 1:
                chances[nearest] += weights[k]
            elif rule == 0:
                _add_softmax(own, own[nearest], sharpness, weights[k], chances)
        if weight == 0.0:
            index[p] = 255
            probability[:, p] = np.nan
            entropy[p] = margin[p] = distance[p] = np.nan
            continue
        for c in range(classes):
            chances[c] /= weight
            sums[c] /= weight
        if rule == 2:
            _add_softmax(sums, sums.min(), sharpness, 1.0, chances)
        best = _best(chances, sums, rule)
        distance[p] = sums.min()
        index[p] = 254 if distance[p] > reject else best
        second, spread = 0.0, 0.0
        for c in range(classes):
            probability[c, p] = chances[c]
            if c != best:
                second = max(second, chances[c])
            if chances[c] > 0.0:
                spread -= chances[c] * np.log(chances[c])
        margin[p] = chances[best] - second if classes > 1 else 1.0
        entropy[p] = spread / np.log(float(classes)) if classes > 1 else 0.0


@nb.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _add_softmax(
    own: np.ndarray, smallest: float, sharpness: float, weight: float, chances: np.ndarray
) -> None:
    total = 0.0
    for c in range(own.size):
        total += np.exp(-sharpness * (own[c] * own[c] - smallest * smallest))
    for c in range(own.size):
        part = np.exp(-sharpness * (own[c] * own[c] - smallest * smallest))
        chances[c] += weight * part / total


@nb.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _best(chances: np.ndarray, sums: np.ndarray, rule: int) -> int:
    best = 0
    for c in range(1, chances.size):
        if rule == 2:
            better = sums[c] < sums[best]
        elif rule == 1:
            better = chances[c] > chances[best] or (
                chances[c] == chances[best] and sums[c] < sums[best]
            )
        else:
            better = chances[c] > chances[best]
        if better:
            best = c
    return best
