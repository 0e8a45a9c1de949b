"""One block of the map: read, classify, write, and say what was done."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import resource
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import __version__, storage
from cpazmal_scale.cube import ChunkReader
from cpazmal_scale.errors import ModelMismatch
from cpazmal_scale.execute.memory import keep_memory
from cpazmal_scale.grid.areas import PixelAreas, pixel_areas
from cpazmal_scale.grid.blocks import Block, Step
from cpazmal_scale.mapping.classify import records
from cpazmal_scale.mapping.classify.edges import Edges
from cpazmal_scale.mapping.classify.pixels import PixelClassifier, Products, Seconds, blank_of
from cpazmal_scale.mapping.classify.sizes import TILE
from cpazmal_scale.mapping.classify.store import read_recipe, write_block
from cpazmal_scale.mapping.classify.walk import Walk, Window
from cpazmal_scale.vocabulary import NO_DATA, REJECTED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.grid.extent import Extent
    from cpazmal_scale.mapping.classify.recipe import Recipe


_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
EVERY = 8
"""Of every so many rows and columns one is looked at to tell how much power is below the floor."""


def classify_block(
    block: Block,
    *,
    cube_url: str,
    model_url: str,
    map_url: str,
    outlines_url: str | None = None,
    exclude_url: str | None = None,
    piece: int | None = None,
) -> dict[str, Any]:
    """Compute one block of a map, write it, and then its record.

    Everything is opened by its address, once per process and again when it is replaced. The
    block's arrays are whole chunks of the map, so that blocks never touch each other's objects;
    writing one again changes nothing.
    A `Step` that another block follows leaves what it has read and computed of that one to its
    process; a block finds it there, or begins anew.

    Args:
        block: to compute.
        cube_url: the cube.
        model_url: the model.
        map_url: the map, whose template exists.
        outlines_url: nothing outside these is computed.
        exclude_url: nothing that this mask covers is computed.
        piece: edge of the pieces of the cube that are read; none: a chunk.

    Returns:
        The block's record, plain JSON values: `block`, `pixels` and `square_metres` by class code
        (and `rejected`), `seconds` by stage (`read` in the
        background, `wait` for it), `sha256` of what was written, `objects` with
        the CRC-32 of each chunk that was stored, `peak_memory` of the process in bytes, `floored`
        by channel: of the valid pixels of all dates that were looked at, how many are below the
        floor, and how many they are.

    Raises:
        CubeDamaged: a chunk of the cube is lost or altered.
        ModelMismatch: the model at this address is another than the map's.
        SampleError: outlines or exclusion mask are others than the map's.
    """
    began = time.perf_counter()
    known = records.find(map_url, block)
    if known is not None:  # by a worker that died before it could tell
        return known
    urls = (cube_url, model_url, map_url, outlines_url, exclude_url)
    job = _open(*urls, _stamps(*urls))
    seconds: Seconds = defaultdict(float)
    seconds["open"] = time.perf_counter() - began
    sheet = _compute(job, block, piece or job.reader.chunk, seconds)
    writing = time.perf_counter()
    sums = write_block(map_url, block, sheet.products)
    seconds["write"] = time.perf_counter() - writing
    seconds["all"] = time.perf_counter() - began
    digest = {
        **digest_of(block, sheet.products, job.areas, job.recipe.classes),
        "floored": dict(zip(job.recipe.polarisations, sheet.floored.tolist(), strict=True)),
        "seconds": {stage: round(value, 6) for stage, value in seconds.items()},
        "objects": sums,
    }
    records.record(map_url, digest)
    return digest


def digest_of(
    block: Block,
    products: Products,
    areas: PixelAreas,
    classes: tuple[str, ...],
) -> dict[str, Any]:
    """What the record of any block says, plain JSON values; see `classify_block`.

    `areas` are those of the map's pixels, `classes` codes in the map's order.
    """
    pixels, square_metres = tally(products["class"], block, areas, classes)
    return {
        "block": list(block),
        "pixels": pixels,
        "square_metres": square_metres,
        "sha256": _sha256(products),
        "peak_memory": peak_memory(),
        "software": __version__,
    }


@dataclass(frozen=True, eq=False)
class _Job:
    """What the blocks of one map share, opened once per process."""

    map_url: str
    reader: ChunkReader
    classifier: PixelClassifier
    recipe: Recipe
    areas: PixelAreas
    halo: int
    extent: Extent | None

    def needed(self, y0: int, y1: int, x0: int, x1: int) -> bool:
        """Whether what is wanted may lie in rows y0 ≤ y < y1 and columns x0 ≤ x < x1."""
        return self.extent is None or self.extent.near(Block(y0, y1, x0, x1))


@dataclass(frozen=True, eq=False)
class _Sheet:
    """A block on its way: its products, and which pixels of it are wanted (none: all).

    `floored` (P, 2) counts pixels below the floor, and all that were looked at.
    """

    block: Block
    products: Products
    inside: NDArray[np.bool_] | None
    floored: NDArray[np.int64]

    @classmethod
    def blank(cls, job: _Job, block: Block) -> _Sheet:
        """Nothing yet."""
        products = blank_of(job.recipe, block.y1 - block.y0, block.x1 - block.x0)
        inside = None if job.extent is None else job.extent.inside(block)
        floored = np.zeros((len(job.recipe.polarisations), 2), np.int64)
        return cls(block, products, inside, floored)

    def look(self, job: _Job, window: Window, there: Block) -> None:
        """Count the pixels of a window below the floor, every `EVERY`-th row and column of it."""
        y, x = (start + -start % EVERY for start in (there.y0, there.x0))
        v, u = y - window.y + job.halo, x - window.x + job.halo
        here = (
            ...,
            slice(v, there.y1 - window.y + job.halo, EVERY),
            slice(u, there.x1 - window.x + job.halo, EVERY),
        )
        settings, power = job.classifier.features, window.power[here]
        used = np.isfinite(power) & (window.mask[here] & settings.excluded == 0)
        if self.inside is not None:
            rows = slice(y - self.block.y0, there.y1 - self.block.y0, EVERY)
            used &= self.inside[rows, x - self.block.x0 : there.x1 - self.block.x0 : EVERY]
        self.floored[:, 0] += (used & (power < settings.floor)).sum(axis=(1, 2, 3))
        self.floored[:, 1] += used.sum(axis=(1, 2, 3))


class _Left:
    """What this process has read and computed beyond the blocks it was asked for.

    At most one block for each thread that computes: the oldest makes room.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Hold nothing: a forked process lacks the threads that read."""
        self._begun: dict[tuple[int, Block], tuple[_Job, Walk, _Sheet]] = {}
        self._threads: set[int] = set()
        self._lock = threading.Lock()

    def take(self, job: _Job, block: Block) -> tuple[Walk, _Sheet] | None:
        """The walk that goes on with this block and what there is of it."""
        with self._lock:
            found = self._begun.pop((id(job), Block(*block)), None)
        return None if found is None else found[1:]

    def keep(self, job: _Job, walk: Walk, sheet: _Sheet) -> None:
        """Keep these for the thread that computes the block."""
        with self._lock:
            self._threads.add(threading.get_ident())
            self._begun[id(job), sheet.block] = (job, walk, sheet)
            stale = list(self._begun)[: -len(self._threads)]
            gone = [self._begun.pop(key) for key in stale]
        for _, one, _ in gone:
            one.close()


_left = _Left()
os.register_at_fork(after_in_child=_left.forget)


def _compute(job: _Job, block: Block, piece: int, seconds: Seconds) -> _Sheet:
    """The block, done; the block that follows is begun."""
    found = _left.take(job, block)
    if found is None:
        columns, needed = (block.x0, block.x1), None if job.extent is None else job.needed
        edges = Edges(job.map_url, *columns)
        walk = Walk(job.reader, block.y0, columns, job.halo, piece, needed, edges)
        sheets = [_Sheet.blank(job, block)]
    else:
        walk, sheets = found[0], [found[1]]
    left = block.left if isinstance(block, Step) else 0
    if left:
        height, lowest = block.y1 - block.y0, job.reader.shape[0]
        below = Block(block.y1, min(block.y1 + height, lowest), block.x0, block.x1)
        sheets.append(_Sheet.blank(job, below))
    try:
        while walk.y < block.y1:
            window = walk.next(sheets[-1].block.y1, ends=left < 2)
            seconds["read"] += window.read
            seconds["wait"] += window.waited
            for one in sheets:
                _classify_window(job, window, one, seconds)
    except BaseException:
        walk.close()
        raise
    if len(sheets) > 1:
        _left.keep(job, walk, sheets[1])
    else:
        walk.close()
    return sheets[0]


def _classify_window(job: _Job, window: Window, sheet: _Sheet, seconds: Seconds) -> None:
    """Fill the products of a sheet, tile by tile, where a window meets what is wanted of it."""
    blank = blank_of(job.recipe, 1, 1)
    around, block = 2 * job.halo, sheet.block
    height, width = window.mask.shape[1] - around, window.mask.shape[2] - around
    top, bottom = max(window.y, block.y0), min(window.y + height, block.y1)
    left, right = max(window.x, block.x0), min(window.x + width, block.x1)
    if top < bottom and left < right:
        sheet.look(job, window, Block(top, bottom, left, right))
    for y in range(top, bottom, TILE[0]):
        for x in range(left, right, TILE[1]):
            h, w = min(TILE[0], bottom - y), min(TILE[1], right - x)
            v, u = y - block.y0, x - block.x0
            there = (..., slice(v, v + h), slice(u, u + w))
            if sheet.inside is not None and not sheet.inside[there].any():
                continue
            v, u = y - window.y, x - window.x
            here = (..., slice(v, v + h + around), slice(u, u + w + around))
            tile = {name: values[there] for name, values in sheet.products.items()}
            job.classifier.classify(window.power[here], window.mask[here], tile, seconds)
            if sheet.inside is not None:
                for name, values in tile.items():
                    np.copyto(values, blank[name], where=~sheet.inside[there])


def _stamps(
    cube_url: str, model_url: str, map_url: str, *vectors_or_masks: str | None
) -> tuple[str, ...]:
    """What changes when one of these is replaced."""
    roots = [storage.join(url, "zarr.json") for url in (cube_url, model_url, map_url)]
    return tuple(storage.stamp(url) for url in (*roots, *vectors_or_masks) if url is not None)


@lru_cache(maxsize=2)
def _open(
    cube_url: str,
    model_url: str,
    map_url: str,
    outlines_url: str | None,
    exclude_url: str | None,
    stamps: tuple[str, ...],  # noqa: ARG001 - part of the key
) -> _Job:
    import zarr

    from cpazmal_scale.grid.cf import from_attributes
    from cpazmal_scale.grid.extent import known_extent
    from cpazmal_scale.grid.outlines import MapGrid
    from cpazmal_scale.model import open_model

    keep_memory()
    recipe, model = read_recipe(map_url), open_model(model_url)
    if model.id != recipe.model:
        raise ModelMismatch(
            f"this model is {model.id}, the map was begun with {recipe.model}",
            where=model_url,
            remedy="plan the map again",
        )
    group = zarr.open_group(storage.zarr_store(map_url), mode="r", use_consolidated=True)
    classes: Any = group["class"]
    geobox = from_attributes(group["spatial_ref"].attrs.asdict(), classes.shape)
    grid = MapGrid(geobox, max(classes.chunks))
    extent = known_extent(outlines_url, exclude_url, grid, (recipe.outlines, recipe.exclude))
    return _Job(
        map_url,
        ChunkReader.open(cube_url, recipe.polarisations, recipe.dates),
        PixelClassifier.of(model, recipe),
        recipe,
        pixel_areas(grid.geobox),
        model.features.window // 2,
        extent,
    )


def tally(
    values: NDArray[np.uint8], block: Block, areas: PixelAreas, classes: tuple[str, ...]
) -> tuple[dict[str, int], dict[str, float]]:
    """Pixels and m² by class code, and of `rejected` and `no_data`.

    Args:
        values: (h, w) class values as a map stores them.
        block: where they are on the map.
        areas: those of the map's pixels.
        classes: class codes in the map's order.
    """
    codes = [*classes, "rejected", "no_data"]
    wanted = [*range(1, len(classes) + 1), REJECTED, NO_DATA]
    counts = np.bincount(values.ravel(), minlength=NO_DATA + 1)[wanted].tolist()
    ground = areas.of(values, block, wanted).tolist()
    return dict(zip(codes, counts, strict=True)), dict(zip(codes, ground, strict=True))


def _sha256(products: Products) -> str:
    """SHA-256 of the values of all products, in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(products):
        total.update(products[name].tobytes())
    return total.hexdigest()


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes."""
    with contextlib.suppress(OSError):
        told = _PEAK.search(Path("/proc/self/status").read_text())
        if told is not None:
            return int(told[1]) * 1024
    # Where /proc is not there; Linux would tell the size of the process that started this one, too.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
