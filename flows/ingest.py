"""Scenes to cubes, one task per scene."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.logging import get_run_logger

from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import CubePlan
from cpazmal_scale.scenes import Scene
from cpazmal_scale.stages import ingest as stages
from flows.artifacts import progress, show_table
from flows.runtime import DEFAULT, deployed, named, refused, stage
from flows.wording import facts_in_words


@stage("look-at-scenes")
def look(config: RunConfig) -> tuple[CubePlan, ...]:
    """Hash, describe and check every scene; nothing is written."""
    with progress("scenes looked at") as update:
        return stages.plan_ingest(config, progress=update)


@stage("append-scene", "append {scene}")
def append(config: RunConfig, plan: CubePlan, scene: Scene) -> str:
    """Append one scene to its cube, if it is not there."""
    return stages.append_scene(config, plan, scene)


@stage("publish-cube")
def publish(config: RunConfig, plan: CubePlan) -> dict[str, Any]:
    """Bring the cube and its catalog entry up to date."""
    return stages.publish_cube(config, plan.beam).metadata


@flow(name="ingest", flow_run_name=named, log_prints=True, on_failure=[refused])
def ingest(config: RunConfig = DEFAULT) -> dict[str, Any]:
    """Check new scenes and append them to the cube of their beam.

    Args:
        config: the run configuration.

    Returns:
        What each cube holds, by beam.
    """
    config = deployed(config)
    cubes = {}
    for plan in look(config):
        outcomes = [append(config, plan, scene) for scene in plan.new]
        cubes[plan.beam] = publish(config, plan)
        get_run_logger().info(
            "%s: %d appended, %d unchanged", plan.beam, len(outcomes), len(plan.unchanged)
        )
    show_table("cubes", [{"beam": beam, **facts_in_words(cube)} for beam, cube in cubes.items()])
    return cubes
