"""What of a grid is wanted: inside outlines, and outside an exclusion mask (vector or raster)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import SampleError
from cpazmal_scale.grid import raster_files
from cpazmal_scale.grid.blocks import Block, cut
from cpazmal_scale.grid.outlines import MapGrid, Outlines, read_outlines
from cpazmal_scale.storage import seal

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_PIXELS = 2**31
"""Pixels of a mask that are held, a bit each."""


class Area(Protocol):
    """Some of a grid's pixels."""

    @property
    def digest(self) -> str:
        """Identity of what it is made from."""

    def inside(self, block: Block) -> NDArray[np.bool_]:
        """(h, w) whether the centre of a pixel is in it."""


@dataclass(frozen=True, eq=False)
class RasterMask:
    """Pixels whose centre lies in a pixel of a raster that is valid and not 0, in any CRS."""

    digest: str
    grid: MapGrid
    crs: Any
    to_pixel: Any
    """Affine from the raster's CRS to columns and rows."""
    bits: NDArray[np.uint8]
    """(rows, ⌈columns / 8⌉) packed."""
    width: int

    def inside(self, block: Block) -> NDArray[np.bool_]:
        """(h, w) whether the centre of a pixel is in a marked pixel; outside the raster none is."""
        from pyproj import Transformer

        own = self.grid.geobox
        columns = np.arange(block.x0, block.x1) + 0.5
        rows = np.arange(block.y0, block.y1) + 0.5
        x, y = own.transform * tuple(np.meshgrid(columns, rows))
        if own.crs != self.crs:
            turn = Transformer.from_crs(str(own.crs), self.crs.to_wkt(), always_xy=True)
            x, y = turn.transform(x, y)
        column, row = (np.floor(one) for one in self.to_pixel * (np.asarray(x), np.asarray(y)))
        known = (column >= 0) & (column < self.width) & (row >= 0) & (row < len(self.bits))
        found = np.zeros(known.shape, np.bool_)
        at, of = row[known].astype(np.int64), column[known].astype(np.int64)
        found[known] = (self.bits[at, of >> 3] >> (7 - (of & 7)).astype(np.uint8)) & 1
        return found


@dataclass(frozen=True, eq=False)
class Extent:
    """The pixels of a map that are computed; without outlines all that are not excluded."""

    grid: MapGrid
    outlines: Outlines | None
    excluded: Area | None

    @cached_property
    def excluded_pixels(self) -> int:
        """Pixels inside the outlines that are left out."""
        return sum(self._chunk(row, column)[1] for row, column in self._chunks)

    def near(self, block: Block) -> bool:
        """Whether a pixel of the chunks that any block touches is wanted."""
        edge, (height, width) = self.grid.chunk, self.grid.geobox.shape
        rows = range(max(block.y0, 0) // edge, -(-min(block.y1, height) // edge))
        columns = range(max(block.x0, 0) // edge, -(-min(block.x1, width) // edge))
        return any(self._chunk(row, column)[0] for row in rows for column in columns)

    def inside(self, block: Block) -> NDArray[np.bool_]:
        """(h, w) whether a pixel is wanted."""
        shape = (block.y1 - block.y0, block.x1 - block.x0)
        wanted = np.ones(shape, np.bool_) if self.outlines is None else self.outlines.inside(block)
        if self.excluded is not None:
            wanted &= ~self.excluded.inside(block)
        return wanted

    @property
    def _chunks(self) -> list[tuple[int, int]]:
        edge, (height, width) = self.grid.chunk, self.grid.geobox.shape
        return [(one.y0 // edge, one.x0 // edge) for one in cut((height, width), edge)]

    def _chunk(self, row: int, column: int) -> tuple[bool, int]:
        """Whether a pixel of a chunk is wanted, and how many are excluded; asked several times."""
        known = self._known.get((row, column))
        if known is None:
            edge, (height, width) = self.grid.chunk, self.grid.geobox.shape
            y, x = row * edge, column * edge
            block = Block(y, min(y + edge, height), x, min(x + edge, width))
            known = self._known[row, column] = self._counted(block)
        return known

    def _counted(self, block: Block) -> tuple[bool, int]:
        if self.excluded is None:
            return self.outlines is None or self.outlines.touches(block), 0
        if self.outlines is not None and not self.outlines.touches(block):
            return False, 0
        left = self.excluded.inside(block)
        if self.outlines is None:
            return not left.all(), int(left.sum())
        within = self.outlines.inside(block)
        return bool((within & ~left).any()), int((within & left).sum())

    @cached_property
    def _known(self) -> dict[tuple[int, int], tuple[bool, int]]:
        return {}


def read_extent(outlines: str | None, exclude: str | None, grid: MapGrid) -> Extent | None:
    """What of a map is wanted; none: all of it.

    Args:
        outlines: vector file, on any fsspec URL; nothing outside its polygons is wanted.
        exclude: vector file or raster; what its polygons cover, or where it is valid and not 0,
            is not wanted.
        grid: of the map.

    Raises:
        SampleError: one of them cannot be used or covers no pixel, or nothing is left.
        StoreMissing: nothing is there.
    """
    if outlines is None and exclude is None:
        return None
    inside = None if outlines is None else read_outlines(outlines, grid)
    without = None if exclude is None else _read_exclusion(exclude, grid)
    found = Extent(grid, inside, without)
    if without is not None:
        height, width = grid.geobox.shape
        if not found.near(Block(0, height, 0, width)):
            raise SampleError(
                "no pixel of the map is left", where=exclude, remedy="check classify.exclude"
            )
    return found


def known_extent(
    outlines: str | None, exclude: str | None, grid: MapGrid, digests: tuple[str | None, str | None]
) -> Extent | None:
    """The same of known outlines and exclusion.

    Raises:
        SampleError: a file holds other content now.
    """
    inside = None if outlines is None else read_outlines(outlines, grid)
    without = None if exclude is None else _read_exclusion(exclude, grid)
    for what, one, url, digest in (
        ("outlines", inside, outlines, digests[0]),
        ("exclusion mask", without, exclude, digests[1]),
    ):
        if (None if one is None else one.digest) != digest:
            raise SampleError(f"the {what} changed meanwhile", where=url, remedy="run again")
    return None if inside is None and without is None else Extent(grid, inside, without)


def _read_exclusion(url: str, grid: MapGrid) -> Area:
    suffix = PurePosixPath(url.lower()).suffix
    if suffix in raster_files.DRIVERS:
        return _read_raster(url, raster_files.DRIVERS[suffix], grid)
    return read_outlines(url, grid)


def _read_raster(url: str, driver: str, grid: MapGrid) -> RasterMask:
    remedy = "give a raster of one band with a CRS, 0 where nothing is excluded"
    with (
        storage.open_local(url) as path,
        seal.parsing("not a raster that can be used as a mask", url, remedy, SampleError),
        raster_files.open_plain(path, driver) as raster,
    ):
        if raster.crs is None or raster.count != 1:
            raise ValueError(f"{raster.count} bands, {raster.crs or 'no CRS'}")
        wrong = raster_files.misplaced(raster)
        if wrong:
            raise ValueError(wrong)
        if raster.width * raster.height > _MOST_PIXELS:
            raise ValueError(f"{raster.width} x {raster.height} pixels are too many")
        bits = np.empty((raster.height, -(-raster.width // 8)), np.uint8)
        for _, window in raster.block_windows(1):
            if window.col_off == 0:
                rows = slice(window.row_off, window.row_off + window.height)
                bits[rows] = _marked(raster, rows)
        total = hashlib.sha256(bits.tobytes())
        total.update(repr((raster.crs.to_wkt(), *raster.transform, raster.shape)).encode())
        made = RasterMask(
            total.hexdigest()[:16], grid, raster.crs, ~raster.transform, bits, raster.width
        )
        height, width = grid.geobox.shape
        marked = any(made.inside(block).any() for block in cut((height, width), grid.chunk))
    if not marked:
        raise SampleError(
            "the mask marks no pixel of the map",
            where=url,
            remedy="check that both show the same place",
        )
    return made


def _marked(raster: Any, rows: slice) -> NDArray[np.uint8]:
    from rasterio.windows import Window

    window = Window.from_slices(rows, (0, raster.width))
    values = raster.read(1, window=window)
    if np.iscomplexobj(values):
        raise ValueError("complex numbers")
    meant = values * float(raster.scales[0]) + float(raster.offsets[0])
    marked = (meant != 0) & (raster.read_masks(1, window=window) != 0) & (values == values)
    return np.packbits(marked, axis=1)
