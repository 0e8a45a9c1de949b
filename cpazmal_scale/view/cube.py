"""A cube on the screen: one date and channel at any scale, and the windows of any pixel."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.cube import ChunkReader, require_record
from cpazmal_scale.view.paint import in_decibels, picture, ramp_table
from cpazmal_scale.view.pyramid import Pyramid
from cpazmal_scale.view.reduce import mean_power

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.view.cache import Held

_SPREAD = 4
"""Chunks along a side that tell the brightness of a channel."""
_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True, eq=False)
class ShownCube:
    """Some dates of a cube, read chunk by chunk; chunks of all dates are read at once.

    `dates` (T) are in order of time; `channels` (P) have data on at least one of them.
    """

    url: str
    dates: tuple[str, ...]
    channels: tuple[str, ...]
    reader: ChunkReader
    held: Held
    pool: ThreadPoolExecutor

    @classmethod
    def open(cls, url: str, dates: tuple[str, ...], held: Held) -> ShownCube:
        """Open a cube at its last committed state.

        Args:
            url: of the cube.
            dates: to be shown, UTC; none: all of them.
            held: keeps the chunks that were decoded last.

        Raises:
            StoreMissing: there is no cube.
            ModelMismatch: it lacks one of the dates.
            CubeDamaged: a list of chunks is lost or altered.
        """
        record = require_record(url)
        times = np.sort(np.array(record.dates["time"], "datetime64[s]"))
        dates = dates or tuple(str(time) for time in times)
        sent = {name for index in range(record.length) for name in record.polarisations_of(index)}
        channels = tuple(name for name in record.polarisations if name in sent)
        reader = ChunkReader.of(record, channels, dates)
        pool = ThreadPoolExecutor(ChunkReader.AT_ONCE[storage.is_remote(url)], "view-cube")
        return cls(url, dates, channels, reader, held, pool)

    def close(self) -> None:
        """Give up what is being read."""
        self.pool.shutdown(wait=True, cancel_futures=True)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.reader.shape

    def has(self, channel: int, date: int) -> bool:
        """Whether a channel was acquired on a date."""
        return self.reader.has(self.channels[channel], date)

    def tile(self, channel: int, date: int, place: tuple[int, int, int]) -> bytes:
        """A PNG of EDGE × EDGE cells: mean power in dB, grey; transparent without data.

        Args:
            channel: position among the channels.
            date: position among the dates.
            place: level (cells of 2^level pixels), row and column of the tile.

        Raises:
            CubeDamaged: a chunk is lost or altered.
        """
        power = self.pyramid(channel, date).tile(*place)
        return picture(in_decibels(power, self.limits(channel)), ramp_table("gray"))

    def limits(self, channel: int) -> tuple[float, float]:
        """Decibels of the darkest and the brightest grey of a channel, the same on all dates."""
        with self._lock:
            known: dict[int, tuple[float, float]] = self._limits
            if channel not in known:
                known[channel] = self._measured(channel)
            return known[channel]

    @cached_property
    def _limits(self) -> dict[int, tuple[float, float]]:
        return {}

    @cached_property
    def _lock(self) -> threading.Lock:
        return threading.Lock()

    def _measured(self, channel: int) -> tuple[float, float]:
        """From chunks spread over the grid, on the middle date that has the channel."""
        dates = [date for date in range(len(self.dates)) if self.has(channel, date)]
        if not dates:
            return -30.0, 0.0
        middle = dates[len(dates) // 2]
        down, across = (
            np.unique(np.linspace(0, -(-n // self.reader.chunk) - 1, _SPREAD).round().astype(int))
            for n in self.shape
        )
        places = [(int(row), int(column)) for row in down for column in across]
        found = self.pool.map(lambda place: self._sampled(channel, middle, place), places)
        nothing = np.empty(0, np.float32)
        power = np.concatenate([nothing, *(part for part in found if part is not None)])
        power = power[np.isfinite(power) & (power > 0)]
        if not power.size:
            return -30.0, 0.0
        low, high = np.percentile(10 * np.log10(power), _PERCENTILES)
        return round(float(low), 2), round(float(high), 2)

    def _sampled(
        self, channel: int, date: int, place: tuple[int, int]
    ) -> NDArray[np.float32] | None:
        chunk = self._chunk(channel, date, *place)
        return None if chunk is None else mean_power(chunk, 4).ravel()

    def window(
        self, row: int, column: int, size: int
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Power (P, T, size, size), NaN no data, and mask (T, size, size) around a pixel.

        Outside the grid power is NaN and the mask says not valid.

        Raises:
            CubeDamaged: a chunk is lost or altered.
            StoreError: the store cannot be reached.
        """
        power, mask = self.reader.buffers(size, size)
        power[...] = np.nan
        mask[...] = self.reader.outside
        top, left, edge = row - size // 2, column - size // 2, self.reader.chunk
        parts = [
            (layer, date, y, x)
            for layer in range(len(self.channels) + 1)
            for date in range(len(self.dates))
            for y in _chunks(top, size, self.shape[0], edge)
            for x in _chunks(left, size, self.shape[1], edge)
        ]
        for (layer, date, y, x), chunk in zip(
            parts, self.pool.map(lambda part: self._chunk(*part), parts), strict=True
        ):
            if chunk is None:
                continue
            here = mask if layer == len(self.channels) else power[layer]
            first, last = (
                (max(y * edge, top), max(x * edge, left)),
                (
                    min(y * edge + chunk.shape[0], top + size),
                    min(x * edge + chunk.shape[1], left + size),
                ),
            )
            here[date, first[0] - top : last[0] - top, first[1] - left : last[1] - left] = chunk[
                first[0] - y * edge : last[0] - y * edge, first[1] - x * edge : last[1] - x * edge
            ]
        return power, mask

    def pyramid(self, channel: int, date: int) -> Pyramid:
        """Mean power of a channel on a date in cells of any power of two; NaN: none valid."""
        blank = np.array(np.nan, np.float32)
        return Pyramid(
            self._key(channel, date), self.shape, self.reader.chunk,
            partial(self._chunk, channel, date), mean_power, mean_power, blank, self.held,
            self.pool,
        )  # fmt: skip

    def _key(self, layer: int, date: int) -> Hashable:
        return self.url, layer, date

    def _chunk(self, layer: int, date: int, row: int, column: int) -> NDArray[Any] | None:
        """A decoded chunk, cut at the edge of the grid; the mask is the last layer."""
        return self.held.get(
            (self._key(layer, date), row, column),
            lambda: self.reader.chunk_of(layer, date, row, column),
        )


def _chunks(start: int, length: int, size: int, edge: int) -> range:
    """Chunks along a side that a range of pixels touches."""
    return range(max(start, 0) // edge, -(-min(start + length, size) // edge))
