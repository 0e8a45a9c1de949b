"""What a scene is: one acquisition of one viewing geometry, described before a pixel is used."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from cpazmal_scale.vocabulary import POLARISATIONS

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from cpazmal_scale.scenes.level1b.product import Product

SAME_ACQUISITION = timedelta(minutes=2)
"""Files of one sensor and beam that start closer than this are slices of one acquisition."""


@dataclass(frozen=True)
class SceneFile:
    """One raster of a scene, or one Level-1b product with all its images (`product`).

    `format` names its reader in `registry.FORMATS`; `bands` tells what each raster band holds, one
    of `BANDS`. `scale` is `linear` power or `dB`; `mask_codes` is `snap` (1 layover, 2 shadow) or
    `isce3` (1 shadow, 2 layover); `driver` is GDAL's; `nodata` a no-data value instead of the
    raster's own; `radiometry` the coefficient; `levels` decibels of polarisations whose values were
    looked at, medians of rasters and means of products, `warnings` what people should know of them,
    `note` what they should know of all files of its kind.
    """

    url: str
    sha256: str
    bands: tuple[str, ...]
    geobox: GeoBox
    format: str = "named"
    scale: Literal["linear", "dB"] = "linear"
    mask_codes: Literal["snap", "isce3"] = "snap"
    driver: str = "GTiff"
    nodata: float | None = None
    product: Product | None = None
    radiometry: str = "gamma0_T"
    levels: tuple[tuple[str, float], ...] = field(default=(), compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)
    note: str = field(default="", compare=False)

    @property
    def polarisations(self) -> tuple[str, ...]:
        """Polarisations in this file, in band order."""
        return tuple(band for band in self.bands if band in POLARISATIONS)


@dataclass(frozen=True)
class Scene:
    """One acquisition, possibly of several files: slices along track, or one per polarisation.

    Times are UTC and aware; `incidence_angle` is at scene centre in degrees (NaN: unknown);
    `resolution` is (range, azimuth) in metres; `geobox` covers all files; `processing` says what is
    done here to make backscatter on a map of it, empty when that was done before; `sampling` how
    its pixels get onto another grid.
    """

    id: str
    sensor: str
    start: datetime
    stop: datetime | None
    beam: str
    pass_direction: Literal["ASC", "DSC"] | None
    look_side: Literal["R", "L"] | None
    polarisations: tuple[str, ...]
    incidence_angle: float
    radiometry: str
    resolution: tuple[float, float] | None
    geobox: GeoBox
    files: tuple[SceneFile, ...]
    reader_version: str
    processing: str = ""
    sampling: Literal["nearest", "average"] = "nearest"

    @property
    def source_sha256(self) -> str:
        """The sha256 of all files, sorted and joined by `+`."""
        return "+".join(sorted({file.sha256 for file in self.files}))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people should know before they use it."""
        found = [f"{self.id}: {text}" for file in self.files for text in file.warnings]
        products = [file.product for file in self.files if file.product is not None]
        return (*found, *(text for product in products for text in product.warnings))

    def __str__(self) -> str:
        angle = "?" if math.isnan(self.incidence_angle) else f"{self.incidence_angle:.1f}°"
        height, width = self.geobox.shape
        return (
            f"{self.sensor} {self.start:%Y-%m-%d %H:%M:%S} {self.beam} {angle} "
            f"{'+'.join(self.polarisations)} {height} x {width} px"
        )


def warnings_of(scenes: Iterable[Scene]) -> list[str]:
    """What people should know of scenes before they use them: each sentence once, with the first
    scene that it concerns and how many others.
    """
    alike: dict[str, list[str]] = {}
    for scene in scenes:
        for text in scene.warnings:
            alike.setdefault(text.removeprefix(f"{scene.id}: "), []).append(text)
    return [
        f"{first}{f' (and {len(others)} others)' if others else ''}"
        for first, *others in alike.values()
    ]
