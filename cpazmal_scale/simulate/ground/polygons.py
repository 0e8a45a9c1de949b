"""Labelled outlines as an expert would draw them: one inside each of a class's chosen units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.simulate.given import tables
from cpazmal_scale.simulate.ground import viewing
from cpazmal_scale.simulate.ground.relief import field
from cpazmal_scale.simulate.ground.surfaces import AUTHORS_PIXEL, PATCHED
from cpazmal_scale.simulate.ground.world import World

if TYPE_CHECKING:
    import geopandas

_MARGIN = 0.03
"""Share of the scene kept free of polygons inside every swath's edge."""

_WHOLE = 8.0
"""Of a small surface the polygon takes all there is, up to so many median ones."""


def draw(world: World) -> geopandas.GeoDataFrame:
    """Polygons with columns `class`, `group` (such as ABL001) and `unit`, in the grid's CRS.

    Each class has as many as the dataset (7 to 9). They keep clear of their unit's border, lie
    where every beam looks, and rather where the first beam sees without layover or shadow.
    """
    import geopandas

    allowed = _allowed(world)
    first = next(iter(world.views.values()))
    clear = first.mask == 0
    records: list[dict[str, Any]] = []
    for code, kind in enumerate(tables.surfaces()):
        chosen = _choose(world, code, allowed & clear, allowed)
        width = max(4.0, _nodes_of(world, kind) ** 0.5 / 2)
        ragged = 1 + 0.22 * field(world.ground.lattice, width, world.seed, "outline", kind.name)
        for number, (unit, (window, depth)) in enumerate(chosen, start=1):
            wanted = _nodes_of(world, kind) * (_WHOLE if kind.name in PATCHED else 1)
            region = _region(depth, ragged[window], wanted)
            outline = _outline(world, window, region)
            group = f"{kind.name}{number:03d}"
            records.append({"class": kind.name, "group": group, "unit": unit, "geometry": outline})
    return geopandas.GeoDataFrame(records, geometry="geometry", crs=world.grid.crs)


def _allowed(world: World) -> NDArray[np.bool_]:
    """Nodes well inside the swaths of all beams."""
    step = world.ground.lattice.step
    rows = (np.arange(world.ground.lattice.shape[0], dtype=np.float64) * step)[:, None]
    cols = (np.arange(world.ground.lattice.shape[1], dtype=np.float64) * step)[None, :]
    inside = (rows < world.grid.size[0] - 1) & (cols < world.grid.size[1] - 1)
    for name in world.views:
        beam = tables.beams()[name]
        _, distance = viewing.swath_distance(world.grid, beam, rows, cols, (0.0, 0.0))
        inside = inside & (distance > _MARGIN)
    return inside


def _choose(
    world: World, code: int, clear: NDArray[np.bool_], allowed: NDArray[np.bool_]
) -> list[tuple[int, tuple[tuple[slice, slice], NDArray[np.float32]]]]:
    """Units with the largest clear core, and the core's depth (nodes) in a window around it."""
    from scipy.ndimage import distance_transform_edt, find_objects

    kind = tables.surfaces()[code]
    numbered = np.where(world.ground.surface == code, world.ground.unit + 1, 0)
    found = []
    for index, window in enumerate(find_objects(numbered)):
        if window is None:
            continue
        inside = np.pad(numbered[window] == index + 1, 1)
        depth = distance_transform_edt(inside)[1:-1, 1:-1].astype(np.float32)
        core = np.where(allowed[window], depth, 0)
        score = float(((core > 2) & clear[window]).sum())
        found.append((min(score, 3 * _nodes_of(world, kind)), index, (window, core)))
    found.sort(key=lambda item: (-item[0], item[1]))
    return [(index, core) for _, index, core in found[: kind.polygons]]


def _nodes_of(world: World, kind: tables.Surface) -> float:
    """Nodes of the dataset's median polygon of a class."""
    down, along = world.ground.lattice.spacing
    return kind.polygon_px * AUTHORS_PIXEL / (down * along)


def _region(
    depth: NDArray[np.float32], ragged: NDArray[np.float32], wanted: float
) -> NDArray[np.bool_]:
    """Nodes of one polygon: an irregular disc around the deepest place of a unit's core."""
    from scipy.ndimage import binary_opening, label

    margin = 2.2 if depth.max() > 4 else 1.1
    middle = np.unravel_index(int(np.argmax(depth)), depth.shape)
    down, along = np.indices(depth.shape)
    away = np.hypot(down - middle[0], along - middle[1]) * ragged
    away[depth <= margin] = np.inf
    room = float((depth > margin).sum())
    count = min(wanted, (0.7 if room < 1500 else 0.5) * room)
    limit = np.sort(away, axis=None)[max(3, int(count))]
    region = binary_opening(away <= limit) | (away <= 1.5)
    pieces, _ = label(region)
    one: NDArray[np.bool_] = pieces == pieces[middle]
    return one


def _outline(world: World, window: tuple[slice, slice], region: NDArray[np.bool_]) -> Any:
    """The region's outline on the map, its steps smoothed away."""
    from rasterio.features import shapes
    from rasterio.transform import Affine
    from shapely.geometry import shape

    step, size = world.ground.lattice.step, world.grid.resolution
    shift = (step - 1) / 2
    left = world.grid.left + size * (window[1].start * step - shift)
    top = world.grid.top - size * (window[0].start * step - shift)
    place = Affine(size * step, 0, left, 0, -size * step, top)
    found = shapes(region.astype(np.uint8), transform=place)
    outlines = [shape(item) for item, value in found if value]
    return max(outlines, key=lambda item: item.area).simplify(0.7 * size * step)
