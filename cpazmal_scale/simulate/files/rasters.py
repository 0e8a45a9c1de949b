"""GeoTIFFs in the authors' form, written block by block and put in place when complete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpazmal_scale.simulate.ground.grids import Grid

if TYPE_CHECKING:
    from rasterio.io import DatasetWriter

TILE = 256


@contextmanager
def created(
    path: Path,
    grid: Grid,
    rows: tuple[int, int],
    bands: tuple[str, ...],
    *,
    dtype: str,
    nodata: float,
) -> Iterator[DatasetWriter]:
    """A tiled, deflated GeoTIFF over rows[0]..rows[1] of the grid; it appears under its name
    only if nothing failed.
    """
    import rasterio
    from rasterio.transform import Affine

    size = grid.resolution
    part = path.with_name(path.name + ".part")
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "height": rows[1] - rows[0],
        "width": grid.size[1],
        "count": len(bands),
        "dtype": dtype,
        "crs": grid.crs,
        "transform": Affine(size, 0, grid.left, 0, -size, grid.top - size * rows[0]),
        "nodata": nodata,
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "interleave": "band",
        "compress": "deflate",
        "zlevel": 1,
        "predictor": 3 if dtype == "float32" else 2,
        "bigtiff": "if_safer",
    }
    try:
        with rasterio.open(part, "w", **profile) as raster:
            for number, name in enumerate(bands, start=1):
                raster.set_band_description(number, name)
            yield raster
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
