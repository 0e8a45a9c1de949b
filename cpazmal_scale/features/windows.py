"""Feature series of separate windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.features.blocks import block_series
from cpazmal_scale.features.masked import filled
from cpazmal_scale.features.series_names import LOG_CUMULANTS

if TYPE_CHECKING:
    from numpy.typing import NDArray


def window_series(
    power: NDArray[np.float32],
    mask: NDArray[np.uint8] | None = None,
    excluded: int = 0,
    *,
    xpol: str = "logratio",
    statistics: Sequence[str] = LOG_CUMULANTS,
    unbiased: bool = False,
    floor: float = 10**-3.1,
    min_valid: float = 0.6,
) -> NDArray[np.float32]:
    """Statistics of N windows given as arrays, bit-identical to `block_series` at the same pixels.

    Args:
        power: (N, P, T, w, w) linear power, NaN no data.
        mask: (N, T, w, w) bit flags, or none.
        excluded: flags whose pixels are left out.
        xpol: third channel, as in `block_series`.
        statistics: of every channel, as in `block_series`.
        unbiased: use k-statistics.
        floor: smallest power, linear, before the logarithm.
        min_valid: smallest share of valid pixels; fewer give NaN.

    Returns:
        (N, K, T) float32, in the order of `features.names`.

    Raises:
        ValueError: shapes or settings do not fit each other.
    """
    from cpazmal_scale.kernels.window_sums import TILE

    power = filled(power)
    if power.ndim != 5 or power.shape[3] != power.shape[4]:
        raise ValueError(f"power is (N, P, T, w, w), not {power.shape}")
    settings: dict[str, Any] = {
        "xpol": xpol, "statistics": statistics, "unbiased": unbiased, "floor": floor,
        "min_valid": min_valid,
    }  # fmt: skip
    window = power.shape[3]
    side_by_side = max(1, TILE // window)
    parts = []
    for first in range(0, max(1, len(power)), side_by_side):
        some = power[first : first + side_by_side]
        strip = np.moveaxis(some, 0, 3).reshape(*some.shape[1:4], -1)
        flags = None
        if mask is not None:
            part = mask[first : first + side_by_side]
            flags = np.moveaxis(part, 0, 2).reshape(*part.shape[1:3], -1)
        if len(some) == 0:
            strip = np.full((*power.shape[1:4], window), np.nan, np.float32)
            flags = None
        series = block_series(strip, flags, excluded, window=window, **settings)
        parts.append(np.moveaxis(series[:, :, 0, ::window], 2, 0)[: len(some)])
    return np.concatenate(parts)
