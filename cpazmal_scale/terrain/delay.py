"""The troposphere's delay by height.

A product annotates one delay for the mean height of its scene. The hydrostatic part is that of
2.3 m at sea level along the zenith, falling by e in 6000 m, which reproduces the annotated values
of TerraSAR-X and TanDEM-X products to a few millimetres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ZENITH, SCALE_HEIGHT = 2.3, 6000.0
"""Metres of one-way delay at sea level, and metres in which it falls by e."""
MODEL = f"{ZENITH} m exp(-h/{SCALE_HEIGHT:.0f} m)/cos(incidence)"


def beyond_mean(height: Array, mean: float, cosine: Array) -> Array:
    """One-way metres to be added to the delay of the mean height.

    Args:
        height: Metres above the ellipsoid.
        mean: Height the annotated delay holds for.
        cosine: Of the incidence angle, same shape as `height`.
    """
    here: Array = np.exp(-height / SCALE_HEIGHT) - np.exp(-mean / SCALE_HEIGHT)
    return ZENITH * here / cosine
