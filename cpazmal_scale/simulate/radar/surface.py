"""The simulated ground as one analytic surface: a cubic B-spline over the map."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_EDGE = 3
"""Knots that a spline needs beyond its last cell."""


class Surface(NamedTuple):
    """Heights above the ellipsoid (m) by a cubic B-spline: smooth, with known slopes anywhere.

    Knot (i, j) of `knots` lies at (left + j·step, top − i·step) on the map; `steepest` bounds the
    slope and `lowest`, `highest` the heights everywhere.
    """

    knots: Array
    left: float
    top: float
    step: float
    steepest: float
    lowest: float
    highest: float

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top of where the surface is defined."""
        rows, cols = self.knots.shape
        right = self.left + (cols - _EDGE) * self.step
        return (
            self.left + self.step,
            self.top - (rows - _EDGE) * self.step,
            right,
            self.top - self.step,
        )


def spline_surface(knots: Array, left: float, top: float, step: float) -> Surface:
    """A surface over knots (rows south, columns east) that are `step` metres apart."""
    values = np.ascontiguousarray(knots, np.float64)
    # A spline's slope is a mean of its knots' differences, as its height is one of the knots.
    rise = max(float(np.abs(np.diff(values, axis=axis)).max()) for axis in (0, 1)) / step
    return Surface(
        values,
        float(left),
        float(top),
        float(step),
        rise * math.sqrt(2),
        float(values.min()),
        float(values.max()),
    )
