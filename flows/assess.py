"""Samples, model and map to figures of merit."""

from __future__ import annotations

from typing import Any

from prefect import flow

from cpazmal_scale.config import RunConfig
from cpazmal_scale.stages import assess as stages
from flows.artifacts import progress, show_table, show_text
from flows.runtime import DEFAULT, deployed, named, refused, stage
from flows.wording import merit_in_words


@stage("cross-validate")
def cross_validate(config: RunConfig) -> list[dict[str, Any]]:
    """Compare the methods by group-wise cross-validation, and show figures and report."""
    with progress("folds evaluated") as update:
        found = stages.assess(config, progress=update)
    show_table("figures of merit", merit_in_words(found.rows()))
    show_text("report", found.url)
    return found.rows()


@flow(name="assess", flow_run_name=named, log_prints=True, on_failure=[refused])
def assess(config: RunConfig = DEFAULT) -> list[dict[str, Any]]:
    """Cross-validate by groups, beside a random forest, and compare the map with a reference.

    Args:
        config: the run configuration.

    Returns:
        One row of figures per method.
    """
    config = deployed(config)
    rows: list[dict[str, Any]] = cross_validate(config)
    return rows
