"""Series on a regular calendar."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.dtw import is_dates
from cpazmal_scale.errors import SampleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_STEPS = 1e6


def regular_series(
    values: NDArray[np.floating],
    dates: NDArray[np.datetime64],
    *,
    every_days: float,
    max_gap_days: float,
    axis: int = -1,
) -> tuple[NDArray[np.float32], NDArray[np.datetime64]]:
    """Values at equal steps of time, linear between the two nearest valid dates.

    Args:
        values: (…, T, …) with time along `axis`, NaN where a date is missing.
        dates: (T) ascending.
        every_days: step in days, from the first date on.
        max_gap_days: two valid dates farther apart leave NaN between them.
        axis: of time.

    Returns:
        Values (…, T', …) float32, NaN where no valid dates enclose a step closely enough, and the
        T' dates as datetime64[s].

    Raises:
        SampleError: no date, dates that are none, do not increase or are not those of the values,
            or steps or gaps that are not positive, or millions of steps.
    """
    dates = dates if isinstance(dates, np.ma.MaskedArray) else np.asarray(dates)
    if len(dates) == 0 or not 0 < every_days < np.inf or not max_gap_days > 0:
        raise SampleError(
            "a regular calendar needs a date, and positive steps and gaps",
            remedy="give every_days and max_gap_days above 0",
        )
    if dates.ndim != 1 or not is_dates(dates):
        raise SampleError(
            "the dates of a series are no dates",
            remedy="give datetime64, not numbers: 20200108 is no day",
        )
    shape, kind = np.shape(values), np.asarray(values).dtype
    along = operator.index(axis) if hasattr(axis, "__index__") else len(shape)
    fits = -len(shape) <= along < len(shape) and shape[along] == len(dates)
    if not fits or kind.kind not in "biuf":
        raise SampleError(
            f"{len(dates)} dates for values of shape {shape} and type {kind} along axis {axis}",
            remedy="give a real value for each date along `axis`",
        )
    if np.ma.is_masked(dates) or not np.all(np.diff(dates.astype("datetime64[s]")) > 0):
        raise SampleError(
            "the dates of a series must increase, each once",
            remedy="sort them with their values, and keep one value of a date",
        )
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(np.float64), np.nan)
    start = dates.astype("datetime64[s]")[0]
    days = (dates.astype("datetime64[s]") - start) / np.timedelta64(1, "D")
    if days[-1] / every_days > _MOST_STEPS:
        raise SampleError(
            f"steps of {every_days:g} days over {days[-1]:.0f} days are millions",
            remedy="give every_days in days",
        )
    steps = np.arange(0, days[-1] + 1e-9, every_days)
    moved = np.moveaxis(np.asarray(values, np.float64), axis, -1)
    flat = moved.reshape(-1, moved.shape[-1])
    made = between(flat, days, steps, max_gap_days)
    shaped = made.astype(np.float32).reshape(*moved.shape[:-1], len(steps))
    calendar = start + (steps * 86400).round().astype("timedelta64[s]")
    return np.moveaxis(shaped, -1, axis), calendar


def between(
    flat: NDArray[np.float64],
    days: NDArray[np.float64],
    steps: NDArray[np.float64],
    max_gap_days: float,
    hold: float = -1.0,
) -> NDArray[np.float64]:
    """Values `(n, T')` at `steps`, linear between the nearest valid of `(n, T)` at `days`.

    NaN where these are more than `max_gap_days` apart; before the first and after the last valid
    one its value is held for `hold` days.
    """
    known = np.isfinite(flat)
    at = np.arange(len(days))
    before = np.maximum.accumulate(np.where(known, at, -1), axis=1)
    reverse = np.where(known, at, len(at))[:, ::-1]
    after = np.minimum.accumulate(reverse, axis=1)[:, ::-1]
    edge = np.full((len(flat), 1), -1), np.full((len(flat), 1), len(at))
    before, after = np.hstack([edge[0], before]), np.hstack([after, edge[1]])
    low = before[:, np.searchsorted(days, steps + 1e-9, "right")]
    high = after[:, np.searchsorted(days, steps - 1e-9, "left")]
    lost = (low < 0) & (high == len(at))
    low, high = np.where(low < 0, high, low), np.where(high == len(at), low, high)
    low, high = np.where(lost, 0, low), np.where(lost, 0, high)
    width = days[high] - days[low]
    share = np.divide(steps - days[low], width, out=np.zeros(width.shape), where=width > 0)
    first, last = (np.take_along_axis(flat, chosen, 1) for chosen in (low, high))
    off = np.abs(steps - days[low])
    good = ~lost & (width <= max_gap_days) & ((width > 0) | (off <= max(hold, 1e-9)))
    return np.asarray(np.where(good, first + share * (last - first), np.nan))
