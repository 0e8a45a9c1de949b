"""Complex images of a pass: scatterers, corner reflectors and noise, strip by strip."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.simulate.given.kernels import white
from cpazmal_scale.simulate.given.streams import key
from cpazmal_scale.simulate.radar import earth
from cpazmal_scale.simulate.radar.earth import LIGHT
from cpazmal_scale.simulate.radar.passes import View, positions, response
from cpazmal_scale.simulate.radar.rays import Tiles
from cpazmal_scale.simulate.radar.scatterers import reflect, scatter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

CAL_FACTOR = 1e-5
"""β0 of a unit of the square of an amplitude."""
SATURATION = 32_767.0
STRIP = 512
"""Lines made at once."""
_TILE = 32.0


@dataclass(frozen=True)
class Reflector:
    """A corner reflector at longitude, latitude (degrees) and height above the ellipsoid (m).

    `section` is its radar cross-section in m².
    """

    name: str
    lon: float
    lat: float
    height: float
    section: float


@dataclass(frozen=True)
class Backscatter:
    """γ0 (polarisation, rows, columns) of the ground on a map grid; `left`, `top` of its corner."""

    gamma: NDArray[np.float32]
    left: float
    top: float
    pixel: float


@dataclass(frozen=True)
class Noise:
    """Noise equivalent β0 in units of the squared amplitude: a cubic in τ − `reference`."""

    reference: float
    coefficients: tuple[float, ...]


def noise_of(view: View, gamma: float) -> Noise:
    """The noise that equals a γ0 of flat ground, over the image's range."""
    sensor = view.sensor
    tau = sensor.near + np.linspace(0, view.samples - 1, 33) * sensor.sample_step
    u = np.zeros_like(tau)
    places = view.ground(u, (tau - view.range_delay) * LIGHT / 2, np.full_like(u, view.height))
    at, _ = view.motion(u)
    lon, lat, _ = earth.geodetic(places)
    sight = at - places
    cosine = np.sum(sight * earth.normal(lon, lat), axis=1) / np.linalg.norm(sight, axis=1)
    floor = gamma * cosine / np.sqrt(1 - cosine**2) / CAL_FACTOR
    middle, half = float(tau.mean()), float(np.ptp(tau)) / 2
    fitted = np.polynomial.polynomial.polyfit((tau - middle) / half, floor, 3)
    return Noise(middle, tuple(float(c) / half**n for n, c in enumerate(fitted)))


def tiles_of(view: View, scatterers: float) -> Tiles:
    """Tiles over a surface with at least so many scatterers per sample of flat ground."""
    left, bottom, right, top = view.surface.bounds
    sensor = view.sensor
    speed = float(np.linalg.norm(view.motion(np.zeros(1))[1])) * 0.93
    slant = sensor.sample_step * LIGHT / 2
    ground = sensor.line_step * speed * slant / math.sin(math.radians(view.flown.incidence))
    fine = math.ceil(_TILE * math.sqrt(scatterers / ground))
    down, along = math.floor((top - bottom) / _TILE), math.floor((right - left) / _TILE)
    return Tiles(left, top, down, along, _TILE, fine)


def strips(
    view: View,
    ground: Backscatter,
    noise: tuple[Noise, ...],
    *,
    seed: int,
    reflectors: tuple[Reflector, ...] = (),
    scatterers: float = 6.0,
    lines: int = STRIP,
) -> Iterator[NDArray[np.complex64]]:
    """Amplitudes (polarisation, lines, samples) in units of the product, from top to bottom.

    Args:
        view: The pass.
        ground: Backscatter of each of its polarisations.
        noise: Of each polarisation; none is added where this is empty.
        seed: Seed of the scatterers' places and amplitudes and of the noise.
        reflectors: Corner reflectors.
        scatterers: Least number of scatterers per sample of flat ground.
        lines: Lines of a strip; the image does not depend on it.
    """
    flown, sensor = view.flown, view.sensor
    stamp = flown.start.isoformat()
    names = ("places", *flown.polarisations)
    keys = np.array([key(seed, "scatterers", stamp, name) for name in names], np.uint64)
    power = ground.gamma, ground.left, ground.top, ground.pixel
    tiles, shape = tiles_of(view, scatterers), response()
    bright = list(_seen(view, reflectors))
    for first in range(0, view.lines, lines):
        count = min(lines, view.lines - first)
        image = np.zeros((len(flown.polarisations), count, view.samples), np.complex64)
        scatter(view.surface, view.patch, sensor, tiles, power, shape, keys, first, image)
        for line, sample, amplitude in bright:
            for band in image:
                reflect(band, line - first, sample, amplitude, shape)
        image /= np.float32(math.sqrt(CAL_FACTOR))
        for band, name, one in zip(image, flown.polarisations, noise, strict=False):
            band += _noise(view, one, key(seed, "noise", stamp, name), first, count)
        yield image


def _seen(view: View, reflectors: tuple[Reflector, ...]) -> Iterator[tuple[float, float, float]]:
    """Line, sample and amplitude, the root of β0 times samples, of reflectors."""
    if not reflectors:
        return
    lon, lat, height = (
        np.array([getattr(one, name) for one in reflectors]) for name in ("lon", "lat", "height")
    )
    sensor = view.sensor
    slant = sensor.sample_step * LIGHT / 2
    for one, line, sample in zip(reflectors, *positions(view, lon, lat, height), strict=True):
        speed = float(np.linalg.norm(view.motion(np.zeros(1))[1])) * 0.93
        yield (
            float(line),
            float(sample),
            math.sqrt(one.section / (sensor.line_step * speed * slant)),
        )


def _noise(
    view: View, noise: Noise, own: np.uint64, first: int, count: int
) -> NDArray[np.complex64]:
    re = np.empty((count, view.samples), np.float32)
    im = np.empty_like(re)
    white(own, first, 0, re, im)
    tau = view.sensor.near + np.arange(view.samples) * view.sensor.sample_step - noise.reference
    power = np.polynomial.polynomial.polyval(tau, noise.coefficients)
    out: NDArray[np.complex64] = ((re + 1j * im) * np.sqrt(power)).astype(np.complex64)
    return out
