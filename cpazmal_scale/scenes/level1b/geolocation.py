"""The viewing geometry of a product: its orbit, and its geolocation grid to check it by.

Delays of the atmosphere and of the instrument are taken from the grid, whose points are compared
with the orbit: a grid that contradicts it is refused. Where the grid has no heights, the annotated
delays hold, and the heights are those at which the orbit sees the points at their range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import COPY_AGAIN, SceneUnreadable
from cpazmal_scale.scenes.level1b.annotation import Annotation, StateVector
from cpazmal_scale.scenes.level1b.georef import GeoGrid
from cpazmal_scale.terrain.coordinates import continuous
from cpazmal_scale.terrain.orbit import LIGHT, Orbit
from cpazmal_scale.terrain.sight import Axes, OrbitSight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_CONTRADICTION = 30.0
"""Largest distance in metres between grid points and orbit, once constant delays are removed."""
_GAP = 30.0
"""Longest time in seconds between state vectors: interpolation is then 2 cm off."""
_HEIGHTS = -1000.0, 10_000.0
_SIDES = {"R": 1, "L": -1}


class Geolocation:
    """Where points of the ground are in a product's image.

    Times `t` are seconds after the grid's reference time, `tau` two-way range seconds, both on the
    axes of the image, delays included. `heights` are those of the grid's points, in metres above
    the ellipsoid, `measured` the delays (t, tau) that they have beside the orbit.
    """

    def __init__(
        self,
        annotation: Annotation,
        grid: GeoGrid,
        *,
        where: object,
        beyond: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Fit the orbit and compare it with the grid; `beyond` are delays that it does not have.

        Raises:
            SceneUnreadable: the orbit does not cover the scene, has a gap or contradicts the grid,
                the annotated side or flight direction; or neither heights nor delays are annotated.
        """
        from scipy.interpolate import RegularGridInterpolator

        grid = replace(grid, lon=continuous(grid.lon))
        self.annotation, self.grid, self.where = annotation, grid, where
        self.orbit = self._orbit()
        self.first = float(grid.lines.mean())
        axes = (grid.lines, grid.samples)
        self._lon, self._lat = (
            RegularGridInterpolator(axes, values, bounds_error=False, fill_value=None)
            for values in (grid.lon, grid.lat)
        )
        self.heights = self._implied() if grid.height is None else grid.height
        self.measured = self._delays()
        self.delay = self.measured[0] + beyond[0], self.measured[1] + beyond[1]
        self.side = self._side()

    @property
    def mean_height(self) -> float:
        """The height for which the annotated delay holds."""
        return self.annotation.average_height

    def sight(self, axes: Axes, *, by_height: bool) -> OrbitSight:
        """How the image sees the ground; its delay changes with height if asked."""
        mean = self.mean_height if by_height else None
        return OrbitSight(self.orbit, axes, self.first, self.delay, mean, self.side)

    def _orbit(self) -> Orbit:
        vectors, grid = self.annotation.orbit, self.grid
        seconds = [(one.time - grid.reference_time).total_seconds() for one in vectors]
        if any(later <= one for one, later in pairwise(seconds)):
            raise self._unreadable("its orbit's state vectors are not in order of time")
        if len(seconds) < 2 or seconds[0] > grid.lines[0] or seconds[-1] < grid.lines[-1]:
            raise self._unreadable("its orbit does not cover the scene")
        gaps = [
            later - one
            for one, later in pairwise(seconds)
            if later >= grid.lines[0] and one <= grid.lines[-1]
        ]
        if max(gaps) > _GAP:
            raise self._unreadable(f"its orbit has no state vector for {max(gaps):.0f} s")
        return orbit_of(vectors, grid.reference_time)

    def _implied(self) -> Array:
        """Heights at which the orbit sees the grid's points at their annotated range."""
        grid = self.grid
        if grid.range_delay is None:
            raise self._unreadable(
                "neither heights of its geolocation grid nor its range delay are annotated"
            )
        height = np.full(grid.t.shape, self.mean_height)
        cosine = np.cos(np.radians(grid.inc))
        for _ in range(6):
            _, tau = self.orbit.radar(grid.lon, grid.lat, height, first=self.first)
            far = (grid.tau - grid.range_delay - tau) * LIGHT / 2
            height = height - far / cosine
        if not _HEIGHTS[0] < height.min() <= height.max() < _HEIGHTS[1]:
            raise self._unreadable("its geolocation grid and its orbit are kilometres apart")
        return height

    def _delays(self) -> tuple[float, float]:
        """Constant offsets (t, tau) of the image's axes from geometry."""
        grid = self.grid
        t, tau = self.orbit.radar(grid.lon, grid.lat, self.heights, first=self.first)
        late, far = grid.t - t, grid.tau - tau
        delay = float(np.median(late)), float(np.median(far))
        speed = float(np.linalg.norm(self.orbit.velocity(self.first)))
        metres = np.abs([late, late - delay[0]]).max() * speed
        apart = max(float(metres), float(np.abs([far, far - delay[1]]).max()) * LIGHT / 2)
        if not apart < _CONTRADICTION:
            raise self._unreadable(f"its geolocation grid and its orbit are {apart:.0f} m apart")
        return delay

    def _side(self) -> int:
        grid = self.grid
        sides = self.orbit.side(grid.lon, grid.lat, grid.t)
        annotated = _SIDES[self.annotation.look_side]
        flies = "ASC" if self.orbit.velocity(self.first)[2] > 0 else "DSC"
        if flies != self.annotation.orbit_direction:
            raise self._unreadable(
                f"its orbit is {flies}, its annotation says {self.annotation.orbit_direction}"
            )
        if not (sides == annotated).all():
            raise self._unreadable("its geolocation grid lies on the other side of its orbit")
        return annotated

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

    def _unreadable(self, what: str) -> SceneUnreadable:
        return SceneUnreadable(what, where=self.where, remedy=COPY_AGAIN)


def orbit_of(vectors: Sequence[StateVector], reference: datetime) -> Orbit:
    """Annotated state vectors as an orbit whose times are seconds after `reference`."""
    seconds = [(one.time - reference).total_seconds() for one in vectors]
    return Orbit(seconds, [one.position for one in vectors], [one.velocity for one in vectors])
