"""Vector files, as they are: GeoPackage, GeoJSON and shapefiles; they cannot point elsewhere."""

from __future__ import annotations

import contextlib
import glob
import json
import logging
import math
import re
import sqlite3
import warnings
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cpazmal_scale import storage
from cpazmal_scale.errors import SampleError
from cpazmal_scale.grid.projections import FARTHEST
from cpazmal_scale.storage import seal

if TYPE_CHECKING:
    import geopandas

_log = logging.getLogger(__name__)
FORMATS = (".gpkg", ".geojson", ".json", ".shp", ".zip", ".shz")
MOST_BYTES = 512 * 2**20
"""Largest GeoJSON, and largest shapefile once unpacked."""
_GEOJSON_TYPES = ("FeatureCollection", "Feature")
_CRS_NAME = re.compile(
    r"urn:ogc:def:crs:\w+:[\w.]*:\w+|(?:EPSG|OGC):\w+|\d+|https?://www\.opengis\.net/def/crs/[\w./]+",
    re.IGNORECASE,
)
"""Names of reference systems that are known without asking anyone."""
_SHAPEFILE = b"\0\0\x27\x0a"
_SQLITE = b"SQLite format 3\0"
_BLANK = r"(?:\s|/\*.*?\*/|--[^\n]*\n)+"
_VIRTUAL = re.compile(rf"create{_BLANK}virtual\b", re.IGNORECASE | re.DOTALL)
_INDEX = re.compile(
    r"""create\s+virtual\s+table\s+(?:"(?:[^"]|"")*"|'(?:[^']|'')*'|\[[^\]]*\]|[\w.]+)\s+"""
    r"using\s+rtree\s*\(.*",
    re.IGNORECASE | re.DOTALL,
)
"""An index of places, the one virtual table that reads nothing but its own file."""
_NOTES = ".shp.xml"
_OF_SHAPEFILE = (
    *(".shp", ".shx", ".dbf", ".prj", ".cpg", ".qix", ".sbn", ".sbx", ".qpj", ".qmd"),
    _NOTES,
)
_REMEDY = "give a GeoPackage, GeoJSON or zipped shapefile"


def read_vectors(url: str, *, shapes: bool = True) -> geopandas.GeoDataFrame:
    """All features of a GeoPackage, GeoJSON or (zipped) shapefile, on any fsspec URL.

    The suffix names the format, and the content has to be of it: formats that GDAL would guess may
    read other files and addresses. Without `shapes` the table alone is read. Of several layers the
    first one is read, and a warning says so.

    Raises:
        SampleError: not a vector file, or one without shapes or CRS.
        StoreMissing: nothing is there.
    """
    import geopandas

    with (
        storage.open_local(url) as path,
        seal.parsing("not a vector file that can be read", url, _REMEDY, SampleError),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # what GDAL leaves out is missed where it is needed
        inside = _check_content(path)
        every = geopandas.list_layers(inside)
        layers = every["name"][every["geometry_type"].notna()].tolist()
        if len(layers) > 1:
            _log.warning(
                "%s: it has %d layers of shapes; the first, %s, is used",
                url,
                len(layers),
                layers[0],
            )
        table = geopandas.read_file(
            inside, ignore_geometry=not shapes, layer=layers[0] if layers else None
        )
    if not shapes:
        return table
    if not isinstance(table, geopandas.GeoDataFrame):
        raise SampleError("holds no shapes", where=url, remedy="draw shapes and save them")
    if table.crs is None:
        raise SampleError("no CRS", where=url, remedy="save the file with its reference system")
    _check_places(table, url)
    return table


def placed(table: geopandas.GeoDataFrame, crs: Any) -> geopandas.GeoDataFrame:
    """Shapes in another CRS, without those that have no place there: they lie far from it."""
    import numpy as np

    moved = table.to_crs(crs)
    return moved[np.isfinite(moved.bounds.to_numpy()).all(axis=1)]


def _check_places(table: geopandas.GeoDataFrame, url: str) -> None:
    """No coordinate is beyond what its reference system has on Earth; those that are no numbers
    stay.

    Raises:
        SampleError: one is.
    """
    crs: Any = table.crs
    farthest = (FARTHEST, FARTHEST)
    if crs.is_geographic:
        unit = math.degrees(crs.axis_info[0].unit_conversion_factor)
        farthest = (541 / unit, 90.01 / unit)
    left, bottom, right, top = map(float, table.total_bounds)
    for least, most, far in ((left, right, farthest[0]), (bottom, top, farthest[1])):
        wrong = most if most > far else least
        if abs(wrong) > far and math.isfinite(wrong):
            raise SampleError(
                f"a shape has the coordinate {wrong:g}, which is no place on Earth",
                where=url,
                remedy="draw it again, or give the file the reference system it was drawn in",
            )


def _check_content(path: Path) -> str:
    """Where GDAL finds the shapes of a file that is what its suffix says.

    Raises:
        ValueError: it is not.
    """
    suffix = path.suffix.lower()
    if not path.is_file() or suffix not in FORMATS:
        raise ValueError(f"files of `{suffix}` are not read")
    if suffix in (".geojson", ".json"):
        _check_geojson(path)
    elif suffix in (".zip", ".shz"):
        return _check_zip(path)
    else:
        with path.open("rb") as file:
            start = file.read(16)
        if not start.startswith(_SQLITE if suffix == ".gpkg" else _SHAPEFILE):
            raise ValueError("its content is of another format")
        lost = [one for one in (".dbf", ".shx") if not _beside(path, one)]
        if suffix == ".shp" and lost:
            raise ValueError(
                f"a shapefile is several files; beside it is no {' and no '.join(lost)}"
            )
        if suffix == ".gpkg":
            check_geopackage(path)
        if any(not one.is_file() for one in path.parent.glob(f"{glob.escape(path.stem)}.*")):
            raise ValueError("a file beside it is a folder, pipe or device")
    return str(path)


def check_geopackage(path: Path) -> None:
    """A GeoPackage of tables alone: virtual ones read other files, and a view computes what its
    author wrote whenever it is read.

    Raises:
        ValueError: it has others, or is no database.
    """
    try:
        with contextlib.closing(_reading(path)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            made = database.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
            found = database.execute("SELECT lower(table_name) FROM gpkg_contents").fetchall()
    except sqlite3.Error as error:
        raise ValueError(f"no GeoPackage ({error})") from None
    layers = {name for (name,) in found}
    for kind, name, text in ((*map(str, one),) for one in made):
        if kind == "view" and (name.lower() in layers or name.lower().startswith("gpkg")):
            raise ValueError(f"its layer {name[:60]!r} is a view: save it as a table")
        if _VIRTUAL.match(text) and not _INDEX.fullmatch(text):
            raise ValueError(f"its table {name[:60]!r} is virtual and may read other files")


def _reading(path: Path) -> sqlite3.Connection:
    """A database as it is, with what another program has written beside it, if that can be read."""
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    database = sqlite3.connect(address, uri=True)
    try:
        database.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError:
        database.close()
        return sqlite3.connect(f"{address}&immutable=1", uri=True)
    return database


def _beside(path: Path, suffix: str) -> bool:
    return any(path.with_suffix(one).exists() for one in (suffix, suffix.upper()))


def _check_geojson(path: Path) -> None:
    """A JSON document that is a collection of features: GDAL reads other things from JSON too."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError("too large")
    document: Any = json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_plain_crs)
    if not isinstance(document, dict) or document.get("type") not in _GEOJSON_TYPES:
        raise ValueError("no collection of features")


def _plain_crs(found: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose every `crs` is a name or code: GDAL fetches those that are links.

    Raises:
        ValueError: it is something else.
    """
    for key, value in found:
        if key.lower() != "crs" or not isinstance(value, dict):
            continue
        kind, told = (_member(value, name) for name in ("type", "properties"))
        word = "name" if str(kind).lower() == "name" else "code"
        text = str(_member(told, word) if isinstance(told, dict) else None)
        if str(kind).lower() not in ("name", "epsg") or not _CRS_NAME.fullmatch(text):
            raise ValueError("its CRS is no name such as urn:ogc:def:crs:EPSG::32632")
    return dict(found)


def _member(found: dict[str, Any], name: str) -> Any:
    """A member whatever its case, as GDAL looks for it."""
    return next((value for key, value in found.items() if key.lower() == name), None)


def _check_zip(path: Path) -> str:
    """Where GDAL finds the shapefile in a zip that holds nothing else, of bounded size."""
    with zipfile.ZipFile(path) as archive:
        members = [one for one in archive.infolist() if not one.is_dir()]
        names = [PurePosixPath(one.filename) for one in members]
        if sum(one.file_size for one in members) > MOST_BYTES:
            raise ValueError("too large")
        shapes = [one for one, name in zip(members, names, strict=True) if _is_shape(name)]
        if any(name.is_absolute() or ".." in name.parts for name in names):
            raise ValueError("it names files outside itself")
        if not shapes or any(_suffix(name) not in _OF_SHAPEFILE for name in names):
            raise ValueError("no zipped shapefile")
        for one in shapes:
            with archive.open(one) as file:
                if file.read(4) != _SHAPEFILE:
                    raise ValueError("its content is of another format")
    return f"/vsizip/{{{path}}}/{shapes[0].filename}" if len(shapes) == 1 else str(path)


def _is_shape(name: PurePosixPath) -> bool:
    return _suffix(name) == ".shp"


def _suffix(name: PurePosixPath) -> str:
    """The last suffix in lower case, or `.shp.xml` of ArcGIS's notes."""
    return _NOTES if name.name.lower().endswith(_NOTES) else name.suffix.lower()
