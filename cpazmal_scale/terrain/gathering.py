"""From strips of radar cells to the pixels of a tile of the map."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.terrain.elevation import Elevation, open_dem
from cpazmal_scale.terrain.facets import facet_terms
from cpazmal_scale.terrain.files import read, strip_url, tile_url, write
from cpazmal_scale.terrain.ground import BLOCK, PLACES, TILE, Ground
from cpazmal_scale.terrain.margin import take_marks
from cpazmal_scale.terrain.nodes import Lattice, NodeLattice, Places
from cpazmal_scale.terrain.ratio import gather

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Floats = NDArray[np.float32]
    Bytes = NDArray[np.uint8]

NO_DEM = 4
"""Bit of a pixel whose height is not known, or that unknown ground may be laid over or hide."""


def run_tiles(tiles: tuple[tuple[int, int], ...], ground: Ground) -> tuple[int, int]:
    """Take the values of some tiles' pixels from the strips and store them.

    Returns:
        Pixels whose height is not known, and others that unknown ground may be laid over or hide.
    """
    unknown = beyond = 0
    with open_dem(ground.dem) as elevation:
        for tile in tiles:
            counted = _run_tile(tile, ground, elevation)
            unknown, beyond = unknown + counted[0], beyond + counted[1]
    return unknown, beyond


def _run_tile(tile: tuple[int, int], ground: Ground, elevation: Elevation) -> tuple[int, int]:
    """See `run_tiles`."""
    lattice, row, column = Lattice.of(ground.grid)
    rows, columns = (
        slice(max(0, number * TILE - start), min(size, (number + 1) * TILE - start))
        for number, start, size in zip(tile, (row, column), ground.grid.shape, strict=True)
    )
    around = [slice(edge.start - 1, edge.stop + 1) for edge in (rows, columns)]
    posts = elevation.heights(ground.grid, around[0], around[1])
    height = np.ascontiguousarray(posts[1:-1, 1:-1])
    places = NodeLattice(ground.grid, ground.sight).window(rows, columns)
    line, sample = places.image(height)
    sums, folded, first = _cells(ground, line, sample)
    flat = places.level(ground.reference) * (1, PLACES)
    hidden, corner = _hidden(ground, flat)
    ratio, angle = (np.empty(height.shape, np.float32) for _ in range(2))
    mask = np.empty(height.shape, np.uint8)
    terms = facet_terms(lattice, ground.sight, places.rows, places.columns)
    gather(
        posts,
        line,
        sample,
        flat,
        corner,
        hidden,
        terms,
        (places.rows.start, places.columns.start),
        first,
        sums,
        folded,
        ratio,
        angle,
        mask,
    )
    unknown = np.isnan(height)
    beyond = _beyond(ground, places, flat, line, sample) & ~unknown
    mask[unknown | beyond] |= NO_DEM
    write(
        tile_url(ground.url, tile),
        first=np.array([places.rows.start, places.columns.start]),
        elevation=height.astype(np.float32),
        area_ratio=ratio,
        local_incidence=angle,
        terrain_mask=mask,
    )
    return int(unknown.sum()), int(beyond.sum())


def _beyond(
    ground: Ground, places: Places, flat: Array, line: Array, sample: Array
) -> NDArray[np.bool_]:
    """Pixels (h, w) that unknown ground may be laid over or hide, by the marks of the strips."""
    found = np.zeros(line.shape, np.uint8)
    around = _window(ground, line, sample)
    marks = _marks(ground, "missed", around, 1)
    if marks is not None:
        take_marks(marks, (around[0], around[2]), line, sample, (0.5, 1), found)
    around = _window(ground, flat[..., 0], flat[..., 1] / PLACES)
    marks = _marks(ground, "doubted", around, PLACES)
    if marks is not None:
        at, on = places.image(np.full(line.shape, ground.reference))
        take_marks(marks, (around[0], around[2] * PLACES), at, on, (0.0, PLACES), found)
    return found > 0


def _marks(ground: Ground, name: str, window: tuple[int, int, int, int], fine: int) -> Bytes | None:
    """Marks of the cells of a window that only some strips have; None where none has."""
    marks, some = np.zeros((window[1] - window[0], (window[3] - window[2]) * fine), np.uint8), False
    for part, stored, inside in _blocks(ground, window, fine):
        if name in stored:
            marks[part], some = np.unpackbits(stored[name], axis=1)[inside], True
    return marks if some else None


def _cells(ground: Ground, line: Array, sample: Array) -> tuple[Floats, Bytes, tuple[int, int]]:
    """γ-areas and marks of layover of the cells around places, and the first of them."""
    top, bottom, left, right = _window(ground, line, sample)
    sums = np.zeros((bottom - top, right - left), np.float32)
    folded = np.zeros(sums.shape, np.uint8)
    for part, stored, inside in _blocks(ground, (top, bottom, left, right), 1):
        sums[part] = stored["sums"][inside]
        folded[part] = np.unpackbits(stored["folded"], axis=1)[inside]
    return sums, folded, (top, left)


def _hidden(ground: Ground, flat: Array) -> tuple[Bytes, tuple[int, int]]:
    """Marks of cast shadow around places of the reference height; line and place of the first."""
    top, bottom, left, right = _window(ground, flat[..., 0], flat[..., 1] / PLACES)
    hidden = np.zeros((bottom - top, (right - left) * PLACES), np.uint8)
    for part, stored, inside in _blocks(ground, (top, bottom, left, right), PLACES):
        hidden[part] = np.unpackbits(stored["hidden"], axis=1)[inside]
    return hidden, (top, left * PLACES)


def _window(ground: Ground, line: Array, sample: Array) -> tuple[int, int, int, int]:
    """First and last line and sample around places, as far as the cells of the map go."""
    known = np.isfinite(line) & np.isfinite(sample)
    if not known.any():
        return ground.cells[0], ground.cells[0] + 1, ground.cells[2], ground.cells[2] + 1
    bounds = []
    for values, low, high in (
        (line[known], *ground.cells[:2]),
        (sample[known], *ground.cells[2:]),
    ):
        first = min(max(math.floor(float(values.min())) - 1, low), high)
        last = max(min(math.floor(float(values.max())) + 3, high + 1), first + 1)
        bounds += [first, last]
    return bounds[0], bounds[1], bounds[2], bounds[3]


def _blocks(
    ground: Ground, window: tuple[int, int, int, int], fine: int
) -> Iterator[tuple[tuple[slice, slice], dict[str, NDArray[Any]], tuple[slice, slice]]]:
    """Stored blocks that meet a window: their place in it, and the part of them that is there."""
    top, bottom, left, right = window
    above, _, start, _ = ground.cells
    for strip in range((top - above) // ground.lines, (bottom - 1 - above) // ground.lines + 1):
        first, last = ground.own(strip)
        rows = slice(max(top, first), min(bottom, last))
        for block in range((left - start) // BLOCK, (right - 1 - start) // BLOCK + 1):
            begin, where = start + block * BLOCK, strip_url(ground, strip, block)
            columns = slice(max(left, begin), min(right, begin + BLOCK))
            yield (
                (
                    slice(rows.start - top, rows.stop - top),
                    slice((columns.start - left) * fine, (columns.stop - left) * fine),
                ),
                read(where, storage.stamp(where)),
                (
                    slice(rows.start - first, rows.stop - first),
                    slice((columns.start - begin) * fine, (columns.stop - begin) * fine),
                ),
            )
