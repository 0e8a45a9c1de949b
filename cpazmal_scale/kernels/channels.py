"""Compiled rows of channels: floored power, validity, log amplitude and ratios.

These loops run over float32 rows padded to whole vectors, which LLVM vectorises by itself; the
logarithm is a polynomial, because a call of the C library for every pixel would cost ten times
more than all sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from cpazmal_scale.kernels.compiled import inlined
from cpazmal_scale.kernels.lanes_f32 import LANES, address, build_fill, load, operation, store
from cpazmal_scale.kernels.tiles import LINE, fetch

Array = NDArray[Any]

AHEAD = 2
"""Rows of power that are asked for before they are read."""

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


def _bitcast(to: Any, of: Any, llvm: Any) -> Any:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], llvm)

    return to(of), code


_bits = intrinsic(lambda _typing, value: _bitcast(types.int32, value, ir.IntType(32)))
_float = intrinsic(lambda _typing, value: _bitcast(types.float32, value, ir.FloatType()))


@inlined
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


def _half_logs(builder: Any, values: Any, valid: Any) -> Any:
    """LLVM of half of `log` where valid, else 0: operation by operation, so the same bits.

    A series is one long chain; those of several machine vectors go side by side.
    """
    floats, words = values.type, ir.VectorType(ir.IntType(32), LANES)

    def number(value: np.float32) -> Any:
        return build_fill(builder, ir.Constant(ir.FloatType(), float(value)))

    def word(value: np.int32) -> Any:
        return ir.Constant(words, [int(value)] * LANES)

    shifted = builder.sub(builder.bitcast(values, words), word(_SQRT_HALF))
    exponent = builder.sitofp(builder.ashr(shifted, word(_MANTISSA_BITS)), floats)
    mantissa = builder.add(builder.and_(shifted, word(_MANTISSA)), word(_SQRT_HALF))
    f = builder.fsub(builder.bitcast(mantissa, floats), number(_ONE))
    square, series = builder.fmul(f, f), number(_P0)
    for term in (_P1, _P2, _P3, _P4, _P5, _P6, _P7, _P8):
        series = builder.fadd(builder.fmul(series, f), number(term))
    series = builder.fmul(builder.fmul(series, f), square)
    series = builder.fadd(series, builder.fmul(exponent, number(_LN2_LOW)))
    series = builder.fsub(series, builder.fmul(number(_HALF), square))
    high = builder.fmul(exponent, number(_LN2_HIGH))
    half = builder.fmul(number(_HALF), builder.fadd(builder.fadd(f, series), high))
    return builder.select(builder.fcmp_ordered(">", valid, number(_ZERO)), half, number(_ZERO))


_half_log = operation(_half_logs)


@intrinsic  # type: ignore[untyped-decorator]
def _valid(_context: Any, power: Any, bad: Any, offset: Any) -> Any:
    """1 where power is finite and no flag of `bad`, from an offset on, is set; else 0."""

    def code(context: Any, builder: Any, kind: Any, values: Any) -> Any:
        flags, floats = ir.VectorType(ir.IntType(8), LANES), values[0].type
        at = address(context, builder, kind.args[1], *values[1:])
        found = builder.load(builder.bitcast(at, flags.as_pointer()), align=1)
        rest = builder.fsub(values[0], values[0])
        good = builder.and_(
            builder.icmp_unsigned("==", found, ir.Constant(flags, [0] * LANES)),
            builder.fcmp_ordered("==", rest, ir.Constant(floats, [0.0] * LANES)),
        )
        return builder.uitofp(good, floats)

    return power(power, bad, offset), code


def _floored(builder: Any, power: Any, valid: Any, floor: Any) -> Any:
    """LLVM of power above the floor where valid, else the floor."""
    none, least = build_fill(builder, ir.Constant(ir.FloatType(), 0.0)), build_fill(builder, floor)
    good = builder.fcmp_ordered(">", valid, none)
    above = builder.fcmp_ordered(">", power, least)
    return builder.select(builder.and_(good, above), power, least)


def _any_zero(builder: Any, values: Any) -> Any:
    none = builder.fcmp_ordered("==", values, build_fill(builder, ir.Constant(ir.FloatType(), 0.0)))
    bits = builder.bitcast(none, ir.IntType(LANES))
    return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))


_above_floor = operation(_floored)
_lacking = operation(_any_zero, types.boolean)


@inlined
def copy(values: Array, out: Array) -> None:
    """Copy a row into the first elements of another."""
    for i in range(values.size):
        out[i] = values[i]


@inlined
def flags(mask: Array, excluded: np.uint8, bad: Array) -> None:
    """Excluded bits of a row of mask flags."""
    for i in range(mask.size):
        bad[i] = mask[i] & excluded


@inlined
def read(raw: Array, bad: Array, floor: np.float32, clean: Array, ok: Array, y: Array) -> bool:
    """Floored power, validity and log amplitude of one row; says whether a pixel is missing."""
    missing = False
    whole = raw.size // LANES * LANES
    for i in range(0, whole, LANES):
        p = load(raw, i)
        good = _valid(p, bad, i)
        power = _above_floor(p, good, floor)
        store(clean, i, power)
        store(ok, i, good)
        store(y, i, _half_log(power, good))
        missing |= _lacking(good)
    for i in range(whole, raw.size):
        finite = (abs(raw[i]) < _INFINITY) & (bad[i] == 0)
        clean[i] = raw[i] if finite & (raw[i] > floor) else floor
        ok[i] = _ONE if finite else _ZERO
        y[i] = _HALF * log(clean[i]) if finite else _ZERO
        missing |= not finite
    return missing


@inlined
def third(xpol: int, p1: Array, p2: Array, y1: Array, y2: Array, ok: Array, y: Array) -> None:
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


@inlined
def both(a: Array, b: Array, out: Array) -> None:
    """Pixels valid in two channels."""
    for i in range(out.size):
        out[i] = a[i] * b[i]


@inlined
def read_channels(
    power: Array, to: tuple[int, int, int], mask: Array, mask_to: tuple[int, int], masked: bool,
    excluded: np.uint8, t: int, row: int, x: int, size: int, used: int, xpol: int,
    floor: np.float32, raw: Array, bad: Array, clean: Array, ok: Array, y: Array, missing: Array,
) -> None:  # fmt: skip
    """Log amplitudes `y` and validity `ok` of a piece of a row, and whether pixels are missing.

    `power` and `mask` are memory in which `to` leads to the next polarisation, date and row.
    """
    if masked:
        at = t * mask_to[0] + row * mask_to[1] + x
        flags(mask[at : at + size], excluded, bad)
    whole = size // LANES * LANES
    for p in range(min(len(y), 2)):
        at = p * to[0] + t * to[1] + row * to[2] + x
        for i in range(at + AHEAD * to[2], at + AHEAD * to[2] + size, LINE):
            fetch(power, i)
        copy(power[at + whole : at + size], raw)
        missing[p] = read(power[at : at + whole], bad, floor, clean[p], ok[p], y[p])
        missing[p] |= read(
            raw[: used - whole], bad[whole:], floor, clean[p, whole:], ok[p, whole:], y[p, whole:]
        )
    if len(y) == 3:
        both(ok[0], ok[1], ok[2, :used])
        third(xpol, clean[0], clean[1], y[0], y[1], ok[2], y[2, :used])
        missing[2] = missing[0] or missing[1]
