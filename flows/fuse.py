"""Several maps to one."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from cpazmal_scale.config import Name, RunConfig
from cpazmal_scale.stages import refine as stages
from flows.artifacts import picture_of, progress, show_picture, show_product
from flows.runtime import DEFAULT, deployed, named, refused, stage


@stage("fuse-maps")
def fuse_maps(config: RunConfig, names: list[str]) -> dict[str, Any]:
    """The mean of the maps' probabilities."""
    with progress("pixels fused") as update:
        entry = stages.fuse(config, names, progress=update)
    show_picture("picture of the fused map", picture_of(config, entry))
    return entry.metadata


@flow(name="fuse", flow_run_name=named, log_prints=True, on_failure=[refused])
def fuse(
    names: Annotated[list[Name], Field(min_length=2)], config: RunConfig = DEFAULT
) -> dict[str, Any]:
    """Make one map of several, such as those of all beams.

    Args:
        names: of two or more maps in the catalog.
        config: the run configuration.
    """
    config = deployed(config)
    facts: dict[str, Any] = fuse_maps(config, names)
    show_product("fused map", facts)
    return facts
