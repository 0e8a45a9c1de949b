"""What a map run will do, before it does it: blocks, bytes, cells, memory and its identity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from cpazmal_scale import __version__, storage
from cpazmal_scale.config import RunConfig, identity
from cpazmal_scale.config.methods import BEST, method
from cpazmal_scale.errors import ModelMismatch, PlanRefused
from cpazmal_scale.execute import block_memory, workers_found
from cpazmal_scale.execute.lanes import divided
from cpazmal_scale.grid.blocks import Block, columns_of, cut
from cpazmal_scale.legend import Legend, legend, merged
from cpazmal_scale.mapping.classify.acquired import acquired
from cpazmal_scale.mapping.classify.recipe import Recipe
from cpazmal_scale.mapping.classify.sizes import Shape, Sizes

if TYPE_CHECKING:
    import xarray as xr

    from cpazmal_scale.grid.extent import Extent
    from cpazmal_scale.model import Model

LARGEST_MAP_CHUNK = 512
START_SECONDS = 5.0
"""Until workers run, libraries are loaded and kernels compiled."""
_HALF_A_YEAR = 182.5
"""Days between the seasons of two hemispheres."""
_TROPICS = 10.0
"""Degrees of latitude within which seasons are not those of a hemisphere."""
_ALIKE = 5
"""Days within which two starts of a season are one: half a repeat cycle."""


@dataclass(frozen=True)
class MapPlan:
    """A map run: what it is made from, how it is cut, and what it will cost.

    `chunk` is the edge of the map's chunks, `block` the rows and columns of the blocks,
    `cube_chunk` the edge of the cube's chunks, `piece` that of the pieces of it that are read, all
    in pixels; sizes are bytes, `memory` and `memory_limit` those of one worker; `calibration` says
    how well probabilities are known and `shares` which shares of the classes they suppose (none:
    not known); `seconds_per_pixel` is what the classifier takes of one core.
    With outlines or an exclusion mask, `blocks` are those that hold some of what is wanted, column
    by column as they are computed; `excluded` pixels are left out by the mask.
    """

    id: str
    url: str
    cube_url: str
    model_url: str
    outlines_url: str | None
    exclude_url: str | None
    excluded: int
    recipe: Recipe
    calibration: str | None
    shares: tuple[float, ...] | None
    legend: Legend
    acquired: dict[str, int]
    shape: tuple[int, int]
    cube_chunk: int
    chunk: int
    piece: int
    block: tuple[int, int]
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
    config: RunConfig,
    model_url: str,
    cube_url: str,
    *,
    block: tuple[int, int] | None = None,
    workers: int | None = None,
) -> MapPlan:
    """Cut the map into blocks and forecast what it takes; nothing is written.

    Args:
        config: sections `classify` and `cluster`, the period and the workspace are used; features
            and band are the model's own.
        model_url: a trained model.
        cube_url: the cube to map.
        block: rows and columns of a block, instead of `classify.block`.
        workers: blocks computed at the same time; none: as many as `config.cluster` will compute,
            and of kind `address` the scheduler is asked.

    Raises:
        ClusterError: the scheduler of kind `address` does not answer or has no workers.
        PlanRefused: a block does not fit the memory of a worker.
        ModelMismatch: the cube lacks the model's polarisations, or dates in this period, or has
            them at another time of the year than the model.
        SampleError: the outlines or the exclusion mask cannot be used, or cover no pixel.
        StoreMissing: there is no such model or cube.
    """
    from cpazmal_scale.cube import open_cube
    from cpazmal_scale.grid.cf import grid_of
    from cpazmal_scale.grid.extent import read_extent
    from cpazmal_scale.grid.outlines import MapGrid
    from cpazmal_scale.model import open_model

    model, cube = open_model(model_url), open_cube(cube_url, **config.period)
    shape = (int(cube.sizes["y"]), int(cube.sizes["x"]))
    cube_chunk = int(cube.attrs["chunk"])
    chunk = min(cube_chunk, LARGEST_MAP_CHUNK)
    paths = config.classify.outlines, config.classify.exclude
    extent = read_extent(*paths, MapGrid(grid_of(cube), chunk))
    recipe = _recipe(config, model, cube, cube_url, extent)
    limits = model.on_dates(recipe.days, recipe.season_start).limits
    limit, workers = block_memory(config.cluster), workers or workers_found(config.cluster)
    sizes = Sizes(shape, recipe, cube_chunk, chunk, model.features.window // 2)
    chosen = _shape(config, sizes, limit, workers, block)
    every = cut(shape, chosen.height, chosen.width)
    columns = columns_of(b for b in every if extent is None or extent.near(b))
    blocks = tuple(block for column in columns for block in column)
    runs = divided(columns, workers)
    map_id = identity("map", __version__, recipe.model_dump(mode="json", exclude={"cube"}))
    made = MapPlan(
        id=map_id,
        url=storage.join(storage.absolute(config.workspace), "maps", f"{map_id}.zarr"),
        cube_url=storage.absolute(cube_url),
        model_url=storage.absolute(model_url),
        outlines_url=paths[0] and storage.absolute(paths[0]),
        exclude_url=paths[1] and storage.absolute(paths[1]),
        excluded=0 if extent is None else extent.excluded_pixels,
        recipe=recipe,
        calibration=model.calibration,
        shares=model.shares,
        legend=legend(recipe.classes, merged(model.legend, config.legend)),
        acquired=acquired(cube, recipe.polarisations),
        shape=shape,
        cube_chunk=cube_chunk,
        chunk=chunk,
        piece=chosen.piece,
        block=(chosen.height, chosen.width),
        blocks=blocks,
        bytes_read=sizes.read(runs, extent),
        bytes_written=sum(block.pixels for block in blocks) * sizes.bytes_out,
        seconds_per_pixel=model.classifier.seconds_per_pixel(limits),
        memory=sizes.memory(chosen),
        memory_limit=limit,
        workers=workers,
    )
    _check_memory(made)
    return made


def _shape(
    config: RunConfig, sizes: Sizes, limit: int, workers: int, block: tuple[int, int] | None
) -> Shape:
    wanted = config.classify.block
    chosen = sizes.square(wanted, limit) if wanted else sizes.choose(limit, workers)
    return chosen if block is None else chosen._replace(height=block[0], width=block[1])


def _recipe(
    config: RunConfig, model: Model, cube: xr.Dataset, cube_url: str, extent: Extent | None
) -> Recipe:
    asked = config.classify.method
    if asked not in (BEST, model.method):
        raise ModelMismatch(
            f"the model is {method(model.method).name}, the run asks for {method(asked).name}",
            where=model.id,
            remedy="train again, or set classify.method to that of the model",
        )
    _require_as_trained(config, model)
    _require_season(config.dtw.season_start, model)
    _require_hemisphere(config.dtw.season_start, model, cube)
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
        dates=tuple(str(day) for day in dates),
        polarisations=model.polarisations,
        classes=model.classes,
        method=model.method,
        withheld=model.withheld,
        reject=config.classify.reject,
        season_start=config.dtw.season_start or model.season_start,
        outlines=extent.outlines.digest if extent and extent.outlines else None,
        exclude=extent.excluded.digest if extent and extent.excluded else None,
        features=model.features,
    )


def _require_as_trained(config: RunConfig, model: Model) -> None:
    """Refuse settings other than those of the training: a map has the model's, whatever they say.

    Only settings that were given count; the band only where the method has one.
    """
    own: dict[str, tuple[object, object]] = {
        f"features.{name}": (getattr(model.features, name), getattr(config.features, name))
        for name in config.features.model_fields_set
    }
    if config.polarisations is not None:
        own["polarisations"] = model.polarisations, config.polarisations
    names = {"min_dates"}
    if method(model.method).options.get("warps"):
        names |= {"radius", "band_days", "open_ends"}
    own |= {
        f"dtw.{name}": (getattr(model.classifier, name), getattr(config.dtw, name))
        for name in names & config.dtw.model_fields_set
    }
    for name, (trained, asked) in own.items():
        if trained != asked:
            raise ModelMismatch(
                f"the model was trained with {name} {_said(trained)}, the run asks for "
                f"{_said(asked)}",
                where=model.id,
                remedy=f"train again, or set {name} to that of the model",
            )


def _require_season(start: str | None, model: Model) -> None:
    """Refuse a start of the season that shifts the training to another time of the year.

    The training's own, or that of the other hemisphere, within some days.
    """
    here, there = (
        date.fromisoformat(f"2021-{one}").timetuple().tm_yday
        for one in (start or model.season_start, model.season_start)
    )
    apart = _HALF_A_YEAR - abs(_HALF_A_YEAR - abs(here - there))
    if _ALIKE < apart < _HALF_A_YEAR - _ALIKE:
        raise ModelMismatch(
            f"dtw.season_start {start} lies {apart:.0f} days from that of the training, "
            f"{model.season_start}, and half a year lies between two hemispheres",
            where=model.id,
            remedy="leave it out: a period may begin on any day; or train with it",
        )


def _require_hemisphere(start: str | None, model: Model, cube: xr.Dataset) -> None:
    """Refuse a cube of the other hemisphere where no start of its season is given.

    Seasons near the equator are nobody's; of a table of series no place is known.
    """
    from cpazmal_scale.grid.cf import grid_of
    from cpazmal_scale.grid.projections import middle_latitude

    latitude = middle_latitude(grid_of(cube))
    if start is not None or abs(latitude) < _TROPICS or "beam" not in model.provenance:
        return
    trained = model.provenance.get("hemisphere", "north")
    here = "south" if latitude < 0 else "north"
    if trained not in (here, "unknown"):
        raise ModelMismatch(
            f"the model was trained {trained} of the equator and the cube lies {here} of it: "
            "the same season is half a year away",
            where=model.id,
            remedy="set dtw.season_start to the first day of the cube's season (that of the "
            f"training begins on {model.season_start})",
        )


def _said(value: object) -> str:
    if value is None:
        return "null"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _check_memory(made: MapPlan) -> None:
    if made.memory <= made.memory_limit:
        return
    smaller = max(made.block) > made.chunk
    raise PlanRefused(
        f"a block of {made.block[0]} × {made.block[1]} pixels needs "
        f"{made.memory / 2**30:.1f} GiB of a worker's {made.memory_limit / 2**30:.1f}",
        where=made.cube_url,
        remedy=("set classify.block to a smaller number, or " if smaller else "")
        + "raise cluster.memory_gib, or map a shorter period",
    )
