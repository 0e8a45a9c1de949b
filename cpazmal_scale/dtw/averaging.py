"""Barycenters of series under DTW: DBA (Petitjean et al. 2011) and k-means made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpazmal_scale.dtw.band import Band
from cpazmal_scale.dtw.members import Barycenter, Members, filled, stretched

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cpazmal_scale.dtw.members import Start, Tick
    from cpazmal_scale.progress import Progress


__all__ = ["Barycenter", "Barycenters", "barycenter", "barycenters"]
_UPDATES_PER_ROUND = 5


class Barycenters(NamedTuple):
    """Several averages of a set of series."""

    values: NDArray[np.float64]
    """`(M, T')`, or `(M, K, T')` of dependent features."""
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
    days: tuple[ArrayLike, ArrayLike] | None = None,
    band_days: float | None = None,
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
        series: `(N, T)`, or `(N, K, T)` aligned by all features together; NaN is a missing date.
            Series without any valid date count for nothing.
        radius: band in samples; none: no band.
        days: dates of the series and of the barycenter, for a band in days; see `band_limits`.
        band_days: band in days.
        limits: column limits `(T, 2)` instead of a band.
        time_weights: `(T, T')` additive cost per cell (TWDTW).
        weights: `(N,)` weight of each series, not negative.
        start: `mean` (date by date, gaps interpolated), `medoid` (of at most 64 members),
            `random` member, or the values `(T',)` or `(K, T')` themselves.
        restarts: starts in all; those after the first are random members.
        iterations: most updates per start.
        tolerance: stop when the cost falls by less than this share of itself.
        seed: of the random members.
        threads: threads that share the series.
        progress: called after each update as (updates done, most updates of all starts); a start
            that converges early counts in full.

    Raises:
        ValueError: no series with a valid date, infinite values, shapes that do not match.
    """
    band = Band(radius, days, band_days, limits)
    members = Members.of(series, band, time_weights, weights, start, threads)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    best: Barycenter | None = None
    for turn in range(max(restarts, 1)):
        tick = _ticker(progress, turn, max(restarts, 1), iterations)
        first = members.start(start if turn == 0 else "random", rng)
        found = members.descend(first, iterations, tolerance, tick=tick)
        tick(iterations)
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    values = best.values[0] if np.ndim(series) == 2 else best.values
    return best._replace(values=values)


def barycenters(
    series: ArrayLike,
    count: int,
    *,
    radius: int | None = None,
    days: tuple[ArrayLike, ArrayLike] | None = None,
    band_days: float | None = None,
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
    band = Band(radius, days, band_days, limits)
    members = Members.of(series, band, time_weights, weights, "mean", threads)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    count = min(count, int(np.count_nonzero(members.shares)))
    if count < 1:
        raise ValueError("at least one barycenter is needed")
    best: Barycenters | None = None
    for turn in range(max(restarts, 1)):
        tick = _ticker(progress, turn, max(restarts, 1), iterations)
        found = _cluster(members, count, iterations, tolerance, rng, tick)
        tick(iterations)
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    values = best.values[:, 0] if np.ndim(series) == 2 else best.values
    return best._replace(values=values)


def _ticker(progress: Progress | None, turn: int, starts: int, steps: int) -> Tick:
    """Reports the steps done of one start as those of all; none twice."""
    seen = turn * steps

    def tick(done: int) -> None:
        nonlocal seen
        if progress is not None and turn * steps + done > seen:
            seen = turn * steps + done
            progress(seen, starts * steps)

    return tick


def _cluster(
    members: Members,
    count: int,
    iterations: int,
    tolerance: float,
    rng: np.random.Generator,
    tick: Tick,
) -> Barycenters:
    averages = _scattered(members, count, rng)
    table = members.squares(averages)
    labels, costs = table.argmin(axis=1), [float(table.min(axis=1).sum())]
    for turn in range(iterations):
        tick(turn)
        own = [members.shares * (labels == m) for m in range(count)]
        moved = np.stack(
            [
                members.descend(average, _UPDATES_PER_ROUND, tolerance, shares).values
                for average, shares in zip(averages, own, strict=True)
            ]
        )
        table = members.squares(moved)
        cost = float(table.min(axis=1).sum())
        if not cost < costs[-1]:
            break
        averages, labels = moved, table.argmin(axis=1)
        costs.append(cost)
        if costs[-2] - cost <= tolerance * costs[-2]:
            break
    return Barycenters(averages, labels, costs[-1], tuple(costs))


def _scattered(members: Members, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """k-means++: members drawn with probability proportional to the squared distance."""
    chances = members.shares / members.shares.sum()
    chosen: list[NDArray[np.float64]] = []
    nearest = np.full(len(members.series), np.inf)
    for _ in range(count):
        member = members.series[rng.choice(len(chances), p=chances)]
        chosen.append(stretched(filled(member), members.columns))
        nearest = np.minimum(nearest, members.squares(chosen[-1][None])[:, 0])
        if nearest.sum() > 0:
            chances = nearest / nearest.sum()
    return np.stack(chosen)
