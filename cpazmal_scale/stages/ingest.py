"""Scenes to cubes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpazmal_scale import catalog, workspace
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.stages import Progress

if TYPE_CHECKING:
    from cpazmal_scale.catalog import Entry
    from cpazmal_scale.cube.ingest import CubePlan, IngestReport
    from cpazmal_scale.errors import CubeDamaged
    from cpazmal_scale.scenes.scene import Scene


def ingest(
    config: RunConfig, *, dry_run: bool = False, progress: Progress | None = None
) -> IngestReport:
    """Scenes to cubes: every new scene is checked, appended, and its cube published.

    Raises:
        ConfigError: no scenes were given.
        SceneError: a scene is damaged, unknown or changed; nothing was written.
    """
    from cpazmal_scale.cube.ingest import ingest as into_cubes

    _require_scenes(config)
    report = into_cubes(config, dry_run=dry_run, progress=progress)
    if not dry_run:
        for cube in report.cubes:
            publish_cube(config, cube.beam)
    return report


def publish_cube(config: RunConfig, beam: str) -> Entry:
    """Bring a cube's catalog entry and STAC item up to date."""
    from cpazmal_scale.mapping.stac import write_stac

    entry = workspace.publish_cube(config, beam)
    url = workspace.url_of(config, entry)
    write_stac(url, f"{url.removesuffix('.zarr')}.stac.json")
    return entry


def plan_ingest(config: RunConfig, *, progress: Progress | None = None) -> tuple[CubePlan, ...]:
    """The first half of `ingest`, for callers that append scene by scene; nothing is written.

    Raises:
        ConfigError: no scenes were given.
        SceneError: a scene is damaged, unknown or changed.
    """
    from cpazmal_scale.cube.ingest import plan_ingest as plan

    _require_scenes(config)
    return plan(config, progress=progress)


def append_scene(config: RunConfig, plan: CubePlan, scene: Scene) -> str:
    """Append one scene of a plan to its cube: `appended`, or `unchanged` if it is there.

    Raises:
        WriterConflict: another writer is at work.
    """
    from cpazmal_scale.cube.append import append

    rules = config.ingest
    return append(plan.url, scene, chunk=rules.chunk, grid=plan.grid, resample=rules.resample)


def verify(config: RunConfig, *, progress: Progress | None = None) -> list[CubeDamaged]:
    """Everything lost or altered in the cubes of a workspace.

    Raises:
        StoreMissing: the workspace has no cube.
    """
    from cpazmal_scale.cube.verify import verify as verify_cube

    cubes = catalog.entries(config.workspace, kind="cube")
    if not cubes:
        workspace.beam_of(config)
    urls = [workspace.url_of(config, cube) for cube in cubes]
    return [finding for url in urls for finding in verify_cube(url, progress=progress)]


def _require_scenes(config: RunConfig) -> None:
    if config.ingest.scenes is None:
        raise ConfigError(
            "no scenes to ingest", where="ingest.scenes", remedy="give a folder or bucket"
        )
