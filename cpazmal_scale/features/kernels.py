"""Compiled sums over square windows and the cumulants made of them.

Every window is summed in one fixed order, by doubling: sums over 2, 4, 8 … neighbours, then the
powers of two that make up its edge. So its value depends on its own pixels only, to the last bit,
and the cost grows with the logarithm of the edge. Sums are float64: raw power sums in float32
would be off by more than the third cumulant itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from cpazmal_scale.features.lanes import LANES, add, at_least, div, load, mul, spread, store, sub

_Function = TypeVar("_Function", bound=Callable[..., Any])
Array = NDArray[Any]

TILE = 128
"""Columns summed together, a multiple of the lanes: their sums stay in the core's own cache."""

PITCH = TILE + 8
"""Numbers from one row of sums to the next: no power of two, which would crowd one cache set."""

NONE, LOGRATIO, FRACTION, CODE, TALK = range(5)

_F = np.float32
_ZERO, _ONE, _HALF, _TWO = _F(0), _F(1), _F(0.5), _F(2)
_INFINITY = _F(np.inf)
_SQRT_HALF = np.int32(0x3F3504F3)
_MANTISSA, _MANTISSA_BITS = np.int32(0x007FFFFF), np.int32(23)
_LN2_HIGH, _LN2_LOW = _F(0.693359375), _F(-2.12194440e-4)
_P0, _P1, _P2 = _F(7.0376836292e-2), _F(-1.1514610310e-1), _F(1.1676998740e-1)
_P3, _P4, _P5 = _F(-1.2420140846e-1), _F(1.4249322787e-1), _F(-1.6668057665e-1)
_P6, _P7, _P8 = _F(2.0000714765e-1), _F(-2.4999993993e-1), _F(3.3333331174e-1)


def _compiled(function: _Function) -> _Function:
    compiled: _Function = njit(nogil=True, cache=True, error_model="numpy")(function)
    return compiled


def _bitcast(to: Any, of: Any, llvm: Any) -> Any:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], llvm)

    return to(of), code


_bits = intrinsic(lambda _typing, value: _bitcast(types.int32, value, ir.IntType(32)))
_float = intrinsic(lambda _typing, value: _bitcast(types.float32, value, ir.FloatType()))


@_compiled
def log(value: np.float32) -> np.float32:
    """Natural logarithm of a positive normal float32, to 1 unit in the last place (Cephes)."""
    shifted = np.int32(_bits(value) - _SQRT_HALF)
    exponent = _F(np.int32(shifted >> _MANTISSA_BITS))
    f = _float(np.int32((shifted & _MANTISSA) + _SQRT_HALF)) - _ONE
    square = f * f
    series = ((_P0 * f + _P1) * f + _P2) * f + _P3
    series = ((series * f + _P4) * f + _P5) * f + _P6
    series = ((series * f + _P7) * f + _P8) * f * square
    series = series + exponent * _LN2_LOW - _HALF * square
    result: np.float32 = (f + series) + exponent * _LN2_HIGH
    return result


@_compiled
def _copy(values: Array, out: Array) -> None:
    for i in range(values.size):
        out[i] = values[i]


@_compiled
def _flags(mask: Array, excluded: np.uint8, bad: Array) -> None:
    for i in range(mask.size):
        bad[i] = mask[i] & excluded


@_compiled
def _read(raw: Array, bad: Array, floor: np.float32, clean: Array, ok: Array, y: Array) -> bool:
    """Floored power, validity and log amplitude of one row; says whether a pixel is missing."""
    missing = np.int32(0)
    for i in range(raw.size):
        p = raw[i]
        good = (abs(p) < _INFINITY) & (bad[i] == 0)
        clean[i] = p if good & (p > floor) else floor
        ok[i] = _ONE if good else _ZERO
        missing |= np.int32(not good)
    for i in range(raw.size):
        y[i] = _HALF * log(clean[i]) if ok[i] > _ZERO else _ZERO
    return missing != 0


@_compiled
def _third(xpol: int, p1: Array, p2: Array, y1: Array, y2: Array, ok: Array, y: Array) -> None:
    """Third channel of one row out of the first two."""
    if xpol == LOGRATIO:
        for i in range(y.size):
            y[i] = y2[i] - y1[i] if ok[i] > _ZERO else _ZERO
    elif xpol == FRACTION:
        for i in range(y.size):
            y[i] = _TWO * y2[i] - log(p1[i] + p2[i]) if ok[i] > _ZERO else _ZERO
    elif xpol == CODE:
        for i in range(y.size):
            r = (np.sqrt(p1[i]) - np.sqrt(p2[i])) / np.sqrt(p1[i] + p2[i])
            y[i] = r if ok[i] > _ZERO else _ZERO
    else:
        for i in range(y.size):
            r = _ONE / np.sqrt(p2[i]) - _ONE / np.sqrt(p1[i])
            y[i] = r if ok[i] > _ZERO else _ZERO


@_compiled
def _both(a: Array, b: Array, out: Array) -> None:
    for i in range(out.size):
        out[i] = a[i] * b[i]


@_compiled
def _powers(rows: Array, at: int, order: int, size: int, line: Array) -> None:
    if order <= 1:
        for i in range(0, size, LANES):
            store(line, i, load(rows, at + i))
    elif order == 2:
        for i in range(0, size, LANES):
            v = load(rows, at + i)
            store(line, i, mul(v, v))
    else:
        for i in range(0, size, LANES):
            v = load(rows, at + i)
            store(line, i, mul(mul(v, v), v))


@_compiled
def _window_sums(
    line: Array, stride: int, ring: Array, base: int, slots: Array,
    window: int, top: int, size: int, n: int, total: Array, at: int,
) -> None:  # fmt: skip
    """Sums over the windows that end in this row, of the numbers in `line[:size]`.

    `line` has a row of `stride` numbers per level; `ring`, from `base` on, the recent rows of
    sums across of every level; `slots` where they are.
    """
    for level in range(1, top + 1):
        here, half = level * stride, 1 << (level - 1)
        for i in range(0, size, LANES):
            one = load(line, here - stride + i)
            store(line, here + i, add(one, load(line, here - stride + half + i)))
    for i in range(0, n, LANES):
        across = load(line, top * stride + i)
        offset = 1 << top
        for level in range(top - 1, -1, -1):
            if window & (1 << level):
                across = add(across, load(line, level * stride + offset + i))
                offset += 1 << level
        for level in range(top):
            store(ring, base + slots[level, 0] + i, across)
            across = add(load(ring, base + slots[level, 1] + i), across)
        store(ring, base + slots[top, 0] + i, across)
        whole = load(ring, base + slots[top, 2] + i)
        for level in range(top - 1, -1, -1):
            if window & (1 << level):
                whole = add(whole, load(ring, base + slots[level, 2] + i))
        store(total, at + i, whole)


@_compiled
def _seven(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any) -> Any:
    return add(add(add(a, b), add(c, d)), add(add(e, f), g))


@_compiled
def _seven_down(
    ring: Array, base: int, s00: int, s01: int, s10: int, s11: int, s12: int, s20: int, s22: int,
    across: Any, total: Array, at: int,
) -> None:  # fmt: skip
    two = add(load(ring, base + s01), across)
    four = add(load(ring, base + s11), two)
    whole = add(add(load(ring, base + s22), load(ring, base + s12)), across)
    store(ring, base + s00, across)
    store(ring, base + s10, two)
    store(ring, base + s20, four)
    store(total, at, whole)


@_compiled
def _seven_sums(
    rows: Array, at: int, ring: Array, base: int, depth: int, slots: Array, n: int, total: Array,
    to: int,
) -> None:  # fmt: skip
    """Sums of the first three powers over 7 × 7 windows, the default, without lines between."""
    s00, s01, s10, s11, s12, s20, s22 = (
        slots[0, 0],
        slots[0, 1],
        slots[1, 0],
        slots[1, 1],
        slots[1, 2],
        slots[2, 0],
        slots[2, 2],
    )
    for i in range(0, n, LANES):
        j = at + i
        a, b, c, d = load(rows, j), load(rows, j + 1), load(rows, j + 2), load(rows, j + 3)
        e, f, g = load(rows, j + 4), load(rows, j + 5), load(rows, j + 6)
        aa, bb, cc, dd = mul(a, a), mul(b, b), mul(c, c), mul(d, d)
        ee, ff, gg = mul(e, e), mul(f, f), mul(g, g)
        one = _seven(a, b, c, d, e, f, g)
        two = _seven(aa, bb, cc, dd, ee, ff, gg)
        three = _seven(
            mul(aa, a), mul(bb, b), mul(cc, c), mul(dd, d), mul(ee, e), mul(ff, f), mul(gg, g)
        )
        k = base + i
        _seven_down(ring, k, s00, s01, s10, s11, s12, s20, s22, one, total, to + i)
        _seven_down(ring, k + depth, s00, s01, s10, s11, s12, s20, s22, two, total, to + PITCH + i)
        _seven_down(
            ring, k + 2 * depth, s00, s01, s10, s11, s12, s20, s22, three, total, to + 2 * PITCH + i
        )


@_compiled
def _find_slots(row: int, window: int, top: int, slots: Array) -> None:
    """Where each level keeps this row, the row it is added to, and the row the window takes."""
    first, lag = 0, window
    for level in range(top + 1):
        rows = (1 << level) + 1
        slots[level, 0] = (first + row % rows) * PITCH
        slots[level, 1] = (first + (row - (1 << level)) % rows) * PITCH
        first += rows
    for level in range(top, -1, -1):
        first -= (1 << level) + 1
        if window & (1 << level):
            lag -= 1 << level
            slots[level, 2] = (first + (row - lag) % ((1 << level) + 1)) * PITCH


@_compiled
def _cumulants(
    total: Array, base: int, n: int, need: float, unbiased: bool, out: Array, at: int, step: int
) -> None:
    """First three cumulants of a row of windows out of counts and power sums; NaN where few."""
    one, two, three = spread(1.0), spread(2.0), spread(3.0)
    zero, nan, least = spread(0.0), spread(np.nan), spread(need)
    for i in range(0, n, LANES):
        count = load(total, base + i)
        share = div(one, count)
        m1 = mul(load(total, base + PITCH + i), share)
        m2 = mul(load(total, base + 2 * PITCH + i), share)
        m3 = mul(load(total, base + 3 * PITCH + i), share)
        square = mul(m1, m1)
        second = sub(m2, square)
        second = at_least(second, zero, second, zero)
        third = sub(m3, mul(m1, sub(mul(three, m2), mul(two, square))))
        if unbiased:
            rest = sub(count, one)
            second = div(mul(second, count), rest)
            third = div(mul(third, mul(count, count)), mul(rest, sub(count, two)))
        store(out, at + i, at_least(count, least, m1, nan))
        store(out, at + step + i, at_least(count, least, second, nan))
        store(out, at + 2 * step + i, at_least(count, least, third, nan))


@_compiled
def _full_counts(ring: Array, base: int, window: int, top: int) -> None:
    """As if every row so far had been without a gap."""
    at = base
    for level in range(top + 1):
        length = ((1 << level) + 1) * PITCH
        ring[at : at + length] = float(window << level)
        at += length


@_compiled
def cumulants(
    power: Array, mask: Array, masked: bool, excluded: np.uint8, window: int, need: int,
    xpol: int, unbiased: bool, floor: np.float32, out: Array,
) -> None:  # fmt: skip
    """Cumulants of every window of a block, column tile after column tile, row after row.

    `power` (P, T, H, W) float32, `mask` (T, H, W) uint8, read if `masked`; `out`
    (K, T, H − window + 1, W − window + 1) float32.
    """
    polarisations, dates, height, _ = power.shape
    channels, _, rows, columns = out.shape[0] // 3, *out.shape[1:]
    top = 0
    while (2 << top) <= window:
        top += 1
    edge = -(-(TILE + window) // 64) * 64
    stride = edge + (1 << top) + LANES
    depth = ((2 << top) + top) * PITCH
    line, ring = np.zeros((top + 1) * stride), np.zeros(channels * 4 * depth)
    slots, total = np.zeros((top + 1, 3), np.int64), np.zeros(channels * 4 * PITCH)
    raw, bad = np.ones(edge, np.float32), np.zeros(edge, np.uint8)
    y, ok = np.zeros((channels, edge), np.float32), np.zeros((channels, edge), np.float32)
    clean, margin = np.ones((2, edge), np.float32), np.zeros(3 * TILE, np.float32)
    missing, counting = np.zeros(channels, np.bool_), np.zeros(channels, np.bool_)
    flat, plane = out.reshape(out.size), dates * rows * columns
    for x in range(0, columns, TILE):
        n = min(TILE, columns - x)
        size = n + window - 1
        for t in range(dates):
            counting[:] = False
            total[:] = float(window * window)
            for row in range(height):
                if masked:
                    _flags(mask[t, row, x : x + size], excluded, bad)
                for p in range(polarisations):
                    _copy(power[p, t, row, x : x + size], raw)
                    missing[p] = _read(raw, bad, floor, clean[p], ok[p], y[p])
                if channels == 3:
                    _both(ok[0], ok[1], ok[2])
                    _third(xpol, clean[0], clean[1], y[0], y[1], ok[2], y[2])
                    missing[2] = missing[0] or missing[1]
                _find_slots(row, window, top, slots)
                for c in range(channels):
                    if missing[c] and not counting[c]:
                        _full_counts(ring, c * 4 * depth, window, top)
                        counting[c] = True
                    orders = 4
                    if window == 7:
                        orders = 1
                        _seven_sums(
                            y, c * edge, ring, (c * 4 + 1) * depth, depth, slots, n,
                            total, (c * 4 + 1) * PITCH,
                        )  # fmt: skip
                    for order in range(0 if counting[c] else 1, orders):
                        _powers(y if order else ok, c * edge, order, size, line)
                        part = c * 4 + order
                        _window_sums(
                            line, stride, ring, part * depth, slots, window, top, size, n,
                            total, part * PITCH,
                        )  # fmt: skip
                    at = ((3 * c * dates + t) * rows + row - window + 1) * columns + x
                    if row >= window - 1 and n % LANES == 0:
                        _cumulants(total, c * 4 * PITCH, n, need, unbiased, flat, at, plane)
                    elif row >= window - 1:
                        _cumulants(total, c * 4 * PITCH, n, need, unbiased, margin, 0, TILE)
                        for k in range(3):
                            _copy(margin[k * TILE : k * TILE + n], flat[at + k * plane :])
