"""Coordinates from one reference system to another, as arrays."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

DEGREES = "EPSG:4326"
"""Longitude and latitude, WGS84."""


@lru_cache(maxsize=64)
def transformer(source: str, target: str) -> Any:
    """The way between two systems, x or longitude first."""
    from pyproj import Transformer

    return Transformer.from_crs(source, target, always_xy=True)


def through(way: Any, *axes: Array) -> tuple[Array, ...]:
    """Arrays of one shape transformed; infinite where a point has no place there."""
    shape = axes[0].shape
    # One point as a list: an array of one is taken for a number.
    given = [axis.ravel().tolist() if axis.size == 1 else axis for axis in axes]
    return tuple(np.asarray(part, np.float64).reshape(shape) for part in way.transform(*given))


def continuous(lon: Array, middle: float | None = None) -> Array:
    """Longitudes in degrees without the jump of the date line between them.

    Args:
        lon: Any shape, within half a turn of each other.
        middle: The first of them comes within half a turn of it; none: it stays.
    """
    known = lon[np.isfinite(lon)]
    if known.size == 0:
        return lon
    first = float(known[0])
    if middle is not None:
        first -= 360.0 * round((first - middle) / 360.0)
    with np.errstate(invalid="ignore"):
        return lon - 360.0 * np.round((lon - first) / 360.0)
