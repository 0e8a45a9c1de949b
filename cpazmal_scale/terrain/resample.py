"""Heights of an elevation raster at points between its pixels: cubic convolution, mean over area.

The kernel (Keys, a = −½) passes through the raster's values, has continuous slopes and reaches two
pixels far, so that a height depends on its surroundings alone, whatever window is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Whole = NDArray[np.int64]

_EXACT = 1e-6
"""Pixels from a pixel's centre within which its value is taken."""
LOWEST, HIGHEST = -1000.0, 9500.0
"""Metres; what lies beyond is a mark for missing values, declared or not."""
REACH = 3
"""Pixels around a point that are looked at, and one for rounding."""


@inlined
def _cubic(a: float, b: float, c: float, d: float, u: float) -> float:
    """Cubic through four values at −1, 0, 1, 2; outer ones that are unknown go straight on."""
    if np.isnan(a):
        a = 2 * b - c
    if np.isnan(d):
        d = 2 * c - b
    return b + 0.5 * u * (c - a + u * (2 * a - 5 * b + 4 * c - d + u * (3 * (b - c) + d - a)))


@inlined
def _row(values: Array, r: int, c: int, u: float) -> float:
    """A row of pixels at a place between columns c and c + 1, NaN where one of these is unknown."""
    b, d = values[r, c], values[r, c + 1]
    if u == 0:
        return float(b)
    if np.isnan(b + d):
        return np.nan
    return _cubic(values[r, c - 1], b, d, values[r, c + 2], u)


@kept
def _beside_gaps(values: Array, r: int, c: int, v: float, u: float) -> float:
    """The surface where some pixels are unknown; NaN where one of those it lies between is."""
    near = _row(values, r, c, u)
    if v == 0:
        return near
    far = _row(values, r + 1, c, u)
    if np.isnan(near + far):
        return np.nan
    return _cubic(_row(values, r - 1, c, u), near, far, _row(values, r + 2, c, u), v)


@inlined
def _weights(place: Array, first: int, whole: Whole, parts: Array) -> None:
    """Of places (n) along an axis: the pixel before each, counted from `first`, and weights (5, n)
    of the one before that, itself, and the two after; the last row is the place between.
    """
    for n in range(place.size):
        # A raster on the map's own pixels is taken as it is.
        before = np.floor(place[n] + _EXACT)
        t = place[n] - before
        t = t if t > _EXACT else 0.0
        whole[n] = int(before) - first
        parts[0, n] = 0.5 * t * (t * (2 - t) - 1)
        parts[1, n] = 0.5 * (t * t * (3 * t - 5) + 2)
        parts[2, n] = 0.5 * t * (t * (4 - 3 * t) + 1)
        parts[3, n] = 0.5 * t * t * (t - 1)
        parts[4, n] = t


@inlined
def _surface(values: Array, rows: Whole, columns: Whole, v: Array, u: Array, found: Array) -> None:
    """Heights (n) at places told by `_weights`; NaN where they are not known."""
    for n in range(found.size):
        j, i = rows[n], columns[n]
        h, k, m = i - 1, i + 1, i + 2
        p, q, s, t = v[0, n], v[1, n], v[2, n], v[3, n]
        a = p * values[j - 1, h] + q * values[j, h] + s * values[j + 1, h] + t * values[j + 2, h]
        b = p * values[j - 1, i] + q * values[j, i] + s * values[j + 1, i] + t * values[j + 2, i]
        d = p * values[j - 1, k] + q * values[j, k] + s * values[j + 1, k] + t * values[j + 2, k]
        e = p * values[j - 1, m] + q * values[j, m] + s * values[j + 1, m] + t * values[j + 2, m]
        height = (u[0, n] * a + u[1, n] * b) + (u[2, n] * d + u[3, n] * e)
        if np.isnan(height):
            height = _beside_gaps(values, j, i, v[4, n], u[4, n])
        found[n] = height


@kept
def at_points(values: Array, origin: tuple[int, int], y: Array, x: Array, found: Array) -> None:
    """Heights (n) at rows and columns of a raster, whose pixel centres are whole numbers.

    `values` are a part of it with all pixels that heights depend on, `origin` the first of them.
    """
    rows, columns = np.empty(y.size, np.int64), np.empty(y.size, np.int64)
    v, u = np.empty((5, y.size)), np.empty((5, y.size))
    _weights(y, origin[0], rows, v)
    _weights(x, origin[1], columns, u)
    _surface(values, rows, columns, v, u, found)


@inlined
def _along(
    nodes: Array, number: int, top: int, start: int, v: float, part: float, cell: int, found: Array
) -> None:
    """A number of the nodes, bilinear, at a place in every pixel of a row.

    `top` is the node row above, `v` how far below it in cells; `start` the first pixel's column,
    counted from the first node; `part` the place in the pixel.
    """
    c = 0
    while c < found.size:
        i = (start + c) // cell
        a = (1 - v) * nodes[top, i, number] + v * nodes[top + 1, i, number]
        b = (1 - v) * nodes[top, i + 1, number] + v * nodes[top + 1, i + 1, number]
        first, stop = i * cell - start, min(found.size, (i + 1) * cell - start)
        rise = (b - a) / cell
        for n in range(c, stop):
            found[n] = a + (n - first + part) * rise
        c = stop


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
        values: Part of the raster, NaN unknown, `REACH` pixels around what the nodes enclose.
        origin: Row and column of its first pixel.
        nodes: (J, I, 3) raster row, raster column and metres to add, at every `cell`-th pixel edge
            of the map.
        starts: Row and column of the first pixel of the map.
        cell: Pixels between nodes.
        fine: Points per pixel and axis that are averaged.
        found: (h, w) gets the heights, NaN where no point is known.
    """
    height, width = found.shape
    down, start = starts[0] % cell, starts[1] % cell
    place, here, total, count = np.empty((4, width))
    rows, columns = np.empty((2, width), np.int64)
    y, x = np.empty((5, width)), np.empty((5, width))
    for r in range(height):
        j = (down + r) // cell
        total[:] = count[:] = 0.0
        for point in range(fine * fine):
            v = (down + r - j * cell + (point // fine + 0.5) / fine) / cell
            u = (point % fine + 0.5) / fine
            _along(nodes, 0, j, start, v, u, cell, place)
            _weights(place, origin[0], rows, y)
            _along(nodes, 1, j, start, v, u, cell, place)
            _weights(place, origin[1], columns, x)
            _surface(values, rows, columns, y, x, here)
            if fine > 1:
                for n in range(width):
                    known = here[n] == here[n]
                    total[n] += here[n] if known else 0.0
                    count[n] += 1.0 if known else 0.0
        if fine > 1:
            for n in range(width):
                here[n] = total[n] / count[n]
        _along(nodes, 2, j, start, (down + r - j * cell + 0.5) / cell, 0.5, cell, place)
        for n in range(width):
            found[r, n] = here[n] + place[n]


@kept
def known_heights(
    raw: NDArray[Any], missing: float, scale: tuple[float, float], sea: bool, found: Array
) -> None:
    """Heights where none are yet known: `found` (h, w) is NaN there.

    Args:
        raw: (h, w) what a raster holds.
        missing: Its mark for missing values; NaN: none.
        scale: Factor and offset to metres.
        sea: Whether zero is a height.
        found: Gets heights from `LOWEST` to `HIGHEST`.
    """
    for r in range(raw.shape[0]):
        for c in range(raw.shape[1]):
            height = raw[r, c] * scale[0] + scale[1]
            known = raw[r, c] != missing and LOWEST <= height <= HIGHEST
            known = known and (sea or height != 0) and np.isnan(found[r, c])
            found[r, c] = height if known else found[r, c]


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
