"""Speed and memory of a full map: pixels per second per core and the share of every stage.

    python -m benchmarks.mapping [--edge 3072] [--edges 2048 3072 4096] [--folder DIR]
                                 [--classes 8] [--calibrated]

The cube holds 30 dates of HH and HV speckle; the model has 4 classes, 9 features, one barycenter
each and a band of 3 samples. A calibrated one has groups enough for probabilities, which its maps
hold. Scenes are written, mapped and removed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import tempfile
import types
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks import cubes

if TYPE_CHECKING:
    from cpazmal_scale.mapping import MapResult

DATES, CHUNK = 30, 512
CODES = ("ABL", "ACC", "HAG", "ICA", "FOR", "LAC", "PLA", "ROC")


class Trained(NamedTuple):
    """What is asked of a model: the number of its classes, and whether it knows probabilities."""

    classes: int = 4
    calibrated: bool = False


FOUR = Trained()


def write_cube(url: str, edge: int) -> None:
    """A square cube of speckle; all chunks of one layer and date are alike."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    from cpazmal_scale import storage

    grid = GeoBox((edge, edge), Affine(3, 0, 331200, 0, -3, 5078400), "EPSG:32632")
    rng = np.random.default_rng(0)
    tiles = -(-edge // CHUNK)
    stored = {name: np.zeros((DATES, tiles, tiles), np.uint32) for name in ("HH", "HV", "mask")}
    for date in range(DATES):
        for name in stored:
            speckle = rng.gamma(3, 0.05, (CHUNK, CHUNK)).astype(np.float32)
            values = np.zeros((CHUNK, CHUNK), np.uint8) if name == "mask" else speckle
            data = cubes.write_chunk(url, name, date, (0, 0), values)
            stored[name][date] = zlib.crc32(data)
            for row, column in np.ndindex(tiles, tiles):
                storage.write_bytes(f"{url}/{name}/c/{date}/{row}/{column}", data)
    dates = [
        {"time": 1577836800 + 11 * 86400 * date, "scene_id": str(date), "polarisations": "HH+HV"}
        for date in range(DATES)
    ]
    cubes.finish(url, grid, CHUNK, "bench", dates, stored)


def write_model(url: str, wanted: Trained = FOUR) -> None:
    """A model of noise."""
    from cpazmal_scale import features, model
    from cpazmal_scale.config import RunConfig

    rng = np.random.default_rng(1)
    series = types.SimpleNamespace(
        values=rng.normal(size=(10 * wanted.classes, 9, DATES)).astype(np.float32),
        names=features.names(("HH", "HV")),
        dates=np.datetime64("2020-01-01", "s") + np.arange(DATES) * np.timedelta64(950400, "s"),
    )
    labels = [code for code in CODES[: wanted.classes] for _ in range(10)]
    groups = [f"{code}{n % 5}" for n, code in enumerate(labels)] if wanted.calibrated else labels
    config = RunConfig.parse(
        {"dtw": {"radius": 3}, "train": {"iterations": 3}, "classify": {"method": "sum"}}
    )
    made = model.train(
        series,  # type: ignore[arg-type]
        labels,
        groups,
        config,
        polarisations=("HH", "HV"),
        provenance={},
    )
    model.save_model(made, url)


def measure(
    edge: int, cluster: dict[str, object], folder: str | None, wanted: Trained
) -> MapResult:
    """Write a scene and map it; `serial` after a small one that compiles and loads everything."""
    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.mapping import map_cube

    root = Path(tempfile.mkdtemp(prefix="cpazmal-bench-", dir=folder))
    try:
        write_cube(f"{root}/cube.zarr", edge)
        write_model(f"{root}/model.zarr", wanted)
        config = RunConfig.parse(
            {
                "workspace": str(root / "warm"),
                "cluster": cluster,
                "classify": {"method": "sum"},
            }
        )
        if cluster["kind"] == "serial":
            write_cube(f"{root}/small.zarr", CHUNK)
            small = config.with_values({"workspace": str(root / "small")})
            map_cube(small, f"{root}/model.zarr", f"{root}/small.zarr")
        return map_cube(config, f"{root}/model.zarr", f"{root}/cube.zarr")
    finally:
        shutil.rmtree(root)


@contextlib.contextmanager
def on_cores(number: int) -> Iterator[None]:
    """As many cores as workers: a worker reads ahead in a second thread, which needs time too."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(every)[:number])
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)


def stages(edge: int, folder: str | None, wanted: Trained) -> None:
    """Where the time of one core goes."""
    with on_cores(1):
        made = measure(edge, {"kind": "serial"}, folder, wanted)
    every = {
        "features": "features",
        "classes": "distances and decision",
        "write": "write",
        "wait": "waiting for the store (the rest of reading is hidden)",
        "open": "libraries, model and cube opened",
    }
    print(f"\n{edge} × {edge} pixels, {DATES} dates, HH + HV, one core\n")
    print("| | µs per pixel (wall) | share |\n|---|---|---|")
    for name, text in every.items():
        share = made.stages[name] / made.stages["all"]
        print(f"| {text} | {1e6 * made.stages[name] / edge**2:.2f} | {share:.0%} |")
    print(f"\n{made.pixels_per_second_per_core:,.0f} pixels/s on one core, all included.")
    print(f"Peak memory of the worker {made.peak_memory / 2**30:.2f} GiB.")


def scaling(edges: list[int], folder: str | None, wanted: Trained) -> None:
    """Size of the scene and number of workers: linear in both, memory constant."""
    print("\n| Mpx | workers | s of blocks | px/s | px/s per core | peak GiB | blocks |")
    print("|---|---|---|---|---|---|---|")
    for edge in edges:
        for workers in (1, 2):
            with on_cores(workers):
                made = measure(edge, {"kind": "local", "workers": workers}, folder, wanted)
            # Wall time of the blocks alone: start-up of worker processes is not per pixel.
            wall = (made.stages["all"] - made.stages["open"]) / workers
            print(
                f"| {edge**2 / 1e6:.1f} | {workers} | {wall:.1f} | {edge**2 / wall:,.0f} | "
                f"{edge**2 / wall / workers:,.0f} | {made.peak_memory / 2**30:.2f} | "
                f"{made.blocks_executed} |",
                flush=True,
            )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edge", type=int, default=3072, help="of the scene for the stages")
    parser.add_argument("--edges", type=int, nargs="*", default=[2048, 3072, 4096])
    parser.add_argument("--folder", help="where scenes are written; none: the temporary folder")
    parser.add_argument("--classes", type=int, choices=range(2, 9), default=4, help="of the model")
    parser.add_argument("--calibrated", action="store_true", help="the map holds probabilities")
    given = parser.parse_args()
    wanted = Trained(given.classes, given.calibrated)
    stages(given.edge, given.folder, wanted)
    scaling(given.edges, given.folder, wanted)


if __name__ == "__main__":
    main()
