"""Tiles of 256 × 256 cells of a raster of any size, in a time that does not grow with it.

Near views are read from the chunks they need. Far views come from an overview of every eighth row
and column, made once by reading the raster region by region, and kept in the workspace.
"""

from __future__ import annotations

import io
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import StoreError
from cpazmal_scale.grid.blocks import Block, cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.label.rasters import Raster

SIDE = 256
STEP = 8
"""Pixels along a side of a cell of an overview."""
_KEPT = 24
"""Overviews in memory."""
_REGION = 512


class Overviews:
    """Overviews of rasters, in memory, in the workspace, or made."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._kept: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._guard = threading.Lock()
        self._making: dict[str, threading.Lock] = {}

    def of(self, raster: Raster) -> NDArray[np.float32]:
        """(⌈h / 8⌉, ⌈w / 8⌉) float32: means of the valid pixels, or the codes at cells' centres.

        Raises:
            CubeDamaged: a chunk is lost or altered.
        """
        with self._guard:
            making = self._making.setdefault(raster.name, threading.Lock())
        with making:
            with self._guard:
                if raster.name in self._kept:
                    self._kept.move_to_end(raster.name)
                    return self._kept[raster.name]
            found = self._stored(raster)
            if found is None:
                found = overview(raster)
                self._store(raster, found)
            with self._guard:
                self._kept[raster.name] = found
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            return found

    def _url(self, raster: Raster) -> str:
        return storage.join(self._folder, f"{raster.name}.npy")

    def _stored(self, raster: Raster) -> NDArray[np.float32] | None:
        try:
            data = storage.read_bytes(self._url(raster))
            values = np.load(io.BytesIO(data[:-4]), allow_pickle=False)
        except (StoreError, ValueError, EOFError, OSError):
            return None
        wanted = tuple(-(-side // STEP) for side in raster.shape)
        intact = zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little")
        return values if intact and values.shape == wanted else None

    def _store(self, raster: Raster, values: NDArray[np.float32]) -> None:
        buffer = io.BytesIO()
        np.save(buffer, values, allow_pickle=False)
        data = buffer.getvalue()
        storage.write_bytes(self._url(raster), data + zlib.crc32(data).to_bytes(4, "little"))


def overview(raster: Raster) -> NDArray[np.float32]:
    """A raster in cells of 8 × 8 pixels, in bounded memory."""
    height, width = raster.shape
    out = np.full((-(-height // STEP), -(-width // STEP)), np.nan, np.float32)
    edge = raster.chunk * max(1, _REGION // raster.chunk)
    edge = edge if edge % STEP == 0 else edge * STEP
    for block in cut(raster.shape, edge):
        values = reduced(raster.read(block), STEP, averaged=raster.averaged)
        y, x = block.y0 // STEP, block.x0 // STEP
        out[y : y + values.shape[0], x : x + values.shape[1]] = values
    return out


def reduced(values: NDArray[np.float32], step: int, *, averaged: bool) -> NDArray[np.float32]:
    """Values (h, w) in cells of step × step; cells at the lower and right edge may be smaller."""
    if step == 1:
        return values
    height, width = (-(-side // step) for side in values.shape)
    whole = np.full((height * step, width * step), np.nan, np.float32)
    whole[: values.shape[0], : values.shape[1]] = values
    if not averaged:
        return np.ascontiguousarray(whole[step // 2 :: step, step // 2 :: step])
    cells = whole.reshape(height, step, width, step)
    known = np.isfinite(cells)
    count = known.sum(axis=(1, 3))
    total = np.where(known, cells, 0).sum(axis=(1, 3), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / count, np.nan).astype(np.float32)


def tile(
    raster: Raster, overviews: Overviews, step: int, row: int, column: int
) -> NDArray[np.float32]:
    """(256, 256) float32 of the cells of a tile, each of step × step pixels; NaN outside.

    Args:
        raster: what is shown.
        overviews: for steps of 8 and more.
        step: a power of two.
        row: of the tile, from the top.
        column: of the tile, from the left.

    Raises:
        CubeDamaged: a chunk is lost or altered.
    """
    out = np.full((SIDE, SIDE), np.nan, np.float32)
    height, width = raster.shape
    span = SIDE * step
    y0, x0 = row * span, column * span
    if y0 >= height or x0 >= width or y0 < 0 or x0 < 0:
        return out
    y1, x1 = min(y0 + span, height), min(x0 + span, width)
    if step < STEP:
        found = reduced(raster.read(Block(y0, y1, x0, x1)), step, averaged=raster.averaged)
    else:
        cells = overviews.of(raster)[y0 // STEP : -(-y1 // STEP), x0 // STEP : -(-x1 // STEP)]
        found = reduced(cells, step // STEP, averaged=raster.averaged)
    out[: found.shape[0], : found.shape[1]] = found
    return out


def png(index: NDArray[np.uint8], colours: Sequence[tuple[int, int, int]]) -> bytes:
    """An indexed picture (h, w); the last colour is transparent.

    Source: PNG specification, ISO/IEC 15948: IHDR, PLTE, tRNS, IDAT, IEND.
    """
    height, width = index.shape
    lines = np.zeros((height, width + 1), np.uint8)
    lines[:, 1:] = index
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes(part for colour in colours for part in colour)),
        (b"tRNS", bytes([255] * (len(colours) - 1) + [0])),
        (b"IDAT", zlib.compress(lines.tobytes(), 1)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
