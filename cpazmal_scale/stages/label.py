"""The page on which polygons are labelled, or the points of an area estimate interpreted."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale.config.methods import BEST, method
from cpazmal_scale.errors import SampleError, StoreMissing
from cpazmal_scale.stages import workspace

if TYPE_CHECKING:
    import xarray as xr

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.label import Decisive, Desk, Layers
    from cpazmal_scale.view import Held, ShownMap

FILE = "labels.gpkg"
"""Polygons of a workspace whose run names none."""
MEMORY = 512 << 20
"""Bytes of decoded chunks that are kept."""


def polygons(config: RunConfig) -> Desk:
    """Everything the page needs to draw and name the polygons of a run.

    They are those of `samples.polygons`, or of a new file in the workspace. The latest map of the
    run's beam is shown and says where a label helps, if there is one on the cube's grid.

    Raises:
        StoreMissing: there is no cube.
        SampleError: the polygons cannot be edited, or no date lies in the period.
        WriterConflict: another page edits them.
    """
    from cpazmal_scale.label import Desk, Session
    from cpazmal_scale.legend import merged
    from cpazmal_scale.mapping import legend_of

    cube = workspace.open_period(config)
    layers = _layers(config, cube)
    source = _map(config, cube, layers.cube.held)
    url = config.samples.polygons or storage.join(storage.absolute(config.workspace), FILE)
    crs = None if config.samples.polygons else cube.rio.crs.to_wkt()
    known = (*(config.samples.classes or ()), *(source.recipe.classes if source else ()))
    return Desk(
        session=Session(url, config.workspace, crs=crs),
        cube=cube,
        layers=replace(layers, map=source),
        errors=_errors(config),
        known=known,
        styles=merged(legend_of(source.data).given if source else {}, config.legend),
    )


def points(config: RunConfig, units: str) -> Desk:
    """Everything the page needs to interpret points of `areas design`, the map unseen.

    They may be of `samples.classes`, or of the classes of the run's map.

    Raises:
        StoreMissing: there is no cube or no such file.
        SampleError: it holds no units.
        WriterConflict: another page edits them.
    """
    from cpazmal_scale.label import UNITS, Desk, Session
    from cpazmal_scale.mapping import read_recipe

    cube = workspace.open_period(config)
    classes = config.samples.classes
    if classes is None:
        with contextlib.suppress(StoreMissing):
            latest = workspace.url_of(config, workspace.find(config, "map"))
            classes = read_recipe(latest).classes
    session = Session(units, config.workspace, rows=UNITS)
    if session.table.absent or not len(session.layer):
        session.close()
        raise SampleError(
            "holds no points with columns `unit` and `reference`",
            where=units,
            remedy="draw them with `cpazmal areas design`",
        )
    return Desk(
        session=session,
        cube=cube,
        layers=_layers(config, cube),
        known=classes or (),
        styles=config.legend,
        units=True,
    )


def _layers(config: RunConfig, cube: xr.Dataset) -> Layers:
    import numpy as np

    from cpazmal_scale.label import Layers
    from cpazmal_scale.view import Held, ShownCube

    url = workspace.url_of(config, workspace.find(config, "cube"))
    dates = np.datetime_as_string(cube["time"].to_numpy(), unit="s").tolist()
    shown = ShownCube.open(url, tuple(dates), Held(MEMORY))
    return Layers(shown, workspace.channels(config, cube), config.features)


def _map(config: RunConfig, cube: xr.Dataset, held: Held) -> ShownMap | None:
    """The latest map, if it is one of classes on the cube's grid."""
    from cpazmal_scale.grid.cf import grid_of
    from cpazmal_scale.view import ShownMap

    try:
        url = workspace.url_of(config, workspace.find(config, "map"))
    except StoreMissing:
        return None
    shown = ShownMap.open(url, held)
    if shown.grid == grid_of(cube) and "change" not in shown.layers:
        return shown
    shown.close()
    return None


def _errors(config: RunConfig) -> list[Decisive]:
    """The groups that decide the errors of the model's method in the run's last report."""
    from cpazmal_scale.assess import read_errors
    from cpazmal_scale.label import decisive

    name = config.classify.method
    try:
        if name == BEST:
            name = workspace.find(config, "model").metadata.get("method", "sum")
        split = "" if config.assess.split == "stratified" else f"-{config.assess.split}"
        folder = config.assess.report or f"report{split}"
        rows = read_errors(storage.join(config.workspace, folder))
        return decisive(rows, method(name).name)
    except StoreMissing:
        return []
