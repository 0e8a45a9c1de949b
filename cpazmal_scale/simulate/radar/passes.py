"""One pass of the simulated satellite: its image's axes, its delays and its false clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cpazmal_scale.simulate.radar import earth
from cpazmal_scale.simulate.radar.earth import LIGHT, Patch
from cpazmal_scale.simulate.radar.orbit import Orbit, orbit_over
from cpazmal_scale.simulate.radar.pixels import heights, see_points
from cpazmal_scale.simulate.radar.rays import SCALE_HEIGHT, ZENITH_DELAY, Sensor
from cpazmal_scale.simulate.radar.scatterers import PLACES, TAPS
from cpazmal_scale.simulate.radar.surface import Surface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FREQUENCY = 9.65e9
ELECTRONS = 5e16
"""Electrons per m² of the ionosphere: the 5 TEC units that the provider assumes."""
AZIMUTH_BAND, RANGE_BAND = 1 / 1.4, 1 / 1.1
"""Processed bandwidths over the sampling rates."""
HAMMING = 0.6
_WIDTH = 1.045
"""Resolution times bandwidth of a Hamming window of 0.6."""
_REACH = 3.0
_SAMPLED = 64


@dataclass(frozen=True)
class Pass:
    """What is to be flown; angles in degrees, resolutions in metres on the ground.

    `tube` are metres that the orbit lies higher and further right than its mean; `shift` (s) is the
    azimuth time shift, annotated; `clock` (s along azimuth, two-way s along range) an error of the
    instrument's clock that nobody annotates.
    """

    start: datetime
    beam: str
    direction: Literal["ASC", "DSC"]
    side: Literal["R", "L"]
    incidence: float
    polarisations: tuple[str, ...]
    resolution_range: float
    resolution_azimuth: float
    tube: tuple[float, float] = (0.0, 0.0)
    shift: float = -180e-6
    clock: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class View:
    """A pass over a place.

    `sensor` puts ground into the image as it truly lies there; what the annotation tells is
    `ionosphere` and `atmosphere` (two-way s), the latter right at `height` (m, the mean) only.
    """

    flown: Pass
    crs: str
    surface: Surface
    patch: Patch
    orbit: Orbit
    sensor: Sensor
    lines: int
    samples: int
    height: float
    ionosphere: float
    atmosphere: float

    @property
    def range_delay(self) -> float:
        """Two-way seconds that the annotation tells to be delay."""
        return self.ionosphere + self.atmosphere

    @property
    def stop(self) -> datetime:
        """Time of the last line."""
        return self.flown.start + timedelta(seconds=(self.lines - 1) * self.sensor.line_step)

    def motion(self, u: Array) -> tuple[Array, Array]:
        """Positions and velocities (…, 3) at times of the orbit."""
        arc = self.sensor.arc.T
        rate = np.polynomial.polynomial.polyder(arc)
        both: Any = [np.polynomial.polynomial.polyval(u, one) for one in (arc, rate)]
        return np.moveaxis(both[0], 0, -1), np.moveaxis(both[1], 0, -1)

    def annotated(self, t: Array) -> Array:
        """Times of the orbit that the annotation gives to image times `t` (s after the start)."""
        return self.sensor.first + t + self.flown.clock[0]

    def ground(self, u: Array, r: Array, height: Array) -> Array:
        """Earth-fixed places (…, 3) abeam at `u`, `r` metres away and `height` above the ellipsoid.

        The look angle is halved into: the height of what lies there grows with it.
        """
        at, velocity = self.motion(u)
        ahead = velocity / np.linalg.norm(velocity, axis=-1, keepdims=True)
        down = -at - np.sum(-at * ahead, axis=-1, keepdims=True) * ahead
        down /= np.linalg.norm(down, axis=-1, keepdims=True)
        out = np.cross(down, ahead) * (1 if self.flown.side == "R" else -1)
        low, high = np.zeros(np.shape(u)), np.full(np.shape(u), math.pi / 2)
        for _ in range(55):
            middle = (low + high) / 2
            sight = np.cos(middle)[..., None] * down + np.sin(middle)[..., None] * out
            above = earth.geodetic(at + r[..., None] * sight)[2] > height
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        sight = np.cos(low)[..., None] * down + np.sin(low)[..., None] * out
        return np.asarray(at + r[..., None] * sight)


def aim(crs: str, surface: Surface, patch: Patch, flown: Pass, size: tuple[float, float]) -> View:
    """The view of a pass over the middle of a surface.

    Args:
        crs: Of the map the surface is on.
        surface: The ground.
        patch: Its map as earth-fixed places.
        flown: The pass.
        size: Metres on the ground of the image along azimuth and range.
    """
    left, bottom, right, top = surface.bounds
    x, y = np.linspace(left, right, _SAMPLED), np.linspace(bottom, top, _SAMPLED)
    height = float(heights(surface, *np.meshgrid(x, y)).mean())
    middle = np.array([(left + right) / 2]), np.array([(bottom + top) / 2])
    lon, lat = earth.to_degrees(crs, *middle)
    target = earth.earth_fixed(lon, lat, np.array([height]))[0]
    up = earth.normal(lon, lat)[0]
    orbit = orbit_over(
        target,
        up,
        ascending=flown.direction == "ASC",
        side=1 if flown.side == "R" else -1,
        incidence=flown.incidence,
        tube=flown.tube,
    )
    cosine, sine = (f(math.radians(flown.incidence)) for f in (math.cos, math.sin))
    ionosphere = 2 * 40.3 * ELECTRONS / FREQUENCY**2 / LIGHT / cosine
    atmosphere = 2 * ZENITH_DELAY * math.exp(-height / SCALE_HEIGHT) / cosine / LIGHT
    place, velocity = orbit.at(0.0)
    speed = float(np.linalg.norm(velocity) * np.linalg.norm(target) / np.linalg.norm(place))
    line_step = flown.resolution_azimuth * AZIMUTH_BAND / _WIDTH / speed
    slant = flown.resolution_range * sine * RANGE_BAND / _WIDTH
    lines, samples = round(size[0] / (line_step * speed)), round(size[1] * sine / slant)
    tau = 2 * float(np.linalg.norm(place - target)) / LIGHT + ionosphere + atmosphere
    sensor = Sensor(
        arc=orbit.arc(),
        low=-_REACH,
        high=_REACH,
        first=-(lines // 2) * line_step,
        line_step=line_step,
        near=tau - (samples // 2) * 2 * slant / LIGHT,
        sample_step=2 * slant / LIGHT,
        added=ionosphere + flown.clock[1],
    )
    return View(
        *(flown, crs, surface, patch, orbit, sensor, lines, samples),
        *(height, ionosphere, atmosphere),
    )


def response() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Impulse responses (PLACES + 1, TAPS) along azimuth and range, each place of unit energy."""
    offsets = np.arange(PLACES + 1) / PLACES - 0.5
    distance = np.arange(TAPS) - TAPS // 2 - offsets[:, None]
    along, across = (
        HAMMING * np.sinc(band * distance)
        + (1 - HAMMING) / 2 * (np.sinc(band * distance - 1) + np.sinc(band * distance + 1))
        for band in (AZIMUTH_BAND, RANGE_BAND)
    )
    for one in (along, across):
        one /= np.sqrt(np.sum(one**2, axis=1, keepdims=True))
    return along.astype(np.float32), across.astype(np.float32)


def positions(view: View, lon: Array, lat: Array, height: Array) -> tuple[Array, Array]:
    """Line and sample of places given by longitude, latitude and height above the ellipsoid."""
    x, y = earth.to_map(view.crs, lon, lat)
    points = np.stack([np.ravel(x), np.ravel(y), np.ravel(height)], axis=1)
    out = np.empty((len(points), 5))
    see_points(view.patch, view.sensor, np.ascontiguousarray(points, np.float64), out)
    return out[:, 0].reshape(np.shape(lon)), out[:, 1].reshape(np.shape(lon))
