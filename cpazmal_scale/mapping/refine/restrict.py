"""A map restricted to outlines, such as those of glaciers."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import ConfigError
from cpazmal_scale.execute import PLAIN, Execution
from cpazmal_scale.grid.outlines import read_outlines
from cpazmal_scale.mapping.classify.pixels import empty_products
from cpazmal_scale.mapping.refine.derived import Derivation, DerivedMap, Made, derive
from cpazmal_scale.mapping.refine.source import Source, open_outlines, open_source

if TYPE_CHECKING:
    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.grid.blocks import Block


def restrict(config: RunConfig, map_url: str, how: Execution = PLAIN) -> DerivedMap:
    """Keep what is inside outlines: a pixel whose centre is in none of them becomes no data.

    Args:
        config: `after.outlines` is a vector file.
        map_url: a finished map.
        how: executor, block size and progress.

    Raises:
        ConfigError: no outlines are given.
        SampleError: the outlines cannot be used, or none is on the map.
        StoreMissing: the file or the map is not there.
        StoreError: the map is not finished, or the workspace cannot be written.
    """
    if config.after.outlines is None:
        raise ConfigError(
            "no outlines are given", where="after.outlines", remedy="name a vector file"
        )
    outlines = config.after.outlines
    digest = read_outlines(outlines, open_source(map_url).grid).digest
    compute = functools.partial(mask_block, outlines=outlines, digest=digest)
    made = Derivation.of_one("restricted", map_url, {"outlines": digest}, compute)
    return derive(config, made, how)


def mask_block(sources: Sequence[Source], block: Block, *, outlines: str, digest: str) -> Made:
    """The products of one block, no data outside the outlines."""
    kept = open_outlines(outlines, sources[0].url, None, digest).inside(block)
    products = sources[0].products(block)
    blank = empty_products(len(sources[0].recipe.classes), 1, 1)
    return Made(
        {name: np.where(kept, values, blank[name]) for name, values in products.items()}, {}
    )
