"""The truth of a simulated pass on the map, as rasters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.simulate.given.streams import key
from cpazmal_scale.simulate.radar import earth
from cpazmal_scale.simulate.radar.earth import LIGHT
from cpazmal_scale.simulate.radar.images import tiles_of
from cpazmal_scale.simulate.radar.passes import View
from cpazmal_scale.simulate.radar.pixels import folded
from cpazmal_scale.simulate.radar.pixels import view as seen_by
from cpazmal_scale.simulate.radar.scatterers import areas

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

CELL = 4.0, 2.5
"""Metres along azimuth and slant range over which the truth's area ratio is summed."""
LAYOVER, SHADOW = 1, 2
_DENSE = 6.0
_NO_DATA = -999.0


@dataclass(frozen=True)
class Frame:
    """A north-up map grid: its corner (m), square pixels (m), rows and columns."""

    crs: str
    left: float
    top: float
    pixel: float
    rows: int
    cols: int

    @property
    def x(self) -> Array:
        """Middles of the columns."""
        return np.asarray(self.left + self.pixel * (np.arange(self.cols) + 0.5))

    @property
    def y(self) -> Array:
        """Middles of the rows."""
        return np.asarray(self.top - self.pixel * (np.arange(self.rows) + 0.5))


@dataclass(frozen=True)
class Truth:
    """Layers (rows, cols) of one pass; NaN (mask: 255) where the image does not reach.

    `line` and `sample` say where a pixel is in the complex image; `incidence` is the local one
    (degrees); `ratio` the area facing the sight over that of the image's cells, whatever else
    falls into them; `mask` has 1 for layover and 2 for shadow.
    """

    frame: Frame
    height: Array
    line: Array
    sample: Array
    incidence: Array
    ratio: Array
    mask: NDArray[np.uint8]


def truth_of(view: View, frame: Frame, *, seed: int, dense: float = _DENSE) -> Truth:
    """Every layer by brute force.

    Args:
        view: The pass.
        frame: The map grid; it has to lie within the surface.
        seed: Seed of the places at which areas are summed.
        dense: Least number of these places per sample of flat ground.
    """
    margin = math.ceil(_fold_reach(view) / frame.pixel) + 2
    wide = Frame(
        frame.crs,
        frame.left - margin * frame.pixel,
        frame.top + margin * frame.pixel,
        frame.pixel,
        frame.rows + 2 * margin,
        frame.cols + 2 * margin,
    )
    layers = np.empty((7, wide.rows, wide.cols))
    seen_by(view.surface, view.patch, view.sensor, wide.x, wide.y, layers)
    mask = np.zeros((frame.rows, frame.cols), bool)
    flight, away, step = _directions(view, wide)
    cotangent = 1 / math.tan(math.radians(view.flown.incidence)) / frame.pixel
    folded(layers[5], layers[6], layers[0], away, flight, step, cotangent, mask)
    inner = slice(margin, margin + frame.rows), slice(margin, margin + frame.cols)
    height, line, sample, incidence, hidden = (one[inner] for one in layers[:5])
    codes = (LAYOVER * mask + SHADOW * (hidden > 0)).astype(np.uint8)
    inside = (line >= 0) & (line <= view.lines - 1)
    inside &= (sample >= 0) & (sample <= view.samples - 1)
    ratio = _ratio(view, line, sample, key(seed, "areas"), dense)
    line, sample, incidence, ratio = (
        np.where(inside, one, np.nan) for one in (line, sample, incidence, ratio)
    )
    codes = np.where(inside, codes, np.uint8(255))
    return Truth(frame, height.copy(), line, sample, incidence, ratio, codes)


def _fold_reach(view: View) -> float:
    drop = view.surface.highest - view.surface.lowest
    return 1.2 * drop / math.tan(math.radians(view.flown.incidence))


def _directions(view: View, frame: Frame) -> tuple[tuple[float, float], tuple[float, float], float]:
    """One pixel of flight and one away from the sensor as (down, along), and the flight's time."""
    x, y = float(frame.x.mean()), float(frame.y.mean())
    lon, lat = earth.to_degrees(view.crs, np.array([x]), np.array([y]))
    place = earth.earth_fixed(lon, lat, np.array([view.height]))[0]
    at, velocity = (part[0] for part in view.motion(np.zeros(1)))
    ahead = place + velocity / np.linalg.norm(velocity)
    lon, lat, _ = earth.geodetic(ahead)
    px, py = earth.to_map(view.crs, lon, lat)
    along = np.array([-(float(py) - y), float(px) - x])
    along /= np.linalg.norm(along)
    right = np.array([along[1], -along[0]])
    away = right * (1 if view.flown.side == "R" else -1)
    speed = float(np.linalg.norm(velocity) * np.linalg.norm(place) / np.linalg.norm(at))
    return (along[0], along[1]), (away[0], away[1]), frame.pixel / speed


def _ratio(view: View, line: Array, sample: Array, own: np.uint64, dense: float) -> Array:
    sensor = view.sensor
    speed = float(np.linalg.norm(view.motion(np.zeros(1))[1])) * 0.93
    cell = CELL[0] / (sensor.line_step * speed), CELL[1] / (sensor.sample_step * LIGHT / 2)
    sums = np.zeros((math.ceil(view.lines / cell[0]) + 2, math.ceil(view.samples / cell[1]) + 2))
    areas(view.surface, view.patch, sensor, tiles_of(view, dense), own, cell, sums)
    from scipy.ndimage import map_coordinates

    places = np.stack([line / cell[0], sample / cell[1]])
    found: Array = map_coordinates(sums, places, order=1, mode="constant", cval=np.nan)
    return found


def write_layer(path: Path, frame: Frame, values: NDArray[Any], *, crs: str = "") -> None:
    """One raster as a GeoTIFF: floating with NaN as no data, or bytes with 255."""
    import rasterio
    from rasterio.transform import Affine

    path.parent.mkdir(parents=True, exist_ok=True)
    size = frame.pixel
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=frame.rows,
        width=frame.cols,
        count=1,
        dtype=values.dtype.name,
        crs=crs or frame.crs,
        transform=Affine(size, 0, frame.left, 0, -size, frame.top),
        nodata=255 if values.dtype == np.uint8 else math.nan,
        compress="deflate",
        tiled=True,
    ) as out:
        out.write(values, 1)


def write_truth(folder: Path, truth: Truth) -> None:
    """The layers of a pass, one file each."""
    for name in ("line", "sample"):
        write_layer(folder / f"{name}.tif", truth.frame, getattr(truth, name))
    for name, file in (("incidence", "local_incidence"), ("ratio", "area_ratio")):
        values = getattr(truth, name).astype(np.float32)
        write_layer(folder / f"{file}.tif", truth.frame, values)
    write_layer(folder / "mask.tif", truth.frame, truth.mask)
