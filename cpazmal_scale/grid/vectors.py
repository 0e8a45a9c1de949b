"""Vector files, as they are: GeoPackage, GeoJSON and shapefiles; they cannot point elsewhere."""

from __future__ import annotations

import json
import logging
import re
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from cpazmal_scale import storage
from cpazmal_scale.errors import SampleError
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
    ):
        _check_content(path)
        every = geopandas.list_layers(path)
        layers = every["name"][every["geometry_type"].notna()].tolist()
        if len(layers) > 1:
            _log.warning(
                "%s: it has %d layers of shapes; the first, %s, is used",
                url,
                len(layers),
                layers[0],
            )
        table = geopandas.read_file(
            path, ignore_geometry=not shapes, layer=layers[0] if layers else None
        )
    if not shapes:
        return table
    if not isinstance(table, geopandas.GeoDataFrame):
        raise SampleError("holds no shapes", where=url, remedy="draw shapes and save them")
    if table.crs is None:
        raise SampleError("no CRS", where=url, remedy="save the file with its reference system")
    return table


def _check_content(path: Path) -> None:
    """The file is what its suffix says.

    Raises:
        ValueError: it is not.
    """
    suffix = path.suffix.lower()
    if not path.is_file() or suffix not in FORMATS:
        raise ValueError(f"`{suffix}` is no suffix of a vector file")
    if suffix in (".geojson", ".json"):
        _check_geojson(path)
    elif suffix in (".zip", ".shz"):
        _check_zip(path)
    else:
        with path.open("rb") as file:
            start = file.read(16)
        if not start.startswith(_SQLITE if suffix == ".gpkg" else _SHAPEFILE):
            raise ValueError("its content is of another format")


def _check_geojson(path: Path) -> None:
    """A JSON document that is a collection of features: GDAL reads other things from JSON too."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError("too large")
    document: Any = json.loads(path.read_bytes().decode("utf-8-sig"), object_hook=_plain_crs)
    if not isinstance(document, dict) or document.get("type") not in _GEOJSON_TYPES:
        raise ValueError("no collection of features")


def _plain_crs(found: dict[str, Any]) -> dict[str, Any]:
    """A JSON object whose `crs` is a name or code: GDAL fetches those that are links.

    Raises:
        ValueError: it is something else.
    """
    for key, value in found.items():
        if key.lower() != "crs" or not isinstance(value, dict):
            continue
        kind, told = (_member(value, name) for name in ("type", "properties"))
        word = "name" if str(kind).lower() == "name" else "code"
        text = str(_member(told, word) if isinstance(told, dict) else None)
        if str(kind).lower() not in ("name", "epsg") or not _CRS_NAME.fullmatch(text):
            raise ValueError("its CRS is no name such as urn:ogc:def:crs:EPSG::32632")
    return found


def _member(found: dict[str, Any], name: str) -> Any:
    """A member whatever its case, as GDAL looks for it."""
    return next((value for key, value in found.items() if key.lower() == name), None)


def _check_zip(path: Path) -> None:
    """Shapefiles alone, in one folder, of bounded size."""
    with zipfile.ZipFile(path) as archive:
        members = [one for one in archive.infolist() if not one.is_dir()]
        names = [PurePosixPath(one.filename) for one in members]
        if sum(one.file_size for one in members) > MOST_BYTES:
            raise ValueError("too large")
        shapes = [one for one, name in zip(members, names, strict=True) if _is_shape(name)]
        if not shapes or any(_suffix(name) not in _OF_SHAPEFILE for name in names):
            raise ValueError("no zipped shapefile")
        for one in shapes:
            with archive.open(one) as file:
                if file.read(4) != _SHAPEFILE:
                    raise ValueError("its content is of another format")


def _is_shape(name: PurePosixPath) -> bool:
    return _suffix(name) == ".shp"


def _suffix(name: PurePosixPath) -> str:
    """The last suffix in lower case, or `.shp.xml` of ArcGIS's notes."""
    return _NOTES if name.name.lower().endswith(_NOTES) else name.suffix.lower()
