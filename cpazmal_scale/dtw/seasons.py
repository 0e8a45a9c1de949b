"""Dates as days of a season, and the dates of references brought to those of series.

A season recurs every year. Series and references may begin on any day, cross New Year or be of
other years: the references move by whole years, all together or each date by itself, to where the
series' dates find the nearest of them.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale.dtw.checks import in_rows, real

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

NEW_YEAR = "01-01"
"""The start of a season where none is declared."""
MOST_ALONE = 0.1
"""Largest share of the series' dates that no reference date may be near."""
MOST_UNUSED = 0.25
"""Largest share of reference dates that no date of the series may be near."""

_YEAR = 365.25
_LONGEST = 1.25 * _YEAR
_LARGEST_DAY = 1e6
_DAY = np.timedelta64(86400, "s")


class MatchedDates(NamedTuple):
    """The dates of references, moved by whole years to those of series."""

    columns: NDArray[np.intp]
    """`(T',)` positions of the reference dates that are used, in their new order."""
    row_days: NDArray[np.float64]
    """`(T,)` days since the season of the first date began."""
    column_days: NDArray[np.float64]
    """`(T',)` days of the moved reference dates, on the same count, increasing."""
    alone: NDArray[np.bool_]
    """`(T,)` dates of the series that have no reference date within the band."""
    unused: float
    """Share of the reference dates that no date of the series is near."""

    @property
    def standing(self) -> NDArray[np.float64]:
        """`(T,)` days of the series, those of the reference date that each stands for.

        That is the nearest one within half a step, else its own. Dates of other years lie a day or
        two beside those of the training, and a band of three cycles would lose every third one.
        """
        apart = np.abs(self.row_days[:, None] - self.column_days)
        near = (apart.min(axis=1) <= self._half_step) & (self.column_days.size > 1)
        return np.where(near, self.column_days[apart.argmin(axis=1)], self.row_days)

    @property
    def beyond(self) -> NDArray[np.bool_]:
        """`(T,)` dates more than half a step before the first reference date, or after the last."""
        before, after = self.column_days[0] - self.row_days, self.row_days - self.column_days[-1]
        return np.asarray(np.maximum(before, after) > self._half_step)

    @property
    def _half_step(self) -> float:
        steps = np.diff(self.column_days)
        return float(np.median(steps)) / 2 if steps.size else np.inf

    def fault(self) -> str | None:
        """Why these dates cannot be compared, in half a sentence; none: they can."""
        if self.alone.mean() > MOST_ALONE:
            return (
                f"{self.alone.sum()} of {self.alone.size} dates lie at a time of the year that the "
                "training does not cover"
            )
        if self.unused > MOST_UNUSED:
            return (
                f"{self.unused:.0%} of the training dates lie at a time of the year that the "
                "period does not cover"
            )
        return None


def is_dates(values: ArrayLike) -> bool:
    """Whether these are dates (datetime64, `datetime`, `date`, ISO text), not numbers of days."""
    array = in_rows("dates", values)
    return array.dtype.kind in "MU" or (array.dtype.kind == "O" and not _are_numbers(array))


def as_dates(values: ArrayLike) -> NDArray[np.datetime64]:
    """Datetime64[s] of datetime64, `datetime` (with a time zone: in UTC), `date` or ISO text.

    Raises:
        ValueError: something else, or not a time.
    """
    array = in_rows("dates", values)
    try:
        if array.dtype.kind not in "MOU":
            raise ValueError
        if array.dtype.kind in "OU":
            plain = [_without_zone(value) for value in array.ravel()]
            array = np.array(plain, dtype="datetime64[s]").reshape(array.shape)
        stamps = array.astype("datetime64[s]")
    except (ValueError, OverflowError):
        raise ValueError("dates must be datetime64, datetime, date or ISO text") from None
    if np.any(np.isnat(stamps)):
        raise ValueError("dates must not have gaps (NaT)")
    return np.asarray(stamps)


def check_start(start: str) -> str:
    """The first day of a season, if it is `MM-DD` and every year has it.

    Raises:
        ValueError: another form, or 29 February.
    """
    try:
        date.fromisoformat(f"2021-{start}" if re.fullmatch(r"\d\d-\d\d", str(start)) else "")
    except ValueError:
        raise ValueError(f"a season starts on a day of every year, MM-DD, not {start}") from None
    return start


def season_days(dates: ArrayLike, start: str = NEW_YEAR) -> NDArray[np.float64]:
    """Days since the season of the first date began; two series are matched by `match_dates`.

    Args:
        dates: `(T,)` datetime64, `datetime`, `date` or ISO text, increasing.
        start: first day of the season, `MM-DD`.

    Raises:
        ValueError: dates that are not in one row, or not in order.
    """
    stamps, start = as_dates(dates), check_start(start)
    if stamps.ndim != 1:
        raise ValueError(f"dates must be in one row, not of shape {stamps.shape}")
    if stamps.size == 0:
        return np.zeros(0)
    if np.any(stamps[1:] < stamps[:-1]):
        raise ValueError("dates must increase: sort them, and the series with them")
    return np.asarray((stamps - _beginning(_first_year(stamps, start), start)) / _DAY, np.float64)


def stored_days(days: ArrayLike) -> NDArray[Any]:
    """Days as they are kept in a file: dates stay dates (datetime64[s]), numbers are float64."""
    return as_dates(days) if is_dates(days) else plain_days(days)


def plain_days(days: ArrayLike) -> NDArray[np.float64]:
    """Numbers of days, or timedelta64, as float64 days.

    Raises:
        ValueError: no numbers, or numbers that cannot be days, such as 20200108.
    """
    array = in_rows("days", days)
    if array.dtype.kind == "m":
        array = array / _DAY
    if array.dtype.kind not in "iuf" and not (array.dtype.kind == "O" and _are_numbers(array)):
        raise ValueError(f"days must be numbers of days or dates, not {array.dtype}")
    numbers = array.astype(np.float64)
    if np.any(np.abs(numbers) > _LARGEST_DAY):
        raise ValueError(
            "days must be numbers of days or dates (datetime64, ISO text), not numbers like "
            f"{np.nanmax(np.abs(numbers)):.0f}"
        )
    return numbers


def match_dates(
    rows: ArrayLike,
    columns: ArrayLike,
    *,
    band_days: float,
    starts: tuple[str, str] = (NEW_YEAR, NEW_YEAR),
    open_ends: str | None = None,
) -> MatchedDates:
    """Move the dates of references by whole years to where the dates of series find them.

    All move together if that leaves no date of the series alone. Else the references stand for
    every year: those of a calendar year then serve a series from October to September. Dates of
    references that no date of the series is near are left out.

    Args:
        rows: `(T,)` dates of the series, increasing.
        columns: `(T',)` dates of the references, increasing.
        band_days: days within which dates are near.
        starts: first day of the season of the series and of the references, `MM-DD`.
        open_ends: `begin`, `end` or `both`: there, dates of references within the band before the
            first or after the last date of the series are kept.

    Raises:
        ValueError: no dates, or not in order.
    """
    days, together = move_together(rows, columns, band_days=band_days, starts=starts)
    places = np.arange(together.size)
    if (distance_to(together, days) > band_days).any():
        others, turned = _turned(as_dates(rows), days, season_days(columns, starts[1]), starts[0])
        if _cost(days, turned, band_days) < _cost(days, together, band_days):
            places, together = others, turned
    alone = distance_to(together, days) > band_days
    unused = float((distance_to(days, together) > band_days).mean())
    near = _near(days, together, band_days, open_ends or "")
    return MatchedDates(places[near], days, together[near], alone, unused)


def match_season(
    rows: ArrayLike,
    columns: ArrayLike,
    *,
    band_days: float,
    starts: tuple[str, str] = (NEW_YEAR, NEW_YEAR),
    open_ends: str | None = None,
) -> tuple[NDArray[np.intp], MatchedDates]:
    """Dates of series in the order of the references' year, matched to them.

    Dates more than half a step before the first reference date or after the last one are left out,
    unless too many have no reference date at all. Arguments as for `match_dates`.

    Returns:
        Positions among the rows, and how these meet the columns.
    """
    order, stamps = by_season(rows, columns, band_days=band_days, starts=starts)

    def met(some: NDArray[np.datetime64]) -> MatchedDates:
        return match_dates(some, columns, band_days=band_days, starts=starts, open_ends=open_ends)

    matched = met(stamps)
    within = ~matched.beyond
    if matched.fault() is not None or within.all() or not within.any():
        return order, matched
    return order[within], met(stamps[within])


def by_season(
    rows: ArrayLike,
    columns: ArrayLike,
    *,
    band_days: float,
    starts: tuple[str, str] = (NEW_YEAR, NEW_YEAR),
) -> tuple[NDArray[np.intp], NDArray[np.datetime64]]:
    """Dates of series in the order of the references' year, and as dates of that year.

    A year from October, beside references of a calendar year, is read from January to September
    and then from October to December: paths of DTW then begin and end where they did in training.
    Dates keep their order where they are of more than 15 months or the references of more than a
    year, or where moving all of them together brings them as near.

    Arguments as for `match_dates`.

    Returns:
        `(T,)` positions among the rows, and datetime64[s] in that order, moved by whole years.
    """
    stamps = as_dates(rows)
    days, together = move_together(rows, columns, band_days=band_days, starts=starts)
    first = (together[0] + together[-1] - _YEAR) / 2
    later = np.floor((days - first) / _YEAR).astype(np.intp)
    moved = days - _days_between(_first_year(stamps, starts[0]), later, starts[0])
    order = np.argsort(moved, kind="stable")
    long = together[-1] - together[0] > _YEAR or days[-1] - days[0] > _LONGEST
    if long or _cost(moved[order], together, band_days) >= _cost(days, together, band_days):
        return np.arange(days.size), stamps
    back = (moved - days).round().astype("timedelta64[D]").astype("timedelta64[s]")
    return order, (stamps + back)[order]


def move_together(
    rows: ArrayLike,
    columns: ArrayLike,
    *,
    band_days: float,
    starts: tuple[str, str] = (NEW_YEAR, NEW_YEAR),
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Days of both, the columns moved by as many whole years as brings them nearest.

    Arguments as for `match_dates`.
    """
    band_days = real("band_days", band_days, endless=True)
    if len(starts) != 2:
        raise ValueError("starts are the first days of both seasons, each as MM-DD")
    days, own = (season_days(*one) for one in zip((rows, columns), starts, strict=True))
    if days.size == 0 or own.size == 0:
        raise ValueError("series need at least one date")
    year = _first_year(as_dates(rows), starts[0])
    about = round((days[0] + days[-1] - own[0] - own[-1]) / 2 / _YEAR)
    moved = [own + _days_between(year, about + k, starts[0]) for k in (0, -1, 1, -2, 2)]
    return days, min(moved, key=lambda columns: _cost(days, columns, band_days))


def distance_to(days: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Days from each of one's `own` days to the nearest of the increasing `days`."""
    after = np.searchsorted(days, own)
    before = np.abs(own - days[np.maximum(after - 1, 0)])
    return np.asarray(np.minimum(before, np.abs(days[np.minimum(after, days.size - 1)] - own)))


def _near(
    rows: NDArray[np.float64], columns: NDArray[np.float64], band: float, open_ends: str
) -> NDArray[np.bool_]:
    """Columns that a row is near; at ends where all must go to one row, half a step near."""
    step = float(np.median(np.diff(columns))) if columns.size > 1 else band
    before = band if open_ends in ("begin", "both") else step / 2
    after = band if open_ends in ("end", "both") else step / 2
    inside = (columns >= rows[0] - before) & (columns <= rows[-1] + after)
    near = (distance_to(rows, columns) <= band) & inside
    return near if near.any() else np.ones(columns.size, np.bool_)


def _turned(
    rows: NDArray[np.datetime64],
    days: NDArray[np.float64],
    own: NDArray[np.float64],
    start: str,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Positions and days of references repeated every year, of a year around the middle or more."""
    middle, half = (days[0] + days[-1]) / 2, max(_YEAR, days[-1] - days[0]) / 2
    year = _first_year(rows, start)
    first = np.ceil((middle - half - own) / _YEAR).astype(np.intp)
    copies = [
        own + _days_between(year, first + k, start) for k in range(int(np.ceil(2 * half / _YEAR)))
    ]
    turned, places = np.concatenate(copies), np.tile(np.arange(own.size), len(copies))
    inside = np.flatnonzero(turned < middle + half)
    order = inside[np.argsort(turned[inside], kind="stable")]
    return places[order], turned[order]


def _cost(
    rows: NDArray[np.float64], columns: NDArray[np.float64], band: float
) -> tuple[int, float]:
    """Dates outside the band of every column, then days to the nearest ones."""
    away = distance_to(columns, rows)
    return int((away > band).sum()), float(away.sum())


def _first_year(stamps: NDArray[np.datetime64], start: str) -> int:
    """Year in which the season of the first date began."""
    year = int(stamps[0].astype("datetime64[Y]").astype(int)) + 1970
    return year - int(stamps[0] < _beginning(year, start))


def _beginning(year: int, start: str) -> np.datetime64:
    return np.datetime64(f"{year:04d}-{start}", "s")


def _days_between(year: int, later: Any, start: str) -> NDArray[np.float64]:
    """Days from the season of a year to that of some years later, `later` of any shape."""
    years = np.unique(later)
    days = [
        float((_beginning(year + int(k), start) - _beginning(year, start)) / _DAY) for k in years
    ]
    return np.asarray(np.asarray(days)[np.searchsorted(years, later)], np.float64)


def _are_numbers(array: NDArray[Any]) -> bool:
    """Whether all objects of an array are numbers."""
    return all(isinstance(one, Real) and not isinstance(one, bool) for one in array.ravel())


def _without_zone(value: Any) -> Any:
    """A date as NumPy takes it: text is read as ISO 8601 has it, in which 20200108 is a day."""
    if isinstance(value, str) and not re.fullmatch(r"\d{4}(-\d\d)?|NaT|", value):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value
