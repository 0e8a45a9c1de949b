"""Fusion: one map of several, such as those of an ascending and a descending beam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import ConfigError
from cpazmal_scale.execute import PLAIN, Execution
from cpazmal_scale.kernels.posterior import decide_again
from cpazmal_scale.mapping.classify.pixels import empty_products
from cpazmal_scale.mapping.classify.recipe import Recipe
from cpazmal_scale.mapping.refine.derived import Derivation, DerivedMap, Made, derive
from cpazmal_scale.mapping.refine.source import Source, check_alike, open_source
from cpazmal_scale.vocabulary import MOST_DATES, NO_DATA, NOTHING, REJECTED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.grid.blocks import Block


def fuse_maps(config: RunConfig, map_urls: Sequence[str], how: Execution = PLAIN) -> DerivedMap:
    """Fuse maps of one grid and the same classes, in whatever order they are given.

    The probabilities are the mean over the maps that have a class at the pixel; class, entropy and
    margin follow from them. A pixel is rejected where every map with data rejects it. `distance`
    is the smallest, `n_valid_dates` the sum (254: or more).

    Args:
        config: sections `workspace` and `cluster` are used.
        map_urls: two or more finished maps.
        how: executor, block size and progress.

    Raises:
        ConfigError: fewer than two different maps.
        GridMismatch: they have different grids.
        ModelMismatch: they have different classes.
        StoreError: one is not finished, or the workspace cannot be written.
    """
    sources = sorted({source.id: source for source in map(open_source, map_urls)}.items())
    ordered = [source for _, source in sources]
    if len(ordered) < 2:
        raise ConfigError("a fusion needs two different maps", remedy="name maps of several beams")
    check_alike(ordered)
    made = Derivation(
        kind="fused",
        sources=tuple(source.url for source in ordered),
        settings={},
        recipe=joined([source.recipe for source in ordered]),
        blank=empty_products(len(ordered[0].recipe.classes), 1, 1),
        compute=fuse_block,
    )
    return derive(config, made, how)


def joined(recipes: Sequence[Recipe]) -> Recipe:
    """What a map of several maps is made from: all their dates, beams and channels."""

    def several(values: Sequence[str]) -> str:
        return " + ".join(sorted(set(values)))

    channels = [name for recipe in recipes for name in recipe.polarisations]
    return recipes[0].model_copy(
        update={
            "model": several([recipe.model for recipe in recipes]),
            "cube": several([recipe.cube for recipe in recipes]),
            "cube_state": several([recipe.cube_state for recipe in recipes]),
            "beam": several([recipe.beam for recipe in recipes]),
            "dates": tuple(sorted({date for recipe in recipes for date in recipe.dates})),
            "polarisations": tuple(dict.fromkeys(channels)),
        }
    )


def fuse_block(sources: Sequence[Source], block: Block) -> Made:
    """The fused products of one block."""
    return Made(fused([source.products(block) for source in sources]), {})


def fused(maps: Sequence[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Products of one block of several maps made into one; exact whatever the order of maps."""
    classes, height, width = maps[0]["probability"].shape
    out = empty_products(classes, height, width)
    codes = np.stack([products["class"] for products in maps])
    accepted, rejected = codes < REJECTED, codes == REJECTED
    rejected_only = rejected.any(axis=0) & ~accepted.any(axis=0)
    votes = np.where(rejected_only, rejected, accepted)
    number = votes.sum(axis=0)
    total = np.zeros((classes, height, width), np.uint32)
    for products, vote in zip(maps, votes, strict=True):
        total += np.where(vote, products["probability"], np.uint16(0))
    some = np.maximum(number, 1).astype(np.uint32)
    out["probability"] = np.where(number, (2 * total + some) // (2 * some), NOTHING)
    out["probability"] = out["probability"].astype(np.uint16)
    out["class"] = np.where(rejected_only, REJECTED, NO_DATA).astype(np.uint8)
    decide_again(out)
    out["distance"] = np.fmin.reduce([products["distance"] for products in maps])
    dates = np.sum([products["n_valid_dates"] for products in maps], axis=0, dtype=np.int64)
    out["n_valid_dates"] = np.minimum(dates, MOST_DATES).astype(np.uint8)
    return out
