"""WGS84: earth-fixed coordinates, normals, and angles between them and lines of sight."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

SEMI_MAJOR, FLATTENING = 6_378_137.0, 1 / 298.257223563
EARTH_RADIUS = 6_371_000.0
"""Metres of a sphere as large as the earth."""
_E2 = FLATTENING * (2 - FLATTENING)


def ecef(lon: Array, lat: Array, height: Array | float) -> Array:
    """Earth-fixed coordinates (…, 3) in metres of longitude, latitude (degrees) and height (m)."""
    x, y = np.radians(lon), np.radians(lat)
    across = SEMI_MAJOR / np.sqrt(1 - _E2 * np.sin(y) ** 2)
    parts: list[Any] = [
        (across + height) * np.cos(y) * np.cos(x),
        (across + height) * np.cos(y) * np.sin(x),
        (across * (1 - _E2) + height) * np.sin(y),
    ]
    return np.stack(np.broadcast_arrays(*parts), axis=-1)


def radial_height(place: Array) -> float:
    """Metres of an earth-fixed place (3) above the ellipsoid, towards the centre of the earth."""
    x, y, z = (float(part) for part in place)
    inside = math.hypot(x, y, z / math.sqrt(1 - _E2)) / SEMI_MAJOR
    return math.hypot(x, y, z) * (1 - 1 / inside)


def normal(lon: Array, lat: Array) -> Array:
    """Unit normals (…, 3) of the ellipsoid, upwards, at longitude and latitude in degrees."""
    x, y = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=-1)


def incidence(sight: Array, lon: Array, lat: Array) -> Array:
    """Angle in degrees between the ellipsoid's normal and vectors (…, 3) towards the platform."""
    cosine = np.sum(sight * normal(lon, lat), axis=-1) / np.linalg.norm(sight, axis=-1)
    angles: Array = np.degrees(np.arccos(cosine))
    return angles
