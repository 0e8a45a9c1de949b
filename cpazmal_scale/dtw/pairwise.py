"""Distances and alignments between series given one per row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Unpack

import numpy as np
from numba import config

from cpazmal_scale.dtw.band import Band, BandWords, OpenEnds, ends_of
from cpazmal_scale.dtw.block import block_distances, checked_weights
from cpazmal_scale.dtw.checks import equal_lengths, measured, one_of, whole
from cpazmal_scale.kernels.dba_pass import accumulate
from cpazmal_scale.kernels.dtw_rows import sweep_rows
from cpazmal_scale.kernels.dtw_sweep import OPEN_BEGIN, OPEN_END
from cpazmal_scale.kernels.lanes_f32 import LANES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_ROWS_AT_ONCE = 8192
_PARTS_PER_THREAD = 4
_WORDS = ("missing", "time_weights", "min_dates", "threads")
"""Keywords of `distances` beside those of the band."""
_NO_CELLS = np.zeros((0, 0), np.float32)


class Alignment(NamedTuple):
    """How two series are matched."""

    path: NDArray[np.intp]
    """`(L, 2)` pairs (date of q, date of s) from corner to corner, or from and to open ends."""
    distance: float
    """Square root of the (scaled) cost of the path."""
    accumulated: NDArray[np.float64]
    """`(T, T')` accumulated costs, infinite outside the band."""


def distances(
    series: ArrayLike,
    references: ArrayLike,
    band: Band | None = None,
    *,
    missing: Literal["arow", "refuse"] = "arow",
    time_weights: ArrayLike | None = None,
    min_dates: int = 1,
    threads: int = 1,
    **words: Unpack[BandWords],
) -> NDArray[np.float32]:
    """DTW distance of every series to every reference.

    The recursion runs in float32 on the differences `q - s`: the relative error of a distance is
    below `(T + T' + K + 4) 2^-24`, in practice a few 1e-7, for differences from 1e-19 to 1e18:
    squares of smaller ones lose digits, of larger ones become infinite. Give float64 input as
    differences from a common level if its mean is large against its variation: it is rounded to
    float32 first.

    Args:
        series: `(N, T)`, or `(N, K, T)` for dependent multivariate distances; NaN is a missing
            date.
        references: `(R, T')` or `(R, K, T')`, finite.
        band: which dates may be matched; none: all.
        missing: `arow` scores series with missing dates by DTW-AROW (see `block_distances`),
            `refuse` raises.
        time_weights: `(T, T')` additive cost per cell (TWDTW), from the function of that name.
        min_dates: fewer valid dates give NaN.
        threads: threads that share the series; the result does not depend on them.
        words: the band in words instead: `radius`, or `days` and `band_days`, or `limits`; with
            `open_ends` of `begin`, `end` or `both` the series need not meet the reference's ends
            (subsequence DTW).

    Returns:
        float32 `(N, R)`; NaN where a series has fewer than `min_dates` valid dates or, with unequal
        lengths, where the missing dates leave no path.

    Raises:
        ValueError: shapes, bands or values that cannot be compared; infinite values.
    """
    queries, known = _series3(series, "series"), _series3(references, "references", np.float32)
    if queries.shape[1] != known.shape[1]:
        raise ValueError(f"{queries.shape[1]} features in series, {known.shape[1]} in references")
    one_of("missing", missing, ("arow", "refuse"))
    min_dates = whole("min_dates", min_dates, 0)
    if not np.all(np.isfinite(known)):
        raise ValueError("references must be finite; only series may have missing dates")
    shape = queries.shape[2], known.shape[2]
    chosen = Band.of(band, words, _WORDS)
    table, ends = chosen.limits_of(*shape), ends_of(chosen.open_ends)
    cells = _NO_CELLS if time_weights is None else checked_weights(time_weights, shape)
    turned = np.ascontiguousarray(known.transpose(1, 0, 2))
    result = np.empty((len(queries), len(known)), np.float32)

    step, threads = _ROWS_AT_ONCE, whole("threads", threads, 1)
    min_dates = whole("min_dates", min_dates, 0)
    if threads > 1:
        step = min(step, LANES * -(-len(queries) // (LANES * _PARTS_PER_THREAD * threads)) or LANES)

    def part(start: int) -> None:
        some = slice(start, start + step)
        rows = np.ascontiguousarray(queries[some], np.float32)
        if config.DISABLE_JIT:
            result[some] = _by_blocks(rows, turned, table, cells, min_dates, chosen.open_ends)
            state = 2 * int(np.isinf(rows).any()) or int(np.isnan(rows).any())
        else:
            state = sweep_rows(rows, turned, table, cells, min_dates, ends, result[some])
        if state == 2:
            raise ValueError("series must not be infinite; mark missing dates by NaN")
        if state == 1 and missing == "refuse":
            raise ValueError("series have missing dates")

    starts = range(0, len(queries), step)
    if threads < 2 or len(starts) < 2:
        for start in starts:
            part(start)
    else:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(part, starts))
    return result


def distance(
    q: ArrayLike,
    s: ArrayLike,
    band: Band | None = None,
    *,
    missing: Literal["arow", "refuse"] = "arow",
    time_weights: ArrayLike | None = None,
    min_dates: int = 1,
    **words: Unpack[BandWords],
) -> float:
    """DTW distance of one series `(T,)` or `(K, T)` to another.

    Arguments and errors as for `distances`; NaN where it gives NaN.
    """
    chosen = Band.of(band, words, _WORDS[:-1])
    first, second = (_one(side)[None] for side in (q, s))
    table = distances(
        first, second, chosen, missing=missing, time_weights=time_weights, min_dates=min_dates
    )
    return float(table[0, 0])


def path(
    q: ArrayLike,
    s: ArrayLike,
    band: Band | None = None,
    *,
    time_weights: ArrayLike | None = None,
    **words: Unpack[BandWords],
) -> Alignment:
    """The best path between two series `(T,)` or `(K, T)`, in float64.

    Of equally good steps back the diagonal is taken first, then the one along `q`.
    `band`, `time_weights` and `words` as for `distances`; missing dates follow DTW-AROW.

    Raises:
        ValueError: as `distances`; or missing dates that leave no path.
    """
    first, second = (_one(side, np.float64) for side in (q, s))
    if first.shape[0] != second.shape[0]:
        raise ValueError(f"{first.shape[0]} features in q, {second.shape[0]} in s")
    if np.any(np.isinf(first)):
        raise ValueError("series must not be infinite; mark missing dates by NaN")
    if not np.all(np.isfinite(second)):
        raise ValueError("the reference must be finite; only the series may have missing dates")
    shape = rows, columns = first.shape[1], second.shape[1]
    chosen = Band.of(band, words, _WORDS[1:2])
    table, ends = chosen.limits_of(rows, columns), ends_of(chosen.open_ends)
    cells = _NO_CELLS if time_weights is None else checked_weights(time_weights, shape)
    gone = np.asarray(np.any(np.isnan(first), axis=0))
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, : columns + 1 if ends & OPEN_BEGIN else 1] = 0.0
    marked = np.where(gone, np.nan, first)
    accumulate(marked, np.ascontiguousarray(second), table, cells.astype(np.float64), total)
    total = total[1:, 1:]
    last = int(np.argmin(total[-1])) if ends & OPEN_END else columns - 1
    if not np.isfinite(total[-1, last]):
        raise ValueError("the missing dates leave no path inside the band")
    scale = rows / max(rows - int(gone.sum()), 1)
    length = float(np.sqrt(total[-1, last] * scale)) if not gone.all() else float("nan")
    return Alignment(_trace(total, gone, last, bool(ends & OPEN_BEGIN)), length, total)


def _trace(
    total: NDArray[np.float64], gone: NDArray[np.bool_], last: int, opened: bool
) -> NDArray[np.intp]:
    at = (total.shape[0] - 1, last)
    cells = [at]
    while at != (0, 0) and not (opened and at[0] == 0):
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


def _by_blocks(
    rows: NDArray[np.float32],
    references: NDArray[np.float32],
    limits: NDArray[np.int32],
    cells: NDArray[np.float32],
    min_dates: int,
    open_ends: OpenEnds | None,
) -> NDArray[np.float32]:
    """The same without a compiler."""
    away = block_distances(
        np.ascontiguousarray(rows.transpose(1, 2, 0)),
        references,
        limits,
        time_weights=cells if cells.size else None,
        dependent=True,
        min_dates=min_dates,
        open_ends=open_ends,
    )
    return np.asarray(away[0].T)


def _one(values: ArrayLike, dtype: type | None = None) -> NDArray[Any]:
    """One series `(K, T)`."""
    features = equal_lengths(values, "features of a series")
    return np.asarray(_series3(features[None], "a series", dtype)[0])


def _series3(values: ArrayLike, name: str, dtype: type | None = None) -> NDArray[Any]:
    array: NDArray[Any] = measured(values, name)
    if array.ndim == 2:
        array = array[:, None, :]
    if array.ndim != 3 or 0 in array.shape[1:]:
        raise ValueError(f"{name} must have shape (N, T) or (N, K, T), not {np.shape(values)}")
    return array if dtype is None else array.astype(dtype, copy=False)
