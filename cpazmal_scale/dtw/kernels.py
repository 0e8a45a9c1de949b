"""The DTW recursion on many pixels at once, one pixel per SIMD lane.

`LANES` neighbouring pixels form one LLVM vector value, several machine vectors wide so that their
independent recursions hide each other's latency; LLVM splits it for whatever the host has (AVX-512,
AVX2, NEON, SSE). Two rows of the band are computed in one pass over the columns, with the left and
diagonal neighbours in registers: per cell one subtraction, two minima, one fused multiply-add, half
a load and half a store. One of the minima is taken on the bits as integers, which orders
non-negative floats alike and keeps other execution ports busy.

Every lane does the same operations in the same order, tails are padded, and no fast-math flag is
set: a pixel's bits depend on its own series only. All intrinsics live in this file, so that numba's
cache, which looks at the file of the cached function, stays true.
"""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

import numba as nb
import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic, models, register_model

if TYPE_CHECKING:
    from collections.abc import Callable


def _host() -> tuple[int, bool]:
    """Lanes that fit the host's registers five times over, and whether it fuses multiply-add."""
    name = config.CPU_NAME or binding.get_host_cpu_name()
    known = config.CPU_FEATURES
    if known is None and config.CPU_NAME is None:
        known = binding.get_host_cpu_features().flatten()
    has = {part[1:] for part in (known or "").split(",") if part.startswith("+")}
    if name in ("znver4", "znver5"):
        return 64, True
    if "avx512f" in has:
        return 32, True
    if "neon" in has or name.startswith("apple") or "fp-armv8" in has:
        return 16, True
    return 16, "fma" in has


LANES, _FUSED = _host()
"""Pixels computed at once on this machine."""
_ALIGNMENT = 16
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


def _splat(builder: Any, scalar: Any) -> Any:
    empty = ir.Constant(_FLOATS, ir.Undefined)
    one = builder.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, empty, ir.Constant(_WORDS, [0] * LANES))


def _constant(builder: Any, number: float) -> Any:
    return _splat(builder, ir.Constant(ir.FloatType(), number))


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
    if _FUSED:
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


def _cell(builder: Any, q: Any, s: Any, diagonal: Any, up: Any, left: Any, above: Any) -> Any:
    total = _add_square(builder, _best(builder, diagonal, up, left, above), q, s)
    if above.type != _FLOATS:
        return total
    return builder.select(_is_nan(builder, q), diagonal, total)


def _edge(builder: Any, q: Any, s: Any, diagonal: Any, left: Any, above: Any) -> Any:
    total = _add_square(builder, _smaller_bits(builder, diagonal, left), q, s)
    if above.type != _FLOATS:
        return total
    return builder.select(_is_nan(builder, q), diagonal, total)


def _join(builder: Any, cost: Any, q: Any, diagonal: Any, up: Any, left: Any, above: Any) -> Any:
    total = builder.fadd(_best(builder, diagonal, up, left, above), cost)
    return builder.select(_is_nan(builder, q), diagonal, total)


def _operation(code: Callable[..., Any], result: types.Type = _lanes) -> Any:
    """Make `code(builder, *values)` callable in compiled functions."""

    def operation(_context: Any, *kinds: Any) -> Any:
        return result(*kinds), lambda _, builder, __, values: code(builder, *values)

    operation.__signature__ = signature(code)  # type: ignore[attr-defined]
    return intrinsic(operation)


# In these, `above` is the series one date earlier where missing dates are watched, else nothing:
# NaN in `q` admits the diagonal only and costs nothing, NaN in `above` closes the way from there.
cell = _operation(_cell)  # min(diagonal, up, left) + (q - s)^2
edge = _operation(_edge)  # the same with nothing above
join = _operation(_join)  # the same with a cost computed before
fill = _operation(_splat)
add_square = _operation(_add_square)
root = _operation(lambda builder, values: _call(builder, "sqrt", values))
mark = _operation(lambda builder, marks, q: builder.select(_is_nan(builder, q), q, marks))
count_valid = _operation(_count_valid)
any_nan = _operation(_any_nan, types.boolean)


def _address(context: Any, builder: Any, kind: Any, array: Any, offset: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [offset])


@intrinsic  # type: ignore[untyped-decorator]
def load(_context: Any, array: Any, offset: Any) -> Any:
    """Lanes at an element offset of a contiguous array."""

    def code(context: Any, builder: Any, kind: Any, values: Any) -> Any:
        at = _address(context, builder, kind.args[0], *values)
        return builder.load(builder.bitcast(at, _FLOATS.as_pointer()), align=4)

    return _lanes(array, offset), code


@intrinsic  # type: ignore[untyped-decorator]
def store(_context: Any, array: Any, offset: Any, lanes: Any) -> Any:
    """Write lanes at an element offset of a contiguous array."""

    def code(context: Any, builder: Any, kind: Any, values: Any) -> Any:
        at = _address(context, builder, kind.args[0], *values[:2])
        builder.store(values[2], builder.bitcast(at, _FLOATS.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.none(array, offset, lanes), code


@intrinsic  # type: ignore[untyped-decorator]
def spread(_context: Any, array: Any, offset: Any) -> Any:
    """One element of a contiguous array in every lane."""

    def code(context: Any, builder: Any, kind: Any, values: Any) -> Any:
        return _splat(builder, builder.load(_address(context, builder, kind.args[0], *values)))

    return _lanes(array, offset), code


@intrinsic  # type: ignore[untyped-decorator]
def watch(_context: Any, missing: Any, array: Any, offset: Any) -> Any:
    """The series whose NaN mark missing dates, or nothing where `missing` is None."""
    if isinstance(missing, types.NoneType):
        nothing = types.none(missing, array, offset)
        return nothing, lambda context, *_: context.get_dummy_value()

    def code(context: Any, builder: Any, kind: Any, values: Any) -> Any:
        at = _address(context, builder, kind.args[1], *values[1:])
        return builder.load(builder.bitcast(at, _FLOATS.as_pointer()), align=4)

    return _lanes(missing, array, offset), code


@nb.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def sweep(
    series: np.ndarray,
    references: np.ndarray,
    limits: np.ndarray,
    min_dates: int,
    out: np.ndarray,
) -> None:
    """Distances `(K, R, P)` of `(K, T, P)` pixels to `(K, R, T')` references, checked before."""
    features, rows, pixels = series.shape
    tile = _aligned(rows * LANES)
    line = _aligned(references.shape[2] * LANES)
    total = _aligned(LANES)
    scale = _aligned(LANES)
    for p in range(0, pixels, LANES):
        for k in range(features):
            gaps = _pack(series, k, p, tile) or rows < min_dates
            if gaps:
                _scales(tile, rows, min_dates, scale)
            for r in range(references.shape[1]):
                if gaps:
                    _recursion(tile, line, references[k, r], limits, gaps, total)
                    _scaled_root(total, scale)
                else:
                    _recursion(tile, line, references[k, r], limits, None, total)
                    store(total, 0, root(load(total, 0)))
                _unpack(total, out, (k * references.shape[1] + r) * pixels, p, pixels)


@nb.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def sweep_summed(
    series: np.ndarray,
    references: np.ndarray,
    limits: np.ndarray,
    weights: np.ndarray,
    min_dates: int,
    out: np.ndarray,
) -> None:
    """Distances `(1, R, P)` with costs summed over features and `weights` `(T, T')` added.

    `weights` of size 0 adds nothing; a date is missing where any feature is.
    """
    features, rows, pixels = series.shape
    count, columns = references.shape[1:]
    tiles = _aligned(features * rows * LANES)
    marks = _aligned(rows * LANES)
    line = _aligned(columns * LANES)
    total = _aligned(LANES)
    scale = _aligned(LANES)
    for p in range(0, pixels, LANES):
        marks[:] = np.float32(0)
        for k in range(features):
            tile = tiles[k * rows * LANES : (k + 1) * rows * LANES]
            _pack(series, k, p, tile)
            for at in range(0, rows * LANES, LANES):
                store(marks, at, mark(load(marks, at), load(tile, at)))
        _scales(marks, rows, min_dates, scale)
        for r in range(count):
            _summed_recursion(tiles, marks, line, references[:, r], limits, weights, total)
            _scaled_root(total, scale)
            _unpack(total, out, r * pixels, p, pixels)


@nb.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _recursion(
    tile: np.ndarray,
    line: np.ndarray,
    s: np.ndarray,
    limits: np.ndarray,
    missing: bool | None,
    total: np.ndarray,
) -> None:
    """Squared distance of a tile of pixels to one reference, two rows at a time.

    `line` holds the row above, infinite right of its band. An odd first row goes alone.
    """
    rows = limits.shape[0]
    far, bottom = fill(np.float32(np.inf)), fill(np.float32(np.inf))
    seen = 0
    if rows & 1:
        q, corner = load(tile, 0), fill(np.float32(0))
        for j in range(limits[0, 1]):
            bottom = edge(q, spread(s, j), corner, bottom, watch(missing, tile, 0))
            corner = far
            store(line, j * LANES, bottom)
        seen = limits[0, 1]
    for i in range(rows & 1, rows, 2):
        first, second = limits[i, 0], limits[i + 1, 0]
        end, last = limits[i, 1], limits[i + 1, 1]
        for j in range(seen, end):
            store(line, j * LANES, far)
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


@nb.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _summed_recursion(
    tiles: np.ndarray,
    marks: np.ndarray,
    line: np.ndarray,
    references: np.ndarray,
    limits: np.ndarray,
    weights: np.ndarray,
    total: np.ndarray,
) -> None:
    rows, features = limits.shape[0], references.shape[0]
    far, left = fill(np.float32(np.inf)), fill(np.float32(np.inf))
    seen = 0
    for i in range(rows):
        first, end = limits[i]
        for j in range(seen, end):
            store(line, j * LANES, far)
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


@nb.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _aligned(size: int) -> np.ndarray:
    """Uninitialised float32 starting on a cache line, so that no access straddles two."""
    raw = np.empty(size + _ALIGNMENT, np.float32)
    start = (-(raw.ctypes.data >> 2)) & (_ALIGNMENT - 1)
    return raw[start : start + size]


@nb.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _pack(series: np.ndarray, k: int, p: int, tile: np.ndarray) -> bool:
    """Copy a tile of pixels, zeros behind the last one; tell whether any value is NaN."""
    rows, pixels = series.shape[1:]
    marks = fill(np.float32(0))
    for i in range(rows):
        if p + LANES <= pixels:
            store(tile, i * LANES, load(series, (k * rows + i) * pixels + p))
        else:
            for lane in range(LANES):
                tile[i * LANES + lane] = series[k, i, p + lane] if p + lane < pixels else 0.0
        marks = mark(marks, load(tile, i * LANES))
    gaps: bool = any_nan(marks)
    return gaps


@nb.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _unpack(total: np.ndarray, out: np.ndarray, start: int, p: int, pixels: int) -> None:
    if p + LANES <= pixels:
        store(out, start + p, load(total, 0))
    else:
        flat = out.reshape(-1)
        for lane in range(pixels - p):
            flat[start + p + lane] = total[lane]


@nb.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _scales(tile: np.ndarray, rows: int, min_dates: int, scale: np.ndarray) -> None:
    """Samples over valid samples of each lane; NaN where too few are valid."""
    scale[:] = np.float32(0)
    for at in range(0, rows * LANES, LANES):
        store(scale, 0, count_valid(load(scale, 0), load(tile, at)))
    enough = np.float32(max(min_dates, 1))
    for lane in range(LANES):
        valid = scale[lane]
        scale[lane] = np.float32(rows) / valid if valid >= enough else np.float32(np.nan)


@nb.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _scaled_root(total: np.ndarray, scale: np.ndarray) -> None:
    """Distances from squared sums; where missing dates leave no path, NaN."""
    one, far = np.float32(1), np.float32(np.inf)
    for lane in range(LANES):
        lost = (total[lane] == far) & (scale[lane] != one)
        total[lane] = np.float32(np.nan) if lost else total[lane] * scale[lane]
    store(total, 0, root(load(total, 0)))
