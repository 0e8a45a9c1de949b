"""What a beam sees of real ground, against another program's values of the same scene."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy.ndimage import map_coordinates

from cpazmal_scale.execute import SerialExecutor
from cpazmal_scale.terrain.elevation import Dem
from cpazmal_scale.terrain.ground import plan_ground
from cpazmal_scale.terrain.layers import compute, read_layer
from cpazmal_scale.terrain.orbit import Orbit


def test_angles_and_heights_are_those_of_another_program(
    shared_data: Path, tmp_path: Path, at_most: Callable[[str, float, float], None]
) -> None:
    """62 500 points of ISCE2's `topo`, left-looking and airborne, on the raster's own pixels, over
    which both programs take slopes.
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
    at_most("local incidence, std, degrees", angles.std(), 0.06)
    at_most("local incidence, mean, degrees", abs(angles.mean()), 0.02)
    at_most("height, std, m", apart("elevation", height).std(), 0.05)
    seen = row.astype(int), column.astype(int)
    assert np.isfinite(read_layer(url, grid, *whole, "area_ratio")[seen]).all()
    assert not read_layer(url, grid, *whole, "terrain_mask")[seen].any()
