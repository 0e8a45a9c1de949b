"""Cube and polygons to labelled windows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig, identity
from cpazmal_scale.errors import SampleError
from cpazmal_scale.progress import Progress
from cpazmal_scale.stages import workspace

if TYPE_CHECKING:
    import pandas as pd

    from cpazmal_scale.catalog import Entry
    from cpazmal_scale.samples import WindowSeries


def draw_samples(config: RunConfig, *, progress: Progress | None = None) -> Entry:
    """Labelled windows of a cube; without polygons the windows' clusters are their classes.

    Raises:
        SampleError: polygons, classes or groups do not allow it.
    """
    from cpazmal_scale.samples import BY_DATE, write_index

    windows, state = _windows(config, progress)
    plain = windows.drop(columns=list(BY_DATE))
    content = hashlib.sha256(plain.to_csv(index=False).encode()).hexdigest()
    name = identity("samples", content, state)
    path = f"samples/{name}.parquet"
    write_index(windows, storage.join(config.workspace, path))
    counts = windows.groupby("class")["group"].agg(["size", "nunique"])
    facts: dict[str, Any] = {
        "windows": {str(code): int(row["size"]) for code, row in counts.iterrows()},
        "groups": {str(code): int(row["nunique"]) for code, row in counts.iterrows()},
        "labels": "polygons" if config.samples.polygons else "clusters",
        "window": config.features.window,
    }
    if "legend" in windows.attrs:
        facts["legend"] = windows.attrs["legend"]
    if "stability" in windows.attrs:
        facts["stability"] = round(windows.attrs["stability"], 3)
    return workspace.publish(config, "samples", name, path, facts)


def training_data(
    config: RunConfig, *, progress: Progress | None = None
) -> tuple[WindowSeries, pd.DataFrame]:
    """Feature series of the run's samples, and their index.

    Raises:
        StoreMissing: samples were not drawn.
        SampleError: the period has fewer dates than `dtw.min_dates`.
    """
    from cpazmal_scale.samples import read_index, window_series

    entry = workspace.find(config, "samples")
    cube = workspace.open_period(config)
    dates = int(cube.sizes["time"])
    if dates < config.dtw.min_dates:
        raise SampleError(
            f"{dates} dates in this period, dtw.min_dates asks for {config.dtw.min_dates}",
            where=config.workspace,
            remedy="widen `start`, `end` and `months`, ingest more scenes, or lower dtw.min_dates",
        )
    windows = read_index(workspace.url_of(config, entry))
    windows.attrs["id"] = entry.fact("id")
    polarisations = workspace.channels(config, cube)
    return window_series(cube, windows, config.features, polarisations, progress), windows


def query_samples(config: RunConfig, sql: str) -> tuple[pd.DataFrame, str]:
    """Answer a SQL query on the latest samples; with what there would be if it has no row.

    Raises:
        StoreMissing: samples were not drawn.
        SampleError: the SQL is wrong.
    """
    from cpazmal_scale.samples import nothing, query

    url = workspace.url_of(config, workspace.find(config, "samples"))
    answer = query(sql, url)
    return answer, "" if len(answer) else nothing(url)


def _windows(config: RunConfig, progress: Progress | None) -> tuple[pd.DataFrame, str]:
    from cpazmal_scale.legend import require_known
    from cpazmal_scale.samples import read_polygons, self_labelled, window_index

    cube = workspace.open_period(config)
    polarisations = workspace.channels(config, cube)
    if config.samples.polygons is None:
        windows = self_labelled(
            cube, config.samples, config.features, config.seed, polarisations, progress
        )
    else:
        polygons = read_polygons(config.samples.polygons, config.samples.classes)
        known = {*polygons["class"], *(config.samples.classes or ()), *_said(polygons)}
        require_known(config.legend, known, where="legend")
        windows = window_index(
            cube,
            polygons,
            config.samples,
            config.features,
            seed=config.seed,
            polarisations=polarisations,
            progress=progress,
        )
    return windows, str(cube.attrs["state"])


def _said(polygons: Any) -> dict[str, Any]:
    """What the polygons' columns say of classes, plain values."""
    return dict(polygons.attrs.get("legend", {}))
