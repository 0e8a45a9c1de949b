"""Vector values for soft alignment: one float64 of each of `LANES` series, in registers.

A soft minimum takes the difference of large sums, so it needs float64. Exponential, logarithm and
gamma function are polynomials, so that all lanes go together: relative errors stay below 1e-12.
No fast-math flag is set: a series' bits depend on it and its reference only.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import models, register_model

from cpazmal_scale.kernels.compiled import source
from cpazmal_scale.kernels.lanes_f32 import FUSED, memory, operation

if TYPE_CHECKING:
    from collections.abc import Sequence

LANES = 32
"""Series computed at once: four registers of eight, so that their latencies overlap."""
SOURCE = source("lanes_soft", "lanes_f32")
"""Names these files' content, see `lanes_f32`."""
FAR = 1e300
"""An accumulated cost that no path has; infinity less infinity would be NaN."""
WIDEST = 2.0
"""Largest 1/k of a Weibull law of shape k that `weibull_cost` admits."""

_DOUBLE, _WORD = ir.DoubleType(), ir.IntType(64)
_VECTOR, _WORDS = ir.VectorType(_DOUBLE, LANES), ir.VectorType(_WORD, LANES)
_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it leaves the nearest integer in the low bits
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
_EXP = [1.0 / math.factorial(n) for n in range(12)]
_ATANH = [2.0 / (2 * n + 1) for n in range(9)]
# 1 / gamma(3 + 2 y) on -1 ... 1: the Chebyshev interpolant of degree 20, by powers of y
_RECIPROCAL = [
    0.49999999999999944,
    -0.9227843350979944,
    0.45659686225489227,
    0.3077675432610322,
    -0.5041874633345708,
    0.22186355129106433,
    0.034881186045759065,
    -0.08635829929450947,
    0.04017105279463924,
    -0.0028983982111134912,
    -0.006085049811634785,
    0.0034337771380839794,
    -0.0006926296702533158,
    -0.00014869107345478604,
    0.0001475938408081374,
    -4.518816625285968e-05,
    3.187521251450094e-06,
    3.224215906409536e-06,
    -1.4443202342499266e-06,
    1.4927059619015324e-07,
    3.8012669700306904e-08,
]


class Doubles(types.Type):  # type: ignore[misc]
    """One float64 of each of `LANES` series, in registers."""

    def __init__(self) -> None:
        super().__init__(name=f"float64x{LANES}")


_doubles = Doubles()


@register_model(Doubles)
class _DoublesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _splat(builder: Any, scalar: Any) -> Any:
    empty = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
    order = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, empty, order)


def _number(value: float) -> Any:
    return ir.Constant(_VECTOR, [ir.Constant(_DOUBLE, value)] * LANES)


def _smaller(builder: Any, one: Any, two: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", one, two), one, two)


def _larger(builder: Any, one: Any, two: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", one, two), two, one)


def _fma(builder: Any, one: Any, two: Any, three: Any) -> Any:
    if not FUSED:
        return builder.fadd(builder.fmul(one, two), three)
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    name = f"llvm.fma.v{LANES}f64"
    return builder.call(
        cgutils.get_or_insert_function(builder.module, kind, name), (one, two, three)
    )


def _polynomial(builder: Any, x: Any, coefficients: Sequence[float]) -> Any:
    total = _number(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = _fma(builder, total, x, _number(coefficient))
    return total


def _exp(builder: Any, x: Any) -> Any:
    """Of numbers that are not positive; below -700 it is that of -700."""
    x = _larger(builder, x, _number(-700.0))
    shifted = _fma(builder, x, _number(1.0 / math.log(2.0)), _number(_ROUND))
    whole = builder.fsub(shifted, _number(_ROUND))
    rest = _fma(builder, whole, _number(-_LN2_HIGH), x)
    rest = _fma(builder, whole, _number(-_LN2_LOW), rest)
    bits = builder.bitcast(_polynomial(builder, rest, _EXP), _WORDS)
    twos = ir.Constant(_WORDS, [ir.Constant(_WORD, 52)] * LANES)
    power = builder.shl(builder.bitcast(shifted, _WORDS), twos)
    return builder.bitcast(builder.add(bits, power), _VECTOR)


def _log(builder: Any, x: Any) -> Any:
    """Of numbers from 1 to 3."""
    large = builder.fcmp_ordered(">", x, _number(1.5))
    near = builder.select(large, builder.fmul(x, _number(0.5)), x)
    offset = builder.select(large, _number(math.log(2.0)), _number(0.0))
    one = _number(1.0)
    ratio = builder.fdiv(builder.fsub(near, one), builder.fadd(near, one))
    square = builder.fmul(ratio, ratio)
    return _fma(builder, ratio, _polynomial(builder, square, _ATANH), offset)


def _soft(builder: Any, cost: Any, diagonal: Any, up: Any, left: Any) -> Any:
    low, high = _smaller(builder, diagonal, up), _larger(builder, diagonal, up)
    least, other = _smaller(builder, low, left), _larger(builder, low, left)
    share = builder.fadd(
        _exp(builder, builder.fsub(least, high)), _exp(builder, builder.fsub(least, other))
    )
    share = builder.fadd(share, _number(1.0))
    return builder.fadd(cost, builder.fsub(least, _log(builder, share)))


def _hard(builder: Any, cost: Any, diagonal: Any, up: Any, left: Any) -> Any:
    low = _smaller(builder, diagonal, up)
    return builder.fadd(cost, _smaller(builder, low, left))


def _add_square(builder: Any, total: Any, q: Any, s: Any) -> Any:
    step = builder.fsub(q, s)
    return _fma(builder, step, step, total)


def _weibull(builder: Any, q: Any, widths: Any, seconds: Any, s: Any, width: Any, own: Any) -> Any:
    """Squared 2-Wasserstein distance of Weibull laws: scales q, s; 1/k; second moments."""
    place = builder.fmul(builder.fadd(widths, width), _number(0.5))
    place = builder.fsub(place, _number(1.0))
    reciprocal = _polynomial(builder, place, _RECIPROCAL)
    cross = builder.fdiv(builder.fmul(builder.fmul(q, s), _number(2.0)), reciprocal)
    cost = builder.fsub(builder.fadd(seconds, own), cross)
    return _larger(builder, cost, _number(0.0))


soft_cell = operation(_soft, _doubles)
"""cost + softmin(diagonal, up, left), all in units of gamma."""
hard_cell = operation(_hard, _doubles)
"""cost + min(diagonal, up, left)."""
add_square = operation(_add_square, _doubles)
weibull_cost = operation(_weibull, _doubles)
fill = operation(_splat, _doubles)
share = operation(lambda b, x, y: _exp(b, _smaller(b, b.fsub(x, y), _number(0.0))), _doubles)
"""exp(x - y), at most 1."""
add = operation(lambda b, x, y: b.fadd(x, y), _doubles)
multiply_add = operation(_fma, _doubles)

load, store = memory(_doubles, _VECTOR, 8)
