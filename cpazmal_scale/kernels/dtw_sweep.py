"""The DTW recursion on many pixels at once, one pixel per SIMD lane.

Two rows of the band are computed in one pass over the columns, with the left and diagonal
neighbours in registers: per cell one subtraction, two minima, one fused multiply-add, half a load
and half a store. One of the minima is taken on the bits as integers, which orders non-negative
floats alike and keeps other execution ports busy. Tails shorter than `LANES` are padded.

The inner functions are compiled into the sweeps and not cached.
"""

from __future__ import annotations

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept_with, source
from cpazmal_scale.kernels.dtw_band import SLOTS, banded
from cpazmal_scale.kernels.lanes_f32 import (
    LANES,
    add,
    add_square,
    any_nan,
    cell,
    count_valid,
    edge,
    fill,
    join,
    load,
    mark,
    multiply,
    root,
    smaller,
    spread,
    store,
    watch,
)
from cpazmal_scale.kernels.tiles import fetch_lanes

OPEN_BEGIN = 1
"""Bit of `ends`: the first date may be matched with any date of the reference within its band."""
OPEN_END = 2
"""The same of the last date."""
_ALIGNMENT = 16
_SOURCES = source("lanes_f32", "dtw_band", "tiles")


@kept_with(_SOURCES)
def sweep(
    series: np.ndarray,
    references: np.ndarray,
    limits: np.ndarray,
    slots: np.ndarray,
    begin: int,
    min_dates: int,
    ends: int,
    out: np.ndarray,
) -> None:
    """Distances `(K, R, P)` of `(K, T, P)` pixels to `(K, R, T')` references, checked before.

    `slots` and `begin` are those of `in_slots`.
    """
    features, rows, pixels = series.shape
    count, columns = references.shape[1:]
    values, near, found = series.reshape(-1), slots.reshape(-1), out.reshape(-1)
    tile = aligned(rows * LANES)
    line = aligned(columns * LANES)
    total = aligned(LANES)
    scale = aligned(LANES)
    for p in range(0, pixels, LANES):
        for k in range(features):
            gaps = _pack(series, k, p, tile) or rows < min_dates
            known, lacking = True, gaps
            if gaps or ends:
                scales_of(tile, rows, min_dates, scale)
            if gaps and not ends:
                # The plain recursion serves pixels without any date too.
                known, gaps = _known(scale)
            following = (k + 1) * rows * pixels + p if k + 1 < features else p + LANES
            for r in range(count):
                at = k * count + r
                fetch_lanes(found, at * pixels + p)
                for i in range(r, rows, count):
                    fetch_lanes(values, following + i * pixels)
                if not known:
                    store(total, 0, fill(np.float32(np.nan)))
                elif ends:
                    recursion(tile, line, references[k, r], limits, ends, True, total)
                    end_open(line, limits, ends, total)
                    scaled_root(total, scale)
                elif gaps:
                    recursion(tile, line, references[k, r], limits, None, gaps, total)
                    scaled_root(total, scale)
                else:
                    if near.size == 0 or lacking:
                        recursion(tile, line, references[k, r], limits, None, None, total)
                    else:
                        end = begin + columns - rows
                        banded(tile, near, at * rows * SLOTS, begin, end, total)
                    if lacking:
                        scaled_root(total, scale)
                    else:
                        store(total, 0, root(load(total, 0)))
                _unpack(total, out, at * pixels, p, pixels)


@kept_with(_SOURCES)
def sweep_summed(
    series: np.ndarray,
    references: np.ndarray,
    limits: np.ndarray,
    weights: np.ndarray,
    min_dates: int,
    ends: int,
    out: np.ndarray,
) -> None:
    """Distances `(1, R, P)` with costs summed over features and `weights` `(T, T')` added.

    `weights` of size 0 adds nothing; a date is missing where any feature is.
    """
    features, rows, pixels = series.shape
    count, columns = references.shape[1:]
    tiles = aligned(features * rows * LANES)
    marks = aligned(rows * LANES)
    line = aligned(columns * LANES)
    total = aligned(LANES)
    scale = aligned(LANES)
    for p in range(0, pixels, LANES):
        marks[:] = np.float32(0)
        for k in range(features):
            tile = tiles[k * rows * LANES : (k + 1) * rows * LANES]
            _pack(series, k, p, tile)
            for at in range(0, rows * LANES, LANES):
                store(marks, at, mark(load(marks, at), load(tile, at)))
        scales_of(marks, rows, min_dates, scale)
        for r in range(count):
            s = references[:, r]
            summed_recursion(tiles, marks, line, s, limits, ends, weights, total)
            end_open(line, limits, ends, total)
            scaled_root(total, scale)
            _unpack(total, out, r * pixels, p, pixels)


@inlined
def recursion(
    tile: np.ndarray,
    line: np.ndarray,
    s: np.ndarray,
    limits: np.ndarray,
    ends: int | None,
    missing: bool | None,
    total: np.ndarray,
) -> None:
    """Squared distance of a tile of pixels to one reference, two rows at a time.

    `line` holds the row above, infinite right of its band. An odd first row goes alone. Where the
    begin is open, the row above the first is 0; `ends` is None where none is, so that nothing is
    asked in the loops.
    """
    rows = limits.shape[0]
    far, bottom = fill(np.float32(np.inf)), fill(np.float32(np.inf))
    begin = far
    if ends is not None:
        begin = fill(np.float32(0) if ends & OPEN_BEGIN else np.float32(np.inf))
    seen = 0
    if rows & 1:
        q, corner = load(tile, 0), fill(np.float32(0))
        for j in range(limits[0, 0], limits[0, 1]):
            bottom = edge(q, spread(s, j), corner, bottom, watch(missing, tile, 0))
            corner = begin
            store(line, j * LANES, bottom)
        seen = limits[0, 1]
    for i in range(rows & 1, rows, 2):
        first, second = limits[i, 0], limits[i + 1, 0]
        end, last = limits[i, 1], limits[i + 1, 1]
        fresh = far
        if ends is not None:  # noqa: SIM102 - the compiler drops what is None
            if i == 0:
                fresh = begin
        for j in range(seen, end):
            store(line, j * LANES, fresh)
        seen = last
        above = watch(missing, tile, max(i - 1, 0) * LANES)
        between = watch(missing, tile, i * LANES)
        q, next_q = load(tile, i * LANES), load(tile, (i + 1) * LANES)
        corner = far
        if i == 0:
            corner = fill(np.float32(0))
        elif first > limits[i - 1, 0]:
            corner = load(line, (first - 1) * LANES)
        top = bottom = before = far
        for j in range(first, second):
            up = load(line, j * LANES)
            top = cell(q, spread(s, j), corner, up, top, above)
            corner = up
            before = top
        for j in range(second, end):
            up, reference = load(line, j * LANES), spread(s, j)
            top = cell(q, reference, corner, up, top, above)
            bottom = cell(next_q, reference, before, top, bottom, between)
            corner, before = up, top
            store(line, j * LANES, bottom)
        for j in range(end, last):
            bottom = edge(next_q, spread(s, j), before, bottom, between)
            before = far
            store(line, j * LANES, bottom)
    store(total, 0, bottom)


@inlined
def summed_recursion(
    tiles: np.ndarray,
    marks: np.ndarray,
    line: np.ndarray,
    references: np.ndarray,
    limits: np.ndarray,
    ends: int,
    weights: np.ndarray,
    total: np.ndarray,
) -> None:
    """The same with costs summed over features and `weights`, a row at a time."""
    rows, features = limits.shape[0], references.shape[0]
    far, left = fill(np.float32(np.inf)), fill(np.float32(np.inf))
    begin = fill(np.float32(0) if ends & OPEN_BEGIN else np.float32(np.inf))
    seen = 0
    for i in range(rows):
        first, end = limits[i]
        for j in range(seen, end):
            store(line, j * LANES, far if i else begin)
        seen = end
        marked, above = load(marks, i * LANES), load(marks, max(i - 1, 0) * LANES)
        left = corner = far
        if i == 0:
            corner = fill(np.float32(0))
        elif first > limits[i - 1, 0]:
            corner = load(line, (first - 1) * LANES)
        for j in range(first, end):
            cost = fill(weights[i, j]) if weights.size else fill(np.float32(0))
            for k in range(features):
                q = load(tiles, (k * rows + i) * LANES)
                cost = add_square(cost, q, fill(references[k, j]))
            up = load(line, j * LANES)
            left = join(cost, marked, corner, up, left, above)
            corner = up
            store(line, j * LANES, left)
    store(total, 0, left)


@inlined
def end_open(line: np.ndarray, limits: np.ndarray, ends: int, total: np.ndarray) -> None:
    """Where the end is open, the total is the least of the last row."""
    if ends & OPEN_END:
        first, end = limits[-1]
        least = load(line, first * LANES)
        for j in range(first + 1, end):
            least = smaller(least, load(line, j * LANES))
        store(total, 0, least)


@inlined
def aligned(size: int) -> np.ndarray:
    """Uninitialised float32 starting on a cache line, so that no access straddles two."""
    raw = np.empty(size + _ALIGNMENT, np.float32)
    start = (-(raw.ctypes.data >> 2)) & (_ALIGNMENT - 1)
    return raw[start : start + size]


@inlined
def _pack(series: np.ndarray, k: int, p: int, tile: np.ndarray) -> bool:
    """Copy a tile of pixels, zeros behind the last one; tell whether any value is not finite."""
    rows, pixels = series.shape[1:]
    marks = nothing = fill(np.float32(0))
    for i in range(rows):
        if p + LANES <= pixels:
            store(tile, i * LANES, load(series, (k * rows + i) * pixels + p))
        else:
            for lane in range(LANES):
                tile[i * LANES + lane] = series[k, i, p + lane] if p + lane < pixels else 0.0
        marks = add(marks, multiply(load(tile, i * LANES), nothing))
    lacking: bool = any_nan(marks)
    return lacking


@inlined
def _unpack(total: np.ndarray, out: np.ndarray, start: int, p: int, pixels: int) -> None:
    if p + LANES <= pixels:
        store(out, start + p, load(total, 0))
    else:
        flat = out.reshape(-1)
        for lane in range(pixels - p):
            flat[start + p + lane] = total[lane]


@inlined
def scales_of(tile: np.ndarray, rows: int, min_dates: int, scale: np.ndarray) -> None:
    """Samples over valid samples of each lane; NaN where too few are valid."""
    scale[:] = np.float32(0)
    for at in range(0, rows * LANES, LANES):
        store(scale, 0, count_valid(load(scale, 0), load(tile, at)))
    enough = np.float32(max(min_dates, 1))
    for lane in range(LANES):
        valid = scale[lane]
        scale[lane] = np.float32(rows) / valid if valid >= enough else np.float32(np.nan)


@inlined
def _known(scale: np.ndarray) -> tuple[bool, bool]:
    """Whether any pixel has enough dates, and whether one of these lacks some."""
    known = gaps = False
    for lane in range(LANES):
        known |= scale[lane] >= np.float32(1)
        gaps |= scale[lane] > np.float32(1)
    return known, gaps


@inlined
def scaled_root(total: np.ndarray, scale: np.ndarray) -> None:
    """Distances from squared sums; where missing dates leave no path, NaN."""
    one, far = np.float32(1), np.float32(np.inf)
    for lane in range(LANES):
        lost = (total[lane] == far) & (scale[lane] != one)
        total[lane] = np.float32(np.nan) if lost else total[lane] * scale[lane]
    store(total, 0, root(load(total, 0)))
