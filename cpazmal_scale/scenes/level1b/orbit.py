"""Range-Doppler geometry of an orbit: where a point of the ground is seen, and the other way round.

A point is seen at the time at which the platform's velocity is perpendicular to the line of sight
(zero Doppler), at the two-way travel time of that distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.scenes.level1b.annotation import StateVector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LIGHT = 299_792_458.0
"""Speed of light, m/s."""
SEMI_MAJOR, FLATTENING = 6_378_137.0, 1 / 298.257223563
"""WGS84."""
_STEPS = 8
_TOLERANCE = 1e-9
_SMALL = 1e-5


class Orbit:
    """State vectors, interpolated; times `t` are seconds after `reference`."""

    def __init__(self, vectors: Sequence[StateVector], reference: datetime) -> None:
        from scipy.interpolate import CubicHermiteSpline

        seconds = [(one.time - reference).total_seconds() for one in vectors]
        self.span = seconds[0], seconds[-1]
        self.position = CubicHermiteSpline(
            seconds, [one.position for one in vectors], [one.velocity for one in vectors]
        )
        self.velocity = self.position.derivative()
        self._acceleration = self.velocity.derivative()

    def radar(
        self, lon: Array, lat: Array, height: Array | float, *, first: float
    ) -> tuple[Array, Array]:
        """Times at which points of the ground are seen.

        Args:
            lon: Degrees, WGS84.
            lat: Degrees, same shape.
            height: Metres above the ellipsoid, same shape or one.
            first: A time to start the search from.

        Returns:
            `t` and two-way range time, same shape.
        """
        points = ecef(lon, lat, height)
        t = np.full(points.shape[:-1], first)
        for _ in range(_STEPS):
            sight = points - self.position(t)
            velocity = self.velocity(t)
            miss = np.sum(sight * velocity, axis=-1)
            slope = np.sum(sight * self._acceleration(t), axis=-1) - np.sum(velocity**2, axis=-1)
            step = miss / slope
            t = t - np.clip(step, -60.0, 60.0)
            if np.abs(step).max(initial=0.0) < _TOLERANCE:
                break
        return t, 2 * np.linalg.norm(points - self.position(t), axis=-1) / LIGHT

    def ground(
        self, t: Array, tau: Array, height: float, *, lon: Array, lat: Array
    ) -> tuple[Array, Array]:
        """Longitude and latitude (degrees) of what is seen at `t` and `tau`, at one height.

        `lon` and `lat` are places to start the search from, on the side the radar looks to.
        """
        for _ in range(_STEPS):
            first = float(np.mean(t))
            here = np.stack(self.radar(lon, lat, height, first=first))
            east = (np.stack(self.radar(lon + _SMALL, lat, height, first=first)) - here) / _SMALL
            north = (np.stack(self.radar(lon, lat + _SMALL, height, first=first)) - here) / _SMALL
            miss = np.stack([t, tau]) - here
            area = east[0] * north[1] - east[1] * north[0]
            lon = lon + (miss[0] * north[1] - miss[1] * north[0]) / area
            lat = lat + (east[0] * miss[1] - east[1] * miss[0]) / area
        return lon, lat


def ecef(lon: Array, lat: Array, height: Array | float) -> Array:
    """Earth-fixed coordinates (…, 3) in metres of WGS84 longitude, latitude and height."""
    e2 = FLATTENING * (2 - FLATTENING)
    x, y = np.radians(lon), np.radians(lat)
    normal = SEMI_MAJOR / np.sqrt(1 - e2 * np.sin(y) ** 2)
    parts: list[Any] = [
        (normal + height) * np.cos(y) * np.cos(x),
        (normal + height) * np.cos(y) * np.sin(x),
        (normal * (1 - e2) + height) * np.sin(y),
    ]
    return np.stack(np.broadcast_arrays(*parts), axis=-1)


def incidence(sight: Array, lon: Array, lat: Array) -> Array:
    """Angle in degrees between the ellipsoid's normal and vectors (…, 3) towards the platform."""
    x, y = np.radians(lon), np.radians(lat)
    normal = np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=-1)
    cosine = np.sum(sight * normal, axis=-1) / np.linalg.norm(sight, axis=-1)
    angles: Array = np.degrees(np.arccos(cosine))
    return angles
