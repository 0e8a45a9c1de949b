"""How a beam sees the scene: layover and shadow, slopes, and the swath's slanting edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.simulate.given.streams import generator
from cpazmal_scale.simulate.given.tables import Beam
from cpazmal_scale.simulate.ground.grids import Grid
from cpazmal_scale.simulate.ground.relief import Lattice

SWATH = 0.955
"""Half width of the swath over the scene's, measured across the slanting direction."""

SLOPE_DB_PER_DEGREE = 0.03
"""What terrain flattening leaves: slopes towards the radar stay brighter."""

OVERLAP = 0.06
"""Half of the overlap of two slices over the scene's half length along track."""


@dataclass(frozen=True)
class View:
    """One beam over the lattice: SNAP mask codes and leftover slope brightness in dB."""

    mask: NDArray[np.uint8]
    slope_db: NDArray[np.float32]


def directions(beam: Beam) -> tuple[tuple[float, float], tuple[float, float]]:
    """Unit vectors (down, along) of flight and of look, on the map."""
    heading = np.radians(beam.heading)
    flight = (-float(np.cos(heading)), float(np.sin(heading)))
    look = np.radians(beam.heading + 90)
    return flight, (-float(np.cos(look)), float(np.sin(look)))


def see(terrain: NDArray[np.float32], lattice: Lattice, beam: Beam) -> View:
    """Mask and slope brightness of a terrain (m)."""
    from cpazmal_scale.simulate.given.kernels import layover_shadow

    _, look = directions(beam)
    step = min(lattice.spacing)
    codes = layover_shadow(
        terrain,
        look[0] * step / lattice.spacing[0],
        look[1] * step / lattice.spacing[1],
        step,
        beam.incidence,
    )
    south, east = np.gradient(terrain, *lattice.spacing)
    facing = -np.degrees(np.arctan(south * look[0] + east * look[1]))
    leftover = SLOPE_DB_PER_DEGREE * np.clip(-facing, -40, 40)
    return View(codes, leftover.astype(np.float32))


def swath_distance(
    grid: Grid,
    beam: Beam,
    rows: NDArray[np.float64],
    cols: NDArray[np.float64],
    shift: tuple[float, float],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Along-track place (−1 early, +1 late) and distance inside the swath's edge, both relative.

    `rows` (h, 1) and `cols` (1, w) are pixel numbers; `shift` moves the swath (along, across).
    A pixel is inside where the distance is not negative.
    """
    flight, look = directions(beam)
    down = (rows - (grid.size[0] - 1) / 2) * grid.pixel[0]
    along = (cols - (grid.size[1] - 1) / 2) * grid.pixel[1]
    half = (grid.size[0] * grid.pixel[0] / 2, grid.size[1] * grid.pixel[1] / 2)
    length = abs(flight[0]) * half[0] + abs(flight[1]) * half[1]
    width = abs(look[0]) * half[0] + abs(look[1]) * half[1]
    track = (down * flight[0] + along * flight[1]) / length + shift[0]
    across = (down * look[0] + along * look[1]) / width + shift[1]
    return track, SWATH - np.maximum(np.abs(track), np.abs(across))


def swath_shift(seed: int, beam: str, stamp: str) -> tuple[float, float]:
    """Where one pass lies against the beam's mean swath: within a hundredth of the scene."""
    first, second = generator(seed, "orbit", beam, stamp).uniform(-0.01, 0.01, 2)
    return float(first), float(second)
