"""All that a run asks to be done to a map after it has classes, one step after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpazmal_scale.errors import ConfigError
from cpazmal_scale.mapping.refine.modal import modal
from cpazmal_scale.mapping.refine.restrict import restrict
from cpazmal_scale.mapping.refine.sieve import sieve
from cpazmal_scale.mapping.refine.smooth import smooth

if TYPE_CHECKING:
    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.mapping.classify.run import Progress
    from cpazmal_scale.mapping.refine.derived import DerivedMap


def refine(
    config: RunConfig, map_url: str, *, progress: Progress | None = None
) -> list[DerivedMap]:
    """Smooth, filter, sieve and restrict a map, as far as the section `after` asks for it.

    Each step is a map of its own, made from the one before; steps that exist are not made again.

    Returns:
        The maps in the order of the steps; the last is the result.

    Raises:
        ConfigError: the section asks for nothing.
        SampleError: the outlines cannot be used.
        StoreError: the map is not finished, or the workspace cannot be written.
        BlocksFailed: naming blocks that could not be computed; all others are finished.
    """
    wanted = config.after
    steps = [
        (wanted.window, smooth),
        (wanted.modal, modal),
        (wanted.min_area, sieve),
        (wanted.outlines, restrict),
    ]
    made: list[DerivedMap] = []
    for asked, step in steps:
        if asked is not None:
            source = made[-1].url if made else map_url
            made.append(step(config, source, progress=progress))
    if not made:
        raise ConfigError(
            "nothing to do",
            where="after",
            remedy="set after.window (such as 15), modal, min_area or outlines",
        )
    return made
