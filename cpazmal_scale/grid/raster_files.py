"""Raster files opened by the driver of their name's ending; they read only files beside them.

GDAL opens what lies beside a raster (`.msk`, `.ovr`) with whatever driver takes it, and some
formats name other files. What is not plain is refused before GDAL sees it.
"""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DRIVERS = {
    ".tif": "GTiff",
    ".tiff": "GTiff",
    ".img": "ENVI",
    ".bil": "EHdr",
    ".jp2": "JP2OpenJPEG",
    ".rst": "RST",
    ".sdat": "SAGA",
}
"""GDAL driver by suffix: formats that refer to no other file or address by name."""
ELEVATIONS = {**DRIVERS, ".asc": "AAIGrid", ".hgt": "SRTMHGT", ".dt1": "DTED", ".dt2": "DTED"}
"""The same with formats that hold elevations only."""
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MEANING = re.compile(
    rb"<(?:SRS|GeoTransform|GCPList|NoDataValue|Offset|Scale|ColorInterp|Description|UnitType)[ >]"
)
_SYSTEM = re.compile(rb"^ref\. system[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_METADATA = ("metadata", "summary", "rpc", "hdr", "dim_", "strip_")
"""How names begin that GDAL opens beside a GeoTIFF of any name: notes of other satellites."""
_MOST_AUX = 4 * 2**20
_NO_ADDRESS = {
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    "GDAL_HTTP_MAX_RETRY": "0",
    "GDAL_ENABLE_WMS_CACHE": "NO",
}
NOTHING_BESIDE = {
    **_NO_ADDRESS,
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
}
"""GDAL's settings under which a raster is what its own file says, and no file beside it counts."""
_OTHER_UNITS = re.compile("ft|feet|foot|cm|centi|dm|deci|mm|milli|km|kilo|inch|yard|yd|fathom")


@contextlib.contextmanager
def open_plain(path: Path, driver: str, **settings: Any) -> Iterator[Any]:
    """A local raster, open with one driver; `settings` are GDAL's.

    Raises:
        ValueError: in one sentence, what is not plain about it.
        rasterio.errors.RasterioError: it cannot be opened.
    """
    import rasterio

    if any("\ud800" <= sign <= "\udfff" for sign in str(path)):
        raise ValueError("its name holds bytes that are no text: rename it")
    check_beside(path)
    if driver == "RST":
        _check_idrisi(path)
    options: dict[str, Any] = {"NUM_THREADS": "ALL_CPUS"} if driver == "GTiff" else {}
    with rasterio.Env(**_NO_ADDRESS, **settings), warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        raster = rasterio.open(path, driver=driver, **options)
    with rasterio.Env(**_NO_ADDRESS, **settings), raster:
        require_plain(raster)
        yield raster


def require_plain(raster: Any) -> None:
    """An open raster names no file but those beside it.

    Raises:
        ValueError: in one sentence, what it names.
    """
    if raster.tags(ns="OVERVIEWS").get("OVERVIEW_FILE"):
        raise ValueError("it names a file of overviews")
    linked_files(raster)


def check_beside(path: Path) -> None:
    """What GDAL opens beside a raster is what its name says.

    Raises:
        ValueError: in one sentence, what is not.
    """
    for one in path.parent.iterdir():
        if one.name.lower().startswith((path.stem.lower(), *_METADATA)) and _never_ends(one):
            raise ValueError(f"`{one.name}` beside it is a pipe or device")
    for suffix in (".msk", ".ovr", ".MSK", ".OVR"):
        for name in (f"{path}{suffix}", str(path.with_suffix(suffix))):
            if name != str(path) and os.path.lexists(name) and _start(name, 4) not in _TIFF:
                raise ValueError(f"`{Path(name).name}` beside it is no TIFF")
    described = _start(f"{path}.aux.xml", _MOST_AUX)
    if b"OVERVIEW_FILE" in described or len(described) == _MOST_AUX:
        raise ValueError(f"`{path.name}.aux.xml` beside it names a file, or is too long")


def _check_idrisi(path: Path) -> None:
    """The reference system of an Idrisi raster is one by its name: GDAL reads others from a file.

    Raises:
        ValueError: it is a path, or the name of a file beside it.
    """
    files = list(path.parent.iterdir())
    beside = {one.name.lower() for one in files}
    for one in files:
        if one.name.lower() == f"{path.stem}.rdc".lower():
            found = _SYSTEM.search(_start(str(one), _MOST_AUX))
            name = found[1].decode("latin-1").strip() if found else ""
            if "/" in name or "\\" in name or f"{name}.ref".lower() in beside:
                raise ValueError(f"its reference system `{name[:60]}` is another file")


def _never_ends(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def misplaced(raster: Any) -> str | None:
    """What is wrong with the reference system of an open raster that has one, in one sentence.

    What its text says of the projection's numbers is not what is known under its name, or an ENVI
    header tells another zone.
    """
    from cpazmal_scale.grid import projections

    crs = projections.horizontal(projections.of_raster(raster.crs))
    off = projections.off_its_name(crs, *(raster.transform @ (raster.width / 2, raster.height / 2)))
    if off:
        return f"its reference system is called {crs.name[:60]}, and lies {off:.3g} m beside it"
    told = [part.strip() for part in raster.tags(ns="ENVI").get("map_info", "").split(",")]
    if told[0].strip("{ ").upper() == "UTM" and len(told) > 8:
        zone = f"{told[7].removeprefix('0')}{told[8][:1].upper()}"
        if crs.utm_zone != zone and f"zone {zone}" not in crs.name:
            return f"its map info tells UTM zone {zone[:9]}, its reference system {crs.name[:60]}"
    return None


def linked_files(raster: Any) -> list[Path]:
    """The files whose bytes decide what an open raster holds, its own first.

    Overviews do not, nor does an `.aux.xml` with nothing but statistics.

    Raises:
        ValueError: one of them is not beside it.
    """
    own = Path(raster.name)
    found = [own]
    for name in raster.files:
        path = Path(name)
        if path.parent != own.parent:
            raise ValueError(f"it refers to `{name[:80]}`, which is not beside it")
        if path.suffix.lower() == ".ovr" or path == own:
            continue
        if not name.endswith(".aux.xml") or _MEANING.search(_start(name, _MOST_AUX)):
            found.append(path)
    return [own, *sorted(found[1:])]


def told_beside(path: Path) -> list[Path]:
    """The files beside a local GeoTIFF that change what it holds: its mask, and notes of meaning.

    Raises:
        ValueError: one of them is no regular file.
    """
    mask, notes = Path(f"{path}.msk"), Path(f"{path}.aux.xml")
    told = [mask] if _start(str(mask), 4) else []
    return [*told, notes] if _MEANING.search(_start(str(notes), _MOST_AUX)) else told


def _start(name: str, count: int) -> bytes:
    """The first bytes of a regular file; none where there is no such file.

    Raises:
        ValueError: it is something else.
    """
    path = Path(name)
    if not os.path.lexists(path):
        return b""
    if not path.is_file():
        raise ValueError(f"`{path.name}` beside it is no regular file")
    with path.open("rb") as file:
        return file.read(count)


def heights_problem(raster: Any) -> tuple[str, str] | None:
    """Why a band of an open raster with a CRS holds no heights in metres, and what to do."""
    if raster.count != 1 or raster.dtypes[0].startswith("complex"):
        return f"it has {raster.count} x {raster.dtypes[0]}", "give one band of heights"
    wrong = misplaced(raster)
    if wrong:
        return wrong, "save it with the right reference system"
    unit = (raster.units[0] or "").lower()
    if _OTHER_UNITS.search(unit):
        return f"its heights are in {unit[:30]}", "convert them to metres"
    return None
