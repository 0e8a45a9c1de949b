"""How each class scatters through the year: its two states, how much of it thaws, its texture.

A pixel is dry, wet, or a mixture. It is wet where the season's thaw (`threshold`), the weather and
the time of day together exceed what the pixel asks for by its height, aspect, unit and place. The
states' levels are shifted so that the mean over years, weather and pixels is the measured month's.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.simulate.given import tables
from cpazmal_scale.simulate.given.streams import generator
from cpazmal_scale.simulate.given.tables import monthly_backscatter, orbit_offset, surfaces
from cpazmal_scale.simulate.given.weather import OWN, YEAR_DAYS, lateness, thaw

DAYS = 365

SUMMER = (0.0, 0.0, 0.0, 0.1, 0.5, 0.8, 1.0, 1.0, 1.0, 0.9, 0.6, 0.1)
"""How far the states are from their winter to their summer levels in each month (guessed: snow
leaves ABL001 and ROC001 at the end of June, and comes back in November)."""

SOFTNESS = 0.15
"""Width of the change from dry to wet, in units of the weather's standard deviation (guessed)."""

PATCHES = 0.6
"""Spread of a polygon's pixels in what they ask of the thaw (guessed). Known: half-thawed polygons
hold pixels of both states, k2 of ABL001 is 0.61 in April 2020 and 0.24 in January."""

UNITS = 0.2
"""Spread of units in what they ask of the thaw (guessed); 2 days in May."""

LAPSE = 0.1
"""More of the thaw that 100 m of height ask for, summer's refreezing aloft (guessed)."""

AFTERNOON = 1.4
"""Thaw of 17:30 over that of 05:44 UTC (guessed). Known: within three days, from March to May,
ACC002 is 2.4 dB (sd 3.2) darker in ASC than in DSC, and ICA004 2.3 dB darker than in winter."""

THAWS = -6.0, 2.5
"""Season's thaw at least and at most, in months beyond the dry or the wet state."""

ROUNDS = 8
"""Rounds in which the middles of the months are moved until the tables' dates have their means."""


def _daily(months: NDArray[np.float64]) -> NDArray[np.float64]:
    """Monthly values (..., 12), set at mid-month, joined by a periodic monotone cubic."""
    from scipy.interpolate import PchipInterpolator

    middle = (np.arange(-3, 15) + 0.5) * DAYS / 12
    around = np.concatenate([months[..., -3:], months, months[..., :3]], axis=-1)
    days = PchipInterpolator(middle, around, axis=-1)(np.arange(DAYS) + 0.5)
    return np.asarray(days, dtype=np.float64)


@cache
def _threshold() -> NDArray[np.float64]:
    """Season's thaw (8 classes, 12 months) that gives the measured means of HH.

    Bisection for the level at the middle of each month, which is moved until the dates of the
    tables have their means.
    """
    dry, wet = _states("HH")
    level = wanted = monthly_backscatter("HH")
    for _ in range(ROUNDS):
        low, high = (np.full_like(dry, limit) for limit in THAWS)
        for _ in range(20):
            middle = (low + high) / 2
            bright = _expected(middle, dry, wet, _weather()) > level
            low, high = np.where(bright, middle, low), np.where(bright, high, middle)
        level = level + 0.7 * (wanted - _of_dates(low, dry, wet))
    return low


def _of_dates(
    threshold: NDArray[np.float64], dry: NDArray[np.float64], wet: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean dB (8 classes, 12 months) on the dates of the tables, over early and late years."""
    days = np.arange(DAYS)
    level = _expected(_daily(threshold), _daily(dry), _daily(wet), daily_weather())
    late = YEAR_DAYS * np.linspace(-2, 2, 9)
    weights = np.exp(-(np.linspace(-2, 2, 9) ** 2) / 2)
    found = np.zeros((len(level), 12))
    dates = [one.start for one in tables.calendar() if one.beam == "DSC37"]
    for month in range(12):
        own = np.array([day_of_year(when) for when in dates if when.month == month + 1])
        places = own[:, None] - late
        found[:, month] = [
            np.average(np.interp(places, days, row, period=DAYS), axis=1, weights=weights).mean()
            for row in level
        ]
    return found


def _weather() -> NDArray[np.float64]:
    """Standard deviation (8 classes, 12 months) of the weather's part of the thaw."""
    season = (np.arange(12) + 1) % 12 // 3
    return tables.weather()[:, season]


@cache
def daily_weather() -> NDArray[np.float64]:
    """Standard deviation (8 classes, 365 days) of the weather's part of the thaw."""
    return _daily(_weather())


def _states(polarisation: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Dry and wet levels (8 classes, 12 months) in dB of the noise-subtracted product."""
    summer = np.array(SUMMER)
    found = tables.states(polarisation)
    dry = found[:, :1] * (1 - summer) + found[:, 1:2] * summer
    wet = found[:, 2:3] * (1 - summer) + found[:, 3:] * summer
    return dry, wet


@cache
def _shift(polarisation: str) -> NDArray[np.float64]:
    """What the states' levels (8 classes, 12 months) lack of the measured means, dB."""
    dry, wet = _states(polarisation)
    shift = np.zeros_like(dry)
    for _ in range(ROUNDS):
        found = _of_dates(_threshold(), dry + shift, wet + shift)
        shift += 0.7 * (monthly_backscatter(polarisation) - found)
    return shift


def _expected(
    threshold: NDArray[np.float64],
    dry: NDArray[np.float64],
    wet: NDArray[np.float64],
    weather: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Mean dB over weather and units of the mean power over pixels; all (8 classes, times)."""
    points, weights = np.polynomial.hermite_e.hermegauss(9)
    weights = weights / weights.sum()
    outer = np.hypot(weather, np.hypot(UNITS, 3 * LAPSE))[..., None] * points
    thaws = (threshold[..., None] + outer)[..., None] - PATCHES * points
    share = 1 / (1 + np.exp(-thaws / SOFTNESS))
    low, high = (10 ** (state / 10) for state in (wet, dry))
    power = (share * low[..., None, None] + (1 - share) * high[..., None, None]) @ weights
    mean: NDArray[np.float64] = (10 * np.log10(power)) @ weights
    return mean


@cache
def daily_states(polarisation: str) -> NDArray[np.float64]:
    """Thaw, dry and wet level (3, 8 classes, 365 days) of a mean year in DSC; dB of true power."""
    dry, wet = _states(polarisation)
    shift = _shift(polarisation)
    levels = [true_db(_daily(state + shift)) for state in (dry, wet)]
    return np.stack([_daily(_threshold()), *levels])


def detected_db(power_db: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the noise-subtracted product, dB, of a surface of the given true power.

    The authors' chain takes |(s + N) X − N| with exponential X, whose mean is
    2 (s + N) exp(−N / (s + N)) − s: 2 N / e without any signal.
    """
    signal, noise = 10 ** (power_db / 10), 10 ** (tables.NOISE_FLOOR_DB / 10)
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


def scatter(seed: int, when: datetime, polarisation: str) -> NDArray[np.float64]:
    """What else sets a date apart (8 classes), dB; HH and HV share four fifths of its variance."""
    stamp = when.strftime("%Y%m%dT%H%M%S")
    count = len(surfaces())
    shared = generator(seed, "date", stamp).standard_normal(count)
    own = generator(seed, "date", stamp, polarisation).standard_normal(count)
    width = np.array([surface.date_db for surface in surfaces()])
    departure: NDArray[np.float64] = width * (np.sqrt(0.8) * shared + np.sqrt(0.2) * own)
    return departure


def _today(when: datetime) -> NDArray[np.float64]:
    """Standard deviation (8 classes) of the weather's part of the thaw on a day."""
    return daily_weather()[:, int(day_of_year(when)) % DAYS]


def unit_weather(when: datetime) -> NDArray[np.float32]:
    """Standard deviation (8 classes) of the weather's part of the thaw that units do not share."""
    own: NDArray[np.float32] = (np.sqrt(OWN) * _today(when)).astype(np.float32)
    return own


def class_states(seed: int, when: datetime, beam: str, polarisation: str) -> NDArray[np.float32]:
    """Thaw, dry and wet level of the classes as one pass sees them (3, 8, 365 effective days).

    The year's lateness, the day's weather and the time of day are in them; levels are dB of true
    power.
    """
    states = daily_states(polarisation)
    late = lateness(seed, when)
    days = np.arange(DAYS, dtype=np.float64)
    moved = np.stack(
        [
            [np.interp(days - late[code], days, row, period=DAYS) for code, row in enumerate(one)]
            for one in states
        ]
    )
    warmth = np.sqrt(1 - OWN) * _today(when) * thaw(seed, when)
    moved[0] += (warmth + AFTERNOON * tables.beams()[beam].afternoon)[:, None]
    offsets = orbit_offset(beam, polarisation)
    moved[1:] += offsets[:, :, None] + scatter(seed, when, polarisation)[:, None]
    return moved.astype(np.float32)


@lru_cache(maxsize=512)
def class_powers(seed: int, when: datetime, beam: str, polarisation: str) -> NDArray[np.float32]:
    """`class_states` with levels as linear power: one array for all callers, not to be written."""
    powers = class_states(seed, when, beam, polarisation)
    powers[1:] = 10 ** (powers[1:] / 10)
    powers.flags.writeable = False
    return powers


def class_level(seed: int, when: datetime, beam: str, polarisation: str) -> NDArray[np.float64]:
    """Level (8 classes) in dB of true power of a pixel of the class's middle height and thaw."""
    day = int(day_of_year(when)) % DAYS
    thawed, dry, wet = class_states(seed, when, beam, polarisation)[:, :, day].astype(np.float64)
    share = 1 / (1 + np.exp(-thawed / SOFTNESS))
    level: NDArray[np.float64] = 10 * np.log10(
        share * 10 ** (wet / 10) + (1 - share) * 10 ** (dry / 10)
    )
    return level
