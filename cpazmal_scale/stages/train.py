"""Labelled windows to a model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.config.methods import BEST
from cpazmal_scale.execute import open_executor
from cpazmal_scale.pictures import png
from cpazmal_scale.progress import Progress
from cpazmal_scale.stages import reuse, workspace
from cpazmal_scale.stages.samples import training_data
from cpazmal_scale.stages.sites import is_southern
from cpazmal_scale.storage import seal
from cpazmal_scale.vocabulary import CLUSTERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from cpazmal_scale.catalog import Entry
    from cpazmal_scale.execute import Executor
    from cpazmal_scale.model import Model
    from cpazmal_scale.samples import WindowSeries

_MANY = 5000
"""Windows whose averages take longer than processes take to start."""


def train(
    config: RunConfig,
    *,
    reading: Progress | None = None,
    choosing: Progress | None = None,
    progress: Progress | None = None,
) -> Entry:
    """Samples to a model, its card and its figure; the best method is chosen first, if asked for.

    A model of the same samples, cubes and settings is not trained again.

    Args:
        config: the run.
        reading: called as (chunks read, chunks).
        choosing: called as (comparisons of methods done, comparisons).
        progress: called as (averages found, averages): one per class, feature and held-out fold.

    Raises:
        StoreMissing: samples were not drawn.
        SampleError: the samples do not allow training.
    """
    from cpazmal_scale import model as models
    from cpazmal_scale.model import Workers, barycenters_figure, model_card

    models.require_method(config)
    polarisations, held = _channels(config)
    inputs = reuse.of_model(config)
    found = reuse.found(config, "model", inputs, _read)
    if found is not None:
        own = storage.join(config.workspace, "models", f"{found.id}.png")
        _show(config, seal.whole_png(storage.read_bytes(own), own))
        return found
    series, windows = training_data(config, progress=reading)
    labels, groups = windows["class"].tolist(), windows["group"].tolist()
    config = workspace.with_legend(config, labels)
    where = _workers(config, len(windows))
    with workspace.shared(where) as share, open_executor(where.cluster) as executor:
        provenance: dict[str, Any] = {
            "beam": workspace.beam_of(config),
            "samples": windows.attrs["id"],
            **_clustered(config),
            **_hemisphere(config),
        }
        if config.samples.also:
            provenance["sites"] = windows["site"].value_counts(sort=False).to_dict()
        chosen, choice = _chosen(config, (series, labels, groups), executor, share, choosing)
        provenance |= choice
        model = models.train(
            series,
            labels,
            groups,
            chosen,
            polarisations=polarisations,
            provenance=provenance,
            workers=Workers(executor, share, progress),
        )
    told = model_card(model, labels, groups, f"{model.id}.png") | _seen(series, config, held)
    _save(config, model, told, barycenters_figure(model, series, labels, _colours(model)))
    return _publish(config, model, held, inputs)


def _colours(model: Model) -> Mapping[str, str]:
    """The colour of each class of a model."""
    from cpazmal_scale.legend import legend

    return legend(model.classes, model.legend).colours


def _save(config: RunConfig, model: Model, card: Mapping[str, Any], figure: Figure) -> None:
    """Write a model, its figure and its card."""
    from cpazmal_scale.model import save_model

    stem = storage.join(config.workspace, "models", model.id)
    save_model(model, f"{stem}.zarr")
    picture = png(figure)
    storage.write_bytes(f"{stem}.png", picture)
    _show(config, picture)
    seal.write_document(f"{stem}.json", card)


def _publish(config: RunConfig, model: Model, held: str, inputs: str) -> Entry:
    """Publish a model that was saved; `held` names its channels."""
    from cpazmal_scale.legend import plain

    facts = {
        "classes": list(model.classes),
        "features": list(model.names),
        "start": str(model.dates.min())[:10],
        "end": str(model.dates.max())[:10],
        "dates": len(model.dates),
        "channels": held,
        "samples": model.provenance["samples"],
        "method": model.method,
        "card": f"models/{model.id}.json",
        "inputs": inputs,
        **({"legend": plain(model.legend)} if model.legend else {}),
    }
    return workspace.publish(config, "model", model.id, f"models/{model.id}.zarr", facts)


def _read(url: str) -> None:
    """Read a model, its card and its figure.

    Raises:
        StoreMissing: one of them is not there.
        StoreDamaged: one of them is not what was written.
    """
    from cpazmal_scale.model import open_model

    open_model(url)
    stem = url.removesuffix(".zarr")
    seal.read_document(f"{stem}.json")
    seal.whole_png(storage.read_bytes(f"{stem}.png"), f"{stem}.png")


def _show(config: RunConfig, picture: bytes) -> None:
    """Make a model's figure that of the workspace."""
    storage.write_bytes(storage.join(config.workspace, "barycenters.png"), picture)


def _chosen(
    config: RunConfig,
    samples: tuple[WindowSeries, list[str], list[str]],
    executor: Executor,
    share: str | None,
    progress: Progress | None,
) -> tuple[RunConfig, dict[str, Any]]:
    """The run with the best method by name, if it asks for that, and how it was chosen.

    Clusters of the series themselves are found again best by what made them: barycenters.
    """
    from cpazmal_scale.assess import choose

    if config.classify.method != BEST:
        return config, {}
    if not workspace.is_labelled(config):
        return config.with_values({"classify": {"method": "sum"}}), {}
    made = choose(*samples, config, executor=executor, share=share, progress=progress)
    counted = config.train.barycenters or "auto"
    settled = config.with_values(
        {"classify": {"method": made.method}, "train": {"barycenters": counted}}
    )
    return settled, {"choice": made.plain()}


def _seen(series: WindowSeries, config: RunConfig, held: str) -> dict[str, Any]:
    """Channels of the series, and which share of their pixels is below the floor."""
    below = {"floor_db": config.features.floor_db, **series.floored}
    return {"channels": held, "below_floor": below}


def _hemisphere(config: RunConfig) -> dict[str, str]:
    """Where the training lies if not north of the equator; a table does not tell."""
    if workspace.has_table(config):
        return {"hemisphere": "unknown"}
    return {"hemisphere": "south"} if is_southern(config) else {}


def _clustered(config: RunConfig) -> dict[str, Any]:
    """That classes are clusters, and how stable they are; nothing of others."""
    if workspace.is_labelled(config):
        return {}
    found = workspace.find(config, "samples").metadata.get("stability")
    known = found is not None and math.isfinite(found)
    return {"labels": CLUSTERS, **({"stability": found} if known else {})}


def _channels(config: RunConfig) -> tuple[tuple[str, ...], str]:
    """Channels of the series, and in words which of them the cube's dates hold."""
    if workspace.has_table(config):
        names = workspace.channels(config)
        return names, ", ".join(names)
    cube = workspace.open_period(config)
    workspace.warn_of_dates(config, cube)
    names = workspace.channels(config, cube)
    return names, workspace.held(cube, names)["channels"]


def _workers(config: RunConfig, windows: int) -> RunConfig:
    """The run with threads instead of local processes, if those would take longer to start."""
    if config.cluster.kind != "local" or windows > _MANY:
        return config
    return config.with_values({"cluster": {"kind": "threads"}})
