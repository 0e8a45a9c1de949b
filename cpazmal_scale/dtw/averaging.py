"""Barycenters of series under DTW: DBA (Petitjean et al. 2011) and k-means made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np

from cpazmal_scale.dtw.band import Band, BandWords
from cpazmal_scale.dtw.checks import real, whole
from cpazmal_scale.dtw.members import Barycenter, Members, filled, stretched

if TYPE_CHECKING:
    from collections.abc import Iterator

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


class Search(BandWords, total=False):
    """How barycenters are searched for, and the band in words."""

    restarts: int
    """Starts in all; those after the first are random members. 1 if nothing is said."""
    iterations: int
    """Most updates per start, 30."""
    tolerance: float
    """Stop when the cost falls by less than this share of itself, 1e-5."""
    seed: int
    """Of the random members, 0."""
    threads: int
    """Threads that share the series, 1; the result does not depend on them."""
    progress: Progress | None
    """Called after each update as (updates done, most updates of all starts); a start that
    converges early counts in full."""


def barycenter(
    series: ArrayLike,
    band: Band | None = None,
    *,
    time_weights: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    start: Start | ArrayLike = "mean",
    **search: Unpack[Search],
) -> Barycenter:
    """DTW barycenter average of series with the band and missing-date rule of the distance.

    Each iteration aligns every series with the average and replaces each of its points by the
    weighted mean of what was matched with it; the cost cannot rise. A point that no valid date
    matches keeps its value. The best average over all starts is returned; the result does not
    depend on `threads`.

    Args:
        series: `(N, T)`, or `(N, K, T)` aligned by all features together; NaN is a missing date.
            Series without any valid date count for nothing.
        band: which dates may be matched; none: all.
        time_weights: `(T, T')` additive cost per cell (TWDTW).
        weights: `(N,)` weight of each series, not negative.
        start: `mean` (date by date, gaps interpolated), `medoid` (of at most 64 members),
            `random` member, or the values `(T',)` or `(K, T')` themselves.
        search: `restarts`, `iterations`, `tolerance`, `seed`, `threads`, `progress` of `Search`,
            and the band in words.

    Raises:
        ValueError: no series with a valid date, infinite values, shapes that do not match.
    """
    how = _Searched.of(band, search)
    members = Members.of(series, how.band, time_weights, weights, start, how.threads)
    best: Barycenter | None = None
    for turn, tick, rng in how.turns():
        first = members.start(start if turn == 0 else "random", rng)
        found = members.descend(first, how.iterations, how.tolerance, tick=tick)
        tick(how.iterations)
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    values = best.values[0] if np.ndim(series) == 2 else best.values
    return best._replace(values=values)


def barycenters(
    series: ArrayLike,
    count: int,
    band: Band | None = None,
    *,
    time_weights: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    **search: Unpack[Search],
) -> Barycenters:
    """At most `count` barycenters by k-means under DTW, k-means++ starts, the best kept.

    Arguments as for `barycenter`; `count` is cut to the number of series with a valid date.
    """
    how = _Searched.of(band, search)
    members = Members.of(series, how.band, time_weights, weights, "mean", how.threads)
    count = min(whole("count", count, 1), int(np.count_nonzero(members.shares)))
    best: Barycenters | None = None
    for _, tick, rng in how.turns():
        found = _cluster(members, count, how.iterations, how.tolerance, rng, tick)
        tick(how.iterations)
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    values = best.values[:, 0] if np.ndim(series) == 2 else best.values
    return best._replace(values=values)


class _Searched(NamedTuple):
    """A checked search."""

    band: Band
    restarts: int
    iterations: int
    tolerance: float
    seed: int
    threads: int
    progress: Progress | None

    @classmethod
    def of(cls, band: Band | None, search: Search) -> _Searched:
        given: dict[str, Any] = dict(search)
        return cls(
            restarts=max(whole("restarts", given.pop("restarts", 1), 0), 1),
            iterations=whole("iterations", given.pop("iterations", 30), 0),
            tolerance=real("tolerance", given.pop("tolerance", 1e-5)),
            seed=whole("seed", given.pop("seed", 0), 0),
            threads=whole("threads", given.pop("threads", 1), 1),
            progress=given.pop("progress", None),
            band=Band.of(band, given, Search.__annotations__),  # type: ignore[arg-type]
        )

    def turns(self) -> Iterator[tuple[int, Tick, np.random.Generator]]:
        """Every start's number, its report of progress, and the source of all random choices."""
        rng = np.random.default_rng(np.random.SeedSequence(self.seed))
        for turn in range(self.restarts):
            yield turn, _ticker(self.progress, turn, self.restarts, self.iterations), rng


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
