"""How a pass sees the simulated area from its orbit: annotation and geolocation grid of an SSC."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.scenes.level1b.annotation import (
    Annotation,
    Coordinate,
    Layer,
    Polynomial,
    Processing,
    Raster,
    Segment,
    StateVector,
    Timed,
)
from cpazmal_scale.scenes.level1b.cosar import HEADER_LINES, SAMPLE_BYTES
from cpazmal_scale.scenes.level1b.geolocation import orbit_of
from cpazmal_scale.scenes.level1b.georef import GeoGrid
from cpazmal_scale.simulate.given import tables
from cpazmal_scale.simulate.given.tables import Acquisition
from cpazmal_scale.simulate.ground.grids import Grid
from cpazmal_scale.simulate.passes.imaging import AZIMUTH_SPACING, RANGE_SPACING
from cpazmal_scale.terrain.ellipsoid import SEMI_MAJOR, ecef, incidence
from cpazmal_scale.terrain.orbit import LIGHT, Orbit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

HEIGHT = 2000.0
"""Metres above the ellipsoid of the simulated ground in slant range: it is seen as if flat."""
CAL_FACTOR = 1e-5
FREQUENCY = 9.65e9
ORBIT_RADIUS = SEMI_MAJOR + 514_000.0
_SPEED = 7_610.0
_VECTOR_STEP, _VECTORS = 10.0, 13
_POINTS = 12
_EDGE = 33
_GENERATED = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Look:
    """One pass: its product's name, annotation, geolocation grid and orbit."""

    annotation: Annotation
    grid: GeoGrid
    orbit: Orbit


def look(area: Grid, acquisition: Acquisition, sensor: str, name: str) -> Look:
    """The product of one pass over an area, its lines along the flight and samples across."""
    lon, lat = _outline(area)
    centre = np.array([lon.mean()]), np.array([lat.mean()])
    vectors = _vectors(centre, acquisition)
    orbit = orbit_of(vectors, acquisition.start)
    t, tau = orbit.radar(lon, lat, HEIGHT, first=0.0)
    line = AZIMUTH_SPACING * acquisition.resolution_azimuth / (_SPEED * SEMI_MAJOR / ORBIT_RADIUS)
    angle = math.radians(acquisition.incidence_angle)
    sample = 2 * RANGE_SPACING * acquisition.resolution_range * math.sin(angle) / LIGHT
    # The first line is at the start of acquisition: the orbit moves, not the clock.
    early = timedelta(seconds=round(float(t.min()), 6))
    vectors = tuple(StateVector(one.time - early, one.position, one.velocity) for one in vectors)
    orbit = orbit_of(vectors, acquisition.start)
    shape = math.ceil(np.ptp(t) / line) + 1, math.ceil(np.ptp(tau) / sample) + 1
    grid = _grid(orbit, acquisition.start, shape, (line, sample), float(tau.min()), centre)
    annotation = _annotation(acquisition, sensor, name, shape, (line, sample), grid, vectors)
    return Look(annotation, grid, orbit)


def _outline(area: Grid) -> tuple[Array, Array]:
    """Longitude and latitude of points along the area's border."""
    from pyproj import Transformer

    height, width = (edge * area.resolution for edge in area.size)
    along = np.linspace(0, 1, _EDGE)
    zero, one = np.zeros(_EDGE), np.ones(_EDGE)
    x = area.left + width * np.concatenate([along, along, zero, one])
    y = area.top - height * np.concatenate([zero, one, along, along])
    lon, lat = Transformer.from_crs(area.crs, "EPSG:4326", always_xy=True).transform(x, y)
    return np.asarray(lon), np.asarray(lat)


def _vectors(centre: tuple[Array, Array], acquisition: Acquisition) -> tuple[StateVector, ...]:
    """State vectors of a circle in the earth-fixed frame that sees the centre at time 0."""
    lon, lat = (math.radians(float(part[0])) for part in centre)
    ground = ecef(*centre, HEIGHT)[0]
    up = np.array([math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)])
    east = np.array([-math.sin(lon), math.cos(lon), 0.0])
    north = np.cross(up, east)
    heading = math.radians(tables.beams()[acquisition.beam].heading)
    flight = math.sin(heading) * east + math.cos(heading) * north
    right = math.cos(heading) * east - math.sin(heading) * north
    angle = math.radians(acquisition.incidence_angle)
    sight = math.cos(angle) * up - math.sin(angle) * right
    along = float(ground @ sight)
    distance = math.sqrt(along**2 + ORBIT_RADIUS**2 - float(ground @ ground)) - along
    place = ground + distance * sight
    first = place / np.linalg.norm(place)
    second = np.cross(first, sight)
    second *= math.copysign(1.0, float(second @ flight)) / np.linalg.norm(second)
    times = (np.arange(_VECTORS) - _VECTORS // 2) * _VECTOR_STEP
    return tuple(_on_circle(first, second, float(one), acquisition.start) for one in times)


def _on_circle(first: Array, second: Array, seconds: float, start: datetime) -> StateVector:
    turn = _SPEED / ORBIT_RADIUS * seconds
    x, y, z = ORBIT_RADIUS * (math.cos(turn) * first + math.sin(turn) * second)
    u, v, w = _SPEED * (math.cos(turn) * second - math.sin(turn) * first)
    return StateVector(start + timedelta(seconds=seconds), (x, y, z), (u, v, w))


def _grid(
    orbit: Orbit,
    start: datetime,
    shape: tuple[int, int],
    spacing: tuple[float, float],
    near: float,
    centre: tuple[Array, Array],
) -> GeoGrid:
    lines = np.linspace(0, (shape[0] - 1) * spacing[0], _POINTS)
    samples = np.linspace(near, near + (shape[1] - 1) * spacing[1], _POINTS)
    t, tau = np.meshgrid(lines, samples, indexing="ij")
    lon, lat = (np.full(t.shape, float(part[0])) for part in centre)
    lon, lat = orbit.ground(t, tau, HEIGHT, lon=lon, lat=lat)
    sight = orbit.position(t) - ecef(lon, lat, HEIGHT)
    return GeoGrid(
        reference_time=start,
        t=t,
        tau=tau,
        inc=incidence(sight, lon, lat),
        lat=lat,
        lon=lon,
        height=np.full(t.shape, HEIGHT),
        row=np.floor(t / spacing[0] + 1e-6) + 1,
        col=np.floor((tau - near) / spacing[1] + 1e-6) + 1,
        range_delay=0.0,
        azimuth_shift=0.0,
        last_leap_second=datetime(2017, 1, 1, tzinfo=UTC),
    )


def _annotation(
    acquisition: Acquisition,
    sensor: str,
    name: str,
    shape: tuple[int, int],
    spacing: tuple[float, float],
    grid: GeoGrid,
    vectors: tuple[StateVector, ...],
) -> Annotation:
    beam = tables.beams()[acquisition.beam]
    stop = acquisition.start + timedelta(seconds=(shape[0] - 1) * spacing[0])
    middle = (_POINTS // 2, _POINTS // 2)
    prf, rate = 1 / spacing[0], 1 / spacing[1]
    return Annotation(
        id=name,
        sensor=sensor,
        generation_time=_GENERATED,
        generator="cpazmal-scale simulation",
        item_name="Level 1B Product",
        variant="SSC",
        projection="SLANTRANGE",
        resolution_variant="UNDEFINED",
        orbit_direction=beam.pass_direction,
        absolute_orbit=0,
        relative_orbit=1 + list(tables.beams()).index(beam.name),
        orbit_cycle=0,
        mode="SM",
        look_side="R",
        elevation_beam=f"strip_{acquisition.beam}",
        raster=_raster(acquisition, shape, spacing),
        start=acquisition.start,
        stop=stop.replace(microsecond=stop.microsecond),
        first_range_time=float(grid.samples[0]),
        last_range_time=float(grid.samples[-1]),
        centre=_place(grid, middle),
        corners=tuple(_place(grid, corner) for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1))),
        average_height=HEIGHT,
        heading=beam.heading,
        prf=prf,
        azimuth_spacing=AZIMUTH_SPACING * acquisition.resolution_azimuth,
        slant_range_spacing=spacing[1] * LIGHT / 2,
        coordinate_type="ZERODOPPLER",
        orbit_accuracy="SCIE",
        orbit=vectors,
        centre_frequency=FREQUENCY,
        processing=Processing(
            frozenset({"rangeSpreadingLossCorrectedFlag", "elevationPatternCorrectedFlag"}),
            prf / 1.4,
            rate / 1.1,
            prf / 1.4,
            rate / 1.1,
            ("Hamming", 0.6),
            ("Hamming", 0.6),
            (),
        ),
        layers=_layers(acquisition, shape, spacing, grid),
    )


def _raster(
    acquisition: Acquisition, shape: tuple[int, int], spacing: tuple[float, float]
) -> Raster:
    return Raster(
        *shape,
        *spacing,
        units="s",
        range_resolution=acquisition.resolution_range,
        azimuth_resolution=acquisition.resolution_azimuth,
        azimuth_looks=1.0,
        range_looks=1.0,
        data_type="COMPLEX",
        data_format="COSAR",
        depth=32,
    )


def _layers(
    acquisition: Acquisition,
    shape: tuple[int, int],
    spacing: tuple[float, float],
    grid: GeoGrid,
) -> tuple[Layer, ...]:
    """One image for each polarisation."""
    stop = acquisition.start + timedelta(seconds=(shape[0] - 1) * spacing[0])
    prf, rate = 1 / spacing[0], 1 / spacing[1]
    return tuple(
        Layer(
            index=number,
            polarisation=polarisation,
            path=f"IMAGEDATA/IMAGE_{polarisation}_SRA_strip_{acquisition.beam}.cos",
            size=(shape[0] + HEADER_LINES) * (shape[1] + 2) * SAMPLE_BYTES,
            beam=f"strip_{acquisition.beam}",
            cal_factor=CAL_FACTOR,
            noise=(_noise(grid, acquisition.start), _noise(grid, stop)),
            doppler=(),
            range_sampling=rate,
            range_bandwidth=rate / 1.1,
            segments=(Segment(acquisition.start, stop, prf, float(shape[1])),),
        )
        for number, polarisation in enumerate(acquisition.polarisations, start=1)
    )


def _noise(grid: GeoGrid, time: datetime) -> Timed:
    """Noise equivalent β0 over range that is the floor of γ0, in units of DN²."""
    tau, angle = grid.tau[0], np.radians(grid.inc[0])
    floor = 10 ** (tables.NOISE_FLOOR_DB / 10) / np.tan(angle) / CAL_FACTOR
    reference = float(tau.mean())
    scale = float(np.ptp(tau))
    fitted = np.polynomial.polynomial.polyfit((tau - reference) / scale, floor, 3)
    coefficients = tuple(float(c) / scale**power for power, c in enumerate(fitted))
    return Timed(
        time, Polynomial(float(tau[0]), float(tau[-1]), reference, coefficients), confidence=1.0
    )


def _place(grid: GeoGrid, at: tuple[int, int]) -> Coordinate:
    assert grid.row is not None
    assert grid.col is not None
    return Coordinate(
        row=int(grid.row[at]),
        column=int(grid.col[at]),
        lat=float(grid.lat[at]),
        lon=float(grid.lon[at]),
        azimuth_time=grid.reference_time + timedelta(seconds=float(grid.t[at])),
        range_time=float(grid.tau[at]),
        incidence_angle=float(grid.inc[at]),
    )
