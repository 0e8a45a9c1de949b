"""Cube and model to a map with its products."""

from __future__ import annotations

from typing import Any

from prefect import flow

from cpazmal_scale.config import RunConfig
from cpazmal_scale.stages import classify as stages
from cpazmal_scale.stages import workspace
from flows.artifacts import progress, show_links, show_picture, show_product
from flows.runtime import DEFAULT, deployed, named, refused, stage


@stage("map-blocks")
def map_blocks(config: RunConfig) -> dict[str, Any]:
    """Classify every pixel; blocks are the Dask cluster's business."""
    workspace.warn_of_dates(config, workspace.open_period(config))
    with progress("pixels classified") as update:
        return stages.classify(config, progress=update)[1].metadata


@stage("export-map")
def export(config: RunConfig) -> list[str]:
    """Write the map as GeoTIFF, picture and page, and show them."""
    files = stages.export_map(config)
    show_links("map", files)
    show_picture("quick look", next(one for one in files if one.endswith(".png")))
    return files


@flow(name="classify", flow_run_name=named, log_prints=True, on_failure=[refused])
def classify(config: RunConfig = DEFAULT) -> dict[str, Any]:
    """Classify every pixel of a cube with its latest model and export the map.

    Args:
        config: the run configuration.

    Returns:
        What is known of the map.
    """
    config = deployed(config)
    facts = map_blocks(config)
    facts = {**facts, "files": export(config)}
    show_product("map", facts)
    return facts
