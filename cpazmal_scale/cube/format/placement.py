"""The grid of a cube: presets, snapping to the pixel lattice, and where a scene lies in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import GridMismatch
from cpazmal_scale.grid import lattice, warp
from cpazmal_scale.grid.lattice import PRESETS, snapped
from cpazmal_scale.scenes import Scene, told

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

MOST_BETWEEN = 16
"""Times the scenes' own pixels, added up, that a new grid may have."""
LEAST_SEEN = 1 << 20
"""Pixels below which scenes count as so many: small ones may lie apart."""


def union(scenes: Iterable[Scene], *, preset: str | None = None, resample: bool = False) -> GeoBox:
    """The smallest grid that covers all scenes, on the lattice of a preset or the first scene.

    Raises:
        GridMismatch: naming the first scene on another pixel lattice, unless `resample` is set, or
            the one that lies far from all others.
    """
    named = [(scene.id, scene.geobox) for scene in scenes]
    if preset is None:
        grid = lattice.union(named, resample=resample)
        _check_near(named, grid)
        return grid
    crs = PRESETS[preset].crs
    boxes = [lattice.bounds_in(geobox, crs, where=name) for name, geobox in named]
    left, bottom = (min(box[side] for box in boxes) for side in (0, 1))
    right, top = (max(box[side] for box in boxes) for side in (2, 3))
    return snapped((left, bottom, right, top), PRESETS[preset])


def within(grid: GeoBox, area: Sequence[float] | None) -> GeoBox:
    """The pixels of a grid in an area: west, south, east and north in degrees; all without one.

    Raises:
        GridMismatch: the area holds none.
    """
    from rasterio.warp import transform_bounds

    if area is None:
        return grid
    wanted = transform_bounds("EPSG:4326", str(grid.crs), *area, densify_pts=21)
    whole = grid.boundingbox
    edges = [max(a, b) for a, b in zip(wanted[:2], whole.bbox[:2], strict=True)]
    edges += [min(a, b) for a, b in zip(wanted[2:], whole.bbox[2:], strict=True)]
    left, bottom, right, top = edges
    if not (left < right and bottom < top):
        west, south, east, north = transform_bounds(str(grid.crs), "EPSG:4326", *whole.bbox)
        raise GridMismatch(
            f"no scene lies there: all are within {west:.4f}, {south:.4f}, {east:.4f} and "
            f"{north:.4f} degrees",
            where="ingest.area",
            remedy="give west, south, east and north of a part of the scenes",
        )
    return lattice.aligned((left, bottom, right, top), grid)


def _check_near(named: Sequence[tuple[str, GeoBox]], grid: GeoBox) -> None:
    """A grid is not mostly what lies between scenes.

    Raises:
        GridMismatch: it is; names the scene that is farthest from the middle one.
    """
    seen = sum(box.shape[0] * box.shape[1] for _, box in named)
    height, width = (int(n) for n in grid.shape)
    if height * width <= MOST_BETWEEN * max(seen, LEAST_SEEN):
        return
    boxes = [lattice.bounds_in(box, str(grid.crs), where=name) for name, box in named]
    middles = np.array([((a + c) / 2, (b + d) / 2) for a, b, c, d in boxes])
    away = np.hypot(*(middles - np.median(middles, axis=0)).T)
    raise GridMismatch(
        f"it lies far from the other scenes of its beam: a cube of all has {height} x {width} "
        "pixels",
        where=named[int(away.argmax())][0],
        remedy="check its georeference, or ingest it into another workspace",
    )


@dataclass(frozen=True)
class Placement:
    """Rows and columns of the grid a scene covers, and the share of the scene that is cut off."""

    rows: tuple[int, int]
    columns: tuple[int, int]
    cropped: float


def place(scene: Scene, grid: GeoBox, *, resample: bool = False) -> Placement:
    """Where a scene lies in a grid.

    Raises:
        GridMismatch: no common pixel; unless `resample` is set, another CRS, pixel or lattice.
    """
    for file in () if resample else scene.files:
        lattice.offset(file.geobox, grid, where=scene.id)
    top, left, bottom, right = lattice.extent(scene.geobox, grid, where=scene.id)
    rows = max(0, top), min(grid.shape[0], bottom)
    columns = max(0, left), min(grid.shape[1], right)
    if rows[0] >= rows[1] or columns[0] >= columns[1]:
        raise GridMismatch(
            f"the scene covers {_extent(scene.geobox)}, the cube {_extent(grid)}: no common pixel",
            where=scene.id,
            remedy="ingest it into another workspace, or create the cube anew with all scenes",
        )
    kept = (rows[1] - rows[0]) * (columns[1] - columns[0])
    return Placement(rows, columns, 1 - kept / ((bottom - top) * (right - left)))


def resampling(scene: Scene, grid: GeoBox) -> str:
    """How the files of a scene are brought onto a grid, in words; empty when they share pixels and
    lie where they were found.
    """
    words = {warp.method(file.geobox, grid, scene.sampling) for file in scene.files}
    return ", ".join(sorted((words | {told(scene)}) - {""}))


def _extent(geobox: GeoBox) -> str:
    box = geobox.boundingbox
    return f"x {box.left:.8g} to {box.right:.8g}, y {box.bottom:.8g} to {box.top:.8g}"
