"""The whole simulated world of one scene, and its blocks at full resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.simulate.given import seasons, tables
from cpazmal_scale.simulate.given.kernels import neighbours, smooth, white
from cpazmal_scale.simulate.given.streams import generator, key
from cpazmal_scale.simulate.ground import surfaces, viewing
from cpazmal_scale.simulate.ground.grids import Grid
from cpazmal_scale.simulate.ground.relief import Lattice, field, slope_aspect

_TEXTURE_TAPS = (1.0, 3.0, 4.0, 3.0, 1.0)
_HUNDRED_METRES = 100.0

WAVES, PATTERNS = 6, 4
"""Fields that each date mixes by its own weights: narrow ones of texture, broad ones of patches."""

BORDER_REACH = 2
"""Pixels from a border over which it is mixed with the class beyond (guessed: a resolution cell of
6.6 m on pixels of 3 m, and the ±1 pixel of the resampling)."""

INSIDE_METRES = 80.0
"""Width of what varies inside a unit (guessed)."""

PATCH_METRES = 45.0
"""Width of patches of melt inside a unit (guessed: gullies, crevasses, avalanche tracks)."""

UNIT_METRES = 60.0
"""Standard deviation of a unit's departure in timing, as height: 1.5 days in May (0 to 3 known of
one pair of polygons)."""

ASPECT_METRES, ASPECT_SLOPE = 250.0, 35.0
"""Height that a northern slope of so many degrees is worth: 6 days in May (guessed)."""

MOST_ABOVE = 6.0
"""Hundreds of metres over its class's mean that count at most."""


@dataclass(frozen=True)
class World:
    """What never changes between dates, on the lattice.

    `lasting` holds a place's departure in dB per polarisation, `seasonal` the cosine and sine parts
    of its yearly one, `above` its height over its class's mean with the aspect's and the unit's
    worth (hundreds of metres), `asked` what it asks of the thaw. Each date mixes `patterns` and the
    `units`' own ones by weights. Units' parts fade into each other across the borders of units.
    """

    grid: Grid
    seed: int
    ground: surfaces.Ground
    views: dict[str, viewing.View]
    lasting: dict[str, NDArray[np.float32]]
    seasonal: tuple[NDArray[np.float32], NDArray[np.float32]]
    above: NDArray[np.float32]
    asked: NDArray[np.float32]
    patterns: NDArray[np.float32]
    units: NDArray[np.float32]


@dataclass(frozen=True)
class Block:
    """One block of the ground at full resolution: first row and column, and its pixels.

    `beside` is the class that fills the share `mixed` of a pixel near a border.
    """

    row: int
    col: int
    surface: NDArray[np.uint8]
    beside: NDArray[np.uint8]
    mixed: NDArray[np.float32]
    terrain: NDArray[np.float32]
    above: NDArray[np.float32]
    asked: NDArray[np.float32]
    lasting: dict[str, NDArray[np.float32]]
    seasonal: tuple[NDArray[np.float32], NDArray[np.float32]]
    patterns: NDArray[np.float32]
    units: NDArray[np.float32]
    waves: NDArray[np.float32]
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
    draw = _UnitDraws(ground, seed)
    views = {}
    for name in beams:
        seen = viewing.see(ground.terrain, lattice, tables.beams()[name])
        own = draw(tables.UNIT_BEAM_DB, "beam", name)
        views[name] = viewing.View(seen.mask, seen.slope_db + own)
    wide = np.array([kind.inside_db for kind in tables.surfaces()], np.float32)
    lasting = np.float32(np.sqrt(tables.LASTING)) * _field(lattice, INSIDE_METRES, seed, "inside")
    inside = wide[ground.surface] * lasting
    rho = np.float32(tables.UNIT_CORRELATION)
    first, second = (draw(tables.UNIT_DB, "lasting", name) for name in ("HH", "HV"))
    mixed = rho * first + np.sqrt(1 - rho * rho) * second
    season = draw(tables.UNIT_SEASON_DB, "cosine"), draw(tables.UNIT_SEASON_DB, "sine")
    above = _above(ground) + draw(UNIT_METRES, "height") / _HUNDRED_METRES
    above = np.clip(above, -MOST_ABOVE, MOST_ABOVE).astype(np.float32)
    asked = (
        draw(seasons.UNITS, "thaw")
        + seasons.PATCHES * _field(lattice, PATCH_METRES, seed, "patches")
        + seasons.LAPSE * above
    )
    return World(
        grid,
        seed,
        ground,
        views,
        {"HH": first + inside, "HV": mixed + inside},
        season,
        above,
        asked.astype(np.float32),
        np.stack([_field(lattice, PATCH_METRES, seed, f"pattern {k}") for k in range(PATTERNS)]),
        np.stack([draw(1.0, f"weather {k}") for k in range(PATTERNS)]),
    )


def _field(lattice: Lattice, metres: float, seed: int, purpose: str) -> NDArray[np.float32]:
    """Unit field of features some metres wide, not narrower than the lattice's nodes."""
    return field(lattice, max(1.0, metres / lattice.spacing[0]), seed, purpose)


def _above(ground: surfaces.Ground) -> NDArray[np.float32]:
    """Height over the class's mean in hundreds of metres; northern slopes count as higher."""
    slope, aspect = slope_aspect(ground.terrain, ground.lattice)
    steep = np.sin(np.radians(slope)) / np.sin(np.radians(ASPECT_SLOPE))
    north = ASPECT_METRES * steep * np.cos(np.radians(aspect))
    mean = np.array([kind.elevation for kind in tables.surfaces()], np.float32)
    above: NDArray[np.float32] = (ground.height - mean[ground.surface] + north) / _HUNDRED_METRES
    return above.astype(np.float32)


class _UnitDraws:
    """Effects of units: one draw each, smoothed towards neighbouring units of the same class."""

    def __init__(self, ground: surfaces.Ground, seed: int) -> None:
        from scipy.ndimage import gaussian_filter

        self.ground, self.seed, self._smooth = ground, seed, gaussian_filter
        self._count = int(ground.unit.max()) + 1
        self._sigma = {}
        self._share = {}
        for code in range(len(tables.surfaces())):
            inside = ground.surface == code
            units = max(1, np.unique(ground.unit[inside]).size)
            self._sigma[code] = max(0.7, 0.09 * float(np.sqrt(inside.sum() / units)))
            self._share[code] = gaussian_filter(inside.astype(np.float32), self._sigma[code])

    def __call__(self, width: float, *purpose: str) -> NDArray[np.float32]:
        """A field over the nodes whose units have the standard deviation `width`."""
        draws = generator(self.seed, "unit", *purpose).standard_normal(self._count)
        values = (width * draws).astype(np.float32)[self.ground.unit]
        for code, sigma in self._sigma.items():
            inside = self.ground.surface == code
            mixed = self._smooth(np.where(inside, values, np.float32(0)), sigma)
            values[inside] = mixed[inside] / self._share[code][inside]
        return values


def ground_block(world: World, row: int, col: int, height: int, width: int) -> Block:
    """The ground of rows row..row+height and columns col..col+width."""
    reach = BORDER_REACH
    wide = _nodes(world, row - reach, col - reach, height + 2 * reach, width + 2 * reach)
    ground = world.ground
    around = ground.surface[wide]
    inner = slice(reach, reach + height), slice(reach, reach + width)
    nodes = wide[0][inner], wide[1][inner]
    beside = np.empty((height, width), np.uint8)
    mixed = np.empty((height, width), np.float32)
    neighbours(around, reach, beside, mixed)
    return Block(
        row=row,
        col=col,
        surface=np.ascontiguousarray(around[inner]),
        beside=beside,
        mixed=mixed,
        terrain=_terrain(world, row, col, height, width),
        above=world.above[nodes],
        asked=world.asked[nodes],
        lasting={name: values[nodes] for name, values in world.lasting.items()},
        seasonal=(world.seasonal[0][nodes], world.seasonal[1][nodes]),
        patterns=world.patterns[:, nodes[0], nodes[1]],
        units=world.units[:, nodes[0], nodes[1]],
        waves=_texture(world.seed, row, col, height, width),
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
    limit = world.ground.lattice.shape
    if step == 1:
        rows, cols = np.clip(rows, 0, limit[0] - 1), np.clip(cols, 0, limit[1] - 1)
        down, along = np.meshgrid(rows, cols, indexing="ij")
        return down, along
    stray_down, stray_along = _waves(world.seed, "stray", row, col, height, width)
    reach = 0.45 * step
    down = np.rint((rows[:, None] + reach * stray_down) / step).astype(np.intp)
    along = np.rint((cols[None, :] + reach * stray_along) / step).astype(np.intp)
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


def _texture(seed: int, row: int, col: int, height: int, width: int) -> NDArray[np.float32]:
    """Unit Gaussian fields (`WAVES`, h, w) a few pixels wide, from which the texture is mixed."""
    pairs = [_waves(seed, f"texture {k}", row, col, height, width) for k in range(0, WAVES, 2)]
    return np.stack([one for pair in pairs for one in pair])
