"""A whole map: template, blocks on an executor, and the mark that it is finished."""

from __future__ import annotations

import contextlib
import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cpazmal_scale import __version__
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import BlocksFailed, CpazmalError
from cpazmal_scale.execute import Executor, blocks_at_once, open_executor
from cpazmal_scale.execute.lanes import Lanes, divided
from cpazmal_scale.grid.areas import class_areas, group_areas
from cpazmal_scale.grid.blocks import Block, Step, columns_of
from cpazmal_scale.legend import Legend
from cpazmal_scale.mapping.classify import records, store
from cpazmal_scale.mapping.classify.block import classify_block
from cpazmal_scale.mapping.classify.plan import MapPlan, plan_map
from cpazmal_scale.words import many

if TYPE_CHECKING:
    import pandas as pd

    from cpazmal_scale.progress import Progress


@dataclass(frozen=True)
class MapResult:
    """A finished map.

    `pixels` have a class, `computed` lie in blocks, `excluded` are left out by the exclusion mask;
    `seconds` is the wall time of this call, `stages` the blocks' own seconds by stage over all
    calls; `blocks_executed` were computed by this call, `blocks_skipped` before; `peak_memory` is
    that of the largest worker, in bytes.
    """

    id: str
    url: str
    shape: tuple[int, int]
    legend: Legend
    pixels: int
    computed: int
    excluded: int
    seconds: float
    workers: int
    stages: dict[str, float]
    blocks_executed: int
    blocks_skipped: int
    peak_memory: int
    pixels_by_class: dict[str, int]
    square_metres: dict[str, float]
    floored: dict[str, float]
    """Share of the map's valid pixels and dates below the floor, by channel; empty if the map
    was made before it was recorded."""
    pixels_per_second: float
    """Pixels of blocks per second of wall time: of this call or, if it had nothing to do, of the
    one that finished the map."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class codes; the map holds their position, counted from 1."""
        return self.legend.classes

    @property
    def pixels_per_second_per_core(self) -> float:
        """Pixels of blocks per second of computation, which is summed over all workers."""
        return self.computed / max(self.stages["all"], 1e-9)

    def __str__(self) -> str:
        rows = area_lines(self.areas, self.legend)
        wide = rows[0].rindex(" km²") - _KM2
        rows += [
            f"  {group:<{wide - 2}}{row['km2']:>{_KM2}.3f} km²{row['share']:>8.1%}"
            for group, row in group_areas(self.areas).iterrows()
        ]
        height, width = self.shape
        done = (
            f"map {self.id} of {height} x {width} px: "
            f"{many(self.blocks_executed, 'block')} computed, {self.blocks_skipped} found, "
            f"{self.pixels_per_second:,.0f} pixels per second, "
            f"{self.peak_memory / 2**20:.0f} MiB per worker"
        )
        if self.floored:
            told = ", ".join(f"{name} {share:.1%}" for name, share in self.floored.items())
            rows.append(f"  below the floor: {told}")
        if self.excluded:
            rows.append(f"  {'excluded':<{wide - 2}}{self.excluded:>{_KM2},} pixels")
        return "\n".join([done, *rows])

    @property
    def areas(self) -> pd.DataFrame:
        """Table by class: name, pixels, km², share of the mapped area."""
        return class_areas(self.legend, self.pixels_by_class, self.square_metres)


def area_lines(areas: pd.DataFrame, legend: Legend) -> list[str]:
    """Lines of a table of areas in the order of the legend, rejected pixels last.

    A name that is the code stands once, and no column runs into the next.
    """
    rest = [str(code) for code in areas.index if code not in legend.classes]
    codes = [*(code for code in legend.order if code in areas.index), *rest]
    names = {code: legend.names.get(code, "") for code in codes}
    names = {code: name if name != code else "" for code, name in names.items()}
    # A code without a name may reach over the column of names.
    first = max([3, *(len(code) for code in codes if names[code])]) + 2
    whole = max([first + 18, *(len(code) for code in codes)])
    whole = max([whole, *(first + len(names[code]) for code in codes)]) + 2
    lines = []
    for code in codes:
        row, called = areas.loc[code], f"{code:<{first}}{names[code]}"
        lines.append(f"  {called:<{whole}}{row['km2']:>{_KM2}.3f} km²{row['share']:>8.1%}")
    return lines


def map_cube(
    config: RunConfig,
    model_url: str,
    cube_url: str,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> MapResult:
    """Map a cube with a model; a map that exists is not computed again.

    A killed or failed run continues: finished blocks are recorded next to the map. The map counts
    as finished only when every block is written, and is the same bit for bit for any block size,
    number of workers and order of blocks.

    Args:
        config: as for `plan`.
        model_url: a trained model.
        cube_url: the cube to map.
        executor: where blocks are computed; none: as `config.cluster` says.
        progress: called with pixels done and pixels in all.

    Raises:
        PlanRefused: a block does not fit the memory of a worker.
        ModelMismatch: model and cube do not fit.
        BlocksFailed: naming blocks that could not be computed; all others are finished.
        StoreError: the workspace cannot be written.
    """
    began = time.perf_counter()
    made = plan_map(config, model_url, cube_url, workers=blocks_at_once(config.cluster))
    root = store.read_root(made.url)
    if root is not None and store.is_complete(root):
        store.relabel(made.url, made.legend)
        store.open_map(made.url).close()
        records.clear(made.url)
        return _result(made, records.summary(made.url), 0, began)
    if executor is None and config.cluster.kind == "address":  # a finished map needs no scheduler
        made = plan_map(config, model_url, cube_url)
    if root is None or not store.is_template(made.url):
        store.write_template(made)
    begun = records.begin(made.url, made.block)
    if begun != made.block:
        made = plan_map(config, model_url, cube_url, block=begun, workers=made.workers)
    done = records.recorded(made.url, made.blocks)
    left = [block for block in made.blocks if block not in done]
    with contextlib.ExitStack() as stack:
        if executor is None and left:
            executor = stack.enter_context(open_executor(config.cluster))
        if executor is not None:
            done |= _compute(made, left, executor, progress)
    seconds = time.perf_counter() - began
    facts = _facts(config, made, len(left), seconds)
    records.finish(made.url, facts, done.values())
    result = _result(made, records.summary(made.url), len(left), began)
    records.clear(made.url)
    return result


def _compute(
    made: MapPlan, left: list[Block], executor: Executor, progress: Progress | None
) -> dict[Block, dict[str, Any]]:
    job = functools.partial(
        classify_block,
        cube_url=made.cube_url,
        model_url=made.model_url,
        map_url=made.url,
        outlines_url=made.outlines_url,
        exclude_url=made.exclude_url,
        piece=made.piece,
    )
    lanes = Lanes(divided(columns_of(left), executor.workers), Step.before)
    return run_blocks(job, made.blocks, lanes, executor, progress, where=made.url)


def run_blocks(
    job: Callable[[Block], dict[str, Any]],
    blocks: Sequence[Block],
    left: Sequence[Block] | Lanes[Block],
    executor: Executor,
    progress: Progress | None,
    *,
    where: str,
) -> dict[Block, dict[str, Any]]:
    """Results of the blocks left of all `blocks` of the map at `where`.

    Raises:
        BlocksFailed: some could not be computed, after all others were.
    """
    finished: dict[Block, dict[str, Any]] = {}
    failed: dict[Block, Exception] = {}
    whole = sum(block.pixels for block in blocks)
    keys = left.keys if isinstance(left, Lanes) else left
    pixels = whole - sum(block.pixels for block in keys)
    if progress is not None:
        progress(pixels, whole)
    for block, result in executor.run(job, left):
        if isinstance(result, Exception):
            failed[block] = result
            continue
        finished[block] = result
        pixels += block.pixels
        if progress is not None:
            progress(pixels, whole)
    if failed:
        raise _failure(len(blocks), failed, where) from failed[min(failed)]
    return finished


def _failure(blocks: int, failed: dict[Block, Exception], where: str) -> BlocksFailed:
    names = ", ".join(block.name for block in sorted(failed)[:5])
    more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
    error = failed[min(failed)]
    reason = (str(error).splitlines() or [""])[0] or type(error).__name__
    remedy = "remove the cause and run the same map again: finished blocks stay"
    if isinstance(error, CpazmalError):
        reason = f"{error.what} ({error.where})" if error.where else error.what
        remedy = error.remedy or remedy
    if type(error).__name__ == "KilledWorker":
        reason = f"{min(failed).name} kills its worker, alone too"
    return BlocksFailed(
        f"{len(failed)} of {blocks} blocks failed ({names}{more}): {reason}",
        where=where,
        remedy=remedy,
    )


def _facts(config: RunConfig, made: MapPlan, executed: int, seconds: float) -> dict[str, Any]:
    return {
        "id": made.id,
        "software": f"cpazmal-scale {__version__}",
        "recipe": made.recipe.model_dump(mode="json"),
        "configuration": config.model_dump(mode="json"),
        "cube": made.cube_url,
        "model": made.model_url,
        "shape": list(made.shape),
        "excluded": {"by": made.exclude_url, "pixels": made.excluded},
        "workers": made.workers,
        "blocks_executed": executed,
        "seconds": round(seconds, 3),
    }


def _result(made: MapPlan, summary: dict[str, Any], executed: int, began: float) -> MapResult:
    blocks = summary["blocks"]
    stages, pixels, areas = (summed(b[name] for b in blocks) for name in _SUMMED)
    classes = made.recipe.classes
    share = summary["blocks_executed"] / len(blocks)
    return MapResult(
        id=made.id,
        url=made.url,
        shape=made.shape,
        legend=made.legend,
        pixels=int(sum(pixels[code] for code in classes)),
        computed=made.pixels,
        excluded=made.excluded,
        seconds=time.perf_counter() - began,
        workers=int(summary["workers"]),
        stages=stages,
        blocks_executed=executed,
        blocks_skipped=len(blocks) - executed,
        peak_memory=max(int(b["peak_memory"]) for b in blocks),
        pixels_by_class={code: int(n) for code, n in pixels.items()},
        square_metres=areas,
        floored=records.floored(summary),
        pixels_per_second=share * made.pixels / max(float(summary["seconds"]), 1e-9),
    )


_KM2 = 12
"""Letters of an area in km²."""
_SUMMED = ("seconds", "pixels", "square_metres")


def summed(tables: Iterable[dict[str, float]]) -> dict[str, float]:
    """Tables of numbers added up, by key."""
    total: defaultdict[str, float] = defaultdict(float)
    for table in tables:
        for key, value in table.items():
            total[key] += value
    return dict(total)
