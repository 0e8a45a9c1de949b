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
_AROUND = 3.0
"""Standard deviation in pixels of the means that fill gaps."""
_LEAST_WEIGHT = 1e-3
"""Weight of known pixels from which a gap is filled to the full."""
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
    window = np.outer(*(np.hanning(size) for size in image.shape))
    frequencies: list[NDArray[np.floating]] = [np.fft.fftfreq(size) for size in image.shape]
    squared = frequencies[0][:, None] ** 2 + frequencies[1] ** 2
    spectra = [np.fft.fft2(_filled(one, both, squared) * window) for one in (image, reference)]
    cross = spectra[0] * np.conj(spectra[1])
    cross *= _gaussian(_SMOOTH, squared) ** 2
    cross *= (1 - _gaussian(_WIDE, squared)) ** 2
    return _peak(cross, frequencies, clear)


def _filled(
    image: NDArray[np.float32], known: NDArray[np.bool_], squared: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The image less its mean, with means of what lies around in its gaps.

    Gaps lie at the same pixels of both images: their borders would pull the shift to 0.
    """
    values = np.where(known, image - image[known].mean(dtype=np.float64), 0.0)
    near = _gaussian(_AROUND, squared)
    total, weight = (np.fft.ifft2(np.fft.fft2(one) * near).real for one in (values, known))
    return np.where(known, values, total / np.maximum(weight, _LEAST_WEIGHT))


def _gaussian(deviation: float, squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spectrum of a Gaussian filter, by the squares of the frequencies."""
    spectrum: NDArray[np.float64] = np.exp(-2 * (np.pi * deviation) ** 2 * squared)
    return spectrum


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
