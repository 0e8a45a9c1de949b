"""The steps that a run applies to a classified map, in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.execute import PLAIN, Execution
from cpazmal_scale.mapping.refine.modal import modal
from cpazmal_scale.mapping.refine.pool import pool
from cpazmal_scale.mapping.refine.restrict import restrict
from cpazmal_scale.mapping.refine.sieve import sieve
from cpazmal_scale.mapping.refine.smooth import smooth

if TYPE_CHECKING:
    from cpazmal_scale.mapping.refine.derived import DerivedMap


STEPS: tuple[tuple[str, Callable[[RunConfig, str, Execution], DerivedMap]], ...] = (
    ("pool", pool),
    ("window", smooth),
    ("modal", modal),
    ("min_area", sieve),
    ("outlines", restrict),
)
"""Settings of the section `after`, and the step that each of them asks for, in their order."""


def refine_map(config: RunConfig, map_url: str, how: Execution = PLAIN) -> list[DerivedMap]:
    """Pool, smooth, filter, sieve and restrict a map, as far as section `after` asks.

    Each step is a map of its own, made from the one before; steps that exist are not made again.

    Returns:
        The maps in the order of the steps; the last is the result.

    Raises:
        ConfigError: the section asks for nothing.
        SampleError: the outlines cannot be used.
        StoreError: the map is not finished, or the workspace cannot be written.
        BlocksFailed: naming blocks that could not be computed; all others are finished.
    """
    made: list[DerivedMap] = []
    for setting, step in STEPS:
        if getattr(config.after, setting) is not None:
            made.append(step(config, made[-1].url if made else map_url, how))
    if not made:
        raise ConfigError(
            "nothing to do",
            where="after",
            remedy="set after.pool (such as 5), window (such as 15), modal, min_area or outlines",
        )
    return made
