"""Speed and memory of a full map: pixels per second per core and the share of every stage.

    python -m benchmarks.mapping [edge in pixels] [workers] [folder]

The cube holds 30 dates of HH and HV speckle; the model has 4 classes, 9 features, one barycenter
each and a band of 3 samples. The scene is written, mapped and removed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
import types
from pathlib import Path

import numpy as np

DATES, CHUNK = 30, 512


def write_cube(url: str, edge: int) -> None:
    from affine import Affine
    from odc.geo.geobox import GeoBox

    from cpazmal_scale import storage
    from cpazmal_scale.cube import layout, record

    grid = GeoBox((edge, edge), Affine(3, 0, 331200, 0, -3, 5078400), "EPSG:32632")
    documents = layout.documents(("HH", "HV", "mask"), grid, CHUNK, DATES, "gamma0_T")
    rng = np.random.default_rng(0)
    tiles = -(-edge // CHUNK)
    for name in ("HH", "HV", "mask"):
        for date in range(DATES):
            speckle = rng.gamma(3, 0.05, (CHUNK, CHUNK)).astype(np.float32)
            values = np.zeros((CHUNK, CHUNK), np.uint8) if name == "mask" else speckle
            data = layout.encode(values)
            for row in range(tiles):
                for column in range(tiles):
                    storage.write_bytes(f"{url}/{name}/c/{date}/{row}/{column}", data)
            sums = np.ones((tiles, tiles), np.uint32)
            storage.write_bytes(f"{url}/stored/{name}/c/{date}/0/0", layout.encode(sums))
    room = layout.DATES_PER_CHUNK
    times = 1577836800 + 11 * 86400 * np.arange(room, dtype=np.int64)
    storage.write_bytes(f"{url}/time/c/0", layout.encode(times))
    texts = ("scene_id", "sensor", "beam", "pass_direction", "source_sha256", "resampling")
    for name in (*texts, "polarisations"):
        storage.write_bytes(f"{url}/{name}/c/0", layout.encode_texts(["HH+HV"] * room))
    for name in ("incidence_angle", "resolution_range", "resolution_azimuth"):
        storage.write_bytes(f"{url}/{name}/c/0", layout.encode(np.zeros(room, np.float32)))
    for name, axis in zip(("y", "x"), layout.axis_values(grid), strict=True):
        storage.write_bytes(f"{url}/{name}/c/0", layout.encode(axis))
    facts = {"cpazmal_cube": layout.FORMAT, "beam": "bench", "radiometry": "gamma0_T"}
    facts |= {"chunk": CHUNK, "polarisations": ["HH", "HV"]}
    storage.write_bytes(f"{url}/zarr.json", record.root_document(facts, documents))


def write_model(url: str) -> None:
    from cpazmal_scale import features, model
    from cpazmal_scale.config import RunConfig

    rng = np.random.default_rng(1)
    series = types.SimpleNamespace(
        values=rng.normal(size=(40, 9, DATES)).astype(np.float32),
        names=features.names(("HH", "HV")),
        dates=np.datetime64("2020-01-01", "s") + np.arange(DATES) * np.timedelta64(950400, "s"),
    )
    labels = [code for code in ("ABL", "ACC", "HAG", "ICA") for _ in range(10)]
    config = RunConfig.parse({"dtw": {"radius": 3}, "train": {"iterations": 3}})
    made = model.train(
        series,  # type: ignore[arg-type]
        labels,
        labels,
        config,
        polarisations=("HH", "HV"),
        provenance={},
    )
    model.save_model(made, url)


def main(edge: int = 2048, workers: int = 1, folder: str | None = None) -> None:
    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.mapping import classify

    root = Path(tempfile.mkdtemp(prefix="cpazmal-bench-", dir=folder))
    try:
        write_cube(f"{root}/cube.zarr", edge)
        write_model(f"{root}/model.zarr")
        kind = "serial" if workers == 1 else "local"
        cluster = {"kind": kind, "workers": workers}
        config = RunConfig.parse({"workspace": str(root / "warm"), "cluster": cluster})
        if workers == 1:
            warm = RunConfig.parse({**config.model_dump(), "end": "2020-06-01"})
            classify(warm, f"{root}/model.zarr", f"{root}/cube.zarr")
        began = time.process_time()
        made = classify(config, f"{root}/model.zarr", f"{root}/cube.zarr")
        busy = time.process_time() - began
    finally:
        shutil.rmtree(root)
    stages = {name: made.stages[name] for name in ("features", "distances", "decision", "write")}
    stages["waiting for the store"] = made.stages["wait"]
    stages["libraries, model and cube opened"] = made.stages["open"]
    print(f"{edge} × {edge} pixels, {DATES} dates, HH + HV, {workers} worker(s)")
    print(f"  {made.pixels_per_second:,.0f} px/s, start-up included, {made.seconds:.1f} s")
    print(f"  {made.pixels_per_second_per_core:,.0f} px/s per core while computing")
    if workers == 1:
        print(f"  {edge**2 / busy:,.0f} px/s per core by processor time, all included")
    for name, seconds in stages.items():
        share = 100 * seconds / made.stages["all"]
        print(f"  {share:5.1f} %  {1e6 * seconds / edge**2:6.2f} µs/px  {name}")
    print(f"  peak memory of a worker {made.peak_memory / 2**30:.2f} GiB")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:3]), *sys.argv[3:4])
