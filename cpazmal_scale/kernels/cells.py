"""Compiled sums over the cells of a coarser grid: what a picture of a large map needs.

Regions come in any order and may begin anywhere; `step` pixels of a side make a cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.kernels.compiled import kept

Array = NDArray[Any]


@kept
def add_stored(
    values: Array, nothing: int, y0: int, x0: int, step: int, total: Array, count: Array
) -> None:
    """Add whole numbers (h, w) but `nothing` to the totals and counts (int64) of their cells."""
    height, width = values.shape
    sums, known = np.zeros(width, np.int64), np.zeros(width, np.int64)
    for y in range(height):
        line = values[y]
        for x in range(width):
            good = line[x] != nothing
            sums[x] += np.int64(line[x]) * good
            known[x] += good
        if (y0 + y + 1) % step and y + 1 < height:
            continue
        row = (y0 + y) // step
        column, left = x0 // step, step - x0 % step
        for x in range(width):
            total[row, column] += sums[x]
            count[row, column] += known[x]
            left -= 1
            if left == 0:
                column, left = column + 1, step
        sums[:] = 0
        known[:] = 0


@kept
def add_power(power: Array, y0: int, x0: int, step: int, total: Array, count: Array) -> None:
    """Add the mean over dates of power (T, h, w) to totals (float64) and counts of their cells.

    NaN is no data; a pixel without any is left out.
    """
    dates, height, width = power.shape
    sums, known = np.zeros(width, np.float32), np.zeros(width, np.int32)
    for y in range(height):
        sums[:] = 0
        known[:] = 0
        for t in range(dates):
            line = power[t, y]
            for x in range(width):
                good = abs(line[x]) < np.float32(np.inf)
                sums[x] += line[x] if good else np.float32(0)
                known[x] += np.int32(good)
        row = (y0 + y) // step
        for x in range(width):
            if known[x]:
                total[row, (x0 + x) // step] += sums[x] / known[x]
                count[row, (x0 + x) // step] += 1


@kept
def count_values(values: Array, slots: Array, step: int, counts: Array, rows: Array) -> None:
    """Count the values of whole cells (h, w) uint8, each in its slot (256).

    `counts` (cell rows, cell columns, slots) and `rows` (h, slots) grow by them.
    """
    height, width = values.shape
    for y in range(height):
        cells, line = counts[y // step], rows[y]
        for first in range(0, width, step):
            cell = cells[first // step]
            for x in range(first, min(first + step, width)):
                slot = slots[values[y, x]]
                cell[slot] += 1
                line[slot] += 1


@kept
def mean_cells(values: Array, nothing: int, step: int, means: Array) -> None:
    """Means (float32) of whole numbers (h, w) but `nothing` in cells that begin at the corner.

    NaN where a cell has none.
    """
    height, width = values.shape
    total, count = np.zeros(means.shape[1], np.int64), np.zeros(means.shape[1], np.int64)
    for row in range(means.shape[0]):
        total[:] = 0
        count[:] = 0
        for y in range(row * step, min((row + 1) * step, height)):
            line = values[y]
            for column in range(means.shape[1]):
                part = line[column * step : min((column + 1) * step, width)]
                added, known = np.int64(0), np.int64(0)
                for value in part:
                    good = value != nothing
                    added += np.int64(value) * good
                    known += good
                total[column] += added
                count[column] += known
        for column in range(means.shape[1]):
            found = count[column] > 0
            means[row, column] = total[column] / count[column] if found else np.nan
