"""Several maps to one."""

from __future__ import annotations

from typing import Any

from prefect import flow

from cpazmal_scale.config import RunConfig
from cpazmal_scale.stages import refine as stages
from flows.artifacts import progress, show_product
from flows.runtime import DEFAULT, deployed, stage


@stage("fuse-maps")
def fuse_maps(config: RunConfig, names: list[str]) -> dict[str, Any]:
    """The mean of the maps' probabilities."""
    with progress("pixels fused") as update:
        return stages.fuse(config, names, progress=update).metadata


@flow(name="fuse", log_prints=True)
def fuse(names: list[str], config: RunConfig = DEFAULT) -> dict[str, Any]:
    """Make one map of several, such as those of all beams.

    Args:
        names: of two or more maps in the catalog.
        config: the run configuration.
    """
    config = deployed(config)
    facts: dict[str, Any] = fuse_maps(config, names)
    show_product("fused map", facts)
    return facts
