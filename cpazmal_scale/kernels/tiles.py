"""Some rows of a block brought together: compiled copies for loops over many numbers of a pixel.

The rows of a block lie so far apart that they crowd the same cache sets: a few of them are copied
at a time, many pixels of each, while those that follow are asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from cpazmal_scale.kernels.compiled import inlined
from cpazmal_scale.kernels.lanes_f32 import LANES, address, fill, filled, load, store

CHUNK = 256
"""Pixels of a row that are copied together."""
_AHEAD = 6
LINE = 16
"""Numbers of a cache line."""


def _asking(write: int) -> Any:
    """A function that asks for the cache line of an element, to read or to write it."""

    def ask(_context: Any, array: Any, offset: Any) -> Any:
        def code(context: Any, builder: Any, kind: Any, values: Any) -> Any:
            byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
            place = builder.bitcast(address(context, builder, kind.args[0], *values), byte)
            wanted = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
            function = cgutils.get_or_insert_function(builder.module, wanted, "llvm.prefetch.p0i8")
            builder.call(function, (place, *(ir.Constant(word, n) for n in (write, 2, 1))))
            return context.get_dummy_value()

        return types.none(array, offset), code

    return intrinsic(ask)


fetch, claim = _asking(0), _asking(1)
"""fetch(array, offset), claim(array, offset): ask for the cache line of an element, so that it is
near when it is read, or written; it may lie outside."""


@inlined
def fetch_lanes(array: np.ndarray, offset: int) -> None:
    """Ask for the cache lines of one number of each of `LANES` pixels; they may lie outside."""
    for lane in range(0, LANES, LINE):
        fetch(array, offset + lane)


@inlined
def gather(
    block: np.ndarray, first: int, count: int, start: int, many: int, instead: np.ndarray,
    rows: np.ndarray,
) -> None:  # fmt: skip
    """Copy `many` pixels from `start` on of `count` rows of `block` (D, P) into `rows` (n, CHUNK).

    NaN in row d becomes `instead[d]`. Places beyond the pixels keep what they hold.
    """
    numbers, pixels = block.shape
    values, out = block.reshape(-1), rows.reshape(-1)
    whole = many // LANES * LANES
    for n in range(count):
        d = first + n
        at, other = d * pixels + start, fill(instead[d])
        if d + _AHEAD < numbers:
            for p in range(0, many, LINE):
                fetch(values, at + _AHEAD * pixels + p)
        for p in range(0, whole, LANES):
            store(out, n * CHUNK + p, filled(load(values, at + p), other))
        for p in range(whole, many):
            value = values[at + p]
            rows[n, p] = instead[d] if value != value else value
