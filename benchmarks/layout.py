"""Chunk and shard shapes of a cube: what appending and each way of reading it costs.

    python -m benchmarks.layout [--size 2048] [--dates 12] [--url URL ...]

For every shape one float32 layer of speckle is written through zarr, date by date, then read as a
map does (a block of all dates with its halo), as a viewer does (one date, whole), and as a curious
person does (all dates of one pixel). Milliseconds of wall time and, in parentheses, of CPU of this
process, the best of three; objects per date and layer. A `chunk/shard` of `512/2048` is 512² chunks
in shards of 2048²; shards hold one date, because one over time would be rewritten at each append.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from cpazmal_scale import storage

SHAPES: tuple[tuple[int, int | None], ...] = (
    (128, None),
    (256, None),
    (512, None),
    (1024, None),
    (128, 1024),
    (256, 1024),
    (512, 2048),
)
BLOCK, HALO = 512, 9


Spent = tuple[float, float]


def spend(function: Callable[[], object]) -> Spent:
    """Milliseconds of wall and CPU time of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)


def best(spent: list[Spent]) -> str:
    """The fewest milliseconds of several calls."""
    walls, cpus = zip(*spent, strict=True)
    return f"{min(walls):.0f} ({min(cpus):.0f})"


def create(url: str, size: int, chunk: int, shard: int | None) -> zarr.Array[Any]:
    """An empty layer without dates."""
    return zarr.create_array(
        storage.zarr_store(url),
        shape=(0, size, size),
        chunks=(1, chunk, chunk),
        shards=None if shard is None else (1, shard, shard),
        dtype="float32",
        compressors=ZstdCodec(level=1, checksum=True),
        fill_value=float("nan"),
        overwrite=True,
    )


def measure(url: str, size: int, dates: int, chunk: int, shard: int | None) -> str:
    """One row of the table."""
    layer = create(url, size, chunk, shard)
    scenes = [np.random.default_rng(d).gamma(2, 0.1, (size, size)).astype("f4") for d in range(3)]

    def append(date: int) -> None:
        layer.resize((date + 1, size, size))
        layer[date] = scenes[date % 3]

    appends = [spend(partial(append, date)) for date in range(dates)]
    layer = zarr.open_array(storage.zarr_store(url, read_only=True), mode="r")
    inner = slice(BLOCK - HALO, 2 * BLOCK + HALO)
    whole = slice(BLOCK, 2 * BLOCK)
    reads: list[Callable[[], object]] = [
        lambda: layer[:, whole, whole],
        lambda: layer[:, inner, inner],
        lambda: layer[dates // 2],
        lambda: layer[:, 700, 700],
    ]
    columns = [best(appends), *(best([spend(read) for _ in range(3)]) for read in reads)]
    objects = (-(-size // (shard or chunk))) ** 2
    name = f"{chunk}" if shard is None else f"{chunk}/{shard}"
    return f"| {name} | {objects} | " + " | ".join(columns) + " |"


def main() -> None:
    """Measure and print one table per store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--dates", type=int, default=12)
    parser.add_argument("--url", nargs="+", default=["build/bench-layout"])
    options = parser.parse_args()
    for url in map(storage.absolute, options.url):
        kind = url.split("://")[0] if storage.is_remote(url) else "file"
        print(f"\n{options.size} x {options.size}, {options.dates} dates, ms, {kind}")
        print(
            "| chunk/shard | objects | append | 512² series | 530² block | one date | one pixel |"
        )
        print("|---|---|---|---|---|---|---|")
        for number, (chunk, shard) in enumerate(SHAPES):
            place = storage.join(url, f"layout-{number}.zarr")
            print(measure(place, options.size, options.dates, chunk, shard), flush=True)
            storage.remove(place, recursive=True)


if __name__ == "__main__":
    main()
