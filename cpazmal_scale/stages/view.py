"""Maps to a page that shows them, of any size."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import StoreMissing
from cpazmal_scale.stages import workspace

if TYPE_CHECKING:
    from cpazmal_scale.web import Page


def map_page(
    config: RunConfig, *names: str, cube: str | None = None, model: str | None = None
) -> Page:
    """The page of one map, or of two on one grid.

    Args:
        config: `workspace` and `beam` are used.
        names: of maps in the catalog, or addresses that end in `.zarr`; none: the latest map.
        cube: address of the first map's cube; none: in the workspace that holds the map.
        model: the same for its model.

    Raises:
        StoreMissing: a map, cube or model is not there.
        ConfigError: it is the name of something else.
        GridMismatch: the maps lie on different grids.
        ModelMismatch: the cube lacks a date of the map.
    """
    from cpazmal_scale.mapping import read_recipe
    from cpazmal_scale.view import Made
    from cpazmal_scale.view import map_page as page

    urls = shown(config, *names)
    made = Made.beside(urls[0], read_recipe(urls[0]))
    for what, given in (("cube", cube), ("model", model)):
        if given is not None and not storage.exists(given):
            raise StoreMissing(f"no {what} is here", where=given, remedy=f"check --{what}")
    made = replace(made, cube=cube or made.cube, model=model or made.model)
    return page(*urls, made=made)


def shown(config: RunConfig, *names: str) -> list[str]:
    """Addresses of the maps that `map_page` shows; see there."""
    urls = [workspace.map_url(config, name) for name in names]
    return urls or [workspace.url_of(config, workspace.find(config, "map"))]
