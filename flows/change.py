"""Two maps to what changed between them."""

from __future__ import annotations

from typing import Any

from prefect import flow

from cpazmal_scale.config import Name, RunConfig
from cpazmal_scale.stages import refine as stages
from flows.artifacts import picture_of, progress, show_picture, show_product, show_table
from flows.runtime import DEFAULT, deployed, named, refused, stage
from flows.wording import matrix_in_words


@stage("compare-maps")
def compare_maps(config: RunConfig, earlier: str, later: str) -> tuple[str, dict[str, Any]]:
    """What changed, as text and as a map."""
    with progress("pixels compared") as update:
        found, entry = stages.change(config, earlier, later, progress=update)
    show_picture("picture of the change", picture_of(config, entry))
    show_table("change by class", matrix_in_words(found.mapped))
    show_table("expected change by class", matrix_in_words(found.expected))
    return str(found), entry.metadata


@flow(name="change", flow_run_name=named, log_prints=True, on_failure=[refused])
def change(earlier: Name, later: Name, config: RunConfig = DEFAULT) -> dict[str, Any]:
    """Map what changed between two maps of the same classes, with its probability.

    Args:
        earlier: name of a map in the catalog.
        later: name of another.
        config: the run configuration.
    """
    config = deployed(config)
    text, facts = compare_maps(config, earlier, later)
    show_product("map of change", facts)
    return {**facts, "change": text}
