"""Where a piece of simulated ground is seen from an orbit, and whether another stands before it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

import numpy as np

from cpazmal_scale.kernels.compiled import inlined
from cpazmal_scale.simulate.radar.earth import LIGHT, Patch
from cpazmal_scale.simulate.radar.surface import Surface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ZENITH_DELAY, SCALE_HEIGHT = 2.3, 6000.0
"""Metres that the air at sea level delays a vertical path, and the height over which it fades."""
REACH = 7
"""Samples beside an image from which ground is still visited."""
SOURCE = crc32(Path(__file__).read_bytes())
"""What kernels that use this module are compiled again for: numba looks at their own file only."""
_TOLERANCE = 1e-4
"""Sight times velocity (m²/s) of an accepted zero Doppler: 2 ps of azimuth time."""
_FALSE_POSITIONS = 60
_RADIUS = 6.371e6
_TOUCH = 1e-3
_UNIT = 2.0**-53
_A = np.uint64(0x9E3779B97F4A7C15)
_B = np.uint64(0xBF58476D1CE4E5B9)
_C = np.uint64(0x94D049BB133111EB)


class Sensor(NamedTuple):
    """One pass: polynomials (3, n) of its place, and the axes of its image.

    Zero Doppler is sought within `low`..`high` (s). A place seen at `u` lies in line
    (u − first) / line_step; one whose echo takes τ in sample (τ − near) / sample_step. `added` (s)
    delays every echo, besides the air below.
    """

    arc: Array
    low: float
    high: float
    first: float
    line_step: float
    near: float
    sample_step: float
    added: float


class Tiles(NamedTuple):
    """Square tiles of the map, `edge` metres wide, with fine² scatterers in each."""

    left: float
    top: float
    down: int
    along: int
    edge: float
    fine: int


@inlined
def spline(surface: Surface, x: float, y: float) -> tuple[float, float, float]:
    """Height and its slopes east and north."""
    s, t = (surface.top - y) / surface.step, (x - surface.left) / surface.step
    i, j = math.floor(s), math.floor(t)
    i = min(max(i, 1), surface.knots.shape[0] - 3)
    j = min(max(j, 1), surface.knots.shape[1] - 3)
    p, q = s - i, t - j
    a0, a1 = (1 - p) ** 3 / 6, (3 * p**3 - 6 * p * p + 4) / 6
    a2, a3 = (1 + 3 * p + 3 * p * p - 3 * p**3) / 6, p**3 / 6
    d0, d1 = -((1 - p) ** 2) / 2, (3 * p * p - 4 * p) / 2
    d2, d3 = (1 + 2 * p - 3 * p * p) / 2, p * p / 2
    b0, b1 = (1 - q) ** 3 / 6, (3 * q**3 - 6 * q * q + 4) / 6
    b2, b3 = (1 + 3 * q + 3 * q * q - 3 * q**3) / 6, q**3 / 6
    e0, e1 = -((1 - q) ** 2) / 2, (3 * q * q - 4 * q) / 2
    e2, e3 = (1 + 2 * q - 3 * q * q) / 2, q * q / 2
    z = south = east = 0.0
    for k in range(4):
        row = surface.knots[i - 1 + k]
        c0, c1, c2, c3 = row[j - 1], row[j], row[j + 1], row[j + 2]
        a = a0 if k == 0 else a1 if k == 1 else a2 if k == 2 else a3
        d = d0 if k == 0 else d1 if k == 1 else d2 if k == 2 else d3
        line = b0 * c0 + b1 * c1 + b2 * c2 + b3 * c3
        z += a * line
        south += d * line
        east += a * (e0 * c0 + e1 * c1 + e2 * c2 + e3 * c3)
    return z, east / surface.step, -south / surface.step


@inlined
def _cubic(table: Array, k: int, u: float, v: float) -> tuple[float, float, float]:
    """One polynomial of a patch, and its derivatives by u and v."""
    flat = table[1, k] + v * (table[2, k] + v * table[3, k])
    once = table[4, k] + v * (table[5, k] + v * table[6, k])
    twice = table[7, k] + v * table[8, k]
    value = table[0, k] + v * flat + u * (once + u * (twice + u * table[9, k]))
    by_u = once + u * (2 * twice + 3 * u * table[9, k])
    by_v = table[1, k] + v * (2 * table[2, k] + 3 * v * table[3, k])
    by_v += u * (table[5, k] + 2 * v * table[6, k] + u * table[8, k])
    return value, by_u, by_v


@inlined
def _fly(arc: Array, u: float) -> tuple[float, float, float, float, float, float]:
    """Position and velocity at a time."""
    last = arc.shape[1] - 1
    px, py, pz = arc[0, last], arc[1, last], arc[2, last]
    vx = vy = vz = 0.0
    for k in range(last - 1, -1, -1):
        vx, vy, vz = vx * u + px, vy * u + py, vz * u + pz
        px, py, pz = px * u + arc[0, k], py * u + arc[1, k], pz * u + arc[2, k]
    return px, py, pz, vx, vy, vz


@inlined
def _ahead(arc: Array, x: float, y: float, z: float, u: float) -> float:
    """Sight to a place times velocity: positive before the place is abeam."""
    px, py, pz, vx, vy, vz = _fly(arc, u)
    return (x - px) * vx + (y - py) * vy + (z - pz) * vz


@inlined
def _abeam(sensor: Sensor, x: float, y: float, z: float) -> tuple[float, float]:
    """Time of zero Doppler by false position between bounds; NaN where it is not within them."""
    low, high = sensor.low, sensor.high
    before, after = _ahead(sensor.arc, x, y, z, low), _ahead(sensor.arc, x, y, z, high)
    if before < 0 or after > 0:
        return np.nan, 1.0
    rate = (before - after) / (high - low)
    kept_side = 0
    u = low
    for _ in range(_FALSE_POSITIONS):
        u = (low * after - high * before) / (after - before)
        miss = _ahead(sensor.arc, x, y, z, u)
        if abs(miss) < _TOLERANCE:
            break
        if miss > 0:
            low, before = u, miss
            if kept_side == 1:
                after /= 2
            kept_side = 1
        else:
            high, after = u, miss
            if kept_side == -1:
                before /= 2
            kept_side = -1
    return u, rate


@inlined
def look(
    patch: Patch, sensor: Sensor, x: float, y: float, z: float, east: float, north: float
) -> tuple[float, float, float, float, float, float, float, float]:
    """How a sloping piece of ground is seen.

    Returns the time, distance (m), cosine of the angle between sight and ellipsoid's normal, area
    facing the sight and area itself (m² per m² of map), the sight's part east and north on the map,
    and the area (m²) of a second of azimuth time by a metre of distance.
    """
    u, v = (x - patch.x0) / patch.scale, (y - patch.y0) / patch.scale
    ex, exu, exv = _cubic(patch.table, 0, u, v)
    ey, eyu, eyv = _cubic(patch.table, 1, u, v)
    ez, ezu, ezv = _cubic(patch.table, 2, u, v)
    nx, nxu, nxv = _cubic(patch.table, 3, u, v)
    ny, nyu, nyv = _cubic(patch.table, 4, u, v)
    nz, nzu, nzv = _cubic(patch.table, 5, u, v)
    px, py, pz = ex + z * nx, ey + z * ny, ez + z * nz
    when, rate = _abeam(sensor, px, py, pz)
    sx, sy, sz, vx, vy, vz = _fly(sensor.arc, when)
    sx, sy, sz = sx - px, sy - py, sz - pz
    r = math.sqrt(sx * sx + sy * sy + sz * sz)
    sx, sy, sz = sx / r, sy / r, sz / r
    ax, ay, az = (
        (exu + z * nxu) / patch.scale,
        (eyu + z * nyu) / patch.scale,
        (ezu + z * nzu) / patch.scale,
    )
    bx, by, bz = (
        (exv + z * nxv) / patch.scale,
        (eyv + z * nyv) / patch.scale,
        (ezv + z * nzv) / patch.scale,
    )
    cosine = sx * nx + sy * ny + sz * nz
    to_east = (sx * ax + sy * ay + sz * az) / (ax * ax + ay * ay + az * az)
    to_north = (sx * bx + sy * by + sz * bz) / (bx * bx + by * by + bz * bz)
    ax, ay, az = ax + east * nx, ay + east * ny, az + east * nz
    bx, by, bz = bx + north * nx, by + north * ny, bz + north * nz
    cx, cy, cz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    facing = cx * sx + cy * sy + cz * sz
    area = math.sqrt(cx * cx + cy * cy + cz * cz)
    cell = rate / math.sqrt(vx * vx + vy * vy + vz * vz)
    return when, r, cosine, facing, area, to_east, to_north, cell


@inlined
def hidden(
    surface: Surface, x: float, y: float, z: float, cosine: float, to_east: float, to_north: float
) -> bool:
    """Whether the surface stands in the way of the sight from a point of it.

    The ray is followed upwards; a step is as long as the steepest slope allows without passing
    through the surface.
    """
    level = math.sqrt(to_east * to_east + to_north * to_north)
    rise = cosine / level
    if rise >= surface.steepest:
        return False
    dx, dy = to_east / level, to_north / level
    left, top = surface.left, surface.top
    right = left + (surface.knots.shape[1] - 1) * surface.step
    bottom = top - (surface.knots.shape[0] - 1) * surface.step
    least = surface.step / 8
    s = least
    while True:
        ray = z + s * (rise + s / (2 * _RADIUS))
        at_x, at_y = x + s * dx, y + s * dy
        if ray > surface.highest or not (left <= at_x <= right and bottom <= at_y <= top):
            return False
        clear = ray - spline(surface, at_x, at_y)[0]
        if clear < -_TOUCH:
            return True
        s += max(least, clear / (surface.steepest - rise))


@inlined
def image_place(
    sensor: Sensor, when: float, r: float, z: float, cosine: float
) -> tuple[float, float]:
    """Line and sample in the image; the air delays the echo of a high place less."""
    air = ZENITH_DELAY * math.exp(-z / SCALE_HEIGHT) / cosine
    tau = 2 * (r + air) / LIGHT + sensor.added
    return (when - sensor.first) / sensor.line_step, (tau - sensor.near) / sensor.sample_step


@inlined
def bits(key: np.uint64, number: int) -> np.uint64:
    """64 bits of a number under a key (SplitMix64)."""
    z = key + np.uint64(number) * _A
    z = (z ^ (z >> np.uint64(30))) * _B
    z = (z ^ (z >> np.uint64(27))) * _C
    return z ^ (z >> np.uint64(31))


@inlined
def uniform(key: np.uint64, number: int) -> float:
    """A number above 0 and below 1."""
    return ((bits(key, number) >> np.uint64(11)) + 0.5) * _UNIT


@inlined
def outside(
    surface: Surface,
    patch: Patch,
    sensor: Sensor,
    tile: tuple[float, float, float],
    lines: tuple[float, float],
    samples: float,
) -> bool:
    """Whether nothing of a tile can reach lines and samples first..last."""
    left, top, edge = tile
    i = int((surface.top - top) / surface.step)
    j = int((left - surface.left) / surface.step)
    reach = int(edge / surface.step) + 4
    i, j = max(i - 1, 0), max(j - 1, 0)
    around = surface.knots[i : i + reach, j : j + reach]
    lowest, highest = around.min(), around.max()
    first_line = first_sample = np.inf
    last_line = last_sample = -np.inf
    for z in (lowest, highest):
        for x in (left, left + edge):
            for y in (top - edge, top):
                when, r, cosine, _, _, _, _, _ = look(patch, sensor, x, y, z, 0.0, 0.0)
                line, sample = image_place(sensor, when, r, z, cosine)
                if math.isnan(line):
                    return True
                first_line, last_line = min(first_line, line), max(last_line, line)
                first_sample, last_sample = min(first_sample, sample), max(last_sample, sample)
    return (
        first_line > lines[1] + REACH
        or last_line < lines[0] - REACH
        or first_sample > samples + REACH
        or last_sample < -REACH
    )
