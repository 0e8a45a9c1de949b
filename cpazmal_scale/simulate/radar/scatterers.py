"""Compiled loops over the scatterers of the ground: what each adds to an image.

Random numbers depend on the tile of the map and the scatterer's number in it alone, and tiles are
visited in one order: an image is the same bit by bit however it is cut into strips.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept
from cpazmal_scale.simulate.radar.earth import LIGHT, Patch
from cpazmal_scale.simulate.radar.rays import (
    SOURCE,
    Sensor,
    Tiles,
    bits,
    hidden,
    image_place,
    look,
    outside,
    spline,
    uniform,
)
from cpazmal_scale.simulate.radar.surface import Surface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

TAPS = 7
"""Samples that one scatterer reaches along each axis."""
PLACES = 2048
"""Places of a scatterer within its nearest sample at which the impulse response is tabled."""
_HALF = TAPS // 2


@inlined
def _tabled(offset: float) -> int:
    """Row of a tabled impulse response for −½ to ½ sample from the nearest one."""
    return int((offset + 0.5) * PLACES + 0.5)


@inlined
def _spread(
    image: NDArray[np.complex64],
    i: int,
    j: int,
    along: NDArray[np.float32],
    across: NDArray[np.float32],
    re: float,
    im: float,
) -> None:
    """Add one scatterer whose nearest sample is that of line i and sample j."""
    for a in range(TAPS):
        row = i - _HALF + a
        if row < 0 or row >= image.shape[0]:
            continue
        for b in range(TAPS):
            col = j - _HALF + b
            if 0 <= col < image.shape[1]:
                weight = along[a] * across[b]
                image[row, col] += complex(np.float32(weight * re), np.float32(weight * im))


@kept
def scatter(
    surface: Surface,
    patch: Patch,
    sensor: Sensor,
    tiles: Tiles,
    power: tuple[NDArray[np.float32], float, float, float],
    response: tuple[NDArray[np.float32], NDArray[np.float32]],
    keys: NDArray[np.uint64],
    line: int,
    image: NDArray[np.complex64],
    _rays: int = SOURCE,
) -> None:
    """Add all scatterers that reach a strip of an image.

    `power` is γ0 (polarisation, rows, columns) on a map with its left, top and pixel; `response`
    tables the impulse response (PLACES + 1, TAPS) along azimuth and range; `keys` are those of the
    places and then of each polarisation's amplitudes; `image` (polarisation, lines, samples) begins
    at `line`. Power is in units of β0: a scatterer spreads its cross-section over one sample.
    """
    gamma, left, top, pixel = power
    along, across = response
    lines, samples = image.shape[1], image.shape[2]
    share = tiles.edge / tiles.fine
    count = tiles.fine * tiles.fine
    half = sensor.sample_step * LIGHT / 2
    for number in range(tiles.down * tiles.along):
        x0 = tiles.left + (number % tiles.along) * tiles.edge
        y0 = tiles.top - (number // tiles.along) * tiles.edge
        if outside(
            surface, patch, sensor, (x0, y0, tiles.edge), (line, line + lines - 1), samples - 1
        ):
            continue
        own = bits(keys[0], number)
        for k in range(count):
            x = x0 + share * (k % tiles.fine + uniform(own, 2 * k))
            y = y0 - share * (k // tiles.fine + uniform(own, 2 * k + 1))
            z, east, north = spline(surface, x, y)
            when, r, cosine, facing, _, to_east, to_north, cell = look(
                patch, sensor, x, y, z, east, north
            )
            if facing <= 0:
                continue
            v, u = image_place(sensor, when, r, z, cosine)
            v -= line
            i, j = math.floor(v + 0.5), math.floor(u + 0.5)
            if i < -_HALF or i >= lines + _HALF or j < -_HALF or j >= samples + _HALF:
                continue
            if hidden(surface, x, y, z, cosine, to_east, to_north):
                continue
            row, col = int((top - y) / pixel), int((x - left) / pixel)
            if row < 0 or col < 0 or row >= gamma.shape[1] or col >= gamma.shape[2]:
                continue
            section = facing * share * share / (cell * sensor.line_step * half)
            p, q = _tabled(v - i), _tabled(u - j)
            for band in range(gamma.shape[0]):
                mixed = bits(keys[1 + band], number)
                mean = section * gamma[band, row, col]
                size = math.sqrt(-math.log(uniform(mixed, 2 * k)) * mean)
                turn = 2 * math.pi * uniform(mixed, 2 * k + 1)
                re, im = size * math.cos(turn), size * math.sin(turn)
                _spread(image[band], i, j, along[p], across[q], re, im)


@kept
def reflect(
    image: NDArray[np.complex64],
    line: float,
    sample: float,
    amplitude: float,
    response: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    """Add one corner reflector (`amplitude` is the root of its power) to an image."""
    i, j = math.floor(line + 0.5), math.floor(sample + 0.5)
    p, q = _tabled(line - i), _tabled(sample - j)
    _spread(image, i, j, response[0][p], response[1][q], amplitude, 0.0)


@kept
def areas(
    surface: Surface,
    patch: Patch,
    sensor: Sensor,
    tiles: Tiles,
    key: np.uint64,
    cell: tuple[float, float],
    sums: Array,
    _rays: int = SOURCE,
) -> None:
    """Sum the area that faces the sight over cells of an image, over that of the cells.

    A cell is `cell` lines by samples large; the sums' first cell is centred on line 0, sample 0.
    Ground that is hidden adds nothing; each piece is shared by the four nearest cells.
    """
    share = tiles.edge / tiles.fine
    half = sensor.sample_step * LIGHT / 2
    last = (sums.shape[0] - 1) * cell[0], (sums.shape[1] - 1) * cell[1]
    for number in range(tiles.down * tiles.along):
        x0 = tiles.left + (number % tiles.along) * tiles.edge
        y0 = tiles.top - (number // tiles.along) * tiles.edge
        if outside(surface, patch, sensor, (x0, y0, tiles.edge), (0, last[0]), last[1]):
            continue
        own = bits(key, number)
        for k in range(tiles.fine * tiles.fine):
            x = x0 + share * (k % tiles.fine + uniform(own, 2 * k))
            y = y0 - share * (k // tiles.fine + uniform(own, 2 * k + 1))
            z, east, north = spline(surface, x, y)
            when, r, cosine, facing, _, to_east, to_north, unit = look(
                patch, sensor, x, y, z, east, north
            )
            if facing <= 0 or hidden(surface, x, y, z, cosine, to_east, to_north):
                continue
            v, u = image_place(sensor, when, r, z, cosine)
            v, u = v / cell[0], u / cell[1]
            i, j = math.floor(v), math.floor(u)
            if i < 0 or j < 0 or i > sums.shape[0] - 2 or j > sums.shape[1] - 2:
                continue
            p, q = v - i, u - j
            part = unit * sensor.line_step * half * cell[0] * cell[1]
            part = facing * share * share / part
            sums[i, j] += (1 - p) * (1 - q) * part
            sums[i, j + 1] += (1 - p) * q * part
            sums[i + 1, j] += p * (1 - q) * part
            sums[i + 1, j + 1] += p * q * part
