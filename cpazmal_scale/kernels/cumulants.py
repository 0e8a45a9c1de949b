"""The compiled kernel: cumulants of every window of a block.

Sums are float64: raw power sums in float32 would be off by more than the third cumulant itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.kernels.channels import copy, read_channels
from cpazmal_scale.kernels.compiled import inlined, kept_with, source
from cpazmal_scale.kernels.lanes_f64 import (
    LANES,
    at_least,
    div,
    load,
    spread,
    store,
)
from cpazmal_scale.kernels.window_sums import (
    PITCH,
    TILE,
    central,
    find_slots,
    full_counts,
    powers,
    window_sums,
)

Array = NDArray[Any]

SOURCE = source("channels", "lanes_f32", "lanes_f64", "tiles", "window_sums")
"""Names the content of the files compiled into the kernel."""


@inlined
def _cumulants(
    total: Array, base: int, n: int, whole: bool, need: float, unbiased: bool, out: Array, at: int,
    step: int,
) -> None:  # fmt: skip
    """First three cumulants of a row of windows out of counts and power sums; NaN where few.

    Of windows that are all `whole` the count is divided by once.
    """
    one, nan, least = spread(1.0), spread(np.nan), spread(need)
    every = spread(1.0 / total[base])
    for i in range(0, n, LANES):
        count = load(total, base + i)
        share = every
        if not whole:
            share = div(one, count)
        s1, s2, s3 = (
            load(total, base + PITCH + i),
            load(total, base + 2 * PITCH + i),
            load(total, base + 3 * PITCH + i),
        )
        first, second, third = central(s1, s2, s3, count, share, unbiased)
        store(out, at + i, at_least(count, least, first, nan))
        store(out, at + step + i, at_least(count, least, second, nan))
        store(out, at + 2 * step + i, at_least(count, least, third, nan))


@inlined
def _sums(
    y: Array, ok: Array, c: int, edge: int, counting: bool, slots: Array, window: int, top: int,
    size: int, n: int, line: Array, stride: int, ring: Array, depth: int, total: Array,
) -> None:  # fmt: skip
    """Power sums of a channel over the windows that end in this row, counts where needed."""
    for order in range(0 if counting else 1, 4):
        powers(y if order else ok, c * edge, order, size, line)
        part = c * 4 + order
        window_sums(
            line, stride, ring, part * depth, slots, window, top, size, n, total, part * PITCH
        )


@kept_with(SOURCE)
def cumulants(
    power: Array, to: tuple[int, int, int], mask: Array, mask_to: tuple[int, int], masked: bool,
    excluded: np.uint8, window: int, need: int, xpol: int, unbiased: bool, floor: np.float32,
    out: Array,
) -> None:  # fmt: skip
    """Cumulants of every window of a block, column tile after column tile, row after row.

    `power` is memory of (P, T, H, W) float32 in which `to` leads to the next polarisation, date and
    row; `mask` that of (T, H, W) uint8, read if `masked`; `out`
    (K, T, H − window + 1, W − window + 1) float32.
    """
    channels, dates, rows, columns = out.shape[0] // 3, *out.shape[1:]
    height = rows + window - 1
    top = 0
    while (2 << top) <= window:
        top += 1
    edge = -(-(TILE + window) // 64) * 64
    stride = edge + (1 << top) + LANES
    depth = ((2 << top) + top) * PITCH
    line, ring = np.zeros((top + 1) * stride), np.zeros(channels * 4 * depth)
    slots, total = np.zeros((top + 1, 3), np.int64), np.zeros(channels * 4 * PITCH)
    raw, bad = np.ones(edge, np.float32), np.zeros(edge, np.uint8)
    y, ok = np.zeros((channels, edge), np.float32), np.zeros((channels, edge), np.float32)
    clean, margin = np.ones((2, edge), np.float32), np.zeros(3 * TILE, np.float32)
    missing, counting = np.zeros(channels, np.bool_), np.zeros(channels, np.bool_)
    flat, plane = out.reshape(out.size), dates * rows * columns
    for x in range(0, columns, TILE):
        n = min(TILE, columns - x)
        size = n + window - 1
        used = min(edge, -(-size // 64) * 64)
        for t in range(dates):
            counting[:] = False
            total[:] = float(window * window)
            for row in range(height):
                read_channels(
                    power, to, mask, mask_to, masked, excluded, t, row, x, size, used, xpol,
                    floor, raw, bad, clean, ok, y, missing,
                )  # fmt: skip
                find_slots(row, window, top, slots)
                for c in range(channels):
                    if missing[c] and not counting[c]:
                        full_counts(ring, c * 4 * depth, window, top)
                        counting[c] = True
                    _sums(
                        y, ok, c, edge, counting[c], slots, window, top, size, n, line, stride,
                        ring, depth, total,
                    )  # fmt: skip
                    at = ((3 * c * dates + t) * rows + row - window + 1) * columns + x
                    sums, whole = c * 4 * PITCH, not counting[c]
                    if row >= window - 1 and n % LANES == 0:
                        _cumulants(total, sums, n, whole, need, unbiased, flat, at, plane)
                    elif row >= window - 1:
                        _cumulants(total, sums, n, whole, need, unbiased, margin, 0, TILE)
                        for k in range(3):
                            copy(margin[k * TILE : k * TILE + n], flat[at + k * plane :])
