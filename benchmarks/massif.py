"""One complete massif: simulated straight into a cube, trained on, mapped, exported and assessed.

    python -m benchmarks.massif [--edge 10000 …] [--workers 2 …] [--folder DIR [--only-cube]]

30 dates of HH and HV, 10 000 x 10 000 pixels unless set otherwise (about 20 GB of cube, removed at
the end if no folder is given), on worker processes of a local Dask cluster. Prints times, speed,
the workers' memory over time and what the map is worth, as Markdown; and for each number of
workers, which have as many cores, a map from the disk, its files dropped from the page cache, and
one from the page cache. A worker reads ahead in a second thread: with a core to spare, one worker
is more than one. Several edges tell whether time is linear in pixels.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import tempfile
import threading
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import cubes
from benchmarks.cubes import drop_from_cache
from benchmarks.mapping import on_cores
from cpazmal_scale.config import MASK_BITS, NOT_VALID, RunConfig
from cpazmal_scale.simulate.files import products
from cpazmal_scale.simulate.given import tables
from cpazmal_scale.simulate.ground import polygons
from cpazmal_scale.simulate.ground.grids import over_massif
from cpazmal_scale.simulate.ground.world import World, ground_block, make_world
from cpazmal_scale.simulate.passes import imaging

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpazmal_scale.mapping import MapResult
    from cpazmal_scale.simulate.given.tables import Acquisition

BEAM, CHUNK, SEED = "DSC37", 512, 42
START, END = date(2020, 1, 1), date(2021, 1, 31)

_world: World
"""What the processes that write the cube inherit when they are forked."""


def passes() -> list[Acquisition]:
    """The dual-polarised passes of the beam."""
    return [
        one
        for one in tables.calendar()
        if one.beam == BEAM and START <= one.start.date() <= END and len(one.polarisations) == 2
    ]


def write_tile(url: str, row: int, column: int) -> tuple[int, int, dict[str, list[int]]]:
    """All dates of one chunk; returns the checksums of its objects by layer."""
    height, width = _world.grid.size
    y, x = row * CHUNK, column * CHUNK
    shape = min(CHUNK, height - y), min(CHUNK, width - x)
    ground = ground_block(_world, y, x, *shape)
    codes = ground.masks[BEAM] & np.uint8(MASK_BITS["layover"] | MASK_BITS["shadow"])
    sums: dict[str, list[int]] = {"HH": [], "HV": [], "mask": []}
    for number, one in enumerate(passes()):
        inside = imaging.inside_swath(_world, ground.window, one)
        layers = {"mask": np.where(inside, codes, np.uint8(NOT_VALID))}
        for name in ("HH", "HV"):
            layers[name] = np.where(
                inside, imaging.image(_world, ground, one, name), np.float32(np.nan)
            )
        for name, values in layers.items():
            fill = np.nan if name != "mask" else NOT_VALID
            whole = np.full((CHUNK, CHUNK), fill, values.dtype)
            whole[: shape[0], : shape[1]] = values
            data = cubes.write_chunk(url, name, number, (row, column), whole)
            sums[name].append(zlib.crc32(data) or 1)
    return row, column, sums


def write_cube(world: World, url: str, workers: int) -> None:
    """The campaign as a cube, tile by tile on several processes."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    global _world
    _world = world
    edge = world.grid.resolution
    grid = GeoBox(
        world.grid.size, Affine(edge, 0, world.grid.left, 0, -edge, world.grid.top), world.grid.crs
    )
    tiles = [-(-size // CHUNK) for size in world.grid.size]
    stored = {name: np.zeros((len(passes()), *tiles), np.uint32) for name in ("HH", "HV", "mask")}
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        jobs = [
            pool.submit(write_tile, url, r, c) for r in range(tiles[0]) for c in range(tiles[1])
        ]
        for job in jobs:
            row, column, sums = job.result()
            for name, values in sums.items():
                stored[name][:, row, column] = values
    cubes.finish(url, grid, CHUNK, BEAM, [_described(one) for one in passes()], stored)


def _described(one: Acquisition) -> dict[str, Any]:
    return {
        "time": int(one.start.timestamp()),
        "scene_id": f"{products.SENSOR}_{one.start:%Y%m%dT%H%M%S}",
        "sensor": products.SENSOR,
        "beam": BEAM,
        "pass_direction": "DSC",
        "polarisations": "+".join(one.polarisations),
        "incidence_angle": one.incidence_angle,
        "resolution_range": one.resolution_range,
        "resolution_azimuth": one.resolution_azimuth,
    }


class Memory(threading.Thread):
    """Watches the resident memory of this process's children, twice a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[tuple[float, float]] = []
        self._done = threading.Event()

    def run(self) -> None:
        """Sample until `stop`."""
        import psutil

        began = time.perf_counter()
        while not self._done.wait(0.5):
            sizes = [0]
            for child in psutil.Process().children(recursive=True):
                try:
                    sizes.append(child.memory_info().rss)
                except psutil.Error:
                    continue
            self.samples.append((time.perf_counter() - began, max(sizes) / 2**30))

    def stop(self) -> None:
        """End the watch."""
        self._done.set()
        self.join()

    def curve(self, points: int = 10) -> str:
        """Largest process at evenly spaced moments, GiB."""
        if not self.samples:
            return "too short to tell"
        picked = np.linspace(0, len(self.samples) - 1, points).round().astype(int)
        return ", ".join(f"{t:.0f} s {size:.2f}" for t, size in (self.samples[i] for i in picked))


def timed(seconds: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    """Run something, keep its wall time."""
    print(f"{name} …", file=sys.stderr, flush=True)
    began = time.perf_counter()
    result = work()
    seconds[name] = time.perf_counter() - began
    print(f"  {seconds[name]:.1f} s", file=sys.stderr, flush=True)
    return result


def settings(root: Path, workers: int) -> RunConfig:
    """The run that maps the campaign."""
    return RunConfig.parse(
        {
            "workspace": str(root),
            "beam": BEAM,
            "polarisations": ["HH", "HV"],
            "dtw": {"radius": 3},
            "classify": {"method": "sum"},
            "samples": {"polygons": str(root / "polygons.gpkg")},
            "cluster": {"kind": "local", "workers": workers},
        }
    )


def simulated(root: Path, edge: int, workers: int, seconds: dict[str, float]) -> str:
    """The cube with its truth and polygons; one that is there is used."""
    url = f"{root}/cubes/{BEAM}.zarr"
    if Path(url, "zarr.json").exists():
        return url
    world = timed(
        seconds,
        "simulate the ground",
        lambda: make_world(over_massif("utm", (edge, edge)), SEED, (BEAM,)),
    )
    polygons.draw(world).to_file(root / "polygons.gpkg", driver="GPKG")
    products.write_rasters(world, root, [], 2048, None)
    timed(seconds, "simulate into the cube", lambda: write_cube(world, url, workers))
    return url


def mapped(config: RunConfig, workers: int, cube: str) -> MapResult:
    """The same map by some workers, into a folder that goes away."""
    from cpazmal_scale.mapping import map_cube
    from cpazmal_scale.stages import workspace

    model = workspace.url_of(config, workspace.find(config, "model"))
    with tempfile.TemporaryDirectory(prefix="cpazmal-massif-") as folder:
        return map_cube(settings(Path(folder), workers), model, cube)


def print_maps(config: RunConfig, cube: str, edge: int, workers: list[int]) -> None:
    """One line per number of workers, which have as many cores, and state of the page cache."""
    print("\n| Mpx | workers | files | s | px/s | px/s per core | waiting |")
    print("|---|---|---|---|---|---|---|")
    for number in workers:
        drop_from_cache(Path(cube))
        for files in ("cold", "warm"):
            began = time.perf_counter()
            with on_cores(number):
                made = mapped(config, number, cube)
            taken = time.perf_counter() - began
            cells = (
                f"{edge**2 / 1e6:.1f}",
                str(number),
                files,
                f"{taken:.1f}",
                f"{edge**2 / taken:,.0f}",
                f"{made.pixels_per_second_per_core:,.0f}",
                f"{made.stages['wait'] / made.stages['all']:.1%}",
            )
            print(f"| {' | '.join(cells)} |", flush=True)


def run(root: Path, edge: int, workers: list[int]) -> None:
    """Train, map, export, compare; print the figures."""
    from cpazmal_scale.assess import compare_map
    from cpazmal_scale.stages import classify, ingest, samples, train

    seconds: dict[str, float] = {}
    url = simulated(root, edge, max(workers), seconds)
    size = sum(f.stat().st_size for f in Path(url).rglob("*") if f.is_file())
    config = settings(root, workers[0])
    ingest.publish_cube(config, BEAM)
    timed(seconds, "draw the samples", lambda: samples.draw_samples(config))
    timed(seconds, "learn the barycenters", lambda: train.train(config))
    drop_from_cache(Path(url))
    memory = Memory()
    memory.start()
    made, _ = timed(seconds, "map", lambda: classify.classify(config))
    memory.stop()
    timed(seconds, "export", lambda: classify.export_map(config))
    truth = str(root / "truth.tif")
    compared = timed(seconds, "compare", lambda: compare_map(made.url, truth, None))
    print(f"{edge} x {edge} pixels, {len(passes())} dates, HH + HV, {workers[0]} workers;")
    print(f"cube {size / 1e9:.1f} GB, {size / edge**2:.0f} bytes per pixel, local disk\n")
    print("| stage | s |\n|---|---|")
    print("\n".join(f"| {name} | {value:.1f} |" for name, value in seconds.items()))
    print(f"\n{made}\n")
    every = made.stages["all"]
    shares = {name: value / every for name, value in made.stages.items() if name != "all"}
    print(", ".join(f"{name} {share:.0%}" for name, share in shares.items()))
    print(f"{made.pixels_per_second_per_core:,.0f} px/s per core while computing")
    print(f"largest worker over time, GiB: {memory.curve()}")
    print(compared.table().round(3).to_string())
    for name in ("map.png", "map.tif", "map.html"):
        print(f"{name}: {(root / name).stat().st_size / 1e6:.1f} MB")
    print_maps(config, url, edge, workers)


def main() -> None:
    """Simulate, map and clean up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edge", type=int, nargs="+", default=[10_000], help="of scenes, pixels")
    parser.add_argument("--workers", type=int, nargs="+", default=[2], help="one map by each")
    parser.add_argument("--folder", type=Path, help="a cube there is used; all of it is kept")
    parser.add_argument("--only-cube", action="store_true", help="simulate, and no more")
    given = parser.parse_args()
    for edge in given.edge:
        root = given.folder or Path(tempfile.mkdtemp(prefix="cpazmal-massif-"))
        if given.folder and len(given.edge) > 1:
            root /= str(edge)
        root.mkdir(parents=True, exist_ok=True)
        try:
            if given.only_cube:
                simulated(root, edge, max(given.workers), {})
            else:
                run(root, edge, given.workers)
        finally:
            if given.folder is None:
                shutil.rmtree(root)


if __name__ == "__main__":
    main()
