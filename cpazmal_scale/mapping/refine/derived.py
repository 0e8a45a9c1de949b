"""Maps made of maps: by blocks of whole chunks, resumed, and published like their sources."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from cpazmal_scale import __version__, storage
from cpazmal_scale.config import RunConfig, identity
from cpazmal_scale.execute import PLAIN, Execution, open_executor
from cpazmal_scale.grid.areas import class_areas
from cpazmal_scale.grid.blocks import Block, cut
from cpazmal_scale.legend import Legend, Styles, legend, merged
from cpazmal_scale.mapping.classify import records, store
from cpazmal_scale.mapping.classify.acquired import NAME as CHANNELS
from cpazmal_scale.mapping.classify.acquired import acquired_by, together
from cpazmal_scale.mapping.classify.block import digest_of
from cpazmal_scale.mapping.classify.pixels import Products, blank_of
from cpazmal_scale.mapping.classify.recipe import Recipe
from cpazmal_scale.mapping.classify.run import area_lines, run_blocks, summed
from cpazmal_scale.mapping.refine import periods
from cpazmal_scale.mapping.refine.source import Source, open_source
from cpazmal_scale.words import many

if TYPE_CHECKING:
    import pandas as pd

_SUMMED = ("pixels", "square_metres")
_EDGE = 1024
"""Edge of a block in pixels: some hundred bytes per pixel are held."""


class Made(NamedTuple):
    """The products of one block, and facts (plain JSON values) for its record."""

    products: Products
    facts: dict[str, Any]


class Compute(Protocol):
    """Makes one block out of source maps; a module-level function or a `partial` of one.

    A pixel's values must not depend on the block it is in.
    """

    def __call__(self, sources: Sequence[Source], block: Block) -> Made:
        """The block's products."""
        ...


@dataclass(frozen=True)
class Derivation:
    """How a map comes from others.

    `recipe` is the new map's, `blank` one pixel (…, 1, 1) of no data of each of its variables,
    `settings` plain JSON values that, with the sources, decide every value of the map;
    `attributes` are those that only its kind has.
    """

    kind: str
    sources: tuple[str, ...]
    settings: Mapping[str, Any]
    recipe: Recipe
    blank: Products
    compute: Compute
    attributes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_one(
        cls, kind: str, map_url: str, settings: Mapping[str, Any], compute: Compute
    ) -> Derivation:
        """A map with the classes and variables of its only source."""
        recipe = open_source(map_url).recipe
        blank = blank_of(recipe, 1, 1)
        return cls(kind, (map_url,), settings, recipe, blank, compute)


@dataclass(frozen=True)
class DerivedMap:
    """A finished map made of maps.

    `pixels_by_class` and `square_metres` have the class codes, `rejected` and `no_data`;
    `blocks` are the records of all blocks, in the order of the grid.
    """

    id: str
    url: str
    kind: str
    shape: tuple[int, int]
    legend: Legend
    pixels_by_class: dict[str, int]
    square_metres: dict[str, float]
    blocks: list[dict[str, Any]]
    blocks_executed: int

    @property
    def classes(self) -> tuple[str, ...]:
        """Class codes; the map holds their position, counted from 1."""
        return self.legend.classes

    @property
    def areas(self) -> pd.DataFrame:
        """Table by class: name, pixels, km², share of the mapped area."""
        return class_areas(self.legend, self.pixels_by_class, self.square_metres)

    def __str__(self) -> str:
        height, width = self.shape
        areas = self.areas
        rows = area_lines(areas[areas["pixels"] > 0], self.legend)
        executed = self.blocks_executed
        done = (
            f"{self.kind} map {self.id} of {height} x {width} px: "
            f"{many(executed, 'block')} computed, {len(self.blocks) - executed} found"
        )
        return "\n".join([done, *rows])


def derive(config: RunConfig, derivation: Derivation, how: Execution = PLAIN) -> DerivedMap:
    """Make a map of maps; one that exists is not computed again, a killed run continues.

    The new map is named by its kind, sources and settings, and is the same bit for bit for any
    block size, number of workers and order of blocks.

    Args:
        config: sections `workspace` and `cluster` are used.
        derivation: what to make.
        how: executor, block size and progress.

    Raises:
        StoreMissing: a source is not there.
        StoreError: a source is not finished, or the workspace cannot be written.
        BlocksFailed: naming blocks that could not be computed; all others are finished.
    """
    began = time.perf_counter()
    sources = [open_source(url) for url in derivation.sources]
    name, named = _identity(derivation, sources), _legend(config, derivation)
    url = storage.join(storage.absolute(config.workspace), "maps", f"{name}.zarr")
    root = store.read_root(url)
    if root is not None and store.is_complete(root):
        store.relabel(url, named)
        store.open_map(url).close()
        records.clear(url)
        return _result(derivation, url, sources[0], named, 0)
    if root is None or not store.is_template(url):
        store.write_metadata(_template(derivation, name, sources[0], named), url)
    chunk = sources[0].chunk
    edge = math.ceil((how.block or _EDGE) / chunk) * chunk
    blocks = cut(sources[0].shape, *records.begin(url, (edge, edge)))
    done = records.recorded(url, blocks)
    left = [part for part in blocks if part not in done]
    job = functools.partial(
        derive_block, compute=derivation.compute, sources=derivation.sources, url=url
    )
    with contextlib.ExitStack() as stack:
        executor = how.executor
        if executor is None and left:
            executor = stack.enter_context(open_executor(config.cluster))
        if executor is not None:
            done |= run_blocks(job, blocks, left, executor, how.progress, where=url)
    records.finish(url, _facts(derivation, name, len(left), began), done.values())
    made = _result(derivation, url, sources[0], named, len(left))
    records.clear(url)
    return made


def derive_block(
    block: Block, *, compute: Compute, sources: Sequence[str], url: str
) -> dict[str, Any]:
    """Compute one block, write it, and then its record; returns the record, plain JSON values."""
    began = time.perf_counter()
    opened = [open_source(source) for source in sources]
    made = compute(opened, block)
    sums = store.write_block(url, block, made.products)
    classes = store.read_recipe(url).classes
    record = {
        **digest_of(block, made.products, opened[0].areas, classes),
        "seconds": {"all": round(time.perf_counter() - began, 6)},
        "objects": sums,
        **made.facts,
    }
    records.record(url, record)
    return record


def _identity(derivation: Derivation, sources: Sequence[Source]) -> str:
    ids = [source.id for source in sources]
    return identity("derived", __version__, derivation.kind, ids, dict(derivation.settings))


def _legend(config: RunConfig, derivation: Derivation) -> Legend:
    """The legend of the first source that has one, under that of the run."""
    said = (store.legend_of(store.open_map(url)).given for url in derivation.sources)
    beneath: Styles = next((styles for styles in said if styles), {})
    return legend(derivation.recipe.classes, merged(beneath, config.legend))


def _template(derivation: Derivation, name: str, source: Source, named: Legend) -> Any:
    recipe = derivation.recipe
    ids = [open_source(url).id for url in derivation.sources]
    opened = [store.open_map(url) for url in derivation.sources]
    held = [
        acquired_by(one, open_source(url).recipe)
        for one, url in zip(opened, derivation.sources, strict=True)
    ]
    attributes = {
        "Conventions": "CF-1.11",
        **_shared([_passed_on(one.attrs) for one in opened]),
        **derivation.attributes,
        "title": f"Surface classes, beam {recipe.beam}, {derivation.kind}",
        "source": f"maps {', '.join(ids)}",
        "software": f"cpazmal-scale {__version__}",
        "id": name,
        "model": recipe.model,
        "cube_state": recipe.cube_state,
        "time_coverage_start": recipe.dates[0] + "Z",
        "time_coverage_end": recipe.dates[-1] + "Z",
        CHANNELS: json.dumps(together(held, len(recipe.dates))),
        **store.withheld(recipe),
        **_classified(derivation.sources),
        **_supposed(derivation),
        "recipe": recipe.model_dump_json(),
        "derived": derivation.kind,
        "derived_from": ids,
        "settings": json.dumps(dict(derivation.settings)),
        "complete": 0,
    }
    grid = store.open_map(source.url)[["y", "x", "spatial_ref"]].load()
    return store.template(derivation.blank, named, grid, source.shape, source.chunk, attributes)


def _supposed(derivation: Derivation) -> dict[str, Any]:
    """The shares of the classes that the probabilities of all sources suppose."""
    if "probability" not in derivation.blank:
        return {}
    first, *others = [open_source(url).shares for url in derivation.sources]
    if first is None or any(one is None or (one != first).any() for one in others):
        return {}
    return {store.SHARES: first.tolist()}


def _classified(urls: Sequence[str]) -> dict[str, str]:
    """The classifiers of all sources, where they are several."""
    names = [
        store.classified_by(store.open_map(url).attrs, open_source(url).recipe) for url in urls
    ]
    every = dict.fromkeys(name for own in names for name in own.split(" + "))
    return {store.METHOD: " + ".join(every)} if len(every) > 1 else {}


def _passed_on(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that are also those of maps made of this one."""
    compared = {name: text for name, text in attributes.items() if name == periods.NAME}
    return {**store.made_of(attributes), **compared}


def _shared(told: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What all sources say alike."""
    return {k: v for k, v in told[0].items() if all(one.get(k) == v for one in told)}


def _facts(derivation: Derivation, name: str, executed: int, began: float) -> dict[str, Any]:
    return {
        "id": name,
        "kind": derivation.kind,
        "software": f"cpazmal-scale {__version__}",
        "recipe": derivation.recipe.model_dump(mode="json"),
        "sources": list(derivation.sources),
        "settings": dict(derivation.settings),
        "blocks_executed": executed,
        "seconds": round(time.perf_counter() - began, 3),
    }


def _result(
    derivation: Derivation, url: str, source: Source, named: Legend, executed: int
) -> DerivedMap:
    blocks = records.summary(url)["blocks"]
    pixels, areas = (summed(block[name] for block in blocks) for name in _SUMMED)
    return DerivedMap(
        id=url.rpartition("/")[2].removesuffix(".zarr"),
        url=url,
        kind=derivation.kind,
        shape=source.shape,
        legend=named,
        pixels_by_class={code: int(n) for code, n in pixels.items()},
        square_metres=areas,
        blocks=blocks,
        blocks_executed=executed,
    )
