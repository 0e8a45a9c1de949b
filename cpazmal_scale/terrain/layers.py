"""What a beam sees of the ground, once for all its dates: area ratio, local incidence and mask.

The work is cut twice. *Strips* of lines of the area lattice each gather the facets that fall into
them, always in the same order (tiles of the map by row and column, facets by row and column), so
that a cell's sum has the same bits however high a strip is. *Tiles* of the map then take their
pixels' values from the strips. Both are files below one address; tasks are keys.

The area lattice has cells of about 4 m along the track and 2.5 m of slant range, the same for all
products of a beam. Dates differ by the tube of the orbit, 250 m, which changes ratios by 0.016 dB.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.storage import seal
from cpazmal_scale.terrain.files import FINISHED, REMEDY, STRIPS, read, tile_url
from cpazmal_scale.terrain.gathering import run_tiles
from cpazmal_scale.terrain.ground import TILE, Ground
from cpazmal_scale.terrain.nodes import Lattice
from cpazmal_scale.terrain.strips import run_strip

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    from cpazmal_scale.execute import Executor
    from cpazmal_scale.progress import Progress

    Tile = tuple[int, int]


def read_layer(url: str, grid: GeoBox, rows: slice, columns: slice, name: str) -> NDArray[Any]:
    """A window of a layer of the ground: `LAYERS` names them and their type.

    Raises:
        StoreMissing: it was not computed.
    """
    _, row, column = Lattice.of(grid)
    kind, nothing = LAYERS[name]
    shape = rows.stop - rows.start, columns.stop - columns.start
    found = np.full(shape, nothing, kind)
    first, start = rows.start + row, columns.start + column
    state = storage.stamp(storage.join(url, FINISHED))
    for j in range(first // TILE, (first + shape[0] - 1) // TILE + 1):
        for i in range(start // TILE, (start + shape[1] - 1) // TILE + 1):
            stored = read(tile_url(url, (j, i)), state)
            tile, (top, left) = stored[name], (int(edge) for edge in stored["first"])
            down = slice(max(first, top), min(first + shape[0], top + tile.shape[0]))
            along = slice(max(start, left), min(start + shape[1], left + tile.shape[1]))
            if down.start < down.stop and along.start < along.stop:
                found[
                    down.start - first : down.stop - first, along.start - start : along.stop - start
                ] = tile[down.start - top : down.stop - top, along.start - left : along.stop - left]
    return found


LAYOUT = 6
"""Version of the files."""
_TASKS = 12
"""Tasks with tiles for every worker, of which one or two at the end leave others without work."""
LAYERS: dict[str, tuple[type, float]] = {
    "elevation": (np.float32, np.nan),
    "area_ratio": (np.float32, np.nan),
    "local_incidence": (np.float32, np.nan),
    "terrain_mask": (np.uint8, 0),
}
"""Type and no-data value of each layer."""


def compute(ground: Ground, executor: Executor, progress: Progress | None = None) -> None:
    """Compute all strips, then all tiles, and mark the whole as finished.

    What is finished already is not computed again.

    Raises:
        DemError, StoreError: a task failed.
    """
    done = storage.join(ground.url, FINISHED)
    if storage.exists(done):
        return
    # Files that were removed are written anew under their names.
    read.cache_clear()
    shares = _shares(ground.map_tiles, executor.workers)
    total, count = len(ground.strips) + len(shares), 0
    steps: tuple[tuple[Any, Any], ...] = (
        (functools.partial(run_strip, ground=ground), ground.strips),
        (functools.partial(run_tiles, ground=ground), shares),
    )
    found: list[Any] = []
    for function, keys in steps:
        found = []
        for _, result in executor.run(function, keys):
            if isinstance(result, Exception):
                raise result
            found.append(result)
            count += 1
            if progress is not None:
                progress(count, total)
    unknown, beyond = (sum(one) for one in zip(*found, strict=True))
    seal.write_document(done, {"unknown": unknown, "beyond": beyond})
    storage.remove(storage.join(ground.url, STRIPS), recursive=True)


def _shares(tiles: Sequence[Tile], workers: int) -> list[tuple[Tile, ...]]:
    """Tiles that follow each other, shared out into tasks.

    To hand out a task takes Dask a third of the time that a tile does, on a core of its own.
    """
    size = max(1, len(tiles) // (_TASKS * workers))
    return [tuple(tiles[first : first + size]) for first in range(0, len(tiles), size)]


def lacking(url: str) -> tuple[int, int]:
    """Pixels of finished layers whose height is not known, and others that unknown ground may be
    laid over or hide.

    Raises:
        StoreMissing: they are not finished.
        StoreDamaged: the mark that they are was altered.
    """
    where = storage.join(url, FINISHED)
    told = seal.read_document(where, REMEDY)
    with seal.parsing("not the mark of a finished ground", where, REMEDY):
        return int(told["unknown"]), int(told["beyond"])


def is_finished(url: str) -> bool:
    """Whether the layers at an address are complete."""
    return storage.exists(storage.join(url, FINISHED))
