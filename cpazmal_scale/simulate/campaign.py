"""Write a whole campaign: scenes, their calendar, the truth, the polygons and a run's settings."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.errors import ConfigError
from cpazmal_scale.simulate import polygons, tables
from cpazmal_scale.simulate.grids import Grid, GridName, over_massif
from cpazmal_scale.simulate.rasters import TILE, created
from cpazmal_scale.simulate.tables import Acquisition
from cpazmal_scale.simulate.world import (
    NODATA,
    Block,
    World,
    ground_block,
    image,
    inside_swath,
    make_world,
)

if TYPE_CHECKING:
    from rasterio.io import DatasetWriter

Progress = Callable[[int, int], None]

SENSOR = "PAZ1"
_PRODUCT_LENGTH = timedelta(seconds=7)
_SLICE_LATER = timedelta(seconds=6)


@dataclass(frozen=True)
class Campaign:
    """What was written. `polygons` counts them per class, `truth` pixels per class."""

    folder: Path
    run: Path
    files: tuple[Path, ...]
    acquisitions: int
    size: tuple[int, int]
    polygons: dict[str, int]
    truth: dict[str, int]

    def __str__(self) -> str:
        labelled = ", ".join(f"{name} {count}" for name, count in self.polygons.items())
        return (
            f"{len(self.files)} products of {self.acquisitions} acquisitions, {self.size[0]} x "
            f"{self.size[1]} pixels, in {self.folder} (polygons: {labelled}); settings: {self.run}"
        )


@dataclass(frozen=True)
class _Product:
    """One file of an acquisition: the whole pass, or slice 0 or 1 of it."""

    acquisition: Acquisition
    part: int | None
    path: Path
    rows: tuple[int, int]


def campaign(
    folder: str | Path,
    *,
    size: int | tuple[int, int] = 768,
    seed: int = 42,
    start: date | None = None,
    end: date | None = None,
    beams: tuple[str, ...] = ("DSC37", "ASC45", "ASC54"),
    grid: GridName = "utm",
    workspace: str | None = None,
    block: int = 512,
    progress: Progress | None = None,
) -> Campaign:
    """Simulate PAZ over a Mont-Blanc-like massif and write it as the authors' files.

    Writes `scenes/{asc,dsc}/*.tif` (float32 linear backscatter bands HH[, HV], then the SNAP mask
    0 none, 1 layover, 2 shadow, 3 both; −999 outside the swath), `scenes/acquisitions.csv`,
    `truth.tif` (uint8 1..8, tag `classes`), `dem.tif` (float32 m), `polygons.gpkg` and `run.yaml`.
    The same seed, size and grid give the same pixels, whatever the block, period or beams.

    Args:
        folder: Local folder to write into.
        size: Rows and columns, or the edge of a square, in pixels; 256 to 20 000.
        seed: Seed of terrain, classes, units, weather and speckle.
        start: First day of the calendar to write; none: 2020-01-08.
        end: Last day of the calendar to write; none: 2022-12-23.
        beams: Viewing geometries among DSC37, ASC45, ASC54; the first rules `run.yaml`.
        grid: `utm` (EPSG:32632, 3 m) or `authors` (EPSG:4326, 2.69494585e-5 degrees).
        workspace: Workspace written into `run.yaml`; none: `run` beside the scenes.
        block: Edge of the blocks worked on; memory grows with it, the pixels do not change.
        progress: Called with (done, total) blocks.

    Raises:
        ConfigError: a size, beam or period that gives no campaign, or other scenes in the folder.
    """
    import rasterio

    shape = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    passes = _passes(shape, start, end, beams, grid, block)
    world = make_world(over_massif(grid, shape), seed, beams)
    home = Path(folder)
    products = [
        product for acquisition in passes for product in _products(world, acquisition, home)
    ]
    _refuse_others(home, products)
    for product in products:
        product.path.parent.mkdir(parents=True, exist_ok=True)
    labelled = polygons.draw(world)
    with rasterio.Env(GDAL_CACHEMAX=256):
        truth = _write_blocks(world, home, products, block, progress)
    labelled.to_file(home / "polygons.gpkg", driver="GPKG", layer="polygons")
    _write_calendar(home / "scenes" / "acquisitions.csv", passes)
    run = _write_run(home, world, passes, workspace)
    return Campaign(
        folder=home,
        run=run,
        files=tuple(product.path for product in products),
        acquisitions=len(passes),
        size=shape,
        polygons={
            str(name): int(n) for name, n in labelled["class"].value_counts(sort=False).items()
        },
        truth=truth,
    )


def _passes(
    shape: tuple[int, int],
    start: date | None,
    end: date | None,
    beams: tuple[str, ...],
    grid: str,
    block: int,
) -> tuple[Acquisition, ...]:
    """The calendar's passes that were asked for, after checking every argument."""
    if not (256 <= min(shape) and max(shape) <= 20_000):
        raise ConfigError(
            f"a scene of {shape[0]} x {shape[1]} pixels", where="size", remedy="use 256 to 20000"
        )
    if grid not in ("utm", "authors"):
        raise ConfigError(f"unknown grid `{grid}`", where="grid", remedy="use utm or authors")
    if block < TILE or block % TILE:
        raise ConfigError(f"{block}", where="block", remedy=f"use a multiple of {TILE}")
    unknown = [name for name in beams if name not in tables.beams()]
    if unknown or not beams or len(set(beams)) != len(beams):
        known = ", ".join(tables.beams())
        raise ConfigError(
            f"{', '.join(unknown) or 'none or repeated'}", where="beams", remedy=f"use {known}"
        )
    passes = tuple(
        acquisition
        for acquisition in tables.calendar()
        if acquisition.beam in beams
        and (start is None or acquisition.start.date() >= start)
        and (end is None or acquisition.start.date() <= end)
    )
    if not passes:
        raise ConfigError(
            f"no pass of {', '.join(beams)} between {start} and {end}",
            where="start, end",
            remedy="the calendar runs from 2020-01-08 to 2022-12-23",
        )
    return passes


def _products(world: World, acquisition: Acquisition, home: Path) -> Iterator[_Product]:
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
        yield _Product(
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


def _refuse_others(home: Path, products: list[_Product]) -> None:
    ours = {product.path for product in products}
    others = [path for path in sorted((home / "scenes").rglob("*.tif")) if path not in ours]
    if others:
        raise ConfigError(
            f"{len(others)} scenes of another campaign, such as {others[0].name}",
            where=home / "scenes",
            remedy="give another folder or empty this one",
        )


def _write_blocks(
    world: World, home: Path, products: list[_Product], block: int, progress: Progress | None
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
        truth.update_tags(classes=",".join(names))
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
            _write_products(world, ground, products, rasters)
            if progress is not None:
                progress(done + 1, len(corners))
    return dict(zip(names, counts.tolist(), strict=True))


def _open_product(world: World, product: _Product) -> Any:
    bands = (*(f"Gamma0_{pol}" for pol in product.acquisition.polarisations), "layoverShadowMask")
    return created(product.path, world.grid, product.rows, bands, dtype="float32", nodata=NODATA)


def _write_products(
    world: World, ground: Block, products: list[_Product], rasters: list[DatasetWriter]
) -> None:
    """One block of every product; slices of one pass share their pixels."""
    images: dict[tuple[object, str], NDArray[np.float32]] = {}
    for product, raster in zip(products, rasters, strict=True):
        acquisition = product.acquisition
        first = max(product.rows[0], ground.row)
        last = min(product.rows[1], ground.row + ground.shape[0])
        if first >= last:
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


def _put(raster: DatasetWriter, values: NDArray[Any], row: int, col: int, band: int) -> None:
    from rasterio.windows import Window

    raster.write(values, band, window=Window(col, row, values.shape[1], values.shape[0]))


def _write_calendar(path: Path, passes: tuple[Acquisition, ...]) -> None:
    columns = (
        "sensor,start,beam,pass_direction,incidence_angle,resolution_range,resolution_azimuth,"
        "polarisations"
    ).split(",")
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        for one in passes:
            direction = tables.beams()[one.beam].pass_direction
            writer.writerow(
                [
                    SENSOR,
                    f"{one.start:%Y%m%dT%H%M%S}",
                    one.beam,
                    direction,
                    one.incidence_angle,
                    one.resolution_range,
                    one.resolution_azimuth,
                    "/".join(one.polarisations),
                ]
            )


def _write_run(
    home: Path, world: World, passes: tuple[Acquisition, ...], workspace: str | None
) -> Path:
    """Settings of a run on the first beam, in the period where it has both polarisations if any."""
    import yaml

    from cpazmal_scale.config import RunConfig

    beam = next(iter(world.views))
    own = [one for one in passes if one.beam == beam] or list(passes)
    dual = [one for one in own if len(one.polarisations) == 2] or own
    values = {
        "workspace": workspace or str(home / "run"),
        "beam": own[0].beam,
        "start": dual[0].start.date(),
        "end": dual[-1].start.date(),
        "polarisations": list(dual[0].polarisations),
        "ingest": {"scenes": str(home / "scenes")},
        "samples": {"polygons": str(home / "polygons.gpkg")},
        "assess": {"truth": str(home / "truth.tif")},
    }
    RunConfig.parse(values, where="run.yaml")
    path = home / "run.yaml"
    text = yaml.safe_dump(values, sort_keys=False)
    path.write_text(f"# Simulated campaign, seed {world.seed}.\n{text}", encoding="utf-8")
    return path
