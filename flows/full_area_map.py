"""The whole main job: scenes to a map in the catalog."""

from __future__ import annotations

from typing import Any

from prefect import flow

from cpazmal_scale import stages
from cpazmal_scale.config import RunConfig
from flows.assess import assess
from flows.classify import classify
from flows.ingest import ingest
from flows.runtime import DEFAULT, show_product
from flows.train import train


@flow(name="full-area-map", log_prints=True)
def full_area_map(config: RunConfig = DEFAULT) -> dict[str, Any]:
    """Ingest new scenes, train, map the full area and assess it.

    Args:
        config: the run configuration; without `ingest.scenes` the cubes are used as they are.

    Returns:
        What is known of the map, and how to open it.
    """
    if config.ingest.scenes is not None:
        ingest(config)
    train(config)
    facts = classify(config)
    assess(config)
    facts = {**facts, "report": stages.write_report(config), "catalog": stages.opening(config)}
    show_product("full area map", facts)
    print(facts["catalog"])
    return facts
