"""Hold-outs in time and in geometry: training and tested series of other dates, on one calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import SampleError
from cpazmal_scale.samples.series import WindowSeries

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

_YEAR = 366.0


def by_date(series: WindowSeries, until: date | None) -> tuple[WindowSeries, WindowSeries]:
    """The series up to a date (none: the end of its first year), and those of the dates after it.

    Raises:
        SampleError: one side has no dates.
    """
    dates = series.dates.astype("datetime64[D]")
    last = np.datetime64(until) if until else _end_of_year(dates[0])
    early = dates <= last
    if early.all() or not early.any():
        raise SampleError(
            f"all {len(dates)} dates lie {'before' if early.all() else 'after'} {last}",
            remedy="set assess.train_until between them, and `end` to a later date",
        )
    sides = (early, ~early)
    one, two = (WindowSeries(series.values[..., s], series.names, series.dates[s]) for s in sides)
    return one, two


def on_calendar(
    trained: WindowSeries, tested: WindowSeries, min_dates: int
) -> tuple[WindowSeries, WindowSeries]:
    """Both on the same days of the year, so that every method can compare them date by date.

    The year is cut into steps as long as the median interval between the training dates; a value is
    the mean of the valid dates in a step, whatever their year, NaN where there is none. Features of
    which the median window has fewer than `min_dates` such values on either side are left out.

    Raises:
        SampleError: no feature is left.
    """
    from cpazmal_scale.dtw import season_days

    days = season_days(trained.dates)
    step = float(np.median(np.diff(days))) if len(days) > 1 else _YEAR
    both = [_means(side, step) for side in (trained, tested)]
    known = [np.median(np.isfinite(values).sum(axis=2), axis=0) for values in both]
    kept = np.flatnonzero(np.minimum(*known) >= min_dates)
    if not kept.size:
        raise SampleError(
            f"no feature has {min_dates} dates of the year on both sides of the split",
            remedy="choose other periods or polarisations, or lower dtw.min_dates",
        )
    names = tuple(trained.names[k] for k in kept)
    middle = ((np.arange(both[0].shape[2]) + 0.5) * step * 86400).astype("timedelta64[s]")
    dates = np.datetime64("2020-01-01", "s") + middle
    one, two = (WindowSeries(values[:, kept], names, dates) for values in both)
    return one, two


def _means(series: WindowSeries, step: float) -> NDArray[np.float32]:
    """`(N, K, steps)` means of the valid dates in each step of the year."""
    stamps = series.dates.astype("datetime64[s]")
    start = stamps.astype("datetime64[Y]").astype("datetime64[s]")
    place = ((stamps - start) / np.timedelta64(86400, "s") / step).astype(np.intp)
    means = np.full((*series.values.shape[:2], int(np.ceil(_YEAR / step))), np.nan, np.float32)
    for at in np.unique(place):
        own = series.values[..., place == at]
        count = np.isfinite(own).sum(axis=2)
        means[..., at] = np.where(count > 0, np.nansum(own, axis=2) / np.maximum(count, 1), np.nan)
    return means


def _end_of_year(day: np.datetime64) -> np.datetime64:
    following = day.astype("datetime64[Y]") + np.timedelta64(1, "Y")
    return np.datetime64(following.astype("datetime64[D]") - np.timedelta64(1, "D"))
