"""Cube and polygons to a model."""

from __future__ import annotations

from typing import Any

from prefect import flow

from cpazmal_scale.config import RunConfig
from cpazmal_scale.stages.samples import draw_samples as draw
from cpazmal_scale.stages.train import train as make_model
from flows.artifacts import progress, show_product
from flows.runtime import DEFAULT, deployed, named, refused, stage


@stage("draw-samples")
def draw_samples(config: RunConfig) -> dict[str, Any]:
    """Draw labelled windows."""
    with progress("samples drawn") as update:
        return draw(config, progress=update).metadata


@stage("train-model")
def learn(config: RunConfig) -> dict[str, Any]:
    """Train the model on the windows, by the best of several methods if none is named."""
    with progress("averages found") as update:
        return make_model(config, progress=update).metadata


@flow(name="train", flow_run_name=named, log_prints=True, on_failure=[refused])
def train(config: RunConfig = DEFAULT) -> dict[str, Any]:
    """Draw labelled windows of a cube and train a model on them.

    Args:
        config: the run configuration.

    Returns:
        What is known of the model.
    """
    config = deployed(config)
    samples = draw_samples(config)
    model: dict[str, Any] = learn(config)
    show_product("model", {"windows": samples["windows"], **model})
    return model
