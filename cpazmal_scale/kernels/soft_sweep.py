"""Soft and hard alignment of many series at once in float64, one series per SIMD lane.

`None` for `weibull` or `hard` compiles a kernel without that branch, as in `dtw_sweep`. Costs are
in units of gamma: the caller has divided the series by its root.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept_with
from cpazmal_scale.kernels.lanes_soft import (
    FAR,
    LANES,
    SOURCE,
    add,
    add_square,
    fill,
    hard_cell,
    load,
    multiply_add,
    share,
    soft_cell,
    store,
    weibull_cost,
)


@kept_with(SOURCE)
def soft_rows(
    series: np.ndarray,
    references: np.ndarray,
    limits: np.ndarray,
    weibull: bool | None,
    hard: bool | None,
    out: np.ndarray,
) -> None:
    """Sums `(N, R)` of the (soft) least path of series `(N, K, T)` to references `(R, K, T')`.

    All float64 and finite. With `weibull` the K features are scale, 1/k and second moment of each
    channel's law.
    """
    number, features, rows = series.shape
    columns = references.shape[2]
    tiles = np.zeros(features * rows * LANES)
    line, total = np.empty(columns * LANES), np.empty(LANES)
    for p in range(0, number, LANES):
        some = min(LANES, number - p)
        _pack(series, p, some, tiles)
        for r in range(references.shape[0]):
            _recursion(tiles, rows, line, references[r], limits, weibull, hard, total)
            for lane in range(some):
                out[p + lane, r] = total[lane]


@kept_with(SOURCE)
def soft_selves(
    series: np.ndarray,
    limits: np.ndarray,
    weibull: bool | None,
    out: np.ndarray,
) -> None:
    """Soft sums `(N,)` of series `(N, K, T)` with themselves, arguments as for `soft_rows`."""
    number, features, rows = series.shape
    tiles = np.zeros(features * rows * LANES)
    line, total = np.empty(rows * LANES), np.empty(LANES)
    for p in range(0, number, LANES):
        some = min(LANES, number - p)
        _pack(series, p, some, tiles)
        _recursion(tiles, rows, line, None, limits, weibull, None, total)
        for lane in range(some):
            out[p + lane] = total[lane]


@kept_with(SOURCE)
def soft_shares(
    series: np.ndarray,
    reference: np.ndarray,
    limits: np.ndarray,
    weibull: bool | None,
    out: np.ndarray,
    shares: np.ndarray,
) -> None:
    """Soft sums `(N,)` to one reference `(K, T')`, and how much of each passes every cell.

    `shares` `(N, T, T')` is the derivative of the sum by the cell's cost (Cuturi and Blondel 2017,
    algorithm 2).
    """
    number, features, rows = series.shape
    columns = reference.shape[1]
    tiles = np.zeros(features * rows * LANES)
    size = (rows + 1) * (columns + 1) * LANES
    ways, totals, parts = np.empty(size), np.empty(size), np.empty(size)
    for p in range(0, number, LANES):
        some = min(LANES, number - p)
        _pack(series, p, some, tiles)
        _forward(tiles, rows, reference, limits, weibull, ways, totals)
        _backward(rows, columns, limits, ways, totals, parts)
        for lane in range(some):
            out[p + lane] = totals[((rows - 1) * (columns + 1) + columns - 1) * LANES + lane]
            for i in range(rows):
                for j in range(columns):
                    shares[p + lane, i, j] = parts[(i * (columns + 1) + j) * LANES + lane]


@inlined
def _recursion(
    tiles: np.ndarray,
    rows: int,
    line: np.ndarray,
    s: np.ndarray | None,
    limits: np.ndarray,
    weibull: bool | None,
    hard: bool | None,
    total: np.ndarray,
) -> None:
    far, left = fill(FAR), fill(FAR)
    features = tiles.size // (rows * LANES)
    seen = 0
    for i in range(rows):
        first, end = limits[i]
        for j in range(seen, end):
            store(line, j * LANES, far)
        seen = end
        left = corner = far
        if i == 0:
            corner = fill(0.0)
        elif first > limits[i - 1, 0]:
            corner = load(line, (first - 1) * LANES)
        for j in range(first, end):
            up = load(line, j * LANES)
            cost = _cost(tiles, features, rows, i, s, j, weibull)
            if hard is None:
                left = soft_cell(cost, corner, up, left)
            else:
                left = hard_cell(cost, corner, up, left)
            corner = up
            store(line, j * LANES, left)
    store(total, 0, left)


@inlined
def _forward(
    tiles: np.ndarray,
    rows: int,
    s: np.ndarray,
    limits: np.ndarray,
    weibull: bool | None,
    ways: np.ndarray,
    totals: np.ndarray,
) -> None:
    """Fill the least way to each cell, and the same with its cost."""
    features, width = s.shape[0], s.shape[1] + 1
    ways[:] = FAR
    totals[:] = FAR
    nothing = fill(0.0)
    for i in range(rows):
        for j in range(limits[i, 0], limits[i, 1]):
            corner = up = left = fill(FAR)
            if i == 0 and j == 0:
                corner = nothing
            if i > 0:
                up = load(totals, ((i - 1) * width + j) * LANES)
            if j > 0:
                left = load(totals, (i * width + j - 1) * LANES)
            if i > 0 and j > 0:
                corner = load(totals, ((i - 1) * width + j - 1) * LANES)
            way = soft_cell(nothing, corner, up, left)
            cost = _cost(tiles, features, rows, i, s, j, weibull)
            store(ways, (i * width + j) * LANES, way)
            store(totals, (i * width + j) * LANES, add(way, cost))


@inlined
def _backward(
    rows: int,
    columns: int,
    limits: np.ndarray,
    ways: np.ndarray,
    totals: np.ndarray,
    parts: np.ndarray,
) -> None:
    width = columns + 1
    parts[:] = 0.0
    for i in range(rows - 1, -1, -1):
        for j in range(limits[i, 1] - 1, limits[i, 0] - 1, -1):
            here = load(totals, (i * width + j) * LANES)
            part = fill(1.0 if i == rows - 1 and j == columns - 1 else 0.0)
            for step in (width, 1, width + 1):
                after = (i * width + j + step) * LANES
                part = multiply_add(load(parts, after), share(load(ways, after), here), part)
            store(parts, (i * width + j) * LANES, part)


@inlined
def _cost(
    tiles: np.ndarray,
    features: int,
    rows: int,
    i: int,
    s: np.ndarray | None,
    j: int,
    weibull: bool | None,
) -> Any:
    cost = fill(0.0)
    if weibull is None:
        for k in range(features):
            there = _there(tiles, rows, s, k, j)
            cost = add_square(cost, load(tiles, (k * rows + i) * LANES), there)
        return cost
    for k in range(0, features, 3):
        own = weibull_cost(
            load(tiles, (k * rows + i) * LANES),
            load(tiles, ((k + 1) * rows + i) * LANES),
            load(tiles, ((k + 2) * rows + i) * LANES),
            _there(tiles, rows, s, k, j),
            _there(tiles, rows, s, k + 1, j),
            _there(tiles, rows, s, k + 2, j),
        )
        cost = add(cost, own)
    return cost


@inlined
def _there(tiles: np.ndarray, rows: int, s: np.ndarray | None, k: int, j: int) -> Any:
    """A number of the reference in every lane, or each series' own."""
    if s is None:
        return load(tiles, (k * rows + j) * LANES)
    return fill(s[k, j])


@inlined
def _pack(series: np.ndarray, p: int, some: int, tiles: np.ndarray) -> None:
    """Copy series side by side; lanes behind the last one keep what they hold."""
    features, rows = series.shape[1:]
    for k in range(features):
        for i in range(rows):
            for lane in range(some):
                tiles[(k * rows + i) * LANES + lane] = series[p + lane, k, i]
