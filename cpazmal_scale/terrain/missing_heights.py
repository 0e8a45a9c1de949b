"""Undeclared marks of missing heights in an elevation raster, and steps of damaged rasters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

APART = 100.0
"""Metres to the next height from which one that returns is a mark: between a plain and a summit an
elevation raster holds what lies between.
"""
FEWEST = 4
"""Pixels of exactly one height from which it is no summit or pit."""
BEYOND = 50.0
"""Metres beyond what a product's own, coarse heights say of the ground."""

CLIFF = 2000.0
"""Metres between neighbouring pixels that no ground has; the highest walls drop 1 300 m."""


def largest_step(heights: Array) -> float:
    """Metres between neighbours in a part of a raster (rows, columns), NaN unknown; 0: none."""
    down, along = (np.abs(np.diff(heights, axis=axis)) for axis in (0, 1))
    return float(max(np.fmax.reduce(one, axis=None, initial=0.0) for one in (down, along)))


class Mark(NamedTuple):
    """A height (m) that so many pixels have exactly, and metres to the next one."""

    height: float
    pixels: int
    apart: float

    def __str__(self) -> str:
        return (
            f"{self.pixels} of its pixels are exactly {self.height:g} m, {self.apart:.0f} m from "
            "all others: they mark missing heights"
        )


class Extremes:
    """The lowest and the highest of heights that come in parts."""

    def __init__(self) -> None:
        # By side: the outermost height, how often it occurs and the next one, all times the sign.
        self._ends = {1.0: (np.inf, 0, np.inf), -1.0: (np.inf, 0, np.inf)}

    def add(self, heights: Array) -> None:
        """More heights (n), NaN where unknown."""
        known = heights[np.isfinite(heights)]
        if known.size == 0:
            return
        for sign, (first, count, second) in self._ends.items():
            values = sign * known
            least = float(values.min())
            times = int((values == least).sum())
            rest = values[values > least]
            after = float(rest.min()) if rest.size else np.inf
            if least == first:
                self._ends[sign] = first, count + times, min(second, after)
            elif least < first:
                self._ends[sign] = least, times, min(first, after)
            else:
                self._ends[sign] = first, count, min(second, least)

    def mark(self, known: tuple[float, float]) -> Mark | None:
        """A mark among them, if any: beyond `known`, the lowest and highest ground there can be."""
        limits = {1.0: known[0] - BEYOND, -1.0: -(known[1] + BEYOND)}
        for sign, (first, count, second) in self._ends.items():
            apart = second - first
            if count >= FEWEST and APART <= apart < np.inf and first < limits[sign]:
                return Mark(sign * first, count, apart)
        return None
