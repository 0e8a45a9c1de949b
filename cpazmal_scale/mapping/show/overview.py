"""A map's layers made small enough to be shown whole, in bounded memory."""

from __future__ import annotations

import itertools
import math
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.mapping.show.export import rows_of
from cpazmal_scale.vocabulary import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr
    from numpy.typing import NDArray

BLANK = 255
"""Value of a cell without data."""
PERCENT = 100
_CHUNKS = 8
"""Chunks side by side that are read together."""


@dataclass(frozen=True)
class Layer:
    """One reduced layer: `values` (h, w) uint8, 255 no data; a cell has `step` × `step` pixels."""

    values: NDArray[np.uint8]
    step: int

    @cached_property
    def deflated(self) -> bytes:
        """The values as a page holds them."""
        return deflated(self.values)

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


def deflated(values: NDArray[Any]) -> bytes:
    """Values row by row as a page holds them, in zlib's format."""
    return zlib.compress(np.ascontiguousarray(values).tobytes())


def step_for(shape: tuple[int, int], edge: int) -> int:
    """Pixels per cell so that no side has more than `edge` cells."""
    return max(1, math.ceil(max(shape) / edge))


def mean_layers(data: xr.Dataset, names: Iterable[str], step: int) -> dict[str, Layer]:
    """Means of a map's variables that are stored in units of 1e-4, in per cent.

    The map is read once. A variable of C classes becomes C layers, `name-0` to `name-(C - 1)`.
    """
    parts = data[list(names)]
    found: dict[str, Averages] = {}
    height, width = data["class"].shape
    across = _CHUNKS * data["class"].encoding["chunks"][1]
    for rows, left in itertools.product(rows_of(data["class"]), range(0, width, across)):
        tile = parts.isel(y=rows, x=slice(left, left + across)).compute()
        for name, array in tile.data_vars.items():
            planes = array.values.reshape(-1, *array.shape[-2:])
            for number, plane in enumerate(planes):
                key = f"{name}-{number}" if array.ndim > 2 else str(name)
                averages = found.setdefault(key, Averages((height, width), step))
                averages.add_stored(plane, rows.start, left)
    return {
        key: Layer(
            quantised(averages.means() * np.float32(0.01), 0.0, float(PERCENT), PERCENT), step
        )
        for key, averages in found.items()
    }


def quantised(
    values: NDArray[np.float32], low: float, high: float, levels: int
) -> NDArray[np.uint8]:
    """Whole numbers 0 … levels from `low` to `high`; `BLANK` for NaN."""
    share = (np.clip(values, low, high) - low) / max(high - low, 1e-9)
    missing = np.isnan(share)
    whole = np.rint(np.where(missing, 0, share) * levels)
    return np.where(missing, BLANK, whole).astype(np.uint8)
