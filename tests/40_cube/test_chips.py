"""The alignment of dates on pixels that a radar took: two chips of one take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scipy.ndimage import map_coordinates

from cpazmal_scale.cube.write.align import LEAST, WINDOWS, alignment
from cpazmal_scale.terrain.elevation import Dem, open_dem
from cpazmal_scale.terrain.nodes import NodeLattice
from cpazmal_scale.terrain.orbit import LIGHT, Orbit
from cpazmal_scale.terrain.sight import OrbitSight

INJECTED = 0.37, -0.61
"""Map pixels along the track and in range by which the second chip is read aside."""


def test_real_pixels_of_two_chips_fall_on_each_other(
    shared_data: Path, at_most: Callable[[str, float, float], None]
) -> None:
    """One take at 20 and 40 MHz, left-looking and airborne: through the raster twice, the ground
    lies where it lay, as the alignment of dates measures it; and aside by what was injected.
    """
    home = shared_data / "terrain" / "isce3-sanand"
    chips = [Chip(home / f"SanAnd_{number}.h5") for number in ("129", "138")]
    grid = chips[0].grid()
    whole = slice(0, grid.shape[0]), slice(0, grid.shape[1])
    with open_dem(Dem(str(home / "SanAnd_dem.tif"), "ellipsoid")) as elevation:
        height = elevation.heights(grid, *whole)
    images = [one.on(grid, height) for one in chips]
    assert np.corrcoef(images[0].ravel(), images[1].ravel())[0, 1] > 0.8
    times = NodeLattice(grid, chips[1].sight()).window(*whole).times(height)
    still = alignment(images[1], images[0], times, 1)
    assert still is not None
    assert still.windows >= WINDOWS
    assert still.deviation < 0.1
    at_most("pixels where none is injected", still.length, LEAST)
    steps = [float(np.median(np.hypot(*np.gradient(one)))) for one in times]
    delay = tuple(pixels * step for pixels, step in zip(INJECTED, steps, strict=True))
    aside = chips[1].on(grid, height, (-delay[0], -delay[1]))
    found = alignment(aside, images[0], times, 1)
    assert found is not None
    apart = np.subtract(found.pixels, still.pixels) - INJECTED
    at_most("pixels off what is injected", np.abs(apart).max(), 0.05)


class Chip:
    """A complex chip of HDF5, and how it sees the ground."""

    def __init__(self, path: Path) -> None:
        with h5py.File(path) as file:
            slc = file["science/LSAR/SLC"]
            self.orbit = Orbit(
                *(slc[f"metadata/orbit/{name}"][:] for name in ("time", "position", "velocity"))
            )
            self.t = slc["swaths/zeroDopplerTime"][:]
            self.far = slc["swaths/frequencyA/slantRange"][:]
            self.power = np.abs(slc["swaths/frequencyA/HH"][:]) ** 2

    def grid(self) -> GeoBox:
        """Pixels of 4 m under the middle of it."""
        t, far = self.t, self.far
        ends = np.array([[t[20], t[-20]]]), np.array([[far[20], far[-20]]]) * 2 / LIGHT
        near = {"lon": np.full((1, 2), -118.425), "lat": np.full((1, 2), 34.175)}
        to_map = Transformer.from_crs("EPSG:4326", "EPSG:32611", always_xy=True)
        x, y = to_map.transform(*self.orbit.ground(*ends, 200.0, **near))
        shape = int(np.ptp(y) / 4), int(np.ptp(x) / 4)
        to_map = Affine(4, 0, x.min() // 4 * 4, 0, -4, y.max() // 4 * 4)
        return GeoBox(shape, to_map, "EPSG:32611")

    def sight(self, delays: tuple[float, float] = (0.0, 0.0)) -> OrbitSight:
        """Its geometry, so many seconds aside."""
        start, step = (self.t[0], self.far[0]), (self.t[1] - self.t[0], self.far[1] - self.far[0])

        def axes(when: np.ndarray, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return (when - start[0]) / step[0], (tau * LIGHT / 2 - start[1]) / step[1]

        return OrbitSight(self.orbit, axes, float(self.t.mean()), delays)

    def on(
        self, grid: GeoBox, height: np.ndarray, delays: tuple[float, float] = (0.0, 0.0)
    ) -> np.ndarray:
        """Logarithms of power on a map."""
        whole = slice(0, grid.shape[0]), slice(0, grid.shape[1])
        places = NodeLattice(grid, self.sight(delays)).window(*whole).image(height)
        return np.log(map_coordinates(self.power, places, order=1)).astype(np.float32)
