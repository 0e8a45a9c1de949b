"""Rasters that GDAL reads, described and opened alike, and those that are known by their names."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from cpazmal_scale.errors import COPY_AGAIN, SceneUnreadable
from cpazmal_scale.scenes.bands import contents
from cpazmal_scale.scenes.check import check_file
from cpazmal_scale.scenes.format import Candidate, FileReader, Listing, Platform
from cpazmal_scale.scenes.formats import geotiff, naming
from cpazmal_scale.scenes.formats.georeference import geobox_of
from cpazmal_scale.scenes.scene import SceneFile

SUFFIXES = (".tif", ".tiff")


class Rasters:
    """What formats of plain rasters share."""

    name = "rasters"
    version = geotiff.READER_VERSION
    platforms: Mapping[str, Platform] = {}

    def describe(self, found: Candidate, *, check: bool, known: Container[str]) -> SceneFile:
        """Hash, header and, with `check`, a look at the values while the hash is computed.

        Where hashes are `known`, it is computed first, for it may save the look.
        """
        with geotiff.opened(found.url, found.driver) as raster, ThreadPoolExecutor(1) as beside:
            if found.shape is not None and found.shape != raster.shape:
                raise SceneUnreadable(
                    f"it has {raster.height} x {raster.width} pixels, but its product promises "
                    f"{found.shape[0]} x {found.shape[1]}",
                    where=found.url,
                    remedy=COPY_AGAIN,
                )
            holds = contents(raster, found)
            sha256 = beside.submit(geotiff.digest, raster)
            file = SceneFile(
                url=found.url,
                sha256="",
                bands=holds.bands,
                geobox=geobox_of(raster, found.url),
                format=self.name,
                scale=holds.scale,
                radiometry=holds.radiometry,
                mask_codes=found.rules.mask_codes,
                driver=found.driver,
                nodata=found.nodata,
                note=holds.note,
                warnings=holds.warnings,
            )
            if check and not (known and sha256.result() in known):
                seen = check_file(raster, file)
                file = replace(
                    file,
                    levels=tuple((one.polarisation, one.level) for one in seen),
                    warnings=(*holds.warnings, *(one.warning for one in seen if one.warning)),
                )
            return replace(file, sha256=sha256.result())

    def open(self, file: SceneFile) -> contextlib.AbstractContextManager[FileReader]:
        """The raster, opened for reading."""
        return geotiff.open_geotiff(file)


class NamedRasters(Rasters):
    """GeoTIFFs known by their names: those of the CPAZMAL authors, or a pattern of the user's."""

    name = "named"
    platforms: Mapping[str, Platform] = {
        "S1A": Platform("sentinel-1a", "C", 5.405),
        "S1B": Platform("sentinel-1b", "C", 5.405),
        "S1C": Platform("sentinel-1c", "C", 5.405),
    }

    def recognise(self, listing: Listing) -> list[Candidate]:
        """Files whose names tell sensor and start."""
        rules = listing.ingest.naming
        return [
            listing.candidate(url, named, rules, format=self.name)
            for url in listing.files
            if url.lower().endswith(SUFFIXES)
            and (named := naming.parse_name(url, rules)) is not None
        ]
