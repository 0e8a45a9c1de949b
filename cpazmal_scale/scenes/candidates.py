"""Which files are scenes: known by name, table, sidecar, SNAP document or annotation, unopened."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from cpazmal_scale import storage
from cpazmal_scale.config import Ingest, Naming
from cpazmal_scale.errors import ConfigError, SceneUnknown
from cpazmal_scale.grid import lattice
from cpazmal_scale.scenes.formats import dimap, naming, sidecar
from cpazmal_scale.scenes.formats.geotiff import GEOTIFF
from cpazmal_scale.scenes.level1b.product import Product, find_products
from cpazmal_scale.scenes.listing import list_files
from cpazmal_scale.scenes.scene import SAME_ACQUISITION
from cpazmal_scale.scenes.spellings import X_BAND_SENSORS
from cpazmal_scale.scenes.table import Row, find_row, read_table

SUFFIXES = (".tif", ".tiff")
_SAFE_BEAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

_DATASETS = (".h5", ".hdf5")


@dataclass(frozen=True)
class Candidate:
    """A file recognised by its name or sidecar, before it is opened, or a Level-1b product.

    `rules` tell what its bands and values are, `shape` the rows and columns promised elsewhere.
    """

    url: str
    named: naming.Named
    row: Row | None
    beam: str
    pass_direction: Literal["ASC", "DSC"] | None
    rules: Naming
    look_side: Literal["R", "L"] | None = None
    driver: str = GEOTIFF
    nodata: float | None = None
    shape: tuple[int, int] | None = None
    product: Product | None = None

    @property
    def processing(self) -> str:
        """What is done here to make backscatter on a map of it."""
        return "" if self.product is None else self.product.processing


def find_candidates(ingest: Ingest) -> list[Candidate]:
    """Files recognised by their names or sidecars, unopened, and products; sorted by URL.

    Raises:
        SceneUnknown: none is recognised, or one has no known viewing geometry.
        SceneUnreadable: a product's annotation or archive is damaged.
    """
    if ingest.scenes is None:
        raise ConfigError(
            "no scenes are given", where="ingest.scenes", remedy="set a folder, file or glob"
        )
    files, folder = list_files(ingest.scenes)
    table = _table(ingest, folder)
    preset = None if ingest.grid is None else lattice.PRESETS[ingest.grid]
    products = find_products(files, ingest.level1b, preset)
    inside = tuple(f"{one.url}/" for one in products)
    files = [one for one in files if not one.startswith(inside)]
    found = _described(files) + [_of_product(one, ingest.naming, table) for one in products]
    for url in files:
        if url.lower().endswith(dimap.SUFFIX):
            found += _from_dimap(dimap.read_dimap(url), ingest.naming, table)
    taken = {one.url for one in found}
    rasters = [one for one in files if one.lower().endswith(SUFFIXES) and one not in taken]
    found += [
        _candidate(url, named, ingest.naming, table)
        for url in rasters
        if (named := naming.parse_name(url, ingest.naming)) is not None
    ]
    if not found and files and all(one.lower().endswith(_DATASETS) for one in files):
        raise SceneUnknown(
            "an HDF5 dataset is no scene",
            where=ingest.scenes,
            remedy="bring it in with `cpazmal dataset import`",
        )
    if not found:
        raise SceneUnknown(
            f"none of {len(files)} files is a product, or a scene by its name or a sidecar",
            where=ingest.scenes,
            remedy="describe the names with ingest.naming.pattern, or each file with a sidecar",
        )
    return sorted(found, key=lambda one: one.url)


def _described(files: list[str]) -> list[Candidate]:
    """Rasters that a sidecar describes, and their rasters of incidence angles."""
    listed, found = frozenset(files), []
    for url in files:
        if not url.lower().endswith(sidecar.SUFFIXES):
            continue
        raster = sidecar.raster_of(url, listed)
        if raster is not None:
            found += _from_sidecar(raster, sidecar.read_sidecar(url))
    return found


def _from_sidecar(raster: str, told: sidecar.Sidecar) -> list[Candidate]:
    rules = Naming(
        bands=told.bands,
        mask_codes=told.mask_codes,
        radiometry=told.radiometry,
        scale=told.scale,
    )
    one = Candidate(
        url=raster,
        named=told.named(raster),
        row=told.row(),
        beam=_safe_beam(told.beam, raster),
        pass_direction=told.pass_direction,
        rules=rules,
        look_side=told.look_side,
        driver=told.driver_of(raster),
        nodata=told.nodata,
    )
    if told.incidence is None:
        return [one]
    beside = storage.join(raster.rsplit("/", 1)[0], told.incidence)
    angles = rules.model_copy(update={"bands": ("incidence",)})
    driver = told.model_copy(update={"driver": None}).driver_of(beside)
    return [one, replace(one, url=beside, rules=angles, driver=driver, nodata=None)]


def _from_dimap(product: dimap.Dimap, rules: Naming, table: list[Row]) -> list[Candidate]:
    """The rasters of a SNAP product; a name that tells its id, beam or sensor goes before."""
    told, named = product.named, naming.parse_name(product.url, rules)
    if named is not None:
        direction = named.pass_direction or told.pass_direction
        told = replace(named, stop=named.stop or told.stop, pass_direction=direction)
    asked = rules.radiometry if "radiometry" in rules.model_fields_set else None
    radiometry, bands = product.chosen(asked)
    angle = product.incidence_angle if rules.incidence_angle is None else rules.incidence_angle
    rules = rules.model_copy(update={"radiometry": radiometry, "incidence_angle": angle})
    one = _candidate(product.url, told, rules, table)
    return [
        replace(
            one,
            url=band.url,
            rules=rules.model_copy(update={"bands": (band.layer,), "scale": band.scale}),
            look_side=product.look_side or one.look_side,
            driver=dimap.DRIVER,
            nodata=band.nodata,
            shape=product.shape,
        )
        for band in bands
    ]


def _of_product(product: Product, rules: Naming, table: list[Row]) -> Candidate:
    """A product; the acquisition table and the configuration may give its beam another name."""
    told = product.annotation
    row = find_row(table, told.sensor, told.start)
    beam = (row and row.beam) or rules.beam or told.beam
    return Candidate(
        url=product.where,
        named=naming.Named(
            id=product.id,
            sensor=told.sensor,
            start=told.start.replace(microsecond=0),
            stop=told.stop.replace(microsecond=0),
        ),
        row=row,
        beam=_safe_beam(beam, product.where),
        pass_direction=told.orbit_direction,
        rules=Naming(
            radiometry=product.settings.radiometry, incidence_angle=told.centre.incidence_angle
        ),
        look_side=told.look_side,
        product=product,
    )


def _table(ingest: Ingest, folder: str) -> list[Row]:
    """The table given, else `acquisitions.csv` in the scenes' folder or the one above."""
    if ingest.table is not None:
        return read_table(ingest.table)
    for place in (folder, folder.rsplit("/", 1)[0]):
        url = storage.join(place, "acquisitions.csv")
        if storage.exists(url):
            return read_table(url)
    return []


def _candidate(url: str, named: naming.Named, rules: Naming, table: list[Row]) -> Candidate:
    row = find_row(table, named.sensor, named.start)
    beam = named.beam or (row and row.beam) or rules.beam
    if beam is None:
        raise SceneUnknown(
            f"its viewing geometry is unknown: no row for {named.sensor} "
            f"{named.start:%Y%m%dT%H%M%S} in an acquisition table",
            where=url,
            remedy="complete acquisitions.csv (column beam) or set ingest.naming.beam",
        )
    direction = named.pass_direction or (row and row.pass_direction) or rules.pass_direction
    side: Literal["R", "L"] | None = "R" if named.sensor in X_BAND_SENSORS else None
    side = (row and row.look_side) or side
    return Candidate(url, named, row, _safe_beam(beam, url), direction or None, rules, side)


def _safe_beam(beam: str, url: str) -> str:
    if not _SAFE_BEAM.fullmatch(beam):
        raise SceneUnknown(
            f"the beam `{beam}` cannot name a cube",
            where=url,
            remedy="use letters, digits, dots, dashes and underscores",
        )
    return beam


def group_scenes(found: list[Candidate]) -> list[list[Candidate]]:
    """Files of one acquisition together: same sensor and beam, starts within two minutes."""
    groups: list[list[Candidate]] = []
    for one in sorted(found, key=lambda c: (c.named.sensor, c.beam, c.named.start, c.url)):
        first = groups[-1][0] if groups else None
        if (
            first is not None
            and (first.named.sensor, first.beam) == (one.named.sensor, one.beam)
            and one.named.start - first.named.start <= SAME_ACQUISITION
        ):
            groups[-1].append(one)
        else:
            groups.append([one])
    return sorted(groups, key=lambda g: (g[0].named.start, g[0].named.sensor, g[0].beam))
