"""The annotation of a Level-1b product as frozen values.

Names and units are those of the TerraSAR-X Level 1b product format (TX-GS-DD-3307), which PAZ
shares. Times are UTC and aware; range times are two-way and in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Variant = Literal["SSC", "MGD", "GEC", "EEC"]
VARIANTS: tuple[Variant, ...] = ("SSC", "MGD", "GEC", "EEC")
MAX_EDGE = 200_000
"""Lines or samples: longer than any product there is."""


@dataclass(frozen=True)
class Polynomial:
    """Σ cᵢ (τ − reference)ⁱ between `low` and `high`."""

    low: float
    high: float
    reference: float
    coefficients: tuple[float, ...]

    def __call__(self, tau: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at τ; 0 outside the range of validity."""
        values = np.polynomial.polynomial.polyval(tau - self.reference, self.coefficients)
        return np.where(self.holds(tau), values, 0.0)

    def holds(self, tau: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Where τ lies in the range of validity."""
        inside: NDArray[np.bool_] = (tau >= self.low) & (tau <= self.high)
        return inside


@dataclass(frozen=True)
class Timed:
    """A polynomial along range that holds at a time of the azimuth axis.

    Of noise there may be more `beside` it, each for another part of the range.
    """

    time: datetime
    polynomial: Polynomial
    confidence: float | None = None
    beside: tuple[Polynomial, ...] = ()

    def __call__(self, tau: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at τ, of the first polynomial that holds there; 0 where none does."""
        values, done = np.zeros(tau.shape), np.zeros(tau.shape, bool)
        for one in (self.polynomial, *self.beside):
            here = one.holds(tau) & ~done
            values = np.where(here, one(tau), values)
            done |= here
        return values

    def holds(self, tau: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Where any of them holds."""
        held: NDArray[np.bool_] = self.polynomial.holds(tau)
        for one in self.beside:
            held = held | one.holds(tau)
        return held


@dataclass(frozen=True)
class StateVector:
    """Platform position (m) and velocity (m/s) in the earth-fixed frame."""

    time: datetime
    position: tuple[float, float, float]
    velocity: tuple[float, float, float]


@dataclass(frozen=True)
class Coordinate:
    """A point of the scene; row and column count from 1."""

    row: int
    column: int
    lat: float
    lon: float
    azimuth_time: datetime
    range_time: float
    incidence_angle: float


@dataclass(frozen=True)
class Segment:
    """A data take's segment of constant pulse repetition frequency (Hz)."""

    start: datetime
    stop: datetime
    prf: float
    echo_window_length: float


@dataclass(frozen=True)
class Layer:
    """One polarisation: its image file and everything annotated for it alone.

    `cal_factor` is ks of β0 = ks·|DN|²; `noise` are the records of the noise equivalent β0 in units
    of DN²; `range_sampling` and `range_bandwidth` are in Hz.
    """

    index: int
    polarisation: str
    path: str
    size: int
    beam: str
    cal_factor: float
    noise: tuple[Timed, ...]
    doppler: tuple[Timed, ...]
    range_sampling: float
    range_bandwidth: float
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Raster:
    """The image: `lines` along azimuth, `samples` along range (rows and columns of a map).

    SSC: `line_spacing` and `sample_spacing` are seconds; else metres. Spacings and resolutions on
    the ground are metres.
    """

    lines: int
    samples: int
    line_spacing: float
    sample_spacing: float
    units: Literal["s", "m"]
    range_resolution: float
    azimuth_resolution: float
    azimuth_looks: float
    range_looks: float
    data_type: str
    data_format: str
    depth: int


@dataclass(frozen=True)
class Processing:
    """What the processor did: names of the flags that are set; bandwidths in Hz, of all that is
    processed and of the spectrum of one point.
    """

    flags: frozenset[str]
    azimuth_bandwidth: float
    range_bandwidth: float
    azimuth_look_bandwidth: float
    range_look_bandwidth: float
    azimuth_window: tuple[str, float]
    range_window: tuple[str, float]
    doppler_rate: tuple[Timed, ...]


@dataclass(frozen=True)
class Annotation:
    """All of a product's annotation that reading, calibrating and geocoding need.

    Of detected products in radar geometry (MGD), `ground_range` gives metres on the ground of
    two-way range times, one polynomial beside the other, and `first_row` a row with its azimuth
    time and a column with its two-way range time, both counted from 1. Of map images (GEC, EEC)
    `frame` are longitude and latitude of the corners, clockwise from the upper left. Sampling rates
    of a complex image, `prf` and `rsf`, are in Hz.
    """

    id: str
    sensor: str
    generation_time: datetime
    generator: str
    item_name: str
    variant: Variant
    projection: str
    resolution_variant: str
    orbit_direction: Literal["ASC", "DSC"]
    absolute_orbit: int
    relative_orbit: int
    orbit_cycle: int
    mode: str
    look_side: Literal["R", "L"]
    elevation_beam: str
    raster: Raster
    start: datetime
    stop: datetime
    first_range_time: float
    last_range_time: float
    centre: Coordinate
    corners: tuple[Coordinate, ...]
    average_height: float
    heading: float
    prf: float | None
    azimuth_spacing: float | None
    slant_range_spacing: float | None
    coordinate_type: str | None
    orbit_accuracy: str
    orbit: tuple[StateVector, ...]
    centre_frequency: float
    processing: Processing
    layers: tuple[Layer, ...]
    ground_range: tuple[Polynomial, ...] = ()
    first_row: tuple[int, datetime, int, float] | None = None
    radiometric_correction: str = "CALIBRATED"
    frame: tuple[tuple[float, float], ...] = ()
    rsf: float | None = None

    @property
    def polarisations(self) -> tuple[str, ...]:
        """Polarisations in the order of layers."""
        return tuple(layer.polarisation for layer in self.layers)

    @property
    def beam(self) -> str:
        """Viewing geometry: direction, relative orbit, elevation beam and look side."""
        place = f"{self.orbit_direction}{self.relative_orbit:03d}"
        return f"{place}_{self.elevation_beam}_{self.look_side}"

    @property
    def is_complex(self) -> bool:
        """Whether pixels are complex amplitudes (SSC)."""
        return self.variant == "SSC"

    def layer(self, polarisation: str) -> Layer:
        """The layer of a polarisation that is there."""
        return next(one for one in self.layers if one.polarisation == polarisation)
