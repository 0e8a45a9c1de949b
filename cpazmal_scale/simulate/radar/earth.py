"""WGS84, and a piece of map as polynomials of its earth-fixed places."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LIGHT = 299_792_458.0
"""Speed of light, m/s."""
POWERS = tuple((i, j) for i in range(4) for j in range(4 - i))
"""Exponents of x and y in the polynomials of a patch."""
_POINTS = 7


class Patch(NamedTuple):
    """Cubic polynomials in map coordinates, scaled by (x − x0) / scale and (y − y0) / scale.

    `table` (10, 6) holds the earth-fixed place (m) at height 0, then the ellipsoid's normal: over
    20 km they are exact to 2 µm.
    """

    x0: float
    y0: float
    scale: float
    table: Array


def patch(crs: str, bounds: tuple[float, float, float, float]) -> Patch:
    """The polynomials over left, bottom, right and top of a projected map."""
    left, bottom, right, top = bounds
    x0, y0 = (left + right) / 2, (bottom + top) / 2
    scale = max(right - left, top - bottom) / 2
    axis = np.cos(np.pi * (np.arange(_POINTS) + 0.5) / _POINTS)
    u, v = (part.ravel() for part in np.meshgrid(axis, axis))
    lon, lat = to_degrees(crs, x0 + scale * u, y0 + scale * v)
    values = np.concatenate([earth_fixed(lon, lat, np.zeros_like(lon)), normal(lon, lat)], axis=1)
    terms = np.stack([u**i * v**j for i, j in POWERS], axis=1)
    return Patch(x0, y0, scale, np.linalg.lstsq(terms, values, rcond=None)[0])


def to_degrees(crs: str, x: Array, y: Array) -> tuple[Array, Array]:
    """Longitude and latitude of map coordinates."""
    lon, lat = _transformed(crs, "EPSG:4326", x, y)
    return lon, lat


def to_map(crs: str, lon: Array, lat: Array) -> tuple[Array, Array]:
    """Map coordinates of longitude and latitude."""
    x, y = _transformed("EPSG:4326", crs, lon, lat)
    return x, y


def earth_fixed(lon: Array, lat: Array, height: Array) -> Array:
    """Earth-fixed coordinates (…, 3) in metres."""
    return np.stack(_transformed("EPSG:4979", "EPSG:4978", lon, lat, height), axis=-1)


def geodetic(places: Array) -> tuple[Array, Array, Array]:
    """Longitude, latitude (degrees) and height (m) of earth-fixed places (…, 3)."""
    parts = (places[..., axis] for axis in range(3))
    lon, lat, height = _transformed("EPSG:4978", "EPSG:4979", *parts)
    return lon, lat, height


def _transformed(source: str, target: str, *parts: Array) -> list[Array]:
    """Coordinates of any shape in another system; pyproj takes arrays of one number for numbers."""
    shape = np.shape(parts[0])
    doubled = [np.append(one, np.ravel(one)[:1]) for one in parts]
    found = _transformer(source, target).transform(*doubled)
    return [np.asarray(one)[:-1].reshape(shape) for one in found]


@cache
def _transformer(source: str, target: str) -> Any:
    from pyproj import Transformer

    return Transformer.from_crs(source, target, always_xy=True)


def normal(lon: Array, lat: Array) -> Array:
    """Unit vectors (…, 3) upwards from the ellipsoid."""
    x, y = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=-1)
