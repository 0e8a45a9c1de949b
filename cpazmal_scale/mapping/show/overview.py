"""A map's layers made small enough to be shown whole, in bounded memory."""

from __future__ import annotations

import itertools
import math
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.mapping.classify import coarse
from cpazmal_scale.mapping.show.export import rows_of
from cpazmal_scale.vocabulary import NO_DATA, NOTHING

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


def mean_layers(
    map_url: str, data: xr.Dataset, names: Iterable[str], step: int
) -> dict[str, Layer]:
    """Means of variables of an open map that are stored in units of 1e-4, in per cent.

    Where the map holds cells of its own that are no larger than `step`, they are means of these,
    in cells of the next multiple; the map itself is read once otherwise. A variable of C classes
    becomes C layers, `name-0` to `name-(C - 1)`.
    """
    wanted = list(names)
    cells = coarse.finest(map_url)
    if cells is not None and cells.attrs["step"] <= step:
        return _means_of_cells(cells, data, wanted, step)
    parts = data[wanted]
    found: dict[str, Averages] = {}
    height, width = data["class"].shape
    across = _CHUNKS * data["class"].encoding["chunks"][1]
    for rows, left in itertools.product(rows_of(data["class"]), range(0, width, across)):
        tile = parts.isel(y=rows, x=slice(left, left + across)).compute()
        for name, array in tile.data_vars.items():
            planes = array.values.reshape(-1, *array.shape[-2:])
            for key, plane in zip(_keys(data, str(name)), planes, strict=True):
                averages = found.setdefault(key, Averages((height, width), step))
                averages.add_stored(plane, rows.start, left)
    return {
        key: Layer(
            quantised(averages.means() * np.float32(0.01), 0.0, float(PERCENT), PERCENT), step
        )
        for key, averages in found.items()
    }


def _keys(data: xr.Dataset, name: str) -> list[str]:
    """The layers that a variable becomes."""
    count = math.prod(data[name].shape[:-2])
    return [f"{name}-{number}" for number in range(count)] if data[name].ndim > 2 else [name]


def _means_of_cells(cells: Any, data: xr.Dataset, names: list[str], step: int) -> dict[str, Layer]:
    """Layers of a map's own cells, so many rows at a time that these are whole chunks and cells."""
    own, layers = cells.attrs["step"], cells.attrs["layers"]
    times = math.ceil(step / own)
    high = math.lcm(times, cells.chunks[-2])
    found: dict[str, list[NDArray[np.uint8]]] = {}
    for top in range(0, cells.shape[-2], high):
        part = np.asarray(cells[:, top : top + high])
        for name in names:
            means = coarse.mean_levels(part[slice(*layers[name])], times)
            for key, plane in zip(_keys(data, name), means, strict=True):
                found.setdefault(key, []).append(plane)
    percent = np.rint(np.arange(256) * (PERCENT / coarse.LEVELS)).astype(np.uint8)
    percent[NO_DATA] = BLANK
    return {key: Layer(percent[np.concatenate(rows)], times * own) for key, rows in found.items()}


def quantised(
    values: NDArray[np.float32], low: float, high: float, levels: int
) -> NDArray[np.uint8]:
    """Whole numbers 0 … levels from `low` to `high`; `BLANK` for NaN."""
    share = (np.clip(values, low, high) - low) / max(high - low, 1e-9)
    missing = np.isnan(share)
    whole = np.rint(np.where(missing, 0, share) * levels)
    return np.where(missing, BLANK, whole).astype(np.uint8)
