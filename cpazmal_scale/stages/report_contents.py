"""The report's facts about the campaign, and its pictures of windows, model and map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale import words as say
from cpazmal_scale.config.methods import method
from cpazmal_scale.errors import StoreMissing
from cpazmal_scale.grid.raster_files import open_plain
from cpazmal_scale.stages import workspace

if TYPE_CHECKING:
    import pandas as pd

    from cpazmal_scale.assess import Campaign, Picture, Portraits
    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.samples import WindowSeries

SUM = "sum"
_TYPICAL = "{} of the model, over the middle half of the windows they stand for"
_MEANS = ". Dashed: the mean of these windows on each date"


def campaign(config: RunConfig, series: WindowSeries, mapped: Mapping[str, float]) -> Campaign:
    """Facts of the first table of a report; `mapped` is the share below the floor by channel."""
    from cpazmal_scale.assess import Campaign

    if workspace.has_table(config):
        return Campaign(
            beam=workspace.beam_of(config),
            channels=", ".join(workspace.channels(config)),
            first_date=str(series.dates[0])[:10],
            last_date=str(series.dates[-1])[:10],
            dates=len(series.dates),
            shape=(len(series.values), 1),
            pixel="a series each",
            crs="from a table",
            features=series.names,
        )
    cube = workspace.open_period(config)
    facts = workspace.extent(cube)
    width = abs(float(cube["x"][1] - cube["x"][0]))
    unit = "°" if cube.rio.crs.is_geographic else " m"
    return Campaign(
        beam=facts["beam"],
        channels=workspace.held(cube, workspace.channels(config, cube))["channels"],
        first_date=facts["start"],
        last_date=facts["end"],
        dates=facts["shape"][0],
        shape=(facts["shape"][1], facts["shape"][2]),
        pixel=f"{width:.6g}{unit}",
        crs=facts["crs"],
        features=series.names,
        window=say.window(config.features.window, width, unit),
        floor_db=config.features.floor_db,
        floored=series.floored,
        mapped_floored=mapped,
        simulated=_is_simulated(config.assess.truth),
    )


def portraits(
    config: RunConfig, series: WindowSeries, windows: pd.DataFrame, classes: tuple[str, ...]
) -> Portraits:
    """Backscatter of the windows, typical pairs and the typical series of the latest model."""
    from cpazmal_scale.assess import Portraits, backscatter, typical_pairs
    from cpazmal_scale.legend import legend

    seen = None
    if not workspace.has_table(config):
        cube = workspace.open_period(config)
        channels = workspace.channels(config, cube)
        # Windows of other cubes are not in this one.
        own = windows[windows["site"] == ""] if "site" in windows else windows
        seen = backscatter(cube, own, classes, channels, config.features)
    return Portraits(
        legend(classes, workspace.with_legend(config, classes).legend).colours,
        seen,
        typical_pairs(series, windows["class"].to_numpy(str), classes, config.dtw),
        _typical_series(config),
    )


def map_picture(config: RunConfig, identity: str) -> tuple[Picture, ...]:
    """The picture of a map of the workspace, if it was exported."""
    found = _picture(config, f"maps/{identity}.png", "Map of the classes")
    return () if found is None else (found,)


def _is_simulated(truth: str | None) -> bool:
    """Whether the reference says that it was simulated."""
    if truth is None:
        return False
    with storage.open_local(truth) as path, open_plain(path, "GTiff") as raster:
        return bool(raster.tags().get("simulated") == "yes")


def _typical_series(config: RunConfig) -> Picture | None:
    """What the latest model of the run's beam stands for, if there is one."""
    try:
        model = workspace.find(config, "model")
    except StoreMissing:
        return None
    row = method(model.metadata.get("method", SUM))
    typical = (
        f"{row.typical.capitalize()}, {row.aligned}," if row.aligned else row.typical.capitalize()
    )
    caption = _TYPICAL.format(typical) + (_MEANS if row.aligned else "")
    return _picture(config, f"models/{model.fact('id')}.png", caption)


def _picture(config: RunConfig, path: str, caption: str) -> Picture | None:
    """A picture that another stage left in the workspace, if it is there."""
    from cpazmal_scale.assess import Picture

    there = storage.exists(storage.join(config.workspace, path))
    return Picture(path, caption) if there else None
