"""Range-Doppler geometry of an orbit: where a point of the ground is seen, and the other way round.

A point is seen at the time at which the platform's velocity is perpendicular to the line of sight
(zero Doppler), at the two-way travel time of that distance. Position is the cubic Hermite
interpolant of the state vectors; velocity and acceleration are its derivatives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.kernels.compiled import kept
from cpazmal_scale.terrain.ellipsoid import ecef

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

LIGHT = 299_792_458.0
"""Speed of light, m/s."""
_STEPS = 12
_TOLERANCE = 1e-10
_SMALL = 1e-5
_GROUND_STEPS = 25
_LONGEST, _FOUND = 0.2, 1e-11
"""Degrees: longest step of a search for a point of the ground, and its end."""


class Orbit:
    """State vectors, interpolated.

    Args:
        seconds: (N) increasing times; any origin.
        position: (N, 3) earth-fixed metres.
        velocity: (N, 3) metres per second.
    """

    def __init__(self, seconds: ArrayLike, position: ArrayLike, velocity: ArrayLike) -> None:
        self.seconds = np.ascontiguousarray(seconds, np.float64)
        place = np.asarray(position, np.float64)
        speed = np.asarray(velocity, np.float64)
        step = np.diff(self.seconds)[:, None]
        rise = np.diff(place, axis=0) / step
        second = (3 * rise - 2 * speed[:-1] - speed[1:]) / step
        third = (speed[:-1] + speed[1:] - 2 * rise) / step**2
        self.vectors = place, speed
        self._table = np.ascontiguousarray(np.stack([place[:-1], speed[:-1], second, third], 1))

    @property
    def span(self) -> tuple[float, float]:
        """Times of the first and the last vector."""
        return float(self.seconds[0]), float(self.seconds[-1])

    def position(self, t: Array | float) -> Array:
        """Earth-fixed metres (…, 3) at times."""
        u, part = self._at(t)
        found: Array = part[0] + u * (part[1] + u * (part[2] + u * part[3]))
        return found

    def velocity(self, t: Array | float) -> Array:
        """Metres per second (…, 3) at times."""
        u, part = self._at(t)
        found: Array = part[1] + u * (2 * part[2] + u * 3 * part[3])
        return found

    def _at(self, t: Array | float) -> tuple[Array, Array]:
        t = np.asarray(t, np.float64)
        number = np.searchsorted(self.seconds, t, side="right") - 1
        number = np.clip(number, 0, len(self._table) - 1)
        part = np.moveaxis(self._table[number], -2, 0)
        return (t - self.seconds[number])[..., None], part

    def see(self, points: Array, *, first: float) -> tuple[Array, Array, Array]:
        """When, how far and from where earth-fixed points are seen.

        Args:
            points: (…, 3) metres.
            first: A time to start the search from.

        Returns:
            Time and distance in metres, both (…); and the unit vector (…, 3) from the point to
            the platform.
        """
        flat = np.ascontiguousarray(points.reshape(-1, 3), np.float64)
        t, distance, look = np.empty(len(flat)), np.empty(len(flat)), np.empty_like(flat)
        _solve(self.seconds, self._table, flat, first, t, distance, look)
        shape = points.shape[:-1]
        return t.reshape(shape), distance.reshape(shape), look.reshape(points.shape)

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
        t, distance, _ = self.see(ecef(lon, lat, height), first=first)
        return t, 2 * distance / LIGHT

    def side(self, lon: Array, lat: Array, t: Array) -> Array:
        """+1 for points (…) right of the track at the times they are seen, −1 for those left."""
        place, velocity = self.position(t), self.velocity(t)
        sight = ecef(lon, lat, 0.0) - place
        signs: Array = np.sign(np.sum(np.cross(velocity, sight) * -place, axis=-1))
        return signs

    def ground(
        self,
        t: Array,
        tau: Array,
        height: float,
        *,
        lon: Array,
        lat: Array,
        first: float | None = None,
    ) -> tuple[Array, Array]:
        """Longitude and latitude (degrees) of what is seen at `t` and `tau`, at one height.

        `lon` and `lat` are places to start the search from, on the side the radar looks to, `first`
        a time to start from (none: the mean of `t`); a point found does not depend on the others.
        """
        first = float(np.mean(t)) if first is None else first
        for _ in range(_GROUND_STEPS):
            here = np.stack(self.radar(lon, lat, height, first=first))
            east = (np.stack(self.radar(lon + _SMALL, lat, height, first=first)) - here) / _SMALL
            north = (np.stack(self.radar(lon, lat + _SMALL, height, first=first)) - here) / _SMALL
            miss = np.stack([t, tau]) - here
            area = east[0] * north[1] - east[1] * north[0]
            along = (miss[0] * north[1] - miss[1] * north[0]) / area
            up = (east[0] * miss[1] - east[1] * miss[0]) / area
            # Nothing is seen below the platform: steps that leave the scene are cut short.
            short = np.minimum(1.0, _LONGEST / np.maximum(np.hypot(along, up), _FOUND))
            far = np.abs(along) + np.abs(up) > _FOUND
            lon = np.where(far, lon + short * along, lon)
            lat = np.where(far, lat + short * up, lat)
            if not far.any():
                break
        return lon, lat


@kept
def _solve(
    seconds: Array, table: Array, points: Array, first: float, t: Array, far: Array, look: Array
) -> None:
    """Newton's method on (X − P)·V = 0, point by point."""
    last = table.shape[0] - 1
    for n in range(points.shape[0]):
        now, number = first, 0
        for _ in range(_STEPS):
            while number < last and now >= seconds[number + 1]:
                number += 1
            while number > 0 and now < seconds[number]:
                number -= 1
            u = now - seconds[number]
            miss = slope = 0.0
            for k in range(3):
                p, v = table[number, 0, k], table[number, 1, k]
                b, c = table[number, 2, k], table[number, 3, k]
                sight = points[n, k] - (p + u * (v + u * (b + u * c)))
                speed = v + u * (2 * b + 3 * u * c)
                miss += sight * speed
                slope += sight * (2 * b + 6 * u * c) - speed * speed
            step = min(60.0, max(-60.0, miss / slope))
            now -= step
            if abs(step) < _TOLERANCE:
                break
        while number < last and now >= seconds[number + 1]:
            number += 1
        while number > 0 and now < seconds[number]:
            number -= 1
        u = now - seconds[number]
        square = 0.0
        for k in range(3):
            p, v = table[number, 0, k], table[number, 1, k]
            b, c = table[number, 2, k], table[number, 3, k]
            look[n, k] = p + u * (v + u * (b + u * c)) - points[n, k]
            square += look[n, k] * look[n, k]
        far[n] = np.sqrt(square)
        t[n] = now
        for k in range(3):
            look[n, k] /= far[n]
