"""The rasters of an elevation model: opened, judged, and read."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import DemError
from cpazmal_scale.grid.areas import METRES_PER_DEGREE
from cpazmal_scale.grid.raster_files import check_beside, heights_problem, require_plain
from cpazmal_scale.terrain import resample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

COARSEST = 350.0
"""Metres of the longer edge of a pixel. The provider's own heights come from a model of ten seconds
of arc (309 m): a raster that is coarser tells less of the ground than the product itself.
"""
_LEAN = 0.01
"""Pixels by which a raster may lean from end to end."""


@dataclass(frozen=True, eq=False)
class Tile:
    """An open raster, and the row and column of its first pixel among those of all tiles."""

    raster: Any
    url: str
    row: int
    column: int


@dataclass(frozen=True, eq=False)
class Part:
    """The rows and columns of a tile that meet a window, and its first place in the window."""

    tile: Tile
    rows: slice
    columns: slice
    place: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def heights(self, found: Array, *, sea: bool) -> None:
        """Heights, as many as `found` (h, w) has room for, where that is NaN.

        Raises:
            DemError: a block cannot be decoded.
        """
        from rasterio.enums import MaskFlags
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        raster = self.tile.raster
        window = Window.from_slices(
            (self.rows.start, self.rows.stop), (self.columns.start, self.columns.stop)
        )
        # A mask beside the values is read only where there is one.
        plain = {MaskFlags.all_valid, MaskFlags.nodata} >= set(raster.mask_flag_enums[0])
        try:
            raw = raster.read(1, window=window, masked=not plain, out_shape=found.shape)
        except RasterioError as error:
            raise unreadable(str(error).splitlines()[0], self.tile.url) from None
        if not plain:
            raw = raw.astype(np.float64).filled(np.nan)
        scale = float(raster.scales[0]), float(raster.offsets[0])
        resample.known_heights(raw, _missing(raster.nodata, raw.dtype), scale, sea, found)


def _missing(nodata: float | None, stored: np.dtype[Any]) -> float:
    """A raster's mark for missing values as its own type holds it; NaN: none."""
    if nodata is None:
        return math.nan
    # A float32 raster holds the float32 next to -99.9.
    return float(stored.type(nodata)) if stored.kind == "f" else float(nodata)


def open_rasters(urls: list[str], stack: contextlib.ExitStack) -> list[tuple[Any, str]]:
    """Rasters and their addresses, open as long as the stack is.

    Raises:
        DemError: see `elevation.open_dem`.
    """
    return [(stack.enter_context(_opened(url, stack)), url) for url in urls]


def _opened(url: str, stack: contextlib.ExitStack) -> Any:
    import rasterio
    from rasterio.errors import RasterioError

    path = stack.enter_context(storage.open_local(url))
    try:
        check_beside(path)
        raster = rasterio.open(path, driver="GTiff")
        require_plain(raster)
    except (RasterioError, ValueError) as error:
        raise unreadable(str(error).splitlines()[0], url) from None
    problem = _problem(raster)
    if problem is not None:
        raster.close()
        raise DemError(problem[0], where=url, remedy=problem[1])
    return raster


def _problem(raster: Any) -> tuple[str, str] | None:
    """Why a raster is no elevation model that can be used, and what to do."""
    to_map, (height, width) = raster.transform, raster.shape
    if raster.crs is None:
        return "it has no CRS", "save it with its reference system"
    wrong = heights_problem(raster)
    if wrong:
        return wrong
    if to_map.a == 0 or to_map.e == 0:
        return "its columns run northwards", "warp it north up"
    lean = max(abs(to_map.b) * height / abs(to_map.a), abs(to_map.d) * width / abs(to_map.e))
    if lean > _LEAN:
        return "it is rotated", "warp it to a grid along its axes"
    if to_map.a <= 0 or to_map.e >= 0:
        return "its first pixel is not its north-west corner", "warp it north up"
    edge = _edge(raster)
    if edge > COARSEST:
        return (
            f"its pixels are {edge:.0f} m wide: slopes and summits are not in it",
            f"give a raster of {COARSEST:.0f} m or finer, such as Copernicus GLO-30",
        )
    return None


def _edge(raster: Any) -> float:
    """Metres of the longer edge of a pixel at a raster's middle."""
    across, down = float(raster.transform.a), -float(raster.transform.e)
    if not raster.crs.is_geographic:
        return max(across, down) * float(raster.crs.linear_units_factor[1])
    north = float(raster.transform.f) - down * raster.height / 2
    middle = math.radians(min(90.0, abs(north)))
    return max(across * math.cos(middle), down) * METRES_PER_DEGREE


def unreadable(reason: str, url: str) -> DemError:
    """What is no raster."""
    return DemError(
        f"not a readable GeoTIFF ({reason})", where=url, remedy="copy it again from its source"
    )
