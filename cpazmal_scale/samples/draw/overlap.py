"""Overlapping polygons: ground of two classes belongs to neither, of two groups to one of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from cpazmal_scale.errors import SampleError

if TYPE_CHECKING:
    import geopandas

    from cpazmal_scale.grid.edges import PixelEdges

_LOG = logging.getLogger(__name__)
_MOST = 0.5
"""Share of a polygon in one of another class from which it is refused."""
_TOLD = 3
"""Pairs that a sentence names."""
_REMEDY = "cut one out of the other or delete one; `cpazmal label` lists such pairs"


class Overlap(NamedTuple):
    """Two polygons, by position, and what they share: a shape, and whole pixels of it."""

    one: int
    two: int
    shared: Any
    pixels: int


def apart(
    polygons: geopandas.GeoDataFrame, grid: PixelEdges, where: object
) -> geopandas.GeoDataFrame:
    """Polygons that share no whole pixel; it is said which ones did.

    Ground that two classes claim is cut out of both. Of two groups of one class the smaller one
    keeps it, so that a test on one knows nothing of the other; of equal ones the first.

    Args:
        polygons: columns `class`, `group` and `geometry`, in the CRS of the grid.
        grid: whose pixels count.
        where: named in errors.

    Raises:
        SampleError: most of a polygon lies in one of another class.
    """
    classes = polygons["class"].to_numpy()
    names = [f"{a} {b}" for a, b in zip(classes, polygons["group"], strict=True)]
    shapes = polygons.geometry.to_numpy().copy()
    found = _overlaps(shapes, grid)
    twice = [pair for pair in found if classes[pair.one] != classes[pair.two]]
    for pair in twice:
        small, large = sorted((pair.one, pair.two), key=lambda at: polygons.geometry.iloc[at].area)
        share = pair.shared.area / polygons.geometry.iloc[small].area
        if share > _MOST:
            raise SampleError(
                f"{share:.0%} of polygon {names[small]} lies in {names[large]}, of another class",
                where=where,
                remedy=_REMEDY,
            )
        for at in (small, large):
            shapes[at] = shapes[at].difference(pair.shared)
    if twice:
        _LOG.warning(
            "polygons of two classes overlap and are not used there: %s; %s",
            _listed(twice, names),
            _REMEDY,
        )
    same = [pair for pair in found if classes[pair.one] == classes[pair.two]]
    for pair in same:
        large = max(pair.two, pair.one, key=lambda at: polygons.geometry.iloc[at].area)
        shapes[large] = shapes[large].difference(pair.shared)
    if same:
        _LOG.warning(
            "polygons of two groups of one class overlap, and the smaller one alone is used there: "
            "%s; cut one out of the other, or give them one group",
            _listed(same, names),
        )
    return polygons.assign(geometry=shapes) if found else polygons


def _overlaps(shapes: Any, grid: PixelEdges) -> list[Overlap]:
    """Pairs that share at least one whole pixel, those that share most first."""
    import shapely

    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    found = []
    for one, two in zip(first.tolist(), second.tolist(), strict=True):
        if one >= two:
            continue
        parts = shapely.get_parts(shapely.intersection(shapes[one], shapes[two]))
        shared = shapely.union_all(parts[shapely.area(parts) > 0])
        pixels = len(grid.pixels_inside(shared)[0]) if shared.area > 0 else 0
        if pixels:
            found.append(Overlap(one, two, shared, pixels))
    return sorted(found, key=lambda pair: (-pair.pixels, pair.one, pair.two))


def _listed(pairs: list[Overlap], names: list[str]) -> str:
    told = [
        f"{names[one]} and {names[two]} in {pixels} pixel{'' if pixels == 1 else 's'}"
        for one, two, _, pixels in pairs[:_TOLD]
    ]
    more = len(pairs) - len(told)
    return ", ".join(told) + (f" and {more} more pairs" if more else "")
