"""Outlines, such as those of glaciers, drawn on the grid of a map."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import SampleError
from cpazmal_scale.grid.blocks import Block, cut
from cpazmal_scale.grid.vectors import placed, read_vectors
from cpazmal_scale.storage import seal

if TYPE_CHECKING:
    import geopandas
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

_log = logging.getLogger(__name__)
NAME_COLUMNS = ("rgi_id", "rgiid", "glims_id", "name", "id", "group")
"""Columns that name a glacier, whatever their case, the best first."""


@dataclass(frozen=True)
class MapGrid:
    """The grid of a map, finished or planned, and the edge of its chunks in pixels."""

    geobox: GeoBox
    chunk: int


@dataclass(frozen=True, eq=False)
class Outlines:
    """Polygons in the CRS of a map, with a column `zone` that names them."""

    table: geopandas.GeoDataFrame
    grid: MapGrid

    @cached_property
    def digest(self) -> str:
        """Identity of the shapes, whatever file they come from."""
        total = hashlib.sha256()
        for shape in sorted(self.table.geometry.to_wkb()):
            total.update(shape)
        return total.hexdigest()[:16]

    def touches(self, block: Block) -> bool:
        """Whether a pixel of a block of whole chunks is inside any polygon."""
        return next(self.zones(block), None) is not None

    def inside(self, block: Block) -> NDArray[np.bool_]:
        """(h, w) whether the centre of a pixel is inside any polygon."""
        found = np.zeros((block.y1 - block.y0, block.x1 - block.x0), np.bool_)
        for _, part, drawn in self.zones(block):
            ys = slice(part.y0 - block.y0, part.y1 - block.y0)
            xs = slice(part.x0 - block.x0, part.x1 - block.x0)
            found[ys, xs] |= drawn
        return found

    def zones(self, block: Block) -> Iterator[tuple[int, Block, NDArray[np.bool_]]]:
        """Polygons of a block of whole chunks: row of the table, chunk, pixels of it inside.

        Each is drawn chunk by chunk of the map, so that no pixel at an edge depends on the block.
        """
        for part in cut((block.y1 - block.y0, block.x1 - block.x0), self.grid.chunk):
            chunk = Block(
                block.y0 + part.y0, block.y0 + part.y1, block.x0 + part.x0, block.x0 + part.x1
            )
            yield from self._drawn(chunk)

    def _drawn(self, chunk: Block) -> Iterator[tuple[int, Block, NDArray[np.bool_]]]:
        import shapely
        from affine import Affine
        from rasterio.errors import NotGeoreferencedWarning
        from rasterio.features import geometry_mask

        here = self.grid.geobox.transform * Affine.translation(chunk.x0, chunk.y0)
        size = (chunk.y1 - chunk.y0, chunk.x1 - chunk.x0)
        corners = [here * (x, y) for x, y in ((0, 0), (size[1], 0), size[::-1], (0, size[0]))]
        near = self.table.sindex.query(shapely.Polygon(corners), predicate="intersects")
        for row in sorted(near.tolist()):
            shape = self.table.geometry.iloc[row]
            with warnings.catch_warnings():  # of GDAL's own canvas
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                drawn = np.asarray(geometry_mask([shape], size, here, invert=True))
            if drawn.any():
                yield row, chunk, drawn


def known_outlines(url: str, grid: MapGrid, zone: str | None, digest: str | None) -> Outlines:
    """Outlines of known shapes, see `read_outlines`.

    Raises:
        SampleError: the file holds other shapes now.
    """
    found = read_outlines(url, grid, zone)
    if found.digest != digest:
        raise SampleError("the outlines changed meanwhile", where=url, remedy="run again")
    return found


def read_outlines(url: str, grid: MapGrid, zone: str | None = None) -> Outlines:
    """Read polygons and bring them to the grid of a map.

    Args:
        url: GeoPackage, GeoJSON or (zipped) shapefile, on any fsspec URL.
        grid: of the map, such as the open map itself.
        zone: column of their names; none: the first of `NAME_COLUMNS`, or their number.

    Raises:
        SampleError: not a vector file with a CRS and polygons, no such column, none on the map.
        StoreMissing: nothing is there.
    """
    table = _read(url)
    names = _names(table, zone, url)
    remedy = "draw the outlines again"
    with seal.parsing("its shapes cannot be used", url, remedy, SampleError):
        areas = _areas(table[["geometry"]].assign(zone=names), str(grid.geobox.crs))
        found = Outlines(areas, grid)
        height, width = grid.geobox.shape
        covered = found.touches(Block(0, height, 0, width))
    if not covered:
        raise SampleError(
            "no outline covers a pixel of the map",
            where=url,
            remedy="check that both show the same place",
        )
    return found


def _areas(table: geopandas.GeoDataFrame, crs: str) -> geopandas.GeoDataFrame:
    """Valid polygons by zone, in a CRS."""
    import shapely

    if not np.isfinite(table.bounds.to_numpy()).all():
        raise ValueError("coordinates that are no numbers")
    table = placed(table, crs).copy()
    table["geometry"] = shapely.make_valid(shapely.force_2d(table.geometry.to_numpy()))
    # GDAL burns the lines of a repaired polygon too; only its areas count.
    table = table.explode(index_parts=False)
    table = table[table.geometry.geom_type == "Polygon"]
    return table.dissolve("zone", as_index=False, sort=False).reset_index(drop=True)


def _read(url: str) -> geopandas.GeoDataFrame:
    table = read_vectors(url)
    lacking = np.array([shape is None or shape.is_empty for shape in table.geometry], bool)
    if lacking.any():
        _log.warning("%s: rows without a shape are left out: %d", url, lacking.sum())
    table = table[~lacking]
    if not table.geometry.geom_type.isin(["Polygon", "MultiPolygon"]).any():
        raise SampleError("holds no polygon", where=url, remedy="give outlines as polygons")
    return table


def _names(table: Any, zone: str | None, url: str) -> list[str]:
    """A name for every row; rows of one name are one zone."""
    columns = {str(name).lower(): name for name in table.columns}
    wanted = NAME_COLUMNS if zone is None else (zone.lower(),)
    column = next((columns[name] for name in wanted if name in columns), None)
    if column is None and zone is not None:
        raise SampleError(
            f"no column `{zone}`",
            where=url,
            remedy=f"set after.zone to one of {', '.join(map(str, table.columns))}",
        )
    if column is None:
        return [str(number) for number in range(1, len(table) + 1)]
    values = table[column]
    return [
        str(value) if known else f"unnamed {number}"
        for number, (value, known) in enumerate(zip(values, values.notna(), strict=True), 1)
    ]
