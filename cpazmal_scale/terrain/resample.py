"""Heights of an elevation raster at points between its pixels: cubic convolution, mean over area.

The kernel (Keys, a = −½) passes through the raster's values, has continuous slopes and reaches two
pixels far, so that a height depends on its surroundings alone, whatever window is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.kernels.compiled import inlined, kept
from cpazmal_scale.terrain.nodes import CELL, along

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Whole = NDArray[np.int64]
    Weights = tuple[float, float, float, float]

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
def _place(place: float) -> tuple[float, float]:
    """The pixel before a place along an axis, and how far behind it the place is."""
    # A raster on the map's own pixels is taken as it is.
    before = np.floor(place + _EXACT)
    behind = place - before
    return before, behind if behind > _EXACT else 0.0


@inlined
def _row(flat: Array, lines: Whole, r: int, x: Array) -> float:
    """A row of pixels at a place, NaN where one of the two that it lies between is unknown."""
    before, u = _place(x[lines[r, 1]])
    at = lines[r, 0] + int(before)
    b, c = flat[at], flat[at + 1]
    if u == 0:
        return float(b)
    if np.isnan(b + c):
        return np.nan
    return _cubic(flat[at - 1], b, c, flat[at + 2], u)


@kept
def _row_by_row(flat: Array, lines: Whole, r: int, v: float, x: Array) -> float:
    """The surface where pixels are unknown or rows differ; NaN where a pixel beside it is unknown.

    Args:
        flat: See `at_points`.
        lines: Likewise.
        r: The row before the place.
        v: How far behind it the place is.
        x: (bands) the column in those of every band.
    """
    near = _row(flat, lines, r, x)
    if v == 0:
        return near
    far = _row(flat, lines, r + 1, x)
    if np.isnan(near + far):
        return np.nan
    return _cubic(_row(flat, lines, r - 1, x), near, far, _row(flat, lines, r + 2, x), v)


@inlined
def _weights(t: float) -> Weights:
    """Of a place t behind a pixel: those of the pixel before, itself, and the two after."""
    return (
        0.5 * t * (t * (2 - t) - 1),
        0.5 * (t * t * (3 * t - 5) + 2),
        0.5 * t * (t * (4 - 3 * t) + 1),
        0.5 * t * t * (t - 1),
    )


@inlined
def _between(flat: Array, at: int, width: int, v: Weights, u: Weights) -> float:
    """Sixteen values weighed by rows and by columns; `at` is the place of the first among all."""
    # A number without a sign is not looked at for being negative.
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    j, down = np.uint64(at), np.uint64(width)
    k = j + down
    m = k + down
    n = m + down
    p, q, s, t = v
    a = p * flat[j] + q * flat[k] + s * flat[m] + t * flat[n]
    b = p * flat[j + one] + q * flat[k + one] + s * flat[m + one] + t * flat[n + one]
    d = p * flat[j + two] + q * flat[k + two] + s * flat[m + two] + t * flat[n + two]
    e = p * flat[j + three] + q * flat[k + three] + s * flat[m + three] + t * flat[n + three]
    height: float = (u[0] * a + u[1] * b) + (u[2] * d + u[3] * e)
    return height


@inlined
def _point(flat: Array, lines: Whole, top: int, y: float, x: Array) -> float:
    """The surface at a row and a column, counted in those of every band."""
    before, v = _place(y)
    r = int(before) - top
    band = lines[r - 1, 1]
    if band == lines[r + 2, 1]:
        before, u = _place(x[band])
        at, width = lines[r - 1, 0] + int(before) - 1, lines[r, 0] - lines[r - 1, 0]
        height = _between(flat, at, width, _weights(v), _weights(u))
        if height == height:
            return height
    return _row_by_row(flat, lines, r, v, x)


@kept
def at_points(flat: Array, lines: Whole, top: int, y: Array, x: Array, found: Array) -> None:
    """Heights (n) at rows and columns of a raster, whose pixel centres are whole numbers.

    Args:
        flat: Heights, row by row, of all pixels that heights depend on; NaN unknown.
        lines: (rows, 2) where a row's column 0 is or would be in `flat`, and the number of the band
            that the row belongs to; see `bands`.
        top: The first of these rows.
        y: (n) rows.
        x: (n, bands) columns, in those of every band.
        found: Gets the heights, NaN where not known.
    """
    for n in range(found.size):
        found[n] = _point(flat, lines, top, y[n], x[n])


@inlined
def _along(nodes: Array, number: int, j: int, i: int, v: float) -> tuple[float, float]:
    """A number of the nodes on the left edge of a node cell, and its change over a pixel."""
    left, change = along(nodes, number, j, i, v)
    return left, change / CELL


@inlined
def _surface(
    flat: Array,
    lines: Whole,
    top: int,
    edge: Array,
    first: tuple[int, float],
    place: Array,
    parts: Array,
    at: Whole,
    found: Array,
) -> None:
    """Heights at a place in every pixel of a row of a node cell; NaN where they are not known.

    All `CELL` are computed: loops of one length without strides are made of vectors.

    Args:
        flat: See `at_points`, of one band.
        lines: Likewise.
        top: Likewise.
        edge: (2, 2) raster row and column on the left edge of the cell, and their changes over a
            pixel.
        first: Pixels from the cell's left edge to the first, and from its left edge to the place.
        place: (2·CELL) room for places behind a pixel.
        parts: (8·CELL) room for weights.
        at: (CELL) room for places among all values.
        found: (n) gets the heights of as many.
    """
    start, width = lines[0, 0], lines[1, 0] - lines[0, 0]
    y, down = edge[0]
    x, along = edge[1]
    for n in range(CELL):
        row, place[n] = _place(y + (n + first[0] + first[1]) * down)
        column, place[CELL + n] = _place(x + (n + first[0] + first[1]) * along)
        at[n] = start + (int(row) - top - 1) * width + (int(column) - 1)
    for n in range(2 * CELL):
        weights = _weights(place[n])
        parts[n], parts[2 * CELL + n] = weights[0], weights[1]
        parts[4 * CELL + n], parts[6 * CELL + n] = weights[2], weights[3]
    unknown = False
    for n in range(found.size):
        v = parts[n], parts[2 * CELL + n], parts[4 * CELL + n], parts[6 * CELL + n]
        u = (
            parts[CELL + n],
            parts[3 * CELL + n],
            parts[5 * CELL + n],
            parts[7 * CELL + n],
        )
        found[n] = _between(flat, at[n], width, v, u)
        unknown = unknown or np.isnan(found[n])
    if unknown:
        _surface_of_bands(flat, lines, top, edge, first, found)


@kept
def _surface_of_bands(
    flat: Array, lines: Whole, top: int, edge: Array, first: tuple[int, float], found: Array
) -> None:
    """As `_surface`, point by point, over rows of any bands: `edge` (1 + bands, 2)."""
    x = np.empty(edge.shape[0] - 1)
    for n in range(found.size):
        along = n + first[0] + first[1]
        for band in range(x.size):
            x[band] = edge[1 + band, 0] + along * edge[1 + band, 1]
        found[n] = _point(flat, lines, top, edge[0, 0] + along * edge[0, 1], x)


@kept
def onto_pixels(
    flat: Array,
    lines: Whole,
    top: int,
    nodes: Array,
    starts: tuple[int, int],
    fine: int,
    found: Array,
) -> None:
    """Mean heights over the pixels of a map.

    Args:
        flat: See `at_points`; `REACH` pixels around what the nodes enclose are in it.
        lines: Likewise.
        top: Likewise.
        nodes: (J, I, 2 + bands) metres to add, raster row, and raster column in those of every
            band, at every `CELL`-th pixel edge of the map.
        starts: Row and column of the first pixel of the map.
        fine: Points per pixel and axis that are averaged.
        found: (h, w) gets the heights, NaN where no point is known.
    """
    place, parts, at = np.empty(2 * CELL), np.empty(8 * CELL), np.empty(CELL, np.int64)
    here, total, count = np.empty(CELL), np.empty(CELL), np.empty(CELL)
    edge = np.empty((nodes.shape[2] - 1, 2))
    down, start = starts[0] % CELL, starts[1] % CELL
    for r in range(found.shape[0]):
        j, below = (down + r) // CELL, (down + r) % CELL
        c = 0
        while c < found.shape[1]:
            i, first = (start + c) // CELL, (start + c) % CELL
            size = min(found.shape[1] - c, CELL - first)
            total[:], count[:] = 0.0, 0.0
            for point in range(fine * fine):
                v, u = (below + (point // fine + 0.5) / fine) / CELL, (point % fine + 0.5) / fine
                for number in range(edge.shape[0]):
                    edge[number] = _along(nodes, 1 + number, j, i, v)
                if edge.shape[0] == 2:
                    _surface(flat, lines, top, edge, (first, u), place, parts, at, here[:size])
                else:
                    _surface_of_bands(flat, lines, top, edge, (first, u), here[:size])
                if fine > 1:
                    for n in range(CELL):
                        known = here[n] == here[n]
                        total[n] += here[n] if known else 0.0
                        count[n] += 1.0 if known else 0.0
            if fine > 1:
                for n in range(CELL):
                    here[n] = total[n] / count[n]
            a, rise = _along(nodes, 0, j, i, (below + 0.5) / CELL)
            for n in range(size):
                found[r, c + n] = here[n] + (a + (n + first + 0.5) * rise)
            c += size


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


@inlined
def inside_row(posts: Array, fine: int, y: int, part: tuple[int, int], found: Array) -> None:
    """Heights at points of a row inside pixels, bilinear between pixel centres.

    Args:
        posts: (h + 2, w + 2) heights at pixel centres, those around the window included.
        fine: Points per pixel and axis.
        y: The row of points, counted from the first pixel.
        part: The first pixel whose points are computed, and the first beyond.
        found: (w·fine) gets the heights; that of the pixel where a neighbour is unknown, NaN where
            its own is.
    """
    v = (y % fine + 0.5) / fine - 0.5
    r = y // fine + 1
    down = r + 1 if v > 0 else r - 1
    v = abs(v)
    for point in range(fine):
        u = (point + 0.5) / fine - 0.5
        beside = 1 if u > 0 else -1
        u = abs(u)
        for c in range(part[0] + 1, part[1] + 1):
            near = posts[r, c] + u * (posts[r, c + beside] - posts[r, c])
            far = posts[down, c] + u * (posts[down, c + beside] - posts[down, c])
            height = near + v * (far - near)
            found[(c - 1) * fine + point] = posts[r, c] if np.isnan(height) else height
