"""Mountains to be seen at any place of the earth: relief, classes and their backscatter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.simulate.given import seasons, tables
from cpazmal_scale.simulate.ground.relief import Lattice, elevation, field
from cpazmal_scale.simulate.radar import earth
from cpazmal_scale.simulate.radar.earth import Patch
from cpazmal_scale.simulate.radar.images import Backscatter
from cpazmal_scale.simulate.radar.surface import Surface, spline_surface
from cpazmal_scale.simulate.radar.truth import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIXEL = 3.0
"""Metres of the map on which backscatter is constant within a pixel."""
KNOTS = 24.0
"""Metres between the knots of the relief: a DEM of 3 m, or of 10 m, resolves all of it."""
MEAN_SLOPE = 27.0
"""Degrees, that of the massif of Mont Blanc."""
_PATCH, _SMOOTH = 150.0, 1.5


@dataclass(frozen=True)
class Site:
    """A piece of ground: its surface above the ellipsoid, and classes on a map grid.

    `frame` is the grid of DEM, classes and backscatter; `surface` reaches a little further.
    """

    frame: Frame
    surface: Surface
    patch: Patch
    classes: NDArray[np.uint8]
    seed: int


def mountain_at(
    crs: str, lon: float, lat: float, size: float, *, seed: int, pivot: float = 2500.0
) -> Site:
    """A mountain around a place.

    Crests are rounded over some 100 m, so that the DEM holds every slope.

    Args:
        crs: A projected map in metres.
        lon: Degrees.
        lat: Degrees.
        size: Metres of its edge.
        seed: Of relief and classes.
        pivot: Metres above the ellipsoid of its middle heights.
    """
    from scipy.ndimage import gaussian_filter

    x, y = (float(part[0]) for part in earth.to_map(crs, np.array([lon]), np.array([lat])))
    count = int(size / PIXEL)
    left, top = (round(x / PIXEL) - count // 2) * PIXEL, (round(y / PIXEL) + count // 2) * PIXEL
    frame = Frame(crs, left, top, PIXEL, count, count)
    edge = int(size / KNOTS) + 5
    lattice = Lattice((edge, edge), 1, (KNOTS, KNOTS))
    heights = gaussian_filter(elevation(lattice, seed).astype(np.float64), _SMOOTH)
    slope = float(np.hypot(*np.gradient(heights, KNOTS)).mean())
    scale = float(np.tan(np.radians(MEAN_SLOPE))) / slope
    knots = pivot + scale * (heights - heights.mean())
    surface = spline_surface(knots, left - 2 * KNOTS, top + 2 * KNOTS, KNOTS)
    pixels = Lattice((count, count), 1, (PIXEL, PIXEL))
    ground = field(pixels, _PATCH / PIXEL, seed, "classes of a site")
    number = len(tables.surfaces())
    parts = np.quantile(ground, np.arange(1, number) / number)
    classes = np.digitize(ground, parts).astype(np.uint8)
    return Site(frame, surface, earth.patch(crs, surface.bounds), classes, seed)


def backscatter_at(site: Site, when: datetime, beam: str, names: tuple[str, ...]) -> Backscatter:
    """γ0 on one date by the classes' seasons, for polarisations and a beam of the tables."""
    levels = [seasons.class_level(site.seed, when, beam, name) for name in names]
    bands = [10 ** (level[site.classes] / 10) for level in levels]
    frame = site.frame
    return Backscatter(np.stack(bands).astype(np.float32), frame.left, frame.top, frame.pixel)
