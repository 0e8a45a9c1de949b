"""A map as polygons: one feature per patch, in a GeoPackage or GeoParquet file."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.grid.areas import PixelAreas, pixel_areas
from cpazmal_scale.grid.cf import grid_of
from cpazmal_scale.mapping.classify.store import legend_of, open_map
from cpazmal_scale.mapping.show.export import rows_of
from cpazmal_scale.mapping.show.patches import Patch, patches
from cpazmal_scale.palette import REJECTED as REJECTED_COLOUR
from cpazmal_scale.vocabulary import REJECTED

if TYPE_CHECKING:
    import geopandas
    import xarray as xr

    from cpazmal_scale.legend import Legend

GEOPACKAGE, PARQUET = ".gpkg", (".parquet", ".geoparquet")
_TOGETHER = 20_000
"""Polygons held before they are written."""


def to_polygons(map_url: str, url: str) -> int:
    """Write the patches of a finished map, of equal class and connected over edges.

    Columns: `class`, `name`, `glacier`, `colour`, `value` as in the map, `pixels`, `area_m2` (on
    the ellipsoid). Rejected pixels have the class `rejected`, those
    without data are in no polygon. The map is read strip by strip; a polygon does not depend on
    them. Memory holds a strip, some thousand polygons and those that the strip cuts.

    Args:
        map_url: a finished map.
        url: file to write, `.gpkg` or `.parquet`, any fsspec URL.

    Returns:
        How many polygons there are.

    Raises:
        ConfigError: the suffix is neither.
        StoreError: the map is not finished, or the address cannot be written.
    """
    suffix = PurePosixPath(url).suffix.lower()
    if suffix != GEOPACKAGE and suffix not in PARQUET:
        raise ConfigError(
            f"`{suffix}` is no suffix of a file of polygons",
            where=url,
            remedy="write .gpkg for a GeoPackage or .parquet for GeoParquet",
        )
    data = open_map(map_url)
    write = _geopackage if suffix == GEOPACKAGE else _parquet
    with storage.local_scratch() as folder:
        path = folder / f"polygons{suffix}"
        count = write(_tables(data), path)
        storage.upload(path, url)
    return count


def _tables(data: xr.Dataset) -> Iterator[geopandas.GeoDataFrame]:
    """Features of a map, some thousand at a time; one empty table where there is none."""
    classes = data["class"]
    strips = ((rows, classes[rows].values) for rows in rows_of(classes))
    every = patches(strips)
    named, grid = legend_of(data), grid_of(data)
    areas = pixel_areas(grid)
    batches = iter(lambda: list(itertools.islice(every, _TOGETHER)), [])
    for batch in itertools.chain([next(batches, [])], batches):
        yield _table(batch, named, areas, grid)


def _table(
    batch: list[Patch], named: Legend, areas: PixelAreas, grid: Any
) -> geopandas.GeoDataFrame:
    import geopandas
    import shapely

    codes = [named.classes[p.value - 1] if p.value < REJECTED else "rejected" for p in batch]
    shapes = np.array([patch.shape for patch in batch], dtype=object)
    matrix = grid.transform
    placed = shapely.transform(
        shapes,
        lambda at: np.stack(
            [
                matrix.a * at[:, 0] + matrix.b * at[:, 1] + matrix.c,
                matrix.d * at[:, 0] + matrix.e * at[:, 1] + matrix.f,
            ],
            axis=1,
        ),
    )
    columns = {
        "class": np.array(codes, object),
        "name": np.array([named.name(code) for code in codes], object),
        "glacier": np.array([code in named.glacier for code in codes], bool),
        "colour": np.array([named.colours.get(code, REJECTED_COLOUR) for code in codes], object),
        "value": np.array([patch.value for patch in batch], np.int32),
        "pixels": np.rint(shapely.area(shapes)).astype(np.int64),
        "area_m2": np.array([_area(patch.shape, areas) for patch in batch], np.float64),
    }
    return geopandas.GeoDataFrame(columns, geometry=placed, crs=str(grid.crs))


def _area(shape: Any, areas: PixelAreas) -> float:
    """m² of a polygon of whole rows and columns: the sum over its edges of the area above them."""
    rings = []
    for ring in (shape.exterior, *shape.interiors):
        columns, rows = np.asarray(ring.coords).astype(np.int64).T
        above = areas.above(rows[:-1], columns[1:]) - areas.above(rows[:-1], columns[:-1])
        rings.append(abs(float(above.sum())))
    return rings[0] - sum(rings[1:])


def _geopackage(tables: Iterator[geopandas.GeoDataFrame], path: Path) -> int:
    import pyogrio

    count = 0
    for table in tables:
        pyogrio.write_dataframe(
            table, path, layer="map", append=path.exists(), geometry_type="Polygon"
        )
        count += len(table)
    return count


def _parquet(tables: Iterator[geopandas.GeoDataFrame], path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    count, writer = 0, None
    for table in tables:
        plain = table.drop(columns="geometry").assign(geometry=table.geometry.to_wkb())
        made = pa.Table.from_pandas(plain, preserve_index=False)
        if writer is None:
            fields = [
                pa.field(f.name, pa.binary() if f.name == "geometry" else f.type)
                for f in made.schema
            ]
            schema = pa.schema(fields, metadata={b"geo": _geo(table).encode()})
            writer = pq.ParquetWriter(path, schema, compression="zstd")
        writer.write_table(made.cast(writer.schema))
        count += len(table)
    if writer is not None:
        writer.close()
    return count


def _geo(table: geopandas.GeoDataFrame) -> str:
    """The file metadata of GeoParquet 1.1."""
    crs: Any = table.crs
    column = {
        "encoding": "WKB",
        "geometry_types": ["Polygon"],
        "crs": crs.to_json_dict(),
        "edges": "planar",
    }
    return json.dumps(
        {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    )
