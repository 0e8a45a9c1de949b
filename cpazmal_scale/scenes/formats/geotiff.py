"""GeoTIFF scenes, and other rasters by an explicit driver: opened safely, read by windows."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import SceneUnreadable
from cpazmal_scale.grid import raster_files
from cpazmal_scale.scenes.formats.items import BandItems
from cpazmal_scale.scenes.scene import SceneFile
from cpazmal_scale.scenes.values import Coding, to_bits, to_degrees, to_power

if TYPE_CHECKING:
    from numpy.typing import NDArray

READER_VERSION = "geotiff-1"
CACHE_BYTES = 128 * 2**20
GEOTIFF = "GTiff"
HEADERS: dict[str, tuple[str, ...]] = {
    "EHdr": (".hdr", ".prj"),
    "ENVI": (".hdr",),
    "RST": (".rdc",),
    "SAGA": (".sgrd", ".prj"),
}
"""Drivers of plain uncompressed pixels, and the suffixes of the files that describe them."""
_FRACTION_BITS = {"16": 10, "24": 16}
DRIVERS = tuple(dict.fromkeys(raster_files.DRIVERS.values()))
"""GDAL drivers a scene may ask for: those whose files refer to no other file or address."""


@contextlib.contextmanager
def opened(url: str, driver: str = GEOTIFF) -> Iterator[Any]:
    """A rasterio dataset at any URL, opened with one of `DRIVERS`; its `name` is a local path.

    Raises:
        SceneUnreadable: not of that format, or so damaged that its header cannot be read.
        StoreMissing: there is no such file.
    """
    format_name = "GeoTIFF" if driver == GEOTIFF else f"{driver} raster"
    with (
        storage.open_local(url, *_described_by(url, driver)) as path,
        _one_sentence(url, f"not a readable {format_name}"),
        _plain(path, driver, url) as raster,
    ):
        yield raster


@contextlib.contextmanager
def _plain(path: Path, driver: str, url: str) -> Iterator[Any]:
    """The raster and the files beside it, and nothing else.

    Raises:
        SceneUnreadable: it refers to more.
    """
    with contextlib.ExitStack() as stack:
        try:
            opening = raster_files.open_plain(path, driver, GDAL_CACHEMAX=CACHE_BYTES)
            raster = stack.enter_context(opening)
        except ValueError as error:
            raise SceneUnreadable(
                str(error), where=url, remedy="copy it with gdal_translate into a GeoTIFF"
            ) from None
        yield raster


def digest(raster: Any) -> str:
    """The sha256 of an open raster's file, or of that and the files that belong to it."""
    files = raster_files.linked_files(raster)
    digests = [_sha256(path) for path in files]
    if len(files) == 1:
        return digests[0]
    ends = [path.name.removeprefix(files[0].stem) for path in files]
    lines = [f"{one}  {end}" for one, end in zip(digests, ends, strict=True)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _described_by(url: str, driver: str) -> list[str]:
    """Where the files that describe a raster, or mask it, may be."""
    stem = url.rsplit("/", 1)[0] + "/" + url.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    headers = [f"{start}{suffix}" for suffix in HEADERS.get(driver, ()) for start in (stem, url)]
    return [*headers, f"{url}.msk", f"{url}.aux.xml"]


@contextlib.contextmanager
def _one_sentence(url: str, what: str) -> Iterator[None]:
    from rasterio._err import (
        CPLE_BaseError,
    )  # of GDAL itself, what rasterio does not turn into its own
    from rasterio.errors import CRSError, RasterioError

    try:
        yield
    except (RasterioError, CRSError, CPLE_BaseError, UnicodeDecodeError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise SceneUnreadable(
            f"{what} ({reason})", where=url, remedy="copy the file again from its source"
        ) from None


_LONGEST_HEADER = 2**16


def check_blocks(raster: Any, url: str) -> None:
    """Every block of the raster was written and lies inside the file.

    Compressed formats other than GeoTIFF are not looked at: decoding them tells.

    Raises:
        SceneUnreadable: sparse or truncated.
    """
    size = Path(raster.name).stat().st_size
    if raster.driver in HEADERS:
        needed = raster.width * raster.height * sum(np.dtype(d).itemsize for d in raster.dtypes)
        needed += _skipped(raster)
        if size < needed:
            raise SceneUnreadable(
                f"truncated: {size} bytes, but its header needs {needed}",
                where=url,
                remedy="copy the file again from its source",
            )
        if size > needed and raster.driver == "ENVI":
            raise SceneUnreadable(
                f"it has {size} bytes, but its header describes {needed}",
                where=url,
                remedy="correct samples, lines, bands and header offset in its header",
            )
    if raster.driver != GEOTIFF:
        return
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


def _skipped(raster: Any) -> int:
    """Bytes before the pixels of a plain file, as its header says."""
    told = raster.tags(ns="ENVI").get("header_offset")
    for path in map(Path, raster.files):
        if told is None and path.suffix.lower() == ".hdr":
            text = path.read_bytes()[:_LONGEST_HEADER].decode("latin-1")
            found = re.search(r"^\s*skipbytes\s+(\d+)", text, re.I | re.M)
            told = found and found[1]
    return int(told) if told and told.strip().isdecimal() else 0


def _block_end(raster: Any, band: int, row: int, column: int) -> int | None:
    start = raster.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=band)
    length = raster.get_tag_item(f"BLOCK_SIZE_{column}_{row}", "TIFF", bidx=band)
    return None if start is None or length is None else int(start) + int(length)


def read_bands(
    raster: Any, url: str, rows: slice, columns: slice, bands: list[int] | None = None
) -> NDArray[Any]:
    """Bands (numbers from 1; none: all) of a window, (bands, h, w), raw values.

    Raises:
        SceneUnreadable: a block cannot be decoded.
    """
    from rasterio.windows import Window

    with _one_sentence(url, f"rows {rows.start} to {rows.stop} cannot be decoded"):
        values: NDArray[Any] = raster.read(bands, window=Window.from_slices(rows, columns))
    return values


def coding(raster: Any, band: int, nodata: float | None = None) -> Coding:
    """How the numbers of a band (from 1) are stored, by the raster's header; `nodata` goes before
    its own, and that before the fill value of a metadata item.

    Raises:
        SceneUnreadable: a scale of 0, one that is no number, or another one than the items tell.
    """
    factor, offset = raster.scales[band - 1], raster.offsets[band - 1]
    if not (np.isfinite(factor) and np.isfinite(offset)) or factor == 0:
        raise SceneUnreadable(
            f"band {band} has the scale {factor:g} and the offset {offset:g}",
            where=raster.name,
            remedy="correct the raster's header with gdal_edit.py -scale -offset",
        )
    items = BandItems.of(raster, band)
    if items.contradicts(factor, offset):
        raise SceneUnreadable(
            f"band {band} has the scale {factor:g} and the offset {offset:g}, its metadata items "
            f"tell {items.factor} and {items.offset}",
            where=raster.name,
            remedy="give the raster the right ones (gdal_edit.py -scale -offset), or remove the "
            "items of scale and offset",
        )
    own = raster.nodatavals[band - 1] if nodata is None else nodata
    own = items.fill if own is None else own
    bits = raster.tags(band, ns="IMAGE_STRUCTURE").get("NBITS")
    # Floats of fewer bits hold another number than the header declares, rounded or cut.
    coarse = _FRACTION_BITS.get(bits) if raster.dtypes[band - 1] == "float32" else None
    slack = 0.0 if coarse is None or own is None else abs(own) * 2.0**-coarse
    limits = items.lowest, items.highest
    return Coding(own, float(factor), float(offset), slack, *limits)


def read_valid(
    raster: Any, url: str, rows: slice, columns: slice, bands: list[int]
) -> NDArray[np.bool_] | None:
    """Where a mask of the dataset or an alpha band lets bands (numbers from 1) be seen.

    Returns:
        (bands, h, w) or (1, h, w), the same for all; None where the raster has no mask.

    Raises:
        SceneUnreadable: a block cannot be decoded.
    """
    from rasterio.enums import ColorInterp, MaskFlags
    from rasterio.windows import Window

    window = Window.from_slices(rows, columns)
    by_all_bands = {MaskFlags.per_dataset, MaskFlags.nodata}  # the item NODATA_VALUES
    nothing = (MaskFlags.all_valid, MaskFlags.nodata, MaskFlags.alpha)
    flags = [set(raster.mask_flag_enums[band - 1]) for band in bands]
    alphas = [at for at, one in enumerate(raster.colorinterp, 1) if one == ColorInterp.alpha > 0]
    valid = None
    with _one_sentence(url, f"the mask of rows {rows.start} to {rows.stop} cannot be decoded"):
        if any(one.isdisjoint(nothing) or by_all_bands <= one for one in flags):
            shared = all(MaskFlags.per_dataset in one for one in flags)
            valid = raster.read_masks(bands[:1] if shared else bands, window=window) != 0
        for alpha in alphas if alphas != [1] else []:
            seen = raster.read([alpha], window=window) != 0
            valid = seen if valid is None else valid & seen
    return valid


class GeoTiffReader:
    """An open GeoTIFF, or other raster, of a scene."""

    def __init__(self, file: SceneFile, raster: Any) -> None:
        self.file, self.raster = file, raster

    def read(self, rows: slice, columns: slice) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """A window of the file; see `reading.FileReader`.

        Raises:
            SceneUnreadable: a block cannot be decoded.
        """
        file = self.file
        bands = self._bands((*file.polarisations, "mask"), rows, columns)
        shape = rows.stop - rows.start, columns.stop - columns.start
        power = np.empty((len(file.polarisations), *shape), np.float32)
        for channel, name in enumerate(file.polarisations):
            power[channel] = to_power(bands[name], self._coding(name), file.scale)
        numbers = [file.bands.index(name) + 1 for name in file.polarisations]
        valid = read_valid(self.raster, file.url, rows, columns, numbers) if numbers else None
        if valid is not None:
            power[~np.broadcast_to(valid, power.shape)] = np.nan
        flags = np.zeros(shape, np.uint8)
        if "mask" in bands:
            bits = to_bits(self._coding("mask").values(bands["mask"]), file.mask_codes)
            np.copyto(flags, bits, where=~np.isnan(power).all(axis=0) if len(power) else np.True_)
        return power, flags

    def incidence(self, rows: slice, columns: slice) -> NDArray[np.float32] | None:
        """Incidence angles of a window; see `reading.FileReader`.

        Raises:
            SceneUnreadable: a block cannot be decoded.
        """
        if "incidence" not in self.file.bands:
            return None
        bands = self._bands(("incidence",), rows, columns)
        angles = to_degrees(bands["incidence"], self._coding("incidence"))
        number = self.file.bands.index("incidence") + 1
        valid = read_valid(self.raster, self.file.url, rows, columns, [number])
        if valid is not None:
            angles[~valid[0]] = np.nan
        return angles

    def _bands(
        self, names: tuple[str, ...], rows: slice, columns: slice
    ) -> dict[str, NDArray[Any]]:
        wanted = {name: at for at, name in enumerate(self.file.bands, start=1) if name in names}
        if not wanted:
            return {}
        values = read_bands(self.raster, self.file.url, rows, columns, [*wanted.values()])
        return dict(zip(wanted, values, strict=True))

    def _coding(self, name: str) -> Coding:
        return coding(self.raster, self.file.bands.index(name) + 1, self.file.nodata)


@contextlib.contextmanager
def open_geotiff(file: SceneFile) -> Iterator[GeoTiffReader]:
    """A GeoTIFF, or other raster, of a scene, opened for reading.

    Raises:
        SceneUnreadable: it cannot be opened.
    """
    with opened(file.url, file.driver) as raster:
        yield GeoTiffReader(file, raster)
