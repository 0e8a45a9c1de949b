"""How each class scatters through the year: daily curves, texture and the weather of one date."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.simulate.given.streams import generator
from cpazmal_scale.simulate.given.tables import (
    NOISE_FLOOR_DB,
    monthly_backscatter,
    orbit_offset,
    surfaces,
)

DAYS = 365
_SNOW = ("ABL", "FOR", "LAC", "PLA", "ROC")


def daily_power(polarisation: str) -> NDArray[np.float64]:
    """Class curves (8 classes, 365 days) in dB of true power.

    The monthly means, set at mid-month, are joined by a periodic monotone cubic; then the mean
    of the noise-subtracted product is inverted, so that noise added later restores it.
    """
    from scipy.interpolate import PchipInterpolator

    measured = monthly_backscatter(polarisation)
    middle = (np.arange(-3, 15) + 0.5) * DAYS / 12
    months = np.concatenate([measured[:, -3:], measured, measured[:, :3]], axis=1)
    days = PchipInterpolator(middle, months, axis=1)(np.arange(DAYS) + 0.5)
    return true_db(np.asarray(days, dtype=np.float64))


def detected_db(power_db: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the noise-subtracted product, dB, of a surface of the given true power.

    The authors' chain takes |(s + N) X − N| with exponential X, whose mean is
    2 (s + N) exp(−N / (s + N)) − s: 2 N / e without any signal.
    """
    signal, noise = 10 ** (power_db / 10), 10 ** (NOISE_FLOOR_DB / 10)
    total = signal + noise
    mean: NDArray[np.float64] = 10 * np.log10(2 * total * np.exp(-noise / total) - signal)
    return mean


def true_db(measured_db: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of `detected_db`; means at or below that of pure noise give −40 dB."""
    power = np.linspace(-40.0, 15.0, 5501)
    return np.interp(measured_db, detected_db(power), power)


def day_of_year(when: datetime) -> float:
    """Days since the start of the year, with the time of day."""
    midnight = datetime(when.year, 1, 1, tzinfo=when.tzinfo)
    return (when - midnight).total_seconds() / 86400


def height_delay(day: float) -> float:
    """Days by which 100 m more height delay the season: +2.5 in mid-May, −2.5 in mid-November."""
    return 2.5 * float(np.cos(2 * np.pi * (day - 135) / DAYS))


def texture_order(day: float) -> NDArray[np.float64]:
    """Order M of each class's Gamma texture: from the winter to the summer figure and back."""
    summer = 0.5 - 0.5 * np.cos(2 * np.pi * (day - 15) / DAYS)
    winter_order = np.array([surface.texture_winter for surface in surfaces()])
    summer_order = np.array([surface.texture_summer for surface in surfaces()])
    order: NDArray[np.float64] = winter_order ** (1 - summer) * summer_order**summer
    return order


def weather(seed: int, when: datetime, polarisation: str) -> NDArray[np.float64]:
    """Departure of one date from the season, dB per class.

    Low surfaces under the same snow (all but ACC, HAG, ICA) share most of it, as do HH and HV.
    """
    stamp = when.strftime("%Y%m%dT%H%M%S")
    shared = generator(seed, "weather", stamp).standard_normal(len(surfaces()) + 1)
    own = generator(seed, "weather", stamp, polarisation).standard_normal(len(surfaces()))
    low = np.array([surface.name in _SNOW for surface in surfaces()])
    common = np.where(low, np.sqrt(0.7) * shared[-1] + np.sqrt(0.3) * shared[:-1], shared[:-1])
    scatter = np.array([surface.date_db for surface in surfaces()])
    departure: NDArray[np.float64] = scatter * (np.sqrt(0.8) * common + np.sqrt(0.2) * own)
    return departure


def class_curves(seed: int, when: datetime, beam: str, polarisation: str) -> NDArray[np.float32]:
    """Class curves as one pass sees them (8, 365 effective days), dB of true power."""
    departure = weather(seed, when, polarisation) + orbit_offset(beam, polarisation)
    return (daily_power(polarisation) + departure[:, None]).astype(np.float32)
