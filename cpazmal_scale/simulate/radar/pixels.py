"""Compiled loops over pixels of the map: how each is seen, the truth of a simulated pass."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept
from cpazmal_scale.simulate.radar.earth import Patch
from cpazmal_scale.simulate.radar.rays import SOURCE, Sensor, hidden, image_place, look, spline
from cpazmal_scale.simulate.radar.surface import Surface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def heights(surface: Surface, x: Array, y: Array) -> Array:
    """Heights (m) of a surface at map coordinates of one shape."""
    flat = _heights(surface, np.ravel(x).astype(np.float64), np.ravel(y).astype(np.float64))
    return flat.reshape(np.shape(x))


@kept
def _heights(
    surface: Surface,
    x: Array,
    y: Array,
    _rays: int = SOURCE,
) -> Array:
    """Heights of a surface at map coordinates (n,)."""
    out = np.empty(x.size)
    for k in range(x.size):
        out[k] = spline(surface, x[k], y[k])[0]
    return out


@kept
def view(
    surface: Surface,
    patch: Patch,
    sensor: Sensor,
    x: Array,
    y: Array,
    out: Array,
    _rays: int = SOURCE,
) -> None:
    """How the surface is seen at map coordinates x (w,) and y (h,), into `out` (7, h, w).

    Layers: height (m), line, sample, local incidence (degrees), 1 where hidden or turned away,
    time (s) and distance (m).
    """
    for i in range(y.size):
        for j in range(x.size):
            z, east, north = spline(surface, x[j], y[i])
            when, r, cosine, facing, area, to_east, to_north, _ = look(
                patch, sensor, x[j], y[i], z, east, north
            )
            line, sample = image_place(sensor, when, r, z, cosine)
            dark = facing <= 0 or hidden(surface, x[j], y[i], z, cosine, to_east, to_north)
            out[0, i, j], out[1, i, j], out[2, i, j] = z, line, sample
            out[3, i, j] = math.degrees(math.acos(min(max(facing / area, -1.0), 1.0)))
            out[4, i, j] = 1.0 if dark else 0.0
            out[5, i, j], out[6, i, j] = when, r


@kept
def see_points(
    patch: Patch,
    sensor: Sensor,
    points: Array,
    out: Array,
    _rays: int = SOURCE,
) -> None:
    """Line, sample, time, distance and incidence's cosine (n, 5) of points (n, 3): x, y, height."""
    for k in range(points.shape[0]):
        x, y, z = points[k, 0], points[k, 1], points[k, 2]
        when, r, cosine, _, _, _, _, _ = look(patch, sensor, x, y, z, 0.0, 0.0)
        out[k, 0], out[k, 1] = image_place(sensor, when, r, z, cosine)
        out[k, 2], out[k, 3], out[k, 4] = when, r, cosine


@inlined
def _bilinear(values: Array, y: float, x: float) -> float:
    i = min(int(y), values.shape[0] - 2)
    j = min(int(x), values.shape[1] - 2)
    p, q = y - i, x - j
    above = values[i, j] * (1 - q) + values[i, j + 1] * q
    below = values[i + 1, j] * (1 - q) + values[i + 1, j + 1] * q
    mixed: float = above * (1 - p) + below * p
    return mixed


@kept
def folded(
    when: Array,
    distance: Array,
    height: Array,
    away: tuple[float, float],
    flight: tuple[float, float],
    step: float,
    cotangent: float,
    out: NDArray[np.bool_],
) -> None:
    """Where another point of the ground is seen at the same time and distance.

    From every pixel of `when` (s) and `distance` (m), the ground that is abeam at the same time is
    walked pixel by pixel both ways. `away` and `flight` are steps (down, along) of one pixel from
    the sensor and ahead, `step` the seconds one pixel ahead takes, `cotangent` that of the
    incidence; `out` are pixels further in by the margin of both arrays' difference.
    """
    lowest, highest = height.min(), height.max()
    margin = (when.shape[0] - out.shape[0]) // 2
    for row in range(out.shape[0]):
        for col in range(out.shape[1]):
            i, j = row + margin, col + margin
            found = False
            for sign in (1.0, -1.0):
                drop = highest - height[i, j] if sign > 0 else height[i, j] - lowest
                y, x = float(i), float(j)
                steps = int(1.2 * drop * cotangent) + 2
                for _ in range(steps):
                    y, x = y + sign * away[0], x + sign * away[1]
                    if not (1 <= y < when.shape[0] - 2 and 1 <= x < when.shape[1] - 2):
                        break
                    late = (when[i, j] - _bilinear(when, y, x)) / step
                    y, x = y + late * flight[0], x + late * flight[1]
                    if not (0 <= y < when.shape[0] - 1 and 0 <= x < when.shape[1] - 1):
                        break
                    farther = _bilinear(distance, y, x) - distance[i, j]
                    if farther * sign <= 0:
                        found = True
                        break
                if found:
                    break
            out[row, col] = found
