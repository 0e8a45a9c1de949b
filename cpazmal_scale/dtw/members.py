"""The series that one barycenter averages: a start, passes of DBA, and the least cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from cpazmal_scale.dtw.band import Band
from cpazmal_scale.dtw.checks import measured, numbers
from cpazmal_scale.dtw.pairwise import distances
from cpazmal_scale.kernels.dba_pass import align_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Start = Literal["mean", "medoid", "random"]
    Tick = Callable[[int], None]

_SERIES_AT_ONCE = 512
_MEDOID_CANDIDATES = 64


class Barycenter(NamedTuple):
    """The average of a set of series."""

    values: NDArray[np.float64]
    """`(T',)`, or `(K, T')` of dependent features."""
    cost: float
    """Sum over the series of weight times squared (scaled) distance to `values`."""
    costs: tuple[float, ...]
    """Cost before each iteration of the best start, never rising; the last one is `cost`."""


class Members(NamedTuple):
    """Series `(N, K, T)` to average, with all that the alignment needs."""

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
        band: Band,
        time_weights: ArrayLike | None,
        weights: ArrayLike | None,
        start: Start | ArrayLike,
        threads: int,
    ) -> Members:
        """Checked; arguments as for `barycenter`.

        Raises:
            ValueError: no series with a valid date, infinite values, shapes that do not match.
        """
        values = np.array(measured(series, "series"), np.float64)
        if values.ndim == 2:
            values = values[:, None]
        if values.ndim != 3 or 0 in values.shape or np.any(np.isinf(values)):
            raise ValueError(
                "series must be a filled (N, T) or (N, K, T) array of finite values or NaN, "
                f"not {np.shape(series)}"
            )
        values.transpose(0, 2, 1)[np.isnan(values).any(axis=1)] = np.nan
        rows = values.shape[2]
        first = None if isinstance(start, str) else np.atleast_1d(numbers("a start", start))
        columns = band.columns(rows if first is None else first.shape[-1])
        if band.open_ends is not None:
            raise ValueError("averages have no open ends: leave open_ends to the distance")
        cells = np.zeros((0, 0))
        if time_weights is not None:
            cells = numbers("time_weights", time_weights)
            if cells.shape != (rows, columns) or not np.all(cells >= 0):
                raise ValueError(f"time_weights must have shape {(rows, columns)}, not negative")
        shares, table = _shares(values, weights), band.limits_of(rows, columns)
        return cls(values, shares, table, cells, columns, threads)

    def start(self, start: Start | ArrayLike, rng: np.random.Generator) -> NDArray[np.float64]:
        """The first average `(K, T')`, finite, of the length asked for."""
        if not isinstance(start, str):
            values, shape = np.atleast_2d(numbers("a start", start)), self.series.shape[1]
            if values.shape != (shape, self.columns) or not np.all(np.isfinite(values)):
                raise ValueError(f"a start must be {shape} × {self.columns} finite values")
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
        cells = self.weights if self.weights.size else None
        away = distances(
            known, members, limits=self.limits, time_weights=cells, threads=self.threads
        )
        return np.asarray(members[int(np.nansum(away.astype(float) ** 2, axis=0).argmin())])

    def align(
        self, average: NDArray[np.float64], shares: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Each series' cost and the next average; parts are added in a fixed order."""
        starts = range(0, len(self.series), _SERIES_AT_ONCE)
        sums = np.zeros((len(starts), *average.shape))
        counts, costs = np.zeros((len(starts), self.columns)), np.empty(len(self.series))

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
        matched = np.broadcast_to(counts.sum(axis=0), average.shape)
        return costs, np.divide(sums.sum(axis=0), matched, out=average.copy(), where=matched > 0)

    def descend(
        self,
        first: NDArray[np.float64],
        iterations: int,
        tolerance: float,
        shares: NDArray[np.float64] | None = None,
        tick: Tick | None = None,
    ) -> Barycenter:
        """DBA from one start until the cost no longer falls; `tick` hears of each update."""
        shares = self.shares if shares is None else shares
        parts, following = self.align(first, shares)
        average, costs = first, [float(parts.sum())]
        for turn in range(iterations):
            parts, after = self.align(following, shares)
            cost = float(parts.sum())
            if tick is not None:
                tick(turn + 1)
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
    rows = values.shape[2]
    valid = np.count_nonzero(~np.isnan(values[:, 0]), axis=1)
    given = np.ones(len(values))
    if weights is not None:
        given = numbers("weights", weights)
    if given.shape != (len(values),) or np.any(given < 0) or not np.all(np.isfinite(given)):
        raise ValueError("weights must be one finite number per series, not negative")
    shares = np.where(valid > 0, given * (rows / np.maximum(valid, 1)), 0.0)
    if not np.any(shares > 0):
        raise ValueError("no series has both a valid date and a weight")
    return shares


def _mean(known: NDArray[np.float64]) -> NDArray[np.float64]:
    valid = ~np.isnan(known)
    counts = valid.sum(axis=0)
    sums = np.where(valid, known, 0.0).sum(axis=0)
    return filled(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))


def filled(one: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(K, T)` with gaps interpolated in sample order, ends held."""
    places = np.arange(one.shape[1])
    valid = np.flatnonzero(~np.isnan(one[0]))
    return np.stack([np.interp(places, valid, row[valid]) for row in one])


def stretched(one: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """`(K, columns)`: the series at equal steps, linearly interpolated."""
    if one.shape[1] == columns:
        return one.copy()
    places, steps = np.linspace(0, one.shape[1] - 1, columns), np.arange(one.shape[1])
    return np.stack([np.interp(places, steps, row) for row in one])
