"""The massif of a campaign as the radar sees it: its relief, its passes, its products and DEM."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.simulate.given import tables
from cpazmal_scale.simulate.given.streams import generator
from cpazmal_scale.simulate.given.tables import NOISE_FLOOR_DB, Acquisition
from cpazmal_scale.simulate.ground.world import World, ground_block
from cpazmal_scale.simulate.passes.imaging import backscattered
from cpazmal_scale.simulate.radar import earth
from cpazmal_scale.simulate.radar.deliver import Delivery, deliver
from cpazmal_scale.simulate.radar.earth import Patch
from cpazmal_scale.simulate.radar.images import Backscatter, noise_of
from cpazmal_scale.simulate.radar.passes import Pass, View, aim, positions
from cpazmal_scale.simulate.radar.surface import Surface, spline_surface
from cpazmal_scale.simulate.radar.truth import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LARGEST = 4_096
"""Pixels of a campaign's edge up to which its mountains can be flown over."""
KNOTS = 24.0
"""Metres between the knots of the relief."""
AROUND = 1_500.0
"""Metres by which the relief goes on, mirrored, around the campaign's area."""
TUBE, JITTER = 250.0, 1e-6
"""Metres within which the orbit repeats, and seconds by which azimuth shifts differ."""
_SMOOTH, _SCATTERERS, _OUTLINE = 0.6, 3.0, 33


@dataclass(frozen=True)
class Massif:
    """A world on its surface; `frame` is the grid of the DEM, which exceeds the campaign's."""

    world: World
    surface: Surface
    patch: Patch
    frame: Frame


def massif_of(world: World) -> Massif:
    """The relief of a world as an analytic surface, smoothed so that the DEM holds every slope."""
    from scipy.ndimage import gaussian_filter

    grid, lattice = world.grid, world.ground.lattice
    step = max(1, round(KNOTS / (lattice.step * grid.resolution)))
    smooth = gaussian_filter(world.ground.terrain.astype(np.float64), _SMOOTH * step)
    apart = step * lattice.step * grid.resolution
    more = math.ceil(AROUND / apart)
    knots = np.pad(smooth[::step, ::step], more, mode="symmetric")
    half = grid.resolution / 2
    left, top = grid.left + half - more * apart, grid.top - half + more * apart
    surface = spline_surface(knots, left, top, apart)
    low, bottom, right, high = surface.bounds
    wide = math.floor(min(grid.left - low, high - grid.top) / grid.resolution) - 1
    rows, cols = grid.size
    frame = Frame(
        grid.crs,
        grid.left - wide * grid.resolution,
        grid.top + wide * grid.resolution,
        grid.resolution,
        min(rows + 2 * wide, math.floor((grid.top - bottom) / grid.resolution) + wide),
        min(cols + 2 * wide, math.floor((right - grid.left) / grid.resolution) + wide),
    )
    return Massif(world, surface, earth.patch(grid.crs, surface.bounds), frame)


def write_pass(massif: Massif, acquisition: Acquisition, folder: Path, sensor: str) -> Path:
    """Write the SSC product of one pass over the whole massif; returns its main XML file."""
    world = massif.world
    beam = tables.beams()[acquisition.beam]
    random = generator(world.seed, "tube", acquisition.start.isoformat())
    radial, across = (float(one) / math.sqrt(2) for one in random.uniform(-TUBE, TUBE, 2))
    flown = Pass(
        start=acquisition.start,
        beam=f"strip_{acquisition.beam}",
        direction=beam.pass_direction,
        side="R",
        incidence=acquisition.incidence_angle,
        polarisations=acquisition.polarisations,
        resolution_range=acquisition.resolution_range,
        resolution_azimuth=acquisition.resolution_azimuth,
        tube=(radial, across),
        shift=-180e-6 + float(random.uniform(-JITTER, JITTER)),
    )
    view = _covering(massif, flown)
    noise = tuple(noise_of(view, 10 ** (NOISE_FLOOR_DB / 10)) for _ in flown.polarisations)
    number = 1 + list(tables.beams()).index(beam.name)
    delivery = Delivery(sensor=sensor, orbit=number, scatterers=_SCATTERERS)
    ground = _backscatter(massif, acquisition)
    return deliver(folder, view, ground, noise, delivery, seed=world.seed)


def _covering(massif: Massif, flown: Pass) -> View:
    """A view whose image holds the campaign's area from its lowest to its highest places."""
    grid = massif.world.grid
    near = aim(grid.crs, massif.surface, massif.patch, flown, (1000.0, 1000.0))
    height, width = (edge * grid.resolution for edge in grid.size)
    along = np.linspace(0, 1, _OUTLINE)
    zero, one = np.zeros(_OUTLINE), np.ones(_OUTLINE)
    x = grid.left + width * np.concatenate([along, along, zero, one])
    y = grid.top - height * np.concatenate([zero, one, along, along])
    lon, lat = earth.to_degrees(grid.crs, x, y)
    places = [
        positions(near, lon, lat, np.full_like(lon, level))
        for level in (massif.surface.lowest, massif.surface.highest)
    ]
    found = np.array(places)
    first = np.floor(found.min(axis=(0, 2))).astype(int) - 2
    last = np.ceil(found.max(axis=(0, 2))).astype(int) + 2
    sensor = near.sensor
    moved = sensor._replace(
        first=sensor.first + float(first[0]) * sensor.line_step,
        near=sensor.near + float(first[1]) * sensor.sample_step,
    )
    lines, samples = (int(b - a) + 1 for a, b in zip(first, last, strict=True))
    return replace(near, sensor=moved, lines=lines, samples=samples)


def _backscatter(massif: Massif, acquisition: Acquisition) -> Backscatter:
    """γ0 of every pixel of the frame, mirrored around the campaign's area as its relief is."""
    world, frame = massif.world, massif.frame
    block = ground_block(world, 0, 0, *world.grid.size)
    level = replace(
        block,
        masks={acquisition.beam: np.zeros(block.shape, np.uint8)},
        slope_db={acquisition.beam: np.zeros(block.shape, np.float32)},
    )
    grid = world.grid
    wide = round((grid.left - frame.left) / frame.pixel)
    around = (
        (wide, frame.rows - grid.size[0] - wide),
        (wide, frame.cols - grid.size[1] - wide),
    )
    bands = [
        np.pad(backscattered(world, level, acquisition, name), around, mode="symmetric")
        for name in acquisition.polarisations
    ]
    return Backscatter(np.stack(bands), frame.left, frame.top, frame.pixel)
