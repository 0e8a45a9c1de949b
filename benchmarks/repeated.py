"""A large cube and map made of small ones that are repeated: `benchmarks.view` needs both.

`python -m benchmarks.repeated WORKSPACE FOLDER TIMES`: the only cube and map of a workspace, each
chunk TIMES × TIMES times as a hard link, in a workspace FOLDER; edges must be whole chunks.
"""

from __future__ import annotations

import os
import shutil
import sys
import zlib
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox

from benchmarks import cubes
from cpazmal_scale.cube import open_cube, require_record
from cpazmal_scale.cube.read.checked import CheckedChunks
from cpazmal_scale.mapping import OVERVIEWS, legend_of, open_map, read_recipe, to_cog
from cpazmal_scale.mapping.classify import pixels, store


def main() -> None:
    """Write cube, map, its GeoTIFF and the model."""
    small, large, times = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    (cube,) = small.glob("cubes/*.zarr")
    (map_,) = small.glob("maps/*.zarr")
    name = read_recipe(str(map_)).model
    for folder in ("models", "catalog.d"):
        shutil.copytree(small / folder, large / folder)
    repeat_cube(cube, large / "cubes" / cube.name, times)
    repeat_map(map_, large / "cubes" / cube.name, large / "maps" / map_.name, times)
    print(f"{large}: cube {cube.name}, map {map_.name}, model {name}")


def repeat_cube(small: Path, large: Path, times: int) -> None:
    """The layers of a cube that have dates, repeated."""
    record = require_record(str(small))
    height, width = record.grid.shape
    grid = GeoBox((height * times, width * times), record.grid.affine, record.grid.crs)
    sums, stored = CheckedChunks(record), {}
    for layer in (*record.polarisations, "mask"):
        known = np.stack([sums.sums(layer, date) for date in range(record.length)])
        stored[layer] = np.tile(known, (1, times, times))
        for date in range(record.length):
            link(small / layer / f"c/{date}", large / layer / f"c/{date}", times)
    dates = [
        {name: values[date] for name, values in record.dates.items()}
        for date in range(record.length)
    ]
    cubes.finish(str(large), grid, record.chunk, record.attributes["beam"], dates, stored)


def repeat_map(small: Path, cube: Path, large: Path, times: int) -> None:
    """All chunks of a map, and everything that makes them a finished one."""
    data, recipe = open_map(str(small)), read_recipe(str(small))
    height, width = (int(data.sizes[axis]) * times for axis in "yx")
    attributes = {**data.attrs, "complete": 0}
    products = {
        name: values
        for name, values in pixels.blank_of(recipe, 1, 1).items()
        if name in data.data_vars
    }
    chunk = int(data["class"].encoding["chunks"][-1])
    empty = store.template(
        products, legend_of(data), open_cube(str(cube)), (height, width), chunk, attributes
    )
    store.write_metadata(empty, str(large))
    blocks = (*products, *OVERVIEWS[:-1])  # `publish` makes the last one of those of blocks
    for array in blocks:
        deep = sorted((small / array / "c").glob("[0-9]*/[0-9]*/[0-9]*"))
        place = "c/0" if deep else "c"
        link(small / array / place, large / array / place, times)
    chunks: dict[str, int] = {}
    for array in blocks:
        for path in (large / array / "c").rglob("*"):
            if path.is_file():
                chunks[str(path.relative_to(large))] = zlib.crc32(path.read_bytes())
    store.publish(str(large), chunks)
    shutil.copy(small.with_suffix(".json"), large.with_suffix(".json"))
    to_cog(str(large), str(large.with_suffix(".tif")))


def link(small: Path, large: Path, times: int) -> None:
    """Chunks row/column of a folder, TIMES × TIMES times."""
    places = [(int(path.parent.name), int(path.name), path) for path in small.glob("*/*")]
    rows, columns = (1 + max(place[axis] for place in places) for axis in (0, 1))
    for row, column, path in places:
        for down in range(times):
            (large / str(row + down * rows)).mkdir(parents=True, exist_ok=True)
            for across in range(times):
                os.link(path, large / str(row + down * rows) / str(column + across * columns))


if __name__ == "__main__":
    main()
