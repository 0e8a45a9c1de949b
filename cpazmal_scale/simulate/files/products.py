"""The files of a campaign: which there are, and their pixels, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.simulate.files.rasters import TILE, created
from cpazmal_scale.simulate.given import tables
from cpazmal_scale.simulate.given.tables import Acquisition
from cpazmal_scale.simulate.ground.world import Block, World, ground_block
from cpazmal_scale.simulate.passes.imaging import NODATA, image, inside_swath

if TYPE_CHECKING:
    from rasterio.io import DatasetWriter

    from cpazmal_scale.progress import Progress


SENSOR = "PAZ1"
_PRODUCT_LENGTH = timedelta(seconds=7)
_SLICE_LATER = timedelta(seconds=6)


@dataclass(frozen=True)
class Product:
    """One file of an acquisition: the whole pass, or slice 0 or 1 of it."""

    acquisition: Acquisition
    part: int | None
    path: Path
    rows: tuple[int, int]


def products_of(world: World, acquisition: Acquisition, home: Path) -> Iterator[Product]:
    """The files of one pass; slices are cut to the rows they cover."""
    parts: tuple[int | None, ...] = (None,) if acquisition.slices == 1 else (0, 1)
    for part in parts:
        first = acquisition.start + (_SLICE_LATER if part == 1 else timedelta())
        mode = "S" if len(acquisition.polarisations) == 1 else "D"
        name = (
            f"subset_{part or 0}_of_{SENSOR}_SAR__SSC______SM_{mode}_SRA_{first:%Y%m%dT%H%M%S}_"
            f"{first + _PRODUCT_LENGTH:%Y%m%dT%H%M%S}_Cal_Tf_Tc_TC.tif"
        )
        direction = tables.beams()[acquisition.beam].pass_direction.lower()
        yield Product(
            acquisition, part, home / "scenes" / direction / name, _rows(world, acquisition, part)
        )


def _rows(world: World, acquisition: Acquisition, part: int | None) -> tuple[int, int]:
    """Rows that a slice covers, up to whole tiles."""
    height, width = world.grid.size
    if part is None:
        return 0, height
    covered = []
    for row in range(0, height, TILE):
        rows = min(TILE, height - row)
        if inside_swath(world, (row, 0, rows, width), acquisition, part).any():
            covered.append((row, row + rows))
    return covered[0][0], covered[-1][1]


def write_rasters(
    world: World, home: Path, products: list[Product], block: int, progress: Progress | None
) -> dict[str, int]:
    """All rasters, block by block; returns the truth's pixels per class."""
    names = [surface.name for surface in tables.surfaces()]
    counts = np.zeros(len(names), np.int64)
    height, width = world.grid.size
    whole = (0, height)
    corners = [(row, col) for row in range(0, height, block) for col in range(0, width, block)]
    with ExitStack() as stack:
        truth = stack.enter_context(
            created(home / "truth.tif", world.grid, whole, ("class",), dtype="uint8", nodata=0)
        )
        truth.update_tags(classes=",".join(names), simulated="yes")
        dem = stack.enter_context(
            created(
                home / "dem.tif", world.grid, whole, ("elevation",), dtype="float32", nodata=NODATA
            )
        )
        rasters = [stack.enter_context(_open_product(world, product)) for product in products]
        for done, (row, col) in enumerate(corners):
            ground = ground_block(
                world, row, col, min(block, height - row), min(block, width - col)
            )
            _put(truth, ground.surface + np.uint8(1), row, col, 1)
            _put(dem, ground.terrain, row, col, 1)
            counts += np.bincount(ground.surface.ravel(), minlength=len(names))
            for number, _ in enumerate(_write_products(world, ground, products, rasters), start=1):
                if progress is not None:
                    progress(done * len(products) + number, len(corners) * len(products))
    return dict(zip(names, counts.tolist(), strict=True))


def _open_product(world: World, product: Product) -> AbstractContextManager[DatasetWriter]:
    bands = (*(f"Gamma0_{pol}" for pol in product.acquisition.polarisations), "layoverShadowMask")
    return created(product.path, world.grid, product.rows, bands, dtype="float32", nodata=NODATA)


def _write_products(
    world: World, ground: Block, products: list[Product], rasters: list[DatasetWriter]
) -> Iterator[None]:
    """Write one block of every product in turn; slices of one pass share their pixels."""
    images: dict[tuple[object, str], NDArray[np.float32]] = {}
    for product, raster in zip(products, rasters, strict=True):
        acquisition = product.acquisition
        first = max(product.rows[0], ground.row)
        last = min(product.rows[1], ground.row + ground.shape[0])
        if first >= last:
            yield
            continue
        inside = inside_swath(world, ground.window, acquisition, product.part)
        part = slice(first - ground.row, last - ground.row)
        for band, polarisation in enumerate(acquisition.polarisations, start=1):
            seen = (acquisition.start, polarisation)
            if seen not in images:
                images = {name: kept for name, kept in images.items() if name[0] == seen[0]}
                images[seen] = image(world, ground, acquisition, polarisation)
            values = np.where(inside, images[seen], np.float32(NODATA))
            _put(raster, values[part], first - product.rows[0], ground.col, band)
        mask = np.where(inside, ground.masks[acquisition.beam], np.float32(NODATA))
        band = len(acquisition.polarisations) + 1
        _put(raster, mask[part], first - product.rows[0], ground.col, band)
        yield


def _put(raster: DatasetWriter, values: NDArray[Any], row: int, col: int, band: int) -> None:
    from rasterio.windows import Window

    raster.write(values, band, window=Window(col, row, values.shape[1], values.shape[0]))
