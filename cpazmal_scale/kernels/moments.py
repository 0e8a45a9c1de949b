"""The compiled kernel of the statistics beside κ1–κ3, for every window of a block.

Sums are the same doubling sums in float64 as those of the log-cumulants, so a window's value
depends on its own pixels only, bit for bit, and the cost grows with the logarithm of the edge.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.kernels.channels import FRACTION, LOGRATIO, both, copy, flags, read, third
from cpazmal_scale.kernels.compiled import inlined, kept_with, source
from cpazmal_scale.kernels.lanes_f64 import LANES
from cpazmal_scale.kernels.window_sums import PITCH, TILE, find_slots, window_sums
from cpazmal_scale.vocabulary import BINS

Array = NDArray[Any]

SKIP, MEAN, STD, CV, SKEWNESS, KURTOSIS, K4, ENTROPY, HISTOGRAM = range(-1, 8)

FLAT = 1e-6
"""Variance over mean square below which a window has no shape: 0.01 dB, less than a radar sees."""

SOURCE = source("channels", "lanes_f32", "lanes_f64", "tiles", "window_sums")
"""Names the content of the files compiled into the kernel."""


@inlined
def _planes(
    power: Array, mask: Array, masked: bool, excluded: np.uint8, xpol: int, floor: np.float32,
    t: int, y: Array, v: Array, ok: Array,
) -> None:  # fmt: skip
    """One date: what is logged `y`, what is not `v`, and validity `ok`, all (C, H, W)."""
    polarisations, _, height, width = power.shape
    bad, clean = np.zeros(width, np.uint8), np.ones((2, width), np.float32)
    for row in range(height):
        if masked:
            flags(mask[t, row], excluded, bad)
        for p in range(polarisations):
            read(power[p, t, row], bad, floor, clean[p], ok[p, row], y[p, row])
            for i in range(width):
                v[p, row, i] = np.sqrt(clean[p, i]) * ok[p, row, i]
        if len(y) == 3:
            both(ok[0, row], ok[1, row], ok[2, row])
            third(xpol, clean[0], clean[1], y[0, row], y[1, row], ok[2, row], y[2, row])
            for i in range(width):
                value = y[2, row, i]
                if xpol == LOGRATIO:
                    value = np.sqrt(clean[1, i] / clean[0, i])
                elif xpol == FRACTION:
                    value = clean[1, i] / (clean[0, i] + clean[1, i])
                v[2, row, i] = value * ok[2, row, i]


@inlined
def _power(values: Array, order: int, line: Array) -> None:
    """A power of a row of numbers, in float64."""
    if order <= 1:
        for i in range(values.size):
            line[i] = values[i]
    elif order == 2:
        for i in range(values.size):
            line[i] = np.float64(values[i]) * np.float64(values[i])
    else:
        for i in range(values.size):
            square = np.float64(values[i]) * np.float64(values[i])
            line[i] = square * np.float64(values[i]) if order == 3 else square * square


@inlined
def _rows(window: int, orders: int) -> tuple[int, int, int, Array, Array, Array, Array]:
    """Levels of doubling, lengths, and memory for the sums of a row of windows."""
    top = 0
    while (2 << top) <= window:
        top += 1
    stride, depth = -(-(TILE + window) // 64) * 64 + (1 << top) + LANES, ((2 << top) + top) * PITCH
    line, ring = np.zeros((top + 1) * stride), np.zeros(orders * depth)
    return (
        top,
        stride,
        depth,
        line,
        ring,
        np.zeros((top + 1, 3), np.int64),
        np.zeros(orders * PITCH),
    )


@inlined
def _counts(plane: Array, window: int, total: Array) -> None:
    """Sums of a plane (H, W) over every window, into (rows, columns) float64."""
    top, stride, _, line, ring, slots, sums = _rows(window, 1)
    columns = total.shape[1]
    for x in range(0, columns, TILE):
        n = min(TILE, columns - x)
        for row in range(plane.shape[0]):
            _power(plane[row, x : x + n + window - 1], 1, line)
            find_slots(row, window, top, slots)
            window_sums(
                line, stride, ring, 0, slots, window, top, n + window - 1, n, sums, 0
            )  # fmt: skip
            if row >= window - 1:
                copy(sums[:n], total[row - window + 1, x : x + n])


@inlined
def _shapes(sums: Array, count: int, need: float, fair: bool, found: Array) -> None:
    """Mean, std, cv, skewness and kurtosis of a row of windows out of power sums (5, PITCH)."""
    one, nan = np.float64(1), np.float64(np.nan)
    for i in range(count):
        n = sums[0, i]
        share = one / max(n, one)
        m1, m2, m3, m4 = (
            sums[1, i] * share,
            sums[2, i] * share,
            sums[3, i] * share,
            sums[4, i] * share,
        )
        square = m1 * m1
        second = max(m2 - square, 0.0)
        cubic = m3 - m1 * (3.0 * m2 - 2.0 * square)
        fourth = m4 - m1 * (4.0 * m3 - m1 * (6.0 * m2 - 3.0 * square))
        spread = np.sqrt(second * n / (n - one)) if fair else np.sqrt(second)
        inverse = one / second
        skewness = cubic * inverse * np.sqrt(inverse)
        kurtosis = fourth * inverse * inverse - 3.0
        if fair:
            skewness *= np.sqrt(n * (n - one)) / (n - 2.0)
            kurtosis = (n - one) / ((n - 2.0) * (n - 3.0)) * ((n + one) * kurtosis + 6.0)
        enough = n >= need
        shaped = enough & (second > FLAT * m2)
        found[MEAN, i] = m1 if enough else nan
        found[STD, i] = spread if enough else nan
        found[CV, i] = spread / m1 if enough & (abs(m1) > 0.0) else nan
        found[SKEWNESS, i] = skewness if shaped else nan
        found[KURTOSIS, i] = kurtosis if shaped else nan


@inlined
def _fourth_cumulant(sums: Array, count: int, need: float, fair: bool, found: Array) -> None:
    """κ4 of a row of windows out of power sums (5, PITCH)."""
    one, nan = np.float64(1), np.float64(np.nan)
    for i in range(count):
        n = sums[0, i]
        share = one / max(n, one)
        m1, m2, m3, m4 = (
            sums[1, i] * share,
            sums[2, i] * share,
            sums[3, i] * share,
            sums[4, i] * share,
        )
        second = max(m2 - m1 * m1, 0.0)
        fourth = m4 - m1 * (4.0 * m3 - m1 * (6.0 * m2 - 3.0 * m1 * m1))
        cumulant = fourth - 3.0 * second * second
        if fair:
            scale = n * n / ((n - one) * (n - 2.0) * (n - 3.0))
            cumulant = scale * ((n + one) * fourth - 3.0 * (n - one) * second * second)
        found[K4, i] = cumulant if n >= need else nan


@inlined
def _moments(
    values: Array, ok: Array, logged: bool, window: int, need: float, fair: bool, codes: Array,
    out: Array, first: int, t: int,
) -> None:  # fmt: skip
    """Statistics of one plane (H, W), κ4 if it is logged, into `out` from its series `first` on."""
    top, stride, depth, line, ring, slots, total = _rows(window, 5)
    sums, found, columns = total.reshape(5, PITCH), np.zeros((6, TILE)), out.shape[3]
    counting = (ok == 0).any()
    sums[0] = float(window * window)
    for x in range(0, columns, TILE):
        n = min(TILE, columns - x)
        size = n + window - 1
        for row in range(values.shape[0]):
            find_slots(row, window, top, slots)
            for order in range(0 if counting else 1, 5):
                _power(values[row, x : x + size] if order else ok[row, x : x + size], order, line)
                window_sums(
                    line, stride, ring, order * depth, slots, window, top, size, n,
                    total, order * PITCH,
                )  # fmt: skip
            if row < window - 1:
                continue
            if logged:
                _fourth_cumulant(sums, n, need, fair, found)
            else:
                _shapes(sums, n, need, fair, found)
            for s in range(len(codes)):
                if (codes[s] == K4) == logged and MEAN <= codes[s] <= K4:
                    copy(found[codes[s], :n], out[first + s, t, row - window + 1, x : x + n])


@inlined
def _levels(y: Array, ok: Array, low: np.float32, step: np.float32, out: Array) -> None:
    """Level of every valid pixel, from 0; `BINS` where there is none."""
    for row in range(y.shape[0]):
        for i in range(y.shape[1]):
            level = np.floor((y[row, i] - low) / step)
            level = min(max(level, np.float32(0)), np.float32(BINS - 1))
            out[row, i] = level if ok[row, i] > 0 else BINS


@inlined
def _by_level(
    levels: Array, count: Array, window: int, need: float, logs: Array,
    shares: Array, entropy: Array,
) -> None:  # fmt: skip
    """Shares of the levels (BINS, rows, columns), and H = ln n − Σ c ln c / n in nats."""
    one, total = np.zeros(levels.shape, np.float32), np.zeros(count.shape)
    entropy[:] = 0.0
    for level in range(BINS):
        for row in range(levels.shape[0]):
            for i in range(levels.shape[1]):
                one[row, i] = np.float32(levels[row, i] == level)
        _counts(one, window, total)
        for row in range(count.shape[0]):
            for i in range(count.shape[1]):
                n, c = count[row, i], total[row, i]
                entropy[row, i] += c * logs[int(c)]
                shares[level, row, i] = c / n if n >= need else np.nan
    for row in range(count.shape[0]):
        for i in range(count.shape[1]):
            n = count[row, i]
            value = max(logs[int(n)] - entropy[row, i] / n, 0.0) if n >= need else np.nan
            entropy[row, i] = value


@kept_with(SOURCE)
def statistics(
    power: Array, mask: Array, masked: bool, excluded: np.uint8, window: int, need: int,
    xpol: int, fair: bool, floor: np.float32, codes: Array, low: Array, step: Array, logs: Array,
    out: Array,
) -> None:  # fmt: skip
    """Statistics of every window of a block, date after date.

    `power` (P, T, H, W) float32, `mask` (T, H, W) uint8, read if `masked`; `codes` (S) of the
    series of a channel, `SKIP` for those left alone, a histogram once with its further series as
    `SKIP`; `low` and `step` (C) lowest level and width of a level, in units of what is logged;
    `logs` natural logarithms of 0 (as 0) … w²; `out` (C·S, T, H − window + 1, W − window + 1).
    """
    _, dates, height, width = power.shape
    channels, each, (rows, columns) = len(low), len(codes), out.shape[2:]
    y = np.zeros((channels, height, width), np.float32)
    v, ok, levels = np.zeros_like(y), np.zeros_like(y), np.zeros((height, width), np.uint8)
    by_level = (codes >= ENTROPY).any()
    scratch = (BINS, rows, columns) if by_level else (BINS, 0, 0)
    shares, entropy, count = (
        np.zeros(scratch, np.float32),
        np.zeros(scratch[1:]),
        np.zeros(scratch[1:]),
    )
    for t in range(dates):
        _planes(power, mask, masked, excluded, xpol, floor, t, y, v, ok)
        for c in range(channels):
            first = c * each
            if ((codes >= MEAN) & (codes <= KURTOSIS)).any():
                _moments(v[c], ok[c], False, window, need, fair, codes, out, first, t)
            if (codes == K4).any():
                _moments(y[c], ok[c], True, window, need, fair, codes, out, first, t)
            if by_level:
                _counts(ok[c], window, count)
                _levels(y[c], ok[c], low[c], step[c], levels)
                _by_level(levels, count, window, need, logs, shares, entropy)
            for s in range(each):
                if codes[s] == ENTROPY:
                    out[first + s, t] = entropy
                elif codes[s] == HISTOGRAM:
                    out[first + s : first + s + BINS, t] = shares
