"""Barycenters of series under DTW: DBA (Petitjean et al. 2011) and k-means made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from cpazmal_scale.dtw.alignment import align_all
from cpazmal_scale.dtw.band import band_limits, check_limits
from cpazmal_scale.dtw.pairs import distances

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Progress = Callable[[int, int], None]
    Start = Literal["mean", "medoid", "random"]

_SERIES_AT_ONCE = 512
_MEDOID_CANDIDATES = 64
_UPDATES_PER_ROUND = 5


class Barycenter(NamedTuple):
    """The average of a set of series."""

    values: NDArray[np.float64]
    """`(T',)`."""
    cost: float
    """Sum over the series of weight times squared (scaled) distance to `values`."""
    costs: tuple[float, ...]
    """Cost before each iteration of the best start, never rising; the last one is `cost`."""


class Barycenters(NamedTuple):
    """Several averages of a set of series."""

    values: NDArray[np.float64]
    """`(M, T')`."""
    labels: NDArray[np.intp]
    """`(N,)` nearest barycenter of each series."""
    cost: float
    """Sum over the series of weight times squared distance to the nearest barycenter."""
    costs: tuple[float, ...]
    """Cost after each round of the best start, never rising."""


def barycenter(
    series: ArrayLike,
    *,
    radius: int | None = None,
    limits: ArrayLike | None = None,
    time_weights: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    start: Start | ArrayLike = "mean",
    restarts: int = 1,
    iterations: int = 30,
    tolerance: float = 1e-5,
    seed: int = 0,
    threads: int = 1,
    progress: Progress | None = None,
) -> Barycenter:
    """DTW barycenter average of series with the band and missing-date rule of the distance.

    Each iteration aligns every series with the average and replaces each of its points by the
    weighted mean of what was matched with it; the cost cannot rise. A point that no valid date
    matches keeps its value. The best average over all starts is returned; the result does not
    depend on `threads`.

    Args:
        series: `(N, T)`, NaN a missing date; series without any valid date count for nothing.
        radius: band in samples; none: no band.
        limits: column limits `(T, T')` table instead, as from `band_limits` with days.
        time_weights: `(T, T')` additive cost per cell (TWDTW).
        weights: `(N,)` weight of each series, not negative.
        start: `mean` (date by date, gaps interpolated), `medoid` (of at most 64 members),
            `random` member, or the values `(T',)` themselves.
        restarts: starts in all; those after the first are random members.
        iterations: most updates per start.
        tolerance: stop when the cost falls by less than this share of itself.
        seed: of the random members.
        threads: threads that share the series.
        progress: called as (starts done, starts).

    Raises:
        ValueError: no series with a valid date, infinite values, shapes that do not match.
    """
    problem = _Problem.of(series, radius, limits, time_weights, weights, start, threads)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    best: Barycenter | None = None
    for turn in range(max(restarts, 1)):
        first = problem.start(start if turn == 0 else "random", rng)
        found = problem.descend(first, iterations, tolerance)
        if best is None or found.cost < best.cost:
            best = found
        if progress is not None:
            progress(turn + 1, max(restarts, 1))
    assert best is not None
    return best


def barycenters(
    series: ArrayLike,
    count: int,
    *,
    radius: int | None = None,
    limits: ArrayLike | None = None,
    time_weights: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    restarts: int = 1,
    iterations: int = 30,
    tolerance: float = 1e-5,
    seed: int = 0,
    threads: int = 1,
    progress: Progress | None = None,
) -> Barycenters:
    """At most `count` barycenters by k-means under DTW, k-means++ starts, the best kept.

    Arguments as for `barycenter`; `count` is cut to the number of series with a valid date.
    """
    problem = _Problem.of(series, radius, limits, time_weights, weights, "mean", threads)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    count = min(count, int(np.count_nonzero(problem.shares)))
    if count < 1:
        raise ValueError("at least one barycenter is needed")
    best: Barycenters | None = None
    for turn in range(max(restarts, 1)):
        found = _cluster(problem, count, iterations, tolerance, rng)
        if best is None or found.cost < best.cost:
            best = found
        if progress is not None:
            progress(turn + 1, max(restarts, 1))
    assert best is not None
    return best


class _Problem(NamedTuple):
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
    ) -> _Problem:
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
            return _stretched(_mean(known), self.columns)
        if start == "random":
            return _stretched(_filled(known[rng.integers(len(known))]), self.columns)
        if start == "medoid":
            return self._medoid(known, rng)
        raise ValueError(f"start must be 'mean', 'medoid', 'random' or values, not {start!r}")

    def _medoid(self, known: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        some = known
        if len(known) > _MEDOID_CANDIDATES:
            some = known[np.sort(rng.choice(len(known), _MEDOID_CANDIDATES, replace=False))]
        members = np.stack([_stretched(_filled(one), self.columns) for one in some])
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


def _cluster(
    problem: _Problem, count: int, iterations: int, tolerance: float, rng: np.random.Generator
) -> Barycenters:
    averages = _scattered(problem, count, rng)
    table = problem.squares(averages)
    labels, costs = table.argmin(axis=1), [float(table.min(axis=1).sum())]
    for _ in range(iterations):
        own = [problem.shares * (labels == m) for m in range(count)]
        moved = np.stack(
            [
                problem.descend(average, _UPDATES_PER_ROUND, tolerance, shares).values
                for average, shares in zip(averages, own, strict=True)
            ]
        )
        table = problem.squares(moved)
        cost = float(table.min(axis=1).sum())
        if not cost < costs[-1]:
            break
        averages, labels = moved, table.argmin(axis=1)
        costs.append(cost)
        if costs[-2] - cost <= tolerance * costs[-2]:
            break
    return Barycenters(averages, labels, costs[-1], tuple(costs))


def _scattered(problem: _Problem, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """k-means++: members drawn with probability proportional to the squared distance."""
    chances = problem.shares / problem.shares.sum()
    chosen: list[NDArray[np.float64]] = []
    nearest = np.full(len(problem.series), np.inf)
    for _ in range(count):
        member = problem.series[rng.choice(len(chances), p=chances)]
        chosen.append(_stretched(_filled(member), problem.columns))
        nearest = np.minimum(nearest, problem.squares(chosen[-1][None])[:, 0])
        if nearest.sum() > 0:
            chances = nearest / nearest.sum()
    return np.stack(chosen)


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
    return _filled(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))


def _filled(one: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaps interpolated in sample order, ends held."""
    valid = np.flatnonzero(~np.isnan(one))
    return np.asarray(np.interp(np.arange(one.size), valid, one[valid]))


def _stretched(one: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    if one.size == columns:
        return one.copy()
    places = np.linspace(0, one.size - 1, columns)
    return np.asarray(np.interp(places, np.arange(one.size), one))
