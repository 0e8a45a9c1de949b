"""What a map run will do, before it does it: blocks, bytes, cells, memory and its identity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cpazmal_scale import __version__, storage
from cpazmal_scale.config import RunConfig, identity
from cpazmal_scale.config.methods import BEST, method
from cpazmal_scale.errors import ModelMismatch, PlanRefused
from cpazmal_scale.execute import block_memory, workers_of
from cpazmal_scale.features import names
from cpazmal_scale.grid.blocks import Block, cut
from cpazmal_scale.mapping.classify.recipe import Recipe

if TYPE_CHECKING:
    import xarray as xr

    from cpazmal_scale.grid.outlines import MapGrid, Outlines
    from cpazmal_scale.model import Model

LARGEST_MAP_CHUNK = 512
TILE = (32, 512)
"""Rows and columns computed together: their series stay in the last-level cache."""
BASE_MEMORY = 420 << 20
"""Resident size of a worker with all libraries loaded and kernels compiled."""
START_SECONDS = 5.0
"""Until workers run, libraries are loaded and kernels compiled."""
CHUNKS_IN_FLIGHT = 16
"""Chunks that are fetched and decoded at once."""


@dataclass(frozen=True)
class MapPlan:
    """A map run: what it is made from, how it is cut, and what it will cost.

    `chunk` is the edge of the map's chunks, `block` that of the blocks, `cube_chunk` that of the
    cube's chunks, all in pixels; sizes are bytes, `memory` and `memory_limit` those of one worker;
    `seconds_per_pixel` is what the
    classifier takes of one core. With outlines, `blocks` are those that hold
    some of what is inside.
    """

    id: str
    url: str
    cube_url: str
    model_url: str
    outlines_url: str | None
    recipe: Recipe
    shape: tuple[int, int]
    cube_chunk: int
    chunk: int
    block: int
    blocks: tuple[Block, ...]
    bytes_read: int
    bytes_written: int
    seconds_per_pixel: float
    memory: int
    memory_limit: int
    workers: int

    @property
    def pixels(self) -> int:
        """Pixels of all blocks."""
        return sum(block.pixels for block in self.blocks)

    @property
    def seconds(self) -> float:
        """Rough time on cores like those the constants were measured on."""
        samples = self.pixels * len(self.recipe.dates) * len(self.recipe.polarisations)
        every = self.pixels * (self.seconds_per_pixel + 1e-6)
        work = self.bytes_read / 3.5e8 + samples * 4e-8 + every
        return START_SECONDS + work / max(1, min(self.workers, len(self.blocks)))


def plan_map(
    config: RunConfig, model_url: str, cube_url: str, *, block: int | None = None
) -> MapPlan:
    """Cut the map into blocks and forecast what it takes; nothing is written.

    Args:
        config: sections `classify` and `cluster`, the period and the workspace are used; features
            and band are the model's own.
        model_url: a trained model.
        cube_url: the cube to map.
        block: edge of a block, instead of `classify.block`.

    Raises:
        PlanRefused: a block does not fit the memory of a worker.
        ModelMismatch: the cube lacks the model's polarisations, or dates in this period, or has
            them at another time of the year than the model.
        SampleError: the outlines cannot be used, or cover no pixel.
        StoreMissing: there is no such model or cube.
    """
    from cpazmal_scale.cube import open_cube
    from cpazmal_scale.grid.cf import grid_of
    from cpazmal_scale.grid.outlines import MapGrid
    from cpazmal_scale.model import open_model

    model = open_model(model_url)
    cube = open_cube(cube_url, **config.period)
    shape = (int(cube.sizes["y"]), int(cube.sizes["x"]))
    cube_chunk = int(cube.attrs["chunk"])
    chunk = min(cube_chunk, LARGEST_MAP_CHUNK)
    outlines = _outlines(config, MapGrid(grid_of(cube), chunk))
    recipe = _recipe(config, model, cube, cube_url, None if outlines is None else outlines.digest)
    dates = cube["time"].values.astype("datetime64[s]")
    limits = model.on_dates(dates, recipe.season_start).limits
    workers = workers_of(config.cluster)
    limit = block_memory(config.cluster)
    sizes = _Sizes(shape, recipe, cube_chunk, model.features.window // 2)
    wanted = block or config.classify.block
    edge = math.ceil(wanted / chunk) * chunk if wanted else _edge(sizes, chunk, limit, workers)
    blocks = tuple(b for b in cut(shape, edge) if outlines is None or outlines.touches(b))
    map_id = identity("map", __version__, recipe.model_dump(mode="json", exclude={"cube"}))
    made = MapPlan(
        id=map_id,
        url=storage.join(storage.absolute(config.workspace), "maps", f"{map_id}.zarr"),
        cube_url=storage.absolute(cube_url),
        model_url=storage.absolute(model_url),
        outlines_url=None if outlines is None else storage.absolute(str(config.classify.outlines)),
        recipe=recipe,
        shape=shape,
        cube_chunk=cube_chunk,
        chunk=chunk,
        block=edge,
        blocks=blocks,
        bytes_read=sum(sizes.read(block) for block in blocks),
        bytes_written=sum(block.pixels for block in blocks) * sizes.bytes_out,
        seconds_per_pixel=model.classifier.operations(limits),
        memory=max(sizes.memory(block) for block in blocks),
        memory_limit=limit,
        workers=workers,
    )
    _check_memory(made)
    return made


def _outlines(config: RunConfig, grid: MapGrid) -> Outlines | None:
    from cpazmal_scale.grid.outlines import read_outlines

    if config.classify.outlines is None:
        return None
    return read_outlines(config.classify.outlines, grid)


def _recipe(
    config: RunConfig, model: Model, cube: xr.Dataset, cube_url: str, outlines: str | None
) -> Recipe:
    asked = config.classify.method
    if asked not in (BEST, model.method):
        raise ModelMismatch(
            f"the model is {method(model.method).name}, the run asks for {method(asked).name}",
            where=model.id,
            remedy="train again, or set classify.method to that of the model",
        )
    missing = [name for name in model.polarisations if name not in cube.data_vars]
    if missing:
        raise ModelMismatch(
            f"the model needs {', '.join(model.polarisations)}; {', '.join(missing)} is missing",
            where=cube_url,
            remedy="map a cube with these polarisations, or train on this one",
        )
    dates = cube["time"].values.astype("datetime64[s]")
    if len(dates) < model.classifier.min_dates:
        raise ModelMismatch(
            f"{len(dates)} dates in this period, the model needs {model.classifier.min_dates}",
            where=cube_url,
            remedy="widen `start` and `end`, or ingest more scenes",
        )
    return Recipe(
        model=model.id,
        cube=cube_url.rstrip("/").rsplit("/", 1)[-1],
        cube_state=str(cube.attrs["state"]),
        beam=str(cube.attrs.get("beam", "")),
        dates=tuple(str(date) for date in dates),
        polarisations=model.polarisations,
        classes=model.classes,
        method=model.method,
        reject=config.classify.reject,
        season_start=config.dtw.season_start or model.season_start,
        outlines=outlines,
        features=model.features,
    )


class _Sizes(NamedTuple):
    """Bytes that blocks read and hold."""

    shape: tuple[int, int]
    recipe: Recipe
    cube_chunk: int
    halo: int

    @property
    def bytes_in(self) -> int:
        """Per pixel of the cube: all dates, with the mask."""
        return len(self.recipe.dates) * (4 * len(self.recipe.polarisations) + 1)

    @property
    def bytes_out(self) -> int:
        """Per pixel of the map."""
        return 2 * len(self.recipe.classes) + 9

    def read(self, block: Block) -> int:
        """Whole cube chunks that a block and its halo touch."""
        touched = 1
        for low, high, size in (
            (block.y0, block.y1, self.shape[0]),
            (block.x0, block.x1, self.shape[1]),
        ):
            first = max(low - self.halo, 0) // self.cube_chunk * self.cube_chunk
            last = math.ceil(min(high + self.halo, size) / self.cube_chunk) * self.cube_chunk
            touched *= min(last, size) - first
        return touched * self.bytes_in

    def memory(self, block: Block) -> int:
        """Largest resident size of a worker that computes this block."""
        height, width = block.y1 - block.y0, block.x1 - block.x0
        rows, columns = min(self.cube_chunk, height) + 4 * self.halo, width + 2 * self.halo
        strips = min(2, math.ceil(height / self.cube_chunk)) * rows * columns * self.bytes_in
        transit = CHUNKS_IN_FLIGHT * self.cube_chunk**2 * 8
        settings = self.recipe.features
        every = names(self.recipe.polarisations, settings.xpol, settings.statistics)
        series = len(every) * len(self.recipe.dates) * 4
        tile = TILE[0] * TILE[1] * (3 * series + self.bytes_in + 400)
        return BASE_MEMORY + strips + transit + tile + 2 * height * width * self.bytes_out


def _edge(sizes: _Sizes, chunk: int, limit: int, workers: int) -> int:
    """The edge that reads least twice, fits 80 % of the memory and leaves workers two blocks each.

    Larger blocks share fewer cube chunks with their neighbours. Of the edges that cut the grid into
    as many blocks the smallest is taken, so that blocks are of one size.
    """

    def count(edge: int) -> tuple[int, int]:
        return math.ceil(sizes.shape[0] / edge), math.ceil(sizes.shape[1] / edge)

    unit = math.ceil(sizes.cube_chunk / chunk) * chunk
    best = unit
    for edge in range(2 * unit, 9 * unit, unit):
        fits = sizes.memory(Block(0, edge, 0, edge)) <= 0.8 * limit
        if not fits or math.prod(count(edge)) < 2 * workers:
            break
        if count(edge) != count(best):
            best = edge
    return best


def _check_memory(made: MapPlan) -> None:
    if made.memory <= made.memory_limit:
        return
    smaller = made.block > made.chunk
    raise PlanRefused(
        f"a block of {made.block} pixels needs {made.memory / 2**30:.1f} GiB of a worker's "
        f"{made.memory_limit / 2**30:.1f}",
        where=made.cube_url,
        remedy=("set classify.block to a smaller number, or " if smaller else "")
        + "raise cluster.memory_gib, or map a shorter period",
    )
