"""Simulated SSC products: complex images in slant range, written as a provider delivers them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.scenes.level1b.cosar import write_burst
from cpazmal_scale.simulate.files.annotation_xml import annotation_document, georef_document
from cpazmal_scale.simulate.files.slant import CAL_FACTOR, HEIGHT, Look, look
from cpazmal_scale.simulate.given.tables import NOISE_FLOOR_DB, Acquisition
from cpazmal_scale.simulate.ground.world import World, ground_block
from cpazmal_scale.simulate.passes.imaging import backscattered, speckle

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINES = 256
"""Lines worked on at once."""
SATURATION = 32_767.0
SECONDS = 7
"""Length of a product by its name."""
_NODES = 40


@dataclass(frozen=True)
class SlantProduct:
    """One SSC product to be written: its pass and folder."""

    acquisition: Acquisition
    path: Path

    @property
    def name(self) -> str:
        """Product name."""
        return self.path.name

    @property
    def main(self) -> Path:
        """Its main XML file."""
        return self.path / f"{self.name}.xml"


def slant_product(acquisition: Acquisition, home: Path, sensor: str) -> SlantProduct:
    """The product of a pass; slices of a pass are one product."""
    mode = "S" if len(acquisition.polarisations) == 1 else "D"
    stop = acquisition.start + timedelta(seconds=SECONDS)
    name = (
        f"{sensor}_SAR__SSC______SM_{mode}_SRA_"
        f"{acquisition.start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}"
    )
    return SlantProduct(acquisition, home / "scenes" / name)


def write_slant_product(world: World, product: SlantProduct, sensor: str) -> None:
    """Write annotation, geolocation grid and one COSAR image per polarisation.

    Images are put in place when complete, the annotation last: a product that can be found is
    whole.
    """
    seen = look(world.grid, product.acquisition, sensor, product.name)
    view = _View(world, seen)
    for folder in ("ANNOTATION", "IMAGEDATA"):
        (product.path / folder).mkdir(parents=True, exist_ok=True)
    for layer in seen.annotation.layers:
        path = product.path / layer.path
        part = path.with_name(path.name + ".part")
        blocks = view.image(product.acquisition, layer.polarisation)
        try:
            with part.open("wb") as file:
                write_burst(file, blocks, view.shape, valid_samples=view.valid())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    (product.path / "ANNOTATION" / "GEOREF.xml").write_bytes(georef_document(seen.grid))
    product.main.write_bytes(annotation_document(seen.annotation))


class _View:
    """Where the samples of an image fall on the simulated map."""

    def __init__(self, world: World, seen: Look) -> None:
        from pyproj import Transformer
        from scipy.interpolate import RectBivariateSpline

        self.world, self.seen = world, seen
        grid, raster, area = seen.grid, seen.annotation.raster, world.grid
        self.shape = raster.lines, raster.samples
        line = np.linspace(0, raster.lines - 1, _NODES)
        sample = np.linspace(0, raster.samples - 1, _NODES)
        t, tau = np.meshgrid(
            line * raster.line_spacing,
            grid.samples[0] + sample * raster.sample_spacing,
            indexing="ij",
        )
        start = (np.full(t.shape, float(one.mean())) for one in (grid.lon, grid.lat))
        lon, lat = start
        lon, lat = seen.orbit.ground(t, tau, HEIGHT, lon=lon, lat=lat)
        x, y = Transformer.from_crs("EPSG:4326", area.crs, always_xy=True).transform(lon, lat)
        self._row, self._col, self._angle = (
            RectBivariateSpline(line, sample, values, kx=1, ky=1)
            for values in (
                (area.top - np.asarray(y)) / area.resolution,
                (np.asarray(x) - area.left) / area.resolution,
                RectBivariateSpline(grid.lines, grid.samples, grid.inc, kx=1, ky=1)(
                    line * raster.line_spacing, grid.samples[0] + sample * raster.sample_spacing
                ),
            )
        )

    def _blocks(self) -> Iterator[tuple[slice, NDArray[np.int64], NDArray[np.int64]]]:
        """Lines, and the map's row and column of every sample."""
        samples = np.arange(self.shape[1])
        for first in range(0, self.shape[0], LINES):
            lines = slice(first, min(self.shape[0], first + LINES))
            at = np.arange(lines.start, lines.stop)
            row, col = (
                np.floor(place(at, samples)).astype(np.int64) for place in (self._row, self._col)
            )
            yield lines, row, col

    def _inside(self, row: NDArray[np.int64], col: NDArray[np.int64]) -> NDArray[np.bool_]:
        height, width = self.world.grid.size
        return (row >= 0) & (row < height) & (col >= 0) & (col < width)

    def valid(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First and last sample of every line that lies on the map, from 1; last 0: none does."""
        first, last = (np.zeros(self.shape[0], np.int64) for _ in range(2))
        for lines, row, col in self._blocks():
            inside = self._inside(row, col)
            some = inside.any(axis=1)
            first[lines] = np.where(some, inside.argmax(axis=1) + 1, 1)
            last[lines] = np.where(some, self.shape[1] - inside[:, ::-1].argmax(axis=1), 0)
        return first, last

    def image(self, acquisition: Acquisition, polarisation: str) -> Iterator[NDArray[np.complex64]]:
        """The complex image of one polarisation, strip by strip."""
        samples = np.arange(self.shape[1])
        floor = np.float32(10 ** (NOISE_FLOOR_DB / 10))
        for lines, row, col in self._blocks():
            power = self._power(row, col, acquisition, polarisation)
            angle = np.radians(self._angle(np.arange(lines.start, lines.stop), samples))
            scale = np.sqrt((power + floor) / np.tan(angle) / CAL_FACTOR)
            count = lines.stop - lines.start
            re, im = speckle(
                self.world.seed,
                acquisition,
                polarisation,
                lines.start,
                0,
                count,
                self.shape[1],
            )
            parts: Any = np.stack([re[:count, : samples.size], im[:count, : samples.size]], axis=-1)
            parts = np.clip(parts * scale[..., None], -SATURATION, SATURATION)
            yield np.ascontiguousarray(parts, np.float32).view(np.complex64)[..., 0]

    def _power(
        self,
        row: NDArray[np.int64],
        col: NDArray[np.int64],
        acquisition: Acquisition,
        polarisation: str,
    ) -> NDArray[np.float32]:
        """Backscatter under every sample, 0 off the map."""
        inside = self._inside(row, col)
        power = np.zeros(row.shape, np.float32)
        if inside.any():
            top, left = int(row[inside].min()), int(col[inside].min())
            size = int(row[inside].max()) - top + 1, int(col[inside].max()) - left + 1
            block = ground_block(self.world, top, left, *size)
            values = backscattered(self.world, block, acquisition, polarisation)
            power[inside] = values[row[inside] - top, col[inside] - left]
        return power
