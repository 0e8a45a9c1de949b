"""Hold-out in time: series to train on, and those of later dates to test on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import SampleError
from cpazmal_scale.samples.series import WindowSeries

if TYPE_CHECKING:
    from datetime import date


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


def _end_of_year(day: np.datetime64) -> np.datetime64:
    following = day.astype("datetime64[Y]") + np.timedelta64(1, "Y")
    return np.datetime64(following.astype("datetime64[D]") - np.timedelta64(1, "D"))
