"""A map to areas by glacier."""

from __future__ import annotations

from typing import Any

from prefect import flow

from cpazmal_scale.config import Name, RunConfig
from cpazmal_scale.stages import refine as stages
from flows.artifacts import progress, show_table
from flows.runtime import DEFAULT, deployed, named, refused, stage
from flows.wording import rows_in_words


@stage("count-by-glacier")
def count_zones(config: RunConfig, name: str) -> list[dict[str, Any]]:
    """Areas and mean probabilities in every outline."""
    with progress("pixels counted") as update:
        rows = stages.zonal(config, name, progress=update).to_dict("records")
    return [{str(column): value for column, value in row.items()} for row in rows]


@flow(name="zonal", flow_run_name=named, log_prints=True, on_failure=[refused])
def zonal(name: Name, config: RunConfig = DEFAULT) -> list[dict[str, Any]]:
    """Areas by class and glacier, inside the polygons of `after.outlines`.

    Args:
        name: of a map in the catalog.
        config: the run configuration.
    """
    config = deployed(config)
    rows: list[dict[str, Any]] = count_zones(config, name)
    show_table("areas by glacier", rows_in_words(rows))
    return rows
