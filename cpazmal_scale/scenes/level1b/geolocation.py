"""The viewing geometry of a product: its orbit, and its geolocation grid to check it by.

Delays of the atmosphere and of the instrument are taken from the grid, whose points are compared
with the orbit: a grid that contradicts it is refused.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import SceneUnreadable
from cpazmal_scale.scenes.level1b.annotation import Annotation
from cpazmal_scale.scenes.level1b.georef import GeoGrid
from cpazmal_scale.scenes.level1b.orbit import LIGHT, Orbit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_CONTRADICTION = 30.0
"""Largest distance in metres between grid points and orbit, once constant delays are removed."""


class Geolocation:
    """Where points of the ground are in a product's image.

    Times `t` are seconds after the grid's reference time, `tau` two-way range seconds, both on the
    axes of the image, delays included.
    """

    def __init__(self, annotation: Annotation, grid: GeoGrid, *, where: object) -> None:
        """Fit the orbit and compare it with the grid.

        Raises:
            SceneUnreadable: the orbit does not cover the scene, or contradicts the grid.
        """
        from scipy.interpolate import RegularGridInterpolator

        self.grid, self.where = grid, where
        times = [one.time for one in annotation.orbit]
        if any(later <= one for one, later in pairwise(times)):
            raise self._unreadable("its orbit's state vectors are not in order of time")
        span = [(time - grid.reference_time).total_seconds() for time in (*times[:1], *times[-1:])]
        if len(times) < 2 or span[0] > grid.lines[0] or span[1] < grid.lines[-1]:
            raise self._unreadable("its orbit does not cover the scene")
        self.orbit = Orbit(annotation.orbit, grid.reference_time)
        self._middle = float(grid.lines.mean())
        axes = (grid.lines, grid.samples)
        self._incidence, self._lon, self._lat = (
            RegularGridInterpolator(axes, values, bounds_error=False, fill_value=None)
            for values in (grid.inc, grid.lon, grid.lat)
        )
        self.delay = self._delays()

    def _delays(self) -> tuple[float, float]:
        """Constant offsets (t, tau) of the image's axes from geometry."""
        grid = self.grid
        t, tau = self.orbit.radar(grid.lon, grid.lat, grid.height, first=self._middle)
        late, far = grid.t - t, grid.tau - tau
        delay = float(np.median(late)), float(np.median(far))
        speed = float(np.linalg.norm(self.orbit.velocity(self._middle)))
        metres = np.abs([late, late - delay[0]]).max() * speed
        apart = max(float(metres), float(np.abs([far, far - delay[1]]).max()) * LIGHT / 2)
        if not apart < _CONTRADICTION:
            raise self._unreadable(f"its geolocation grid and its orbit are {apart:.0f} m apart")
        return delay

    def radar(self, lon: Array, lat: Array, height: Array | float) -> tuple[Array, Array]:
        """Image times of points of the ground; see `Orbit.radar`."""
        t, tau = self.orbit.radar(lon, lat, height, first=self._middle)
        return t + self.delay[0], tau + self.delay[1]

    def ground(self, t: Array, tau: Array, height: float) -> tuple[Array, Array]:
        """Longitude and latitude (degrees) of image times, for points at one height."""
        at = np.stack([t, tau], axis=-1)
        return self.orbit.ground(
            t - self.delay[0],
            tau - self.delay[1],
            height,
            lon=self._lon(at),
            lat=self._lat(at),
        )

    def incidence(self, t: Array, tau: Array) -> Array:
        """Incidence angle (degrees) of the geolocation grid, linear between its points."""
        angles: Array = self._incidence(np.stack(np.broadcast_arrays(t, tau), axis=-1))
        return angles

    def _unreadable(self, what: str) -> SceneUnreadable:
        return SceneUnreadable(
            what, where=self.where, remedy="copy the product again from its source"
        )
