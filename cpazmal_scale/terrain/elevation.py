"""Elevation rasters: one, or the tiles of a folder or glob, as heights above the ellipsoid."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import DemError, StoreMissing
from cpazmal_scale.grid.raster_files import check_beside
from cpazmal_scale.terrain import resample, vertical
from cpazmal_scale.terrain.coordinates import through, transformer
from cpazmal_scale.terrain.nodes import CELL, Lattice, cells

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox
    from pyproj import CRS

    Array = NDArray[np.float64]

SUFFIXES = (".tif", ".tiff")
_FEET = ("ft", "feet", "foot")
_SAMPLES = 512
"""Pixels along a side of a tile from which the range of its heights is taken."""
_STRIP = 2**22
"""Pixels that are counted at once."""
_BORDER = 65
"""Points along a side of a map between which its border is straight."""
_SHIFT = 0.01
"""Largest shift in pixels between tiles of one lattice."""


@dataclass(frozen=True)
class Dem:
    """Where heights come from.

    `vertical` tells what they are above (see `vertical.datum_of`; none: their CRS does); with `sea`
    missing and zero heights are the sea's surface.
    """

    url: str
    vertical: str | None = None
    sea: bool = False


@dataclass(frozen=True, eq=False)
class _Tile:
    """An open raster and where its first pixel lies in the lattice of all tiles."""

    raster: Any
    url: str
    row: int
    column: int


class Elevation:
    """An open source of heights."""

    def __init__(self, dem: Dem, tiles: list[_Tile]) -> None:
        from pyproj import CRS

        self.dem, self._tiles = dem, tiles
        first = tiles[0]
        crs = CRS.from_wkt(first.raster.crs.to_wkt(version="WKT2_2019"))
        self.crs: CRS = vertical.horizontal(crs)
        self._name: str = self.crs.to_wkt()
        self.datum = vertical.datum_of(crs, dem.vertical, where=first.url)
        self._to_map = first.raster.transform

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
        y, x = self._pixels(lattice.crs, *lattice.projected(numbers[0] * CELL, numbers[1] * CELL))
        nodes = np.stack([y, x, self.datum.above_ellipsoid(lon, lat)], axis=-1)
        return self._between(nodes, starts, shape, self._fine(lattice))

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
        nodes = [*self._pixels("EPSG:4326", lon, lat), self.datum.above_ellipsoid(lon, lat)]
        return self._between(np.stack(nodes, axis=-1), starts, shape, 1)

    def _between(
        self, nodes: Array, starts: tuple[int, int], shape: tuple[int, int], fine: int
    ) -> Array:
        window = _around(nodes[..., 0]), _around(nodes[..., 1])
        origin = window[0].start, window[1].start
        found = np.empty(shape)
        values = self._read(*window)
        resample.onto_pixels(values, origin, nodes, starts, fine, found)
        return found

    def at(self, lon: Array, lat: Array) -> Array:
        """Metres above the ellipsoid at points (n) in degrees, NaN where not known."""
        y, x = self._pixels("EPSG:4326", lon, lat)
        found = np.full(lon.shape, np.nan)
        for n in range(lon.size):
            if not (math.isfinite(x[n]) and math.isfinite(y[n])):
                continue
            rows, columns = _around(y[n : n + 1]), _around(x[n : n + 1])
            values = self._read(rows, columns)
            part = found[n : n + 1]
            origin = rows.start, columns.start
            resample.at_points(values, origin, y[n : n + 1], x[n : n + 1], part)
        known = np.isfinite(found)
        found[known] += self.datum.above_ellipsoid(lon[known], lat[known])
        return found

    def span(self, lon: Array, lat: Array) -> tuple[float, float]:
        """Lowest and highest height between points, of some pixels of the tiles; 0, 0: of none."""
        y, x = self._pixels("EPSG:4326", lon, lat)
        rows, columns = _around(y), _around(x)
        up = self.datum.above_ellipsoid(lon, lat)
        known = [np.zeros(1)] if self.dem.sea else []
        for tile in self._tiles:
            here = _overlap(tile, rows, columns)
            if here is not None:
                shape = [min(edge.stop - edge.start, _SAMPLES) for edge in here]
                values = np.full(shape, np.nan)
                _values(tile, *here, values, sea=self.dem.sea)
                known.append(values[np.isfinite(values)])
        heights = np.concatenate(known) if known else np.zeros(0)
        if heights.size == 0:
            return 0.0, 0.0
        low, high = heights.min() + np.nanmin(up), heights.max() + np.nanmax(up)
        return float(low), float(high)

    def under(self, grid: GeoBox) -> Iterator[Array]:
        """Heights (n) of the raster's own pixels whose centres lie under a grid, strip by strip.

        They are above the raster's own surface; NaN where not known, or beyond the raster. Of a
        grid that holds no centre all pixels are taken that it touches.

        Raises:
            DemError: a raster cannot be decoded.
        """
        from affine import Affine
        from rasterio.features import geometry_mask

        part = np.linspace(0.0, 1.0, _BORDER)
        down = np.concatenate([0 * part, part, 1 + 0 * part, part[::-1]]) * grid.shape[0]
        along = np.concatenate([part, 1 + 0 * part, part[::-1], 0 * part]) * grid.shape[1]
        to_map = grid.transform
        y, x = self._pixels(str(grid.crs), to_map.c + along * to_map.a, to_map.f + down * to_map.e)
        if not np.isfinite([y, x]).all():
            return
        border = {"type": "Polygon", "coordinates": [list(zip(x, y, strict=True))]}
        columns = slice(math.floor(x.min()), math.ceil(x.max()) + 1)
        width, bottom = columns.stop - columns.start, math.ceil(y.max()) + 1
        step, empty = max(1, _STRIP // width), True
        for touched in (False, True):
            for top in range(math.floor(y.min()), bottom, step):
                rows = slice(top, min(bottom, top + step))
                inside = geometry_mask(
                    [border],
                    (rows.stop - rows.start, width),
                    Affine.translation(columns.start - 0.5, top - 0.5),
                    all_touched=touched,
                    invert=True,
                )
                if inside.any():
                    empty = False
                    yield self._read(rows, columns)[inside]
            if not empty:
                return

    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of all tiles in degrees."""
        from rasterio.warp import transform_bounds

        boxes = [
            transform_bounds(self._name, "EPSG:4326", *tile.raster.bounds) for tile in self._tiles
        ]
        west, south = (min(box[side] for box in boxes) for side in (0, 1))
        east, north = (max(box[side] for box in boxes) for side in (2, 3))
        return west, south, east, north

    def _pixels(self, crs: str, x: Array, y: Array) -> tuple[Array, Array]:
        """Rows and columns of points in the tiles' lattice; pixel centres are whole numbers."""
        across, up = through(transformer(crs, self._name), x, y)
        to_map = self._to_map
        if self.crs.is_geographic:
            centre = to_map.c + to_map.a * self._tiles[0].raster.width / 2
            across = across - 360 * np.round((across - centre) / 360)
        return (up - to_map.f) / to_map.e - 0.5, (across - to_map.c) / to_map.a - 0.5

    def _fine(self, lattice: Lattice) -> int:
        """Points per map pixel and axis: as many as raster pixels fit into it."""
        first, (height, width) = self._to_map, self._tiles[0].raster.shape
        x, y = first.c + first.a * width / 2, first.f + first.e * height / 2
        back = transformer(self._name, lattice.crs)
        here, there = through(back, np.array([x, x + first.a]), np.array([y, y + first.e]))
        ratio: float = min(
            abs(lattice.step[0] / (here[1] - here[0])), abs(lattice.step[1] / (there[1] - there[0]))
        )
        return max(1, math.ceil(ratio - 0.1))

    def _read(self, rows: slice, columns: slice) -> Array:
        """Raw heights of a window of the tiles' lattice, NaN unknown, 0 at sea."""
        shape = rows.stop - rows.start, columns.stop - columns.start
        found = np.full(shape, np.nan)
        for tile in self._tiles:
            here = _overlap(tile, rows, columns)
            if here is None:
                continue
            down, along = (
                slice(edge.start + first - window.start, edge.stop + first - window.start)
                for edge, first, window in zip(
                    here, (tile.row, tile.column), (rows, columns), strict=True
                )
            )
            _values(tile, *here, found[down, along], sea=self.dem.sea)
        if self.dem.sea:
            found[np.isnan(found)] = 0.0
        return found


def _around(place: Array) -> slice:
    """The pixels that heights at positions depend on."""
    return slice(
        math.floor(float(place.min())) - resample.REACH,
        math.ceil(float(place.max())) + resample.REACH + 2,
    )


def _overlap(tile: _Tile, rows: slice, columns: slice) -> tuple[slice, slice] | None:
    """The part of a tile that meets a window of the tiles' lattice."""
    height, width = tile.raster.shape
    down = slice(max(0, rows.start - tile.row), min(height, rows.stop - tile.row))
    along = slice(max(0, columns.start - tile.column), min(width, columns.stop - tile.column))
    return None if down.start >= down.stop or along.start >= along.stop else (down, along)


def _values(tile: _Tile, rows: slice, columns: slice, found: Array, *, sea: bool) -> None:
    """Heights of a part of a tile, as many as `found` has room for, where that is NaN."""
    from rasterio.enums import MaskFlags
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    raster, window = (
        tile.raster,
        Window.from_slices((rows.start, rows.stop), (columns.start, columns.stop)),
    )
    # A mask beside the values is read only where there is one.
    plain = {MaskFlags.all_valid, MaskFlags.nodata} >= set(raster.mask_flag_enums[0])
    try:
        raw = raster.read(1, window=window, masked=not plain, out_shape=found.shape)
    except RasterioError as error:
        raise _unreadable(str(error).splitlines()[0], tile.url) from None
    if not plain:
        raw = raw.astype(np.float64).filled(np.nan)
    missing = math.nan if raster.nodata is None else float(raster.nodata)
    scale = float(raster.scales[0]), float(raster.offsets[0])
    resample.known_heights(raw, missing, scale, sea, found)


@contextlib.contextmanager
def open_dem(dem: Dem) -> Iterator[Elevation]:
    """Heights, opened for reading.

    Raises:
        DemError: no elevation raster, tiles of several lattices, no CRS, or heights above an
            unknown surface or in feet.
        StoreMissing: nothing is there.
    """
    with contextlib.ExitStack() as stack:
        tiles: list[_Tile] = []
        for url in files(dem.url):
            raster = stack.enter_context(_opened(url, stack))
            row, column = _place(raster, tiles[0].raster, url) if tiles else (0, 0)
            tiles.append(_Tile(raster, url, row, column))
        yield Elevation(dem, tiles)


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
    """The sha256 of all rasters, and of the geoid raster if there is one."""
    whole = hashlib.sha256()
    extra = [dem.vertical] if dem.vertical and "." in dem.vertical.rsplit("/", 1)[-1] else []
    for url in [*files(dem.url), *extra]:
        whole.update(_sha256(url, str(storage.modified(url))).encode())
    return whole.hexdigest()


@functools.lru_cache(maxsize=1024)
def _sha256(url: str, modified: str) -> str:  # noqa: ARG001 - a changed file is another key
    with storage.open_binary(url) as stream:
        whole = hashlib.sha256()
        while piece := stream.read(2**20):
            whole.update(piece)
    return whole.hexdigest()


def _opened(url: str, stack: contextlib.ExitStack) -> Any:
    import rasterio
    from rasterio.errors import RasterioError

    path = stack.enter_context(storage.open_local(url))
    try:
        check_beside(path)
        raster = rasterio.open(path, driver="GTiff")
    except (RasterioError, ValueError) as error:
        raise _unreadable(str(error).splitlines()[0], url) from None
    problem = remedy = ""
    if raster.count != 1 or raster.dtypes[0].startswith("complex"):
        problem, remedy = f"it has {raster.count} x {raster.dtypes[0]}", "give one band of heights"
    elif raster.crs is None:
        problem, remedy = "it has no CRS", "save it with its reference system"
    elif raster.transform.b or raster.transform.d:
        problem, remedy = "it is rotated", "warp it to a grid along its axes"
    elif raster.transform.a <= 0 or raster.transform.e >= 0:
        problem, remedy = "its first pixel is not its north-west corner", "warp it north up"
    elif any(word in (raster.units[0] or "").lower() for word in _FEET):
        problem, remedy = "its heights are in feet", "convert them to metres"
    if problem:
        raster.close()
        raise DemError(problem, where=url, remedy=remedy)
    return raster


def _place(raster: Any, first: Any, url: str) -> tuple[int, int]:
    """Row and column of a tile in the lattice of the first."""
    mine, theirs = raster.transform, first.transform
    row, column = (mine.f - theirs.f) / theirs.e, (mine.c - theirs.c) / theirs.a
    far = max(abs(mine.a / theirs.a - 1) * raster.width, abs(mine.e / theirs.e - 1) * raster.height)
    shift = max(abs(row - round(row)), abs(column - round(column)), far)
    if raster.crs != first.crs or shift > _SHIFT:
        raise DemError(
            "it does not share the pixels of the first tile",
            where=url,
            remedy="warp the tiles into one raster",
        )
    return round(row), round(column)


def _unreadable(reason: str, url: str) -> DemError:
    return DemError(
        f"not a readable GeoTIFF ({reason})", where=url, remedy="copy it again from its source"
    )
