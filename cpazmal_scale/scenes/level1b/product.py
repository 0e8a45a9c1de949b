"""Level-1b products of PAZ, TerraSAR-X and TanDEM-X: where they are, and what is in them."""

from __future__ import annotations

import functools
import hashlib
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

from cpazmal_scale import config, storage
from cpazmal_scale.errors import COPY_AGAIN, SceneUnknown, SceneUnreadable
from cpazmal_scale.grid import lattice
from cpazmal_scale.scenes.level1b.annotation import Annotation
from cpazmal_scale.scenes.level1b.annotation_xml import parse_annotation
from cpazmal_scale.scenes.level1b.names import doubt
from cpazmal_scale.scenes.level1b.radiometry import Coefficient, subtracts_noise
from cpazmal_scale.scenes.untrusted import archive, xml
from cpazmal_scale.terrain import delay
from cpazmal_scale.terrain.elevation import Dem
from cpazmal_scale.terrain.elevation import digest as dem_digest

READER_VERSION = "level1b-2"
METHOD = "terrain-1"
"""Version of the geometry on an elevation raster."""
NEAR_HEIGHT = 200.0
"""Metres between the height a scene is geocoded at and its mean that go without a note."""
GEOREF = "ANNOTATION/GEOREF.xml"
DISCLAIMER = "GEOLOCATION_AND_TIMING_PROBLEM"
"""Put into `SUPPORT/` by the provider where on-board time was not synchronised."""
RESCALED = datetime(2008, 1, 7, tzinfo=UTC)
"""From here on the calibration constant is that of the format's description."""
_ID = r"(?:PAZ1|TSX1|TDX1)_SAR__(?:SSC|MGD|GEC|EEC)_\w+_\d{8}T\d{6}_\d{8}T\d{6}"
_MAIN = re.compile(rf"{_ID}\.(?:xml|XML)")
_LIKE_MAIN = re.compile(rf"(?:.*[^\w.])?(?P<id>{_ID})(?:[^\w.].*|_\d)?\.xml", re.I)
"""A main file that was copied, saved twice or written in other letters."""


@dataclass(frozen=True)
class Product:
    """One product: the folder or archive it is in, its main XML file there, and its annotation.

    `grid` is what it is geocoded onto; none: UTM. `dem` is the ground it is geocoded on, whose
    rasters have the digest `dem_sha256`; none: one height. `misplaced` tells that it comes with
    the provider's `DISCLAIMER`, `delay_told` that its delays are annotated. `ground` is the address
    of what the beam sees of the ground (`terrain.layers`); empty: not computed. `delay` are seconds
    along azimuth and two-way range by which it lies beside the others of its cube, beyond what is
    annotated.
    """

    url: str
    main: str
    annotation: Annotation
    settings: config.Level1b
    grid: lattice.Preset | None = None
    dem: Dem | None = None
    dem_sha256: str = ""
    misplaced: bool = False
    ground: str = ""
    delay: tuple[float, float] = (0.0, 0.0)
    delay_told: bool = True

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the provider says against this product, as far as it can be used."""
        found = []
        if self.misplaced:
            found.append(
                f"{self.id} comes with {DISCLAIMER}.txt: its place may be off, check it (max_shift)"
            )
        if not self.delay_told:
            found.append(
                f"{self.id} annotates no delay of its signal: the distance of its geolocation grid "
                "from its orbit stands for it"
            )
        otherwise = doubt(self.annotation, self.id)
        if otherwise:
            found.append(f"{otherwise}: check which product it is")
        if self.annotation.generation_time < RESCALED:
            found.append(
                f"{self.id} was processed before {RESCALED:%d %B %Y}, when calibration constants "
                "were of another scale: compare its level with later dates"
            )
        return tuple(found)

    @property
    def where(self) -> str:
        """Address of the main XML file, the archive's members included."""
        return f"{self.url.rstrip('/')}/{self.main}"

    @property
    def id(self) -> str:
        """Product name, that of its main XML file."""
        return PurePosixPath(self.main).stem

    @property
    def in_radar_geometry(self) -> bool:
        """Whether it has to be geocoded."""
        return self.annotation.variant in ("SSC", "MGD")

    @property
    def on_ground(self) -> bool:
        """Whether it is geocoded on an elevation raster."""
        return self.dem is not None and self.in_radar_geometry

    @property
    def radiometry(self) -> Coefficient:
        """The coefficient of its values: flattened where nothing else is asked and it can be."""
        return self.settings.radiometry or ("gamma0_T" if self.on_ground else "gamma0")

    @property
    def processing(self) -> str:
        """How backscatter on a map is made of it, in words; dates that differ are not stacked."""
        settings, variant = self.settings, self.annotation.variant
        noise = "subtracted" if subtracts_noise(self.annotation, settings.noise) else "kept"
        if variant == "EEC":
            return f"terrain-corrected by the provider; noise {noise}"
        if variant == "GEC":
            return f"not terrain-corrected, geocoded by the provider; noise {noise}"
        sample = "mean power" if settings.resampling == "average" else "nearest sample"
        aligned = "; moved where its image shows it" if self.may_move else ""
        return f"{self._geocoding}; {sample} of a pixel; noise {noise}{aligned}"

    @property
    def may_move(self) -> bool:
        """Whether it may be moved onto the others of its cube."""
        return self.on_ground and self.settings.terrain.align

    @property
    def _geocoding(self) -> str:
        settings = self.settings
        if self.dem is None:
            return (
                f"not terrain-corrected, geocoded {settings.height:g} m above the WGS84 ellipsoid"
            )
        above = (self.dem.vertical or "what its CRS names").rsplit("/", 1)[-1]
        sea = ", sea where it has none" if self.dem.sea else ""
        return (
            f"terrain-corrected by {METHOD} on the elevation raster {self.dem_sha256[:12]} "
            f"(heights above {above}{sea}), delays annotated and by height {delay.MODEL}"
        )

    @property
    def note(self) -> str:
        """What a user should know of the height it is geocoded at; empty when that is plausible."""
        mean, height = self.annotation.average_height, self.settings.height
        if self.dem is not None or not self.in_radar_geometry or abs(mean - height) < NEAR_HEIGHT:
            return ""
        angle = math.radians(self.annotation.centre.incidence_angle)
        return (
            f"the scene lies at {mean:.0f} m on average, is geocoded at {height:g} m: pixels are "
            f"about {abs(mean - height) / math.tan(angle):.0f} m off; set "
            "ingest.level1b.terrain.dem, or ingest.level1b.height"
        )

    def before_ground(self) -> Product:
        """The product without what its beam sees of the ground: with γ0 for γ0_T."""
        settings = self.settings
        if self.radiometry == "gamma0_T":
            settings = settings.model_copy(update={"radiometry": "gamma0"})
        return replace(self, ground="", settings=settings)

    def member(self, name: str) -> str:
        """A file beside the main XML file, by its name in the container."""
        return str(PurePosixPath(self.main).parent / name).removeprefix("./")


def find_products(
    urls: list[str], settings: config.Level1b, grid: lattice.Preset | None = None
) -> list[Product]:
    """The products among files: by their main XML file, or inside archives.

    Raises:
        SceneUnreadable, SceneUnknown: an annotation or archive is damaged, or of another kind.
    """
    found = []
    ground = _ground(settings.terrain)
    _refuse_renamed(urls)
    for url in urls:
        folder, _, name = url.rpartition("/")
        if _MAIN.fullmatch(name):
            told = parse_annotation(xml.read(url))
            misplaced = _is_disclaimed(urls, folder)
            found.append(Product(folder, name, told, settings, grid, *ground(), misplaced))
        elif archive.is_archive(url):
            found += _in_archive(url, settings, grid, ground)
    return found


def _is_disclaimed(names: Iterable[str], folder: str) -> bool:
    """Whether the provider's disclaimer lies in a product's folder, however it is spelt."""
    inside = "" if folder in ("", ".") else f"{folder}/"
    return any(
        one.startswith(inside) and one.rpartition("/")[2].upper().startswith(DISCLAIMER)
        for one in names
    )


def _ground(terrain: config.Terrain) -> Callable[[], tuple[Dem | None, str]]:
    """The elevation rasters and their digest, which is computed once and only if needed."""

    @functools.cache
    def ground() -> tuple[Dem | None, str]:
        if terrain.dem is None:
            return None, ""
        dem = Dem(storage.absolute(terrain.dem), terrain.vertical, terrain.sea)
        return dem, dem_digest(dem)

    return ground


def _in_archive(
    url: str,
    settings: config.Level1b,
    grid: lattice.Preset | None,
    ground: Callable[[], tuple[Dem | None, str]],
) -> list[Product]:
    found = []
    with archive.open_container(url) as container:
        _refuse_renamed(container.sizes, f"{url}/")
        for name in sorted(container.sizes):
            if _MAIN.fullmatch(name.rsplit("/", 1)[-1]):
                data = archive.read_member(container, name, xml.MAX_BYTES)
                node = xml.parse(data, where=archive.where(container, name))
                told = parse_annotation(node)
                misplaced = _is_disclaimed(container.sizes, str(PurePosixPath(name).parent))
                found.append(Product(url, name, told, settings, grid, *ground(), misplaced))
    return found


def _refuse_renamed(names: Iterable[str], above: str = "") -> None:
    """No product's main file has another name than the product's: it would be left out in silence.

    Raises:
        SceneUnknown: one has, and none beside or above it has the right one.
    """
    parts = [one.rpartition("/") for one in names]
    whole = tuple(folder + sign for folder, sign, name in parts if _MAIN.fullmatch(name))
    for path in names:
        name = path.rpartition("/")[2]
        like = None if path.startswith(whole) else _LIKE_MAIN.fullmatch(name)
        if like is not None:
            raise SceneUnknown(
                "it looks like the main file of a product, but has another name",
                where=f"{above}{path}",
                remedy=f"rename `{name}` to `{like['id'].upper()}.xml`, as the product's files "
                "call it",
            )


def nested_archive(urls: list[str]) -> str:
    """What to do about an archive that holds another one; empty when none does."""
    for url in filter(archive.is_archive, urls):
        with archive.open_container(url) as container:
            inner = next(filter(archive.is_archive, container.sizes), None)
        if inner is not None:
            name = url.rpartition("/")[2]
            return f"unpack {name}: it holds `{inner[:60]}`, an archive in an archive"
    return ""


def members(product: Product) -> tuple[str, ...]:
    """The files of a product that are read, by their names in the container."""
    images = [product.member(layer.path) for layer in product.annotation.layers]
    return (product.main, product.member(GEOREF), *images)


def digest(product: Product) -> str:
    """The sha256 of the product's files and their names: the same for a folder and its archive.

    Raises:
        SceneUnreadable: a file is missing, damaged, or there twice.
    """
    whole = hashlib.sha256()
    seen: dict[str, str] = {}
    with archive.open_container(product.url) as container:
        for name in members(product):
            own = name.removeprefix(product.main.rpartition("/")[0]).lstrip("/")
            one = archive.sha256(container, name)
            if one in seen:
                raise SceneUnreadable(
                    f"{own} is {seen[one]} under another name",
                    where=product.where,
                    remedy=COPY_AGAIN,
                )
            seen[one] = own
            whole.update(f"{one}  {own}\n".encode())
    return whole.hexdigest()
