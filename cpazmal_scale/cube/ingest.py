"""Ingest a folder of scenes into one cube per beam."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale.config import Ingest, RunConfig
from cpazmal_scale.cube import grid as grids
from cpazmal_scale.cube.admit import admit
from cpazmal_scale.cube.append import Opener, append, is_published, publish
from cpazmal_scale.cube.lease import hold
from cpazmal_scale.cube.record import Record, read_record
from cpazmal_scale.scenes.candidates import candidates
from cpazmal_scale.scenes.discover import discover
from cpazmal_scale.scenes.scene import Scene

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CubeReport:
    """What one cube got: scene ids, notes on cropped scenes, and its number of dates after it."""

    url: str
    beam: str
    shape: tuple[int, int]
    appended: tuple[str, ...]
    unchanged: tuple[str, ...]
    notes: tuple[str, ...]
    dates: int
    bytes: int

    def __str__(self) -> str:
        height, width = self.shape
        line = (
            f"{self.beam}: {len(self.appended)} appended, {len(self.unchanged)} unchanged, "
            f"{self.dates} dates of {height} x {width} px, {self.url}"
        )
        return "\n".join([line, *(f"  {note}" for note in self.notes)])


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did, or would do; `bytes` counts pixels as stored uncompressed."""

    cubes: tuple[CubeReport, ...]
    seconds: float
    dry_run: bool

    @property
    def bytes(self) -> int:
        """Uncompressed bytes of the appended dates."""
        return sum(cube.bytes for cube in self.cubes)

    def __str__(self) -> str:
        lines = [str(cube) for cube in self.cubes]
        amount = f"{self.bytes / 2**20:.0f} MiB of pixels"
        if self.dry_run:
            return "\n".join([*lines, f"nothing written; would write {amount}"])
        return "\n".join([*lines, f"{amount} in {self.seconds:.1f} s"])


@dataclass(frozen=True)
class CubePlan:
    """What one cube is to get: described and checked scenes that it does not hold yet.

    `record` is the cube as it is, none where it is new; `grid` its grid, the union of the scenes'
    footprints for a new one; `unchanged` are ids of scenes already there.
    """

    url: str
    beam: str
    record: Record | None
    grid: GeoBox
    new: tuple[Scene, ...]
    unchanged: tuple[str, ...]
    notes: tuple[str, ...]


def cube_url(workspace: str, beam: str) -> str:
    """Where the cube of a beam is in a workspace."""
    return storage.join(storage.absolute(workspace), "cubes", f"{beam}.zarr")


def ingest(
    config: RunConfig, *, dry_run: bool = False, progress: Progress | None = None
) -> IngestReport:
    """Bring all scenes of `config.ingest` into `{workspace}/cubes/{beam}.zarr`.

    Every scene is hashed, described, checked and compared with the cubes before the first byte is
    written; scenes already there are skipped. `progress` counts scenes, twice each: looked at, and
    written. With `dry_run` nothing is written.

    Raises:
        SceneError: a scene cannot be used (see `scenes.discover`), or changed.
        GridMismatch: scenes of one beam do not share a pixel lattice, or miss the cube.
        WriterConflict: another writer is at work on a cube.
    """
    begun = time.monotonic()

    def looked(done: int, total: int) -> None:
        if progress is not None:
            progress(done, 2 * total)

    plans = plan_ingest(config, progress=looked)
    if not dry_run:
        scenes = sum(len(plan.new) + len(plan.unchanged) for plan in plans)
        written = scenes + sum(len(plan.unchanged) for plan in plans)
        for plan in plans:
            fill_cube(plan, config.ingest, progress, written, 2 * scenes)
            written += len(plan.new)
    reports = tuple(cube_report(plan) for plan in plans)
    return IngestReport(reports, time.monotonic() - begun, dry_run)


def plan_ingest(config: RunConfig, *, progress: Progress | None = None) -> tuple[CubePlan, ...]:
    """Look at all scenes of `config.ingest` and compare them with the cubes; nothing is written.

    The scenes of a plan go into its cube with `append(plan.url, scene, chunk=…, grid=plan.grid)`.

    Raises:
        SceneError: a scene cannot be used (see `scenes.discover`), or changed.
        GridMismatch: scenes of one beam do not share a pixel lattice, or miss the cube.
    """
    beams = sorted({one.beam for one in candidates(config.ingest)})
    records = {beam: read_record(cube_url(config.workspace, beam)) for beam in beams}
    known = {i for record in records.values() if record for i in record.dates["scene_id"]}
    scenes = discover(config.ingest, check=True, checked=known, progress=progress)
    by_beam = {beam: [scene for scene in scenes if scene.beam == beam] for beam in beams}
    return tuple(plan_cube(config, beam, records[beam], by_beam[beam]) for beam in beams)


def plan_cube(config: RunConfig, beam: str, record: Record | None, scenes: list[Scene]) -> CubePlan:
    """Compare the scenes of one beam with its cube; nothing is written.

    Raises:
        SceneError: a scene changed or is of another geometry.
        GridMismatch: the scenes do not share the cube's pixel lattice, or miss it.
    """
    new: list[Scene] = []
    unchanged, notes = [], []
    rules = config.ingest
    grid = record.grid if record else None
    grid = grid or grids.union(scenes, preset=rules.grid, resample=rules.resample)
    for scene in scenes:
        if record is not None and admit(record, scene, resample=rules.resample) == "unchanged":
            unchanged.append(scene.id)
            continue
        if not new:  # what holds for a scene holds for the others of its beam
            notes += sorted({one.product.note for one in scene.files if one.product} - {""})
        method = grids.resampling(scene, grid)
        if method:
            notes.append(f"{scene.id}: {method}")
        cropped = grids.place(scene, grid, resample=rules.resample).cropped
        if cropped:
            notes.append(f"{scene.id}: {cropped:.1%} lies outside the cube and is left out")
        new.append(scene)
    url = cube_url(config.workspace, beam)
    return CubePlan(url, beam, record, grid, tuple(new), tuple(unchanged), tuple(notes))


def fill_cube(
    plan: CubePlan,
    rules: Ingest,
    progress: Progress | None,
    done: int,
    total: int,
    opener: Opener | None = None,
) -> None:
    """Append the plan's new scenes and publish the cube; `progress` goes on from `done`."""
    unfinished = plan.record is not None and not is_published(plan.record)
    if not plan.new and not unfinished:
        return
    with hold(plan.url) as lease:
        for number, scene in enumerate(plan.new, start=1):
            append(
                plan.url,
                scene,
                chunk=rules.chunk,
                grid=plan.grid,
                resample=rules.resample,
                lease=lease,
                opener=opener,
            )
            if progress is not None:
                progress(done + number, total)
        publish(plan.url)


def cube_report(plan: CubePlan) -> CubeReport:
    """What carrying out a plan gives."""
    height, width = plan.grid.shape
    layers = sum(4 * len(scene.polarisations) + 1 for scene in plan.new)
    return CubeReport(
        url=plan.url,
        beam=plan.beam,
        shape=(height, width),
        appended=tuple(scene.id for scene in plan.new),
        unchanged=plan.unchanged,
        notes=plan.notes,
        dates=len(plan.new) + (plan.record.length if plan.record else 0),
        bytes=layers * height * width,
    )
