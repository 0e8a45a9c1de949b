"""The band: for every row (date of the series) the half-open range of admissible columns.

One int32 table `(T, 2)` of `[first, last + 1)` columns, whatever it was made from, is all that the
kernels know of a band. Its rows never move left, are never empty, start at column 0, end at the
last column, and touch: a path from corner to corner always exists (`check_limits`).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict

import numpy as np

from cpazmal_scale.dtw.checks import in_rows, numbers, one_of, real, whole
from cpazmal_scale.dtw.seasons import (
    MOST_ALONE,
    distance_to,
    is_dates,
    move_together,
    plain_days,
    season_days,
)
from cpazmal_scale.kernels.dtw_sweep import OPEN_BEGIN, OPEN_END

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

OpenEnds = Literal["begin", "end", "both"]
"""Ends of a series that need not meet the reference's: first, last date, or both."""
_BITS = {None: 0, "begin": OPEN_BEGIN, "end": OPEN_END, "both": OPEN_BEGIN | OPEN_END}


class Trained(Protocol):
    """What a band needs to know of a classifier."""

    days: ArrayLike | None
    radius: int | Literal["auto"] | None
    band_days: float | None
    open_ends: OpenEnds | None


USUAL_RADIUS = 3
"""Band in samples of a classifier that is told of none."""
BAND_DAYS = 33.0
"""Band in days where the dates alone are given: three repeat cycles of 11 days."""


def band_limits(
    rows: int,
    columns: int,
    *,
    radius: int | None = None,
    days: tuple[ArrayLike, ArrayLike] | None = None,
    band_days: float | None = None,
    open_ends: OpenEnds | None = None,
) -> NDArray[np.int32]:
    """Column limits of a band in samples, in days, or of none.

    Args:
        rows: length T of the series.
        columns: length T' of the references.
        radius: admissible `|i - j|`; for unequal lengths the side of the longer series is widened
            by the difference (tslearn's Sakoe-Chiba convention).
        days: dates of the rows and of the columns, increasing: days as numbers, or datetime64,
            which stands for its day of the year: the columns move by whole years to the rows.
        band_days: admissible `|days_i - days_j|`, 33 where `days` alone are given. Where no column
            is near enough the nearest one is admitted, and columns that no row admits go to the
            nearer of the two rows around them: the least widening that connects corner to corner.
        open_ends: ends at which a band in days need not reach the references' corner.

    Returns:
        int32 `(rows, 2)` table of `[first, last + 1)` columns; all columns where no band is given.

    Raises:
        ValueError: both bands, a negative one, no dates for a band in days, wrong lengths; dates of
            which more than a tenth have none within the band at their time of the year.
    """
    rows, columns = whole("rows", rows, 0), whole("columns", columns, 0)
    if rows < 1 or columns < 1:
        raise ValueError(f"series need at least one date, not {rows} and {columns}")
    if radius is not None and not (days is None and band_days is None):
        raise ValueError("give the band in samples (radius) or in days, not both")
    if days is not None:
        band = BAND_DAYS if band_days is None else real("band_days", band_days, endless=True)
        return _limits_in_days(*_checked_days(days, rows, columns, band), band, ends_of(open_ends))
    if band_days is not None:
        raise ValueError("a band in days needs the dates of both series: days=(rows, columns)")
    if radius is None:
        return np.tile(np.array([0, columns], np.int32), (rows, 1))
    radius = whole("radius", radius, 0)
    row = np.arange(rows)
    down, right = radius + max(rows - columns, 0), radius + max(columns - rows, 0)
    first, end = np.maximum(row - down, 0), np.minimum(row + right + 1, columns)
    return np.stack([first, end], axis=1).astype(np.int32)


def trained_limits(
    own: Trained, length: int, days: ArrayLike | None = None, rows: int | None = None
) -> NDArray[np.int32]:
    """Column limits between series and references of `length` dates that a classifier keeps.

    Args:
        own: the classifier's band and the days of its references.
        length: dates of the references.
        days: of the series `(T,)`; none: those of the references.
        rows: dates of the series, where `days` do not say it.

    Raises:
        ValueError: other dates without a band in days, or another number of dates.
    """
    given = own.days if days is None else days
    count = rows or (length if given is None else in_rows("days", given).size)
    radius = samples_of(own.radius, own.band_days)
    if days is None and count != length:
        raise ValueError(f"series must have the {length} dates of the training, not {count}")
    if own.band_days is None or own.days is None or given is None:
        return band_limits(count, length, radius=radius, band_days=own.band_days)
    return band_limits(
        count,
        length,
        radius=radius,
        days=(given, own.days),
        band_days=own.band_days,
        open_ends=own.open_ends,
    )


def ends_of(open_ends: OpenEnds | None) -> int:
    """The open ends as the bits that kernels know.

    Raises:
        ValueError: there are no such ends.
    """
    return _BITS[one_of("open_ends", open_ends, _BITS)]


def samples_of(radius: int | Literal["auto"] | None, band_days: float | None) -> int | None:
    """The band in samples that a setting stands for: `auto` is 3, or none beside a band in days."""
    if isinstance(radius, str) and radius == "auto":
        return USUAL_RADIUS if band_days is None else None
    return radius


def near_days(
    radius: int | Literal["auto"] | None, band_days: float | None, days: ArrayLike | None
) -> float:
    """Days within which a band admits a date; of a band in samples, or of none in days, about.

    Dates of another year that are compared with the nearest only may be as far apart as by
    default.
    """
    radius = samples_of(radius, band_days)
    if band_days is not None or radius is None or days is None:
        return float(band_days or BAND_DAYS)
    steps = np.diff(as_days(days))
    return max(radius, 1) * float(np.median(steps)) if steps.size else BAND_DAYS


class BandWords(TypedDict, total=False):
    """A band in the words of a call: `radius=3`, or `days=(here, there), band_days=24`."""

    radius: int | None
    days: tuple[ArrayLike, ArrayLike] | None
    band_days: float | None
    limits: ArrayLike | None
    open_ends: OpenEnds | None


@dataclass(frozen=True, eq=False)
class Band:
    """Which dates of two series may be matched: a value to keep and to hand on.

    `Band.samples(3)`, `Band.days(24, (here, there))`, `Band.table(limits)`; `Band()` is none.
    Functions that take a `band` also take its words, such as `radius=3`.
    """

    radius: int | None = None
    """Admissible `|i - j|`; 0 is the Euclidean distance."""
    dates: tuple[ArrayLike, ArrayLike] | None = None
    """Dates of the series and of the references, for a band in days; see `band_limits`."""
    within: float | None = None
    """Admissible days between them."""
    limits: ArrayLike | None = None
    """Column limits `(T, 2)` instead."""
    open_ends: OpenEnds | None = None
    """Ends of a series, such as that of a part of a year, that may meet any date of the reference
    within the band, at no cost for what lies before or after it."""

    @classmethod
    def samples(cls, radius: int) -> Band:
        """A band of so many samples to either side."""
        return cls(radius=radius)

    @classmethod
    def days(cls, within: float, dates: tuple[ArrayLike, ArrayLike]) -> Band:
        """A band of so many days around the dates of series and references."""
        return cls(dates=dates, within=within)

    @classmethod
    def table(cls, limits: ArrayLike) -> Band:
        """A band of column limits `(T, 2)`, such as those of `band_limits`."""
        return cls(limits=limits)

    @classmethod
    def of(cls, band: Band | None, words: BandWords, others: Iterable[str] = ()) -> Band:
        """The band of a call.

        Args:
            band: the value, or none.
            words: of the band.
            others: keywords that the called function has besides, which a misspelt word may mean.

        Raises:
            TypeError: a band as well as words, or an unknown word.
        """
        known = dict.fromkeys((*BandWords.__annotations__, *others))
        for word in words:
            if word not in BandWords.__annotations__:
                near = difflib.get_close_matches(word, known, 1)
                said = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise TypeError(f"no keyword is called {word!r}; {said}")
        if band is not None and words:
            raise TypeError(f"give a band or its words, not also {', '.join(sorted(words))}")
        own = (words.get(name) for name in BandWords.__annotations__)
        if not isinstance(band, Band | None):
            raise TypeError(
                f"a band is a Band, such as Band.samples(3), not a {type(band).__name__}"
            )
        return cls(*own) if band is None else band  # type: ignore[arg-type]

    def columns(self, otherwise: int) -> int:
        """Length T' of the references, where the band tells it."""
        if self.limits is not None and np.ndim(self.limits) == 2 and np.size(self.limits):
            return int(np.asarray(self.limits)[-1, -1])
        return otherwise if self.dates is None else np.size(self.dates[-1])

    def limits_of(self, rows: int, columns: int) -> NDArray[np.int32]:
        """The table `(rows, 2)`.

        Raises:
            ValueError: several bands at once, or one that does not fit the lengths.
        """
        if self.limits is None:
            return band_limits(
                rows,
                columns,
                radius=self.radius,
                days=self.dates,
                band_days=self.within,
                open_ends=self.open_ends,
            )
        if not (self.radius is None and self.dates is None and self.within is None):
            raise ValueError("give limits or a band, not both")
        return check_limits(self.limits, rows, columns, self.open_ends)


def check_limits(
    limits: Any, rows: int, columns: int, open_ends: OpenEnds | None = None
) -> NDArray[np.int32]:
    """The table as contiguous int32, if it is one.

    Raises:
        ValueError: wrong shape, or no path from corner to corner, or to open ends, stays inside.
    """
    ends = ends_of(open_ends)
    given = numbers("limits", limits)
    if not np.all((given >= -1) & (given <= max(columns, rows) + 1)):
        raise ValueError("limits must rise from column 0 to the last one without a gap")
    table = np.ascontiguousarray(given, dtype=np.int32)
    if not np.array_equal(table, given):
        raise ValueError("limits must be whole numbers")
    if table.shape != (rows, 2):
        raise ValueError(f"limits must have shape ({rows}, 2), not {table.shape}")
    first, end = table[:, 0], table[:, 1]
    good = first[0] == 0 or (ends & OPEN_BEGIN and first[0] > 0)
    good = good and (end[-1] == columns or (ends & OPEN_END and end[-1] < columns))
    good = bool(good) and bool(np.all(first < end))
    good = good and bool(np.all(np.diff(first) >= 0)) and bool(np.all(np.diff(end) >= 0))
    if not (good and bool(np.all(first[1:] <= end[:-1]))):
        raise ValueError("limits must rise from column 0 to the last one without a gap")
    return table


def time_weights(
    rows: ArrayLike,
    columns: ArrayLike,
    *,
    alpha: float = 0.1,
    beta: float = 50.0,
    cycle: float = 365.25,
) -> NDArray[np.float32]:
    """TWDTW's additive cost `1 / (1 + exp(-alpha (dt - beta)))` per cell (Maus et al. 2016).

    Args:
        rows: dates of the series, `(T,)`: days, or datetime64.
        columns: dates of the references, `(T',)`.
        alpha: steepness per day.
        beta: midpoint in days.
        cycle: period in days over which the elapsed time is folded.

    Returns:
        float32 `(T, T')`, the `time_weights` of distances and barycenters.
    """
    alpha, beta = real("alpha", alpha), real("beta", beta)
    cycle = real("cycle", cycle, positive=True)
    elapsed = np.abs(np.subtract.outer(as_days(rows), as_days(columns))) % cycle
    elapsed = np.minimum(elapsed, cycle - elapsed)
    return np.asarray(1.0 / (1.0 + np.exp(-alpha * (elapsed - beta))), np.float32)


def as_days(dates: ArrayLike) -> NDArray[np.float64]:
    """Days as they are; datetime64, `datetime` and ISO text as their `season_days`."""
    return season_days(dates) if is_dates(dates) else plain_days(dates)


def both_days(
    dates: tuple[ArrayLike, ArrayLike], band: float = BAND_DAYS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Days of series and references; dates of both are brought together by whole years."""
    rows, columns = dates
    if is_dates(rows) and is_dates(columns) and np.size(rows) and np.size(columns):
        return move_together(rows, columns, band_days=band)
    return as_days(rows), as_days(columns)


def _checked_days(
    days: tuple[ArrayLike, ArrayLike], rows: int, columns: int, band: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(days) != 2:
        raise ValueError(f"days must be those of both series: (rows, columns), not {len(days)}")
    both = both_days(days, band)
    for side, length in zip(both, (rows, columns), strict=True):
        if side.shape != (length,):
            raise ValueError(f"{length} dates needed, {side.shape} given")
        if not np.all(np.isfinite(side)) or np.any(np.diff(side) < 0):
            raise ValueError("days must be finite and increasing")
    alone = int((distance_to(both[1], both[0]) > band).sum())
    if all(is_dates(side) for side in days) and alone > MOST_ALONE * rows:
        raise ValueError(
            f"{alone} of {rows} dates have no date of the references within {band:g} days, "
            "whatever their year; compare the same time of the year"
        )
    return both


def _limits_in_days(
    rows: NDArray[np.float64], columns: NDArray[np.float64], band: float, ends: int
) -> NDArray[np.int32]:
    first = np.searchsorted(columns, rows - band, side="left")
    end = np.searchsorted(columns, rows + band, side="right")
    for i in np.flatnonzero(first >= end):
        first[i] = _nearer(columns, rows[i], first[i])
        end[i] = first[i] + 1
    if not ends & OPEN_BEGIN:
        first[0] = 0
    if not ends & OPEN_END:
        end[-1] = columns.size
    for i in range(1, rows.size):
        if first[i] > end[i - 1]:
            orphans = columns[end[i - 1] : first[i]]
            above = int(np.sum(orphans - rows[i - 1] < rows[i] - orphans))
            end[i - 1] += above
            first[i] = end[i - 1]
    return np.stack([first, end], axis=1).astype(np.int32)


def _nearer(columns: NDArray[np.float64], day: float, after: int) -> int:
    """Of the columns around a day that has none within the band, the nearer one."""
    if after == columns.size or (after > 0 and day - columns[after - 1] <= columns[after] - day):
        return after - 1
    return after
