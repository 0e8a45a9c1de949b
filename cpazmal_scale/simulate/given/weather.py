"""What the weather does: the thaw of single days, and years that come early or late."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.simulate.given.streams import generator
from cpazmal_scale.simulate.given.tables import surfaces

PERSISTENCE = 1.5
"""Days over which warm or cold weather is forgotten (guessed: the passage of a front). Known: dates
2 days apart may differ by 8 dB (ACC002, 26 and 28 August 2020)."""

SHARED = 0.7
"""Share of the weather's variance that surfaces of one storey have in common: the dates of ABL001,
PLA001 and ROC001 in the winter of 2020 move together, as do those of ACC002, HAG002 and ICA001."""

OWN = 0.4
"""Share of the weather's variance that each unit has of its own. Known: the dates of ICA001 and
ICA004 correlate by 0.7 in winter, 0.6 in summer, 0.5 in autumn (and -0.4 in spring)."""

YEAR_DAYS = 7.5
"""Standard deviation in days of a year's onset and end of melt, before weather; 10.6 between two
years. Known: from 2020 to 2021 the onset moved by 14 (ACC002), 10 (ROC001) and 4 days (ABL001),
10.2 as a root mean square."""

YEAR_SHARED = 0.6
"""Share of that variance common to all classes (guessed from the same three figures)."""

_LOW = ("ABL", "FOR", "LAC", "PLA", "ROC")
_MEMORY = 30
_SPRING, _AUTUMN = (5, 15), (10, 15)


def thaw(seed: int, when: datetime) -> NDArray[np.float64]:
    """Warmth of a moment against its season (8 classes), unit variance; cold is negative.

    An autoregressive series of days: every day has its own draw, so that no date depends on which
    others are asked for.
    """
    day = when.timestamp() / 86400
    last = int(np.floor(day))
    ages = day - (last - np.arange(_MEMORY))
    weights = np.exp(-ages / PERSISTENCE)
    weights /= np.sqrt(float(weights @ weights))
    series = np.stack([_day(seed, last - back) for back in range(_MEMORY)])
    warmth: NDArray[np.float64] = weights @ series
    return warmth


@lru_cache(maxsize=4096)
def _day(seed: int, day: int) -> NDArray[np.float64]:
    """One day's own draw: shared by the low surfaces, by the high ones, and of each class."""
    draws = generator(seed, "thaw", day).standard_normal(2 + len(surfaces()))
    low = np.array([surface.name in _LOW for surface in surfaces()])
    own = draws[2:]
    mixed: NDArray[np.float64] = (
        np.sqrt(SHARED) * np.where(low, draws[0], draws[1]) + np.sqrt(1 - SHARED) * own
    )
    return mixed


def lateness(seed: int, when: datetime) -> NDArray[np.float64]:
    """Days by which the season is late at a moment (8 classes).

    Each spring and each autumn has its own; between them it changes evenly, across New Year too.
    """
    anchors = sorted(
        (datetime(year, *day, tzinfo=UTC), f"{year}-{day[0]}")
        for year in (when.year - 1, when.year, when.year + 1)
        for day in (_SPRING, _AUTUMN)
    )
    times = np.array([moment.timestamp() for moment, _ in anchors])
    late = np.stack([_season(seed, name) for _, name in anchors])
    now = when.timestamp()
    return np.array([np.interp(now, times, late[:, code]) for code in range(late.shape[1])])


@lru_cache(maxsize=256)
def _season(seed: int, name: str) -> NDArray[np.float64]:
    draws = generator(seed, "season", name).standard_normal(1 + len(surfaces()))
    late: NDArray[np.float64] = YEAR_DAYS * (
        np.sqrt(YEAR_SHARED) * draws[0] + np.sqrt(1 - YEAR_SHARED) * draws[1:]
    )
    return late
