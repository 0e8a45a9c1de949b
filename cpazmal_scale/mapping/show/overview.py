"""A map's layers made small enough to be shown whole, in bounded memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.mapping.show.export import rows_of
from cpazmal_scale.vocabulary import NOTHING

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

BLANK = 255
"""Value of a cell without data."""
PERCENT = 100


@dataclass(frozen=True)
class Layer:
    """One reduced layer: `values` (h, w) uint8, 255 no data; a cell has `step` × `step` pixels."""

    values: NDArray[np.uint8]
    step: int

    def halved(self) -> Layer:
        """Every second cell of every second row."""
        return Layer(np.ascontiguousarray(self.values[::2, ::2]), 2 * self.step)


class Averages:
    """Means of cells of step × step pixels of a grid that comes region by region."""

    def __init__(self, shape: tuple[int, int], step: int) -> None:
        self._step = step
        cells = (-(-shape[0] // step), -(-shape[1] // step))
        self._total, self._count = np.zeros(cells, np.float64), np.zeros(cells, np.int64)

    def add_power(self, power: NDArray[np.float32], y0: int, x0: int) -> None:
        """The mean over dates of a region (T, h, w) that begins at (y0, x0); NaN is left out."""
        from cpazmal_scale.kernels.cells import add_power

        add_power(power, y0, x0, self._step, self._total, self._count)

    def add_stored(self, values: NDArray[np.uint16], y0: int, x0: int) -> None:
        """Probabilities as a map stores them (h, w); `NOTHING` is left out."""
        from cpazmal_scale.kernels.cells import add_stored

        add_stored(values, NOTHING, y0, x0, self._step, self._total, self._count)

    def means(self) -> NDArray[np.float32]:
        """(h, w) float32, NaN where a cell has no data."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self._total / self._count, np.float32)


def step_for(shape: tuple[int, int], edge: int) -> int:
    """Pixels per cell so that no side has more than `edge` cells."""
    return max(1, math.ceil(max(shape) / edge))


def mean_layer(array: xr.DataArray, step: int) -> Layer:
    """Means of a map's variable (y, x), stored in units of 1e-4, in per cent."""
    height, width = array.shape
    averages = Averages((height, width), step)
    for rows in rows_of(array):
        averages.add_stored(array[rows].values, rows.start, 0)
    percent = averages.means() * np.float32(0.01)
    return Layer(quantised(percent, 0.0, float(PERCENT), PERCENT), step)


def quantised(
    values: NDArray[np.float32], low: float, high: float, levels: int
) -> NDArray[np.uint8]:
    """Whole numbers 0 … levels from `low` to `high`; `BLANK` for NaN."""
    share = (np.clip(values, low, high) - low) / max(high - low, 1e-9)
    missing = np.isnan(share)
    whole = np.rint(np.where(missing, 0, share) * levels)
    return np.where(missing, BLANK, whole).astype(np.uint8)
