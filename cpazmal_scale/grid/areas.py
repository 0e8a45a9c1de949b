"""True ground areas: square metres per pixel in projected and geographic grids."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox
    from pyproj import CRS

    from cpazmal_scale.grid.blocks import Block
    from cpazmal_scale.legend import Legend

METRES_PER_DEGREE = 111_320.0
"""Along a meridian, roughly."""
_ALIKE = 1e-4
"""Largest relative difference of areas in a row of a band."""
_APART = 5000.0
"""Metres between measured pixels: the curvature of a projection in between is some 10⁻⁶."""
_MOST = 500
"""Measured rows and measured columns at most."""
_STEP = 10.0
"""Metres of the differences by which a pixel is measured."""


@dataclass(frozen=True, eq=False)
class PixelAreas:
    """Ground areas of the pixels of a grid, alike in each row of a band of columns.

    `edges` (n + 1) are the first columns of the n bands and the grid's width; `square_metres`
    (m, n) are m² of a pixel in the m rows of `nodes`, the first and the last among them. Between
    nodes areas change linearly.
    """

    nodes: NDArray[np.int64]
    edges: NDArray[np.int64]
    square_metres: NDArray[np.float64]

    def bands(self, block: Block) -> Iterator[tuple[int, slice]]:
        """Every band that a block meets: its number, and its columns in the block."""
        first = int(np.searchsorted(self.edges, block.x0, side="right")) - 1
        for band in range(first, len(self.edges) - 1):
            left, right = (int(edge) for edge in self.edges[band : band + 2])
            if left >= block.x1:
                return
            yield band, slice(max(left, block.x0) - block.x0, min(right, block.x1) - block.x0)

    def in_rows(self, rows: NDArray[np.int64], band: int) -> NDArray[np.float64]:
        """(n) m² of a pixel of a band in n rows."""
        return np.asarray(np.interp(rows, self.nodes, self.square_metres[:, band]))

    def of(
        self, values: NDArray[np.uint8], block: Block, wanted: Iterable[int]
    ) -> NDArray[np.float64]:
        """(n) m² that each of n wanted values takes up in `values` (h, w), those of a block."""
        codes, rows = list(wanted), np.arange(block.y0, block.y1)
        total = np.zeros(len(codes))
        for band, columns in self.bands(block):
            part, ground = values[:, columns], self.in_rows(rows, band)
            total += [float((part == code).sum(axis=1) @ ground) for code in codes]
        return total

    def within(self, block: Block) -> NDArray[np.float64]:
        """(h, w) m² of every pixel of a block."""
        rows = np.arange(block.y0, block.y1)
        found = np.empty((len(rows), block.x1 - block.x0))
        for band, columns in self.bands(block):
            found[:, columns] = self.in_rows(rows, band)[:, None]
        return found

    def above(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n) m² of the pixels above n rows and left of n columns of the grid's lattice."""
        band = np.searchsorted(self.edges[1:-1], columns, side="right")
        node = np.searchsorted(self.nodes, rows, side="right") - 1
        down = rows - self.nodes[node]
        inside, left = (
            whole[node, band] + down * (first[node, band] + slope[node, band] * (down - 1) / 2)
            for first, slope, whole in self._sums
        )
        return np.asarray(left + (columns - self.edges[band]) * inside)

    @cached_property
    def _sums(self) -> list[tuple[NDArray[np.float64], ...]]:
        """Of one column of a band, and of all left of it: m² in nodes, growth by row, m² above."""
        wide = np.cumsum(self.square_metres * np.diff(self.edges), axis=1)
        none = np.zeros((1, wide.shape[1]))
        rows = np.diff(self.nodes)[:, None]
        found: list[tuple[NDArray[np.float64], ...]] = []
        for first in (self.square_metres, np.pad(wide[:, :-1], ((0, 0), (1, 0)))):
            slope = np.concatenate([np.diff(first, axis=0) / rows, none])
            strips = rows * (first[:-1] + slope[:-1] * (rows - 1) / 2)
            found.append((first, slope, np.concatenate([none, np.cumsum(strips, axis=0)])))
        return found


def pixel_areas(grid: GeoBox) -> PixelAreas:
    """Areas on the ellipsoid of the pixels of a grid.

    In a geographic CRS they are exact between the two parallels of a row,
    `b² Δλ/2 [sinφ/(1 − e² sin²φ) + atanh(e sinφ)/e]`. In any other CRS a pixel's centre is moved
    along its rows and columns, the area is that between both ways on the ellipsoid, and bands are
    so narrow that it varies by less than 10⁻⁴ along a row. Where a projection has no ground, a
    pixel is width × height.
    """
    import pyproj

    crs = pyproj.CRS.from_user_input(str(grid.crs))
    rows, columns = grid.shape
    if crs.is_geographic and not crs.is_derived and crs.ellipsoid is not None:
        table = _between_parallels(grid, crs)[:, None]
        return PixelAreas(np.arange(rows), np.array([0, columns]), table)
    down, across = (_apart(count, pixel_edge(grid)) for count in (rows, columns))
    table = _measured(grid, crs, down, across)
    varied = np.abs(np.diff(np.log(table), axis=1)) / np.diff(across)
    count = math.ceil(float(np.max(varied, initial=0.0, where=varied > 0)) * columns / _ALIKE)
    unit = float(crs.axis_info[0].unit_conversion_factor)
    nominal = abs(float(grid.transform.determinant)) * unit**2
    table = np.where(np.isfinite(table), table, nominal)
    edges = np.rint(np.linspace(0, columns, min(columns, max(count, 1)) + 1)).astype(np.int64)
    middles = (edges[:-1] + edges[1:] - 1) / 2
    return PixelAreas(down, edges, np.stack([np.interp(middles, across, row) for row in table]))


def _apart(count: int, edge: float) -> NDArray[np.int64]:
    """Rows or columns to measure, the first and the last among them."""
    nodes = min(count, _MOST, math.ceil(count * edge / _APART) + 1)
    return np.unique(np.rint(np.linspace(0, count - 1, nodes)).astype(np.int64))


def _measured(
    grid: GeoBox, crs: CRS, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """m² (n, m) of the pixels in n rows and m columns of any grid; NaN where there is no ground."""
    import pyproj

    base = crs.source_crs if crs.is_derived else crs.geodetic_crs
    if base is None or base.ellipsoid is None:
        return np.full((len(rows), len(columns)), np.nan)
    part = min(1.0, _STEP / pixel_edge(grid))
    steps = np.array([[-part, 0], [part, 0], [0, -part], [0, part]]) / 2 + 0.5
    down, right = rows[:, None, None] + steps[:, 0], columns[:, None] + steps[:, 1]
    matrix = grid.transform
    x = matrix.a * right + matrix.b * down + matrix.c
    y = matrix.d * right + matrix.e * down + matrix.f
    places = pyproj.Transformer.from_crs(crs, base, always_xy=True).transform(x, y)
    unit, ellipsoid = base.axis_info[0].unit_conversion_factor, base.ellipsoid
    east, north = (np.where(np.isfinite(at), at, np.nan) * unit for at in places)
    flat = (ellipsoid.semi_minor_metre / ellipsoid.semi_major_metre) ** 2
    radius = ellipsoid.semi_major_metre / np.sqrt(1 - (1 - flat) * np.sin(north) ** 2)
    level = radius * np.cos(north)
    axes = (level * np.cos(east), level * np.sin(east), flat * radius * np.sin(north))
    first, last, near, far = np.moveaxis(np.stack(axes, axis=-1), 2, 0)
    return np.asarray(np.linalg.norm(np.cross(last - first, far - near), axis=-1) / part**2)


def _between_parallels(grid: GeoBox, crs: CRS) -> NDArray[np.float64]:
    """(rows) m² of one pixel in each row of a geographic grid."""
    _, width, _, top, _, height = grid.transform.to_gdal()
    ellipsoid, unit = crs.ellipsoid, crs.axis_info[0].unit_conversion_factor
    assert ellipsoid is not None
    edges = (top + height * np.arange(grid.shape[0] + 1)) * unit
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
