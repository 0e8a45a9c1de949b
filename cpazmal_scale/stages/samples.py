"""Cube and polygons to labelled windows."""

from __future__ import annotations

import hashlib
import logging
import math
from typing import TYPE_CHECKING, Any

from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig, identity
from cpazmal_scale.errors import SampleError
from cpazmal_scale.progress import Progress
from cpazmal_scale.stages import reuse, workspace
from cpazmal_scale.vocabulary import CLUSTERS
from cpazmal_scale.words import many

if TYPE_CHECKING:
    import geopandas
    import pandas as pd
    import xarray as xr

    from cpazmal_scale.catalog import Entry
    from cpazmal_scale.samples import WindowSeries

_LOG = logging.getLogger(__name__)


def draw_samples(config: RunConfig, *, progress: Progress | None = None) -> Entry:
    """Labelled windows of a cube; without polygons the windows' clusters are their classes.

    Windows that were drawn from the same cube, polygons and settings are not drawn again. With
    `samples.table.url`, the labelled series of a table instead.

    Raises:
        SampleError: polygons, classes or groups, or the table, do not allow it.
    """
    from cpazmal_scale.samples import BY_DATE, read_index, write_index

    if workspace.has_table(config):
        return _import_table(config)

    cube, polygons = workspace.open_period(config), _polygons(config)
    unnamed = None if polygons is None else without_names(polygons, config)
    if unnamed is not None:
        _LOG.warning(unnamed)
    inputs = reuse.of_samples(config, cube, polygons)
    found = reuse.found(config, "samples", inputs, read_index)
    if found is not None:
        return found
    windows, state = _windows(config, cube, polygons, progress), str(cube.attrs["state"])
    plain = windows.drop(columns=list(BY_DATE))
    content = hashlib.sha256(plain.to_csv(index=False).encode()).hexdigest()
    name = identity("samples", content, state)
    path = f"samples/{name}.parquet"
    write_index(windows, storage.join(config.workspace, path))
    facts: dict[str, Any] = {
        **_counts(windows),
        "labels": "polygons" if config.samples.polygons else CLUSTERS,
        "window": config.features.window,
        "inputs": inputs,
    }
    if "legend" in windows.attrs:
        facts["legend"] = windows.attrs["legend"]
    if math.isfinite(windows.attrs.get("stability", math.nan)):
        facts["stability"] = round(windows.attrs["stability"], 3)
    return workspace.publish(config, "samples", name, path, facts)


def without_names(table: pd.DataFrame, config: RunConfig) -> str | None:
    """A note on classes of polygons that are numbers without a name; none: all have one."""
    named = {**table.attrs.get("legend", {}), **config.legend}
    codes = table["class"].unique()
    bare = sorted((code for code in codes if code.isdecimal() and code not in named), key=int)
    if not bare:
        return None
    return (
        f"classes {', '.join(bare)} are numbers: name them in a column `name` or in `legend`, and "
        "maps and reports say what they are"
    )


def _import_table(config: RunConfig) -> Entry:
    """The labelled series of a table, published as samples."""
    from cpazmal_scale.samples import channels_of, import_table, write_series

    made = import_table(config.samples)
    plain = made.map(lambda value: value.tolist() if hasattr(value, "tolist") else value)
    name = identity("series", hashlib.sha256(plain.to_json().encode()).hexdigest())
    path = f"samples/{name}.parquet"
    write_series(made, storage.join(config.workspace, path))
    facts = {
        **_counts(made),
        "labels": "table",
        "polarisations": list(channels_of(made)),
        "start": str(min(one.min() for one in made["dates"]))[:10],
        "end": str(max(one.max() for one in made["dates"]))[:10],
    }
    return workspace.publish(config, "samples", name, path, facts)


def _counts(windows: pd.DataFrame) -> dict[str, Any]:
    """Windows and groups of every class."""
    counts = windows.groupby("class")["group"].agg(["size", "nunique"])
    return {
        "windows": {str(code): int(row["size"]) for code, row in counts.iterrows()},
        "groups": {str(code): int(row["nunique"]) for code, row in counts.iterrows()},
    }


def training_data(
    config: RunConfig, *, progress: Progress | None = None
) -> tuple[WindowSeries, pd.DataFrame]:
    """Feature series of the run's samples, and their index.

    Those of the cubes of `samples.also` follow, on the dates of the run's own.

    Raises:
        StoreMissing: samples were not drawn.
        SampleError: the period has fewer dates than `dtw.min_dates`.
    """
    if workspace.has_table(config):
        return _table_data(config)
    own = _cube_data(config, progress)
    if not config.samples.also:
        return own
    from cpazmal_scale.stages.sites import joined, sites

    others = [(site, _cube_data(site.config, None)) for site in sites(config)]
    return joined(config, own, others)


def _table_data(config: RunConfig) -> tuple[WindowSeries, pd.DataFrame]:
    """The same of a table."""
    from cpazmal_scale.samples import imported_series, read_series

    entry = workspace.find(config, "samples")
    made = read_series(workspace.url_of(config, entry))
    made.attrs["id"] = entry.fact("id")
    channels = workspace.channels(config)
    return imported_series(made, config.features, channels, config.dtw), made


def _cube_data(config: RunConfig, progress: Progress | None) -> tuple[WindowSeries, pd.DataFrame]:
    """The same of one cube."""
    from cpazmal_scale.samples import read_index, window_series

    entry = workspace.find(config, "samples")
    cube = workspace.open_period(config)
    dates = int(cube.sizes["time"])
    if dates < config.dtw.min_dates:
        raise SampleError(
            f"{many(dates, 'date')} in this period, dtw.min_dates asks for {config.dtw.min_dates}",
            where=config.workspace,
            remedy="widen `start`, `end` and `months`, ingest more scenes, or lower dtw.min_dates",
        )
    if "noise_limited" in config.features.masked:
        _LOG.warning(
            "features.masked has noise_limited: of dark ground it leaves the bright speckle alone, "
            "in every channel, and levels come out too high; leave it out, or a dark channel by "
            "`polarisations`"
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

    entry = workspace.find(config, "samples")
    if entry.metadata.get("labels") == "table":
        raise SampleError(
            "series of a table are no windows that SQL could choose among",
            where=entry.name,
            remedy="open them as a table: catalog.read(workspace, name), or the file with pandas",
        )
    url = workspace.url_of(config, entry)
    answer = query(sql, url)
    return answer, "" if len(answer) else nothing(url)


def _polygons(config: RunConfig) -> geopandas.GeoDataFrame | None:
    """The run's polygons, once its legend speaks of their classes alone; none: clusters."""
    from cpazmal_scale.legend import require_known
    from cpazmal_scale.samples import read_polygons

    if config.samples.polygons is None:
        return None
    polygons = read_polygons(config.samples.polygons, config.samples.classes)
    said = polygons.attrs.get("legend", {})
    known = {*polygons["class"], *(config.samples.classes or ()), *said}
    require_known(config.legend, known, where="legend")
    return polygons


def _windows(
    config: RunConfig,
    cube: xr.Dataset,
    polygons: geopandas.GeoDataFrame | None,
    progress: Progress | None,
) -> pd.DataFrame:
    from cpazmal_scale.samples import self_labelled, window_index

    channels, rules = workspace.channels(config, cube), config.samples
    if polygons is None:
        return self_labelled(cube, rules, config.features, config.seed, channels, progress)
    return window_index(
        cube,
        polygons,
        rules,
        config.features,
        seed=config.seed,
        polarisations=channels,
        progress=progress,
    )
