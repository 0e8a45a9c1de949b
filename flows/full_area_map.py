"""The whole main job: scenes to a map in the catalog."""

from __future__ import annotations

from typing import Any

from prefect import Flow, flow

from cpazmal_scale.catalog import how_to_open
from cpazmal_scale.config import RunConfig
from cpazmal_scale.stages import pipeline, workspace
from flows.artifacts import picture_of, show_picture, show_product
from flows.assess import assess
from flows.classify import classify
from flows.ingest import ingest
from flows.runtime import DEFAULT, deployed, named, refused, stage, subflow
from flows.train import train

FLOWS: dict[str, Flow[..., Any] | None] = {
    "ingest": ingest,
    "samples": None,
    "train": train,
    "map": classify,
    "assess": assess,
}
"""The flow of each step, without which none begins; `train` draws the samples too."""


@stage("check-inputs")
def check_inputs(config: RunConfig) -> list[str]:
    """Check the polygons and the reference before hours of work; what is there, a line each."""
    return pipeline.require_inputs(config, {step.name for step in pipeline.steps(config)})


@stage("find-map")
def opening_lines(config: RunConfig) -> str:
    """The lines that open the map; its picture is shown."""
    entry = workspace.find(config, "map")
    show_picture("picture of the map", picture_of(config, entry))
    return how_to_open(config.workspace, entry.name)


@flow(name="full-area-map", flow_run_name=named, log_prints=True, on_failure=[refused])
def full_area_map(config: RunConfig = DEFAULT) -> dict[str, Any]:
    """Ingest new scenes, train, map the full area and assess it.

    Args:
        config: the run configuration; without `ingest.scenes` the cubes are used as they are.

    Returns:
        What is known of the map, and how to open it.
    """
    config = deployed(config)
    parts = {step.name: FLOWS[step.name] for step in pipeline.steps(config)}
    check_inputs(config)
    made = {name: subflow(part, config) for name, part in parts.items() if part is not None}
    facts: dict[str, Any] = made["map"]
    opening = opening_lines(config)
    show_product("full area map", facts, code=opening)
    return {**facts, "figures": made["assess"], "open": opening}
