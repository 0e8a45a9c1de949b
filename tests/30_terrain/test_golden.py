"""What a beam sees of real ground, against another program's values of the same scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scipy.ndimage import map_coordinates

from cpazmal_scale.execute import SerialExecutor
from cpazmal_scale.grid.shift import measure_shift
from cpazmal_scale.terrain.elevation import Dem, open_dem
from cpazmal_scale.terrain.ground import plan_ground
from cpazmal_scale.terrain.layers import compute, read_layer
from cpazmal_scale.terrain.nodes import NodeLattice
from cpazmal_scale.terrain.orbit import LIGHT, Orbit
from cpazmal_scale.terrain.sight import OrbitSight


def test_angles_and_heights_are_those_of_another_program(shared_data: Path, tmp_path: Path) -> None:
    """62 500 points of ISCE2's `topo`, left-looking and airborne, on the raster's own pixels, over
    which both programs take slopes.

    Local incidence differs by a constant of 0.24°, by which ISCE2's contradicts its own incidence
    angle on level ground; what is asked is that it differs by nothing else.
    """
    home = shared_data / "terrain" / "isce3-winnipeg"
    lon, lat, height = (np.fromfile(home / "topo_winnipeg" / f"{n}.rdr", "f8") for n in "xyz")
    golden = np.fromfile(home / "topo_winnipeg" / "localInc.rdr", "f4")
    with h5py.File(home / "winnipeg.h5") as file:
        slc = file["science/LSAR/SLC"]
        orbit = Orbit(
            *(slc[f"metadata/orbit/{name}"][:] for name in ("time", "position", "velocity"))
        )
        first = float(slc["swaths/zeroDopplerTime"][:].mean())
    dem = Dem(str(home / "winnipeg_dem.tif"), "ellipsoid")
    with rasterio.open(dem.url) as raster:
        grid = GeoBox((160, 220), raster.transform * Affine.translation(380, 240), "EPSG:4326")
    url = str(tmp_path / "ground")
    made = plan_ground(url, dem, grid, orbit, first=first, side=-1, reference=240.0)
    compute(made, SerialExecutor())
    column, row = ~grid.transform * (lon, lat)
    whole = slice(0, 160), slice(0, 220)

    def apart(layer: str, values: np.ndarray) -> np.ndarray:
        found = read_layer(url, grid, *whole, layer).astype(float)
        return map_coordinates(found, [row - 0.5, column - 0.5], order=3) - values

    angles = apart("local_incidence", golden)
    assert angles.std() <= 0.06
    assert abs(angles.mean()) < 0.3
    assert apart("elevation", height).std() <= 0.05
    seen = row.astype(int), column.astype(int)
    assert np.isfinite(read_layer(url, grid, *whole, "area_ratio")[seen]).all()
    assert not read_layer(url, grid, *whole, "terrain_mask")[seen].any()


def test_real_pixels_of_two_chips_fall_on_each_other(shared_data: Path) -> None:
    """One take at 20 and 40 MHz, left-looking and airborne: through the raster twice, the ground
    lies where it lay.
    """
    home = shared_data / "terrain" / "isce3-sanand"
    to_map = Transformer.from_crs("EPSG:4326", "EPSG:32611", always_xy=True)
    images, grid, height = [], None, np.zeros(0)
    for chip in ("129", "138"):
        with h5py.File(home / f"SanAnd_{chip}.h5") as file:
            slc = file["science/LSAR/SLC"]
            orbit = Orbit(
                *(slc[f"metadata/orbit/{name}"][:] for name in ("time", "position", "velocity"))
            )
            t, far = slc["swaths/zeroDopplerTime"][:], slc["swaths/frequencyA/slantRange"][:]
            values = np.abs(slc["swaths/frequencyA/HH"][:]) ** 2
        first = float(t.mean())
        if grid is None:
            ends = np.array([[t[20], t[-20]]]), np.array([[far[20], far[-20]]]) * 2 / LIGHT
            near = {"lon": np.full((1, 2), -118.425), "lat": np.full((1, 2), 34.175)}
            x, y = to_map.transform(*orbit.ground(*ends, 200.0, **near))
            shape = int(np.ptp(y) / 4), int(np.ptp(x) / 4)
            grid = GeoBox(
                shape, Affine(4, 0, x.min() // 4 * 4, 0, -4, y.max() // 4 * 4), "EPSG:32611"
            )
            whole = slice(0, shape[0]), slice(0, shape[1])
            with open_dem(Dem(str(home / "SanAnd_dem.tif"), "ellipsoid")) as elevation:
                height = elevation.heights(grid, *whole)
        start, step = (t[0], far[0]), (t[1] - t[0], far[1] - far[0])

        def axes(
            when: np.ndarray, tau: np.ndarray, start: Any = start, step: Any = step
        ) -> tuple[np.ndarray, np.ndarray]:
            return (when - start[0]) / step[0], (tau * LIGHT / 2 - start[1]) / step[1]

        places = NodeLattice(grid, OrbitSight(orbit, axes, first)).window(*whole).image(height)
        images.append(np.log(map_coordinates(values, places, order=1)).astype(np.float32))
    assert np.corrcoef(images[0].ravel(), images[1].ravel())[0, 1] > 0.8
    shift = measure_shift(*images)
    assert shift is not None
    assert shift.length < 0.1
