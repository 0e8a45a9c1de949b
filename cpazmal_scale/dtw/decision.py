"""From distances to a class with its probability and uncertainty, pixel by pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from cpazmal_scale.dtw.checks import one_of, real
from cpazmal_scale.kernels.decide import NO_CLASS, REJECTED, decide_pixels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Rule = Literal["soft", "vote", "sum"]

__all__ = ["NO_CLASS", "REJECTED", "Decision", "decide"]
RULES = {"soft": 0, "vote": 1, "sum": 2}


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
    one_of("decision", decision, RULES)
    real("temperature", temperature, positive=True)
    if reject is not None:
        real("reject", reject, positive=True, endless=True)
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
    decide_pixels(
        np.ascontiguousarray(distances),
        (1.0 / scales).astype(np.float32),
        np.float32(0.5 / temperature),
        _per_feature("weights", weights, features, 1.0).astype(np.float32),
        RULES[decision],
        np.float32(np.inf if reject is None else reject),
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
