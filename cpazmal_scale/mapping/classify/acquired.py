"""Which channels a map's dates hold: what was used, beside what the model can use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cpazmal_scale.storage import seal
from cpazmal_scale.vocabulary import polarisations_in
from cpazmal_scale.words import channels

if TYPE_CHECKING:
    import xarray as xr

    from cpazmal_scale.mapping.classify.recipe import Recipe

NAME = "channels"
"""Attribute of a map: a JSON object with the number of its dates that hold each channel."""


def acquired(cube: xr.Dataset, names: Sequence[str]) -> dict[str, int]:
    """How many dates of an open cube hold each of some channels."""
    sent = [polarisations_in(str(one)) for one in cube["polarisations"].values.tolist()]
    return {name: sum(name in one for one in sent) for name in names}


def acquired_by(data: xr.Dataset, recipe: Recipe) -> dict[str, int]:
    """The same of the dates of an open map; maps that do not say it hold every channel.

    Raises:
        StoreDamaged: what the map says is no such object.
    """
    if NAME not in data.attrs:
        return dict.fromkeys(recipe.polarisations, len(recipe.dates))
    with seal.parsing("its channels are damaged", str(data.attrs.get("id")), "map again"):
        found = json.loads(data.attrs[NAME])
        return {str(name): int(dates) for name, dates in found.items()}


def used(data: xr.Dataset, recipe: Recipe) -> str:
    """What a map used, such as `HH` or `HH, HV on 12 of 30 dates`."""
    return channels(acquired_by(data, recipe), len(recipe.dates))


def unlike(earlier: dict[str, int], later: dict[str, int]) -> tuple[str, ...]:
    """Channels of which one of two maps has fewer than half of the dates that the other has."""
    every = dict.fromkeys((*earlier, *later))
    pairs = {name: sorted((earlier.get(name, 0), later.get(name, 0))) for name in every}
    return tuple(name for name, (fewer, more) in pairs.items() if 2 * fewer < more)


def together(maps: Sequence[dict[str, int]], dates: int) -> dict[str, int]:
    """Channels of a map of maps: of all their dates, each counted once at most."""
    names = dict.fromkeys(name for one in maps for name in one)
    return {name: min(sum(one.get(name, 0) for one in maps), dates) for name in names}
