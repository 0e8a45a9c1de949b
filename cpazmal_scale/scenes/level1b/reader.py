"""A Level-1b product read as calibrated backscatter on a map grid.

SSC (complex, COSAR) and MGD (detected, GeoTIFF) lie in radar geometry and are geocoded at one
height; GEC and EEC are map images already, and only calibrated.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.config import MASK_BITS
from cpazmal_scale.errors import SceneUnknown
from cpazmal_scale.grid import lattice
from cpazmal_scale.scenes.formats.geotiff import geobox_of
from cpazmal_scale.scenes.level1b.geocode import Positions, Sampling, sample
from cpazmal_scale.scenes.level1b.geolocation import Geolocation
from cpazmal_scale.scenes.level1b.georef import parse_georef
from cpazmal_scale.scenes.level1b.images import CosarImage, TiffImage, check_image, open_image
from cpazmal_scale.scenes.level1b.placing import (
    footprint,
    ground_spacing,
    locator,
    map_locator,
    utm,
)
from cpazmal_scale.scenes.level1b.product import GEOREF, Product, digest
from cpazmal_scale.scenes.level1b.radiometry import calibrate, noise_beta0, subtracts_noise
from cpazmal_scale.scenes.scene import SceneFile
from cpazmal_scale.scenes.untrusted import archive, xml

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

TILE = 256
"""Edge in pixels of the tiles that are geocoded at once."""
PIXEL = 3.0
"""Metres of a pixel in UTM, where no grid is given."""


IMAGE, TIMES = slice(0, 2), slice(2, 4)
"""Coordinates that a locator gives: line and sample; azimuth and range time."""


class ProductReader:
    """An open product, calibrated by windows of its grid `geobox`."""

    def __init__(
        self,
        product: Product,
        geolocation: Geolocation,
        images: list[CosarImage | TiffImage],
        geobox: GeoBox | None,
    ) -> None:
        self.product, self.geolocation, self.images = product, geolocation, images
        annotation, settings = product.annotation, product.settings
        if product.in_radar_geometry:
            self.geobox = geobox or self._own_grid()
            self.locate = locator(annotation, geolocation, settings.height)
            spacing = ground_spacing(annotation)
            self.sampling = Sampling.between(spacing, self.geobox, settings.resampling)
        else:
            raster = images[0]
            assert isinstance(raster, TiffImage)
            self.geobox = geobox_of(raster.raster, raster.where)
            self.locate = map_locator(self.geobox, geolocation, annotation.average_height)
            self.sampling = Sampling((1, 1), 1)
        self.subtract = subtracts_noise(annotation, settings.noise)

    def _own_grid(self) -> GeoBox:
        """The image's footprint, edges at multiples of the pixel."""
        annotation = self.product.annotation
        zone = utm(annotation.centre.lon, annotation.centre.lat)
        preset = self.product.grid or lattice.Preset(zone, PIXEL)
        height = self.product.settings.height
        bounds = footprint(annotation, self.geolocation, height, preset.crs)
        return lattice.snapped(bounds, preset)

    def read(self, rows: slice, columns: slice) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """A window of the grid; see `reading.FileReader`. The mask says where noise dominates.

        Raises:
            SceneUnreadable: a part of an image cannot be decoded.
        """
        shape = rows.stop - rows.start, columns.stop - columns.start
        power = np.full((len(self.images), *shape), np.nan, np.float32)
        flags = np.zeros(shape, np.uint8)
        for part, positions in self._tiles(rows, columns):
            self._fill(positions, power[:, *part], flags[part])
        return power, flags

    def _fill(
        self, positions: Positions, power: NDArray[np.float32], flags: NDArray[np.uint8]
    ) -> None:
        """Calibrate one tile in place."""
        line, column = positions.at(IMAGE, self.sampling.places)
        if not _meets(self.images[0], line, column):
            return
        t, tau = positions.at(TIMES)
        angle = self.geolocation.incidence(t, tau)
        layers = self.product.annotation.layers
        for channel, (layer, image) in enumerate(zip(layers, self.images, strict=True)):
            beta0 = layer.cal_factor * sample(image, line, column, self.sampling)
            noise = noise_beta0(layer, self.geolocation.grid.reference_time, t, tau)
            power[channel], limited = calibrate(
                beta0,
                noise if self.subtract else None,
                angle,
                self.product.settings.radiometry,
            )
            flags[limited] |= MASK_BITS["noise_limited"]

    def incidence(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Incidence angles (h, w) of the ellipsoid in degrees, NaN outside the image."""
        angles = np.full((rows.stop - rows.start, columns.stop - columns.start), np.nan, np.float32)
        for part, positions in self._tiles(rows, columns):
            line, column = positions.at(IMAGE)
            t, tau = positions.at(TIMES)
            size = self.images[0].shape
            inside = (line > -0.5) & (line < size[0] - 0.5)
            inside &= (column > -0.5) & (column < size[1] - 0.5)
            angles[part] = np.where(inside, self.geolocation.incidence(t, tau), np.nan)
        return angles

    def _tiles(
        self, rows: slice, columns: slice
    ) -> Iterator[tuple[tuple[slice, slice], Positions]]:
        """Places in the window, and image positions, tile by tile."""
        for y in range(rows.start, rows.stop, TILE):
            for x in range(columns.start, columns.stop, TILE):
                down, along = (
                    slice(y, min(rows.stop, y + TILE)),
                    slice(x, min(columns.stop, x + TILE)),
                )
                part = (
                    slice(down.start - rows.start, down.stop - rows.start),
                    slice(along.start - columns.start, along.stop - columns.start),
                )
                yield part, Positions(self.geobox, down, along, self.locate)


def _meets(
    image: CosarImage | TiffImage, line: NDArray[np.float64], column: NDArray[np.float64]
) -> bool:
    """Whether any position may lie in the image."""
    height, width = image.shape
    return bool(
        line.max() > -1 and line.min() < height and column.max() > -1 and column.min() < width
    )


@contextlib.contextmanager
def open_product(product: Product, geobox: GeoBox | None = None) -> Iterator[ProductReader]:
    """A product opened for reading on a grid; default: its own footprint.

    Raises:
        SceneUnreadable: a file is missing, damaged or contradicts the annotation.
        SceneUnknown: a complex ScanSAR product, whose bursts are not geocoded.
    """
    annotation = product.annotation
    if annotation.is_complex and annotation.mode == "SC":
        raise SceneUnknown(
            "the bursts of complex ScanSAR are not geocoded",
            where=product.where,
            remedy="order the detected product (MGD or EEC)",
        )
    with archive.open_container(product.url) as container, contextlib.ExitStack() as stack:
        name = product.member(GEOREF)
        where = archive.where(container, name)
        data = archive.read_member(container, name, xml.MAX_BYTES)
        grid = parse_georef(xml.parse(data, where=where))
        geolocation = Geolocation(annotation, grid, where=where)
        images = [
            stack.enter_context(
                open_image(container, product.member(layer.path), annotation, layer)
            )
            for layer in annotation.layers
        ]
        yield ProductReader(product, geolocation, images, geobox)


def check_product(reader: ProductReader) -> tuple[float, ...]:
    """Decode all images whole and look at their values; the share of valid pixels of each.

    Raises:
        SceneUnreadable: a part cannot be decoded.
        SceneImplausible: zeros, nothing valid, or an implausible calibration.
    """
    layers = reader.product.annotation.layers
    return tuple(
        check_image(image, layer.cal_factor)
        for layer, image in zip(layers, reader.images, strict=True)
    )


def describe_product(product: Product, *, check: bool) -> SceneFile:
    """A product as the file of a scene: hashed, its grid known, and with `check` looked at whole.

    Raises:
        SceneUnreadable, SceneImplausible: see `open_product` and `check_product`.
    """
    with open_product(product) as reader:
        if check:
            check_product(reader)
        return SceneFile(
            url=product.where,
            sha256=digest(product),
            bands=product.annotation.polarisations,
            geobox=reader.geobox,
            product=product,
        )
