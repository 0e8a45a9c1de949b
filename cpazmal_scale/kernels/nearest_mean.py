"""How far pixels are from the nearest of several mean series, many pixels at once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept_with
from cpazmal_scale.kernels.lanes_f32 import (
    LANES,
    SOURCE,
    add,
    add_square,
    any_nan,
    fill,
    load,
    multiply,
    root,
    spread,
    store,
    subtract,
)


@kept_with(SOURCE)
def nearest_mean(
    block: np.ndarray,
    mean: np.ndarray,
    per_scale: np.ndarray,
    centres: np.ndarray,
    per_tau: np.ndarray,
    min_dates: int,
    known: np.ndarray,
    out: np.ndarray,
) -> None:
    """Least mean over features of scaled Euclidean distances `(P,)` of series `(K, T, P)`.

    A sum over the valid dates is scaled by all over valid ones. Features with fewer than
    `min_dates` valid dates do not count; pixels without any are not `known` and get NaN.

    Args:
        block: float32, raw, NaN missing.
        mean: float32 `(K,)`; with `per_scale` `(K,)` it makes z-scores.
        per_scale: one over the standard deviation.
        centres: float32 `(C, K, T)` mean series, z-scored.
        per_tau: float32 `(K,)`, one over the spread.
        min_dates: fewer valid dates do not count.
        known: bool `(P,)`.
        out: float32 `(P,)`.
        source: names the code of the lanes.
    """
    classes, features, dates = centres.shape
    pixels = block.shape[2]
    tile = np.empty((dates, LANES), np.float32)
    gaps = np.empty((dates, LANES), np.float32)
    sums = np.empty((classes, LANES), np.float32)
    rows = np.empty((3, LANES), np.float32)
    counted = np.empty(LANES, np.float32)
    for p in range(0, pixels, LANES):
        some = min(LANES, pixels - p)
        sums[:], counted[:] = 0, 0
        for k in range(features):
            scale = mean[k], per_scale[k], per_tau[k]
            if some == LANES and _whole(block, k, p, scale, tile):
                if dates >= min_dates:
                    _add_whole(tile, centres, k, scale[2], sums)
                    counted += np.float32(1)
            else:
                _fill(block[k, :, p : p + some], mean[k], per_scale[k], tile, gaps, rows[0])
                _add_gappy(tile, gaps, centres[:, k], per_tau[k], min_dates, rows, sums, counted)
        for lane in range(some):
            nearest = np.float32(np.inf)
            for c in range(classes):
                nearest = min(nearest, sums[c, lane])
            known[p + lane] = counted[lane] > 0
            out[p + lane] = nearest / counted[lane] if counted[lane] > 0 else np.float32(np.nan)


@inlined
def _whole(block: np.ndarray, k: int, p: int, scale: Any, tile: np.ndarray) -> bool:
    """Write the z-scores of one feature of `LANES` pixels; whether no date is missing."""
    dates, pixels = block.shape[1:]
    middle, factor = fill(scale[0]), fill(scale[1])
    gone = fill(np.float32(0))
    for t in range(dates):
        raw = load(block, (k * dates + t) * pixels + p)
        value = multiply(subtract(raw, middle), factor)
        gone = add(gone, subtract(value, value))  # not 0 where a value is not finite
        store(tile, t * LANES, value)
    return not any_nan(gone)


@inlined
def _add_whole(
    tile: np.ndarray, centres: np.ndarray, k: int, per_tau: np.float32, sums: np.ndarray
) -> None:
    """Add to each class's sum the scaled distance of one feature without missing dates."""
    classes, features, dates = centres.shape
    factor = fill(per_tau)
    for c in range(classes):
        squares, first = fill(np.float32(0)), (c * features + k) * dates
        for t in range(dates):
            squares = add_square(squares, load(tile, t * LANES), spread(centres, first + t))
        store(sums, c * LANES, add(load(sums, c * LANES), multiply(root(squares), factor)))


@inlined
def _add_gappy(
    tile: np.ndarray,
    gaps: np.ndarray,
    centres: np.ndarray,
    per_tau: np.float32,
    min_dates: int,
    rows: np.ndarray,
    sums: np.ndarray,
    counted: np.ndarray,
) -> None:
    """The same where dates are missing; `rows` holds the valid dates, and room to work in."""
    classes, dates = centres.shape
    valid, square, factor = rows[0], rows[1], rows[2]
    least = np.float32(max(min_dates, 1))
    for lane in range(LANES):
        here = valid[lane] >= least
        counted[lane] += np.float32(1) if here else np.float32(0)
        scale = np.float32(dates) / max(valid[lane], np.float32(1))
        factor[lane] = scale if here else np.float32(0)
    for c in range(classes):
        square[:] = 0
        for t in range(dates):
            centre, here, gap = centres[c, t], tile[t], gaps[t]
            for lane in range(LANES):
                step = (here[lane] - centre) * gap[lane]
                square[lane] += step * step
        total = sums[c]
        for lane in range(LANES):
            total[lane] += np.float32(math.sqrt(square[lane] * factor[lane])) * per_tau


@inlined
def _fill(
    rows: np.ndarray,
    mean: np.float32,
    per_scale: np.float32,
    tile: np.ndarray,
    gaps: np.ndarray,
    valid: np.ndarray,
) -> None:
    """The z-scores of some pixels, 0 where missing; 1 where valid; and how many are."""
    dates, some = rows.shape
    valid[:] = 0
    for t in range(dates):
        row, here, gap = rows[t], tile[t], gaps[t]
        here[some:], gap[some:] = 0, 0
        for lane in range(some):
            value = (row[lane] - mean) * per_scale
            good = abs(value) < np.float32(np.inf)
            here[lane] = value if good else np.float32(0)
            gap[lane] = np.float32(1) if good else np.float32(0)
        for lane in range(LANES):
            valid[lane] += gap[lane]
