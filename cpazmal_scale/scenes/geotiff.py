"""GeoTIFF scenes: opening them safely, and reading them by strips of rows."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.config import NOT_VALID
from cpazmal_scale.errors import SceneUnreadable
from cpazmal_scale.scenes import lattice
from cpazmal_scale.scenes.scene import Scene, SceneFile
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


class SceneReader:
    """A scene opened for reading by strips onto a grid that shares its pixel lattice."""

    def __init__(self, scene: Scene, grid: GeoBox) -> None:
        self.scene, self.grid = scene, grid
        self._stack = contextlib.ExitStack()
        self._rasters: list[tuple[SceneFile, Any, int, int]] = []

    def __enter__(self) -> SceneReader:
        with contextlib.ExitStack() as stack:
            for file in self.scene.files:
                row, column = lattice.offset(file.geobox, self.grid, where=file.url)
                raster = stack.enter_context(opened(file.url))
                self._rasters.append((file, raster, row, column))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, y0: int, y1: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Rows `y0` to `y1` of the grid.

        Returns:
            Backscatter (P, y1 − y0, W) float32, linear power, NaN for no-data, channels in the
            order of `scene.polarisations`; and mask (y1 − y0, W) uint8 of `MASK_BITS`. Where files
            overlap, backscatter is the mean of the valid ones and mask flags are united.

        Raises:
            SceneUnreadable: a block of a file cannot be decoded.
        """
        shape = (y1 - y0, self.grid.shape[1])
        power = np.full((len(self.scene.polarisations), *shape), np.nan, np.float32)
        count = np.zeros(power.shape, np.uint8)
        flags = np.zeros(shape, np.uint8)
        for file, raster, row, column in self._rasters:
            window = lattice.overlap(row, column, file.geobox, (y0, y1), shape[1])
            if window is not None:
                bands = read_bands(raster, file.url, *window[:2])
                part = (slice(None), *window[2:])
                self._add(file, raster, bands, power[part], count[part], flags[window[2:]])
        if len(self._rasters) > 1:
            np.divide(power, count, out=power, where=count > 1)
        flags[np.isnan(power).all(axis=0)] |= NOT_VALID
        return power, flags

    def _add(
        self,
        file: SceneFile,
        raster: Any,
        bands: NDArray[Any],
        power: NDArray[np.float32],
        count: NDArray[np.uint8],
        flags: NDArray[np.uint8],
    ) -> None:
        """Add one file's bands to the sums and counts of the strip, in place."""
        valid = np.zeros(flags.shape, bool)
        for name, values, nodata in zip(file.bands, bands, raster.nodatavals, strict=True):
            if name == "mask":
                continue
            channel = self.scene.polarisations.index(name)
            new = to_power(values, nodata, file.scale)
            here = ~np.isnan(new)
            if len(self._rasters) == 1:
                power[channel] = new
            else:
                total = np.where(count[channel] > 0, power[channel] + new, new)
                np.copyto(power[channel], total, where=here)
                count[channel] += here
            valid |= here
        if "mask" in file.bands:
            bits = to_bits(bands[file.bands.index("mask")], file.mask_codes)
            np.bitwise_or(flags, bits, out=flags, where=valid)


def read(
    scene: Scene, grid: GeoBox, rows: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Rows of a grid from a scene; see `SceneReader.read`."""
    with SceneReader(scene, grid) as reader:
        return reader.read(*rows)
