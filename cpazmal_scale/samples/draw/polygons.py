"""Labelled polygons, checked before anything is read from a cube."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import SampleError
from cpazmal_scale.grid.vectors import read_vectors
from cpazmal_scale.legend import plain, require_one_spelling
from cpazmal_scale.samples.draw.styles import styles_of
from cpazmal_scale.storage import seal
from cpazmal_scale.words import listed

if TYPE_CHECKING:
    import geopandas


_KEPT = ("rejected", "no data", "no_data")
"""What maps and their tables call pixels without a class, in small letters."""


def read_polygons(url: str, classes: Sequence[str] | None = None) -> geopandas.GeoDataFrame:
    """Read a GeoPackage, GeoJSON or (zipped) shapefile of labelled polygons.

    Args:
        url: any fsspec URL.
        classes: classes wanted; none: all there are.

    Returns:
        As `checked_polygons`.

    Raises:
        ConfigError, SampleError: as `checked_polygons`; or the file is unreadable.
        StoreMissing: nothing is there.
    """
    return checked_polygons(read_vectors(url), classes, url)


def checked_polygons(
    given: geopandas.GeoDataFrame,
    classes: Sequence[str] | None = None,
    where: str = "the polygons",
) -> geopandas.GeoDataFrame:
    """A table of labelled polygons as it is used, whether it was read or made.

    Args:
        given: columns `class` and `group`, of any type and case, and polygons.
        classes: classes wanted; none: all there are.
        where: what errors name.

    Returns:
        One row per class and group with text columns `class` and `group` and a valid `geometry`,
        in the CRS given, sorted by class and group. Self-intersections are repaired; parts
        without area are dropped. `attrs["legend"]` is what other columns say of all classes of
        the table (`samples.draw.styles`), or what it says itself, if anything.

    Raises:
        ConfigError: a column of the legend cannot be understood.
        SampleError: no CRS, no column `class` or `group`, empty labels, classes that differ in
            capitals or blanks alone or are called as no class is, a geometry that is not a
            polygon, a class that is absent or has fewer than two groups.
    """
    if given.crs is None:
        raise SampleError("no CRS", where=where, remedy="say which one by `set_crs`")
    named = given.active_geometry_name == "geometry"
    table = _labelled(given if named else given.rename_geometry("geometry"), where)
    said = given.attrs.get("legend") or plain(styles_of(table, where))
    if classes is not None:
        absent = [name for name in classes if name not in set(table["class"])]
        if absent:
            raise SampleError(
                f"no polygon of class {', '.join(absent)}",
                where=where,
                remedy=f"set samples.classes among {listed(sorted(set(table['class'])), absent)}",
            )
        table = table[table["class"].isin(list(classes))]
    with seal.parsing("its shapes cannot be used", where, "draw the polygons again", SampleError):
        table["geometry"] = [
            _polygonal(shape, f"{where}: group {group}")
            for shape, group in zip(table.geometry, table["group"], strict=True)
        ]
        table = table.dissolve(["class", "group"], as_index=False)[["class", "group", "geometry"]]
        table.to_crs("EPSG:4326")
    require_groups(table, where=where)
    table.attrs = {"legend": said} if said else {}
    return table


def require_groups(
    table: Any,
    *,
    where: object,
    classes: Sequence[str] | None = None,
    remedy: str | None = None,
) -> None:
    """Check that each class has two groups, the least that can be trained on and tested on.

    Args:
        table: columns `class` and `group`.
        where: what an error names.
        classes: that are wanted; none: those that are there.
        remedy: of too few groups; none: to draw polygons.

    Raises:
        SampleError: naming the first class with fewer.
    """
    found = table.groupby("class")["group"].nunique()
    for name in found.index if classes is None else classes:
        groups = int(found.get(name, 0))
        if groups < 2:
            polygons = f"draw polygons of {name} in at least two groups that the cube covers"
            raise SampleError(
                f"class {name} has {groups} usable group{'' if groups == 1 else 's'}, not two",
                where=where,
                remedy=f"{remedy or polygons}, or leave it out of samples.classes",
            )


def _labelled(table: geopandas.GeoDataFrame, where: str) -> geopandas.GeoDataFrame:
    if len(table) == 0:
        raise SampleError("holds no polygon", where=where, remedy="draw polygons and save them")
    columns = {str(name).lower(): name for name in table.columns}
    for name in ("class", "group"):
        if name not in columns:
            others = ", ".join(f"`{one}`" for one in columns.values() if one != "geometry")
            raise SampleError(
                f"no column `{name}`; its columns are {others or 'none'}",
                where=where,
                remedy=f"rename the one that holds it to `{name}`: every polygon has a class and a "
                "group, which never splits in tests",
            )
    table = table.rename(columns={columns[name]: name for name in ("class", "group")})
    for name in ("class", "group"):
        blank = table[name].isna() | (table[name].astype(str).str.strip() == "")
        if blank.any():
            raise SampleError(
                f"a polygon has no {name}", where=where, remedy=f"fill the column `{name}`"
            )
        table[name] = [_text(value) for value in table[name]]
    kept = next((code for code in set(table["class"]) if code.casefold() in _KEPT), None)
    if kept is not None:
        raise SampleError(
            f"a class is called {kept}, which a map calls pixels without a class",
            where=where,
            remedy="give the class another name",
        )
    require_one_spelling(table["class"], where=where)
    return table


def _text(value: object) -> str:
    """A label as text: whole numbers of a column of decimals are whole."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()


def _polygonal(shape: Any, where: str) -> Any:
    import shapely

    if shape is None or shape.is_empty:
        raise SampleError("the geometry is empty", where=where, remedy="draw it again")
    shape = shapely.force_2d(shape)
    if not np.isfinite(shape.bounds).all():
        raise SampleError("a coordinate is no number", where=where, remedy="draw it again")
    repaired = shape if shape.is_valid else shapely.make_valid(shape)
    parts = [part for part in shapely.get_parts(repaired) if part.geom_type == "Polygon"]
    parts += [
        polygon
        for part in shapely.get_parts(repaired)
        if part.geom_type == "MultiPolygon"
        for polygon in part.geoms
    ]
    merged = shapely.union_all(parts) if parts else None
    if merged is None or not merged.area > 0:
        raise SampleError(
            f"a {shape.geom_type} without area, not a polygon", where=where, remedy="draw it again"
        )
    return merged
