"""What lies under the polygons: backscatter and features of a date, and the map."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import ConfigError, StoreMissing
from cpazmal_scale.features import block_series, names
from cpazmal_scale.view import EDGE, Pyramid, in_decibels, picture, ramp_table
from cpazmal_scale.vocabulary import NO_DATA, NOTHING, SCALE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.config import Features
    from cpazmal_scale.view import ShownCube, ShownMap

CHIP = 48
"""Edge of a chip in pixels."""
STEP = 8
"""Pixels along a side of the cells in which places of a map are compared."""
ON_THE_MAP = {"class": "map", "entropy": "map: entropy", "distance": "map: distance"}
_LEVELS = 250
_PERCENTILES = (2, 98)


@dataclass(frozen=True, eq=False)
class Layers:
    """Everything that is shown, at any scale.

    `cube` is open on the dates to be shown, `channels` are those that `features` are made of, `map`
    is none where there is no map or nobody may see it.
    """

    cube: ShownCube
    channels: tuple[str, ...]
    features: Features
    map: ShownMap | None = None
    _limits: dict[str, tuple[float, float]] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def statistics(self) -> tuple[str, ...]:
        """Names of the features."""
        return names(self.channels, self.features.xpol, self.features.statistics)

    @property
    def on_the_map(self) -> dict[str, str]:
        """What the map holds of `ON_THE_MAP`."""
        held = () if self.map is None else self.map.data
        return {layer: name for layer, name in ON_THE_MAP.items() if layer in held}

    def tile(self, layer: str, date: int, place: tuple[int, int, int]) -> bytes:
        """A PNG of EDGE × EDGE cells.

        Args:
            layer: a channel of the cube, a feature, or one of `ON_THE_MAP`.
            date: position among the dates.
            place: level (cells of 2^level pixels), row and column of the tile.

        Raises:
            ConfigError: there is no such layer, date or tile.
            StoreMissing: there is no map.
            CubeDamaged: a chunk is lost or altered.
        """
        level, row, column = place
        height, width = self.cube.shape
        if level > 24 or row * EDGE << level >= height or column * EDGE << level >= width:
            raise ConfigError(f"there is no tile {level}/{row}/{column}", remedy="zoom in")
        if layer in ("class", "entropy"):
            return self._map().tile(layer, place, hidden=())
        if layer in self.cube.channels:
            return self.cube.tile(self.cube.channels.index(layer), self._date(date), place)
        values = self.pyramid(layer, self._date(date)).tile(*place)
        low, high = self._stretch(layer)
        return picture(_levels(values, low, high), ramp_table("gray"))

    def limits(self, layer: str) -> tuple[float, float]:
        """Values of black and white of a channel (dB) or a feature, the same on all dates.

        Raises:
            ConfigError: there is no such channel or feature.
            CubeDamaged: a chunk is lost or altered.
        """
        if layer in self.cube.channels:
            return self.cube.limits(self.cube.channels.index(layer))
        return self._stretch(layer)

    def chip(self, channel: str, date: int, row: int, column: int) -> bytes:
        """A PNG of the pixels around one, north up.

        Raises:
            ConfigError: there is no such channel or date.
            CubeDamaged: a chunk is lost or altered.
        """
        if channel not in self.cube.channels:
            raise ConfigError(f"there is no channel {channel}", remedy="load the page again")
        place = self.cube.channels.index(channel)
        power, _ = self.cube.window(row, column, CHIP)
        values = in_decibels(power[place, self._date(date)], self.cube.limits(place))
        return picture(values, ramp_table("gray"))

    def coarse(self, variable: str) -> NDArray[np.float32]:
        """(⌈h / 8⌉, ⌈w / 8⌉) float32 means of a map's `entropy` or `distance`, NaN without data."""
        height, width = self.cube.shape
        pyramid = self.pyramid(variable, 0)
        return np.asarray(pyramid.cells(STEP, 0, 0, -(-height // STEP), -(-width // STEP)))

    def middle(self, layer: str) -> int:
        """The date in the middle of those that have what a layer is made of."""
        made_of = [c for c in self.cube.channels if c in layer] or [self.channels[0]]
        channel = self.cube.channels.index(made_of[0])
        dates = [i for i in range(len(self.cube.dates)) if self.cube.has(channel, i)]
        return dates[len(dates) // 2] if dates else len(self.cube.dates) // 2

    def _map(self) -> ShownMap:
        if self.map is None:
            raise StoreMissing("there is no map here", remedy="run `cpazmal map` first")
        return self.map

    def _date(self, date: int) -> int:
        if not 0 <= date < len(self.cube.dates):
            raise ConfigError(f"there is no date {date}", remedy="load the page again")
        return date

    def pyramid(self, layer: str, date: int) -> Pyramid:
        """A feature or a variable of the map in cells of any power of two."""
        name, chunk = (self.cube.url, layer, date), self.cube.reader.chunk
        read: Callable[[int, int], NDArray[Any] | None]
        if layer in self.statistics:
            read = partial(self._feature, self.statistics.index(layer), date)
        elif layer in ("entropy", "distance"):
            name = (self._map().url, layer, -1)
            chunk = int(max(self._map().data[layer].encoding["chunks"]))
            read = partial(self._variable, layer, chunk)
        else:
            raise ConfigError(f"there is no layer {layer}", remedy="load the page again")
        blank, held, pool = np.array(np.nan, np.float32), self.cube.held, self.cube.pool
        shape = self.cube.shape
        return Pyramid(name, shape, chunk, read, means, means, blank, held, pool)

    def _feature(self, place: int, date: int, row: int, column: int) -> NDArray[np.float32]:
        """One of the features of the pixels of a chunk; all of them are made together and kept."""
        key = (self.cube.url, "features", date, row, column)
        made = self.cube.held.get(key, lambda: self._features(date, row, column))
        assert made is not None
        return np.asarray(made[place])

    def _features(self, date: int, row: int, column: int) -> NDArray[np.float32]:
        reader, half = self.cube.reader, self.features.window // 2
        one = replace(reader, layers=(*self.channels, "mask"), positions=(reader.positions[date],))
        y, x = row * reader.chunk, column * reader.chunk
        height, width = (
            min(reader.chunk, n - a) for n, a in zip(reader.shape, (y, x), strict=True)
        )
        power, mask = one.buffers(height + 2 * half, width + 2 * half)
        one.read(power, mask, y - half, x - half)
        series = block_series(
            power,
            mask,
            self.features.excluded,
            window=self.features.window,
            **self.features.kernel,
        )
        return np.ascontiguousarray(series[:, 0])

    def _variable(self, name: str, edge: int, row: int, column: int) -> NDArray[np.float32]:
        array: Any = self._map().group[name]
        y, x = row * edge, column * edge
        stored = np.asarray(array[y : y + edge, x : x + edge])
        if stored.dtype == np.uint16:
            return np.where(stored == NOTHING, np.nan, stored * np.float32(SCALE)).astype("f4")
        return stored.astype(np.float32)

    def _stretch(self, layer: str) -> tuple[float, float]:
        """The values that are black and white, the same on all dates: those of the middle one."""
        with self._guard:
            if layer in self._limits:
                return self._limits[layer]
        height, width = self.cube.shape
        pyramid = self.pyramid(layer, self.middle(layer))
        y, x = (max(0, (n // STEP - EDGE) // 2) for n in (height, width))
        cells = pyramid.cells(
            STEP, y, x, min(EDGE, -(-height // STEP)), min(EDGE, -(-width // STEP))
        )
        known = cells[np.isfinite(cells)]
        low, high = np.percentile(known, _PERCENTILES).tolist() if known.size else (0.0, 1.0)
        with self._guard:
            self._limits[layer] = (float(low), float(high))
        return float(low), float(high)


def means(values: NDArray[Any], step: int) -> NDArray[np.float32]:
    """Means of the known values of cells of step × step; NaN where there is none."""
    if step == 1:
        return np.asarray(values, np.float32)
    height, width = (-(-side // step) for side in values.shape)
    whole = np.full((height * step, width * step), np.nan, np.float32)
    whole[: values.shape[0], : values.shape[1]] = values
    cells = whole.reshape(height, step, width, step)
    known = np.isfinite(cells)
    count = known.sum(axis=(1, 3))
    total = np.where(known, cells, 0).sum(axis=(1, 3), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / count, np.nan).astype(np.float32)


def _levels(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    share = (values - low) / max(high - low, 1e-9)
    known = np.isfinite(share)
    whole = np.rint(np.clip(np.where(known, share, 0), 0, 1) * _LEVELS)
    return np.where(known, whole, NO_DATA).astype(np.uint8)
