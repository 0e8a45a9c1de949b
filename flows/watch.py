"""A sensor: scenes that landed since the last look are ingested, and the map is made again."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from cpazmal_scale.config import RunConfig
from cpazmal_scale.stages import ingest as stages
from flows.full_area_map import full_area_map
from flows.ingest import ingest
from flows.runtime import DEFAULT, deployed, named, refused, stage, subflow


@stage("look-for-scenes")
def look(config: RunConfig, settle_s: float) -> stages.Arrivals:
    """Compare the names of the scenes with what the cubes hold; nothing is read or written."""
    return stages.arrivals(config, settle_s=settle_s)


@flow(name="watch", flow_run_name=named, log_prints=True, on_failure=[refused])
def watch(
    config: RunConfig = DEFAULT, settle_s: Annotated[float, Field(ge=0)] = 60.0, remap: bool = True
) -> dict[str, Any] | State[Any]:
    """Ingest scenes that no cube holds yet and map again; without such scenes nothing happens.

    It remembers nothing: it compares what lies in `ingest.scenes` with what the cubes hold. Run it
    on a schedule, or let the event `cpazmal.scene.landed` start it.

    Args:
        config: the run configuration; `ingest.scenes` is the watched folder or bucket.
        settle_s: seconds a file must lie unchanged; while one is younger, nothing is done.
        remap: train, map and assess again, instead of ingesting only.

    Returns:
        What is known of the map or the cubes.
    """
    config = deployed(config)
    found = look(config, settle_s)
    if found.arriving or not found.new:
        return Completed(message=str(found), data=None)
    if config.ingest.skip_refused and remap:
        cubes = subflow(ingest, config)
        if not any(cube["appended"] for cube in cubes.values()):
            return Completed(message=f"{found}, all left out", data=None)
        config = config.with_values({"ingest": {"scenes": None}})  # every scene was read once
    result: dict[str, Any] = subflow(full_area_map if remap else ingest, config)
    return result
