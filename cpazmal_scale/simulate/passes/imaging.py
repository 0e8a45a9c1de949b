"""What one pass measures: power, speckle of the slant-range image, noise and the swath's edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.simulate.given import seasons, tables
from cpazmal_scale.simulate.given.kernels import backscatter, detect, smooth, white
from cpazmal_scale.simulate.given.streams import generator, key
from cpazmal_scale.simulate.given.tables import Acquisition, Beam
from cpazmal_scale.simulate.ground import viewing
from cpazmal_scale.simulate.ground.world import PATTERNS, WAVES, Block, World

LAYOVER_DB = 4.0
"""Brightness that several slopes folded into one cell add."""

NODATA = -999.0
"""The authors' value outside the swath, in every band."""

TEXTURE_ORDER = 40.0
"""Order of the Gamma texture of single pixels. Known: k2 of ROC001 is 0.13 to 0.16, little over the
speckle's; a Weibull law fits 94 % of windows. Fitted to the authors' protocol on one campaign, as
`MOMENT_DB` and `ROUGHNESS`. No part of it stays from date to date: soft alignment of raw windows
gains by averaging dates, which a lasting texture would not allow."""

TEXTURE_SHARED = 0.5
"""Share of the texture's variance that HH and HV have in common (guessed)."""

MOMENT_DB = 1.4
"""Standard deviation in dB of patches of one date inside a polygon (drifts, moisture), beside what
`inside_db` does not keep."""

ROUGHNESS = 2.4
"""Standard deviation of the logarithm of the texture's variance over patches of one date: Weibull
parameters of windows tell classes badly apart, on the glaciers worse by 0.05 to 0.09 yet."""

RANGE_SPACING, AZIMUTH_SPACING = 0.77, 0.5
"""Distance of image samples, in units of the resolution along range and azimuth."""
_RANGE_TAPS = (0.17, 1.0, 0.17)
_AZIMUTH_TAPS = (0.5, 1.0, 0.5)


def image(
    world: World, block: Block, acquisition: Acquisition, polarisation: str
) -> NDArray[np.float32]:
    """Noise-subtracted linear backscatter (h, w) of one block on one date, no-data included."""
    beam = tables.beams()[acquisition.beam]
    power = backscattered(world, block, acquisition, polarisation)
    out = np.empty(block.shape, np.float32)
    line, sample = speckle_axes(world, acquisition, beam)
    first_line, lines = reach(line, block)
    first_sample, samples = reach(sample, block)
    re, im = speckle(
        world.seed, acquisition, polarisation, first_line, first_sample, lines, samples
    )
    noise = 10 ** (tables.NOISE_FLOOR_DB / 10)
    detect(power, block.row, block.col, line, sample, re, im, first_line, first_sample, noise, out)
    out[~inside_swath(world, block.window, acquisition)] = NODATA
    return out


def backscattered(
    world: World, block: Block, acquisition: Acquisition, polarisation: str
) -> NDArray[np.float32]:
    """Linear backscatter (h, w) of one block on one date, without speckle and noise."""
    beam = tables.beams()[acquisition.beam]
    day = seasons.day_of_year(acquisition.start)
    turn = 2 * np.pi * day / seasons.DAYS
    mix = mixtures(world.seed, acquisition, polarisation)
    departure = (
        block.lasting[polarisation]
        + np.float32(np.cos(turn)) * block.seasonal[0]
        + np.float32(np.sin(turn)) * block.seasonal[1]
        + block.slope_db[beam.name]
        + _moment_db()[block.surface] * _mixed(mix["moment"], block.patterns)
    )
    own = seasons.unit_weather(acquisition.start)
    out = np.empty(block.shape, np.float32)
    backscatter(
        block.surface,
        block.beside,
        block.mixed,
        block.above,
        block.asked - own[block.surface] * _mixed(mix["weather"], block.units),
        departure,
        _mixed(mix["texture"], block.waves),
        _mixed(mix["rough"], block.patterns),
        block.masks[beam.name],
        seasons.class_powers(world.seed, acquisition.start, beam.name, polarisation),
        TEXTURE_ORDER,
        day,
        seasons.height_delay(day),
        seasons.SOFTNESS,
        LAYOVER_DB,
        out,
    )
    return out


def _moment_db() -> NDArray[np.float32]:
    """Standard deviation (8 classes) of the patches of one date, dB."""
    inside = np.array([kind.inside_db for kind in tables.surfaces()])
    new: NDArray[np.float32] = np.hypot(MOMENT_DB, np.sqrt(1 - tables.LASTING) * inside).astype(
        np.float32
    )
    return new


def mixtures(
    seed: int, acquisition: Acquisition, polarisation: str
) -> dict[str, NDArray[np.float32]]:
    """Weights of a date: of narrow fields in its texture, broad ones in patches, units' in thaw."""
    stamp = acquisition.start.isoformat()

    def direction(purpose: str, count: int, share: float) -> NDArray[np.float32]:
        """A direction of length 1, of which HH and HV share some."""
        both = generator(seed, purpose, stamp).standard_normal(count)
        own = generator(seed, purpose, stamp, polarisation).standard_normal(count)
        mixed = np.sqrt(share) * both + np.sqrt(1 - share) * own
        return np.asarray(mixed / np.linalg.norm(mixed), np.float32)

    return {
        "texture": direction("texture", WAVES, TEXTURE_SHARED),
        "moment": direction("moment", PATTERNS, 0.8),
        "weather": direction("weather", PATTERNS, 1.0),
        "rough": np.float32(ROUGHNESS) * direction("rough", PATTERNS, 0.8),
    }


def _mixed(weights: NDArray[np.float32], fields: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum of weighted fields, one after the other: a matrix product's bits depend on the block."""
    mixed: NDArray[np.float32] = weights[0] * fields[0]
    for weight, field in zip(weights[1:], fields[1:], strict=True):
        mixed += weight * field
    return mixed


def speckle_axes(
    world: World, acquisition: Acquisition, beam: Beam
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Line and sample of the slant-range image as (constant, per row, per column)."""
    flight, look = viewing.directions(beam)
    down, along = world.grid.pixel
    shift = generator(world.seed, "sampling", acquisition.start.isoformat()).uniform(size=2)
    azimuth = AZIMUTH_SPACING * acquisition.resolution_azimuth
    range_ = RANGE_SPACING * acquisition.resolution_range
    line = np.array([shift[0], flight[0] * down / azimuth, flight[1] * along / azimuth])
    sample = np.array([shift[1], look[0] * down / range_, look[1] * along / range_])
    return line, sample


def reach(axis: NDArray[np.float64], block: Block) -> tuple[int, int]:
    """First index and count of the slant-range samples that a block needs along one axis."""
    rows = np.array([block.row, block.row + block.shape[0] - 1])
    cols = np.array([block.col, block.col + block.shape[1] - 1])
    places = axis[0] + axis[1] * rows[:, None] + axis[2] * cols[None, :]
    first = int(np.floor(places.min())) - 1
    return first, int(np.floor(places.max())) + 3 - first


def speckle(
    seed: int,
    acquisition: Acquisition,
    polarisation: str,
    line: int,
    sample: int,
    lines: int,
    samples: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Correlated circular Gaussian speckle of unit power from (line, sample) on."""
    re = np.empty((lines + 2, samples + 2), np.float32)
    im = np.empty_like(re)
    white(key(seed, "speckle", acquisition.start.isoformat(), polarisation), line, sample, re, im)
    down, along = np.array(_AZIMUTH_TAPS, np.float32), np.array(_RANGE_TAPS, np.float32)
    down /= np.sqrt(float(down @ down))
    along /= np.sqrt(float(along @ along))
    return smooth(re, down, along), smooth(im, down, along)


def inside_swath(
    world: World,
    window: tuple[int, int, int, int],
    acquisition: Acquisition,
    part: int | None = None,
) -> NDArray[np.bool_]:
    """Pixels that a pass saw, or that one slice (0 first, 1 second) of it holds.

    `window` is (first row, first column, rows, columns).
    """
    beam = tables.beams()[acquisition.beam]
    stamp = acquisition.start.isoformat()
    rows = np.arange(window[0], window[0] + window[2], dtype=np.float64)[:, None]
    cols = np.arange(window[1], window[1] + window[3], dtype=np.float64)[None, :]
    shift = viewing.swath_shift(world.seed, beam.name, stamp)
    track, distance = viewing.swath_distance(world.grid, beam, rows, cols, shift)
    inside: NDArray[np.bool_] = distance >= 0
    if part is not None:
        inside = inside & (track <= viewing.OVERLAP if part == 0 else track >= -viewing.OVERLAP)
    return inside
