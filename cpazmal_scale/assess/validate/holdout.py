"""Hold-out in time: series to train on, and those of later dates to test on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.dtw import NEW_YEAR, season_days
from cpazmal_scale.errors import SampleError
from cpazmal_scale.samples import WindowSeries

if TYPE_CHECKING:
    from datetime import date


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


def _end_of_year(first: np.datetime64, season: str) -> np.datetime64:
    """Last day of the year that the first date lies in."""
    began = first.astype("datetime64[D]") - int(season_days([first], season)[0])
    following = began + np.timedelta64(366, "D")
    return np.datetime64(following - int(season_days([following], season)[0]) - 1, "D")
