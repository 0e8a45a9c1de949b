"""Series to average: one pass of DBA over them, its start, and descent from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from cpazmal_scale.dtw.alignment import align_all
from cpazmal_scale.dtw.band import band_limits, check_limits
from cpazmal_scale.dtw.pairs import distances

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Start = Literal["mean", "medoid", "random"]

_SERIES_AT_ONCE = 512
_MEDOID_CANDIDATES = 64


class Barycenter(NamedTuple):
    """The average of a set of series."""

    values: NDArray[np.float64]
    """`(T',)`."""
    cost: float
    """Sum over the series of weight times squared (scaled) distance to `values`."""
    costs: tuple[float, ...]
    """Cost before each iteration of the best start, never rising; the last one is `cost`."""


class Members(NamedTuple):
    """Series to average, with all that the alignment needs."""

    series: NDArray[np.float64]
    shares: NDArray[np.float64]
    limits: NDArray[np.int32]
    weights: NDArray[np.float64]
    columns: int
    threads: int

    @classmethod
    def of(
        cls,
        series: ArrayLike,
        radius: int | None,
        limits: ArrayLike | None,
        time_weights: ArrayLike | None,
        weights: ArrayLike | None,
        start: Start | ArrayLike,
        threads: int,
    ) -> Members:
        """Checked; arguments as for `barycenter`.

        Raises:
            ValueError: no series with a valid date, infinite values, shapes that do not match.
        """
        values = np.ascontiguousarray(series, np.float64)
        if values.ndim != 2 or 0 in values.shape or np.any(np.isinf(values)):
            raise ValueError("series must be a filled (N, T) array of finite values or NaN")
        cells = np.zeros((0, 0)) if time_weights is None else np.asarray(time_weights, np.float64)
        columns = values.shape[1] if isinstance(start, str) else np.size(start)
        if limits is None:
            table = band_limits(values.shape[1], columns, radius=radius)
        else:
            columns = int(np.asarray(limits)[-1, 1])
            table = check_limits(limits, values.shape[1], columns)
        if cells.size and cells.shape != (values.shape[1], columns):
            raise ValueError(f"time_weights must have shape {(values.shape[1], columns)}")
        return cls(values, _shares(values, weights), table, cells, columns, threads)

    def start(self, start: Start | ArrayLike, rng: np.random.Generator) -> NDArray[np.float64]:
        """The first average, finite, of the length asked for."""
        if not isinstance(start, str):
            values = np.array(start, dtype=np.float64)
            if values.shape != (self.columns,) or not np.all(np.isfinite(values)):
                raise ValueError(f"a start must be {self.columns} finite values")
            return np.asarray(values)
        known = self.series[self.shares > 0]
        if start == "mean":
            return stretched(_mean(known), self.columns)
        if start == "random":
            return stretched(filled(known[rng.integers(len(known))]), self.columns)
        if start == "medoid":
            return self._medoid(known, rng)
        raise ValueError(f"start must be 'mean', 'medoid', 'random' or values, not {start!r}")

    def _medoid(self, known: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        some = known
        if len(known) > _MEDOID_CANDIDATES:
            some = known[np.sort(rng.choice(len(known), _MEDOID_CANDIDATES, replace=False))]
        members = np.stack([stretched(filled(one), self.columns) for one in some])
        squares = distances(known, members, limits=self.limits, threads=self.threads) ** 2
        return np.asarray(members[int(np.argmin(np.nansum(squares, axis=0, dtype=np.float64)))])

    def align(
        self, average: NDArray[np.float64], shares: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Each series' cost and the next average; parts are added in a fixed order."""
        starts = range(0, len(self.series), _SERIES_AT_ONCE)
        sums = np.zeros((len(starts), self.columns))
        counts, costs = np.zeros_like(sums), np.empty(len(self.series))

        def part(start: int) -> None:
            some, turn = slice(start, start + _SERIES_AT_ONCE), start // _SERIES_AT_ONCE
            align_all(
                self.series[some],
                shares[some],
                average,
                self.limits,
                self.weights,
                sums[turn],
                counts[turn],
                costs[some],
            )

        _in_threads(part, starts, self.threads)
        matched = counts.sum(axis=0)
        return costs, np.divide(sums.sum(axis=0), matched, out=average.copy(), where=matched > 0)

    def descend(
        self,
        first: NDArray[np.float64],
        iterations: int,
        tolerance: float,
        shares: NDArray[np.float64] | None = None,
    ) -> Barycenter:
        """DBA from one start until the cost no longer falls."""
        shares = self.shares if shares is None else shares
        parts, following = self.align(first, shares)
        average, costs = first, [float(parts.sum())]
        for _ in range(iterations):
            parts, after = self.align(following, shares)
            cost = float(parts.sum())
            if not cost < costs[-1]:
                break
            average, following = following, after
            costs.append(cost)
            if costs[-2] - cost <= tolerance * costs[-2]:
                break
        return Barycenter(average, costs[-1], tuple(costs))

    def squares(self, averages: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted squared distances `(N, M)` in float64; 0 for series that count for nothing."""
        return np.stack([self.align(one, self.shares)[0] for one in averages], axis=1)


def _in_threads(function: Callable[[int], None], starts: range, threads: int) -> None:
    if threads < 2 or len(starts) < 2:
        for start in starts:
            function(start)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(function, starts))


def _shares(values: NDArray[np.float64], weights: ArrayLike | None) -> NDArray[np.float64]:
    """Weight of each series times T / valid dates; 0 without any."""
    valid = np.count_nonzero(~np.isnan(values), axis=1)
    given = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    if given.shape != (len(values),) or np.any(given < 0) or not np.all(np.isfinite(given)):
        raise ValueError("weights must be one finite number per series, not negative")
    shares = np.where(valid > 0, given * (values.shape[1] / np.maximum(valid, 1)), 0.0)
    if not np.any(shares > 0):
        raise ValueError("no series has a valid date")
    return shares


def _mean(known: NDArray[np.float64]) -> NDArray[np.float64]:
    valid = ~np.isnan(known)
    counts = valid.sum(axis=0)
    sums = np.where(valid, known, 0.0).sum(axis=0)
    return filled(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))


def filled(one: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaps interpolated in sample order, ends held."""
    valid = np.flatnonzero(~np.isnan(one))
    return np.asarray(np.interp(np.arange(one.size), valid, one[valid]))


def stretched(one: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """The series at `columns` equal steps, linearly interpolated."""
    if one.size == columns:
        return one.copy()
    places = np.linspace(0, one.size - 1, columns)
    return np.asarray(np.interp(places, np.arange(one.size), one))
