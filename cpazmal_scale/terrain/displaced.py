"""Detect a displaced elevation raster: its heights fit the product's own better some way off.

A raster whose ground lies too far to one side by d differs from the heights that it should have by
about −g·d, g its slope. Where ground has slopes the least squares of that over all points tell d,
and heights taken at that distance tell whether it is so. On flat ground nothing does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Around = Callable[[float, float], Array]

REACH = 200.0
"""Metres north, south, east and west of a point over which its own height is taken to be a mean."""
_STEPS = np.linspace(-REACH, REACH, 5)
EAST, NORTH = np.tile(_STEPS, _STEPS.size), np.repeat(_STEPS, _STEPS.size)
"""Metres of the places (25) around a point."""
_ROUNDS = 4
"""Times that a distance is improved on."""
_LEAST, _MOST = 50.0, 3000.0
"""Metres that are told, and up to which ground is looked for."""
_SURE = 5.0
"""Standard errors from which a distance is told."""
_BETTER = 0.8
"""Of the spread of differences, that is left at a distance that is told."""
_WINDS = ("east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east")


@dataclass(frozen=True)
class Displacement:
    """How far a raster's ground lies to the east and to the north of where it belongs, in metres;
    and what is left of the spread of its differences from a product's own heights, if it is moved.
    """

    east: float
    north: float
    left: float

    @property
    def distance(self) -> float:
        """Metres."""
        return math.hypot(self.east, self.north)

    def __str__(self) -> str:
        wind = _WINDS[round(math.atan2(self.north, self.east) / (math.pi / 4)) % 8]
        return f"{self.distance:.0f} m to the {wind} of where the product's own heights lie"


def displacement(around: Around, own: Array) -> Displacement | None:
    """Look for the displacement of a raster.

    Args:
        around: Heights (n, 25) of the raster around points that are moved by metres east and north,
            NaN unknown.
        own: The product's own heights (n) of the points.

    Returns:
        None where there is none that is sure.
    """
    east = north = 0.0
    spread: list[float] = []
    error = math.inf
    for _ in range(_ROUNDS + 1):
        heights = around(east, north)
        known = np.isfinite(heights).all(axis=1)
        if known.sum() < 2 * EAST.size:
            return None
        apart = heights[known].mean(axis=1) - own[known]
        spread.append(float(np.median(np.abs(apart - np.median(apart)))))
        slopes = np.stack([heights[known] @ steps / (steps @ steps) for steps in (EAST, NORTH)])
        slopes = slopes - slopes.mean(axis=1, keepdims=True)
        normal = slopes @ slopes.T
        if np.linalg.cond(normal) > 1e6:
            return None
        change = -np.linalg.solve(normal, slopes @ (apart - apart.mean()))
        if len(spread) == 1 and np.hypot(*change) < _LEAST / 2:
            return None
        error = 1.4826 * spread[-1] * float(np.sqrt(np.trace(np.linalg.inv(normal))))
        if len(spread) <= _ROUNDS:
            east, north = east + float(change[0]), north + float(change[1])
        if math.hypot(east, north) > _MOST:
            return None
    found = Displacement(east, north, spread[-1] / max(spread[0], 1e-9))
    told = found.distance > max(_LEAST, _SURE * error) and found.left < _BETTER
    return found if told else None
