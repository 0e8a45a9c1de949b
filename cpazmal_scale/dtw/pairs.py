"""Distances and alignments between series given one per row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from cpazmal_scale.dtw.band import band_limits, check_limits
from cpazmal_scale.dtw.block import block_distances

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Not a power of two: rows of 8192 bytes would fall on the same lines of the cache.
_ROWS_AT_ONCE = 1984


class Alignment(NamedTuple):
    """How two series are matched."""

    path: NDArray[np.intp]
    """`(L, 2)` pairs (date of q, date of s) from corner to corner."""
    distance: float
    """Square root of the (scaled) cost of the path."""
    accumulated: NDArray[np.float64]
    """`(T, T')` accumulated costs, infinite outside the band."""


def distances(
    series: ArrayLike,
    references: ArrayLike,
    *,
    radius: int | None = None,
    days: tuple[ArrayLike, ArrayLike] | None = None,
    band_days: float | None = None,
    limits: ArrayLike | None = None,
    missing: Literal["arow", "refuse"] = "arow",
    weights: ArrayLike | None = None,
    min_dates: int = 1,
    threads: int = 1,
) -> NDArray[np.float32]:
    """DTW distance of every series to every reference.

    The recursion runs in float32 on the differences `q - s`: the relative error of a distance is
    below `(T + T') 2^-24`, in practice a few 1e-7. Give float64 input as differences from a common
    level if its mean is large against its variation.

    Args:
        series: `(N, T)`, or `(N, K, T)` for dependent multivariate distances; NaN is a missing
            date.
        references: `(R, T')` or `(R, K, T')`, finite.
        radius: band in samples; 0 is the Euclidean distance. No band if none is given.
        days: days of the columns T and T', for `band_days`.
        band_days: band in days.
        limits: column limits `(T, 2)` instead of a band.
        missing: `arow` scores series with missing dates by DTW-AROW (see `block_distances`),
            `refuse` raises.
        weights: `(T, T')` additive cost per cell, from `time_weights`.
        min_dates: fewer valid dates give NaN.
        threads: threads that share the series; the result does not depend on them.

    Returns:
        float32 `(N, R)`; NaN where a series has fewer than `min_dates` valid dates.

    Raises:
        ValueError: shapes, bands or values that cannot be compared; infinite values.
    """
    queries, known = _series3(series, "series"), _series3(references, "references")
    if queries.shape[1] != known.shape[1]:
        raise ValueError(f"{queries.shape[1]} features in series, {known.shape[1]} in references")
    if missing not in ("arow", "refuse"):
        raise ValueError(f"missing must be 'arow' or 'refuse', not {missing!r}")
    table = _limits(queries.shape[2], known.shape[2], radius, days, band_days, limits)
    cells = None if weights is None else np.ascontiguousarray(weights, np.float32)
    turned = np.ascontiguousarray(known.transpose(1, 0, 2))
    result = np.empty((len(queries), len(known)), np.float32)

    def part(start: int) -> None:
        some = slice(start, start + _ROWS_AT_ONCE)
        pixels = np.ascontiguousarray(queries[some].transpose(1, 2, 0))
        _check_values(pixels, gaps_allowed=missing == "arow")
        options = {"weights": cells, "min_dates": min_dates, "dependent": True}
        result[some] = block_distances(pixels, turned, table, **options)[0].T  # type: ignore[arg-type]

    starts = range(0, len(queries), _ROWS_AT_ONCE)
    shares = 8 * threads if threads > 1 and len(starts) > 1 else 1

    def share(turn: int) -> None:
        for start in starts[turn::shares]:
            part(start)

    if shares == 1:
        share(0)
    else:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(share, range(shares)))
    return result


def distance(
    q: ArrayLike,
    s: ArrayLike,
    *,
    radius: int | None = None,
    days: tuple[ArrayLike, ArrayLike] | None = None,
    band_days: float | None = None,
    limits: ArrayLike | None = None,
    missing: Literal["arow", "refuse"] = "arow",
    weights: ArrayLike | None = None,
) -> float:
    """DTW distance of one series `(T,)` or `(K, T)` to another; keywords as in `distances`."""
    table = distances(
        np.asarray(q)[None],
        np.asarray(s)[None],
        radius=radius,
        days=days,
        band_days=band_days,
        limits=limits,
        missing=missing,
        weights=weights,
    )
    return float(table[0, 0])


def path(
    q: ArrayLike,
    s: ArrayLike,
    *,
    radius: int | None = None,
    days: tuple[ArrayLike, ArrayLike] | None = None,
    band_days: float | None = None,
    limits: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> Alignment:
    """The best path between two series `(T,)` or `(K, T)`, in float64.

    Of equally good steps back the diagonal is taken first, then the one along `q`.
    Keywords as in `distances`.

    Raises:
        ValueError: as `distances`; or missing dates that leave no path.
    """
    first, second = (_series3(np.asarray(one)[None], "a series", np.float64)[0] for one in (q, s))
    _check_values(first)
    if not np.all(np.isfinite(second)):
        raise ValueError("the reference must be finite; only the series may have missing dates")
    rows, columns = first.shape[1], second.shape[1]
    table = _limits(rows, columns, radius, days, band_days, limits)
    cost = ((first[:, :, None] - second[:, None, :]) ** 2).sum(axis=0)
    if weights is not None:
        cost = cost + np.asarray(weights, float)
    gone = np.asarray(np.any(np.isnan(first), axis=0))
    cost[gone] = 0.0
    total = _accumulate(cost, gone, table)
    if not np.isfinite(total[-1, -1]):
        raise ValueError("the missing dates leave no path inside the band")
    scale = rows / max(rows - int(gone.sum()), 1)
    length = float(np.sqrt(total[-1, -1] * scale)) if not gone.all() else float("nan")
    return Alignment(_trace(total, gone), length, total)


def _accumulate(
    cost: NDArray[np.float64], gone: NDArray[np.bool_], limits: NDArray[np.int32]
) -> NDArray[np.float64]:
    total = np.full(cost.shape, np.inf)
    for i in range(cost.shape[0]):
        for j in range(limits[i, 0], limits[i, 1]):
            steps = [total[at] for at in _steps(i, j, gone)]
            total[i, j] = cost[i, j] + (min(steps) if steps else (0.0 if i == j == 0 else np.inf))
    return total


def _trace(total: NDArray[np.float64], gone: NDArray[np.bool_]) -> NDArray[np.intp]:
    at = (total.shape[0] - 1, total.shape[1] - 1)
    cells = [at]
    while at != (0, 0):
        at = min(_steps(*at, gone), key=lambda cell: total[cell])
        cells.append(at)
    return np.array(cells[::-1], dtype=np.intp)


def _steps(i: int, j: int, gone: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Cells a path may come from, the preferred first."""
    steps = [(i - 1, j - 1)] if i and j else []
    if i and not (gone[i] or gone[i - 1]):
        steps.append((i - 1, j))
    if j and not gone[i]:
        steps.append((i, j - 1))
    return steps


def _series3(values: ArrayLike, name: str, dtype: type = np.float32) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must hold real numbers, not {array.dtype}")
    if array.ndim == 2:
        array = array[:, None, :]
    if array.ndim != 3 or 0 in array.shape[1:]:
        raise ValueError(f"{name} must have shape (N, T) or (N, K, T), not {np.shape(values)}")
    return array.astype(dtype, copy=False)


def _check_values(series: NDArray[Any], *, gaps_allowed: bool = True) -> None:
    if np.any(np.isinf(series)):
        raise ValueError("series must not be infinite; mark missing dates by NaN")
    if not gaps_allowed and np.any(np.isnan(series)):
        raise ValueError("series have missing dates")


def _limits(
    rows: int,
    columns: int,
    radius: int | None,
    days: tuple[ArrayLike, ArrayLike] | None,
    band_days: float | None,
    limits: ArrayLike | None,
) -> NDArray[np.int32]:
    if limits is None:
        return band_limits(rows, columns, radius=radius, days=days, band_days=band_days)
    if radius is not None or band_days is not None:
        raise ValueError("give limits or a band, not both")
    return check_limits(limits, rows, columns)
