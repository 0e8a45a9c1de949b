"""Maps to maps: smoothed, sieved, restricted, fused, compared, counted by glacier."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cpazmal_scale import catalog, storage
from cpazmal_scale.catalog import Entry
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.execute import Execution
from cpazmal_scale.progress import Progress
from cpazmal_scale.stages import workspace

_LOG = logging.getLogger(__name__)

if TYPE_CHECKING:
    import pandas as pd

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.mapping import Change, DerivedMap


def refine(config: RunConfig, *, progress: Progress | None = None) -> Entry:
    """Smooth, filter, sieve and restrict the latest map as the section `after` says.

    Raises:
        ConfigError: the section asks for nothing.
        StoreMissing: no map was published.
        SampleError: the outlines cannot be used.
    """
    from cpazmal_scale.mapping import refine_map

    url = workspace.url_of(config, workspace.find(config, "map"))
    made = refine_map(config, url, Execution(progress=progress))
    return _publish(config, f"{workspace.beam_of(config)}_refined", made[-1])


def fuse(config: RunConfig, names: Sequence[str], *, progress: Progress | None = None) -> Entry:
    """One map of several, such as those of all beams: the mean of their probabilities.

    Raises:
        StoreMissing: the catalog has no map of such a name.
        ConfigError: a name is that of something else.
        GridMismatch: they have different grids.
        ModelMismatch: they have different classes.
    """
    from cpazmal_scale.mapping import fuse_maps

    return _publish(
        config, "fused", fuse_maps(config, _urls(config, names), Execution(progress=progress))
    )


def change(
    config: RunConfig, earlier: str, later: str, *, progress: Progress | None = None
) -> tuple[Change, Entry]:
    """What changed between two maps of the catalog, with its probability.

    Raises:
        ConfigError: they are one map, one is no map, or the later one is of an earlier period.
        StoreMissing: the catalog has no map of such a name.
        GridMismatch: they have different grids.
        ModelMismatch: they have different classes.
    """
    from cpazmal_scale.mapping import compare_maps

    first, second = _urls(config, (earlier, later))
    if first == second:
        raise ConfigError(
            "a change needs two different maps",
            where=earlier,
            remedy="name maps of two periods; `cpazmal catalog ls --versions` lists them",
        )
    found = compare_maps(config, first, second, Execution(progress=progress))
    for doubt in found.doubts:
        _LOG.warning(doubt)
    return found, _publish(config, "change", found.map)


def zonal(config: RunConfig, name: str, *, progress: Progress | None = None) -> pd.DataFrame:
    """Areas and mean probabilities of a map by class in every outline of `after.outlines`.

    Raises:
        ConfigError: there are no outlines, or it is no map.
        StoreMissing: the catalog has no map of this name.
    """
    from cpazmal_scale.mapping import by_zone

    return by_zone(config, _urls(config, (name,))[0], Execution(progress=progress))


def _urls(config: RunConfig, names: Sequence[str]) -> list[str]:
    return [workspace.map_url(config, name) for name in names]


def _publish(config: RunConfig, label: str, made: DerivedMap) -> Entry:
    from cpazmal_scale.legend import plain
    from cpazmal_scale.mapping import (
        compared_periods,
        open_map,
        quicklook,
        read_recipe,
        to_cog,
        used,
    )

    recipe, opened = read_recipe(made.url), open_map(made.url)
    periods = compared_periods(opened.attrs)
    stem = made.url.removesuffix(".zarr")
    to_cog(made.url, f"{stem}.tif")
    quicklook(made.url, f"{stem}.png")
    facts = {
        "id": made.id,
        "beam": recipe.beam,
        "bbox": workspace.bbox(opened),
        "start": str(min(recipe.dates))[:10],
        "end": str(max(recipe.dates))[:10],
        "channels": used(opened, recipe),
        **({"compares": periods} if periods else {}),
        "shape": list(made.shape),
        "classes": list(made.classes),
        **({"legend": plain(made.legend.given)} if made.legend.given else {}),
        "made": made.kind,
    }
    path = storage.join("maps", f"{made.id}.zarr")
    latest = Entry(catalog.entry_name("map", label), "map", path, facts)
    catalog.publish(config.workspace, latest, latest.version())
    return latest
