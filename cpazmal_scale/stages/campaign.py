"""What a report says of the campaign that was mapped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale import words as say
from cpazmal_scale.stages import workspace

if TYPE_CHECKING:
    from cpazmal_scale.assess import Campaign
    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.samples import WindowSeries


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


def _is_simulated(truth: str | None) -> bool:
    """Whether the reference says that it was simulated."""
    import rasterio

    if truth is None:
        return False
    with storage.open_local(truth) as path, rasterio.open(path, driver="GTiff") as raster:
        return bool(raster.tags().get("simulated") == "yes")
