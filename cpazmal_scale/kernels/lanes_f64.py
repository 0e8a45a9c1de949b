"""Eight float64 lanes for compiled kernels: every lane computes the same, and there are no tails.

A loop that LLVM vectorises by itself ends in a scalar tail and starts with overlap checks; with
short rows these cost more than the sums. These lanes are plain IEEE operations, never contracted
or reordered; `multiply_add` alone rounds once where the machine can. Indices are not checked:
arrays are padded to whole lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model

from cpazmal_scale.kernels.lanes_f32 import FUSED

LANES = 8
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)


class Lanes(types.Type):  # type: ignore[misc]
    """Numba's type of eight float64 values in registers."""

    def __init__(self) -> None:
        super().__init__(name=f"float64x{LANES}")


lanes_type = Lanes()


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, _VECTOR)


def _pointer(context: Any, builder: Any, array: Any, value: Any, index: Any) -> tuple[Any, Any]:
    element = context.get_data_type(array.dtype)
    data = context.make_array(array)(context, builder, value).data
    place = builder.gep(data, [index])
    return builder.bitcast(place, ir.VectorType(element, LANES).as_pointer()), element


def _load(_typing: Any, array: Any, _index: Any) -> Any:
    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer, element = _pointer(context, builder, array, *arguments)
        narrow = isinstance(element, ir.FloatType)
        value = builder.load(pointer, align=4 if narrow else 8)
        return builder.fpext(value, _VECTOR) if narrow else value

    return lanes_type(array, types.intp), code


def _store(_typing: Any, array: Any, _index: Any, _value: Any) -> Any:
    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer, element = _pointer(context, builder, array, *arguments[:2])
        narrow = isinstance(element, ir.FloatType)
        value = arguments[2]
        if narrow:
            value = builder.fptrunc(value, ir.VectorType(element, LANES))
        builder.store(value, pointer, align=4 if narrow else 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes_type), code


def _fill(builder: Any, value: Any) -> Any:
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, cgutils.int32_t(0))
    order = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), order)


def _spread(_typing: Any, _value: Any) -> Any:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _fill(builder, arguments[0])

    return lanes_type(types.float64), code


def _binary(operation: str) -> Callable[..., Any]:
    def typed(_typing: Any, _a: Any, _b: Any) -> Any:
        def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return getattr(builder, operation)(*arguments)

        return lanes_type(lanes_type, lanes_type), code

    return typed


def _multiply_add(_typing: Any, _a: Any, _b: Any, _c: Any) -> Any:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        a, b, c = arguments
        if not FUSED:
            return builder.fadd(builder.fmul(a, b), c)
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        name = f"llvm.fma.v{LANES}f64"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)

    return lanes_type(*[lanes_type] * 3), code


def _at_least(_typing: Any, _a: Any, _b: Any, _value: Any, _other: Any) -> Any:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        a, b, value, other = arguments
        return builder.select(builder.fcmp_ordered(">=", a, b), value, other)

    return lanes_type(*[lanes_type] * 4), code


def _ahead(count: int) -> Callable[..., Any]:
    def typed(_typing: Any, _here: Any, _next: Any) -> Any:
        def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            order = [count + lane for lane in range(LANES)]
            mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), order)
            return builder.shuffle_vector(*arguments, mask)

        return lanes_type(lanes_type, lanes_type), code

    return typed


load = intrinsic(_load)
"""load(array, index): eight values of a float32 or float64 array."""
store = intrinsic(_store)
"""store(array, index, lanes): into a float32 or float64 array."""
spread = intrinsic(_spread)
"""spread(value): the same value in every lane."""
add, sub, mul, div = (intrinsic(_binary(name)) for name in ("fadd", "fsub", "fmul", "fdiv"))
multiply_add = intrinsic(_multiply_add)
"""multiply_add(a, b, c): a * b + c."""
one_ahead, two_ahead, four_ahead, six_ahead = (intrinsic(_ahead(n)) for n in (1, 2, 4, 6))
"""one_ahead(here, next): the eight values that begin one lane later, of sixteen in a row."""
at_least = intrinsic(_at_least)
"""at_least(a, b, value, other): value where a >= b, else other."""
