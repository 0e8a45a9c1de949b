"""Ingest against a plain sequential copy of the same file through the same store.

    python benchmarks/ingest.py [--size 6000] [--rows N] [--compress lzw|deflate|none] [--url URL]

Prints one line: MB/s of the source file for both, their ratio, and the peak memory of the ingest,
which grows with the width of the scene (`--size`) and not with its rows. `--size 10000` is a scene
of 1e8 pixels.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import ingest_scenes
from cpazmal_scale.mapping.classify.block import peak_memory

NAME = "PAZ1_SAR__SSC______SM_D_SRA_20200108T054412_20200108T054419"


def write_scene(folder: Path, size: int, height: int, compress: str) -> Path:
    """A dual-polarised scene of single-look-like speckle with a mask band, in the authors' form."""
    path = folder / f"subset_0_of_{NAME}_Cal_Tf_Tc_TC.tif"
    random = np.random.default_rng(0)
    profile = {
        "driver": "GTiff",
        "count": 3,
        "height": height,
        "width": size,
        "dtype": "float32",
        "nodata": -999.0,
        "crs": "EPSG:32632",
        "transform": Affine(3, 0, 339_000, 0, -3, 5_087_001),
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": compress,
        "BIGTIFF": "YES",
    }
    with rasterio.open(path, "w", **profile) as raster:
        for y in range(0, height, 512):
            rows = min(512, height - y)
            for band in (1, 2):
                values = random.gamma(2, 0.1, (rows, size)).astype("f4")
                raster.write(values, band, window=((y, y + rows), (0, size)))
            raster.write(np.zeros((rows, size), "f4"), 3, window=((y, y + rows), (0, size)))
    return path


def plain_copy(path: Path, url: str) -> float:
    """Seconds to copy a file into the store, 8 MiB at a time, and have it there for good."""
    import os

    import fsspec

    begun = time.perf_counter()
    target = storage.join(url, "copy.tif")
    if not storage.is_remote(url):
        Path(url).mkdir(parents=True, exist_ok=True)
    with path.open("rb") as source, fsspec.open(target, "wb") as sink:
        while block := source.read(8 * 2**20):
            sink.write(block)
        sink.flush()
        if not storage.is_remote(url):
            os.fsync(sink.fileno())
    seconds = time.perf_counter() - begun
    storage.remove(target)
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=6000)
    parser.add_argument("--rows", type=int, help="height; none: the size")
    parser.add_argument("--compress", default="none")
    parser.add_argument("--url", default="build/bench-ingest")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="cpazmal-bench-"))
    try:
        rows = options.rows or options.size
        path = write_scene(folder, options.size, rows, options.compress)
        size = path.stat().st_size / 1e6
        url = storage.absolute(options.url)
        copy = min(plain_copy(path, url) for _ in range(2))
        storage.remove(storage.join(url, "cubes"), recursive=True)
        naming = {"beam": "DSC37"}
        config = {"workspace": url, "ingest": {"scenes": str(folder), "naming": naming}}
        ingest_scenes(RunConfig.parse(config), dry_run=True)  # imports are not part of the measure
        report = ingest_scenes(RunConfig.parse(config))
        peak = peak_memory() / 2**30
        print(
            f"{size:.0f} MB ({options.compress}): copy {size / copy:.0f} MB/s, "
            f"ingest {size / report.seconds:.0f} MB/s, ratio {copy / report.seconds:.2f}, "
            f"peak {peak:.2f} GiB"
        )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
