"""Soft alignment (Cuturi and Blondel 2017), its divergence, and barycenters by its gradient."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack, get_args

import numpy as np

from cpazmal_scale.dtw.band import Band, BandWords
from cpazmal_scale.dtw.checks import measured, numbers, one_of, real, whole
from cpazmal_scale.dtw.members import Barycenter
from cpazmal_scale.dtw.weibull import (
    Cost,
    from_wasserstein,
    laws_of,
    wasserstein_series,
    weibull_gradient,
)
from cpazmal_scale.kernels.lanes_soft import LANES
from cpazmal_scale.kernels.soft_sweep import soft_rows, soft_selves, soft_shares

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_AT_ONCE = 64 * LANES


class Soft(BandWords, total=False):
    """What the alignment of two series costs, and the band in words."""

    gamma: float
    """Softness of the minimum, in units of the local cost, 1; 0 is the hard minimum."""
    cost: Cost
    """Local cost of two dates: `squared` (default), or of the laws of log-cumulants `k1, k2`:
    `wasserstein` (of ln a) or `weibull` (of a: the local cost of WaSPS-DTW)."""
    divergence: bool
    """Take half the sums of either series with itself away (Blondel et al. 2021), false."""
    threads: int
    """Threads that share the series, 1; the result does not depend on them."""


def soft_distances(
    series: ArrayLike, references: ArrayLike, band: Band | None = None, **words: Unpack[Soft]
) -> NDArray[np.float64]:
    """Soft-DTW sum of every series to every reference, float64.

    `s(x, y)` is the accumulated cost at the last cell where each step takes
    `-gamma ln(e^(-a/gamma) + e^(-b/gamma) + e^(-c/gamma))` of its three ways; no root is taken, and
    it may be negative. The divergence is `s(x, y) - s(x, x) / 2 - s(y, y) / 2`. With `gamma` = 0 it
    is the sum of plain DTW. Relative errors are about 1e-11 of `s`.

    Args:
        series: `(N, T)`, or `(N, K, T)` with the cost summed over features; with a cost of laws
            `(N, 2C, T)`: `k1, k2` of C channels. A date with NaN in any feature is missing and
            interpolated between its neighbours.
        references: `(R, T')` or `(R, K, T')`, finite.
        band: which dates may be matched; none: all.
        words: `gamma`, `cost`, `divergence`, `threads` of `Soft`, and the band in words.

    Returns:
        `(N, R)`; NaN where a series has no valid date.

    Raises:
        ValueError: shapes, bands, a gamma or values that cannot be compared.
    """
    how = _How.of(band, words)
    rows, columns = (measured(side, "series") for side in (series, references))
    if not np.all(np.isfinite(columns)):
        raise ValueError("references must be finite; only series may have missing dates")
    q, s = how.ready(rows), how.ready(columns)
    if q.shape[1] != s.shape[1]:
        raise ValueError(f"features {rows.shape} in series, {columns.shape} in references")
    found = how.sums(q, s)
    if how.divergence and how.gamma > 0:
        found -= 0.5 * how.selves(q, 0)[:, None]
        found -= 0.5 * how.selves(s, 1)
    return np.asarray(how.scale * found)


def soft_self_distances(
    series: ArrayLike, band: Band | None = None, **words: Unpack[Soft]
) -> NDArray[np.float64]:
    """Soft-DTW sum `(N,)` of every series with itself, float64; half of it is a divergence's part.

    Arguments as for `soft_distances`, with a gamma above 0 and a band for equal lengths.

    Raises:
        ValueError: as `soft_distances`, or a gamma of 0, with which all sums are 0.
    """
    how = _How.of(band, words)
    if how.gamma == 0:
        raise ValueError("a series is at no distance from itself; give a gamma above 0")
    ready = how.ready(measured(series, "series"))
    return np.asarray(how.scale * how.selves(ready, 0))


def soft_alignment(
    q: ArrayLike, s: ArrayLike, band: Band | None = None, **words: Unpack[Soft]
) -> NDArray[np.float64]:
    """How much of the soft alignment of `(T,)` or `(K, T)` with another passes each cell.

    Returns:
        `(T, T')` in [0, 1], the derivative of `s(q, s)` by the cost of each cell; NaN where `q` has
        no valid date. Arguments as for `soft_distances`, with a gamma above 0.

    Raises:
        ValueError: as `soft_distances`, or a gamma of 0.
    """
    how = _How.of(band, words)
    if how.gamma == 0:
        raise ValueError("a hard alignment has a path; give a gamma above 0")
    both = [measured(side, "features of a series")[None] for side in (q, s)]
    first, second = (how.ready(side) for side in both)
    if first.shape[1] != second.shape[1]:
        counts = [side.shape[1] if side.ndim == 3 else 1 for side in both]
        raise ValueError(f"{counts[0]} features in q, {counts[1]} in s")
    if np.isnan(both[1]).any():
        raise ValueError("the reference must be finite; only the series may have missing dates")
    if np.isnan(first).any():
        return np.full((first.shape[2], second.shape[2]), np.nan)
    return np.asarray(how.shares(first, second[0])[1][0])


def soft_barycenter(
    series: ArrayLike,
    band: Band | None = None,
    *,
    weights: ArrayLike | None = None,
    start: ArrayLike | None = None,
    iterations: int = 50,
    **words: Unpack[Soft],
) -> Barycenter:
    """The series of least soft-DTW sum, or divergence, to a set of series, by L-BFGS.

    Args:
        series: `(N, T)` or `(N, K, T)`, as for `soft_distances`; those without any valid date
            count for nothing.
        band: which dates may be matched.
        weights: `(N,)` of the series; none: 1.
        start: the first values `(T',)` or `(K, T')`, finite; none: the mean, date by date.
        iterations: most iterations.
        words: as for `soft_distances`, with a gamma above 0; with a cost of laws the result is
            `k1, k2` as well.

    Raises:
        ValueError: as `soft_distances`; no series with a valid date.
    """
    from scipy.optimize import minimize

    how = _How.of(band, words)
    if how.gamma == 0:
        raise ValueError("a hard barycenter comes from `barycenter`; give a gamma above 0")
    given = measured(series, "series")
    every = how.ready(given)
    known = ~np.isnan(every[:, 0, 0])
    if not known.any():
        raise ValueError("no series has a valid date")
    shares = np.ones(len(given)) if weights is None else numbers("weights", weights)
    fits = shares.shape == (len(given),) and np.isfinite(shares).all() and (shares >= 0).all()
    if not fits or not shares[known].any():
        raise ValueError("weights are one number per series, not negative, at least one above 0")
    task = _Descent(how, every[known], shares[known] / shares[known].sum())
    first = _first(given[known].astype(np.float64), start)
    shape = np.atleast_2d(first).shape
    costs: list[float] = []
    made = minimize(
        task,
        task.coordinates(np.atleast_2d(first)).ravel(),
        args=(shape,),
        jac=True,
        method="L-BFGS-B",
        callback=lambda at: costs.append(task(at, shape)[0]),
        options={"maxiter": whole("iterations", iterations, 1)},
    )
    values = task.values(made.x.reshape(shape))
    total = float(shares[known].sum() * how.scale)
    steps = tuple(cost * total for cost in costs) or (float(made.fun) * total,)
    return Barycenter(values[0] if given.ndim == 2 else values, steps[-1], steps)


def _first(known: NDArray[np.float64], start: ArrayLike | None) -> NDArray[np.float64]:
    """The values from which a descent starts: those given, or the mean of the members."""
    if start is None:
        return np.asarray(_complete(known).mean(axis=0))
    values = numbers("a start", start)
    fits = values.ndim == known.ndim - 1 and values.shape[:-1] == known.shape[1:-1]
    if not fits or not values.size or not np.isfinite(values).all():
        raise ValueError(f"a start is finite values (T') or (K, T'), not of shape {values.shape}")
    return values


class _How(NamedTuple):
    """A checked choice of cost, softness and band."""

    band: Band
    gamma: float
    cost: Cost
    divergence: bool
    threads: int

    @classmethod
    def of(cls, band: Band | None, words: Soft) -> _How:
        given: dict[str, Any] = dict(words)
        gamma = real("gamma", given.pop("gamma", 1.0))
        cost = one_of("cost", given.pop("cost", "squared"), get_args(Cost))
        divergence = bool(given.pop("divergence", False))
        threads = whole("threads", given.pop("threads", 1), 1)
        chosen = Band.of(band, given, Soft.__annotations__)  # type: ignore[arg-type]
        return cls(chosen, gamma, cost, divergence, threads)

    @property
    def scale(self) -> float:
        """What sums in units of the kernels are multiplied by."""
        return self.gamma if self.gamma > 0 else 1.0

    @property
    def weibull(self) -> bool | None:
        return True if self.cost == "weibull" else None

    def ready(self, series: NDArray[Any]) -> NDArray[np.float64]:
        """Numbers `(N, K, T)` as the kernels want them; NaN rows without a valid date."""
        if series.dtype.kind not in "fiu":
            raise ValueError(f"series must hold real numbers, not {series.dtype}")
        values = series.astype(np.float64)
        if values.ndim == 2:
            values = values[:, None]
        if values.ndim != 3 or 0 in values.shape[1:] or np.isinf(values).any():
            raise ValueError(f"series must be finite (N, T) or (N, K, T), not {series.shape}")
        values = _complete(values)
        root = np.sqrt(self.scale)
        if self.cost == "weibull":
            laws = laws_of(values)
            laws[:, 0::3] /= root
            laws[:, 2::3] /= self.scale
            return laws
        values = wasserstein_series(values) if self.cost == "wasserstein" else values
        return np.ascontiguousarray(values / root)

    def limits(self, rows: int, columns: int) -> NDArray[np.int32]:
        return self.band.limits_of(rows, columns)

    def own_limits(self, length: int, side: int) -> NDArray[np.int32]:
        """Of a series, or a reference (`side` 1), with itself."""
        if self.band.limits is not None and self.band.columns(length) != len(
            np.asarray(self.band.limits)
        ):
            raise ValueError("a divergence of unequal lengths needs a band in samples or in days")
        if self.band.dates is not None:
            own = (self.band.dates[side],) * 2
            return Band(dates=own, within=self.band.within).limits_of(length, length)
        return self.limits(length, length)

    def sums(self, q: NDArray[np.float64], s: NDArray[np.float64]) -> NDArray[np.float64]:
        """In units of gamma, `(N, R)`."""
        table = self.limits(q.shape[2], s.shape[2])
        found = np.empty((len(q), len(s)))
        hard = True if self.gamma == 0 else None

        def part(some: slice) -> None:
            soft_rows(q[some], s, table, self.weibull, hard, found[some])

        self._share(part, len(q))
        found[np.isnan(q[:, 0, 0])] = np.nan
        return found

    def selves(self, q: NDArray[np.float64], side: int) -> NDArray[np.float64]:
        """Each series with itself, in units of gamma."""
        table, found = self.own_limits(q.shape[2], side), np.empty(len(q))
        self._share(lambda some: soft_selves(q[some], table, self.weibull, found[some]), len(q))
        return found

    def shares(
        self, q: NDArray[np.float64], s: NDArray[np.float64], side: int | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sums `(N,)` to one reference and `(N, T, T')` how they pass the cells."""
        lengths = q.shape[2], s.shape[1]
        table = self.limits(*lengths) if side is None else self.own_limits(lengths[1], side)
        sums, parts = np.empty(len(q)), np.empty((len(q), *lengths))
        self._share(
            lambda some: soft_shares(q[some], s, table, self.weibull, sums[some], parts[some]),
            len(q),
        )
        return sums, parts

    def _share(self, part: Any, count: int) -> None:
        step = min(_AT_ONCE, LANES * -(-count // (LANES * self.threads)) or LANES)
        every = [slice(start, start + step) for start in range(0, count, step)]
        if self.threads < 2 or len(every) < 2:
            for some in every:
                part(some)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(part, every))


class _Descent(NamedTuple):
    """The mean sum of a reference to the members, in units of gamma, and its gradient."""

    how: _How
    members: NDArray[np.float64]
    weights: NDArray[np.float64]

    def __call__(
        self, at: NDArray[np.float64], shape: tuple[int, int]
    ) -> tuple[float, NDArray[np.float64]]:
        coordinates = at.reshape(shape)
        own = self.how.ready(self.values(coordinates)[None])
        sums, parts = self.how.shares(self.members, own[0])
        total = float(self.weights @ sums)
        slope = self._slope(self.members, own[0], parts * self.weights[:, None, None])
        if self.how.divergence:
            alone, passed = self.how.shares(own, own[0], 1)
            total -= 0.5 * float(alone[0])
            for cells in (passed, passed.transpose(0, 2, 1)):
                slope -= 0.5 * self._slope(own, own[0], cells)
        return total, self._by_coordinates(slope, coordinates).ravel()

    def coordinates(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Numbers without bounds that stand for a series `(K, T)`."""
        if self.how.cost == "squared":
            return values.copy()
        moved = wasserstein_series(values)
        if self.how.cost == "weibull":
            moved[1::2] = np.log(np.maximum(moved[1::2], 1e-6))
        return moved

    def values(self, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        """The series that they stand for."""
        if self.how.cost == "squared":
            return coordinates.copy()
        moved = coordinates.copy()
        if self.how.cost == "weibull":
            moved[1::2] = np.exp(np.minimum(moved[1::2], 0.94))
        return from_wasserstein(moved)

    def _slope(
        self, members: NDArray[np.float64], own: NDArray[np.float64], shares: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Derivative by the kernels' numbers: z, or ln scale and 1/shape."""
        if self.how.cost == "weibull":
            return weibull_gradient(members, own, shares)
        return np.asarray(
            2.0 * (own * shares.sum(axis=(0, 1)) - np.einsum("nkt,ntj->kj", members, shares))
        )

    def _by_coordinates(
        self, slope: NDArray[np.float64], at: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if self.how.cost != "weibull":
            return np.asarray(slope / np.sqrt(self.how.scale))
        by_width = (np.sqrt(6.0) / np.pi) * np.exp(at[1::2])
        moved = slope.copy()
        moved[1::2] = by_width * (slope[1::2] + np.euler_gamma * slope[0::2])
        return moved


def _complete(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Dates that any feature misses, interpolated between their neighbours; ends held."""
    gone = np.asarray(np.isnan(series).any(axis=1) if series.ndim == 3 else np.isnan(series))
    if not gone.any():
        return series
    filled, places = series.copy(), np.arange(series.shape[-1])
    for n in np.flatnonzero(gone.any(axis=1)):
        valid = np.flatnonzero(~gone[n])
        for row in np.atleast_2d(filled[n]):
            row[:] = np.interp(places, valid, row[valid]) if valid.size else np.nan
    return filled
