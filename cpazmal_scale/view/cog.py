"""The class layer from the overviews of a map's GeoTIFF: coarse cells without reading the map."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.grid.raster_files import open_plain
from cpazmal_scale.view.reduce import commonest
from cpazmal_scale.vocabulary import NO_DATA

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Cog:
    """A GeoTIFF of a map's classes on a local disk, with overviews of 2, 4, 8 … `coarsest` pixels.

    From an object store the map's chunks are read instead, many at once.
    """

    path: Path
    shape: tuple[int, int]
    values: list[int]
    coarsest: int
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(
        cls, url: str | None, name: str, shape: tuple[int, int], values: list[int]
    ) -> Cog | None:
        """The GeoTIFF of a map; none if it is not here, or another map's.

        Args:
            url: where it may be.
            name: identity of the map.
            shape: rows and columns of the map.
            values: of its classes.
        """
        import rasterio

        if url is None or storage.is_remote(url):
            return None
        path = storage.local_path(url)
        try:
            with open_plain(path, "GTiff") as raster:
                factors = raster.overviews(1)
                own = raster.shape == shape and raster.dtypes == ("uint8",)
                own = own and raster.tags().get("id") == name
        except (ValueError, OSError, rasterio.errors.RasterioError):
            return None
        if not own or factors != [2 << n for n in range(len(factors))] or not factors:
            return None
        return cls(path, shape, values, factors[-1])

    def cells(self, step: int, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """Cells (height, width) of `step` ≥ 2 pixels, from cell (y, x) on; 255 outside."""
        if step > self.coarsest:
            more = step // self.coarsest
            fine = self.cells(self.coarsest, y * more, x * more, height * more, width * more)
            return commonest(self.values, fine, more)
        out = np.full((height, width), NO_DATA, np.uint8)
        rows, columns = (
            min(-(-n // step) - at, m) for n, at, m in self._sides(y, x, height, width)
        )
        if rows > 0 and columns > 0:
            out[:rows, :columns] = self._read(step, y, x, rows, columns)
        return out

    def _sides(self, y: int, x: int, height: int, width: int) -> tuple[tuple[int, int, int], ...]:
        return (self.shape[0], y, height), (self.shape[1], x, width)

    def _read(self, step: int, y: int, x: int, rows: int, columns: int) -> NDArray[Any]:
        """Cells of an overview; GDAL's COG driver leaves out the last one if it is not whole."""
        import rasterio.windows

        level = step.bit_length() - 2
        with self._lock, open_plain(self.path, "GTiff", overview_level=level) as raster:
            y, x = min(y, raster.height - 1), min(x, raster.width - 1)
            held = min(rows, raster.height - y), min(columns, raster.width - x)
            window = rasterio.windows.Window(x, y, held[1], held[0])
            cells = np.asarray(raster.read(1, window=window))
        return np.pad(cells, ((0, rows - held[0]), (0, columns - held[1])), mode="edge")
