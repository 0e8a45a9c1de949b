"""Bright points of simulated complex images, found without the program."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import rasterio

FALSE_CLOCK = 600e-6, 2e-9
"""Seconds along azimuth and range (two-way) of a clock that is wrong."""


def peak(image: np.ndarray, line: float, sample: float) -> tuple[float, float]:
    """Centre of the bright point near a place, by zero-filling the spectrum 32 times."""
    i, j = round(line), round(sample)
    part = image[i - 8 : i + 8, j - 8 : j + 8]
    brightest = np.unravel_index(np.abs(part).argmax(), part.shape)
    spectrum = np.zeros((512, 512), complex)
    spectrum[:16, :16] = np.fft.fftshift(np.fft.fft2(part))
    fine = np.abs(np.fft.ifft2(np.roll(spectrum, (-8, -8), (0, 1))))
    window = np.zeros_like(fine)
    a, b = (slice(max(k * 32 - 32, 0), k * 32 + 33) for k in brightest)
    window[a, b] = fine[a, b]
    at = np.unravel_index(window.argmax(), window.shape)
    return i - 8 + at[0] / 32, j - 8 + at[1] / 32


def complex_image(main: Path) -> np.ndarray:
    (path,) = (main.parent / "IMAGEDATA").glob("*.cos")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, driver="COSAR") as raster:
            pixels: np.ndarray = raster.read(1)
            return pixels
