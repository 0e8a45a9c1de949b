"""Which class lies where: rules on height, slope and hollows, in coherent units.

A unit is one glacier basin, one wood, one face: a region of one class that departs from it as a
whole. Every polygon lies inside a unit of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.simulate.given.streams import generator
from cpazmal_scale.simulate.given.tables import beams, surfaces
from cpazmal_scale.simulate.ground.relief import (
    Lattice,
    elevation,
    field,
    slope_aspect,
    vertical_scale,
)
from cpazmal_scale.simulate.ground.viewing import see

CODES = {surface.name: code for code, surface in enumerate(surfaces())}
AUTHORS_PIXEL = 2.09 * 2.99
"""Area in m² of a pixel of the authors' grid, in which polygon sizes are tabled."""

_PATCH = {"HAG": (1.7, 0.05, 0.045), "ICA": (1.7, 0.055, 0.055), "LAC": (1.3, 0.04, 0.004)}
"""Small surfaces: patch per polygon area, largest and smallest share of the scene."""

PATCHED = tuple(_PATCH)
_SIZES = {"HAG": 0.54, "ICA": 0.86, "LAC": 0.84}
"""Standard deviation of the logarithm of the polygons' areas (CPAZMaL_dataset,
figure/detailed_study_areas_table.tex, commit 0618568)."""
_EVEN = 90.0
"""Nodes up to which patches are of one size; of twice as many they spread as tabled."""


@dataclass(frozen=True)
class Ground:
    """Everything that does not change between dates, on the lattice.

    `height` is the massif's height (m) that rules the classes, `terrain` the scene's own (m,
    shrunk vertically in small scenes), `surface` the class code 0..7, `unit` numbers from 0.
    """

    lattice: Lattice
    height: NDArray[np.float32]
    terrain: NDArray[np.float32]
    surface: NDArray[np.uint8]
    unit: NDArray[np.int32]


def build(lattice: Lattice, seed: int) -> Ground:
    """Relief, classes and units of a scene."""
    height = elevation(lattice, seed)
    height, glacier = _glaciers(height, lattice, seed)
    scale = np.float32(vertical_scale(height, lattice))
    surface = _broad_classes(height, glacier, lattice, seed)
    unit = np.full(lattice.shape, -1, np.int32)
    slope, aspect = slope_aspect(height * scale, lattice)
    hidden = see(height * scale, lattice, beams()["DSC37"]).mask > 0
    for name in _PATCH:
        _patches(name, height, slope, aspect, hidden, surface, unit, lattice, seed)
    _flatten_lakes(height, surface, unit)
    _divide(surface, unit, lattice, seed)
    terrain = (2500 + scale * (height - 2500)).astype(np.float32)
    return Ground(lattice, height, terrain, surface, unit)


def _glaciers(
    height: NDArray[np.float32], lattice: Lattice, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Ice fills hollows above 1950 m, more of them the higher, and smooths what it covers."""
    from scipy.ndimage import gaussian_filter

    size = max(lattice.shape)
    hollow = gaussian_filter(height, size / 28) - height
    score = hollow / hollow.std() + (height - 2700) / 650
    score += 0.25 * field(lattice, size / 18, seed, "ice")
    high = height > 1950 + 60 * field(lattice, size / 20, seed, "snout")
    limit = np.quantile(score[high], 1 - min(0.62, 0.40 / high.mean()))
    ice = high & (score > limit)
    ice = gaussian_filter(ice.astype(np.float32), max(1.2, size / 400)) > 0.5
    blend = gaussian_filter(ice.astype(np.float32), max(1.5, size / 250))
    filled = gaussian_filter(height, size / 70)
    return (height + blend * (filled - height)).astype(np.float32), ice


def _broad_classes(
    height: NDArray[np.float32], glacier: NDArray[np.bool_], lattice: Lattice, seed: int
) -> NDArray[np.uint8]:
    """Valley floor, forest to the tree line, rock above, ice below and above the snow line."""
    size = max(lattice.shape)
    surface = np.full(lattice.shape, CODES["ROC"], np.uint8)
    tree_line = 1820 + 110 * field(lattice, size / 16, seed, "tree line")
    surface[height < tree_line] = CODES["FOR"]
    floor = 1290 + 90 * field(lattice, size / 14, seed, "floor")
    meadow = (field(lattice, size / 12, seed, "meadow") > 1.1) & (height < tree_line + 250)
    surface[(height < floor) | (meadow & ~glacier)] = CODES["PLA"]
    snow_line = np.quantile(height[glacier], 0.46) + 70 * field(lattice, size / 15, seed, "snow")
    surface[glacier] = np.where(height < snow_line, CODES["ABL"], CODES["ACC"])[glacier]
    return surface


def _patch_cells(name: str, lattice: Lattice) -> tuple[float, int]:
    """Nodes of one patch and how many patches a scene holds."""
    surface = surfaces()[CODES[name]]
    per_polygon, largest, share = _PATCH[name]
    cell = lattice.spacing[0] * lattice.spacing[1]
    nodes = lattice.shape[0] * lattice.shape[1]
    wanted = per_polygon * surface.polygon_px * AUTHORS_PIXEL / cell
    patch = max(30.0, min(wanted, largest * nodes / (surface.polygons + 1)))
    return patch, max(surface.polygons + 1, int(0.25 * share * nodes / patch))


def _patches(
    name: str,
    height: NDArray[np.float32],
    slope: NDArray[np.float32],
    aspect: NDArray[np.float32],
    hidden: NDArray[np.bool_],
    surface: NDArray[np.uint8],
    unit: NDArray[np.int32],
    lattice: Lattice,
    seed: int,
) -> None:
    """Lay separate irregular patches of a small class on the places that suit it best.

    Where the descending beam sees only layover or shadow, the authors could not label either.
    """
    from scipy.ndimage import gaussian_filter

    patch, count = _patch_cells(name, lattice)
    radius = float(np.sqrt(patch / np.pi))
    steep = gaussian_filter(slope, radius / 2)
    west = np.cos(np.radians(aspect - 280))
    elevation_fit = -np.abs(height - surfaces()[CODES[name]].elevation) / 400
    suits = -steep / 6 if name == "LAC" else steep / 6 + 1.2 * gaussian_filter(west, radius / 2)
    suits -= 8 * gaussian_filter(hidden.astype(np.float32), radius / 2)
    suits = suits + elevation_fit + 0.7 * field(lattice, 2 * radius, seed, name)
    ice = np.isin(surface, (CODES["ABL"], CODES["ACC"]))
    suits[ice if name == "LAC" else height < 2450] -= 20
    suits[gaussian_filter((unit >= 0).astype(np.float32), radius / 2) > 0.02] = -np.inf
    ragged = 0.28 * field(lattice, max(2.5, radius / 1.5), seed, name, "edge")
    number = int(unit.max())
    sizes = _sizes(name, patch, count, seed)
    for (row, col), wide in zip(_apart(suits, 2.5 * radius, count), sizes, strict=False):
        window = _around(row, col, 2 * max(1.0, wide) * radius, lattice.shape)
        down, along = np.mgrid[window]
        turn = np.radians(aspect[row, col])
        fall = (along - col) * np.sin(turn) - (down - row) * np.cos(turn)
        contour = (along - col) * np.cos(turn) + (down - row) * np.sin(turn)
        inside = np.hypot(fall * 1.2, contour / 1.2) < wide * radius * (1 + ragged[window])
        inside &= unit[window] < 0
        number += 1
        surface[window][inside] = CODES[name]
        unit[window][inside] = number


def _sizes(name: str, patch: float, count: int, seed: int) -> NDArray[np.float64]:
    """Radii of patches over the median one's: lognormal, but even where patches are few nodes."""
    random = generator(seed, name, "sizes")
    room = float(np.clip((patch - _EVEN) / _EVEN, 0, 1))
    spread = np.exp(0.5 * room * _SIZES[name] * random.standard_normal(count))
    sizes: NDArray[np.float64] = np.maximum(random.uniform(0.9, 1.3, count) * spread, 0.7)
    return sizes


def _around(row: int, col: int, reach: float, shape: tuple[int, int]) -> tuple[slice, slice]:
    far = int(reach) + 1
    return (
        slice(max(0, row - far), min(shape[0], row + far + 1)),
        slice(max(0, col - far), min(shape[1], col + far + 1)),
    )


def _apart(suits: NDArray[np.float32], distance: float, count: int) -> list[tuple[int, int]]:
    """The best places at least `distance` from each other and half of it from the border."""
    suits = suits.copy()
    border = max(2, int(0.7 * distance))
    inner = suits[border:-border, border:-border]
    chosen: list[tuple[int, int]] = []
    candidates = np.argsort(inner, axis=None)[::-1]
    taken = np.zeros(inner.shape, bool)
    for flat in candidates:
        row, col = divmod(int(flat), inner.shape[1])
        if taken[row, col]:
            continue
        chosen.append((row + border, col + border))
        if len(chosen) == count:
            break
        window = _around(row, col, distance, inner.shape)
        down, along = np.mgrid[window]
        taken[window] |= np.hypot(down - row, along - col) < distance
    return chosen


def _flatten_lakes(
    height: NDArray[np.float32], surface: NDArray[np.uint8], unit: NDArray[np.int32]
) -> None:
    """Water is level."""
    from scipy.ndimage import labeled_comprehension

    water = surface == CODES["LAC"]
    numbers = np.unique(unit[water])
    levels = labeled_comprehension(height, np.where(water, unit, -1), numbers, np.mean, float, 0)
    height[water] = levels[np.searchsorted(numbers, unit[water])]


def _divide(
    surface: NDArray[np.uint8], unit: NDArray[np.int32], lattice: Lattice, seed: int
) -> None:
    """Cut each broad class into units about three of its polygons large, along wavy lines."""
    from scipy.spatial import cKDTree

    cell = lattice.spacing[0] * lattice.spacing[1]
    for code, kind in enumerate(surfaces()):
        rows, cols = np.nonzero((surface == code) & (unit < 0))
        if rows.size == 0:
            continue
        area = 3 * kind.polygon_px * AUTHORS_PIXEL / cell
        count = int(np.clip(rows.size / area, kind.polygons + 3, 400))
        width = float(np.sqrt(rows.size / count))
        wave = [field(lattice, 0.4 * width, seed, "units", kind.name, axis) for axis in (0, 1)]
        bent = [0.14 * width * one[rows, cols] for one in wave]
        places = np.stack([rows + bent[0], cols + bent[1]], axis=1)
        centres = _spread(places, count, generator(seed, "units", kind.name))
        unit[rows, cols] = unit.max() + 1 + cKDTree(centres).query(places)[1]


def _spread(
    places: NDArray[np.float64], count: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Centres of k-means cells of a sample of the places: units of about equal size."""
    from scipy.spatial import cKDTree

    sample = places[random.integers(0, len(places), min(len(places), 60 * count))]
    centres = sample[random.choice(len(sample), count, replace=False)]
    for _ in range(8):
        nearest = cKDTree(centres).query(sample)[1]
        members = np.bincount(nearest, minlength=count)
        for axis in (0, 1):
            total = np.bincount(nearest, weights=sample[:, axis], minlength=count)
            centres[:, axis] = np.where(members, total / np.maximum(members, 1), centres[:, axis])
    return centres
