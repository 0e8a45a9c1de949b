"""What a map reads and how long it waits: warm and cold on disk, and from a store 30 ms away.

    python -m benchmarks.reading --folder DIR [--workers 2] [--delay 0.03]

DIR holds a cube of `benchmarks.massif --folder DIR --only-cube` and is kept; maps and the model go
to a temporary folder. Cold: the cube's files are dropped from the page cache first. The store is
`rclone serve s3` over DIR behind a proxy that delays and counts every request; the proxy answers
itself with whole objects, unless `--server` is given, so that the map has the cores. The processor
seconds of a map are those of its workers and of this process, without server and proxy: by them a
store on a machine of its own is told from one that shares the cores. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.cubes import drop_from_cache
from benchmarks.delayed import DelayedStore, delayed
from benchmarks.mapping import write_model
from benchmarks.massif import BEAM, passes

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpazmal_scale.mapping import MapResult


def mapped(cube_url: str, model_url: str, workers: int) -> MapResult:
    """Map the cube into a folder that goes away."""
    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.mapping import map_cube

    with tempfile.TemporaryDirectory(prefix="cpazmal-reading-") as folder:
        cluster = {"kind": "local", "workers": workers}
        config = RunConfig.parse(
            {"workspace": folder, "cluster": cluster, "classify": {"method": "sum"}}
        )
        return map_cube(config, model_url, cube_url)


def processor(store: DelayedStore | None = None) -> float:
    """Seconds of this process and of its children that have ended, without those of a proxy."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = time.process_time() - (store.busy if store else 0.0)
    return own + ended.ru_utime + ended.ru_stime


def row(name: str, work: Callable[[], MapResult], store: DelayedStore | None = None) -> MapResult:
    """Measure one way and print it."""
    began, spent = time.perf_counter(), processor(store)
    made = work()
    wall = time.perf_counter() - began
    spent = processor(store) - spent
    every = made.stages["all"]
    print(
        f"| {name} | {wall:.1f} | {made.computed / wall:,.0f} | "
        f"{made.pixels_per_second_per_core:,.0f} | {made.stages['wait'] / every:.0%} | "
        f"{spent:.1f} | {made.peak_memory / 2**30:.2f} |",
        flush=True,
    )
    return made


def serve(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """`rclone serve s3` over a folder; its subfolders are the buckets."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    beside = Path(sys.executable).with_name("rclone")
    rclone = str(beside) if beside.exists() else str(shutil.which("rclone"))
    words = ["serve", "s3", "--addr", f"127.0.0.1:{port}", "--vfs-cache-mode", "off", str(folder)]
    process = subprocess.Popen(
        [rclone, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        time.sleep(0.05)


def from_store(
    folder: Path, model_url: str, workers: int, delay: float, *, server: bool = False
) -> None:
    """The same cube through S3, every request delayed and counted."""
    process, port = serve(folder)
    try:
        with delayed(port, delay, None if server else folder) as store:
            os.environ |= {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{store.port}",
                "AWS_ACCESS_KEY_ID": "KEY",
                "AWS_SECRET_ACCESS_KEY": "SECRET",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
            made = row(
                f"store {1e3 * delay:.0f} ms away",
                lambda: mapped(f"s3://cubes/{BEAM}.zarr", model_url, workers),
                store,
            )
            chunks = sum(1 for f in (folder / "cubes").rglob("*") if f.is_file())
            size = sum(f.stat().st_size for f in (folder / "cubes").rglob("*") if f.is_file())
            gets = store.requests["GET"]
            own = sum(psutil.Process(process.pid).cpu_times()[:2]) + store.busy
            print(
                f"\n{gets:,} GET for {chunks:,} objects ({gets / chunks:.2f} each), "
                f"{store.received / 1e9:.2f} GB for {size / 1e9:.2f} GB "
                f"({store.received / size:.2f}), {store.received / made.computed:.0f} bytes per "
                f"pixel of {len(passes())} dates; other requests: "
                f"{sum(store.requests.values()) - gets}; store and delay took {own:.1f} s of the "
                f"processor time that the map shares with them"
            )
    finally:
        process.terminate()
        process.wait(20)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--delay", type=float, default=0.03, help="of a request, seconds")
    parser.add_argument("--server", action="store_true", help="rclone answers every request")
    given = parser.parse_args()
    cube = given.folder / "cubes" / f"{BEAM}.zarr"
    with tempfile.TemporaryDirectory(prefix="cpazmal-model-") as folder:
        model = f"{folder}/model.zarr"
        write_model(model)
        print("| cube | s | pixels/s | pixels/s per core | waiting | processor s | peak GiB |")
        print("|---|---|---|---|---|---|---|")
        mapped(str(cube), model, given.workers)  # kernels are compiled, files in the cache
        row("disk, warm", lambda: mapped(str(cube), model, given.workers))
        drop_from_cache(cube)
        row("disk, cold", lambda: mapped(str(cube), model, given.workers))
        from_store(given.folder, model, given.workers, given.delay, server=given.server)


if __name__ == "__main__":
    main()
