"""Scenes to cubes, one task per scene."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.logging import get_run_logger

from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import CubePlan
from cpazmal_scale.errors import CpazmalError
from cpazmal_scale.scenes import Scene
from cpazmal_scale.stages import ingest as stages
from flows.artifacts import progress, show_table
from flows.runtime import DEFAULT, deployed, named, refused, stage
from flows.wording import errors_in_words, facts_in_words


@stage("look-at-scenes")
def look(config: RunConfig) -> tuple[CubePlan, ...]:
    """Hash, describe and check every scene; nothing is written."""
    left_out: list[CpazmalError] = []
    with progress("scenes looked at") as update:
        plans = stages.plan_ingest(config, left_out.append, progress=update)
    if left_out:
        show_table("scenes left out", errors_in_words(left_out))
    return plans


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
        What each cube holds, and how many scenes were appended to it, by beam.
    """
    config = deployed(config)
    cubes = {}
    for plan in look(config):
        new = len([append(config, plan, scene) for scene in plan.new])
        cubes[plan.beam] = {**publish(config, plan), "appended": new}
        get_run_logger().info("%s: %d appended, %d unchanged", plan.beam, new, len(plan.unchanged))
    show_table("cubes", [{"beam": beam, **facts_in_words(cube)} for beam, cube in cubes.items()])
    return cubes
