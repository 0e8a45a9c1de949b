"""The whole simulated world of one scene, and its blocks at full resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.simulate.given import tables
from cpazmal_scale.simulate.given.kernels import smooth, white
from cpazmal_scale.simulate.given.streams import generator, key
from cpazmal_scale.simulate.ground import surfaces, viewing
from cpazmal_scale.simulate.ground.grids import Grid
from cpazmal_scale.simulate.ground.relief import Lattice

_TEXTURE_TAPS = (1.0, 3.0, 4.0, 3.0, 1.0)
_TEXTURE_CORRELATION = 0.7
_HUNDRED_METRES = 100.0


@dataclass(frozen=True)
class World:
    """What never changes between dates, on the lattice.

    `lasting` holds a unit's departure in dB per polarisation, `seasonal` the cosine and sine
    parts of its yearly one; both fade into each other across the borders of units.
    """

    grid: Grid
    seed: int
    ground: surfaces.Ground
    views: dict[str, viewing.View]
    lasting: dict[str, NDArray[np.float32]]
    seasonal: tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Block:
    """One block of the ground at full resolution: first row and column, and its pixels."""

    row: int
    col: int
    surface: NDArray[np.uint8]
    terrain: NDArray[np.float32]
    delay: NDArray[np.float32]
    lasting: dict[str, NDArray[np.float32]]
    seasonal: tuple[NDArray[np.float32], NDArray[np.float32]]
    texture: dict[str, NDArray[np.float32]]
    masks: dict[str, NDArray[np.uint8]]
    slope_db: dict[str, NDArray[np.float32]]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.surface.shape[0], self.surface.shape[1]

    @property
    def window(self) -> tuple[int, int, int, int]:
        """First row, first column, rows and columns."""
        return self.row, self.col, *self.shape


def make_world(grid: Grid, seed: int, beams: tuple[str, ...]) -> World:
    """Build terrain, classes, units and views; memory is bounded whatever the grid's size."""
    lattice = Lattice.over(grid.size, grid.pixel)
    ground = surfaces.build(lattice, seed)
    views = {name: viewing.see(ground.terrain, lattice, tables.beams()[name]) for name in beams}
    count = int(ground.unit.max()) + 1
    draws = generator(seed, "unit effects").standard_normal((count, 4)).astype(np.float32)
    rho = tables.UNIT_CORRELATION
    effects = np.stack(
        [
            tables.UNIT_DB * draws[:, 0],
            tables.UNIT_DB * (rho * draws[:, 0] + np.sqrt(1 - rho**2) * draws[:, 1]),
            tables.UNIT_SEASON_DB * draws[:, 2],
            tables.UNIT_SEASON_DB * draws[:, 3],
        ]
    ).astype(np.float32)
    fields = [_faded(effect, ground) for effect in effects]
    return World(
        grid, seed, ground, views, {"HH": fields[0], "HV": fields[1]}, (fields[2], fields[3])
    )


def _faded(effect: NDArray[np.float32], ground: surfaces.Ground) -> NDArray[np.float32]:
    """Effect of every node's unit, smoothed towards neighbouring units of the same class."""
    from scipy.ndimage import gaussian_filter

    values = effect[ground.unit]
    for code in range(len(tables.surfaces())):
        inside = ground.surface == code
        units = max(1, np.unique(ground.unit[inside]).size)
        sigma = max(0.7, 0.09 * float(np.sqrt(inside.sum() / units)))
        share = gaussian_filter(inside.astype(np.float32), sigma)
        mixed = gaussian_filter(np.where(inside, values, np.float32(0)), sigma)
        values[inside] = mixed[inside] / share[inside]
    return values


def ground_block(world: World, row: int, col: int, height: int, width: int) -> Block:
    """The ground of rows row..row+height and columns col..col+width."""
    nodes = _nodes(world, row, col, height, width)
    ground = world.ground
    surface = ground.surface[nodes]
    mean_height = np.array([kind.elevation for kind in tables.surfaces()], np.float32)
    above = (ground.height[nodes] - mean_height[surface]) / np.float32(_HUNDRED_METRES)
    return Block(
        row=row,
        col=col,
        surface=surface,
        terrain=_terrain(world, row, col, height, width),
        delay=np.clip(above, -5, 5),
        lasting={name: values[nodes] for name, values in world.lasting.items()},
        seasonal=(world.seasonal[0][nodes], world.seasonal[1][nodes]),
        texture=_texture(world.seed, row, col, height, width),
        masks={name: view.mask[nodes] for name, view in world.views.items()},
        slope_db={name: view.slope_db[nodes] for name, view in world.views.items()},
    )


def _nodes(
    world: World, row: int, col: int, height: int, width: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Lattice node of every pixel; on a coarse lattice, strayed so that borders stay ragged."""
    step = world.ground.lattice.step
    rows = np.arange(row, row + height)
    cols = np.arange(col, col + width)
    if step == 1:
        down, along = np.meshgrid(rows, cols, indexing="ij")
        return down, along
    stray_down, stray_along = _waves(world.seed, "stray", row, col, height, width)
    reach = 0.45 * step
    down = np.rint((rows[:, None] + reach * stray_down) / step).astype(np.intp)
    along = np.rint((cols[None, :] + reach * stray_along) / step).astype(np.intp)
    limit = world.ground.lattice.shape
    return np.clip(down, 0, limit[0] - 1), np.clip(along, 0, limit[1] - 1)


def _terrain(world: World, row: int, col: int, height: int, width: int) -> NDArray[np.float32]:
    """Heights of the pixels, bilinear between nodes."""
    from scipy.ndimage import map_coordinates

    step = world.ground.lattice.step
    if step == 1:
        return world.ground.terrain[row : row + height, col : col + width]
    places = np.meshgrid(
        np.arange(row, row + height) / step, np.arange(col, col + width) / step, indexing="ij"
    )
    heights: NDArray[np.float32] = map_coordinates(
        world.ground.terrain, places, order=1, mode="nearest", output=np.float32
    )
    return heights


def _waves(
    seed: int, purpose: str, row: int, col: int, height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two independent Gaussian fields of unit variance, a few pixels wide."""
    re = np.empty((height + 4, width + 4), np.float32)
    im = np.empty_like(re)
    white(key(seed, purpose), row, col, re, im)
    taps = np.array(_TEXTURE_TAPS, np.float32)
    taps *= np.float32(2**0.25 / np.sqrt(float(taps @ taps)))
    return smooth(re, taps, taps), smooth(im, taps, taps)


def _texture(
    seed: int, row: int, col: int, height: int, width: int
) -> dict[str, NDArray[np.float32]]:
    """Unit Gaussian fields from which the Gamma texture is made.

    They stay the same on all dates; HH and HV share most of theirs.
    """
    first, second = _waves(seed, "texture", row, col, height, width)
    rho = np.float32(_TEXTURE_CORRELATION)
    return {"HH": first, "HV": rho * first + np.sqrt(np.float32(1) - rho * rho) * second}
