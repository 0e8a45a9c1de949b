"""Series in z-scores, as the classifiers see them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import config
from numpy.typing import NDArray

from cpazmal_scale.kernels.compiled import kept_with, source
from cpazmal_scale.kernels.lanes_f32 import FUSED
from cpazmal_scale.kernels.lanes_f64 import (
    LANES,
    at_least,
    load,
    mul,
    multiply_add,
    spread,
    store,
    sub,
)

_BY_PRODUCTS = FUSED and not config.DISABLE_JIT


@kept_with(source("lanes_f32", "lanes_f64"))
def standardised(
    values: NDArray[Any], mean: NDArray[Any], scale: NDArray[Any], out: NDArray[Any]
) -> None:
    """z-scores of `values` (K, T, P), `mean` and `scale` (K) float64, rounded once to float32.

    Computed in float64, as the classifier does. Where the machine fuses multiply-add, a quotient is
    the product with the reciprocal, corrected by its own remainder: the same bits (Markstein 1990).
    """
    features, dates, pixels = values.shape
    whole = pixels // LANES * LANES if _BY_PRODUCTS else 0
    flat, to = values.reshape(values.size), out.reshape(out.size)
    for k in range(features):
        inverse = 1.0 / scale[k]
        for t in range(dates):
            at = (k * dates + t) * pixels
            for p in range(0, whole, LANES):
                away = sub(load(flat, at + p), spread(mean[k]))
                near = mul(away, spread(inverse))
                rest = multiply_add(spread(-scale[k]), near, away)
                corrected = multiply_add(rest, spread(inverse), near)
                store(to, at + p, at_least(rest, rest, corrected, near))
            for p in range(at + whole, at + pixels):
                to[p] = (np.float64(flat[p]) - mean[k]) / scale[k]
