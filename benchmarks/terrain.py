"""Geometry and flattening on an elevation raster, beside sarsen, in the same process.

    python -m benchmarks.terrain [--edge 1024] [--scene 4096]

Both get the same hills at 3 m and the same state vectors. Positions of all pixels are compared, the
ripple of the area ratio on flat ground too. `--scene` computes the layers of a larger map by this
package alone and tells time and memory.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.clock import CORES, machine, race
from cpazmal_scale.execute import SerialExecutor, ThreadExecutor
from cpazmal_scale.terrain.elevation import Dem, open_dem
from cpazmal_scale.terrain.ellipsoid import ecef, normal
from cpazmal_scale.terrain.ground import Ground, plan_ground
from cpazmal_scale.terrain.layers import compute, read_layer
from cpazmal_scale.terrain.nodes import NodeLattice
from cpazmal_scale.terrain.orbit import LIGHT, Orbit
from cpazmal_scale.terrain.sight import OrbitSight

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

CRS, LEFT, TOP, PIXEL = "EPSG:32632", 340_002.0, 5_088_000.0, 3.0
RADIUS, SPEED, ANGLE = 6_883_000.0, 7_600.0, 38.0
EPOCH = np.datetime64("2020-01-08T05:44:21", "ns")
MARGIN = 600
"""Pixels of ground around the map."""


def orbit() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Seconds, positions and velocities of a circle that looks at the map from the east."""
    lon, lat = np.array([6.95]), np.array([45.92])
    ground, up = ecef(lon, lat, 2000.0)[0], normal(lon, lat)[0]
    east = np.cross([0.0, 0.0, 1.0], up)
    east /= np.linalg.norm(east)
    sight = np.cos(np.radians(ANGLE)) * up + np.sin(np.radians(ANGLE)) * east
    along = float(ground @ sight)
    place = ground + (np.sqrt(along**2 + RADIUS**2 - ground @ ground) - along) * sight
    first = place / RADIUS
    second = -np.cross(first, sight)
    second /= np.linalg.norm(second)
    seconds = np.arange(-60.0, 61.0, 10.0)
    turn = SPEED / RADIUS * seconds[:, None]
    position = RADIUS * (np.cos(turn) * first + np.sin(turn) * second)
    return seconds, position, SPEED * (np.cos(turn) * second - np.sin(turn) * first)


def write_ground(path: Path, edge: int, relief: float) -> Dem:
    """Hills of so many metres, or a plane, on pixels around a map of an edge."""
    import rasterio
    from affine import Affine

    size = edge + 2 * MARGIN
    at = (np.arange(size) - MARGIN) * PIXEL
    heights = 2000 + relief * np.sin(at[None, :] / 400) * np.cos(at[:, None] / 500)
    to_map = Affine(PIXEL, 0, LEFT - MARGIN * PIXEL, 0, -PIXEL, TOP + MARGIN * PIXEL)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=1,
        dtype="float64",
        width=size,
        height=size,
        crs=CRS,
        transform=to_map,
        tiled=True,
    ) as file:
        file.write(heights, 1)
    return Dem(str(path), "ellipsoid")


def grid_of(edge: int) -> GeoBox:
    """The map."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    return GeoBox((edge, edge), Affine(PIXEL, 0, LEFT, 0, -PIXEL, TOP), CRS)


class Theirs:
    """The same ground and orbit for sarsen."""

    def __init__(self, dem: Dem, edge: int) -> None:
        import rioxarray
        import xarray as xr
        from sarsen.orbit import OrbitPolyfitInterpolator

        seconds, position, _ = orbit()
        times = EPOCH + (seconds * 1e9).astype("timedelta64[ns]")
        table = xr.DataArray(
            position,
            coords={"azimuth_time": times, "axis": range(3)},
            dims=("azimuth_time", "axis"),
        )
        self.orbit = OrbitPolyfitInterpolator.from_position(table)
        raster: Any = rioxarray.open_rasterio(dem.url)
        part = slice(MARGIN, MARGIN + edge)
        self.dem = raster.squeeze(drop=True).isel(x=part, y=part).load()

    def places(self) -> Any:
        """Azimuth and range times of all pixels."""
        from sarsen.apps import simulate_acquisition
        from sarsen.scene import convert_to_dem_ecef

        points = convert_to_dem_ecef(self.dem, source_crs=CRS)
        return simulate_acquisition(points, self.orbit, ("azimuth_time", "slant_range_time"))

    def flattening(self) -> Any:
        """Weights of all pixels, in cells of 12 m by 7.5 m: three by three of ours."""
        from sarsen.apps import simulate_acquisition
        from sarsen.radiometry import gamma_weights_bilinear
        from sarsen.scene import convert_to_dem_ecef

        points = convert_to_dem_ecef(self.dem, source_crs=CRS)
        names = ("azimuth_time", "slant_range_time", "gamma_area")
        found = simulate_acquisition(points, self.orbit, names)
        step = 12 / (SPEED * 6_371_000.0 / RADIUS), 7.5 * 2 / LIGHT
        return gamma_weights_bilinear(
            found,
            float(found.slant_range_time.min()),
            found.azimuth_time.values.min(),
            step[1],
            step[0],
            7.5,
            12.0,
        )


def planned(url: Path, dem: Dem, edge: int) -> Ground:
    """The ground of the map."""
    return plan_ground(
        str(url), dem, grid_of(edge), Orbit(*orbit()), first=0.0, side=0, reference=2000.0
    )


def beside_sarsen(edge: int, folder: Path) -> None:
    """Times in processor seconds, and how far the results are apart."""
    dem, grid = write_ground(folder / "hills.tif", edge, 250.0), grid_of(edge)
    theirs, whole = Theirs(dem, edge), (slice(0, edge), slice(0, edge))
    sight = OrbitSight(Orbit(*orbit()), lambda t, tau: (t, tau), 0.0)
    with open_dem(dem) as elevation:
        heights = elevation.heights(grid, *whole)
    runs = iter(range(10_000))

    def positions() -> object:
        return NodeLattice(grid, sight).window(*whole).image(heights)

    def geocoding() -> object:
        with open_dem(dem) as elevation:
            height = elevation.heights(grid, *whole)
        return NodeLattice(grid, sight).window(*whole).image(height)

    def layers() -> None:
        compute(planned(folder / f"g{next(runs)}", dem, edge), SerialExecutor())

    kept = planned(folder / "kept", dem, edge)
    compute(kept, SerialExecutor())

    def date() -> object:
        positions()
        return read_layer(kept.url, grid, *whole, "area_ratio")

    took = race(
        {
            "positions": positions,
            "geocoding": geocoding,
            "layers": layers,
            "date": date,
            "sarsen GTC": theirs.places,
            "sarsen RTC": theirs.flattening,
        },
        rounds=2,
    )
    pixels = edge**2 / 1e6
    for name, seconds in took.items():
        print(f"{name:<12}{seconds:9.3f} s{pixels / seconds:9.2f} Mpx/s")
    print(f"geocoding       {took['sarsen GTC'] / took['geocoding']:6.0f} times sarsen's GTC")
    print(f"positions       {took['sarsen GTC'] / took['positions']:6.0f} times sarsen's GTC")
    print(f"static layers   {took['sarsen RTC'] / took['layers']:6.1f} times sarsen's RTC")
    print(f"further date    {took['sarsen RTC'] / took['date']:6.0f} times sarsen's RTC")
    compared(theirs, NodeLattice(grid, sight).window(*whole).image(heights))
    ripple(edge, folder)


def compared(theirs: Theirs, mine: tuple[Any, Any]) -> None:
    """Metres between the positions of both."""
    found = theirs.places().transpose("y", "x", ...)
    t = (found.azimuth_time.values - EPOCH) / np.timedelta64(1, "ns") * 1e-9
    along = np.abs(t - mine[0]).max() * SPEED
    across = np.abs(found.slant_range_time.values - mine[1]).max() * LIGHT / 2
    print(f"positions apart at most {along:.4f} m along the orbit, {across:.4f} m in range")


def ripple(edge: int, folder: Path) -> None:
    """Standard deviation in dB of the area ratio on flat ground, a smooth trend taken off."""
    edge = min(edge, 512)
    dem = write_ground(folder / "flat.tif", edge, 0.0)
    made = planned(folder / "flat", dem, edge)
    compute(made, SerialExecutor())
    part = slice(32, edge - 32)
    mine = read_layer(made.url, grid_of(edge), slice(0, edge), slice(0, edge), "area_ratio")
    theirs = Theirs(dem, edge).flattening().transpose("y", "x").values
    for name, values in (("this package", mine), ("sarsen", theirs)):
        level = 10 * np.log10(values[part, part].astype(float))
        y, x = np.indices(level.shape) / edge
        table = np.stack([np.ones(level.size), x.ravel(), y.ravel()], axis=-1)
        fitted = table @ np.linalg.lstsq(table, level.ravel(), rcond=None)[0]
        print(f"ripple on flat ground, {name}: {np.std(level.ravel() - fitted):.4f} dB")


def scene(edge: int, folder: Path) -> None:
    """The layers of a larger map, by threads of this process."""
    dem = write_ground(folder / "large.tif", edge, 600.0)
    began, used = time.perf_counter(), time.process_time()
    compute(planned(folder / "large", dem, edge), ThreadExecutor(CORES))
    wall, cpu = time.perf_counter() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    pixels = edge**2 / 1e6
    print(
        f"layers of {pixels:.1f} Mpx: {wall:.1f} s on {CORES} cores, {cpu:.1f} s of processor, "
        f"{pixels / cpu:.2f} Mpx/s per core, {peak:.0f} MiB at most"
    )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edge", type=int, default=1024)
    parser.add_argument("--scene", type=int, default=0)
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        if given.scene:
            scene(given.scene, Path(folder))
        else:
            beside_sarsen(given.edge, Path(folder))


if __name__ == "__main__":
    main()
