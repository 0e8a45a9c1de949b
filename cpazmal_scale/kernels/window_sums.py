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
    four_ahead,
    load,
    mul,
    one_ahead,
    six_ahead,
    store,
    two_ahead,
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
def _seven(pairs: Any, next_pairs: Any, here: Any, following: Any) -> Any:
    """Sums over seven neighbours out of sums over two, in the order of `window_sums`."""
    four = add(pairs, two_ahead(pairs, next_pairs))
    return add(four, add(four_ahead(pairs, next_pairs), six_ahead(here, following)))


@inlined
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


@inlined
def seven_sums(
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
    a, b = load(rows, at), load(rows, at + LANES)
    aa, bb = mul(a, a), mul(b, b)
    aaa, bbb = mul(aa, a), mul(bb, b)
    p1, p2 = add(a, one_ahead(a, b)), add(aa, one_ahead(aa, bb))
    p3 = add(aaa, one_ahead(aaa, bbb))
    for i in range(0, n, LANES):
        c = load(rows, at + i + 2 * LANES)
        cc = mul(c, c)
        ccc = mul(cc, c)
        q1, q2 = add(b, one_ahead(b, c)), add(bb, one_ahead(bb, cc))
        q3 = add(bbb, one_ahead(bbb, ccc))
        k, to_two, to_three = base + i, to + PITCH + i, to + 2 * PITCH + i
        one, two, three = _seven(p1, q1, a, b), _seven(p2, q2, aa, bb), _seven(p3, q3, aaa, bbb)
        _seven_down(ring, k, s00, s01, s10, s11, s12, s20, s22, one, total, to + i)
        k += depth
        _seven_down(ring, k, s00, s01, s10, s11, s12, s20, s22, two, total, to_two)
        k += depth
        _seven_down(ring, k, s00, s01, s10, s11, s12, s20, s22, three, total, to_three)
        a, aa, aaa, p1, p2, p3 = b, bb, bbb, q1, q2, q3
        b, bb, bbb = c, cc, ccc


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
