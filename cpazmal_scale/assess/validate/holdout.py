"""Hold-outs in time and in geometry: training and tested series of other dates, on one calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.dtw import NEW_YEAR, days_of_season, season_days
from cpazmal_scale.errors import SampleError
from cpazmal_scale.samples import WindowSeries

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

_YEAR = 366.0


def by_date(
    series: WindowSeries, until: date | None, season: str = NEW_YEAR
) -> tuple[WindowSeries, WindowSeries]:
    """The series up to a date (none: the end of its first year), and those of the dates after it.

    A year begins on the first day of the `season`, `MM-DD`.

    Raises:
        SampleError: one side has no dates.
    """
    dates = series.dates.astype("datetime64[D]")
    last = np.datetime64(until) if until else _end_of_year(series.dates[0], season)
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
    trained: WindowSeries, tested: WindowSeries, min_dates: int, season: str = NEW_YEAR
) -> tuple[WindowSeries, WindowSeries]:
    """Both on the same days of the year, so that every method can compare them date by date.

    The year begins on the first day of the `season`, `MM-DD`, and is cut into steps as long as the
    median interval between the training dates; a value is the mean of the valid dates in a step,
    whatever their year, NaN where there is none. Features of which the median window has fewer than
    `min_dates` such values on either side are left out.

    Raises:
        SampleError: no feature is left.
    """
    days = season_days(trained.dates)
    step = float(np.median(np.diff(days))) if len(days) > 1 else _YEAR
    both = [_means(side, step, season) for side in (trained, tested)]
    known = [np.median(np.isfinite(values).sum(axis=2), axis=0) for values in both]
    kept = np.flatnonzero(np.minimum(*known) >= min_dates)
    if not kept.size:
        raise SampleError(
            f"no feature has {min_dates} dates of the year on both sides of the split",
            remedy="choose other periods or polarisations, or lower dtw.min_dates",
        )
    names = tuple(trained.names[k] for k in kept)
    middle = ((np.arange(both[0].shape[2]) + 0.5) * step * 86400).astype("timedelta64[s]")
    dates = np.datetime64(f"2020-{season}", "s") + middle
    one, two = (WindowSeries(values[:, kept], names, dates) for values in both)
    return one, two


def _means(series: WindowSeries, step: float, season: str) -> NDArray[np.float32]:
    """`(N, K, steps)` means of the valid dates in each step of the year."""
    place = (days_of_season(series.dates, season) / step).astype(np.intp)
    means = np.full((*series.values.shape[:2], int(np.ceil(_YEAR / step))), np.nan, np.float32)
    for at in np.unique(place):
        own = series.values[..., place == at]
        count = np.isfinite(own).sum(axis=2)
        means[..., at] = np.where(count > 0, np.nansum(own, axis=2) / np.maximum(count, 1), np.nan)
    return means


def _end_of_year(first: np.datetime64, season: str) -> np.datetime64:
    """Last day of the year that the first date lies in."""
    began = first.astype("datetime64[D]") - int(season_days([first], season)[0])
    following = began + np.timedelta64(366, "D")
    return np.datetime64(following - int(season_days([following], season)[0]) - 1, "D")
