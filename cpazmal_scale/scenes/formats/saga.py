"""What the header of a SAGA grid says that GDAL reads past."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cpazmal_scale.errors import SceneUnknown

_LINE = re.compile(r"^([A-Z_]+)[ \t]*=[ \t]*([^\r\n]*?)[ \t]*$", re.MULTILINE)
_LONGEST = 2**16


def header(raster: Any) -> dict[str, str]:
    """The entries of an open grid's header (`.sgrd`); empty for rasters of other formats."""
    if raster.driver != "SAGA":
        return {}
    found = [path for path in map(Path, raster.files) if path.suffix.lower() == ".sgrd"]
    text = "".join(path.read_bytes()[:_LONGEST].decode("latin-1") for path in found)
    return dict(_LINE.findall(text))


def refuse_unread(raster: Any, url: str) -> None:
    """GDAL reads the grid as its header says.

    Raises:
        SceneUnknown: its values are scaled, begin behind other bytes, or a range of them is no
            data.
    """
    told = header(raster)
    low, _, high = told.get("NODATA_VALUE", "").partition(";")
    factor, offset = told.get("Z_FACTOR"), told.get("DATAFILE_OFFSET")
    for name, right, text in (
        ("Z_FACTOR", "1", factor),
        ("DATAFILE_OFFSET", "0", offset),
        ("NODATA_VALUE up to", low, high),
    ):
        if text and _number(text) != _number(right):
            raise SceneUnknown(
                f"its header says {name} = {text[:30]}, which is not read",
                where=url,
                remedy="save the grid from SAGA as GeoTIFF",
            )


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
