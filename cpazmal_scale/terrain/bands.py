"""Tiles of an elevation model as bands of rows: its pixels may grow wider towards the poles.

All tiles share their rows. Tiles that share their columns, too, and follow each other from north to
south are a band; every row of pixels belongs to one band and is interpolated at that one's spacing.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import DemError
from cpazmal_scale.terrain.tiles import Part, Tile, open_rasters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_SHIFT = 0.01
"""Largest shift in pixels between tiles that share them."""
_SHARED = 1
"""Rows that the tiles of two bands may both have: original tiles of Copernicus have one."""
_TURNS = (0, -1, 1)
_GLANCE = 64
"""Rows and columns of a tile that are compared with another one's."""
_STEP = 1.0
"""Metres by which the heights of tiles may differ where they overlap, as a median."""
_EVER = 2**40
"""A row beyond all."""


@dataclass(frozen=True, eq=False)
class Band:
    """Tiles that share their pixels, and the rows that belong to them.

    `left` is the left edge of column 0 and `step` the width of a column in units of the CRS;
    `around` as many columns as go once around the earth, 0 where that is no whole number; `rows`
    the first row and the first beyond.
    """

    tiles: tuple[Tile, ...]
    left: float
    step: float
    around: int
    rows: tuple[int, int]

    def own(self, rows: slice) -> slice:
        """Those of some rows that belong to the band."""
        first = max(rows.start, self.rows[0])
        return slice(first, max(first, min(rows.stop, self.rows[1])))

    def columns(self, across: Array) -> Array:
        """Columns at places in units of the CRS; pixel centres are whole numbers."""
        return (across - self.left) / self.step - 0.5

    def ends(self) -> tuple[float, float]:
        """Left and right end of the tiles in units of the CRS."""
        first = min(tile.column for tile in self.tiles)
        last = max(tile.column + tile.raster.width for tile in self.tiles)
        return self.left + first * self.step, self.left + last * self.step

    def covers(self, y: Array, across: Array) -> NDArray[np.bool_]:
        """Whether points, of any shape, lie on a pixel of a tile, known or not."""
        row, column = np.floor(y + 0.5), np.floor(self.columns(across) + 0.5)
        found = np.zeros(y.shape, bool)
        for tile, first in self._places():
            height, width = tile.raster.shape
            inside = (row >= tile.row) & (row < tile.row + height)
            found |= inside & (column >= first) & (column < first + width)
        return found

    def parts(self, rows: slice, columns: slice) -> Iterator[Part]:
        """What the tiles have of a window."""
        for tile, first in self._places():
            height, width = tile.raster.shape
            down = slice(max(0, rows.start - tile.row), min(height, rows.stop - tile.row))
            along = slice(max(0, columns.start - first), min(width, columns.stop - first))
            if down.start < down.stop and along.start < along.stop:
                place = down.start + tile.row - rows.start, along.start + first - columns.start
                yield Part(tile, down, along, place)

    def heights(self, rows: slice, columns: slice, *, sea: bool) -> Array:
        """Raw heights of a window, NaN unknown, 0 at sea.

        Raises:
            DemError: a block cannot be decoded.
        """
        found = np.full((rows.stop - rows.start, columns.stop - columns.start), np.nan)
        for part in self.parts(rows, columns):
            (top, left), (height, width) = part.place, part.shape
            part.heights(found[top : top + height, left : left + width], sea=sea)
        if sea:
            found[np.isnan(found)] = 0.0
        return found

    def _places(self) -> Iterator[tuple[Tile, int]]:
        """Tiles and the columns at which they begin, once for every turn around the earth."""
        for tile in self.tiles:
            for turn in _TURNS if self.around else _TURNS[:1]:
                yield tile, tile.column + turn * self.around


def open_bands(urls: list[str], stack: contextlib.ExitStack) -> tuple[Band, ...]:
    """Rasters as bands from north to south, open as long as the stack is.

    Raises:
        DemError: see `elevation.open_dem`.
    """
    rasters = open_rasters(urls, stack)
    first, placed = rasters[0][0], []
    lattices: list[tuple[float, float]] = []
    for raster, url in rasters:
        row, west = _place(raster, first, url)
        number, column = _lattice(lattices, raster, west)
        placed.append((number, Tile(raster, url, row, column)))
    bands: list[Band] = []
    numbers: list[int] = []
    for number, tile in sorted(placed, key=lambda one: one[1].row):
        if numbers and numbers[-1] == number:
            bands[-1] = replace(bands[-1], tiles=(*bands[-1].tiles, tile))
            continue
        if bands:
            _require_below(bands[-1], tile)
            bands[-1] = replace(bands[-1], rows=(bands[-1].rows[0], tile.row))
        left, step = lattices[number]
        start = tile.row if bands else -_EVER
        bands.append(Band((tile,), left, step, _around_earth(first, step), (start, _EVER)))
        numbers.append(number)
    for band in bands:
        _require_one(band)
    order = {id(raster): number for number, (raster, _) in enumerate(rasters)}
    return tuple(
        replace(band, tiles=tuple(sorted(band.tiles, key=lambda tile: order[id(tile.raster)])))
        for band in bands
    )


def _place(raster: Any, first: Any, url: str) -> tuple[int, float]:
    """First row of a tile in the rows of the first, and its left edge, on the shorter way there."""
    mine, theirs = raster.transform, first.transform
    row, east = (mine.f - theirs.f) / theirs.e, mine.c - theirs.c
    far = abs(mine.e / theirs.e - 1) * raster.height
    if raster.crs != first.crs or max(abs(row - round(row)), far) > _SHIFT:
        raise _unlike("it does not share the pixels of the first tile", url)
    turns = round(east / 360.0) if first.crs.is_geographic else 0
    return round(row), mine.c - 360.0 * turns


def _lattice(lattices: list[tuple[float, float]], raster: Any, west: float) -> tuple[int, int]:
    """Number of the columns that a tile's are among, which may be new, and its first one."""
    for number, (left, step) in enumerate(lattices):
        column = (west - left) / step
        far = abs(raster.transform.a / step - 1) * raster.width
        if max(abs(column - round(column)), far) <= _SHIFT:
            return number, round(column)
    lattices.append((west, float(raster.transform.a)))
    return len(lattices) - 1, 0


def _around_earth(first: Any, step: float) -> int:
    columns = 360.0 / step if first.crs.is_geographic else math.inf
    return round(columns) if math.isfinite(columns) and abs(columns % 1 - 0.5) > 0.49 else 0


def _require_below(band: Band, tile: Tile) -> None:
    """Refuse a tile that lies beside tiles with other columns.

    Raises:
        DemError: it does.
    """
    for one in band.tiles:
        if tile.row < one.row + one.raster.height - _SHARED:
            raise _unlike(f"it does not share the pixels of {one.url} beside it", tile.url)


def _require_one(band: Band) -> None:
    """Refuse rasters that hold other heights of one place, such as a mask of water beside them.

    Raises:
        DemError: two of them do.
    """
    seen: dict[tuple[int, int, int, int], Tile] = {}
    for tile in band.tiles:
        place = tile.row, tile.column, *tile.raster.shape
        one = seen.setdefault(place, tile)
        if one is not tile and not np.array_equal(_glance(one), _glance(tile), equal_nan=True):
            raise _unlike(f"it holds other values than {one.url} of the same place", tile.url)
    ends = np.array([(row, row + high, left, left + wide) for row, left, high, wide in seen])
    for number, tile in enumerate(seen.values()):
        first = np.maximum(ends[number, ::2], ends[:number, ::2])
        last = np.minimum(ends[number, 1::2], ends[:number, 1::2])
        for other in np.flatnonzero((last - first > _SHARED).all(axis=1)).tolist():
            one = list(seen.values())[other]
            _require_alike(one, tile, first[other].tolist(), last[other].tolist())


def _require_alike(one: Tile, tile: Tile, first: list[int], last: list[int]) -> None:
    """Refuse two tiles whose heights differ where both lie, between rows and columns.

    Raises:
        DemError: they do, by more than `_STEP` as a median.
    """
    # Overviews of one may be made otherwise than those of the other: whole pixels are compared.
    middle = [slice(*_middle(*edge)) for edge in zip(first, last, strict=True)]
    step = np.abs(_glance(one, *middle) - _glance(tile, *middle))
    median = float(np.median(step[np.isfinite(step)])) if np.isfinite(step).any() else 0.0
    if median > _STEP:
        raise _unlike(f"its heights differ from those of {one.url} by {median:.0f} m", tile.url)


def _middle(first: int, last: int) -> tuple[int, int]:
    """The middle of a stretch, as long as a glance at most."""
    start = max(first, (first + last - _GLANCE) // 2)
    return start, min(last, start + _GLANCE)


def _glance(tile: Tile, rows: slice | None = None, columns: slice | None = None) -> Array:
    """Heights of some pixels of a tile, or of its part of some rows and columns, NaN unknown."""
    height, width = tile.raster.shape
    rows, columns = (
        slice(0, edge) if part is None else slice(part.start - begin, part.stop - begin)
        for part, begin, edge in ((rows, tile.row, height), (columns, tile.column, width))
    )
    found = np.full([min(one.stop - one.start, _GLANCE) for one in (rows, columns)], np.nan)
    Part(tile, rows, columns, (0, 0)).heights(found, sea=True)
    return found


def _unlike(reason: str, url: str) -> DemError:
    return DemError(
        reason, where=url, remedy="keep the rasters of heights, and warp these into one"
    )
