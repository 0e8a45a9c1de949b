"""What can be shown under the polygons: backscatter and features of a date, and the map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cpazmal_scale.config import MASK_BITS
from cpazmal_scale.vocabulary import NOTHING, SCALE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.config import Features
    from cpazmal_scale.cube import ChunkReader
    from cpazmal_scale.grid.blocks import Block
    from cpazmal_scale.mapping import Source


class Raster(Protocol):
    """Values on the cube's grid, read region by region."""

    @property
    def name(self) -> str:
        """What its overview is stored under; another name for other values."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ...

    @property
    def chunk(self) -> int:
        """Edge of the regions that are read best."""
        ...

    @property
    def averaged(self) -> bool:
        """Whether means of pixels say something; of codes they do not."""
        ...

    def read(self, block: Block) -> NDArray[np.float32]:
        """(h, w) float32 of a region inside the grid, NaN without data."""
        ...


@dataclass(frozen=True, eq=False)
class Backscatter:
    """Linear power of one date and polarisation."""

    name: str
    reader: ChunkReader
    averaged: bool = True

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.reader.shape

    @property
    def chunk(self) -> int:
        """Edge of a chunk."""
        return self.reader.chunk

    def read(self, block: Block) -> NDArray[np.float32]:
        """See `Raster.read`."""
        power, mask = self.reader.buffers(block.y1 - block.y0, block.x1 - block.x0)
        self.reader.read(power, mask, block.y0, block.x0)
        values = power[0, 0]
        values[mask[0] & MASK_BITS["not_valid"] != 0] = np.nan
        return values


@dataclass(frozen=True, eq=False)
class Feature:
    """One statistic of the window around every pixel, on one date."""

    name: str
    reader: ChunkReader
    features: Features
    place: int
    """Of the statistic among all."""
    averaged: bool = True

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.reader.shape

    @property
    def chunk(self) -> int:
        """Edge of a chunk."""
        return self.reader.chunk

    def read(self, block: Block) -> NDArray[np.float32]:
        """See `Raster.read`."""
        from cpazmal_scale.features import block_series

        half = self.features.window // 2
        height, width = block.y1 - block.y0 + 2 * half, block.x1 - block.x0 + 2 * half
        power, mask = self.reader.buffers(height, width)
        self.reader.read(power, mask, block.y0 - half, block.x0 - half)
        series = block_series(
            power,
            mask,
            self.features.excluded,
            window=self.features.window,
            **self.features.kernel,
        )
        return np.ascontiguousarray(series[self.place, 0])


@dataclass(frozen=True, eq=False)
class Mapped:
    """A variable of a finished map: `class` as codes, others as numbers."""

    name: str
    source: Source
    variable: str

    @property
    def averaged(self) -> bool:
        """Whether it is a number."""
        return self.variable != "class"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.source.shape

    @property
    def chunk(self) -> int:
        """Edge of a chunk."""
        return self.source.chunk

    def read(self, block: Block) -> NDArray[np.float32]:
        """See `Raster.read`; probabilities and entropy from 0 to 1."""
        stored = self.source.read(self.variable, block)
        values = stored.astype(np.float32)
        if self.variable == "class":
            values[stored == 255] = np.nan
        elif stored.dtype == np.uint16:
            values = np.where(stored == NOTHING, np.nan, values * np.float32(SCALE))
        return np.asarray(values, np.float32)


def of_date(reader: ChunkReader, layers: tuple[str, ...], place: int) -> ChunkReader:
    """The reader of some polarisations on one of the dates of another."""
    return replace(reader, layers=(*layers, "mask"), positions=(reader.positions[place],))
