"""Vector values for compiled functions: one float32 of each of `LANES` pixels, in registers.

A value is several machine vectors wide, so that independent recursions hide each other's latency;
LLVM splits it for whatever the host has (AVX-512, AVX2, NEON, SSE). Every lane does the same
operations in the same order and no fast-math flag is set, so a pixel's bits depend on its own
series only.
"""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic, models, register_model

from cpazmal_scale.kernels.compiled import source

if TYPE_CHECKING:
    from collections.abc import Callable


def host_lanes() -> tuple[int, bool]:
    """Lanes that fit the host's registers five times over, and whether it fuses multiply-add."""
    name = config.CPU_NAME or binding.get_host_cpu_name()
    known = config.CPU_FEATURES
    if known is None:
        known = binding.get_host_cpu_features().flatten()
    has = {part[1:] for part in known.split(",") if part.startswith("+")}
    fused = bool({"fma", "neon", "fp-armv8"} & has)
    if "avx512f" in has and fused:
        return (64 if name in ("znver4", "znver5") else 32), True
    return 16, fused


LANES, FUSED = host_lanes()
"""Pixels computed at once on this machine, and whether it fuses multiply-add."""
SOURCE = source("lanes_f32")
"""Names this file's content: kernels built on it must not be taken from an older cache."""
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_WORDS = ir.VectorType(ir.IntType(32), LANES)


class Lanes(types.Type):  # type: ignore[misc]
    """One float32 of each of `LANES` pixels, in registers."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


_lanes = Lanes()


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FLOATS)


def build_fill(builder: Any, scalar: Any) -> Any:
    """LLVM of one number in every lane."""
    empty = ir.Constant(_FLOATS, ir.Undefined)
    one = builder.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, empty, ir.Constant(_WORDS, [0] * LANES))


def _constant(builder: Any, number: float) -> Any:
    return build_fill(builder, ir.Constant(ir.FloatType(), number))


def _smaller(builder: Any, one: Any, two: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", one, two), one, two)


def _smaller_bits(builder: Any, one: Any, two: Any) -> Any:
    words = builder.bitcast(one, _WORDS), builder.bitcast(two, _WORDS)
    return builder.bitcast(builder.select(builder.icmp_signed("<", *words), *words), _FLOATS)


def _call(builder: Any, name: str, *values: Any) -> Any:
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * len(values))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f32")
    return builder.call(function, values)


def _add_square(builder: Any, total: Any, q: Any, s: Any) -> Any:
    step = builder.fsub(q, s)
    if FUSED:
        return _call(builder, "fma", step, step, total)
    return builder.fadd(builder.fmul(step, step), total)


def _is_nan(builder: Any, values: Any) -> Any:
    return builder.fcmp_unordered("uno", values, values)


def _any_nan(builder: Any, values: Any) -> Any:
    bits = builder.bitcast(_is_nan(builder, values), ir.IntType(LANES))
    return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))


def _count_valid(builder: Any, count: Any, q: Any) -> Any:
    more = builder.fadd(count, _constant(builder, 1.0))
    return builder.select(_is_nan(builder, q), count, more)


def _best(builder: Any, diagonal: Any, up: Any, left: Any, above: Any) -> Any:
    if above.type == _FLOATS:
        up = builder.select(_is_nan(builder, above), _constant(builder, np.inf), up)
    return _smaller_bits(builder, _smaller(builder, diagonal, up), left)


def build_cell(builder: Any, q: Any, s: Any, diagonal: Any, up: Any, left: Any, above: Any) -> Any:
    """LLVM of one cell: min(diagonal, up, left) + (q - s)², or the diagonal where q is missing."""
    total = _add_square(builder, _best(builder, diagonal, up, left, above), q, s)
    if above.type != _FLOATS:
        return total
    return builder.select(_is_nan(builder, q), diagonal, total)


def build_edge(builder: Any, q: Any, s: Any, diagonal: Any, left: Any, above: Any) -> Any:
    """LLVM of one cell with nothing above."""
    total = _add_square(builder, _smaller_bits(builder, diagonal, left), q, s)
    if above.type != _FLOATS:
        return total
    return builder.select(_is_nan(builder, q), diagonal, total)


def _join(builder: Any, cost: Any, q: Any, diagonal: Any, up: Any, left: Any, above: Any) -> Any:
    """LLVM of one cell whose cost was computed before."""
    total = builder.fadd(_best(builder, diagonal, up, left, above), cost)
    return builder.select(_is_nan(builder, q), diagonal, total)


def operation(code: Callable[..., Any], result: types.Type = _lanes) -> Any:
    """Make `code(builder, *values)` callable in compiled functions."""

    def operation(_context: Any, *kinds: Any) -> Any:
        return result(*kinds), lambda _, builder, __, values: code(builder, *values)

    operation.__signature__ = signature(code)  # type: ignore[attr-defined]
    return intrinsic(operation)


# In these, `above` is the series one date earlier where missing dates are watched, else nothing:
# NaN in `q` admits the diagonal only and costs nothing, NaN in `above` closes the way from there.
cell = operation(build_cell)  # min(diagonal, up, left) + (q - s)^2
edge = operation(build_edge)  # the same with nothing above
join = operation(_join)  # the same with a cost computed before
fill = operation(build_fill)
add_square = operation(_add_square)
add = operation(lambda builder, one, two: builder.fadd(one, two))
subtract = operation(lambda builder, one, two: builder.fsub(one, two))
multiply = operation(lambda builder, one, two: builder.fmul(one, two))
smaller = operation(_smaller)
root = operation(lambda builder, values: _call(builder, "sqrt", values))
mark = operation(lambda builder, marks, q: builder.select(_is_nan(builder, q), q, marks))
count_valid = operation(_count_valid)
filled = operation(lambda builder, q, other: builder.select(_is_nan(builder, q), other, q))
"""q, or other where q is NaN."""
any_nan = operation(_any_nan, types.boolean)


def address(context: Any, builder: Any, kind: Any, array: Any, offset: Any) -> Any:
    """Pointer to an element of a contiguous array."""
    return builder.gep(context.make_array(kind)(context, builder, array).data, [offset])


def memory(lanes: types.Type, vector: Any, align: int) -> tuple[Any, Any]:
    """How lanes are read from and written to an element offset of a contiguous array."""

    def load(_context: Any, array: Any, offset: Any) -> Any:
        def code(context: Any, builder: Any, kind: Any, values: Any) -> Any:
            at = address(context, builder, kind.args[0], *values)
            return builder.load(builder.bitcast(at, vector.as_pointer()), align=align)

        return lanes(array, offset), code

    def store(_context: Any, array: Any, offset: Any, written: Any) -> Any:
        def code(context: Any, builder: Any, kind: Any, values: Any) -> Any:
            at = address(context, builder, kind.args[0], *values[:2])
            builder.store(values[2], builder.bitcast(at, vector.as_pointer()), align=align)
            return context.get_dummy_value()

        return types.none(array, offset, written), code

    return intrinsic(load), intrinsic(store)


load, store = memory(_lanes, _FLOATS, 4)


@intrinsic  # type: ignore[untyped-decorator]
def spread(_context: Any, array: Any, offset: Any) -> Any:
    """One element of a contiguous array in every lane."""

    def code(context: Any, builder: Any, kind: Any, values: Any) -> Any:
        return build_fill(builder, builder.load(address(context, builder, kind.args[0], *values)))

    return _lanes(array, offset), code


@intrinsic  # type: ignore[untyped-decorator]
def watch(_context: Any, missing: Any, array: Any, offset: Any) -> Any:
    """The series whose NaN mark missing dates, or nothing where `missing` is None."""
    if isinstance(missing, types.NoneType):
        nothing = types.none(missing, array, offset)
        return nothing, lambda context, *_: context.get_dummy_value()

    def code(context: Any, builder: Any, kind: Any, values: Any) -> Any:
        at = address(context, builder, kind.args[1], *values[1:])
        return builder.load(builder.bitcast(at, _FLOATS.as_pointer()), align=4)

    return _lanes(missing, array, offset), code
