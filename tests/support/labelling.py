"""A workspace with a small cube and its map, and a GeoPackage as a user's GIS leaves it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import geopandas
import numpy as np
import shapely

from cpazmal_scale.config import RunConfig
from cpazmal_scale.mapping import map_cube
from cpazmal_scale.stages import workspace
from cpazmal_scale.stages.ingest import publish_cube
from support.small_campaign import UTM, make_cube, make_model
from support.small_campaign import workspace as run_in

Shape = tuple[str, str, shapely.Polygon]
"""Class, group and place of a polygon."""


def square(row: float, column: float, size: float) -> shapely.Polygon:
    """A square of pixels of the small campaign, in its UTM zone."""
    x, y = UTM.transform * (column, row)
    return shapely.box(x, y - 3 * size, x + 3 * size, y)


def ragged(row: float, column: float, size: float, corners: int = 24) -> shapely.Polygon:
    """A polygon of many corners with coordinates of many digits."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = size / 2 * (1 + 0.3 * np.sin(5 * turn))
    x, y = UTM.transform * (column + reach * np.cos(turn), row + reach * np.sin(turn))
    return shapely.Polygon(np.stack([x, y], 1))


def polygons_of(shapes: list[Shape]) -> geopandas.GeoDataFrame:
    codes, groups, shapes_ = zip(*shapes, strict=True)
    return geopandas.GeoDataFrame(
        {"class": codes, "group": groups, "who": [f"mapper {i}" for i in range(len(codes))]},
        geometry=list(shapes_),
        crs="EPSG:32632",
    )


STANDARD: tuple[Shape, ...] = (
    ("ABL", "ABL001", ragged(12, 12, 16)),
    ("ABL", "ABL002", ragged(30, 14, 14)),
    ("ACC", "ACC001", square(8, 34, 12)),
    ("ICA", "7", square(48, 60, 14)),
)


def users_file(path: Path, crs: str = "EPSG:4326", shapes: Sequence[Shape] = STANDARD) -> Path:
    """Polygons in another CRS than the cube's, with a second layer, a style and a note in it."""
    polygons_of(list(shapes)).to_crs(crs).to_file(path, driver="GPKG", layer="polygons")
    notes = geopandas.GeoDataFrame({"note": ["x"]}, geometry=[shapely.Point(7, 46)], crs=4326)
    notes.to_file(path, driver="GPKG", layer="notes", mode="a")
    database = sqlite3.connect(path)
    with database:
        database.execute("CREATE TABLE layer_styles (id INTEGER PRIMARY KEY, styleQML TEXT)")
        database.execute("INSERT INTO layer_styles VALUES (1, '<qgis>…</qgis>')")
    database.close()
    return path


def mapped_workspace(folder: Path) -> RunConfig:
    """A run whose cube and map are published, with 10 dates of HH and 9 of HV."""
    config = run_in(folder, beam="DSC_1")
    cube = make_cube(f"{folder}/cubes/DSC_1.zarr")
    publish_cube(config, "DSC_1")
    made = map_cube(config, make_model(f"{folder}/models/m.zarr"), cube)
    path = made.url.removeprefix(str(folder)).lstrip("/")
    workspace.publish(config, "map", made.id, path, {})
    return config
