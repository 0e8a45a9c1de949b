"""Elevation rasters: one, or the tiles of a folder or glob, as heights above the ellipsoid."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import DemError, StoreMissing
from cpazmal_scale.grid.projections import horizontal, of_raster, of_unknown_place
from cpazmal_scale.grid.raster_files import told_beside
from cpazmal_scale.terrain import resample, vertical
from cpazmal_scale.terrain.bands import Band, open_bands
from cpazmal_scale.terrain.coordinates import DEGREES, continuous, through, transformer
from cpazmal_scale.terrain.missing_heights import largest_step
from cpazmal_scale.terrain.nodes import CELL, Lattice, cells
from cpazmal_scale.terrain.tiles import unreadable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox
    from pyproj import CRS

    Array = NDArray[np.float64]
    Whole = NDArray[np.int64]

SUFFIXES = (".tif", ".tiff")
_SAMPLES = 512
"""Pixels along a side of a tile from which the range of its heights is taken."""
_STRIP = 2**22
"""Pixels that are counted at once."""
_BORDER = 65
"""Points along a side of a map between which its border is straight."""


@dataclass(frozen=True)
class Dem:
    """Where heights come from.

    `vertical` tells what they are above (see `vertical.datum_of`; none: their CRS does); with `sea`
    missing and zero heights are the sea's surface.
    """

    url: str
    vertical: str | None = None
    sea: bool = False


class Elevation:
    """An open source of heights."""

    def __init__(self, dem: Dem, bands: tuple[Band, ...]) -> None:
        self.dem, self._bands = dem, bands
        # Rows count from the first of that tile whose row is 0.
        first = next(tile for band in bands for tile in band.tiles if tile.row == 0)
        crs = of_raster(first.raster.crs)
        self.crs: CRS = horizontal(crs)
        self._name: str = self.crs.to_wkt()
        self.datum = vertical.datum_of(crs, dem.vertical, where=first.url)
        _require_place(self.crs, first.url)
        self._top, self._down = float(first.raster.transform.f), float(first.raster.transform.e)

    @property
    def spacing(self) -> tuple[float, float]:
        """Width and height of a pixel, in units of the CRS."""
        return abs(self._bands[0].step), abs(self._down)

    def heights(self, grid: GeoBox, rows: slice, columns: slice) -> Array:
        """Metres (h, w) above the ellipsoid, means over the pixels of a window of a grid.

        The window may reach beyond the grid. NaN where no height is known.

        Raises:
            DemError: a raster cannot be decoded, or its datum is not known there.
        """
        lattice, top, left = Lattice.of(grid)
        starts = rows.start + top, columns.start + left
        shape = rows.stop - rows.start, columns.stop - columns.start
        numbers = [
            cells(slice(start, start + size)) for start, size in zip(starts, shape, strict=True)
        ]
        lon, lat = lattice.points(numbers[0] * CELL, numbers[1] * CELL)
        places = self._places(lattice.crs, *lattice.projected(numbers[0] * CELL, numbers[1] * CELL))
        up = self.datum.above_ellipsoid(lon, lat)
        return self._between(*places, up, starts, shape, self._fine(lattice))

    def between(
        self, lon: Array, lat: Array, starts: tuple[int, int], shape: tuple[int, int]
    ) -> Array:
        """Metres (h, w) above the ellipsoid at the cells of any smooth lattice; see `heights`.

        Args:
            lon: (nodes, nodes) degrees of every `CELL`-th cell edge around the window.
            lat: Likewise.
            starts: Row and column of the first cell in that lattice.
            shape: Rows and columns.
        """
        up = self.datum.above_ellipsoid(lon, lat)
        return self._between(*self._places(DEGREES, lon, lat), up, starts, shape, 1)

    def _between(
        self,
        y: Array,
        across: Array,
        up: Array,
        starts: tuple[int, int],
        shape: tuple[int, int],
        fine: int,
    ) -> Array:
        rows, found = _around(y), np.empty(shape)
        flat, lines, columns = self._read(rows, across)
        nodes = np.stack([up, y, *columns], axis=-1)
        resample.onto_pixels(flat, lines, rows.start, nodes, starts, fine, found)
        return found

    def at(self, lon: Array, lat: Array, together: int = 1) -> Array:
        """Metres above the ellipsoid at points (n) in degrees, NaN where not known.

        So many points that follow each other lie close together, and are read at once.
        """
        y, across = self._places(DEGREES, lon, lat)
        found = np.full(lon.shape, np.nan)
        seen = np.isfinite(across) & np.isfinite(y)
        for first in range(0, lon.size, together):
            some = first + np.flatnonzero(seen[first : first + together])
            if some.size == 0:
                continue
            rows, heights = _around(y[some]), np.empty(some.size)
            flat, lines, columns = self._read(rows, across[some])
            x = np.stack(columns, axis=-1)
            resample.at_points(flat, lines, rows.start, y[some], x, heights)
            found[some] = heights
        known = np.isfinite(found)
        found[known] += self.datum.above_ellipsoid(lon[known], lat[known])
        return found

    def covers(self, lon: Array, lat: Array) -> NDArray[np.bool_]:
        """Whether points in degrees, of any shape, lie on a pixel of a tile, known or not."""
        y, across = self._places(DEGREES, lon, lat)
        found = np.zeros(y.shape, bool)
        for band in self._bands:
            found |= band.covers(y, across)
        return found

    def span(self, lon: Array, lat: Array) -> tuple[float, float]:
        """Lowest and highest height between points, of some pixels of the tiles; 0, 0: of none."""
        up = self.datum.above_ellipsoid(lon, lat)
        known = [np.zeros(1)] if self.dem.sea else []
        known += [values[np.isfinite(values)] for values in self.some(lon, lat, _SAMPLES)]
        heights = np.concatenate(known) if known else np.zeros(0)
        if heights.size == 0 or np.isnan(up).all():
            return 0.0, 0.0
        low, high = heights.min() + np.nanmin(up), heights.max() + np.nanmax(up)
        return float(low), float(high)

    def some(self, lon: Array, lat: Array, most: int) -> Iterator[Array]:
        """Heights above the raster's own surface of some pixels between points, tile by tile, NaN
        unknown; at most so many rows and columns of a tile.

        Raises:
            DemError: a raster cannot be decoded.
        """
        y, across = self._places(DEGREES, lon, lat)
        rows = _around(y)
        for band in self._bands:
            for part in band.parts(rows, _around(band.columns(across))):
                values = np.full([min(edge, most) for edge in part.shape], np.nan)
                part.heights(values, sea=self.dem.sea)
                yield values

    def under(self, grid: GeoBox) -> Iterator[tuple[Array, float, float]]:
        """Heights (n) of the raster's own pixels whose centres lie under a grid, strip by strip.

        They are above the raster's own surface; NaN where not known, or beyond the raster. Of a
        grid that holds no centre all pixels are taken that it touches. With them comes their width
        in units of the CRS, and the largest step (m) between neighbours in and around them.

        Raises:
            DemError: a raster cannot be decoded.
        """
        part = np.linspace(0.0, 1.0, _BORDER)
        down = np.concatenate([0 * part, part, 1 + 0 * part, part[::-1]]) * grid.shape[0]
        along = np.concatenate([part, 1 + 0 * part, part[::-1], 0 * part]) * grid.shape[1]
        to_map = grid.transform
        y, across = self._places(
            str(grid.crs), to_map.c + along * to_map.a, to_map.f + down * to_map.e
        )
        if not np.isfinite([y, across]).all():
            return
        empty = True
        for touched in (False, True):
            for band in self._bands:
                for heights, step in self._inside(band, y, band.columns(across), touched):
                    empty = False
                    yield heights, band.step, step
            if not empty:
                return

    def _inside(
        self, band: Band, y: Array, x: Array, touched: bool
    ) -> Iterator[tuple[Array, float]]:
        """Heights of a band's pixels inside a border, or those that it touches, too."""
        from affine import Affine
        from rasterio.features import geometry_mask

        border = {"type": "Polygon", "coordinates": [list(zip(x, y, strict=True))]}
        whole = band.own(slice(math.floor(y.min()), math.ceil(y.max()) + 1))
        columns = slice(math.floor(x.min()), math.ceil(x.max()) + 1)
        width = columns.stop - columns.start
        step = max(1, _STRIP // width)
        for top in range(whole.start, whole.stop, step):
            rows = slice(top, min(whole.stop, top + step))
            inside = geometry_mask(
                [border],
                (rows.stop - rows.start, width),
                Affine.translation(columns.start - 0.5, top - 0.5),
                all_touched=touched,
                invert=True,
            )
            if inside.any():
                heights = band.heights(rows, columns, sea=self.dem.sea)
                yield heights[inside], largest_step(heights)

    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of all tiles in degrees; west is less than east."""
        from rasterio.warp import transform_bounds

        boxes: list[tuple[float, float, float, float]] = []
        for tile in (tile for band in self._bands for tile in band.tiles):
            west, south, east, north = transform_bounds(
                self._name, "EPSG:4326", *tile.raster.bounds
            )
            # A box across the date line ends before it begins.
            ends = np.array([west, east + 360.0 * (east < west)])
            middle = boxes[0][0] if boxes else float(ends[0])
            west, east = ends + 360.0 * np.round((middle - ends[0]) / 360.0)
            boxes.append((float(west), south, float(east), north))
        west, south = (min(box[side] for box in boxes) for side in (0, 1))
        east, north = (max(box[side] for box in boxes) for side in (2, 3))
        return west, south, east, north

    def _places(self, crs: str, x: Array, y: Array) -> tuple[Array, Array]:
        """Rows of points, whose pixel centres are whole numbers, and x or longitude in the CRS."""
        across, up = through(transformer(crs, self._name), x, y)
        if self.crs.is_geographic:
            ends = [end for band in self._bands for end in band.ends()]
            across = continuous(across, (min(ends) + max(ends)) / 2)
        return (up - self._top) / self._down - 0.5, across

    def _fine(self, lattice: Lattice) -> int:
        """Points per map pixel and axis: as many as raster pixels fit into it."""
        found = 1
        for band in self._bands:
            tile = band.tiles[0]
            height, width = tile.raster.shape
            x = band.left + (tile.column + width / 2) * band.step
            y = self._top + (tile.row + height / 2) * self._down
            back = transformer(self._name, lattice.crs)
            here, there = through(back, np.array([x, x + band.step]), np.array([y, y + self._down]))
            ratio: float = min(
                abs(lattice.step[0] / (here[1] - here[0])),
                abs(lattice.step[1] / (there[1] - there[0])),
            )
            found = max(found, math.ceil(ratio - 0.1))
        return found

    def _read(self, rows: slice, across: Array) -> tuple[Array, Whole, list[Array]]:
        """Raw heights around places, row by row, NaN unknown, 0 at sea; the table of their rows,
        see `resample.at_points`; and the columns of the places in those of every band.
        """
        pieces: list[Array] = []
        columns: list[Array] = []
        size = 0
        lines = np.empty((rows.stop - rows.start, 2), np.int64)
        for band in self._bands:
            own = band.own(rows)
            if own.start == own.stop:
                continue
            x = band.columns(across)
            window = _around(x)
            width = window.stop - window.start
            here = np.arange(own.stop - own.start)
            lines[here + own.start - rows.start, 0] = size - window.start + here * width
            lines[here + own.start - rows.start, 1] = len(columns)
            pieces.append(band.heights(own, window, sea=self.dem.sea).reshape(-1))
            columns.append(x)
            size += pieces[-1].size
        return (pieces[0] if len(pieces) == 1 else np.concatenate(pieces)), lines, columns


def _around(place: Array) -> slice:
    """The pixels that heights at positions depend on."""
    return slice(
        math.floor(float(place.min())) - resample.REACH,
        math.ceil(float(place.max())) + resample.REACH + 2,
    )


def _require_place(crs: CRS, where: object) -> None:
    """Refuse a CRS that PROJ places by taking one ellipsoid for another.

    Raises:
        DemError: its datum is unknown, and its ellipsoid is not that of WGS84.
    """
    body = of_unknown_place(crs)
    if body:
        raise DemError(
            f"its reference system does not say how {body} lies to WGS84",
            where=where,
            remedy="give it a reference system with a datum, such as by an EPSG code",
        )


@contextlib.contextmanager
def open_dem(dem: Dem) -> Iterator[Elevation]:
    """Heights, opened for reading.

    Raises:
        DemError: no elevation raster, tiles that do not share rows or, beside each other, columns,
            no CRS or one of unknown place, pixels wider than `tiles.COARSEST`, or heights above an
            unknown surface or not in metres.
        StoreMissing: nothing is there.
    """
    with contextlib.ExitStack() as stack:
        yield Elevation(dem, open_bands(files(dem.url), stack))


def files(url: str) -> list[str]:
    """The rasters at an address: one file, those of a glob, or all below a folder.

    Raises:
        StoreMissing: there is none.
    """
    found = [one for one in storage.find(url) if one.lower().endswith(SUFFIXES)]
    if not found:
        raise StoreMissing(
            "no elevation raster is here", where=url, remedy="give a GeoTIFF, a folder or a glob"
        )
    return found


def digest(dem: Dem) -> str:
    """The sha256 of all rasters, of the geoid raster if there is one, and of what lies beside them
    and changes them.

    Raises:
        DemError: what lies there is no regular file.
        StoreMissing: nothing is there.
    """
    whole = hashlib.sha256()
    extra = [dem.vertical] if dem.vertical and "." in dem.vertical.rsplit("/", 1)[-1] else []
    for url in [*files(dem.url), *extra]:
        for one in (url, *_beside(url)):
            whole.update(_sha256(one, str(storage.modified(one))).encode())
    return whole.hexdigest()


def _beside(url: str) -> list[str]:
    try:
        found = [] if storage.is_remote(url) else told_beside(storage.local_path(url))
    except ValueError as error:
        raise unreadable(str(error), url) from None
    return [str(one) for one in found]


@functools.lru_cache(maxsize=1024)
def _sha256(url: str, modified: str) -> str:  # noqa: ARG001 - a changed file is another key
    with storage.open_binary(url) as stream:
        whole = hashlib.sha256()
        while piece := stream.read(2**20):
            whole.update(piece)
    return whole.hexdigest()
