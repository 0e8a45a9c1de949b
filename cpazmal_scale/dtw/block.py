"""Distances of a block of pixels to all references in one sweep, as the map needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import config

from cpazmal_scale.dtw.band import OpenEnds, check_limits, ends_of
from cpazmal_scale.dtw.checks import filled, numbers, unmasked
from cpazmal_scale.kernels import dtw_sweep as kernels
from cpazmal_scale.kernels.dtw_band import in_slots

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CELLS_PER_SECOND = 4e9
"""Cells of the recursion, on the core that forecasts were measured on."""


def block_distances(
    series: NDArray[np.float32],
    references: NDArray[np.float32],
    limits: NDArray[np.int32],
    *,
    out: NDArray[np.float32] | None = None,
    time_weights: NDArray[np.float32] | None = None,
    dependent: bool = False,
    min_dates: int = 1,
    open_ends: OpenEnds | None = None,
) -> NDArray[np.float32]:
    """DTW distance of every pixel to every reference, feature by feature.

    `DTW(q, s) = sqrt(min over paths of the sum of (q_i - s_j)^2)`; NaN in `series` is a missing
    date (DTW-AROW, Yurtman et al. 2023): it is matched to exactly one date of the reference, which
    is matched to it only, at no cost, and the squared sum is scaled by `T / valid dates`. A pixel
    without NaN gets the very bits of the plain recursion.

    A pixel's distances depend on its own series only: not on its position, the number of pixels,
    or the threads that share the work.

    Args:
        series: float32 `(K, T, P)` C-contiguous, pixels innermost.
        references: float32 `(K, R, T')` C-contiguous, finite.
        limits: int32 `(T, 2)` column limits, from `band_limits`.
        out: float32 `(K, R, P)` written in place, or `(1, R, P)` if `dependent`.
        time_weights: float32 `(T, T')` added to the cost of each cell (TWDTW).
        dependent: sum the costs over the features instead of keeping K distances; a date is then
            missing where any feature is.
        min_dates: fewer valid dates give NaN.
        open_ends: ends of the series that may meet any date of the reference within the band.

    Returns:
        `out`. NaN where fewer than `min_dates` dates are valid or, with unequal lengths, where the
        missing dates leave no path; infinite where the series is.

    Raises:
        ValueError: wrong dtype, shape or layout, non-finite references, a broken band.
    """
    series, references = filled(series), unmasked("references", references)
    features, rows, pixels, count, columns = _checked_shapes(series, references)
    limits, ends = check_limits(limits, rows, columns, open_ends), ends_of(open_ends)
    shape = (1 if dependent else features, count, pixels)
    if out is None:
        out = np.empty(shape, np.float32)
    _check_array("out", out, shape)
    if time_weights is not None:
        time_weights = checked_weights(time_weights, (rows, columns))
    if (features == 1 or not dependent) and time_weights is None and not config.DISABLE_JIT:
        kernels.sweep(
            series, references, limits, *in_slots(references, limits), min_dates, ends, out
        )
        return out
    if dependent:
        return _summed(series, references, limits, time_weights, (min_dates, ends), out)
    for k in range(features):
        part = slice(k, k + 1)
        rule = (min_dates, ends)
        _summed(series[part], references[part], limits, time_weights, rule, out[part])
    return out


def checked_weights(weights: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Additive costs `(T, T')` as contiguous float32.

    Raises:
        ValueError: another shape, negative or not finite.
    """
    cells = np.ascontiguousarray(numbers("time_weights", weights), np.float32)
    _check_array("time_weights", cells, shape)
    if not np.all(np.isfinite(cells)) or np.any(cells < 0):
        raise ValueError("time_weights must be finite and not negative")
    return cells


def _summed(
    series: NDArray[np.float32],
    references: NDArray[np.float32],
    limits: NDArray[np.int32],
    weights: NDArray[np.float32] | None,
    rule: tuple[int, int],
    out: NDArray[np.float32],
) -> NDArray[np.float32]:
    """`rule` is the least number of valid dates, and which ends are open."""
    if config.DISABLE_JIT:
        interpreted(series, references, limits, weights, rule, out[0])
    else:
        cells = np.zeros((0, 0), np.float32) if weights is None else weights
        kernels.sweep_summed(series, references, limits, cells, *rule, out)
    return out


def interpreted(
    series: NDArray[np.float32],
    references: NDArray[np.float32],
    limits: NDArray[np.int32],
    weights: NDArray[np.float32] | None,
    rule: tuple[int, int],
    out: NDArray[np.float32],
) -> None:
    """The same without a compiler: whole rows of pixels in numpy, features dependent."""
    rows, columns = series.shape[1], references.shape[2]
    missing = np.asarray(np.any(np.isnan(series), axis=0))
    valid = rows - missing.sum(axis=0)
    infinite = np.full(series.shape[2], np.inf, np.float32)
    free, (min_dates, ends) = np.zeros_like(infinite), rule
    opened, closing = bool(ends & kernels.OPEN_BEGIN), bool(ends & kernels.OPEN_END)
    for r in range(references.shape[1]):
        above = [free if opened else infinite] * (columns + 1)
        for i in range(rows):
            row = [infinite] * (columns + 1)
            closed = missing[i] | missing[max(i - 1, 0)]
            for j in range(limits[i, 0], limits[i, 1]):
                step = series[:, i] - references[:, r, j, None]
                cost = (step * step).sum(axis=0) + (0 if weights is None else weights[i, j])
                diagonal = free if i == j == 0 else above[j]
                up = np.where(closed, infinite, above[j + 1])
                left = np.where(missing[i], infinite, row[j])
                best = np.minimum(np.minimum(diagonal, up), left)
                row[j + 1] = best + np.where(missing[i], free, cost)
            above = row
        with np.errstate(divide="ignore", invalid="ignore"):
            reached = above[limits[-1, 0] + 1 : limits[-1, 1] + 1] if closing else above[columns:]
            total = np.min(reached, axis=0) * (np.float32(rows) / valid.astype(np.float32))
            total[(valid < max(min_dates, 1)) | (missing.any(axis=0) & np.isinf(total))] = np.nan
            out[r] = np.sqrt(total)


def _checked_shapes(series: Any, references: Any) -> tuple[int, int, int, int, int]:
    for name, array in (("series", series), ("references", references)):
        if not isinstance(array, np.ndarray) or array.ndim != 3:
            raise ValueError(f"{name} must be an array of three dimensions")
        _check_array(name, array, array.shape)
    features, rows, pixels = series.shape
    if references.shape[0] != features:
        raise ValueError(f"{features} features in series, {references.shape[0]} in references")
    if rows < 1 or references.shape[2] < 1 or features < 1:
        raise ValueError("series and references need at least one feature and one date")
    if not np.all(np.isfinite(references)):
        raise ValueError("references must be finite; only series may have missing dates")
    return features, rows, pixels, references.shape[1], references.shape[2]


def _check_array(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.dtype != np.float32 or array.shape != shape or not array.flags.c_contiguous:
        raise ValueError(
            f"{name} must be C-contiguous float32 of shape {shape}, "
            f"not {array.dtype} of shape {array.shape}"
        )
