"""Write a whole campaign: scenes, their calendar, the truth, the polygons and a run's settings."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict, Unpack

from cpazmal_scale.addresses import is_remote, local_path
from cpazmal_scale.errors import ConfigError, StoreError
from cpazmal_scale.progress import Progress
from cpazmal_scale.simulate.files.level1b import slant_product, write_slant_product
from cpazmal_scale.simulate.files.products import SENSOR, products_of, write_rasters
from cpazmal_scale.simulate.files.rasters import TILE
from cpazmal_scale.simulate.files.slant import HEIGHT
from cpazmal_scale.simulate.given import tables
from cpazmal_scale.simulate.given.tables import Acquisition
from cpazmal_scale.simulate.ground import polygons
from cpazmal_scale.simulate.ground.grids import Grid, GridName, over_massif
from cpazmal_scale.simulate.ground.world import World, make_world
from cpazmal_scale.simulate.radar.elevation import write_elevation
from cpazmal_scale.simulate.radar.massif import LARGEST, massif_of, write_pass

_TOGETHER = 4
"""Passes flown at the same time: each holds one image."""
_COLUMNS = (
    "sensor",
    "start",
    "beam",
    "pass_direction",
    "incidence_angle",
    "resolution_range",
    "resolution_azimuth",
    "polarisations",
)


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


class Written(TypedDict, total=False):
    """Which passes are written, and how."""

    start: date | None
    """First day of the calendar to write; none: 2020-01-08."""
    end: date | None
    """Last day of the calendar to write; none: 2022-12-23."""
    beams: tuple[str, ...]
    """Viewing geometries among DSC37, ASC45, ASC54, all by default; the first rules `run.yaml`."""
    workspace: str | None
    """Workspace written into `run.yaml`; none: `run` beside the scenes."""
    block: int
    """Edge of the blocks worked on, 512; memory grows with it, the pixels do not change."""


class _Written(NamedTuple):
    start: date | None = None
    end: date | None = None
    beams: tuple[str, ...] = ("DSC37", "ASC45", "ASC54")
    workspace: str | None = None
    block: int = 512


def campaign(
    folder: str | Path,
    *,
    size: int | tuple[int, int] = 768,
    seed: int = 42,
    grid: GridName = "utm",
    level1b: Literal["mountains", "flat"] | None = None,
    progress: Progress | None = None,
    **written: Unpack[Written],
) -> Campaign:
    """Simulate PAZ over a Mont-Blanc-like massif and write it as the authors' files.

    Writes `scenes/{asc,dsc}/*.tif` (float32 linear backscatter bands HH[, HV], then the SNAP mask
    0 none, 1 layover, 2 shadow, 3 both; −999 outside the swath), `scenes/acquisitions.csv`,
    `truth.tif` (uint8 1..8, tag `classes`), `dem.tif` (float32 m), `polygons.gpkg` and `run.yaml`.
    The same seed, size and grid give the same pixels, whatever the block, period or beams. With
    `level1b` the scenes are SSC products instead, complex images of the mountains in slant range,
    with layover and shadow; `dem.tif` then reaches further and stands on `geoid.tif`.

    Args:
        folder: Local folder to write into.
        size: Rows and columns, or the edge of a square, in pixels; 256 to 20 000.
        seed: Seed of terrain, classes, units, weather and speckle.
        grid: `utm` (EPSG:32632, 3 m) or `authors` (EPSG:4326, 2.69494585e-5 degrees).
        level1b: Write SSC products instead of calibrated GeoTIFFs: of the mountains, or of the
            area as if flat, which is quick and needs no DEM.
        progress: Called with (done, total), counting the blocks of every file.
        written: `start`, `end`, `beams`, `workspace` and `block` of `Written`.

    Raises:
        ConfigError: a size, beam or period that gives no campaign, or other scenes in the folder.
        StoreError: the folder cannot be made.
    """
    import rasterio

    _refuse_remote(str(folder))
    shape = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    start, end, beams, workspace, block = _Written(**written)
    passes = _passes(shape, start, end, beams, grid, block)
    relief = level1b == "mountains"
    if relief:
        _refuse_unflyable(shape, grid)
    world = make_world(over_massif(grid, shape), seed, beams)
    home = Path(folder)
    products = [
        product
        for acquisition in (() if level1b else passes)
        for product in products_of(world, acquisition, home)
    ]
    slant = [slant_product(one, home, SENSOR) for one in passes if level1b]
    files = [product.path for product in products] + [product.main for product in slant]
    _refuse_others(home, files)
    _make_folders(files)
    labelled = polygons.draw(world)
    with rasterio.Env(GDAL_CACHEMAX=256):
        truth = write_rasters(world, home, products, block, progress)
    if relief:
        _fly(world, home, passes, progress)
    else:
        for done, product in enumerate(slant, start=1):
            write_slant_product(world, product, SENSOR)
            if progress is not None:
                progress(done, len(slant))
    labelled.to_file(home / "polygons.gpkg", driver="GPKG", layer="polygons")
    _write_calendar(home / "scenes" / "acquisitions.csv", passes)
    rules = _level1b_rules(grid, world.grid, relief=relief) if level1b else {}
    run = _write_run(home, world, passes, workspace, rules)
    return Campaign(
        folder=home,
        run=run,
        files=tuple(files),
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
    if min(shape) < 256 or max(shape) > 20_000:
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


def _refuse_remote(folder: str) -> None:
    if "://" in folder:
        raise ConfigError(
            "scenes are simulated into a local folder only",
            where=folder,
            remedy="give a local path and copy the folder afterwards",
        )


def _make_folders(files: list[Path]) -> None:
    for folder in {path.parent for path in files}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the folder cannot be made ({error.strerror})",
                where=folder,
                remedy="give a folder you may write into",
            ) from None


def _refuse_others(home: Path, files: list[Path]) -> None:
    scenes = home / "scenes"
    found = sorted([*scenes.rglob("*.tif"), *scenes.glob("*/*_SAR__*.xml")])
    others = [path for path in found if path not in set(files)]
    if others:
        raise ConfigError(
            f"{len(others)} scenes of another campaign, such as {others[0].name}",
            where=home / "scenes",
            remedy="give another folder or empty this one",
        )


def _write_calendar(path: Path, passes: tuple[Acquisition, ...]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_COLUMNS)
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


def _refuse_unflyable(shape: tuple[int, int], grid: GridName) -> None:
    if grid != "utm" or max(shape) > LARGEST:
        raise ConfigError(
            f"mountains in slant range on grid `{grid}`, {shape[0]} x {shape[1]} pixels",
            where="level1b",
            remedy=f"use grid utm and at most {LARGEST} pixels, or level1b flat",
        )


def _fly(
    world: World, home: Path, passes: tuple[Acquisition, ...], progress: Progress | None
) -> None:
    """Write the products of every pass, some at the same time, and the DEM they are seen on."""
    from concurrent.futures import ThreadPoolExecutor, as_completed

    massif = massif_of(world)
    write_elevation(home, massif.frame, massif.surface)
    with ThreadPoolExecutor(min(_TOGETHER, os.cpu_count() or 1)) as pool:
        flights = [pool.submit(write_pass, massif, one, home / "scenes", SENSOR) for one in passes]
        for done, flight in enumerate(as_completed(flights), start=1):
            flight.result()
            if progress is not None:
                progress(done, len(flights))


def _level1b_rules(name: GridName, grid: Grid, *, relief: bool) -> dict[str, object]:
    """Settings that bring SSC products onto the grid of the campaign's other files.

    With relief they see the DEM and its geoid, and not what is simulated around the grid; else the
    area as if flat.
    """
    preset = {"utm": "utm32n-3m", "authors": "cpazmal"}[name]
    if not relief:
        return {"grid": preset, "level1b": {"height": HEIGHT}}
    terrain = {"dem": "dem.tif", "vertical": "geoid.tif"}
    return {
        "grid": preset,
        "area": _inside(grid),
        "level1b": {"radiometry": "gamma0_T", "terrain": terrain},
    }


def _inside(grid: Grid) -> list[float]:
    """West, south, east and north of the largest upright box of degrees in a grid."""
    from pyproj import Transformer

    to_degrees = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    rows, columns = grid.size
    right, bottom = grid.left + columns * grid.resolution, grid.top - rows * grid.resolution
    corners = [(x, y) for x in (grid.left, right) for y in (bottom, grid.top)]
    (a, b), (c, d), (e, f), (g, h) = (to_degrees.transform(*corner) for corner in corners)
    return [round(edge, 6) for edge in (max(a, c), max(b, f), min(e, g), min(d, h))]


def _seen_from(folder: Path, url: str) -> str:
    """An address as a file in a folder writes it."""
    if is_remote(url) or local_path(url).is_absolute():
        return url
    return os.path.relpath(url, folder)


def _write_run(
    home: Path,
    world: World,
    passes: tuple[Acquisition, ...],
    workspace: str | None,
    rules: dict[str, object],
) -> Path:
    """Settings of a run on the first beam, in the period where it has both polarisations if any."""
    import yaml

    from cpazmal_scale.config import RunConfig

    beam = next(iter(world.views))
    own = [one for one in passes if one.beam == beam] or list(passes)
    dual = [one for one in own if len(one.polarisations) == 2] or own
    values = {
        "workspace": "run" if workspace is None else _seen_from(home, workspace),
        "beam": own[0].beam,
        "start": dual[0].start.date(),
        "end": dual[-1].start.date(),
        "polarisations": list(dual[0].polarisations),
        "ingest": {"scenes": "scenes", **rules},
        "samples": {"polygons": "polygons.gpkg"},
        "assess": {"truth": "truth.tif"},
    }
    RunConfig.parse(values, where="run.yaml")
    path = home / "run.yaml"
    text = yaml.safe_dump(values, sort_keys=False)
    path.write_text(f"# Simulated campaign, seed {world.seed}.\n{text}", encoding="utf-8")
    return path
