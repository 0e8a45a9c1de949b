"""How one image sees the ground: orbit, delays and the axes of the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cpazmal_scale.terrain import delay
from cpazmal_scale.terrain.ellipsoid import ecef, normal
from cpazmal_scale.terrain.orbit import LIGHT, Orbit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Axes = Callable[["Array", "Array"], "tuple[Array, Array]"]
"""Image times (t, τ) to line and sample, which count from 0 at the centre of the first."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Points as an image sees them, arrays of one shape.

    `line` and `sample` are image positions; `t` (s) and `tau` (two-way s) the image's own times,
    delays included; `look` (…, 3) the unit vector from the point to the platform.
    """

    line: Array
    sample: Array
    t: Array
    tau: Array
    look: Array


class Sight(Protocol):
    """Whatever places points of the ground in an image."""

    def see(self, lon: Array, lat: Array, height: Array) -> Seen:
        """Exact places of points: degrees, and metres above the ellipsoid."""


@dataclass(frozen=True, eq=False)
class OrbitSight:
    """An image in radar geometry.

    `delays` are seconds added to azimuth and two-way range times; `mean_height` is the height for
    which the range delay holds (none: for every height); `first` a time within the image. Points
    on the other side of the track have no place (NaN).
    """

    orbit: Orbit
    axes: Axes
    first: float
    delays: tuple[float, float] = (0.0, 0.0)
    mean_height: float | None = None
    side: int = 0

    def see(self, lon: Array, lat: Array, height: Array) -> Seen:
        """See `Sight.see`."""
        t, distance, look = self.orbit.see(ecef(lon, lat, height), first=self.first)
        if self.mean_height is not None:
            cosine = np.sum(look * normal(lon, lat), axis=-1)
            distance = distance + delay.beyond_mean(height, self.mean_height, cosine)
        if self.side:
            t = np.where(self.orbit.side(lon, lat, t) == self.side, t, np.nan)
        t, tau = t + self.delays[0], 2 * distance / LIGHT + self.delays[1]
        return Seen(*self.axes(t, tau), t, tau, look)
