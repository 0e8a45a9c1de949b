"""Where a point of the ground is in a radar image, and the other way round.

Range-Doppler: the point is seen at the time at which the platform's velocity is perpendicular to
the line of sight (zero Doppler), at the two-way travel time of that distance. Delays of the
atmosphere and of the instrument are taken from the product's own geolocation grid, whose points are
compared with the orbit: a grid that contradicts it is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import SceneUnreadable
from cpazmal_scale.scenes.annotation import Annotation
from cpazmal_scale.scenes.georef import GeoGrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LIGHT = 299_792_458.0
"""Speed of light, m/s."""
SEMI_MAJOR, FLATTENING = 6_378_137.0, 1 / 298.257223563
"""WGS84."""
_STEPS = 8
_TOLERANCE = 1e-9
_CONTRADICTION = 30.0
"""Largest distance in metres between grid points and orbit, once constant delays are removed."""


class Geolocation:
    """The viewing geometry of one product.

    Times `t` are seconds after the grid's reference time, `tau` two-way range seconds, both on the
    axes of the image, delays included.
    """

    def __init__(self, annotation: Annotation, grid: GeoGrid, *, where: object) -> None:
        """Fit the orbit and compare it with the grid.

        Raises:
            SceneUnreadable: the orbit does not cover the scene, or contradicts the grid.
        """
        from scipy.interpolate import CubicHermiteSpline, RegularGridInterpolator

        self.grid, self.where = grid, where
        seconds = [(one.time - grid.reference_time).total_seconds() for one in annotation.orbit]
        span = float(grid.lines[0]), float(grid.lines[-1])
        if len(seconds) < 2 or min(seconds) > span[0] or max(seconds) < span[1]:
            raise self._unreadable("its orbit does not cover the scene")
        if np.diff(seconds).min() <= 0:
            raise self._unreadable("its orbit's state vectors are not in order of time")
        self._position = CubicHermiteSpline(
            seconds,
            [one.position for one in annotation.orbit],
            [one.velocity for one in annotation.orbit],
        )
        self._velocity = self._position.derivative()
        self._acceleration = self._velocity.derivative()
        self._incidence = RegularGridInterpolator(
            (grid.lines, grid.samples), grid.inc, bounds_error=False, fill_value=None
        )
        self.delay = (0.0, 0.0)
        self.delay = self._delays()

    def _delays(self) -> tuple[float, float]:
        """Constant offsets (t, tau) of the image's axes from geometry."""
        t, tau = self.radar(self.grid.lon, self.grid.lat, self.grid.height)
        late, far = self.grid.t - t, self.grid.tau - tau
        delay = float(np.median(late)), float(np.median(far))
        speed = float(np.linalg.norm(self._velocity(0.0)))
        worst = max(
            float(np.abs(late - delay[0]).max()) * speed,
            float(np.abs(far - delay[1]).max()) * LIGHT / 2,
        )
        shift = max(abs(delay[0]) * speed, abs(delay[1]) * LIGHT / 2)
        if not max(worst, shift) < _CONTRADICTION:
            raise self._unreadable(
                f"its geolocation grid and its orbit are {max(worst, shift):.0f} m apart"
            )
        return delay

    def radar(self, lon: Array, lat: Array, height: Array | float) -> tuple[Array, Array]:
        """Image times of points of the ground.

        Args:
            lon: Degrees, WGS84.
            lat: Degrees, same shape.
            height: Metres above the ellipsoid, same shape or one.

        Returns:
            `t` and `tau`, same shape.
        """
        points = ecef(lon, lat, height)
        t = np.full(points.shape[:-1], float(self.grid.lines.mean()))
        for _ in range(_STEPS):
            sight = points - self._position(t)
            velocity = self._velocity(t)
            miss = np.sum(sight * velocity, axis=-1)
            slope = np.sum(sight * self._acceleration(t), axis=-1) - np.sum(velocity**2, axis=-1)
            step = miss / slope
            t = t - np.clip(step, -60.0, 60.0)
            if np.abs(step).max(initial=0.0) < _TOLERANCE:
                break
        distance = np.linalg.norm(points - self._position(t), axis=-1)
        return t + self.delay[0], 2 * distance / LIGHT + self.delay[1]

    def ground(self, t: Array, tau: Array, height: float) -> tuple[Array, Array]:
        """Longitude and latitude (degrees) of image times, for points at one height."""
        from scipy.interpolate import RegularGridInterpolator

        axes = (self.grid.lines, self.grid.samples)
        at = np.stack([t, tau], axis=-1)
        lon, lat = (
            RegularGridInterpolator(axes, values, bounds_error=False, fill_value=None)(at)
            for values in (self.grid.lon, self.grid.lat)
        )
        small = 1e-5
        for _ in range(_STEPS):
            here = np.stack(self.radar(lon, lat, height))
            east = (np.stack(self.radar(lon + small, lat, height)) - here) / small
            north = (np.stack(self.radar(lon, lat + small, height)) - here) / small
            miss = np.stack([t, tau]) - here
            area = east[0] * north[1] - east[1] * north[0]
            lon = lon + (miss[0] * north[1] - miss[1] * north[0]) / area
            lat = lat + (east[0] * miss[1] - east[1] * miss[0]) / area
        return lon, lat

    def incidence(self, t: Array, tau: Array) -> Array:
        """Incidence angle (degrees) of the geolocation grid, linear between its points."""
        angles: Array = self._incidence(np.stack(np.broadcast_arrays(t, tau), axis=-1))
        return angles

    def _unreadable(self, what: str) -> SceneUnreadable:
        return SceneUnreadable(
            what, where=self.where, remedy="copy the product again from its source"
        )


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
