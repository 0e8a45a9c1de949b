"""Compiled sums over square windows, row after row.

Every window is summed in one fixed order, by doubling: sums over 2, 4, 8 … neighbours, then the
powers of two that make up its edge; first across, then down. So its value depends on its own
pixels only, to the last bit, and the cost grows with the logarithm of the edge.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from cpazmal_scale.kernels.compiled import inlined
from cpazmal_scale.kernels.lanes_f64 import (
    LANES,
    add,
    at_least,
    div,
    load,
    mul,
    spread,
    store,
    sub,
)

Array = NDArray[Any]

TILE = 512
"""Columns summed together, a multiple of the lanes: long rows for the memory, sums within L2."""

PITCH = TILE + 8
"""Numbers from one row of sums to the next: no power of two, which would crowd one cache set."""


@inlined
def powers(rows: Array, at: int, order: int, size: int, line: Array) -> None:
    """Powers of one row of numbers, from index `at` on, as float64; orders 0 and 1 as they are."""
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


@inlined
def window_sums(
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


@inlined
def central(s1: Any, s2: Any, s3: Any, count: Any, share: Any, unbiased: bool) -> Any:
    """First three cumulants out of power sums, a count and what it divides by."""
    zero, one, two, three = spread(0.0), spread(1.0), spread(2.0), spread(3.0)
    m1, m2, m3 = mul(s1, share), mul(s2, share), mul(s3, share)
    square = mul(m1, m1)
    second = sub(m2, square)
    second = at_least(second, zero, second, zero)
    third = sub(m3, mul(m1, sub(mul(three, m2), mul(two, square))))
    if unbiased:
        rest = sub(count, one)
        second = div(mul(second, count), rest)
        third = div(mul(third, mul(count, count)), mul(rest, sub(count, two)))
    return m1, second, third


@inlined
def find_slots(row: int, window: int, top: int, slots: Array) -> None:
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


@inlined
def full_counts(ring: Array, base: int, window: int, top: int) -> None:
    """As if every row so far had been without a gap."""
    at = base
    for level in range(top + 1):
        length = ((1 << level) + 1) * PITCH
        ring[at : at + length] = float(window << level)
        at += length
