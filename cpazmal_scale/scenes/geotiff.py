"""GeoTIFF scenes: opening them safely, and reading windows of them."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import SceneUnreadable
from cpazmal_scale.scenes.scene import SceneFile
from cpazmal_scale.scenes.values import to_bits, to_power

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

READER_VERSION = "geotiff-1"
CACHE_BYTES = 128 * 2**20


@contextlib.contextmanager
def opened(url: str) -> Iterator[Any]:
    """A rasterio dataset of a GeoTIFF at any URL; its `name` is a local path.

    Raises:
        SceneUnreadable: not a GeoTIFF, or so damaged that its header cannot be read.
        StoreMissing: there is no such file.
    """
    import rasterio

    with (
        storage.open_local(url) as path,
        rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES),
        _one_sentence(url, "not a readable GeoTIFF"),
        _open_quietly(path) as raster,
    ):
        yield raster


def _open_quietly(path: Path) -> Any:
    """Open without the warning on a missing transform, which `geobox_of` makes an error."""
    import rasterio

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        return rasterio.open(path, driver="GTiff", NUM_THREADS="ALL_CPUS")


@contextlib.contextmanager
def _one_sentence(url: str, what: str) -> Iterator[None]:
    from rasterio.errors import RasterioError

    try:
        yield
    except RasterioError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise SceneUnreadable(
            f"{what} ({reason})", where=url, remedy="copy the file again from its source"
        ) from None


def geobox_of(raster: Any, url: str) -> GeoBox:
    """The grid of an open raster.

    Raises:
        SceneUnreadable: it has no CRS, or is rotated.
    """
    from odc.geo.geobox import GeoBox

    if raster.crs is None or raster.transform.is_identity:
        raise SceneUnreadable(
            "it has no coordinate reference system",
            where=url,
            remedy="give it one with `gdal_edit.py -a_srs … -a_ullr …`",
        )
    if raster.transform.b or raster.transform.d or raster.transform.e >= 0:
        raise SceneUnreadable(
            "its grid is rotated or south-up", where=url, remedy="warp it north-up with gdalwarp"
        )
    return GeoBox(raster.shape, raster.transform, str(raster.crs))


def check_blocks(raster: Any, url: str) -> None:
    """Every block of the raster was written and lies inside the file.

    Raises:
        SceneUnreadable: sparse or truncated.
    """
    size = Path(raster.name).stat().st_size
    interleaved = raster.interleaving is not None and raster.interleaving.name == "pixel"
    for band in raster.indexes[:1] if interleaved else raster.indexes:
        height, width = raster.block_shapes[band - 1]
        for row in range(-(-raster.height // height)):
            for column in range(-(-raster.width // width)):
                name = f"block {row},{column} of band {band}"
                end = _block_end(raster, band, row, column)
                if end is None:
                    raise SceneUnreadable(
                        f"{name} was never written (sparse file)",
                        where=url,
                        remedy="copy or process the scene again",
                    )
                if end > size:
                    raise SceneUnreadable(
                        f"truncated: {name} ends at byte {end} of {size}",
                        where=url,
                        remedy="copy the file again from its source",
                    )


def _block_end(raster: Any, band: int, row: int, column: int) -> int | None:
    start = raster.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=band)
    length = raster.get_tag_item(f"BLOCK_SIZE_{column}_{row}", "TIFF", bidx=band)
    return None if start is None or length is None else int(start) + int(length)


def read_bands(raster: Any, url: str, rows: slice, columns: slice) -> NDArray[Any]:
    """All bands of a window, (bands, h, w), raw values.

    Raises:
        SceneUnreadable: a block cannot be decoded.
    """
    from rasterio.windows import Window

    with _one_sentence(url, f"rows {rows.start} to {rows.stop} cannot be decoded"):
        values: NDArray[Any] = raster.read(window=Window.from_slices(rows, columns))
    return values


class GeoTiffReader:
    """An open GeoTIFF of a scene."""

    def __init__(self, file: SceneFile, raster: Any) -> None:
        self.file, self.raster = file, raster

    def read(self, rows: slice, columns: slice) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """A window of the file; see `reading.FileReader`.

        Raises:
            SceneUnreadable: a block cannot be decoded.
        """
        file = self.file
        bands = read_bands(self.raster, file.url, rows, columns)
        power = np.empty((len(file.polarisations), *bands.shape[1:]), np.float32)
        nodata = self.raster.nodatavals
        for channel, name in enumerate(file.polarisations):
            band = file.bands.index(name)
            power[channel] = to_power(bands[band], nodata[band], file.scale)
        flags = np.zeros(power.shape[1:], np.uint8)
        if "mask" in file.bands:
            bits = to_bits(bands[file.bands.index("mask")], file.mask_codes)
            np.copyto(flags, bits, where=~np.isnan(power).all(axis=0))
        return power, flags


@contextlib.contextmanager
def open_geotiff(file: SceneFile) -> Iterator[GeoTiffReader]:
    """A GeoTIFF of a scene, opened for reading.

    Raises:
        SceneUnreadable: it cannot be opened.
    """
    with opened(file.url) as raster:
        yield GeoTiffReader(file, raster)
