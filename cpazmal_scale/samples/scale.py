"""Windows of chips by the authors' rule: a stack is good or bad as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cpazmal_scale.config import MASK_BITS, NOT_VALID
from cpazmal_scale.errors import SampleError
from cpazmal_scale.samples.draw.window_counts import best_offset, window_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

Flag = Literal["layover", "shadow", "no_dem", "outside_swath", "noise_limited"]
Scale = Literal["intensity", "amplitude", "dB"]


@dataclass(frozen=True)
class WindowRule:
    """Which windows of a chip are taken.

    A pixel is bad if on any date a flag of `masked` is set, or its mask is unknown where there is
    backscatter; it is valid if its backscatter is known on all dates and channels. A window is
    taken if at most `max_masked` of its pixels are bad and at least `min_valid` valid. The authors'
    `max_mask_value=1` is `masked=("shadow",)`; 0 is `("layover", "shadow")`.
    """

    size: int = 32
    stride: int | None = None
    masked: tuple[Flag, ...] = ("shadow",)
    max_masked: float = 0.10
    min_valid: float = 0.50
    best_offset: bool = False
    """Start the grid of windows where most fit, instead of at the top left pixel."""

    def __post_init__(self) -> None:
        if self.size < 1 or (self.stride is not None and self.stride < 1):
            raise SampleError("windows and strides are at least one pixel")

    def corners(self, power: NDArray[np.float32], mask: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Top left pixels (n, 2) of the windows taken, by rows.

        Args:
            power: (H, W, T, …), NaN for no data.
            mask: (H, W, T) of `MASK_BITS`.
        """
        height, width, _ = mask.shape
        if height < self.size or width < self.size:
            return np.zeros((0, 2), np.int64)
        flags = np.uint8(sum(MASK_BITS[flag] for flag in set(self.masked)))
        known = np.all(np.isfinite(power).reshape(*mask.shape, -1), axis=3)
        unmasked = known & (mask & np.uint8(NOT_VALID) != 0)
        bad = np.any((mask & flags != 0) | unmasked, axis=2)
        valid = np.all(known, axis=2)
        area = self.size**2
        taken = (window_sums(bad, self.size) <= self.max_masked * area) & (
            window_sums(valid, self.size) >= self.min_valid * area
        )
        step = self.stride or self.size
        top, left = best_offset(taken, min(step, self.size), step) if self.best_offset else (0, 0)
        found = np.argwhere(taken[top::step, left::step])
        return found.astype(np.int64) * step + (top, left)

    def cut(self, values: NDArray[np.generic], corners: NDArray[np.int64]) -> NDArray[np.generic]:
        """The windows (n, w, w, …) of values (H, W, …)."""
        y = corners[:, 0, None, None] + np.arange(self.size)[:, None]
        x = corners[:, 1, None, None] + np.arange(self.size)
        cut: NDArray[np.generic] = values[y, x]
        return cut


def to_scale(power: NDArray[np.float32], scale: Scale) -> NDArray[np.float32]:
    """Linear power as it is, as amplitude, or in decibels (10 log10)."""
    if scale == "intensity":
        return power
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.sqrt(power) if scale == "amplitude" else 10 * np.log10(power)
    return np.where(np.isfinite(values), values, np.nan).astype(np.float32)
