"""Level-1b products of PAZ, TerraSAR-X and TanDEM-X: where they are, and what is in them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from cpazmal_scale import config
from cpazmal_scale.scenes import archive, lattice, xml
from cpazmal_scale.scenes.annotation import Annotation
from cpazmal_scale.scenes.annotation_xml import parse_annotation

READER_VERSION = "level1b-1"
GEOREF = "ANNOTATION/GEOREF.xml"
_MAIN = re.compile(r"(?:PAZ1|TSX1|TDX1)_SAR__(?:SSC|MGD|GEC|EEC)_\w+_\d{8}T\d{6}_\d{8}T\d{6}\.xml")


@dataclass(frozen=True)
class Product:
    """One product: the folder or archive it is in, its main XML file there, and its annotation.

    `grid` is what it is geocoded onto; none: UTM.
    """

    url: str
    main: str
    annotation: Annotation
    settings: config.Level1b
    grid: lattice.Preset | None = None

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
    def geocoding(self) -> str:
        """How its pixels were placed on the map, in words."""
        if self.annotation.variant == "EEC":
            return "terrain-corrected by the provider"
        if self.annotation.variant == "GEC":
            return "not terrain-corrected: geocoded by the provider"
        return (
            f"not terrain-corrected: geocoded {self.settings.height:g} m above the WGS84 ellipsoid"
        )

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
    for url in urls:
        folder, _, name = url.rpartition("/")
        if _MAIN.fullmatch(name):
            node = xml.read(url)
            found.append(Product(folder, name, parse_annotation(node), settings, grid))
        elif archive.is_archive(url):
            found += _in_archive(url, settings, grid)
    return found


def _in_archive(url: str, settings: config.Level1b, grid: lattice.Preset | None) -> list[Product]:
    found = []
    with archive.open_container(url) as container:
        for name in sorted(container.sizes):
            if _MAIN.fullmatch(name.rsplit("/", 1)[-1]):
                data = archive.read_member(container, name, xml.MAX_BYTES)
                node = xml.parse(data, where=archive.where(container, name))
                found.append(Product(url, name, parse_annotation(node), settings, grid))
    return found


def members(product: Product) -> tuple[str, ...]:
    """The files of a product that are read, by their names in the container."""
    images = [product.member(layer.path) for layer in product.annotation.layers]
    return (product.main, product.member(GEOREF), *images)


def digest(product: Product) -> str:
    """The sha256 of the product's files and their names: the same for a folder and its archive.

    Raises:
        SceneUnreadable: a file is missing or damaged.
    """
    whole = hashlib.sha256()
    with archive.open_container(product.url) as container:
        for name in members(product):
            own = name.removeprefix(product.main.rpartition("/")[0])
            whole.update(f"{archive.sha256(container, name)}  {own.lstrip('/')}\n".encode())
    return whole.hexdigest()
