"""Strips of lines of the area lattice: the ground in every radar cell, layover and cast shadow.

Facets are visited in one order, tiles of the map by row and column and facets by row and column,
and a strip keeps its own lines: a cell's sum has the same bits however high strips are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.terrain import area, shadow
from cpazmal_scale.terrain.elevation import Elevation, open_dem
from cpazmal_scale.terrain.ellipsoid import ecef, normal
from cpazmal_scale.terrain.facets import facet_terms
from cpazmal_scale.terrain.files import strip_url, write
from cpazmal_scale.terrain.ground import ACROSS, BLOCK, PLACES, TILE, AreaAxes, Ground
from cpazmal_scale.terrain.nodes import CELL, Lattice, NodeLattice, cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Bytes = NDArray[np.uint8]

_PAD = CELL
"""Lines of shadow beyond a strip: places of one line differ with height."""
_LONGEST = 1.6
"""Slant range that a shadow covers per metre of height, at incidence angles up to 60°."""


def run_strip(number: int, ground: Ground) -> int:
    """Sum the ground of one strip and store it in blocks; returns its number."""
    top, bottom = number * ground.lines, (number + 1) * ground.lines
    left, right = ground.cells[2] // BLOCK * BLOCK, (ground.cells[3] // BLOCK + 1) * BLOCK
    sums = np.zeros((bottom - top, right - left))
    folded = np.zeros(sums.shape, np.uint8)
    with open_dem(ground.dem) as elevation:
        hidden, first = _shadows(ground, elevation, top, bottom)
        nodes = NodeLattice(ground.grid, ground.sight)
        lattice, row, column = Lattice.of(ground.grid)
        for j, i, low, high in ground.tiles:
            if high < top or low > bottom:
                continue
            rows = slice(j * TILE - row, (j + 1) * TILE + 1 - row)
            columns = slice(i * TILE - column, (i + 1) * TILE + 1 - column)
            height = elevation.heights(ground.grid, rows, columns)
            places = nodes.window(rows, columns)
            line, sample = places.image(height)
            shaded = np.empty(height.shape, np.uint8)
            flat = places.image(np.full(height.shape, ground.reference))
            shadow.look_up(_middle(flat[0]), _middle(flat[1]) * PLACES, first, hidden, shaded)
            starts = j * TILE, i * TILE
            terms = facet_terms(lattice, ground.sight, places.rows, places.columns)
            area.accumulate(
                height,
                line,
                sample,
                shaded,
                terms,
                starts,
                ground.turn,
                (top, left),
                sums,
                folded,
            )
    for block in range(left // BLOCK, right // BLOCK):
        part = slice(block * BLOCK - left, (block + 1) * BLOCK - left)
        fine = slice(block * BLOCK * PLACES - first[1], (block + 1) * BLOCK * PLACES - first[1])
        write(
            strip_url(ground, number, block),
            sums=sums[:, part].astype(np.float32),
            folded=np.packbits(folded[:, part], axis=1),
            hidden=np.packbits(hidden[top - first[0] : bottom - first[0], fine], axis=1),
        )
    return number


def _middle(values: Array) -> Array:
    """Means of each post and its neighbours below and right; those of the last row and column stay
    what they are, no facet begins there.
    """
    found = values.copy()
    found[:-1, :-1] = (values[:-1, :-1] + values[:-1, 1:] + values[1:, :-1] + values[1:, 1:]) / 4
    return found


def _shadows(
    ground: Ground, elevation: Elevation, top: int, bottom: int
) -> tuple[Bytes, tuple[int, int]]:
    """What is hidden along the lines of a strip and some around; and its first line and place."""
    low, high = ground.heights
    reach = math.ceil(_LONGEST * (high - low) / ACROSS * PLACES)
    first = (
        (top - _PAD) // CELL * CELL,
        (ground.cells[2] // BLOCK * BLOCK * PLACES - reach) // CELL * CELL,
    )
    last = -(-(bottom + _PAD) // CELL) * CELL, (ground.cells[3] // BLOCK + 1) * BLOCK * PLACES
    shape = last[0] - first[0], last[1] - first[1]
    hidden = np.zeros(shape, np.uint8)
    nearest = np.full(shape[0], 2.0)
    sight, orbit = ground.sight, ground.sight.orbit
    axes = sight.axes
    assert isinstance(axes, AreaAxes)
    times = (np.arange(first[0], last[0], dtype=np.float64) + 0.5) / axes.lines
    platform = np.ascontiguousarray(orbit.position(times))
    lon, lat = _ground_of(ground, cells(slice(first[0], last[0])), cells(slice(first[1], last[1])))
    points = np.concatenate([ecef(lon, lat, 0.0), normal(lon, lat)], axis=-1)
    for start in range(0, shape[1], BLOCK):
        stop = min(shape[1], start + BLOCK)
        part = slice(start // CELL, -(-stop // CELL) + 1)
        begin = first[0], first[1] + start
        height = elevation.between(lon[:, part], lat[:, part], begin, (shape[0], stop - start))
        block = np.empty(height.shape, np.uint8)
        nodes = np.ascontiguousarray(points[:, part])
        shadow.sweep(height, nodes, platform, begin, nearest, block)
        hidden[:, start:stop] = block
    return hidden, first


def _ground_of(ground: Ground, lines: Array, places: Array) -> tuple[Array, Array]:
    """Longitude and latitude of nodes of the shadow lattice, seen at the reference height."""
    axes = ground.sight.axes
    assert isinstance(axes, AreaAxes)
    t = lines * CELL / axes.lines
    tau = places * CELL / PLACES / axes.samples
    t, tau = np.meshgrid(t, tau, indexing="ij")
    lattice, top, left = Lattice.of(ground.grid)
    middle = lattice.points(
        np.array([top + ground.grid.shape[0] / 2]), np.array([left + ground.grid.shape[1] / 2])
    )
    lon, lat = (np.full(t.shape, float(part[0, 0])) for part in middle)
    return ground.sight.orbit.ground(t, tau, ground.reference, lon=lon, lat=lat)
