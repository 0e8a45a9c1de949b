"""The DTW recursion in a narrow band whose row stays in registers.

Of every row `SLOTS` columns are computed, one further right in each row than in the row above, so
that a cell's diagonal neighbour is in its own slot and the one above it in the next. Columns of
these outside the band are infinitely far. The order of operations in a cell is that of `dtw_sweep`,
and so are the bits. Nothing is stored in between: while a result waits for its cache line, other
stores would queue up behind it.

The inner functions are compiled into the sweeps and not cached.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from cpazmal_scale.kernels.compiled import inlined
from cpazmal_scale.kernels.lanes_f32 import (
    LANES,
    address,
    build_cell,
    build_edge,
    build_fill,
    fill,
    load,
    store,
)

SLOTS = 7
"""Columns of a row: three dates to either side, the band of the default on regular dates."""
_SPARE = 1.25
"""Slots over cells of the band at most; beyond, `dtw_sweep` is as fast."""


def in_slots(references: np.ndarray, limits: np.ndarray) -> tuple[np.ndarray, int]:
    """References `(K, R, T')` as the slots meet them, and the slot of the first column.

    `(K, R, T * SLOTS)`, infinite outside the band; `(K, R, 0)` where the band does not fit.
    """
    rows, columns = len(limits), references.shape[2]
    away = limits - np.arange(rows)[:, None]
    offset = int(away[:, 0].min())
    cells = int((limits[:, 1] - limits[:, 0]).sum())
    if away[:, 1].max() - offset > SLOTS or rows * SLOTS > _SPARE * cells:
        return np.empty((*references.shape[:2], 0), np.float32), 0
    column = np.arange(rows)[:, None] + offset + np.arange(SLOTS)
    inside = (column >= limits[:, :1]) & (column < limits[:, 1:])
    near = np.take(references, np.clip(column, 0, columns - 1), axis=2)
    slots = np.where(inside, near, np.float32(np.inf))
    return slots.reshape(*references.shape[:2], rows * SLOTS), -offset


@inlined
def banded(
    tile: np.ndarray, slots: np.ndarray, at: int, begin: int, end: int, total: np.ndarray
) -> None:
    """Squared distance of a tile of finite pixels to the reference whose slots begin at `at`.

    `begin` is the slot of the first column in the first row, `end` of the last one in the last.
    """
    row = _above(fill(np.float32(np.inf)), fill(np.float32(0)), begin)
    for i in range(tile.size // LANES):
        row = _below(row, load(tile, i * LANES), slots, at + i * SLOTS)
    store(total, 0, _slot(row, end))


def _is(builder: Any, number: Any, k: int) -> Any:
    return builder.icmp_signed("==", number, ir.Constant(number.type, k))


@intrinsic  # type: ignore[untyped-decorator]
def _above(_context: Any, far: Any, nothing: Any, begin: Any) -> Any:
    """The row above the first: nothing to pay in slot `begin`, the others far away."""

    def code(context: Any, builder: Any, kind: Any, values: Any) -> Any:
        far, nothing, begin = values
        row = [builder.select(_is(builder, begin, k), nothing, far) for k in range(SLOTS)]
        return context.make_tuple(builder, kind.return_type, row)

    return types.UniTuple(far, SLOTS)(far, nothing, begin), code


@intrinsic  # type: ignore[untyped-decorator]
def _below(_context: Any, row: Any, q: Any, slots: Any, at: Any) -> Any:
    """The next row, from left to right."""

    def code(context: Any, builder: Any, kind: Any, values: Any) -> Any:
        builder.function.attributes.alignstack = 64
        builder.function.attributes.add("noinline")
        cells, (_, q, slots, at) = cgutils.unpack_tuple(builder, values[0]), values
        plain = ir.Constant(ir.IntType(8), 0)
        for k in range(SLOTS):
            place = builder.add(at, ir.Constant(at.type, k))
            number = builder.load(address(context, builder, kind.args[2], slots, place))
            s = build_fill(builder, number)
            if 0 < k < SLOTS - 1:
                neighbours = (cells[k], cells[k + 1], cells[k - 1])
                cells[k] = build_cell(builder, q, s, *neighbours, plain)
            else:
                other = cells[k - 1] if k else cells[1]
                cells[k] = build_edge(builder, q, s, cells[k], other, plain)
        return context.make_tuple(builder, kind.return_type, cells)

    return row(row, q, slots, at), code


@intrinsic  # type: ignore[untyped-decorator]
def _slot(_context: Any, row: Any, end: Any) -> Any:
    """One slot of a row."""

    def code(_: Any, builder: Any, __: Any, values: Any) -> Any:
        cells = cgutils.unpack_tuple(builder, values[0])
        found = cells[0]
        for k in range(1, SLOTS):
            found = builder.select(_is(builder, values[1], k), cells[k], found)
        return found

    return row.dtype(row, end), code
