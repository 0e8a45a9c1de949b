"""Digital numbers of Level-1b products to backscatter coefficients.

β0 = ks·|DN|²; NEBN = ks·Σ cᵢ (τ − τ_ref)ⁱ inside its range of validity, linear in azimuth between
noise records; σ0 = (β0 − NEBN)·sin θ; γ0 = (β0 − NEBN)·tan θ, with θ of the ellipsoid (Airbus
TSXX-ITD-TN-0049); terrain-flattened γ0_T = (β0 − NEBN)/N with N the ground's area per radar cell,
seen along the line of sight, over the cell's own (Small 2011). Differences are kept signed: they
average without bias.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

import numpy as np

from cpazmal_scale.scenes.level1b.annotation import Annotation, Layer

if TYPE_CHECKING:
    from numpy.typing import NDArray

Coefficient = Literal["beta0", "sigma0", "gamma0", "gamma0_T"]

NOISE_LIMITED = 3.0
"""Pixels whose β0 is below this multiple of the noise are flagged."""
OF_INCIDENCE = ("sigma0", "gamma0")
"""Coefficients of the ellipsoid's incidence angle."""


def subtracts_noise(annotation: Annotation, setting: Literal["auto", "subtract", "keep"]) -> bool:
    """Whether noise power is to be subtracted.

    `auto`: unless the processor did. Complex images cannot have had power subtracted, whatever
    their flag says: the provider's table has "no" for every SSC, while early products are flagged.
    """
    if setting != "auto":
        return setting == "subtract"
    return annotation.is_complex or "noiseCorrectedFlag" not in annotation.processing.flags


def noise_beta0(
    layer: Layer, reference: datetime, t: NDArray[np.float64], tau: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Noise equivalent β0 (NEBN), linear power.

    Args:
        layer: With calibration factor and noise records.
        reference: Origin of `t`.
        t: Azimuth times, seconds.
        tau: Two-way range times, seconds; broadcasts with `t`.

    Returns:
        Same shape; before the first and after the last record theirs holds; 0 where no record is
        valid, or there is none.
    """
    t, tau = np.broadcast_arrays(t, tau)
    total = np.zeros(t.shape)
    times = np.array([(one.time - reference).total_seconds() for one in layer.noise])
    if times.size == 0:
        return total
    place = np.interp(t, times, np.arange(times.size, dtype=np.float64))
    for number, record in enumerate(layer.noise):
        weight = np.maximum(0.0, 1.0 - np.abs(place - number))
        if weight.any():
            total += weight * record(tau)
    return layer.cal_factor * total


def mean_noise(layer: Layer, annotation: Annotation) -> float:
    """Noise equivalent β0 on average over the image, linear power."""
    duration = (annotation.stop - annotation.start).total_seconds()
    t = np.linspace(0.0, duration, 21)[:, None]
    tau = np.linspace(annotation.first_range_time, annotation.last_range_time, 101)
    return float(noise_beta0(layer, annotation.start, t, tau).mean())


def unannotated(layer: Layer, first: float, last: float) -> float:
    """Share of the range from `first` to `last` (two-way seconds) for which no noise is told."""
    tau = np.linspace(first, last, 201)
    held = [record.holds(tau) for record in layer.noise]
    return 1.0 - float(np.mean(held)) if held else 1.0


def calibrate(
    beta0: NDArray[np.floating],
    noise: NDArray[np.floating] | None,
    incidence: NDArray[np.floating] | None,
    coefficient: Coefficient,
    ratio: NDArray[np.floating] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A backscatter coefficient from β0.

    Args:
        beta0: ks·|DN|², linear power, NaN for no-data.
        noise: NEBN; none: it is not subtracted.
        incidence: Incidence angle θ in degrees, for `OF_INCIDENCE`.
        coefficient: Which one.
        ratio: N, for `gamma0_T`; NaN where there is none.

    Returns:
        Signed linear power, float32, NaN for no-data; and where β0 < 3·NEBN.
    """
    power = beta0 if noise is None else beta0 - noise
    limited = np.zeros(beta0.shape, bool)
    if noise is not None:
        limited = beta0 < NOISE_LIMITED * noise
    if coefficient in OF_INCIDENCE:
        assert incidence is not None
        angle = np.radians(incidence)
        power = power * (np.sin(angle) if coefficient == "sigma0" else np.tan(angle))
    elif coefficient == "gamma0_T":
        assert ratio is not None
        power = power / ratio
    return power.astype(np.float32), limited
