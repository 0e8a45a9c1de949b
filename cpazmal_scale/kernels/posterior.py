"""Probabilities as a map stores them, and class, entropy and margin out of them; compiled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.kernels.compiled import kept
from cpazmal_scale.vocabulary import NO_DATA, NOTHING, REJECTED

if TYPE_CHECKING:
    from numpy.typing import NDArray

ONE = 10_000
"""A probability of 1 as it is stored."""
_WHOLE = np.float32(1 << 23)
"""Added to a float32 from 0 to 2^22 it leaves the nearest whole number, ties to even ones."""


def as_stored(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Numbers from 0 to 1 in units of 1e-4; NaN as `NOTHING`."""
    stored = np.empty(values.shape, np.uint16)
    _store(np.ascontiguousarray(values, np.float32).reshape(-1), stored.reshape(-1))
    return stored


@kept
def _store(values: Any, stored: Any) -> None:
    for i in range(values.size):
        value = values[i]
        known = value == value
        whole = ((value if known else np.float32(0)) * np.float32(ONE) + _WHOLE) - _WHOLE
        stored[i] = np.uint16(np.int32(whole)) if known else np.uint16(NOTHING)


def decide_again(products: dict[str, NDArray[Any]]) -> None:
    """Set `class`, `entropy` and `margin` from `probability`, in place.

    Pixels without probability become no data. Rejected ones (254) stay rejected: probabilities
    say nothing of the distance to all classes. Of equally probable classes the first is taken.

    Args:
        products: arrays of a block: `class` (h, w) uint8 and the others uint16 in units of 1e-4.
    """
    _decide_again(
        products["probability"], products["class"], products["entropy"], products["margin"]
    )


@kept
def _decide_again(probability: Any, codes: Any, entropy: Any, margin: Any) -> None:
    classes, height, width = probability.shape
    for y in range(height):
        for x in range(width):
            if probability[0, y, x] == NOTHING:
                codes[y, x], entropy[y, x], margin[y, x] = NO_DATA, NOTHING, NOTHING
                continue
            total, weighted, best, second, chosen = 0.0, 0.0, -1.0, -1.0, 0
            for c in range(classes):
                value = float(probability[c, y, x])
                total += value
                if value > 0:
                    weighted += value * math.log(value)
                if value > best:
                    best, second, chosen = value, best, c
                elif value > second:
                    second = value
            if codes[y, x] != REJECTED:
                codes[y, x] = chosen + 1
            total = max(total, 1.0)
            doubt = (math.log(total) - weighted / total) / math.log(max(classes, 2))
            entropy[y, x] = int(min(max(doubt, 0.0), 1.0) * ONE + 0.5)
            margin[y, x] = int((best - max(second, 0.0)) / total * ONE + 0.5)
