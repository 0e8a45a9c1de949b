"""A Level-1b product read as calibrated backscatter on a map grid.

SSC (complex, COSAR) and MGD (detected, GeoTIFF) lie in radar geometry and are geocoded on an
elevation raster, or at one height; GEC and EEC are map images already, and only calibrated.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.config import MASK_BITS
from cpazmal_scale.errors import (
    COPY_AGAIN,
    DemError,
    SceneImplausible,
    SceneUnknown,
    SceneUnreadable,
)
from cpazmal_scale.grid import lattice
from cpazmal_scale.scenes.formats.georeference import geobox_of
from cpazmal_scale.scenes.level1b.agreement import require_agreement
from cpazmal_scale.scenes.level1b.frame import beside_frame
from cpazmal_scale.scenes.level1b.geocode import Sampling, looks_at, sample
from cpazmal_scale.scenes.level1b.geolocation import Geolocation
from cpazmal_scale.scenes.level1b.georef import read_georef
from cpazmal_scale.scenes.level1b.images import CosarImage, TiffImage, check_image, open_image
from cpazmal_scale.scenes.level1b.kinds import later_of_a_pair
from cpazmal_scale.scenes.level1b.names import contradiction
from cpazmal_scale.scenes.level1b.placing import (
    footprint,
    ground_spacing,
    map_sight,
    outside,
    radar_sight,
    require_place,
    utm,
)
from cpazmal_scale.scenes.level1b.product import GEOREF, Product, digest
from cpazmal_scale.scenes.level1b.radiometry import (
    OF_INCIDENCE,
    calibrate,
    mean_noise,
    noise_beta0,
    subtracts_noise,
    unannotated,
)
from cpazmal_scale.scenes.scene import SceneFile
from cpazmal_scale.scenes.untrusted import archive, xml
from cpazmal_scale.terrain.elevation import Elevation, open_dem
from cpazmal_scale.terrain.ground import TILE
from cpazmal_scale.terrain.layers import read_layer
from cpazmal_scale.terrain.nodes import Lattice, NodeLattice
from cpazmal_scale.terrain.places import Difference, compare, meet

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    Array = NDArray[np.float64]

Window = tuple[slice, slice]
"""Rows and columns."""
MOST_UNTOLD = 0.02
"""Share of the range without annotated noise up to which it is subtracted all the same."""
PIXEL = 3.0
"""Metres of a pixel in UTM, where no grid is given."""
BESIDE = 6.0
"""Degrees of longitude by which a scene may lie beside a CRS's own area: a UTM zone."""
BEYOND = 300.0
"""Metres by which heights may exceed those of a product's coarse geolocation grid."""


class Flat:
    """Ground at one height in metres above the ellipsoid."""

    def __init__(self, height: float) -> None:
        self.height = height

    def heights(self, grid: GeoBox, rows: slice, columns: slice) -> Array:  # noqa: ARG002
        """Metres (h, w) at the pixels of a window; see `Elevation.heights`."""
        return np.full((rows.stop - rows.start, columns.stop - columns.start), self.height)


class ProductReader:
    """An open product, calibrated by windows of its grid `geobox`.

    `difference` tells how its elevation raster, if it has one, agrees with its own heights.
    """

    def __init__(
        self,
        product: Product,
        geolocation: Geolocation,
        images: list[CosarImage | TiffImage],
        geobox: GeoBox | None,
        elevation: Elevation | None = None,
    ) -> None:
        self.product, self.geolocation, self.images = product, geolocation, images
        self.elevation = elevation
        self.difference: Difference | None = None
        self.warnings: tuple[str, ...] = ()
        annotation, settings = product.annotation, product.settings
        height = settings.height if product.in_radar_geometry else annotation.average_height
        self.ground: Elevation | Flat = elevation or Flat(height)
        if product.in_radar_geometry:
            self.geobox = geobox or self._own_grid()
            sight = radar_sight(annotation, geolocation, by_height=elevation is not None)
            spacing = ground_spacing(annotation)
            self.sampling = Sampling.between(spacing, self.geobox, settings.resampling)
        else:
            self.geobox = _shared_grid([one for one in images if isinstance(one, TiffImage)])
            require_place(self.geobox, geolocation)
            self.warnings = beside_frame(self.geobox, annotation, images[0].where)
            sight = map_sight(self.geobox, geolocation)
            self.sampling = Sampling((1, 1), 1)
        self.nodes = NodeLattice(self.geobox, sight)
        self.subtract = subtracts_noise(annotation, settings.noise)

    def _own_grid(self) -> GeoBox:
        """The image's footprint, edges at multiples of the pixel."""
        centre = self.product.annotation.centre
        preset = self.product.grid or lattice.Preset(utm(centre.lon, centre.lat), PIXEL)
        return lattice.snapped(self.bounds(preset.crs), preset)

    def bounds(self, crs: str) -> tuple[float, float, float, float]:
        """Left, bottom, right and top of an image in radar geometry, in a CRS.

        Raises:
            SceneUnknown: the CRS is one of another part of the earth.
        """
        beyond = outside(self.product.annotation.centre.lon, crs)
        if beyond > BESIDE:
            raise SceneUnknown(
                f"it lies {beyond:.0f}° of longitude beside the area of the grid's {crs}",
                where=self.product.where,
                remedy="leave ingest.grid empty for the scene's own UTM zone",
            )
        heights = self.geolocation.heights
        between: tuple[float, ...] = (self.product.settings.height,)
        if self.elevation is not None:
            between = float(heights.min()) - BEYOND, float(heights.max()) + BEYOND
        return footprint(self.product.annotation, self.geolocation, between, crs)

    def compare(self) -> None:
        """Compare the elevation raster with the product's place and its own heights.

        Raises:
            DemError: it lies elsewhere, or contradicts them.
        """
        if self.elevation is not None:
            grid, heights = self.geolocation.grid, self.geolocation.heights
            meet(self.elevation, self.geobox)
            self.difference = compare(self.elevation, grid.lon, grid.lat, heights)

    def read(self, rows: slice, columns: slice) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """A window of the grid; see `reading.FileReader`.

        The mask says where noise dominates, and where no height is known: no power is there.

        Raises:
            SceneUnreadable: a part of an image cannot be decoded.
        """
        shape = rows.stop - rows.start, columns.stop - columns.start
        power = np.full((len(self.images), *shape), np.nan, np.float32)
        flags = np.zeros(shape, np.uint8)
        for part, place in _tiles(self.geobox, rows, columns):
            self._fill(place, power[:, *part], flags[part])
        return power, flags

    def _fill(self, place: Window, power: NDArray[np.float32], flags: NDArray[np.uint8]) -> None:
        """Calibrate one tile in place."""
        places = self.nodes.window(*place)
        posts = self._posts(place)
        heights = posts[1:-1, 1:-1]
        # What is known of the ground is flagged beyond the image, too: it ends within tiles.
        flags |= np.isnan(heights).view(np.uint8) * np.uint8(MASK_BITS["no_dem"])
        ratio = self._flattening(place, flags)
        looks = looks_at(places, posts, self.sampling, self.images[0].shape)
        if looks is None:
            return
        radiometry, start = self.product.radiometry, self.geolocation.grid.reference_time
        angle = places.incidence(heights) if radiometry in OF_INCIDENCE else None
        times = places.times(heights) if self.subtract else None
        layers = self.product.annotation.layers
        for channel, (layer, image) in enumerate(zip(layers, self.images, strict=True)):
            beta0 = layer.cal_factor * sample(image, looks)
            noise = None if times is None else noise_beta0(layer, start, *times)
            power[channel], limited = calibrate(beta0, noise, angle, radiometry, ratio)
            flags |= limited.view(np.uint8) * np.uint8(MASK_BITS["noise_limited"])

    def _flattening(self, place: Window, flags: NDArray[np.uint8]) -> Array | None:
        """Area ratios (h, w) of a window, whose layover and shadow are flagged in place."""
        flattened = self.product.radiometry == "gamma0_T"
        if not (self.product.ground and self.product.in_radar_geometry):
            if flattened and self.product.in_radar_geometry:
                raise DemError(
                    "what its beam sees of the ground was not computed",
                    where=self.product.where,
                    remedy="read it from a cube made by `cpazmal ingest`, or as gamma0",
                )
            return None
        flags |= self.static("terrain_mask", *place)
        return self.static("area_ratio", *place).astype(np.float64) if flattened else None

    def static(self, layer: str, rows: slice, columns: slice) -> NDArray[Any]:
        """A window of a layer of the ground, see `terrain.layers.read_layer`."""
        return read_layer(self.product.ground, self.geobox, rows, columns, layer)

    def _posts(self, place: Window) -> Array:
        """Heights at pixel centres of a window and one pixel around it."""
        rows, columns = (slice(edge.start - 1, edge.stop + 1) for edge in place)
        return self.ground.heights(self.geobox, rows, columns)

    def incidence(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Incidence angles (h, w) of the ellipsoid in degrees, NaN outside the image."""
        angles = np.full((rows.stop - rows.start, columns.stop - columns.start), np.nan, np.float32)
        for part, place in _tiles(self.geobox, rows, columns):
            places, heights = self.nodes.window(*place), self._posts(place)[1:-1, 1:-1]
            line, column = places.image(heights)
            size = self.images[0].shape
            inside = (line > -0.5) & (line < size[0] - 0.5)
            inside &= (column > -0.5) & (column < size[1] - 0.5)
            angles[part] = np.where(inside, places.incidence(heights), np.nan)
        return angles


def _shared_grid(images: list[TiffImage]) -> GeoBox:
    """The grid of map images.

    Raises:
        SceneUnreadable: they lie on different ones.
    """
    first, *others = (geobox_of(one.raster, one.where) for one in images)
    for number, other in enumerate(others, start=1):
        if other != first:
            raise SceneUnreadable(
                f"it does not lie where {images[0].where.rpartition('/')[2]} lies",
                where=images[number].where,
                remedy=COPY_AGAIN,
            )
    return first


def _tiles(grid: GeoBox, rows: slice, columns: slice) -> Iterator[tuple[Window, Window]]:
    """Places in the window, and in the grid, tile by tile of the grid's lattice."""
    _, top, left = Lattice.of(grid)
    for down in _cut(rows, top):
        for along in _cut(columns, left):
            part = (
                slice(down.start - rows.start, down.stop - rows.start),
                slice(along.start - columns.start, along.stop - columns.start),
            )
            yield part, (down, along)


def _cut(edge: slice, first: int) -> Iterator[slice]:
    """Parts of a slice of pixels between tiles; its pixel 0 has the number `first`."""
    for number in range((edge.start + first) // TILE, (edge.stop - 1 + first) // TILE + 1):
        start = number * TILE - first
        yield slice(max(edge.start, start), min(edge.stop, start + TILE))


def _refuse(product: Product) -> None:
    """What the annotation says cannot be used.

    Raises:
        SceneUnknown: a name of another product, no calibration, the second image of a TanDEM-X
            pair, or noise that is to be subtracted and is not told.
    """
    annotation, problem, remedy = product.annotation, None, "order the product again"
    other = contradiction(annotation, product.id)
    if other:
        problem, remedy = other, "copy the product again, or give the file its own name"
        if annotation.id and not contradiction(annotation, annotation.id):
            remedy += f", {annotation.id}.xml"
    elif annotation.radiometric_correction != "CALIBRATED":
        flag = annotation.radiometric_correction or "with nothing"
        problem = f"it is flagged {flag}: its constant does not hold"
    elif later_of_a_pair(annotation, product.id):
        problem = "it is the second image of a TanDEM-X pair, resampled onto the first"
        remedy = "keep the first, which transmits (BTX1)"
    elif subtracts_noise(annotation, product.settings.noise):
        ends = annotation.first_range_time, annotation.last_range_time
        missing = max(unannotated(layer, *ends) for layer in annotation.layers)
        if missing > MOST_UNTOLD:
            problem = f"its noise is annotated for {1 - missing:.0%} of the range only"
            remedy = "set ingest.level1b.noise: keep, for all dates of the beam"
    if problem is not None:
        raise SceneUnknown(problem, where=product.where, remedy=remedy)


@contextlib.contextmanager
def open_product(product: Product, geobox: GeoBox | None = None) -> Iterator[ProductReader]:
    """A product opened for reading on a grid; default: its own footprint.

    Raises:
        SceneUnreadable: a file is missing, damaged or contradicts the annotation.
        SceneUnknown: see `_refuse`.
        DemError: its elevation raster cannot be used.
    """
    annotation = product.annotation
    _refuse(product)
    with archive.open_container(product.url) as container, contextlib.ExitStack() as stack:
        name = product.member(GEOREF)
        where = archive.where(container, name)
        grid = read_georef(archive.read_member(container, name, xml.MAX_BYTES), where=where)
        geolocation = Geolocation(annotation, grid, where=where, beyond=product.delay)
        require_agreement(annotation, geolocation)
        images = [
            stack.enter_context(
                open_image(container, product.member(layer.path), annotation, layer)
            )
            for layer in annotation.layers
        ]
        elevation = None
        if product.dem is not None and product.in_radar_geometry:
            elevation = stack.enter_context(open_dem(product.dem))
        yield ProductReader(product, geolocation, images, geobox, elevation)


def place_on(product: Product, grid: GeoBox) -> GeoBox:
    """The pixels of a lattice that a product in radar geometry covers: it is geocoded straight
    onto them, in whatever UTM zone its centre lies.

    Raises:
        SceneUnreadable, SceneUnknown, DemError: see `open_product`.
    """
    with open_product(product, grid) as reader:
        return lattice.aligned(reader.bounds(str(grid.crs)), grid)


def check_product(reader: ProductReader) -> tuple[tuple[str, float], ...]:
    """Decode all images whole and look at their values: mean decibels of β0 by polarisation.

    Raises:
        SceneUnreadable: a part cannot be decoded.
        SceneImplausible: zeros, nothing valid, an implausible calibration, or noise far above it.
    """
    annotation = reader.product.annotation
    found = []
    for layer, image in zip(annotation.layers, reader.images, strict=True):
        noise = mean_noise(layer, annotation) if reader.subtract else 0.0
        if not (np.isfinite(noise) and noise >= 0):
            raise SceneImplausible(
                f"its annotated noise of {layer.polarisation} is {noise:g} on average, which is no "
                "power",
                where=reader.product.where,
                remedy="copy the product again from its source, or set ingest.level1b.noise: keep",
            )
        found.append((layer.polarisation, check_image(image, layer.cal_factor, noise)))
    return tuple(found)


def describe_product(product: Product, *, check: bool) -> SceneFile:
    """A product as the file of a scene: hashed, its grid known, and with `check` looked at whole.

    Raises:
        SceneUnreadable, SceneImplausible: see `open_product` and `check_product`.
        SceneUnknown: a map image of the provider is to be flattened.
    """
    variant = product.annotation.variant
    if product.radiometry == "gamma0_T" and not product.in_radar_geometry:
        raise SceneUnknown(
            f"its pixels are the provider's ({variant}), which nothing here flattens to gamma0_T",
            where=product.where,
            remedy="ingest its SSC or MGD, or set ingest.level1b.radiometry: gamma0",
        )
    with open_product(product) as reader:
        reader.compare()
        levels = check_product(reader) if check else ()
        return SceneFile(
            url=product.where,
            sha256=digest(product),
            bands=product.annotation.polarisations,
            geobox=reader.geobox,
            format="level1b",
            product=replace(product, delay_told=reader.geolocation.grid.range_delay is not None),
            radiometry=product.radiometry,
            levels=levels,
            warnings=reader.warnings,
        )
