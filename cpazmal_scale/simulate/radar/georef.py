"""The geolocation grid of a pass: places on coarse heights, as a provider computes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.simulate.radar import earth
from cpazmal_scale.simulate.radar.earth import LIGHT
from cpazmal_scale.simulate.radar.passes import View
from cpazmal_scale.simulate.radar.pixels import heights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

COARSE = 500.0
"""Metres over which the provider's heights are means."""
_STEP = 25.0
_APART = 400.0
_FEWEST = 5
_ROUNDS = 8


@dataclass(frozen=True)
class Grid:
    """Points (azimuth, range) at image times `t`, `tau` (s); row and col count from 1.

    `inc` (degrees) is the angle between sight and ellipsoid at the point.
    """

    t: Array
    tau: Array
    lat: Array
    lon: Array
    height: Array
    inc: Array
    row: NDArray[np.int64]
    col: NDArray[np.int64]


def grid_of(view: View) -> Grid:
    """The grid of a pass: from the annotated delays and orbit, on mean heights of 500 m."""
    sensor = view.sensor
    counts = (
        max(_FEWEST, round(extent / _APART))
        for extent in (
            view.lines * sensor.line_step * 7_000.0,
            view.samples * sensor.sample_step * LIGHT / 2,
        )
    )
    line, sample = (
        np.linspace(0, last - 1, count)
        for last, count in zip((view.lines, view.samples), counts, strict=True)
    )
    t, tau = np.meshgrid(
        line * sensor.line_step, sensor.near + sample * sensor.sample_step, indexing="ij"
    )
    lon, lat, height, inc = located(view, t, tau)
    row, col = np.meshgrid(line, sample, indexing="ij")
    whole = (np.floor(part + 1e-6).astype(np.int64) + 1 for part in (row, col))
    return Grid(t, tau, lat, lon, height, inc, *whole)


def located(view: View, t: Array, tau: Array) -> tuple[Array, Array, Array, Array]:
    """Longitude, latitude, height and incidence (degrees, m) of image times on coarse heights."""
    u = view.annotated(t)
    r = (tau - view.range_delay) * LIGHT / 2
    coarse = _Coarse(view)
    height = np.full(np.shape(t), view.height)
    for _ in range(_ROUNDS):
        places = view.ground(u, r, height)
        lon, lat, _ = earth.geodetic(places)
        height = (height + coarse(*earth.to_map(view.crs, lon, lat))) / 2
    places = view.ground(u, r, height)
    lon, lat, _ = earth.geodetic(places)
    sight = view.motion(u)[0] - places
    cosine = np.sum(sight * earth.normal(lon, lat), axis=-1) / np.linalg.norm(sight, axis=-1)
    return lon, lat, height, np.degrees(np.arccos(cosine))


class _Coarse:
    """Mean heights of a surface over blocks, linear between their middles."""

    def __init__(self, view: View) -> None:
        from scipy.interpolate import RegularGridInterpolator

        left, bottom, right, top = view.surface.bounds
        side = round(COARSE / _STEP)
        along, down = (max(2, int(edge / COARSE)) for edge in (right - left, top - bottom))
        x = left + _STEP * (np.arange(along * side) + 0.5)
        y = bottom + _STEP * (np.arange(down * side) + 0.5)
        fine = heights(view.surface, *np.meshgrid(x, y))
        means = fine.reshape(down, side, along, side).mean(axis=(1, 3))
        self._x = x.reshape(along, side).mean(axis=1)
        self._y = y.reshape(down, side).mean(axis=1)
        self._between = RegularGridInterpolator((self._y, self._x), means)

    def __call__(self, x: Array, y: Array) -> Array:
        """Heights at map coordinates; beyond the edge those at the edge."""
        inside = np.clip(y, self._y[0], self._y[-1]), np.clip(x, self._x[0], self._x[-1])
        values: Array = self._between(np.stack(inside, axis=-1))
        return values
