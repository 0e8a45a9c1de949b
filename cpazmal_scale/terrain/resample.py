"""Heights of an elevation raster at points between its pixels: cubic convolution, mean over area.

The kernel (Keys, a = −½) passes through the raster's values, has continuous slopes and reaches two
pixels far, so that a height depends on its surroundings alone, whatever window is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.kernels.compiled import kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_EXACT = 1e-6
"""Pixels from a pixel's centre within which its value is taken."""
REACH = 3
"""Pixels around a point that are looked at, and one for rounding."""


@kept
def _along(a: float, b: float, c: float, d: float, u: float) -> float:
    """Cubic through four values at −1, 0, 1, 2; outer ones that are unknown go straight on."""
    if np.isnan(a):
        a = 2 * b - c
    if np.isnan(d):
        d = 2 * c - b
    return b + 0.5 * u * (c - a + u * (2 * a - 5 * b + 4 * c - d + u * (3 * (b - c) + d - a)))


@kept
def _row(values: Array, r: int, c: int, u: float) -> float:
    """A row of pixels at a place between columns c and c + 1, NaN where one of these is unknown."""
    b, d = values[r, c], values[r, c + 1]
    if u == 0:
        return float(b)
    if np.isnan(b + d):
        return np.nan
    return _along(values[r, c - 1], b, d, values[r, c + 2], u)


@kept
def _height(values: Array, y: float, x: float) -> float:
    """The surface at a point; NaN where one of the pixels it lies between is unknown."""
    if not (1 <= y < values.shape[0] - 3 and 1 <= x < values.shape[1] - 3):
        return np.nan
    # A raster on the map's own pixels is taken as it is.
    r, c = int(y + _EXACT), int(x + _EXACT)
    v, u = y - r if y - r > _EXACT else 0.0, x - c if x - c > _EXACT else 0.0
    near = _row(values, r, c, u)
    if v == 0:
        return near
    far = _row(values, r + 1, c, u)
    if np.isnan(near + far):
        return np.nan
    return _along(_row(values, r - 1, c, u), near, far, _row(values, r + 2, c, u), v)


@kept
def at_points(values: Array, y: Array, x: Array, found: Array) -> None:
    """Heights (n) at rows and columns of an array, whose pixel centres are whole numbers."""
    for n in range(found.size):
        found[n] = _height(values, y[n], x[n])


@kept
def onto_pixels(
    values: Array,
    origin: tuple[int, int],
    nodes: Array,
    starts: tuple[int, int],
    cell: int,
    fine: int,
    found: Array,
) -> None:
    """Mean heights over the pixels of a map.

    Args:
        values: Part of the raster, NaN unknown.
        origin: Row and column of its first pixel.
        nodes: (J, I, 3) raster row, raster column and metres to add, at every `cell`-th pixel edge
            of the map.
        starts: Row and column of the first pixel of the map.
        cell: Pixels between nodes.
        fine: Points per pixel and axis that are averaged.
        found: (h, w) gets the heights, NaN where no point is known.
    """
    top, left = starts[0] // cell, starts[1] // cell
    count = np.zeros(found.shape[1], np.int64)
    for r in range(found.shape[0]):
        j = (starts[0] + r) // cell - top
        count[:] = 0
        found[r, :] = 0.0
        for p in range(fine):
            v = (starts[0] + r - (j + top) * cell + (p + 0.5) / fine) / cell
            i = -1
            for c in range(found.shape[1]):
                if (starts[1] + c) // cell - left != i:
                    i = (starts[1] + c) // cell - left
                    ya = (1 - v) * nodes[j, i, 0] + v * nodes[j + 1, i, 0]
                    yb = (1 - v) * nodes[j, i + 1, 0] + v * nodes[j + 1, i + 1, 0]
                    xa = (1 - v) * nodes[j, i, 1] + v * nodes[j + 1, i, 1]
                    xb = (1 - v) * nodes[j, i + 1, 1] + v * nodes[j + 1, i + 1, 1]
                for q in range(fine):
                    u = (starts[1] + c - (i + left) * cell + (q + 0.5) / fine) / cell
                    y, x = (1 - u) * ya + u * yb, (1 - u) * xa + u * xb
                    height = _height(values, y - origin[0], x - origin[1])
                    if not np.isnan(height):
                        found[r, c] += height
                        count[c] += 1
        v = (starts[0] + r - (j + top) * cell + 0.5) / cell
        for c in range(found.shape[1]):
            i = (starts[1] + c) // cell - left
            u = (starts[1] + c - (i + left) * cell + 0.5) / cell
            up = (1 - v) * ((1 - u) * nodes[j, i, 2] + u * nodes[j, i + 1, 2])
            up += v * ((1 - u) * nodes[j + 1, i, 2] + u * nodes[j + 1, i + 1, 2])
            found[r, c] = found[r, c] / count[c] + up if count[c] else np.nan


@kept
def inside_pixels(posts: Array, fine: int, found: Array) -> None:
    """Heights at `fine`² points of every pixel, bilinear between pixel centres.

    Args:
        posts: (h + 2, w + 2) heights at pixel centres, those around the window included.
        fine: Points per pixel and axis.
        found: (h·fine, w·fine) gets the heights; that of the pixel where a neighbour is unknown,
            NaN where its own is.
    """
    for y in range(found.shape[0]):
        v = (y % fine + 0.5) / fine - 0.5
        r = y // fine + 1
        down = r + 1 if v > 0 else r - 1
        v = abs(v)
        for x in range(found.shape[1]):
            u = (x % fine + 0.5) / fine - 0.5
            c = x // fine + 1
            side = c + 1 if u > 0 else c - 1
            u = abs(u)
            near = posts[r, c] + u * (posts[r, side] - posts[r, c])
            far = posts[down, c] + u * (posts[down, side] - posts[down, c])
            height = near + v * (far - near)
            found[y, x] = posts[r, c] if np.isnan(height) else height
