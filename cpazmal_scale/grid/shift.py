"""How far an image lies from another one of the same ground, measured from their brightness.

Speckle differs from date to date, so that only what both share pulls the correlation: relief,
borders, texture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 4.0
"""Largest shift in pixels that is looked for."""
_SMOOTH = 1.5
"""Standard deviation in pixels of the filter that takes out speckle."""
_WIDE = 16.0
"""Standard deviation in pixels of what is too wide to place: seasons and slopes."""
_FINE = 0.02
"""Step in pixels of the place of the peak."""
CLEAR = 10.0
"""Height of the peak, in spreads of the correlation elsewhere, from which it is one."""
_LEAST = 0.5
"""Share of pixels that both images must have."""


class Shift(NamedTuple):
    """Pixels down and right by which an image lies off."""

    rows: float
    columns: float

    def __str__(self) -> str:
        return f"{self.columns:+.2f} columns and {self.rows:+.2f} rows"

    @property
    def length(self) -> float:
        """Pixels."""
        return float(np.hypot(self.rows, self.columns))


def measure_shift(
    image: NDArray[np.float32], reference: NDArray[np.float32], *, clear: float = CLEAR
) -> Shift | None:
    """Place of the peak of the correlation of two images of logarithms.

    Args:
        image: (h, w) logarithms of power, NaN for no data.
        reference: the same ground on the same pixels, best the mean of several dates.
        clear: see `CLEAR`.

    Returns:
        None where the images share too few pixels or no structure, or lie further apart than
        `MOST`.
    """
    both = np.isfinite(image) & np.isfinite(reference)
    if min(image.shape) < 32 or both.mean() < _LEAST:
        return None
    window = np.outer(*(np.hanning(size) for size in image.shape)) * both
    spectra = []
    for one in (image, reference):
        values = np.where(both, one, 0.0) - one[both].mean(dtype=np.float64)
        spectra.append(np.fft.fft2(values * window))
    frequencies: list[NDArray[np.floating]] = [np.fft.fftfreq(size) for size in image.shape]
    squared = frequencies[0][:, None] ** 2 + frequencies[1] ** 2
    cross = spectra[0] * np.conj(spectra[1])
    cross *= np.exp(-4 * (np.pi * _SMOOTH) ** 2 * squared)
    cross *= (1 - np.exp(-2 * (np.pi * _WIDE) ** 2 * squared)) ** 2
    return _peak(cross, frequencies, clear)


def _peak(
    cross: NDArray[np.complex128], frequencies: list[NDArray[np.floating]], clear: float
) -> Shift | None:
    """The highest place of a correlation given by its spectrum, if it stands out."""
    surface = np.fft.ifft2(cross).real
    spread = 1.4826 * float(np.median(np.abs(surface - np.median(surface))))
    low = high = (-MOST, MOST)
    peak, place = -np.inf, (0.0, 0.0)
    for step in (0.25, _FINE):
        axes = [np.arange(start, stop + step / 2, step) for start, stop in (low, high)]
        waves = [
            np.exp(2j * np.pi * np.outer(axis, f))
            for axis, f in zip(axes, frequencies, strict=True)
        ]
        # Small products, for which the threads of a linear algebra library are in each other's way.
        half = np.einsum("ar,rc->ac", waves[0], cross)
        fine = np.einsum("ac,bc->ab", half, waves[1]).real / cross.size
        row, column = np.unravel_index(int(fine.argmax()), fine.shape)
        peak, place = float(fine[row, column]), (float(axes[0][row]), float(axes[1][column]))
        low, high = ((at - 0.3, at + 0.3) for at in place)
    if spread == 0 or peak < clear * spread or max(map(abs, place)) >= MOST - 0.25:
        return None
    return Shift(*place)
