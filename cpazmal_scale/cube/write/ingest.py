"""Ingest a folder of scenes into one cube per beam."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale.config import Ingest, RunConfig
from cpazmal_scale.cube.format import manifest
from cpazmal_scale.cube.write.append import Outcome, append, is_published, publish
from cpazmal_scale.cube.write.chunks import Opener
from cpazmal_scale.cube.write.lease import Lease, hold
from cpazmal_scale.cube.write.plan import CubePlan, plan_ingest, plan_usable
from cpazmal_scale.cube.write.report import IngestReport
from cpazmal_scale.errors import CpazmalError
from cpazmal_scale.execute import SerialExecutor, open_executor
from cpazmal_scale.progress import Progress
from cpazmal_scale.scenes import Scene, compute_ground, needs_ground

if TYPE_CHECKING:
    from cpazmal_scale.execute import Executor

_ALONE = 4_000_000
"""Pixels of a cube from which its ground is computed as `config.cluster` says."""


def ingest_scenes(
    config: RunConfig, *, dry_run: bool = False, progress: Progress | None = None
) -> IngestReport:
    """Bring all scenes of `config.ingest` into `{workspace}/cubes/{beam}.zarr`.

    Every scene is hashed, described, checked and compared with the cubes before the first byte is
    written; scenes already there are skipped. `progress` counts scenes, twice each: looked at, and
    written. With `dry_run` nothing is written, and scenes that would be refused are in the report.
    With `ingest.skip_refused` those that cannot be used are left out and in the report.

    Raises:
        SceneError: a scene cannot be used (see `scenes.discover`), or changed.
        GridMismatch: scenes of one beam do not share a pixel lattice, or miss the cube.
        WriterConflict: another writer is at work on a cube.
    """
    begun = time.monotonic()

    def looked(done: int, total: int) -> None:
        if progress is not None:
            progress(done, total if dry_run else 2 * total)

    refused: list[CpazmalError] = []
    left_out: list[CpazmalError] = []
    if config.ingest.skip_refused:
        plans = plan_usable(config, left_out.append, progress=looked)
    else:
        plans = plan_ingest(config, refused=refused.append if dry_run else None, progress=looked)
    if not dry_run:
        scenes = sum(len(plan.new) + len(plan.unchanged) for plan in plans)
        written = scenes + sum(len(plan.unchanged) for plan in plans)
        for plan in plans:
            prepare_ground(config, plan)
            fill_cube(plan, config.ingest, progress, written, 2 * scenes)
            written += len(plan.new)
        if progress is not None and scenes:
            progress(2 * scenes, 2 * scenes)
    reports = tuple(plan.report for plan in plans)
    seconds = time.monotonic() - begun
    return IngestReport(reports, seconds, dry_run, tuple(refused), tuple(left_out))


def prepare_ground(config: RunConfig, plan: CubePlan) -> None:
    """Compute what a beam sees of its ground, if its new scenes need it and it is not there.

    Raises:
        DemError: the elevation raster cannot be used.
    """
    product = next(filter(None, map(needs_ground, plan.new)), None)
    if product is None:
        return
    small = plan.grid.shape[0] * plan.grid.shape[1] < _ALONE
    where: contextlib.AbstractContextManager[Executor] = (
        contextlib.nullcontext(SerialExecutor()) if small else open_executor(config.cluster)
    )
    with where as executor:
        compute_ground(product, plan.grid, executor)


def append_planned(
    plan: CubePlan,
    scene: Scene,
    rules: Ingest,
    *,
    lease: Lease | None = None,
    opener: Opener | None = None,
) -> Outcome:
    """Append a scene of a plan to its cube, see `append`."""
    return append(
        plan.url,
        scene,
        chunk=rules.chunk,
        precision=rules.bits,
        grid=plan.grid,
        resample=bool(rules.resample),
        lease=lease,
        opener=opener,
    )


def fill_cube(
    plan: CubePlan,
    rules: Ingest,
    progress: Progress | None,
    done: int,
    total: int,
    opener: Opener | None = None,
) -> None:
    """Append the plan's new scenes and publish the cube; `progress` goes on from `done`.

    What killed writers left beside its manifests goes, whether there are new scenes or not.
    """
    if plan.new or (plan.record is not None and not is_published(plan.record)):
        with hold(plan.url) as lease:
            for number, scene in enumerate(plan.new, start=1):
                append_planned(plan, scene, rules, lease=lease, opener=opener)
                if progress is not None:
                    progress(done + number, total)
            publish(plan.url)
    storage.sweep(manifest.folder(plan.url), deep=False)
