"""True ground areas: square metres per pixel in projected and geographic grids."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    from cpazmal_scale.legend import Legend

METRES_PER_DEGREE = 111_320.0
"""Along a meridian, roughly."""


def row_areas(grid: GeoBox) -> NDArray[np.float64]:
    """Area of one pixel in each row of a north-up grid.

    In a geographic CRS it is the exact area on the ellipsoid between the row's two parallels,
    `b² Δλ/2 [sinφ/(1 − e² sin²φ) + atanh(e sinφ)/e]`; in a projected one width × height.

    Args:
        grid: with rows from north to south or back.

    Returns:
        (rows) float64, m².
    """
    import pyproj

    crs = pyproj.CRS.from_user_input(str(grid.crs))
    _, width, _, top, _, height = grid.transform.to_gdal()
    rows = grid.shape[0]
    unit = crs.axis_info[0].unit_conversion_factor
    ellipsoid = crs.ellipsoid
    if not crs.is_geographic or ellipsoid is None:
        return np.full(rows, abs(width * height) * unit**2)
    edges = (top + height * np.arange(rows + 1)) * unit
    a, b = ellipsoid.semi_major_metre, ellipsoid.semi_minor_metre
    e = np.sqrt(1 - (b / a) ** 2)
    sine = np.sin(edges)
    curved = np.arctanh(e * sine) / e if e > 0 else sine
    zone = b * b / 2 * (sine / (1 - (e * sine) ** 2) + curved)
    return np.asarray(np.abs(np.diff(zone)) * abs(width) * unit)


def pixel_edge(grid: GeoBox) -> float:
    """The shorter edge of a pixel in metres, whatever the unit of its CRS; in degrees roughly."""
    step = abs(float(grid.transform.a))
    if grid.crs is None:
        return step
    if grid.crs.geographic:
        return step * METRES_PER_DEGREE * math.cos(math.radians(grid.boundingbox.bottom))
    return step * float(grid.crs.proj.axis_info[0].unit_conversion_factor)


def group_areas(areas: pd.DataFrame) -> pd.DataFrame:
    """Rows of `class_areas` added up: glacier, and not glacier; empty if only one is there."""
    import pandas as pd

    columns = ["pixels", "km2", "share"]
    grouped = areas[areas["group"] != ""]
    sums = {name: rows[columns].sum() for name, rows in grouped.groupby("group")}
    found = pd.DataFrame.from_dict(sums, orient="index", columns=columns)
    return found.astype({"pixels": int}).rename_axis("group")


def class_areas(
    legend: Legend, pixels: Mapping[str, int], square_metres: Mapping[str, float]
) -> pd.DataFrame:
    """Pixels, km² and share of the mapped area of every class, and of rejected pixels if any.

    Args:
        legend: classes in the map's order, their names, and which are glacier.
        pixels: number of pixels by code.
        square_metres: their area.

    Returns:
        Table by class: `name`, `group` (glacier or not glacier; empty where only one is there),
        `pixels`, `km2`, `share`.
    """
    import pandas as pd

    groups = {code: name for name, codes in legend.groups().items() for code in codes}
    codes = [*legend.classes, *(["rejected"] if pixels.get("rejected") else [])]
    whole = sum(square_metres.get(code, 0.0) for code in codes)
    rows: list[dict[str, Any]] = [
        {
            "class": code,
            "name": legend.name(code),
            "group": groups.get(code, ""),
            "pixels": int(pixels.get(code, 0)),
            "km2": square_metres.get(code, 0.0) / 1e6,
            "share": square_metres.get(code, 0.0) / whole if whole else float("nan"),
        }
        for code in codes
    ]
    return pd.DataFrame(rows).set_index("class")
