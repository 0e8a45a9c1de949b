"""Where the grid of a polygon's windows begins so that most of them can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.cube import region
from cpazmal_scale.samples.draw.shares import FLAGS, across_dates, seen, usable
from cpazmal_scale.samples.draw.window_counts import best_offset, window_sums

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from cpazmal_scale.config import Features, Samples

PIXELS = 1 << 24
"""Pixels and dates looked at together."""


def best_corners(
    cube: xr.Dataset,
    polarisation: str,
    covered: tuple[NDArray[np.int64], NDArray[np.int64]],
    samples: Samples,
    features: Features,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Top-left pixels of the windows on the grid that has most usable ones.

    All windows at all offsets are judged at once, by summed-area tables: the cost does not grow
    with their number.

    Args:
        cube: a cube.
        polarisation: whose pixels are valid or not.
        covered: rows and columns of the pixels that a polygon covers wholly.
        samples: stride and the rules that make a window usable.
        features: size of the windows, and flags whose pixels are not valid.

    Returns:
        Rows and columns (n) of the usable windows of the first best grid.
    """
    none = np.zeros(0, np.int64)
    if len(covered[0]) == 0:
        return none, none
    size, stride = features.window, samples.stride or features.window
    low = np.array([axis.min() for axis in covered])
    shape = np.array([axis.max() for axis in covered]) - low + 1
    if (shape < size).any():
        return none, none
    inside = np.zeros(shape, np.bool_)
    inside[covered[0] - low[0], covered[1] - low[1]] = True
    taken = window_sums(inside, size) == size**2
    strip = max(1, PIXELS // (cube.sizes["time"] * int(shape[1])) - size)
    for top in range(0, len(taken), strip):
        rows = taken[top : top + strip]
        if rows.any():
            here = low + np.array([top, 0])
            reach = np.array([len(rows) + size - 1, int(shape[1])])
            power, mask = region(cube, [polarisation], here, here + reach)
            rows &= _usable(power[0], mask, samples, features)
    first = best_offset(taken, stride, stride)
    found = np.argwhere(taken[first[0] :: stride, first[1] :: stride]) * stride + low + first
    return found[:, 0], found[:, 1]


def _usable(
    power: NDArray[np.float32], mask: NDArray[np.uint8], samples: Samples, features: Features
) -> NDArray[np.bool_]:
    """Which windows of a region, power and mask (T, h, w), every rule admits."""

    def share(pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
        if pixels.ndim == 3:
            return np.stack([share(date) for date in pixels])
        return window_sums(pixels, features.window) / features.window**2

    asked = {
        name: pixels
        for name, pixels in seen(power, mask, features.excluded).items()
        if name not in FLAGS or getattr(samples.flags, FLAGS[name]) is not None
    }
    shares = across_dates(asked, samples.across, 0, share)
    return np.asarray(np.logical_and.reduce(list(usable(shares, samples).values())))
