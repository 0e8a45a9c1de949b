"""The stages of the main job: each takes the run's configuration and publishes its product.

A stage finds what earlier ones made through the catalog, so that any of them can be run alone, from
the command line or by a flow, today or next month.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cpazmal_scale import catalog, storage, workspace
from cpazmal_scale.config import RunConfig, identity
from cpazmal_scale.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from cpazmal_scale.catalog import Entry
    from cpazmal_scale.cube.ingest import CubePlan, IngestReport
    from cpazmal_scale.errors import CubeDamaged
    from cpazmal_scale.mapping.plan import MapPlan
    from cpazmal_scale.mapping.run import MapResult
    from cpazmal_scale.samples.series import WindowSeries
    from cpazmal_scale.scenes.scene import Scene

Progress = Callable[[int, int], None]


def ingest(
    config: RunConfig, *, dry_run: bool = False, progress: Progress | None = None
) -> IngestReport:
    """Scenes to cubes: every new scene is checked, appended, and its cube published.

    Raises:
        ConfigError: no scenes were given.
        SceneError: a scene is damaged, unknown or changed; nothing was written.
    """
    from cpazmal_scale.cube.ingest import ingest as into_cubes

    _require_scenes(config)
    report = into_cubes(config, dry_run=dry_run, progress=progress)
    if not dry_run:
        for cube in report.cubes:
            workspace.publish_cube(config, cube.beam)
    return report


def plan_ingest(config: RunConfig, *, progress: Progress | None = None) -> tuple[CubePlan, ...]:
    """The first half of `ingest`, for callers that append scene by scene; nothing is written.

    Raises:
        ConfigError: no scenes were given.
        SceneError: a scene is damaged, unknown or changed.
    """
    from cpazmal_scale.cube.ingest import plan_ingest as plan

    _require_scenes(config)
    return plan(config, progress=progress)


def append_scene(config: RunConfig, plan: CubePlan, scene: Scene) -> str:
    """Append one scene of a plan to its cube: `appended`, or `unchanged` if it is there.

    Raises:
        WriterConflict: another writer is at work.
    """
    from cpazmal_scale.cube.append import append

    return append(plan.url, scene, chunk=config.ingest.chunk, grid=plan.grid)


def _require_scenes(config: RunConfig) -> None:
    if config.ingest.scenes is None:
        raise ConfigError(
            "no scenes to ingest", where="ingest.scenes", remedy="give a folder or bucket"
        )


def draw_samples(config: RunConfig, *, progress: Progress | None = None) -> Entry:
    """Labelled windows of a cube; without polygons the windows' clusters are their classes.

    Raises:
        SampleError: polygons, classes or groups do not allow it.
    """
    from cpazmal_scale.samples.index import write_index

    windows, state = _windows(config, progress)
    content = hashlib.sha256(windows.to_csv(index=False).encode()).hexdigest()
    name = identity("samples", content, state)
    path = f"samples/{name}.parquet"
    write_index(windows, storage.join(config.workspace, path))
    counts = windows.groupby("class")["group"].agg(["size", "nunique"])
    facts = {
        "windows": {str(code): int(row["size"]) for code, row in counts.iterrows()},
        "groups": {str(code): int(row["nunique"]) for code, row in counts.iterrows()},
        "labels": "polygons" if config.samples.polygons else "clusters",
        "window": config.features.window,
    }
    return workspace.publish(config, "samples", name, path, facts)


def training_data(
    config: RunConfig, *, progress: Progress | None = None
) -> tuple[WindowSeries, pd.DataFrame]:
    """Feature series of the run's samples, and their index.

    Raises:
        StoreMissing: samples were not drawn.
    """
    from cpazmal_scale.samples.index import read_index
    from cpazmal_scale.samples.series import window_series

    entry = workspace.find(config, "samples")
    windows = read_index(workspace.url_of(config, entry))
    windows.attrs["id"] = entry.metadata["id"]
    cube = workspace.open_period(config)
    polarisations = workspace.channels(config, cube)
    return window_series(cube, windows, config.features, polarisations, progress), windows


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
        save_figure(figure, storage.join(config.workspace, name))
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


def query_samples(config: RunConfig, sql: str) -> pd.DataFrame:
    """Answer a SQL query on the table `windows` of the latest samples.

    Raises:
        StoreMissing: samples were not drawn.
        SampleError: the SQL is wrong.
    """
    from cpazmal_scale.samples.query import query

    return query(workspace.url_of(config, workspace.find(config, "samples")), sql)


def verify(config: RunConfig, *, progress: Progress | None = None) -> list[CubeDamaged]:
    """Everything lost or altered in the cubes of a workspace.

    Raises:
        StoreMissing: the workspace has no cube.
    """
    from cpazmal_scale.cube.verify import verify as verify_cube

    cubes = catalog.entries(config.workspace, kind="cube")
    if not cubes:
        workspace.beam_of(config)
    urls = [workspace.url_of(config, cube) for cube in cubes]
    return [finding for url in urls for finding in verify_cube(url, progress=progress)]


def plan_map(config: RunConfig) -> MapPlan:
    """What mapping the cube with its latest model would take; nothing is written.

    Raises:
        StoreMissing: no cube or model was published.
        PlanRefused: a block does not fit the memory of a worker.
    """
    from cpazmal_scale.mapping.plan import plan

    return plan(config, *_model_and_cube(config))


def classify(config: RunConfig, *, progress: Progress | None = None) -> tuple[MapResult, Entry]:
    """Cube and model to a published map; a map that exists is not computed again.

    Raises:
        StoreMissing: no cube or model was published.
        ModelMismatch: the model does not fit the cube.
        PlanRefused: a block does not fit the memory of a worker.
        BlocksFailed: some blocks could not be computed; the map is not published.
    """
    from cpazmal_scale.mapping.run import classify as classify_blocks

    result = classify_blocks(config, *_model_and_cube(config), progress=progress)
    extent = workspace.extent(workspace.open_period(config))
    areas = result.areas
    facts = {
        **extent,
        "shape": list(result.shape),
        "classes": list(result.classes),
        "model": workspace.find(config, "model").metadata["id"],
        "km2": dict(zip(areas["name"], areas["km2"].round(4).tolist(), strict=True)),
    }
    entry = workspace.publish(config, "map", result.id, f"maps/{result.id}.zarr", facts)
    return result, entry


def export_map(config: RunConfig) -> list[str]:
    """The latest map as GeoTIFF and picture, beside it and as the workspace's `map.tif`, `map.png`.

    Raises:
        StoreMissing: no map was published.
    """
    from cpazmal_scale.mapping.export import to_cog
    from cpazmal_scale.mapping.figures import quicklook

    url = workspace.url_of(config, workspace.find(config, "map"))
    stem = url.removesuffix(".zarr")
    made = {"map.tif": to_cog(url, f"{stem}.tif"), "map.png": quicklook(url, f"{stem}.png")}
    for name, source in made.items():
        with storage.open_local(source) as path:
            storage.upload(path, storage.join(config.workspace, name))
    return [storage.join(config.workspace, name) for name in made]


def _model_and_cube(config: RunConfig) -> tuple[str, str]:
    model, cube = (workspace.find(config, kind) for kind in ("model", "cube"))
    return workspace.url_of(config, model), workspace.url_of(config, cube)


def save_figure(figure: Any, url: str) -> None:
    """Store a matplotlib figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    storage.write_bytes(url, buffer.getvalue())


def _windows(config: RunConfig, progress: Progress | None) -> tuple[pd.DataFrame, str]:
    from cpazmal_scale.samples.cluster import self_labelled
    from cpazmal_scale.samples.index import window_index
    from cpazmal_scale.samples.polygons import read_polygons

    cube = workspace.open_period(config)
    polarisations = workspace.channels(config, cube)
    if config.samples.polygons is None:
        windows = self_labelled(
            cube, config.samples, config.features, config.seed, polarisations, progress
        )
    else:
        windows = window_index(
            cube,
            read_polygons(config.samples.polygons, config.samples.classes),
            config.samples,
            config.features,
            seed=config.seed,
            polarisations=polarisations,
            progress=progress,
        )
    return windows, str(cube.attrs["state"])
