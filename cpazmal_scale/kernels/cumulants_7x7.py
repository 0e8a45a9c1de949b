"""The compiled kernel of the default: cumulants of every window of 7 × 7 pixels of a block.

It sums in the order of `window_sums`, so its bits are those of `cumulants`, but a group of columns
walks down the rows and keeps the sums of the rows above in registers: nothing between the log
amplitudes and the cumulants is written to memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.kernels.channels import copy, read_channels
from cpazmal_scale.kernels.compiled import inlined, kept_with, source
from cpazmal_scale.kernels.lanes_f64 import (
    LANES,
    add,
    at_least,
    div,
    four_ahead,
    load,
    mul,
    one_ahead,
    six_ahead,
    spread,
    store,
    two_ahead,
)
from cpazmal_scale.kernels.tiles import LINE, claim
from cpazmal_scale.kernels.window_sums import TILE, central

Array = NDArray[Any]

SOURCE = source("channels", "lanes_f32", "lanes_f64", "tiles", "window_sums")
"""Names the content of the files compiled into the kernel."""

WINDOW, AROUND = 7, 6
BAND = 64
"""Rows walked down together: their log amplitudes stay in L2."""
EDGE = TILE + 80
"""Numbers from one row of log amplitudes to the next: 37 cache lines, which crowd no cache set."""


@inlined
def _across(here: Any, following: Any) -> Any:
    """Sums over seven neighbours, in the order of `window_sums`."""
    pairs = add(here, one_ahead(here, following))
    next_pairs = add(following, one_ahead(following, following))
    four = add(pairs, two_ahead(pairs, next_pairs))
    return add(four, add(four_ahead(pairs, next_pairs), six_ahead(here, following)))


@inlined
def _walk(
    y: Array, start: int, pitch: int, counts: Array, i: int, whole: bool, rows: int, need: float,
    unbiased: bool, out: Array, at: int, line: int, step: int,
) -> None:  # fmt: skip
    """Cumulants of the windows that begin in `LANES` columns, from `i` on, of a band.

    `a` are sums across of the row above, `b` and `c` those of the pairs of rows that end one and
    two rows above, `d`, `e` and `f` those of four rows that end one, two and three rows above.
    """
    one, nan, least = spread(1.0), spread(np.nan), spread(need)
    a1 = a2 = a3 = b1 = b2 = b3 = c1 = c2 = c3 = spread(0.0)
    d1 = d2 = d3 = e1 = e2 = e3 = f1 = f2 = f3 = spread(0.0)
    count = spread(float(WINDOW * WINDOW))
    share = div(one, count)
    for row in range(rows + AROUND):
        if row < rows and i % LINE == 0:
            ahead = at + row * line if row < AROUND else at + AROUND * line
            claim(out, ahead)
            claim(out, ahead + step)
            claim(out, ahead + 2 * step)
        k = start + row * pitch + i
        v, w = load(y, k), load(y, k + LANES)
        vv, ww = mul(v, v), mul(w, w)
        s1, s2, s3 = _across(v, w), _across(vv, ww), _across(mul(vv, v), mul(ww, w))
        t1, t2, t3 = add(add(f1, b1), s1), add(add(f2, b2), s2), add(add(f3, b3), s3)
        p1, p2, p3 = add(a1, s1), add(a2, s2), add(a3, s3)
        f1, f2, f3, e1, e2, e3 = e1, e2, e3, d1, d2, d3
        d1, d2, d3 = add(c1, p1), add(c2, p2), add(c3, p3)
        c1, c2, c3, b1, b2, b3 = b1, b2, b3, p1, p2, p3
        a1, a2, a3 = s1, s2, s3
        if row < AROUND:
            continue
        if not whole:
            count = load(counts, (row - AROUND) * EDGE + i)
            share = div(one, count)
        first, second, third = central(t1, t2, t3, count, share, unbiased)
        if not whole:
            first = at_least(count, least, first, nan)
            second = at_least(count, least, second, nan)
            third = at_least(count, least, third, nan)
        store(out, at, first)
        store(out, at + step, second)
        store(out, at + 2 * step, third)
        at += line


@inlined
def _count(ok: Array, c: int, rows: int, n: int, column: Array, counts: Array) -> None:
    """Valid pixels of every window of a band: whole numbers, so any order gives the same."""
    column[:] = 0
    for row in range(rows + AROUND):
        for i in range(n + AROUND):
            column[i] += ok[row, c, i]
        if row < AROUND:
            continue
        for i in range(n):
            total = column[i] + column[i + 1] + column[i + 2] + column[i + 3]
            counts[row - AROUND, i] = total + column[i + 4] + column[i + 5] + column[i + 6]
        for i in range(n + AROUND):
            column[i] -= ok[row - AROUND, c, i]


@inlined
def _band(
    y: Array, ok: Array, c: int, whole: bool, rows: int, n: int, need: float, unbiased: bool,
    column: Array, counts: Array, margin: Array, out: Array, at: int, line: int, step: int,
) -> None:  # fmt: skip
    """Cumulants of a channel of a band; columns that do not fill the lanes go by the margin."""
    if not whole:
        _count(ok, c, rows, n, column, counts)
    values, valid, rest = (
        y.reshape(y.size),
        counts.reshape(counts.size),
        margin.reshape(margin.size),
    )
    start, pitch = c * EDGE, y.shape[1] * EDGE
    for i in range(0, n - LANES + 1, LANES):
        _walk(values, start, pitch, valid, i, whole, rows, need, unbiased, out, at + i, line, step)
    i = n // LANES * LANES
    if i < n:
        _walk(
            values, start, pitch, valid, i, whole, rows, need, unbiased, rest, 0, LANES,
            BAND * LANES,
        )  # fmt: skip
        for k in range(3):
            for row in range(rows):
                copy(margin[k, row, : n - i], out[at + k * step + row * line + i :])


@kept_with(SOURCE)
def sevens(
    power: Array, to: tuple[int, int, int], mask: Array, mask_to: tuple[int, int], masked: bool,
    excluded: np.uint8, need: int, xpol: int, unbiased: bool, floor: np.float32, out: Array,
) -> None:  # fmt: skip
    """Cumulants of every 7 × 7 window of a block, tile of columns by tile, band of rows by band.

    `power` is memory of (P, T, H, W) float32 in which `to` leads to the next polarisation, date and
    row; `mask` that of (T, H, W) uint8, read if `masked`; `out` (K, T, H − 6, W − 6) float32.
    """
    channels, dates, rows, columns = out.shape[0] // 3, *out.shape[1:]
    shape = (BAND + AROUND, channels, EDGE)
    y, ok = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    clean, margin = np.ones((2, EDGE), np.float32), np.zeros((3, BAND, LANES), np.float32)
    raw, bad = np.ones(EDGE, np.float32), np.zeros(EDGE, np.uint8)
    column, counts = np.zeros(EDGE, np.float32), np.zeros((BAND, EDGE), np.float32)
    missing, gaps = np.zeros(channels, np.bool_), np.zeros(channels, np.bool_)
    flat, plane = out.reshape(out.size), dates * rows * columns
    for x in range(0, columns, TILE):
        n = min(TILE, columns - x)
        size, used = n + AROUND, -(-(n + AROUND) // 64) * 64
        for t in range(dates):
            gaps[:] = False
            for top in range(0, rows, BAND):
                first, high = 0, min(BAND, rows - top)
                if top:
                    y[:AROUND] = y[BAND:]
                    ok[:AROUND] = ok[BAND:]
                    first = AROUND
                for row in range(first, high + AROUND):
                    read_channels(
                        power, to, mask, mask_to, masked, excluded, t, top + row, x, size, used,
                        xpol, floor, raw, bad, clean, ok[row], y[row], missing,
                    )  # fmt: skip
                    gaps |= missing
                for c in range(channels):
                    at = ((3 * c * dates + t) * rows + top) * columns + x
                    _band(
                        y, ok, c, not gaps[c], high, n, need, unbiased, column, counts, margin,
                        flat, at, columns, plane,
                    )  # fmt: skip
