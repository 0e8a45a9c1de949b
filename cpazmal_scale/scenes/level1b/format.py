"""Level-1b products of PAZ, TerraSAR-X and TanDEM-X as a scene format."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Mapping

from cpazmal_scale.config import Naming
from cpazmal_scale.scenes.acquisitions import find_row
from cpazmal_scale.scenes.format import Candidate, FileReader, Listing, Platform, safe_beam
from cpazmal_scale.scenes.formats.naming import Named
from cpazmal_scale.scenes.level1b.product import READER_VERSION, Product, find_products
from cpazmal_scale.scenes.level1b.reader import describe_product, open_product
from cpazmal_scale.scenes.scene import SceneFile


class Level1bProducts:
    """SSC, MGD, GEC and EEC, in folders and archives."""

    name = "level1b"
    version = READER_VERSION
    platforms: Mapping[str, Platform] = {
        "PAZ1": Platform("PAZ-1", "X", 9.65),
        "TSX1": Platform("TSX-1", "X", 9.65),
        "TDX1": Platform("TDX-1", "X", 9.65),
    }

    def recognise(self, listing: Listing) -> list[Candidate]:
        """Products by the names of their main XML files."""
        found = find_products(list(listing.files), listing.ingest.level1b, listing.grid)
        return [self._candidate(product, listing) for product in found]

    def _candidate(self, product: Product, listing: Listing) -> Candidate:
        """A product; the acquisition table and the configuration may name its beam otherwise."""
        told = product.annotation
        row = find_row(listing.table, told.sensor, told.start)
        beam = (row and row.beam) or listing.ingest.naming.beam or told.beam
        return Candidate(
            url=product.where,
            named=Named(
                id=product.id,
                sensor=told.sensor,
                start=told.start.replace(microsecond=0),
                stop=told.stop.replace(microsecond=0),
            ),
            row=row,
            beam=safe_beam(beam, product.where),
            pass_direction=told.orbit_direction,
            rules=Naming(
                radiometry=product.radiometry, incidence_angle=told.centre.incidence_angle
            ),
            format=self.name,
            look_side=told.look_side,
            product=product,
            folder=product.url.rstrip("/"),
        )

    def describe(self, found: Candidate, *, check: bool, known: Container[str]) -> SceneFile:
        """A product as a file of a scene; where hashes are `known`, its own is computed first."""
        assert found.product is not None
        file = describe_product(found.product, check=check and not known)
        if check and known and file.sha256 not in known:
            return describe_product(found.product, check=True)
        return file

    def open(self, file: SceneFile) -> contextlib.AbstractContextManager[FileReader]:
        """The product, opened for reading on its grid."""
        assert file.product is not None
        return open_product(file.product, file.geobox)
