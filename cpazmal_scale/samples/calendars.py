"""Series of several years, sites and beams on one calendar, by the time of the season."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.dtw import NEW_YEAR, match_dates
from cpazmal_scale.samples.regular import between
from cpazmal_scale.samples.series import WindowSeries

if TYPE_CHECKING:
    from numpy.typing import NDArray

_YEAR = 365.25
_HALF = 0.5
"""Least share of series that reach a date of a common calendar."""


def on_calendar(
    values: NDArray[np.floating],
    dates: NDArray[np.datetime64],
    calendar: NDArray[np.datetime64],
    *,
    max_gap_days: float,
    season_start: str = NEW_YEAR,
    own_start: str | None = None,
) -> NDArray[np.float32]:
    """Series on the dates of another calendar, at the same time of the season.

    Dates move by whole years as `match_dates` moves them; a value is linear between the two nearest
    valid dates around it. Series of that calendar stay as they are, gaps included.

    Args:
        values: `(N, K, T)`, NaN missing.
        dates: `(T,)` increasing.
        calendar: `(T',)` increasing.
        max_gap_days: two valid dates farther apart leave NaN between them; beyond the first and
            last one their value is held for half as long.
        season_start: first day of the calendar's season, `MM-DD`.
        own_start: first day of the season of the series, such as that of the other hemisphere;
            none: the same.

    Returns:
        `(N, K, T')` float32.
    """
    starts = season_start, own_start or season_start
    alike = len(dates) == len(calendar) and (dates == calendar).all()
    if alike and starts[0] == starts[1]:
        return np.array(values, np.float32)
    # Open ends: dates beyond the calendar's ends are needed to interpolate up to them.
    matched = match_dates(
        calendar,
        dates,
        band_days=max_gap_days,
        starts=starts,
        open_ends="both",
    )
    moved = np.asarray(values, np.float64)[..., matched.columns]
    flat = moved.reshape(-1, moved.shape[-1])
    made = between(flat, matched.column_days, matched.row_days, max_gap_days, hold=max_gap_days / 2)
    return made.astype(np.float32).reshape(*values.shape[:-1], len(calendar))


def season_calendar(
    dates: Sequence[NDArray[np.datetime64]], season_start: str = NEW_YEAR
) -> NDArray[np.datetime64]:
    """A calendar for series of different dates: those of one year, at their usual step.

    Where all have the same dates it is those. Else it is the season's year in which most of them
    begin, in steps of their median step, without the times of the year that fewer than half reach.

    Args:
        dates: `(T,)` increasing, of each series.
        season_start: first day of the season, `MM-DD`.

    Returns:
        `(T',)` datetime64[s], increasing.
    """
    first = dates[0]
    if all(len(one) == len(first) and (one == first).all() for one in dates):
        return first.astype("datetime64[s]")
    steps = np.concatenate([np.diff(one) / np.timedelta64(1, "D") for one in dates])
    step = float(np.median(steps)) if steps.size else _YEAR
    years = [int(str(one[0])[:4]) for one in dates]
    begin = np.datetime64(f"{int(np.median(years)):04d}-{season_start}", "s")
    count = max(1, round(_YEAR / step))
    days = (np.arange(count) + 0.5) * _YEAR / count
    whole = begin + (days * 86400).round().astype("timedelta64[s]")
    reached = np.zeros(count)
    distinct, weights = _distinct(dates)
    for one, weight in zip(distinct, weights, strict=True):
        ones = np.ones((1, 1, len(one)))
        found = on_calendar(ones, one, whole, max_gap_days=2 * step, season_start=season_start)
        reached += weight * np.isfinite(found[0, 0])
    kept = reached >= _HALF * len(dates)
    return whole[kept] if kept.any() else whole


def gap_of(calendar: NDArray[np.datetime64], band_days: float) -> float:
    """Days over which values are interpolated: the band, or two steps where they are longer."""
    steps = np.diff(calendar) / np.timedelta64(1, "D")
    return max(band_days, 2 * float(np.median(steps))) if steps.size else band_days


def together(
    first: WindowSeries,
    others: Sequence[WindowSeries],
    *,
    band_days: float,
    season_start: str,
    starts: Sequence[str],
) -> WindowSeries:
    """Series of several cubes as those of the first one's dates, in their order.

    Args:
        first: of the cube whose dates are kept.
        others: of the other cubes.
        band_days: days over which values are interpolated, or two steps where they are longer.
        season_start: first day of the season of the first, `MM-DD`.
        starts: those of the others.

    Raises:
        ValueError: they have other features.
    """
    gap = gap_of(first.dates, band_days)
    parts: list[NDArray[Any]] = [first.values]
    for other, start in zip(others, starts, strict=True):
        if other.names != first.names:
            raise ValueError(f"series of {', '.join(other.names)} beside {', '.join(first.names)}")
        parts.append(
            on_calendar(
                *(other.values, other.dates, first.dates),
                max_gap_days=gap,
                season_start=season_start,
                own_start=start,
            )
        )
    weights = [len(part) for part in parts]
    shares = {
        channel: float(np.average([one.floored[channel] for one in (first, *others)], 0, weights))
        for channel in first.floored
        if all(channel in other.floored for other in others)
    }
    return WindowSeries(np.concatenate(parts), first.names, first.dates, shares)


def _distinct(
    dates: Sequence[NDArray[np.datetime64]],
) -> tuple[list[NDArray[np.datetime64]], list[int]]:
    counts: dict[bytes, list[Any]] = {}
    for one in dates:
        counts.setdefault(one.tobytes(), [one, 0])[1] += 1
    return [one for one, _ in counts.values()], [count for _, count in counts.values()]
