"""Strips of lines of the area lattice: the ground in every radar cell, layover and cast shadow.

Facets are visited in one order, tiles of the map by row and column and facets by row and column,
and a strip keeps its own lines: a cell's sum has the same bits however high strips are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.terrain import area, margin, shadow
from cpazmal_scale.terrain.elevation import Elevation, open_dem
from cpazmal_scale.terrain.ellipsoid import ecef, normal
from cpazmal_scale.terrain.facets import facet_terms
from cpazmal_scale.terrain.files import RARE, strip_url, write
from cpazmal_scale.terrain.ground import ACROSS, BLOCK, PLACES, TILE, AreaAxes, Ground
from cpazmal_scale.terrain.nodes import CELL, Lattice, Places, cells
from cpazmal_scale.terrain.orbit import LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Bytes = NDArray[np.uint8]

_PAD = 32
"""Lines of shadow beyond a strip: places of one line differ with height."""
_LONGEST = 1.6
"""Slant range that a shadow covers per metre of height, at incidence angles up to 60°."""
_BESIDE = 1.02
"""Slant range of the nearest ground that is looked at, over the platform's height."""
_GUARD = 2
"""Cells by which places may exceed those at the nodes."""


def run_strip(number: int, ground: Ground) -> int:
    """Sum the ground of one strip and store it in blocks; returns its number."""
    top, bottom = ground.own(number)
    left, right = ground.cells[2], ground.cells[3] + 1
    squares = np.zeros((bottom - top + 1, right - left + 1, 8))
    folded = np.zeros((bottom - top + 2, right - left + 2), np.uint8)
    missed = np.zeros((bottom - top, right - left), np.uint8)
    with open_dem(ground.dem) as elevation:
        hidden, doubted, first = _shadows(ground, elevation, top, bottom)
        lattice, row, column = Lattice.of(ground.grid)
        for rows, columns in _patches(ground, top, bottom):
            window = (
                slice(rows.start - row, rows.stop - row),
                slice(columns.start - column, columns.stop - column),
            )
            height = elevation.heights(ground.grid, *window)
            places = Places(lattice, ground.sight, rows, columns)
            margin.mark_missed(height, _levels(places, ground), (top, left), missed)
            line, sample = places.image(height)
            area.accumulate(
                height,
                line,
                sample,
                places.level(ground.reference) * (1, PLACES),
                first,
                hidden,
                facet_terms(lattice, ground.sight, rows, columns),
                (rows.start, columns.start),
                ground.turn,
                (top - 1, left - 1),
                squares,
                folded,
            )
    sums = np.empty((bottom - top, right - left), np.float32)
    area.cells_of(squares, sums)
    own = slice(top - first[0], bottom - first[0])
    marks = {
        "folded": (folded[1:-1, 1:-1], 1, 0),
        "hidden": (hidden[own], PLACES, left * PLACES - first[1]),
        "missed": (missed, 1, 0),
        "doubted": (doubted[own], PLACES, left * PLACES - first[1]),
    }
    _store(ground, number, sums, marks)
    return number


def _store(
    ground: Ground,
    number: int,
    sums: NDArray[np.float32],
    marks: dict[str, tuple[Bytes, int, int]],
) -> None:
    """Write a strip by blocks; of marks, cells per sample and the place of the first are told."""
    width = sums.shape[1]
    for block, begin in enumerate(range(0, width, BLOCK)):
        end = min(begin + BLOCK, width)
        parts = {
            name: values[:, start + begin * fine : start + end * fine]
            for name, (values, fine, start) in marks.items()
        }
        packed = {
            name: np.packbits(part, axis=1)
            for name, part in parts.items()
            if name not in RARE or part.any()
        }
        write(strip_url(ground, number, block), sums=sums[:, begin:end], **packed)


def _patches(ground: Ground, top: int, bottom: int) -> Iterator[tuple[slice, slice]]:
    """Windows of posts whose facets may fall into cells of a strip, in order of the tiles."""
    lattice, _, _ = Lattice.of(ground.grid)
    for j, i, low, high in ground.tiles:
        if high < top or low > bottom:
            continue
        whole = slice(j * TILE, (j + 1) * TILE), slice(i * TILE, (i + 1) * TILE)
        places = Places(lattice, ground.sight, *whole)
        least, most = _levels(places, ground)
        misses = (least[..., 0] > bottom) | (most[..., 0] < top)
        misses |= (least[..., 1] > ground.cells[3]) | (most[..., 1] < ground.cells[2])
        meets = ~misses
        rows, columns = (np.flatnonzero(meets.any(axis=axis)) for axis in (1, 0))
        if rows.size:
            yield (
                slice(j * TILE + int(rows[0]) * CELL, j * TILE + int(rows[-1] + 1) * CELL + 1),
                slice(
                    i * TILE + int(columns[0]) * CELL, i * TILE + int(columns[-1] + 1) * CELL + 1
                ),
            )


def _levels(places: Places, ground: Ground) -> tuple[Array, Array]:
    """Least and most line and sample (J, I, 2) of node cells whose ground has any height."""
    both = np.stack([places.level(height) for height in ground.heights])
    corners = [both[:, :-1, :-1], both[:, :-1, 1:], both[:, 1:, :-1], both[:, 1:, 1:]]
    ends = np.concatenate(corners)
    return ends.min(axis=0) - _GUARD, ends.max(axis=0) + _GUARD


def _shadows(
    ground: Ground, elevation: Elevation, top: int, bottom: int
) -> tuple[Bytes, Bytes, tuple[int, int]]:
    """What is hidden, and what may be by ground that is not known, along the lines of a strip and
    some around; and its first line and place.
    """
    low, high = ground.heights
    reach = math.ceil(_LONGEST * (high - low) / ACROSS * PLACES)
    first = top - _PAD, ground.cells[2] * PLACES - reach
    # Summits far above the reference height fall into cells long before their places.
    beyond = math.ceil(max(0.0, low + high - 2 * ground.reference) / ACROSS * PLACES)
    last = bottom + _PAD, (ground.cells[3] + 1) * PLACES + beyond
    shape = last[0] - first[0], last[1] - first[1]
    hidden, doubted = np.zeros((2, *shape), np.uint8)
    nearest, higher = np.full(shape[0], 2.0), np.full(shape[0], 2.0)
    raised = margin.Raised(shape[0], ground.heights[1])
    sight, orbit = ground.sight, ground.sight.orbit
    axes = sight.axes
    assert isinstance(axes, AreaAxes)
    times = (np.arange(first[0], last[0], dtype=np.float64) + 0.5) / axes.lines
    platform = np.ascontiguousarray(orbit.position(times))
    lon, lat = _ground_of(ground, cells(slice(first[0], last[0])), cells(slice(first[1], last[1])))
    points = np.concatenate([ecef(lon, lat, 0.0), normal(lon, lat)], axis=-1)
    for start in range(max(0, _nearest(ground) - first[1]), shape[1], BLOCK):
        stop = min(shape[1], start + BLOCK)
        begin = first[0], first[1] + start
        part = slice(
            begin[1] // CELL - first[1] // CELL,
            (first[1] + stop - 1) // CELL - first[1] // CELL + 2,
        )
        height = elevation.between(lon[:, part], lat[:, part], begin, (shape[0], stop - start))
        block = np.empty(height.shape, np.uint8)
        nodes = np.ascontiguousarray(points[:, part])
        shadow.sweep(height, nodes, platform, begin, nearest, block)
        hidden[:, start:stop] = block
        higher_ground = raised.block(height)
        if higher_ground is None:
            higher[:] = nearest
        else:
            shadow.sweep(higher_ground, nodes, platform, begin, higher, block)
            doubted[:, start:stop] = block > hidden[:, start:stop]
    return hidden, doubted, first


def _nearest(ground: Ground) -> int:
    """The first place that is not below the platform: an aircraft flies low."""
    axes, sight = ground.sight.axes, ground.sight
    assert isinstance(axes, AreaAxes)
    lon, lat = _middle(ground)
    below = ecef(lon, lat, ground.reference)
    high = np.linalg.norm(sight.orbit.position(sight.first)) - np.linalg.norm(below)
    return math.ceil(_BESIDE * float(high) * 2 / LIGHT * axes.samples * PLACES)


def _middle(ground: Ground) -> tuple[Array, Array]:
    """Longitude and latitude (1, 1) of the middle of the map."""
    lattice, top, left = Lattice.of(ground.grid)
    height, width = ground.grid.shape
    return lattice.points(np.array([top + height / 2]), np.array([left + width / 2]))


def _ground_of(ground: Ground, lines: Array, places: Array) -> tuple[Array, Array]:
    """Longitude and latitude of nodes of the shadow lattice, seen at the reference height."""
    axes = ground.sight.axes
    assert isinstance(axes, AreaAxes)
    t = lines * CELL / axes.lines
    tau = places * CELL / PLACES / axes.samples
    t, tau = np.meshgrid(t, tau, indexing="ij")
    lon, lat = (np.full(t.shape, float(part[0, 0])) for part in _middle(ground))
    sight = ground.sight
    return sight.orbit.ground(t, tau, ground.reference, lon=lon, lat=lat, first=sight.first)
