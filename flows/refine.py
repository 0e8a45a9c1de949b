"""The flow that smooths, filters and restricts the latest map."""

from __future__ import annotations

from typing import Any

from prefect import flow

from cpazmal_scale.config import RunConfig
from cpazmal_scale.stages import refine as stages
from flows.artifacts import picture_of, progress, show_picture, show_product
from flows.runtime import DEFAULT, deployed, named, refused, stage


@stage("refine-map")
def refine_map(config: RunConfig) -> dict[str, Any]:
    """Smooth, filter, sieve and restrict the latest map."""
    with progress("pixels refined") as update:
        entry = stages.refine(config, progress=update)
    show_picture("picture of the refined map", picture_of(config, entry))
    return entry.metadata


@flow(name="refine", flow_run_name=named, log_prints=True, on_failure=[refused])
def refine(config: RunConfig = DEFAULT) -> dict[str, Any]:
    """Smooth, filter, sieve and restrict the latest map, as the section `after` says.

    Args:
        config: the run configuration.
    """
    config = deployed(config)
    facts: dict[str, Any] = refine_map(config)
    show_product("refined map", facts)
    return facts
