"""The images of Level-1b products as power of digital numbers, read by window."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import COPY_AGAIN, SceneImplausible, SceneUnreadable
from cpazmal_scale.grid.raster_files import NOTHING_BESIDE
from cpazmal_scale.scenes.formats.geotiff import read_bands
from cpazmal_scale.scenes.level1b.annotation import Annotation, Layer
from cpazmal_scale.scenes.level1b.cosar import Cosar
from cpazmal_scale.scenes.untrusted import archive
from cpazmal_scale.scenes.untrusted.archive import Container, Extent

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 512
ZERO_ROWS = 16
"""Lines of exact zeros from which an image counts as zero-filled."""
HIGHEST_MEAN = 1000.0
"""Mean β0 (+30 dB) above which the calibration factor cannot be right."""
LEAST_OF_NOISE = 0.5
"""Share of the annotated noise below which a mean β0, which holds the noise, cannot be right."""


class CosarImage:
    """|DN|² of a complex image."""

    def __init__(self, cosar: Cosar) -> None:
        self.cosar, self.where = cosar, str(cosar.where)

    @property
    def shape(self) -> tuple[int, int]:
        """Lines and samples."""
        return self.cosar.shape

    def read(self, lines: slice, samples: slice) -> NDArray[np.float32]:
        """|DN|² (h, w) float32, NaN outside the valid ranges.

        Raises:
            SceneUnreadable: see `Cosar.read`.
        """
        return self.cosar.power(lines, samples)

    def unwritten(self, lines: slice) -> int:
        """Lines that were never written; see `Cosar.unwritten`."""
        return self.cosar.unwritten(lines)


class TiffImage:
    """DN² of a detected image."""

    def __init__(self, raster: Any, where: str) -> None:
        self.raster, self.where = raster, where

    @property
    def shape(self) -> tuple[int, int]:
        """Lines and samples, or rows and columns."""
        height, width = self.raster.shape
        return height, width

    def read(self, lines: slice, samples: slice) -> NDArray[np.float32]:
        """DN² (h, w) float32, NaN where DN is 0, which is no data.

        Raises:
            SceneUnreadable: a block cannot be decoded.
        """
        (values,) = read_bands(self.raster, self.where, lines, samples)
        power: NDArray[np.float32] = values.astype(np.float32) ** 2
        power[values == 0] = np.nan
        return power

    def unwritten(self, lines: slice) -> int:  # noqa: ARG002 - zeros are no data here
        """0: zeros are no data in a detected image, which may have borders of them."""
        return 0


@contextlib.contextmanager
def open_image(
    container: Container, name: str, annotation: Annotation, layer: Layer
) -> Iterator[CosarImage | TiffImage]:
    """The image of one layer.

    Raises:
        SceneUnreadable: missing, damaged, or of another size than annotated.
    """
    where = archive.where(container, name)
    with archive.local_member(container, name) as extent:
        if annotation.is_complex:
            if 0 < layer.size != extent.size:
                raise _contradiction(f"{extent.size} bytes", f"{layer.size}", where)
            image: CosarImage | TiffImage = CosarImage(
                Cosar(extent.path, offset=extent.offset, size=extent.size, where=where)
            )
            _check_shape(image, annotation)
            yield image
            return
        with _opened(extent, where, annotation.raster.depth) as raster:
            image = TiffImage(raster, where)
            _check_shape(image, annotation)
            yield image


@contextlib.contextmanager
def _opened(extent: Extent, where: str, depth: int) -> Iterator[Any]:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    name = f"/vsisubfile/{extent.offset}_{extent.size},{extent.path}"
    try:
        with rasterio.Env(**NOTHING_BESIDE), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            raster = rasterio.open(name, driver="GTiff")
    except RasterioError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise SceneUnreadable(
            f"not a readable GeoTIFF ({reason})",
            where=where,
            remedy=COPY_AGAIN,
        ) from None
    with rasterio.Env(**NOTHING_BESIDE), raster:
        if raster.count != 1 or not np.issubdtype(raster.dtypes[0], np.integer):
            raise _contradiction(f"{raster.count} x {raster.dtypes[0]}", "one integer band", where)
        bits = 8 * np.dtype(raster.dtypes[0]).itemsize
        if bits != depth:
            raise _contradiction(f"{bits} bits per pixel", f"{depth}", where)
        yield raster


def _check_shape(image: CosarImage | TiffImage, annotation: Annotation) -> None:
    annotated = annotation.raster.lines, annotation.raster.samples
    if image.shape != annotated:
        raise _contradiction(
            "{} x {} pixels".format(*image.shape), "{} x {}".format(*annotated), image.where
        )


def _contradiction(found: str, annotated: str, where: str) -> SceneUnreadable:
    return SceneUnreadable(
        f"it has {found}, its annotation says {annotated}",
        where=where,
        remedy=COPY_AGAIN,
    )


def check_image(image: CosarImage | TiffImage, cal_factor: float, noise: float = 0.0) -> float:
    """Decode the whole image and look at it; its mean β0 in decibels.

    Args:
        image: to look at.
        cal_factor: of |DN|² to β0.
        noise: mean β0 that is to be subtracted; 0: nothing is.

    Raises:
        SceneUnreadable: a part cannot be decoded.
        SceneImplausible: nothing is valid, lines were never written, β0 is implausibly large, or
            far below the noise in it.
    """
    height, width = image.shape
    valid, zero_rows, total = 0, 0, 0.0
    for line in range(0, height, ROWS):
        lines = slice(line, min(height, line + ROWS))
        power = image.read(lines, slice(0, width))
        zero_rows += image.unwritten(lines)
        good = ~np.isnan(power)
        valid += int(good.sum())
        total += float(np.nansum(power, dtype=np.float64))
        zero_rows += int((good.any(axis=1) & (np.nan_to_num(power).max(axis=1) == 0)).sum())
    mean = cal_factor * total / max(valid, 1)
    problem, remedy = None, COPY_AGAIN
    if valid == 0:
        problem = "no pixel is valid"
    elif zero_rows >= ZERO_ROWS:
        problem = f"{zero_rows} lines are zero: part of the file was never written"
    elif not 0 < mean < HIGHEST_MEAN:
        problem = f"its mean β0 is {mean:.3g}"
    elif mean < LEAST_OF_NOISE * noise:
        problem = (
            f"its mean β0 is {10 * np.log10(mean):.1f} dB, but the noise in it is annotated as "
            f"{10 * np.log10(noise):.1f} dB: it was subtracted already, or is not so high"
        )
        remedy = "set ingest.level1b.noise: keep, for all dates of the beam"
    if problem is not None:
        raise SceneImplausible(problem, where=image.where, remedy=remedy)
    return float(10 * np.log10(mean))
