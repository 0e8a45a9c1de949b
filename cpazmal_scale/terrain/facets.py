"""The ground between pixel centres as seen by a radar, by a few numbers on the nodes of the map.

A facet spans four neighbouring pixel centres. With e_x, e_y the earth-fixed steps of one pixel east
and south at constant height, n the ellipsoid's normal, l the unit line of sight and h_x, h_y the
rise per pixel, its normal is (e_y + h_y n) × (e_x + h_x n) = U + h_x V + h_y W with U = e_y × e_x,
V = e_y × n, W = n × e_x. Its area across the line of sight (γ) is that vector's product with l, its
own area (σ) the vector's length. Scale and convergence of the map and the earth's curvature are in
the nodes; between them the numbers are bilinear, and linear in height.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.terrain.ellipsoid import ecef, normal, radial_height
from cpazmal_scale.terrain.nodes import CELL, Lattice, cells
from cpazmal_scale.terrain.sight import OrbitSight, Seen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

UNIT = 4000.0
"""Metres over which the numbers' change is told."""
_STRAIGHT = 50.0
"""They change linearly up to this part of the platform's height: an aircraft is near ground."""
GAMMA, GAMMA_X, GAMMA_Y = 0, 1, 2
"""U·l, V·l, W·l: m²."""
UU, UV, UW, VV, WW, VW = 3, 4, 5, 6, 7, 8
"""Products of U, V and W: m⁴ and, per metre of rise, less."""
BETA = 9
"""Area of a cell of the image in its own plane, m²: flat ground of the cell times sin θ."""
COSINE = 10
"""Of the incidence angle on the ellipsoid."""
TURN = 11
"""∂(line, sample)/∂(column, row) of flat ground: negative where the image is mirrored."""
TERMS = 12


def facet_terms(lattice: Lattice, sight: OrbitSight, rows: slice, columns: slice) -> Array:
    """The numbers on the nodes around a window of the lattice.

    Returns:
        (nodes, nodes, 2·TERMS): of each the value at height 0, and its change over `UNIT` metres.
    """
    j, i = (number * CELL for number in (cells(rows), cells(columns)))
    points = [lattice.points(j + dj, i + di) for dj, di in _AROUND]
    lon, lat = (np.stack([point[axis] for point in points])[None] for axis in (0, 1))
    level = min(UNIT, radial_height(sight.orbit.position(sight.first)) / _STRAIGHT)
    height = np.broadcast_to(np.array([0.0, level])[:, None, None, None], (2, *lon.shape[1:]))
    lon, lat = (np.broadcast_to(axis, height.shape) for axis in (lon, lat))
    levels = _terms(
        sight.see(lon, lat, height), ecef(lon, lat, height), normal(lon[0, 0], lat[0, 0])
    )
    change = (levels[:, 1] - levels[:, 0]) * (UNIT / level)
    found = np.stack([levels[:, 0], change], axis=-1)
    return np.ascontiguousarray(np.moveaxis(found, 0, 2)).reshape(*lon.shape[2:], 2 * TERMS)


_AROUND = ((0.0, 0.0), (0.0, -0.5), (0.0, 0.5), (-0.5, 0.0), (0.5, 0.0))
"""The node, and half a pixel west, east, north and south."""


def _terms(seen: Seen, places: Array, up: Array) -> Array:
    """(TERMS, 2, J, I) at both heights, of points (2, 5, J, I) around the nodes."""
    look = seen.look[:, 0]
    right, down = places[:, 2] - places[:, 1], places[:, 4] - places[:, 3]
    line = seen.line[:, 2] - seen.line[:, 1], seen.line[:, 4] - seen.line[:, 3]
    sample = seen.sample[:, 2] - seen.sample[:, 1], seen.sample[:, 4] - seen.sample[:, 3]
    turn = line[0] * sample[1] - line[1] * sample[0]
    u, v, w = np.cross(down, right), np.cross(down, up), np.cross(up, right)
    cosine = _dot(look, up)
    flat = np.sqrt(_dot(u, u)) / np.abs(turn)
    return np.stack(
        [
            *(_dot(one, look) for one in (u, v, w)),
            *(_dot(*pair) for pair in ((u, u), (u, v), (u, w), (v, v), (w, w), (v, w))),
            flat * np.sqrt(1 - cosine**2),
            cosine,
            turn,
        ]
    )


def _dot(one: Any, other: Any) -> Array:
    product: Array = np.sum(one * other, axis=-1)
    return product
