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

_Function = TypeVar("_Function", bound=Callable[..., Any])
Array = NDArray[Any]

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
def _read(power: Array, bad: Array, floor: np.float32, clean: Array, y: Array, ok: Array) -> bool:
    """Floored power, log amplitude and validity of one row; says whether a pixel is missing."""
    missing = 0
    for i in range(y.size):
        p = power[i]
        v = p if p > floor else floor
        good = (abs(p) < _INFINITY) & (bad[i] == 0)
        v = v if good else floor
        clean[i] = v
        y[i] = _HALF * log(v) if good else _ZERO
        ok[i] = 1.0 if good else 0.0
        missing |= 0 if good else 1
    return missing != 0


@_compiled
def _third(xpol: int, power: Array, y: Array, ok: Array) -> None:
    """Third channel of one row out of the first two."""
    y1, y2, y3, ok1, ok2, ok3 = y[0], y[1], y[2], ok[0], ok[1], ok[2]
    p1, p2 = power[0], power[1]
    for i in range(y3.size):
        ok3[i] = ok1[i] * ok2[i]
    if xpol == LOGRATIO:
        for i in range(y3.size):
            y3[i] = y2[i] - y1[i] if ok3[i] > 0 else _ZERO
    elif xpol == FRACTION:
        for i in range(y3.size):
            y3[i] = _TWO * y2[i] - log(p1[i] + p2[i]) if ok3[i] > 0 else _ZERO
    elif xpol == CODE:
        for i in range(y3.size):
            r = (np.sqrt(p1[i]) - np.sqrt(p2[i])) / np.sqrt(p1[i] + p2[i])
            y3[i] = r if ok3[i] > 0 else _ZERO
    else:
        for i in range(y3.size):
            r = _ONE / np.sqrt(p2[i]) - _ONE / np.sqrt(p1[i])
            y3[i] = r if ok3[i] > 0 else _ZERO


@_compiled
def _add(a: Array, b: Array, out: Array) -> None:
    for i in range(out.size):
        out[i] = a[i] + b[i]


@_compiled
def _raise(base: Array, order: int, out: Array) -> None:
    if order == 1:
        for i in range(out.size):
            out[i] = np.float64(base[i])
    elif order == 2:
        for i in range(out.size):
            v = np.float64(base[i])
            out[i] = v * v
    else:
        for i in range(out.size):
            v = np.float64(base[i])
            out[i] = v * v * v


@_compiled
def _across(line: Array, size: int, window: int, top: int, out: Array) -> None:
    """Sums of `window` neighbours of `line[0]`; the other lines are scratch."""
    for level in range(1, top + 1):
        half = 1 << (level - 1)
        n = size - 2 * half + 1
        _add(line[level - 1, :n], line[level - 1, half : half + n], line[level, :n])
    n = size - window + 1
    out[:n] = line[top, :n]
    offset = 1 << top
    for level in range(top - 1, -1, -1):
        if window & (1 << level):
            _add(out[:n], line[level, offset : offset + n], out[:n])
            offset += 1 << level


@_compiled
def _down(ring: Array, start: Array, row: int, window: int, top: int, n: int, out: Array) -> None:
    """Sums of the last `window` rows; `ring` holds recent rows of every level and is updated."""
    for level in range(1, top + 1):
        half = 1 << (level - 1)
        length = start[level] - start[level - 1]
        old = ring[start[level - 1] + (row - half) % length, :n]
        new = ring[start[level - 1] + row % length, :n]
        slot = start[level] + row % (start[level + 1] - start[level])
        _add(old, new, ring[slot, :n])
    lag = window - (1 << top)
    out[:n] = ring[start[top] + (row - lag) % (start[top + 1] - start[top]), :n]
    for level in range(top - 1, -1, -1):
        if window & (1 << level):
            lag -= 1 << level
            length = start[level + 1] - start[level]
            _add(out[:n], ring[start[level] + (row - lag) % length, :n], out[:n])


@_compiled
def _cumulants(total: Array, n: int, need: int, unbiased: bool, out: Array) -> None:
    """First three cumulants of one row of windows out of count and power sums; NaN where few."""
    count, s1, s2, s3 = total[0], total[1], total[2], total[3]
    k1, k2, k3 = out[0], out[1], out[2]
    for i in range(n):
        c = count[i]
        share = 1.0 / c
        m1, m2, m3 = s1[i] * share, s2[i] * share, s3[i] * share
        second = max(m2 - m1 * m1, 0.0)
        third = m3 - m1 * (3.0 * m2 - 2.0 * m1 * m1)
        if unbiased:
            second = second * c / (c - 1.0)
            third = third * c * c / ((c - 1.0) * (c - 2.0))
        enough = c >= need
        k1[i] = m1 if enough else np.nan
        k2[i] = second if enough else np.nan
        k3[i] = third if enough else np.nan


@_compiled
def _fill_counts(ring: Array, start: Array, window: int, top: int) -> None:
    for level in range(top + 1):
        ring[start[level] : start[level + 1]] = float(window << level)


@_compiled
def cumulants(
    power: Array, mask: Array, masked: bool, excluded: np.uint8, window: int, need: int,
    xpol: int, unbiased: bool, floor: np.float32, tile: int, out: Array,
) -> None:  # fmt: skip
    """Cumulants of every window of a block, column tile after column tile, row after row.

    `power` (P, T, H, W) float32, `mask` (T, H, W) uint8, read if `masked`; `out`
    (K, T, H − window + 1, W − window + 1) float32.
    """
    polarisations, dates, height, _ = power.shape
    channels = out.shape[0] // 3
    top = 0
    while (2 << top) <= window:
        top += 1
    start = np.zeros(top + 2, np.int64)
    for level in range(top + 1):
        start[level + 1] = start[level] + (1 << level) + 1
    tile = min(tile, out.shape[3])
    edge = tile + window - 1
    ring = np.zeros((channels, 4, start[top + 1], tile))
    line, total = np.zeros((top + 1, edge)), np.zeros((channels, 4, tile))
    y, ok = np.zeros((channels, edge), np.float32), np.zeros((channels, edge), np.float32)
    clean = np.zeros((2, edge), np.float32)
    bad = np.zeros(edge, np.uint8)
    missing, counting = np.zeros(channels, np.bool_), np.zeros(channels, np.bool_)
    for x in range(0, out.shape[3], tile):
        n = min(tile, out.shape[3] - x)
        size = n + window - 1
        for t in range(dates):
            counting[:] = False
            total[:, 0] = window * window
            for row in range(height):
                if masked:
                    bad[:size] = mask[t, row, x : x + size] & excluded
                for p in range(polarisations):
                    missing[p] = _read(
                        power[p, t, row, x : x + size], bad[:size], floor,
                        clean[p, :size], y[p, :size], ok[p, :size],
                    )  # fmt: skip
                if channels == 3:
                    _third(xpol, clean[:, :size], y[:, :size], ok[:, :size])
                    missing[2] = missing[0] or missing[1]
                for c in range(channels):
                    if missing[c] and not counting[c]:
                        _fill_counts(ring[c, 0], start, window, top)
                        counting[c] = True
                    for order in range(0 if counting[c] else 1, 4):
                        if order == 0:
                            _raise(ok[c, :size], 1, line[0, :size])
                        else:
                            _raise(y[c, :size], order, line[0, :size])
                        _across(line, size, window, top, ring[c, order, row % 2])
                        _down(ring[c, order], start, row, window, top, n, total[c, order])
                    if row >= window - 1:
                        target = out[3 * c : 3 * c + 3, t, row - window + 1, x : x + n]
                        _cumulants(total[c], n, need, unbiased, target)
