"""Speckle with gaps, and arrays that are equal with their gaps."""

from __future__ import annotations

import numpy as np


def speckle(shape: tuple[int, ...], seed: int = 0, looks: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.gamma(looks, 1 / looks, shape)).astype(np.float32)


def holes(power: np.ndarray, share: float, seed: int = 1) -> np.ndarray:
    power = power.copy()
    power[np.random.default_rng(seed).random(power.shape) < share] = np.nan
    return power


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-5) -> None:
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
