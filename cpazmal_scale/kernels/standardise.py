"""Series in z-scores, as the classifiers see them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.kernels.compiled import kept


@kept
def standardised(
    values: NDArray[Any], mean: NDArray[Any], scale: NDArray[Any], out: NDArray[Any]
) -> None:
    """z-scores of `values` (K, T, P), `mean` and `scale` (K) float64, rounded once to float32.

    Computed in float64, as the classifier does.
    """
    for k in range(values.shape[0]):
        for t in range(values.shape[1]):
            row, to = values[k, t], out[k, t]
            for p in range(row.size):
                to[p] = np.float32((np.float64(row[p]) - mean[k]) / scale[k])
