"""How far an image lies from another one of the same ground, measured from their brightness.

Speckle differs from date to date, so that only what both share pulls the correlation: relief,
borders, texture. A peak is found in a fixed band of frequencies. Where asked for, the images moved
by it tell how much of each frequency they share, and each counts as maximum likelihood has it
(Knapp and Carter 1976, IEEE Trans. ASSP 24: the estimator of Hannan and Thomson): all frequencies
of points, low ones of slopes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]
    Spectrum = NDArray[np.complex128]

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
"""Step in pixels of the place of the first peak."""
_RINGS = 64
"""Rings of frequencies, to 1 per pixel, over which what images share is averaged."""
_ALIKE = 0.98
"""Coherence that counts as no more."""
_REFINED, _FINEST = 0.6, 0.01
"""Pixels around the first peak in which the likeliest place is looked for, and its step."""
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
    image: NDArray[np.float32],
    reference: NDArray[np.float32],
    *,
    clear: float = CLEAR,
    likeliest: bool = False,
) -> Shift | None:
    """Place of the peak of the correlation of two images of logarithms.

    Args:
        image: (h, w) logarithms of power, NaN for no data.
        reference: the same ground on the same pixels, best the mean of several dates.
        clear: see `CLEAR`.
        likeliest: place the peak by maximum likelihood, nearer where points are. Gaps that both
            have pull it towards none: it is for images that are read again at the place.

    Returns:
        None where the images share too few pixels or no structure, or lie further apart than
        `MOST`.
    """
    both = np.isfinite(image) & np.isfinite(reference)
    if min(image.shape) < 32 or both.mean() < _LEAST:
        return None
    frequencies: list[Array] = [np.fft.fftfreq(size) for size in image.shape]
    squared = frequencies[0][:, None] ** 2 + frequencies[1] ** 2
    cross, _ = _crossed((image, reference), both, squared)
    found = _peak(cross * _gaussian(_SMOOTH, squared) ** 2, frequencies, clear)
    if found is None or not likeliest:
        return found
    return _likeliest(found, image, reference, frequencies)


def _crossed(
    images: tuple[NDArray[np.floating], NDArray[np.floating]],
    known: NDArray[np.bool_],
    squared: Array,
) -> tuple[Spectrum, Array]:
    """Spectrum of the correlation of two images without what is wide, and the product of their own
    amplitudes.
    """
    window = np.outer(*(np.hanning(size) for size in known.shape))
    one, other = (np.fft.fft2(_filled(image, known, squared) * window) for image in images)
    return one * np.conj(other) * (1 - _gaussian(_WIDE, squared)) ** 2, np.abs(one) * np.abs(other)


def _filled(
    image: NDArray[np.float32], known: NDArray[np.bool_], squared: Array
) -> NDArray[np.float64]:
    """The image less its mean, with means of what lies around in its gaps.

    Gaps lie at the same pixels of both images: their borders would pull the shift to 0.
    """
    values = np.where(known, image - image[known].mean(dtype=np.float64), 0.0)
    near = _gaussian(_AROUND, squared)
    total, weight = (np.fft.ifft2(np.fft.fft2(one) * near).real for one in (values, known))
    return np.where(known, values, total / np.maximum(weight, _LEAST_WEIGHT))


def _gaussian(deviation: float, squared: Array) -> NDArray[np.float64]:
    """Spectrum of a Gaussian filter, by the squares of the frequencies."""
    spectrum: NDArray[np.float64] = np.exp(-2 * (np.pi * deviation) ** 2 * squared)
    return spectrum


def _peak(cross: Spectrum, frequencies: list[Array], clear: float) -> Shift | None:
    """The highest place of a correlation given by its spectrum, if it stands out."""
    surface = np.fft.ifft2(cross).real
    spread = 1.4826 * float(np.median(np.abs(surface - np.median(surface))))
    place, peak = Shift(0.0, 0.0), 0.0
    for step, far in ((0.25, MOST), (_FINE, 0.3)):
        place, peak = _highest(cross, frequencies, place, far, step)
    if spread == 0 or peak < clear * spread or max(map(abs, place)) >= MOST - 0.25:
        return None
    return place


def _highest(
    cross: Spectrum, frequencies: list[Array], around: Shift, far: float, step: float
) -> tuple[Shift, float]:
    """The highest place of a correlation at most so far from another place, and its height."""
    axes = [np.arange(at - far, at + far + step / 2, step) for at in around]
    waves = [
        np.exp(2j * np.pi * np.outer(axis, f)) for axis, f in zip(axes, frequencies, strict=True)
    ]
    # Small products, for which the threads of a linear algebra library are in each other's way.
    half = np.einsum("ar,rc->ac", waves[0], cross)
    fine = np.einsum("ac,bc->ab", half, waves[1]).real / cross.size
    row, column = np.unravel_index(int(fine.argmax()), fine.shape)
    return Shift(float(axes[0][row]), float(axes[1][column])), float(fine[row, column])


def _likeliest(
    first: Shift,
    image: NDArray[np.float32],
    reference: NDArray[np.float32],
    frequencies: list[Array],
) -> Shift:
    """The place of maximum likelihood near a first one, which stays where nothing is shared.

    The image is moved by the first place: gaps that both have would pull what is left to 0.
    """
    down, along = frequencies[0][:, None], frequencies[1]
    squared = down**2 + along**2
    known = np.isfinite(image)
    spectrum = np.fft.fft2(_filled(image, known, squared))
    turned = spectrum * np.exp(2j * np.pi * (down * first.rows + along * first.columns))
    there = np.roll(known, (-round(first.rows), -round(first.columns)), (0, 1))
    both = there & np.isfinite(reference)
    if both.mean() < _LEAST / 2:
        return first
    cross, amplitudes = _crossed((np.fft.ifft2(turned).real, reference), both, squared)
    weighted = cross * _weights(cross, amplitudes, np.sqrt(squared))
    if not weighted.any():
        return first
    coarse, _ = _highest(weighted, frequencies, Shift(0.0, 0.0), _REFINED, 10 * _FINEST)
    left, _ = _highest(weighted, frequencies, coarse, 12 * _FINEST, _FINEST)
    return Shift(first.rows + left.rows, first.columns + left.columns)


def _weights(cross: Spectrum, amplitudes: Array, frequency: Array) -> Array:
    """γ/(1 − γ²) over the amplitudes, with γ the coherence of rings of frequencies."""
    ring = (frequency * _RINGS).astype(np.int64)
    count = np.maximum(np.bincount(ring.ravel()), 1)
    power = np.bincount(ring.ravel(), amplitudes.ravel())
    power = np.maximum(power, np.finfo(float).tiny)
    # What as many frequencies share by chance is nothing.
    shared = np.bincount(ring.ravel(), cross.real.ravel()) / power - np.sqrt(2 / count)
    coherence = np.clip(shared, 0, _ALIKE)
    weights: Array = (coherence / (1 - coherence**2) * count / power)[ring]
    return weights
