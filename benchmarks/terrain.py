"""Geometry and flattening on an elevation raster, beside sarsen, in the same process.

    python -m benchmarks.terrain [--edge 1024] [--scene 4096 [--workers 2]] [--date 2000]

Both get the same hills at 3 m and the same state vectors. Positions of all pixels are compared, the
ripple of the area ratio on flat ground too. `area ratio` is what sarsen computes: heights are there
already, no masks, no ground around the map, nothing stored; `layers` is all that a beam needs.
`--scene` computes the layers of a larger map by this package alone, on a raster of 30 m as those of
the whole earth are, in processes, and tells time and memory; 10488 is the edge of 1.1e8 pixels.
`--date` reads a simulated SSC of so many metres from the disk, in turn: its samples alone, on its
map at one height, as without a raster, and flattened on the raster; 7000 makes 8.6 M samples.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.clock import CORES, machine, race
from benchmarks.cubes import drop_from_cache
from benchmarks.mapping import on_cores
from cpazmal_scale.config import Cluster, RunConfig
from cpazmal_scale.cube import plan_ingest, prepare_ground
from cpazmal_scale.execute import SerialExecutor, open_executor
from cpazmal_scale.mapping.classify.block import peak_memory
from cpazmal_scale.scenes import discover
from cpazmal_scale.scenes.level1b.reader import open_product
from cpazmal_scale.simulate.radar.cases import CASES, simulate_case
from cpazmal_scale.terrain.area import accumulate, cells_of
from cpazmal_scale.terrain.elevation import Dem, open_dem
from cpazmal_scale.terrain.ellipsoid import ecef, normal
from cpazmal_scale.terrain.facets import facet_terms
from cpazmal_scale.terrain.ground import Ground, plan_ground
from cpazmal_scale.terrain.layers import compute, read_layer
from cpazmal_scale.terrain.nodes import Lattice, NodeLattice
from cpazmal_scale.terrain.orbit import LIGHT, Orbit
from cpazmal_scale.terrain.ratio import gather
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


def write_ground(path: Path, edge: int, relief: float, coarse: int = 1) -> Dem:
    """Hills of so many metres, or a plane, around a map; pixels are so many times wider than it."""
    import rasterio
    from affine import Affine

    size, step = (edge + 2 * MARGIN) // coarse, PIXEL * coarse
    at = (np.arange(size) + (1 - 1 / coarse) / 2) * step - MARGIN * PIXEL
    heights = 2000 + relief * np.sin(at[None, :] / 400) * np.cos(at[:, None] / 500)
    to_map = Affine(step, 0, LEFT - MARGIN * PIXEL, 0, -step, TOP + MARGIN * PIXEL)
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


def area_ratio(made: Ground, grid: GeoBox, heights: NDArray[np.float64]) -> NDArray[np.float32]:
    """Area ratios of a map's pixels from its own ground alone, without shadow."""
    lattice, row, column = Lattice.of(grid)
    places = NodeLattice(grid, made.sight).window(slice(0, grid.shape[0]), slice(0, grid.shape[1]))
    line, sample = places.image(heights)
    flat, terms = (
        places.level(2000.0),
        facet_terms(lattice, made.sight, places.rows, places.columns),
    )
    corner, light = (made.cells[0] - 1, made.cells[2] - 1), np.zeros((0, 0), np.uint8)
    squares = np.zeros((made.cells[1] - corner[0] + 1, made.cells[3] - corner[1] + 1, 8))
    folded = np.zeros((squares.shape[0] + 1, squares.shape[1] + 1), np.uint8)
    ground = line, sample, flat, (0, 0), light, terms, (row, column)
    accumulate(heights, *ground, made.turn, corner, squares, folded)
    sums = np.empty((squares.shape[0] - 1, squares.shape[1] - 1), np.float32)
    cells_of(squares, sums)
    ratio, angle = np.empty(grid.shape, np.float32), np.empty(grid.shape, np.float32)
    first, mask = (made.cells[0], made.cells[2]), np.empty(grid.shape, np.uint8)
    inside = np.ascontiguousarray(folded[1:-1, 1:-1])
    gather(np.pad(heights, 1, "edge"), *ground, first, sums, inside, ratio, angle, mask)
    return ratio


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

    def ratio() -> object:
        return area_ratio(made, grid, heights)

    made = kept = planned(folder / "kept", dem, edge)
    compute(kept, SerialExecutor())

    def date() -> object:
        positions()
        return read_layer(kept.url, grid, *whole, "area_ratio")

    took = race(
        {
            "positions": positions,
            "geocoding": geocoding,
            "area ratio": ratio,
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
    print(f"area ratio      {took['sarsen RTC'] / took['area ratio']:6.1f} times sarsen's RTC")
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


def scene(edge: int, workers: int, folder: Path) -> None:
    """The layers of a larger map, by processes on this machine."""
    dem, grid = write_ground(folder / "large.tif", edge, 600.0, coarse=10), grid_of(edge)
    made = planned(folder / "large", dem, edge)
    with on_cores(workers), open_executor(Cluster(workers=workers, memory_gib=1.5)) as executor:
        # In short strips, so that every process has loaded what it needs.
        compute(replace(planned(folder / "small", dem, 256), lines=16), executor)
        began = time.perf_counter()
        compute(made, executor)
        wall = time.perf_counter() - began
        peaks = dict(executor.run(_peak, range(8 * workers)))
    pixels = edge**2 / 1e6
    part = slice(edge // 2, edge // 2 + 256)
    ratio = read_layer(made.url, grid, part, part, "area_ratio")
    print(
        f"layers of {pixels:.1f} Mpx: {wall:.1f} s by {workers} processes, "
        f"{pixels / wall:.2f} Mpx/s, {max(peaks.values()):.0f} MiB at most in each, "
        f"{np.isfinite(ratio).mean():.0%} lit"
    )


def date(metres: float, folder: Path) -> None:
    """One date on its map, flattened, beside the same at one height and its samples alone."""
    case = replace(CASES["DSC-R"], reflectors=5)
    simulate_case(folder, case, size=metres, truth=False)
    terrain = {"dem": str(folder / "dem_ellipsoid.tif"), "vertical": "ellipsoid"}
    rules: dict[str, Any] = {"scenes": str(folder / "scenes")}
    level1b: dict[str, Any] = {"radiometry": "gamma0_T", "noise": "keep", "terrain": terrain}
    config = RunConfig.parse(
        {"workspace": str(folder / "run"), "ingest": rules | {"level1b": level1b}}
    )
    (plan,) = plan_ingest(config)
    prepare_ground(config, plan)
    product = plan.new[0].files[0].product
    level1b = {"radiometry": "gamma0", "noise": "keep", "height": 2500.0}
    (at_one_height,) = discover(RunConfig.parse({"ingest": rules | {"level1b": level1b}}).ingest)
    flat = at_one_height.files[0].product
    assert product is not None
    assert flat is not None
    (cosar,) = (folder / "scenes").rglob("*.cos")
    with open_product(product, plan.grid) as reader, open_product(flat, plan.grid) as plain:
        shape = reader.images[0].shape
        steps: dict[str, Callable[[], object]] = {
            "samples": lambda: _by_rows(shape, 512, reader.images[0].read),
            "at one height": lambda: _by_rows(plan.grid.shape, 1024, plain.read),
            "flattened": lambda: _by_rows(plan.grid.shape, 1024, reader.read),
        }
        took = dict.fromkeys(steps, (np.inf, np.inf))
        for _ in range(3):
            for name, call in steps.items():
                drop_from_cache(cosar.parent)
                began = time.perf_counter(), time.process_time()
                call()
                wall, used = time.perf_counter() - began[0], time.process_time() - began[1]
                took[name] = min(took[name][0], wall), min(took[name][1], used)
    samples, pixels = shape[0] * shape[1] / 1e6, plan.grid.shape[0] * plan.grid.shape[1] / 1e6
    size = cosar.stat().st_size / 2**20
    print(f"{samples:.1f} M samples ({size:.0f} MiB from the disk), {pixels:.2f} M pixels of a map")
    for number, clock in enumerate(("wall", "processor")):
        one, other, whole = (took[name][number] for name in steps)
        print(
            f"{clock}: samples {one:.2f} s, at one height {other:.2f} s, flattened {whole:.2f} s: "
            f"{whole / other:.2f} x"
        )


def _by_rows(shape: Any, step: int, read: Callable[[slice, slice], object]) -> None:
    """Read an image or a map from top to bottom."""
    for top in range(0, int(shape[0]), step):
        read(slice(top, min(int(shape[0]), top + step)), slice(0, int(shape[1])))


def _peak(_: int) -> float:
    """MiB this process has held at most."""
    return peak_memory() / 2**20


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edge", type=int, default=1024)
    parser.add_argument("--scene", type=int, default=0)
    parser.add_argument("--workers", type=int, default=CORES)
    parser.add_argument("--date", type=float, default=0.0)
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        if given.date:
            date(given.date, Path(folder))
        elif given.scene:
            scene(given.scene, given.workers, Path(folder))
        else:
            beside_sarsen(given.edge, Path(folder))


if __name__ == "__main__":
    main()
