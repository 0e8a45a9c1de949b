"""The patches of a map as polygons: strip by strip, joined over the seams."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale.vocabulary import NO_DATA

if TYPE_CHECKING:
    import shapely
    from numpy.typing import NDArray


class Patch(NamedTuple):
    """A polygon in rows and columns (x east, y south, whole numbers), and the value inside."""

    value: int
    shape: shapely.Polygon


class Open(NamedTuple):
    """Parts that reach the last row read: by number, and the number in each column (-1 none)."""

    parts: dict[int, list[Patch]]
    columns: NDArray[np.int64]


def patches(strips: Iterable[tuple[slice, NDArray[np.uint8]]]) -> Iterator[Patch]:
    """Patches of equal values that share edges, once each, whatever the strips.

    Only patches that reach the last row read are held. Pixels of no data (255) are in none.

    Args:
        strips: rows of the map and their values (rows, W), from the first row on.
    """
    waiting = Open({}, np.zeros(0, np.int64))
    for rows, values in strips:
        found = _of_strip(values, rows.start)
        done, waiting = _joined(waiting, found, rows, values.shape[1])
        yield from map(_whole, done)
    yield from map(_whole, waiting.parts.values())


def _of_strip(values: NDArray[np.uint8], top: int) -> list[Patch]:
    import shapely
    from affine import Affine
    from rasterio.features import shapes

    down = Affine.translation(0, top)
    known = values != NO_DATA
    found = []
    for rings, value in shapes(np.ascontiguousarray(values), known, 4, down):
        shape = shapely.Polygon(rings["coordinates"][0], rings["coordinates"][1:])
        # A ring that touches itself at a corner becomes one with a hole that touches it.
        found.append(Patch(int(value), shape if shape.is_valid else shapely.make_valid(shape)))
    return found


def _joined(
    waiting: Open, found: list[Patch], rows: slice, width: int
) -> tuple[list[list[Patch]], Open]:
    """Patches that end above the last row of a strip, and those that reach it."""
    parts = [*waiting.parts.values(), *([patch] for patch in found)]
    numbers = {key: place for place, key in enumerate(waiting.parts)}
    first = len(numbers)
    above = np.array([numbers.get(int(key), -1) for key in waiting.columns], np.int64)
    below = _along(found, rows.start, width, first)
    root = list(range(len(parts)))
    if len(above):
        values = np.array([part[0].value for part in parts] or [0])
        meet = (above >= 0) & (below >= 0)
        meet &= values[np.maximum(above, 0)] == values[np.maximum(below, 0)]
        for a, b in np.unique(np.stack([above[meet], below[meet]]), axis=1).T.tolist():
            root[_root(root, a)] = _root(root, b)
    whole: defaultdict[int, list[Patch]] = defaultdict(list)
    for place, part in enumerate(parts):
        whole[_root(root, place)] += part
    reach = _along(found, rows.stop, width, first)
    columns = np.array([_root(root, one) if one >= 0 else -1 for one in reach.tolist()], np.int64)
    still = set(np.unique(columns).tolist()) - {-1}
    done = [part for key, part in whole.items() if key not in still]
    return done, Open({key: whole[key] for key in still}, columns)


def _along(found: list[Patch], row: int, width: int, first: int) -> NDArray[np.int64]:
    """(W) number of the patch that has an edge on the line above a row, counted from `first`."""
    import shapely

    columns = np.full(width, -1, np.int64)
    for number, patch in enumerate(found, first):
        if row in (patch.shape.bounds[1], patch.shape.bounds[3]):
            corners = shapely.get_coordinates(patch.shape).astype(np.int64)
            on = (corners[:-1, 1] == row) & (corners[1:, 1] == row)
            for a, b in zip(corners[:-1][on, 0], corners[1:][on, 0], strict=True):
                columns[min(a, b) : max(a, b)] = number
    return columns


def _root(root: list[int], one: int) -> int:
    """The number that stands for all that are joined with one."""
    while root[one] != one:
        root[one] = root[root[one]]
        one = root[one]
    return one


def _whole(parts: list[Patch]) -> Patch:
    """One polygon out of parts that share edges, without corners on straight lines."""
    import shapely

    joined: Any = parts[0].shape
    if len(parts) > 1:
        joined = _straight(shapely.union_all([part.shape for part in parts]))
    return Patch(parts[0].value, shapely.normalize(joined))


def _straight(shape: shapely.Polygon) -> shapely.Polygon:
    import shapely

    rings = [_corners(np.asarray(ring.coords)) for ring in (shape.exterior, *shape.interiors)]
    return shapely.Polygon(rings[0], rings[1:])


def _corners(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """The points of a closed ring (n, 2) at which it turns."""
    points = ring[:-1]
    level = points[:, 1] == np.roll(points[:, 1], -1)
    return np.asarray(points[level != np.roll(level, 1)])
