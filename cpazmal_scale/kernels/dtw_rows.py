"""The recursion on series given one per row, as people have them; packed and unpacked tile by tile.

Code is made again when the files change whose functions are compiled in.
"""

from __future__ import annotations

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept_with, source
from cpazmal_scale.kernels.dtw_sweep import (
    aligned,
    end_open,
    recursion,
    scaled_root,
    scales_of,
    summed_recursion,
)
from cpazmal_scale.kernels.lanes_f32 import LANES, any_nan, fill, load, mark, root, store

_SOURCES = source("lanes_f32", "dtw_sweep")
_TOGETHER = 64


@kept_with(_SOURCES)
def sweep_rows(
    series: np.ndarray,
    references: np.ndarray,
    limits: np.ndarray,
    weights: np.ndarray,
    min_dates: int,
    ends: int,
    out: np.ndarray,
) -> int:
    """Distances `(N, R)` of series `(N, K, T)` to references `(K, R, T')`, features dependent.

    `weights` `(T, T')` are added to the cost of each cell; of size 0: nothing. With one feature and
    no weights the bits are those of `sweep`. Returns 2 if a series is infinite, 1 if a date is
    missing, else 0.
    """
    number, features, rows = series.shape
    count, columns = references.shape[1:]
    plain = features == 1 and weights.size == 0
    closed = ends == 0
    tiles, marks = aligned(features * rows * LANES), aligned(rows * LANES)
    line, total, scale = aligned(columns * LANES), aligned(LANES), aligned(LANES)
    found = aligned(_TOGETHER * LANES)
    worst = 0
    for p in range(0, number, LANES):
        some = min(LANES, number - p)
        state = _pack_rows(series, p, some, tiles, marks)
        worst = max(worst, state)
        gaps = state > 0 or rows < min_dates
        if gaps or not plain or not closed:
            scales_of(marks, rows, min_dates, scale)
        for start in range(0, count, _TOGETHER):
            end = min(start + _TOGETHER, count)
            for r in range(start, end):
                if plain and closed and not gaps:
                    recursion(tiles, line, references[0, r], limits, None, None, total)
                    store(total, 0, root(load(total, 0)))
                else:
                    if plain and closed:
                        recursion(tiles, line, references[0, r], limits, None, True, total)
                    elif plain:
                        recursion(tiles, line, references[0, r], limits, ends, True, total)
                    else:
                        rows_of = (tiles, marks, line, references[:, r], limits)
                        summed_recursion(*rows_of, ends, weights, total)
                    end_open(line, limits, ends, total)
                    scaled_root(total, scale)
                store(found, (r - start) * LANES, load(total, 0))
            for lane in range(some):
                for r in range(start, end):
                    out[p + lane, r] = found[(r - start) * LANES + lane]
    return worst


@inlined
def _pack_rows(series: np.ndarray, p: int, some: int, tiles: np.ndarray, marks: np.ndarray) -> int:
    """Copy series side by side, zeros behind the last; mark dates that any feature misses."""
    features, rows = series.shape[1:]
    infinite = False
    if some < LANES:
        tiles[:] = np.float32(0)
    for lane in range(some):
        for k in range(features):
            for i in range(rows):
                value = series[p + lane, k, i]
                infinite |= abs(value) == np.float32(np.inf)
                tiles[(k * rows + i) * LANES + lane] = value
    anything = fill(np.float32(0))
    for i in range(rows):
        marked = load(tiles, i * LANES)
        for k in range(1, features):
            marked = mark(marked, load(tiles, (k * rows + i) * LANES))
        store(marks, i * LANES, marked)
        anything = mark(anything, marked)
    if infinite:
        return 2
    return 1 if any_nan(anything) else 0
