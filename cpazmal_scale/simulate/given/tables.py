"""The measured figures behind a simulated campaign, read from the tables beside this module."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
from numpy.typing import NDArray

NOISE_FLOOR_DB = -21.0
"""Noise-equivalent backscatter: the lowest class means of HV (ACC in August, LAC all year)."""

UNIT_DB = 1.0
"""Standard deviation of a unit's lasting departure from its class, dB. Known of one pair: ICA004 is
0.4 dB brighter than ICA001 in winter (sd over dates 0.7), and 4.2 dB darker in summer, by melt;
the 2.3 dB of a whole year are mostly the latter."""

LASTING = 0.15
"""Share of what varies inside a polygon (`inside_db`) that stays; the rest is new on every date
(drifts, moisture). Histograms of single dates do not tell: fitted to the protocol."""

UNIT_SEASON_DB = 0.4
"""Standard deviation of a unit's seasonal departure, dB (guessed)."""

UNIT_BEAM_DB = 1.0
"""Standard deviation of a unit's departure in one beam, dB (guessed)."""

UNIT_CORRELATION = 0.7
"""Correlation of a unit's lasting departures in HH and HV."""


@dataclass(frozen=True)
class Surface:
    """One class: how many polygons it has, where it lies and how it scatters."""

    name: str
    polygons: int
    elevation: float
    polygon_px: float
    inside_db: float
    date_db: float


@dataclass(frozen=True)
class Beam:
    """One viewing geometry; angles in degrees, heading clockwise from north, looking right."""

    name: str
    pass_direction: Literal["ASC", "DSC"]
    heading: float
    incidence: float
    afternoon: float


@dataclass(frozen=True)
class Acquisition:
    """One pass of the calendar; angles in degrees, ground resolutions in metres."""

    start: datetime
    beam: str
    polarisations: tuple[str, ...]
    incidence_angle: float
    resolution_range: float
    resolution_azimuth: float
    slices: int


def _rows(name: str) -> list[dict[str, str]]:
    text = files("cpazmal_scale.simulate.given").joinpath("csv", name).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


@cache
def surfaces() -> tuple[Surface, ...]:
    """The eight classes; the truth raster's code is the position here, from 1."""
    return tuple(
        Surface(row["class"], int(row["polygons"]), *(float(row[name]) for name in _FIGURES))
        for row in _rows("classes.csv")
    )


_FIGURES = ("elevation", "polygon_px", "inside_db", "date_db")


_DIRECTIONS: dict[str, Literal["ASC", "DSC"]] = {"ASC": "ASC", "DSC": "DSC"}


@cache
def beams() -> dict[str, Beam]:
    """Viewing geometries by name."""
    return {
        row["beam"]: Beam(
            row["beam"],
            _DIRECTIONS[row["pass_direction"]],
            *(float(row[name]) for name in ("heading", "incidence", "afternoon")),
        )
        for row in _rows("beams.csv")
    }


@cache
def calendar() -> tuple[Acquisition, ...]:
    """All passes, in time order."""
    return tuple(
        Acquisition(
            start=datetime.strptime(row["start"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC),
            beam=row["beam"],
            polarisations=tuple(row["polarisations"].split("/")),
            incidence_angle=float(row["incidence_angle"]),
            resolution_range=float(row["resolution_range"]),
            resolution_azimuth=float(row["resolution_azimuth"]),
            slices=int(row["slices"]),
        )
        for row in _rows("calendar.csv")
    )


@cache
def _monthly() -> dict[tuple[str, str], tuple[float, ...]]:
    return {
        (row["class"], row["polarisation"]): tuple(float(row[str(m)]) for m in range(1, 13))
        for row in _rows("backscatter.csv")
    }


def monthly_backscatter(polarisation: str) -> NDArray[np.float64]:
    """Measured class means (8 classes, 12 months) in dB of the noise-subtracted product."""
    return np.array([_monthly()[surface.name, polarisation] for surface in surfaces()])


def states(polarisation: str) -> NDArray[np.float64]:
    """Levels (8 classes, 4) in dB of the noise-subtracted product: dry winter, summer, wet both."""
    found = {
        row["class"]: [float(row[name]) for name in _STATES]
        for row in _rows("states.csv")
        if row["polarisation"] == polarisation
    }
    return np.array([found[surface.name] for surface in surfaces()])


_STATES = ("dry_winter", "dry_summer", "wet_winter", "wet_summer")


@cache
def weather() -> NDArray[np.float64]:
    """Standard deviation (8 classes, 4: winter, spring, summer, autumn) of the thaw by weather."""
    found = {row["class"]: row for row in _rows("weather.csv")}
    return np.array(
        [[float(found[one.name][name]) for name in _SEASONS] for one in surfaces()], np.float64
    )


_SEASONS = ("winter", "spring", "summer", "autumn")


def orbit_offset(beam: str, polarisation: str) -> NDArray[np.float64]:
    """Departure of a beam from the descending one (2 states, 8 classes), dB; 0 where unmeasured."""
    found = {row["class"]: row for row in _rows("orbits.csv") if row["beam"] == beam}
    names = polarisation, f"{polarisation}_wet"
    rows = [found.get(surface.name, {}) for surface in surfaces()]
    return np.array([[float(row.get(name, 0.0)) for row in rows] for name in names])
