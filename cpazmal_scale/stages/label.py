"""The page on which polygons are labelled, or the points of an area estimate interpreted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale.config.methods import BEST, method
from cpazmal_scale.errors import ModelMismatch, SampleError, StoreMissing
from cpazmal_scale.stages import workspace

if TYPE_CHECKING:
    import xarray as xr

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.cube import ChunkReader
    from cpazmal_scale.label import Decisive, Desk
    from cpazmal_scale.mapping import Source

FILE = "labels.gpkg"
"""Polygons of a workspace whose run names none."""


def polygons(config: RunConfig) -> Desk:
    """Everything the page needs to draw and name the polygons of a run.

    They are those of `samples.polygons`, or of a new file in the workspace. The latest map of the
    run's beam is shown and says where a label helps, if there is one on the cube's grid.

    Raises:
        StoreMissing: there is no cube.
        SampleError: the polygons cannot be edited, or no date lies in the period.
        WriterConflict: another page edits them.
    """
    from cpazmal_scale.label import Session

    cube = workspace.open_period(config)
    url = config.samples.polygons or storage.join(storage.absolute(config.workspace), FILE)
    crs = None if config.samples.polygons else cube.rio.crs.to_wkt()
    source = _map(config, cube)
    return _desk(
        config,
        cube,
        Session(url, config.workspace, crs=crs),
        source=source,
        errors=_errors(config),
        known=(*(config.samples.classes or ()), *(source.recipe.classes if source else ())),
    )


def points(config: RunConfig, units: str, classes: tuple[str, ...] = ()) -> Desk:
    """Everything the page needs to interpret points of `areas design`, the map unseen.

    Args:
        config: the run.
        units: the file of points.
        classes: what they may be; none: the classes of the run's map, by name alone.

    Raises:
        StoreMissing: there is no cube or no such file.
        SampleError: it holds no units.
    """
    from cpazmal_scale.label import UNITS, Session

    cube = workspace.open_period(config)
    source = _map(config, cube)
    session = Session(units, config.workspace, rows=UNITS)
    if session.table.absent or not len(session.layer):
        session.close()
        raise SampleError(
            "holds no points with columns `unit` and `reference`",
            where=units,
            remedy="draw them with `cpazmal areas design`",
        )
    known = classes or config.samples.classes or (source.recipe.classes if source else ())
    return _desk(config, cube, session, known=tuple(known), units=True)


def _desk(config: RunConfig, cube: xr.Dataset, session: object, **others: object) -> Desk:
    from cpazmal_scale.label import Desk, Overviews

    made: Desk = Desk(
        session=session,  # type: ignore[arg-type]
        cube=cube,
        reader=_reader(config, cube),
        features=config.features,
        overviews=Overviews(storage.join(storage.absolute(config.workspace), "labels/overviews")),
        **others,  # type: ignore[arg-type]
    )
    return made


def _reader(config: RunConfig, cube: xr.Dataset) -> ChunkReader:
    import numpy as np

    from cpazmal_scale.cube import ChunkReader

    url = workspace.url_of(config, workspace.find(config, "cube"))
    dates = np.datetime_as_string(cube["time"].to_numpy(), unit="s").tolist()
    return ChunkReader.open(url, workspace.channels(config, cube), tuple(dates))


def _map(config: RunConfig, cube: xr.Dataset) -> Source | None:
    """The latest map, if it is one of classes on the cube's grid."""
    from cpazmal_scale.grid.cf import grid_of
    from cpazmal_scale.mapping import open_source

    try:
        source = open_source(workspace.url_of(config, workspace.find(config, "map")))
    except (StoreMissing, ModelMismatch):
        return None
    return source if source.grid.geobox == grid_of(cube) else None


def _errors(config: RunConfig) -> list[Decisive]:
    """The groups that decide the errors of the model's method in the run's last report."""
    from cpazmal_scale.label import decisive

    name = config.classify.method
    try:
        if name == BEST:
            name = workspace.find(config, "model").metadata.get("method", "sum")
        split = "" if config.assess.split == "stratified" else f"-{config.assess.split}"
        folder = config.assess.report or f"report{split}"
        url = storage.join(config.workspace, folder, "errors_by_polygon.csv")
        return decisive(storage.read_bytes(url).decode(), method(name).name)
    except StoreMissing:
        return []
