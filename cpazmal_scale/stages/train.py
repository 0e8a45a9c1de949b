"""Labelled windows to a model."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from cpazmal_scale import storage, workspace
from cpazmal_scale.config import RunConfig
from cpazmal_scale.stages import Progress
from cpazmal_scale.stages.samples import training_data

if TYPE_CHECKING:
    from cpazmal_scale.catalog import Entry


def train(config: RunConfig, *, progress: Progress | None = None) -> Entry:
    """Samples to barycenters: the model and its figure.

    Raises:
        StoreMissing: samples were not drawn.
        SampleError: the samples do not allow training.
    """
    from cpazmal_scale import model as models
    from cpazmal_scale.mapping.palette import colours

    series, windows = training_data(config, progress=progress)
    labels = windows["class"].tolist()
    model = models.train(
        series,
        labels,
        windows["group"].tolist(),
        config,
        polarisations=workspace.channels(config, workspace.open_period(config)),
        provenance={"beam": workspace.beam_of(config), "samples": windows.attrs["id"]},
    )
    path = f"models/{model.id}.zarr"
    models.save_model(model, storage.join(config.workspace, path))
    figure = models.barycenters_figure(model, series, labels, colours(model.classes))
    for name in (f"models/{model.id}.png", "barycenters.png"):
        _save_figure(figure, storage.join(config.workspace, name))
    facts = {
        "classes": list(model.classes),
        "features": list(model.names),
        "start": str(model.dates.min())[:10],
        "end": str(model.dates.max())[:10],
        "dates": len(model.dates),
        "samples": windows.attrs["id"],
        "barycenters": config.train.barycenters,
    }
    return workspace.publish(config, "model", model.id, path, facts)


def _save_figure(figure: Any, url: str) -> None:
    """Store a matplotlib figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    storage.write_bytes(url, buffer.getvalue())
