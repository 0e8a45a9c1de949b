"""What a report shows of windows, model and map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale.config.methods import method
from cpazmal_scale.errors import StoreMissing
from cpazmal_scale.stages import workspace

if TYPE_CHECKING:
    import pandas as pd

    from cpazmal_scale.assess import Picture, Portraits
    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.samples import WindowSeries

SUM = "sum"
_TYPICAL = "{} of the model, over the middle half of the windows they stand for"


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


def _typical_series(config: RunConfig) -> Picture | None:
    """What the latest model of the run's beam stands for, if there is one."""
    try:
        model = workspace.find(config, "model")
    except StoreMissing:
        return None
    typical = method(model.metadata.get("method", SUM)).typical.capitalize()
    return _picture(config, f"models/{model.fact('id')}.png", _TYPICAL.format(typical))


def _picture(config: RunConfig, path: str, caption: str) -> Picture | None:
    """A picture that another stage left in the workspace, if it is there."""
    from cpazmal_scale.assess import Picture

    there = storage.exists(storage.join(config.workspace, path))
    return Picture(path, caption) if there else None
