"""A mountain range like that of Mont Blanc: a main crest between two valleys, spurs and corries.

Heights come from a seed alone. They are made on a lattice of at most 2048 nodes a side, so that
memory stays bounded whatever the scene's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.simulate.given.streams import generator

MAX_NODES = 2048
MEAN_SLOPE = 27.0
"""Mean slope in degrees; the vertical of a scene narrower than the real massif shrinks to it."""

_HYPSOMETRY = (
    (0.0, 0.06, 0.14, 0.24, 0.36, 0.50, 0.65, 0.80, 0.92, 0.985, 1.0),
    (1040, 1090, 1330, 1700, 2080, 2400, 2700, 3020, 3380, 3850, 4600),
)


@dataclass(frozen=True)
class Lattice:
    """Nodes every `step` pixels; node (i, j) is the centre of pixel (i·step, j·step).

    `spacing` is the ground distance between nodes in metres, down and along.
    """

    shape: tuple[int, int]
    step: int
    spacing: tuple[float, float]

    @classmethod
    def over(cls, size: tuple[int, int], pixel: tuple[float, float]) -> Lattice:
        """The finest lattice over a scene of `size` pixels of `pixel` metres (down, along)."""
        step = -(-max(size) // MAX_NODES)
        extra = 1 if step > 1 else 0
        shape = (-(-size[0] // step) + extra, -(-size[1] // step) + extra)
        return cls(shape, step, (pixel[0] * step, pixel[1] * step))


def field(lattice: Lattice, period: float, seed: int, *purpose: object) -> NDArray[np.float32]:
    """Smooth random field of unit variance whose features are about `period` nodes wide.

    A cubic B-spline surface over white noise at knots `period` nodes apart.
    """
    (rows, down), (cols, along) = (_spline(length, period) for length in lattice.shape)
    knots = (int(rows[-1]) + 4, int(cols[-1]) + 4)
    values = generator(seed, *purpose).standard_normal(knots).astype(np.float32)
    lines = np.zeros((len(rows), knots[1]), np.float32)
    surface = np.zeros(lattice.shape, np.float32)
    for k in range(4):
        lines += down[:, k, None] * values[rows + k]
    for k in range(4):
        surface += along[:, k] * lines[:, cols + k]
    return surface / np.float32(0.48)


def _spline(length: int, period: float) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """First of four knots, and their cubic B-spline weights, at every node of one axis."""
    place = np.arange(length) / period
    knot = np.floor(place).astype(np.intp)
    t = place - knot
    weights = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3]
    return knot, (np.stack(weights, axis=1) / 6).astype(np.float32)


def elevation(lattice: Lattice, seed: int) -> NDArray[np.float32]:
    """Heights of the range in metres, 1040 to 4600, with the massif's share of each height."""
    raw = _range(lattice, seed)
    order = np.linspace(0, 1, 2001)
    quantiles = np.quantile(raw, order)
    target = np.interp(order, *_HYPSOMETRY)
    return np.interp(raw, quantiles, target).astype(np.float32)


def _range(lattice: Lattice, seed: int) -> NDArray[np.float32]:
    """Crest, spurs and ridged detail, in arbitrary units."""
    height, width = lattice.shape
    size = max(height, width)
    down, along = np.meshgrid(
        np.arange(height, dtype=np.float32) / size,
        np.arange(width, dtype=np.float32) / size,
        indexing="ij",
    )
    bend = 0.07 * field(lattice, size / 3, seed, "bend")
    across = (0.62 * along + 0.78 * down) / 1.4 + bend
    profile = np.interp(
        across, (-0.2, 0.14, 0.22, 0.68, 0.85, 1.2), (0.3, 0.0, 0.02, 1.0, 0.35, 0.1)
    )
    ridged = np.zeros(lattice.shape, np.float32)
    weight: NDArray[np.float32] | float = 1.0
    amplitude, period = 1.0, size / 6
    octave = 0
    while period >= 3:
        crest = (1 - np.abs(field(lattice, period, seed, "ridge", octave)) / 1.6) ** 2
        ridged += amplitude * weight * crest
        weight = np.clip(crest, 0, 1)
        amplitude, period, octave = amplitude * 0.47, period / 2.03, octave + 1
    total: NDArray[np.float32] = (profile + (0.18 + 0.55 * profile) * ridged).astype(np.float32)
    return total


def vertical_scale(z: NDArray[np.float32], lattice: Lattice) -> float:
    """Factor on heights that gives the mean slope of the real massif, at most 1."""
    mean = float(np.hypot(*np.gradient(z, *lattice.spacing)).mean())
    return min(1.0, float(np.tan(np.radians(MEAN_SLOPE))) / mean)


def slope_aspect(
    z: NDArray[np.float32], lattice: Lattice
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Slope and aspect (downhill direction, clockwise from north) of heights, in degrees."""
    south, east = np.gradient(z, *lattice.spacing)
    slope = np.degrees(np.arctan(np.hypot(south, east)))
    aspect = np.degrees(np.arctan2(-east, south)) % 360
    return slope.astype(np.float32), aspect.astype(np.float32)
