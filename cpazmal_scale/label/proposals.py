"""Where another label helps most, what keeps groups apart, and which classes have too few."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely

from cpazmal_scale.label.layers import STEP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.label.layer import Layer

ENOUGH = 5
"""Groups of a class from which a cross-validation can decide between methods."""
MOST = 12
"""Places that are proposed for one reason."""
APART = 64
"""Pixels between two of them at least."""
_SHARE = 0.5
"""Share of all errors that the listed groups make together."""


class Place(NamedTuple):
    """A square of the grid that is worth a look, `size` pixels wide, around a pixel."""

    row: int
    column: int
    size: int
    value: float


class Decisive(NamedTuple):
    """A group whose windows are often mistaken in the cross-validation of the last report."""

    group: str
    label: str
    windows: int
    right: float
    mistaken_for: str
    share: float
    """Of all errors."""


class Pair(NamedTuple):
    """Two polygons by their ids."""

    first: int
    second: int


def highest(cells: NDArray[np.float32], taken: Iterable[Any], most: int = MOST) -> list[Place]:
    """The highest places of an overview, apart from each other and from polygons.

    Args:
        cells: (h, w) overview, NaN without data.
        taken: shapes in pixels (column, row), where there are labels already.
        most: how many.
    """
    smooth = _smoothed(cells)
    smooth[_covered(smooth.shape, taken)] = np.nan
    reach = max(1, APART // STEP)
    found: list[Place] = []
    known = np.where(np.isfinite(smooth), smooth, -np.inf)
    while len(found) < most:
        y, x = (int(i) for i in np.unravel_index(int(known.argmax()), known.shape))
        if not np.isfinite(known[y, x]):
            break
        found.append(
            Place(y * STEP + STEP // 2, x * STEP + STEP // 2, 3 * STEP, known[y, x].item())
        )
        known[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = -np.inf
    return found


def decisive(rows: Iterable[Mapping[str, Any]], method: str) -> list[Decisive]:
    """The groups that make half of a method's errors, the worst first.

    Args:
        rows: of `CrossValidation.errors`.
        method: as the report calls it.
    """
    found, sum_ = [], 0.0
    for row in rows:
        if row["method"] != method or sum_ >= _SHARE:
            continue
        share = row["share_of_errors"]
        if not share > 0:
            continue
        sum_ += share
        found.append(
            Decisive(
                row["group"], row["class"], row["windows"], row["right"], row["mistaken_for"], share
            )
        )
    return found


def near(layer: Layer, shapes: Sequence[Any], window: int) -> list[Pair]:
    """Pairs of one class and two groups with fewer than `window - 1` pixels between them.

    The window around a pixel of the one then shares pixels with that around a pixel of the other,
    and a test on the one group knows something of a training on the other.

    Args:
        layer: the polygons.
        shapes: of the polygons, in pixels, in their order.
        window: edge of a window in pixels.
    """
    polygons = list(layer)
    one, two = _within(shapes, window - 1)
    return [
        Pair(polygons[i].id, polygons[j].id)
        for i, j in zip(one, two, strict=True)
        if polygons[i].label == polygons[j].label and polygons[i].group != polygons[j].group
    ]


def overlapping(layer: Layer, shapes: Sequence[Any]) -> list[Pair]:
    """Pairs of two classes that share an area: one of them is wrong there."""
    polygons = list(layer)
    one, two = _within(shapes, 0.0)
    return [
        Pair(polygons[i].id, polygons[j].id)
        for i, j in zip(one, two, strict=True)
        if polygons[i].label != polygons[j].label
        and shapely.intersection(_sound(shapes[i]), _sound(shapes[j])).area > 0
    ]


def _within(shapes: Sequence[Any], distance: float) -> tuple[list[int], list[int]]:
    """Positions of pairs of shapes no farther apart than a distance, each pair once."""
    if not len(shapes):
        return [], []
    tree = shapely.STRtree(shapes)
    if distance > 0:
        # A hair less: with exactly so many pixels between them, windows touch and share none.
        one, two = tree.query(shapes, predicate="dwithin", distance=distance - 1e-6)
    else:
        one, two = tree.query(shapes, predicate="intersects")
    once = one < two
    return one[once].tolist(), two[once].tolist()


def _sound(shape: Any) -> Any:
    return shape if shape.is_valid else shapely.make_valid(shape)


def _smoothed(cells: NDArray[np.float32]) -> NDArray[np.float64]:
    """Means of 3 × 3 cells, NaN where fewer than five of them have data."""
    padded = np.pad(cells.astype(np.float64), 1, constant_values=np.nan)
    views = [
        padded[y : y + cells.shape[0], x : x + cells.shape[1]] for y in range(3) for x in range(3)
    ]
    count = np.sum([np.isfinite(view) for view in views], axis=0)
    total = np.sum([np.where(np.isfinite(view), view, 0) for view in views], axis=0)
    with np.errstate(invalid="ignore"):
        return np.where((count >= 5) & np.isfinite(cells), total / count, np.nan)


def _covered(shape: tuple[int, ...], taken: Iterable[Any]) -> NDArray[np.bool_]:
    """Cells that a shape touches."""
    from affine import Affine
    from rasterio.features import rasterize

    shapes = [one for one in taken if not one.is_empty]
    if not shapes:
        return np.zeros(shape, np.bool_)
    burnt = rasterize(
        shapes,
        out_shape=(shape[0], shape[1]),
        transform=Affine.scale(STEP, STEP),
        all_touched=True,
        dtype="uint8",
    )
    return np.asarray(burnt != 0)
