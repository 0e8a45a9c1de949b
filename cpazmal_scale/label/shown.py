"""Values of rasters as colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpazmal_scale.label.tiles import png
from cpazmal_scale.palette import REJECTED, rgb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEVELS = 255
_SPECKLE = (7.0, 4.0)
"""dB by which single pixels lie under and over the means of an overview's cells."""
_CLEAR = (0, 0, 0)
_GREYS = tuple((level, level, level) for level in range(LEVELS))
_WARMTH = ((0.0, (13, 8, 60)), (0.5, (190, 55, 82)), (1.0, (252, 255, 164)))
"""Dark blue, red, pale yellow: brighter means more, on every screen and for every eye."""


class Stretch(NamedTuple):
    """The values that are darkest and brightest; in dB where `decibel`."""

    low: float
    high: float
    decibel: bool
    warm: bool = False

    def picture(self, values: NDArray[np.float32]) -> bytes:
        """A PNG; values that are NaN are transparent."""
        shown = _decibel(values) if self.decibel else values
        share = (shown - self.low) / max(self.high - self.low, 1e-9)
        missing = ~np.isfinite(share)
        level = np.clip(np.where(missing, 0, share), 0, 1) * (LEVELS - 1)
        index = np.where(missing, LEVELS, np.rint(level)).astype(np.uint8)
        return png(index, [*(_warm() if self.warm else _GREYS), _CLEAR])


def stretch(values: NDArray[np.float32], *, decibel: bool) -> Stretch:
    """From the second to the ninety-eighth percentile of an overview; more in dB, for speckle."""
    shown = _decibel(values) if decibel else values
    known = shown[np.isfinite(shown)]
    low, high = np.percentile(known, (2, 98)).tolist() if known.size else (0.0, 1.0)
    below, above = _SPECKLE if decibel else (0.0, 0.0)
    return Stretch(float(low) - below, float(high) + above, decibel)


def class_picture(values: NDArray[np.float32], colours: Sequence[str]) -> bytes:
    """A PNG of class codes 1 … C; 254 is too far from every class, NaN transparent."""
    known = [rgb(colour) for colour in (*colours, REJECTED)]
    index = np.full(values.shape, len(known), np.uint8)
    there = np.isfinite(values)
    codes = values[there].astype(np.int64)
    index[there] = np.where(codes <= len(colours), codes - 1, len(colours))
    return png(index, [*known, _CLEAR])


def _decibel(values: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(10 * np.log10(values), np.float32)


def _warm() -> list[tuple[int, int, int]]:
    places, colours = zip(*_WARMTH, strict=True)
    shares = np.linspace(0, 1, LEVELS)
    parts = [np.interp(shares, places, [c[part] for c in colours]).round() for part in range(3)]
    return [(int(r), int(g), int(b)) for r, g, b in zip(*parts, strict=True)]
