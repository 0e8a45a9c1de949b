"""Pixels to the cells of a coarser grid: the commonest class, the mean of a share or of power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.vocabulary import NO_DATA, NOTHING

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = 250
"""Whole numbers that stand for shares from 0 to 1; 255 is no data."""
_UNIT = 10_000
"""What a map stores for 1."""


def commonest(values: list[int], block: NDArray[Any], step: int) -> NDArray[np.uint8]:
    """The commonest of some values in cells of a block (h, w) uint8; 255 where most is none."""
    from cpazmal_scale.mapping import most_frequent

    return block if step == 1 else most_frequent(np.ascontiguousarray(block), step, values)[0]


def mean_shares(stored: NDArray[Any], step: int) -> NDArray[np.uint8]:
    """Means of shares (…, h, w) as a map stores them, in 0 … LEVELS; 255 no data."""
    return _means(stored, step, LEVELS / _UNIT)


def mean_levels(cells: NDArray[Any], step: int) -> NDArray[np.uint8]:
    """The same of what `mean_shares` made."""
    wide = np.where(cells == NO_DATA, np.uint16(NOTHING), cells.astype(np.uint16))
    return _means(wide, step, 1.0)


def mean_power(power: NDArray[Any], step: int) -> NDArray[np.float32]:
    """Means of power (h, w) over the known pixels of each cell; NaN no data."""
    from cpazmal_scale.mapping import Averages

    if step == 1:
        return np.asarray(power, np.float32)
    averages = Averages((power.shape[0], power.shape[1]), step)
    averages.add_power(np.ascontiguousarray(power, np.float32)[None], 0, 0)
    return averages.means()


def _means(stored: NDArray[Any], step: int, unit: float) -> NDArray[np.uint8]:
    from cpazmal_scale.kernels.cells import mean_cells

    height, width = stored.shape[-2:]
    flat = np.ascontiguousarray(stored, np.uint16).reshape(-1, height, width)
    means = np.empty((len(flat), -(-height // step), -(-width // step)), np.float32)
    for values, out in zip(flat, means, strict=True):
        mean_cells(values, NOTHING, step, out)
    missing = np.isnan(means)
    whole = np.rint(np.where(missing, 0, means) * np.float32(unit))
    cells = np.where(missing, NO_DATA, whole).astype(np.uint8)
    return cells.reshape(*stored.shape[:-2], *cells.shape[-2:])
