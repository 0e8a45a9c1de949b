"""Samples of several cubes together: other beams of a workspace, and other workspaces."""

from __future__ import annotations

from calendar import monthrange
from typing import TYPE_CHECKING, NamedTuple

from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError, SampleError
from cpazmal_scale.stages import workspace

if TYPE_CHECKING:
    import pandas as pd

    from cpazmal_scale.samples import WindowSeries

    Data = tuple[WindowSeries, pd.DataFrame]

_ALONE = {"also": ()}
_OTHER_YEARS = {"start": None, "end": None, "dates": None}
"""The period of a run is that of its own cube; `months` hold for all."""


class Site(NamedTuple):
    """Another cube to train on."""

    name: str
    """What its groups are called by; empty where it is of the run's own workspace."""
    config: RunConfig
    """The run on that cube alone."""


def sites(config: RunConfig) -> list[Site]:
    """The cubes of `samples.also`.

    Raises:
        ConfigError: one is neither a beam of this workspace nor the address of a cube, or is there
            twice.
    """
    beams = set(workspace.beams_of(config))
    own = storage.absolute(config.workspace).rstrip("/")
    found = [_site(config, one, beams, own) for one in config.samples.also]
    places = [(site.config.workspace, site.config.beam) for site in found]
    twice = [one for one in places if places.count(one) > 1]
    if twice or (own, workspace.beam_of(config)) in places:
        raise ConfigError(
            "a cube is to be trained on twice",
            where="samples.also",
            remedy="name each once, and not the run's own beam",
        )
    return found


def _site(config: RunConfig, text: str, beams: set[str], own: str) -> Site:
    folder, _, name = text.rstrip("/").rpartition("/")
    place, _, cubes = folder.rpartition("/")
    if text in beams:
        place, name = own, f"{text}.zarr"
    elif cubes != "cubes" or not name.endswith(".zarr"):
        raise ConfigError(
            f"{text} is neither a beam of this workspace nor a cube of another",
            where="samples.also",
            remedy=f"give one of {', '.join(sorted(beams))}, or …/cubes/BEAM.zarr",
        )
    place = storage.absolute(place or ".").rstrip("/")
    beam = name.removesuffix(".zarr")
    values = {"workspace": place, "beam": beam, "samples": _ALONE}
    alone = config.with_values(values | ({"dates": None} if place == own else _OTHER_YEARS))
    return Site("" if place == own else f"{place.rpartition('/')[2]}/{beam}", alone)


def joined(config: RunConfig, own: Data, others: list[tuple[Site, Data]]) -> Data:
    """Series and windows of the run's own cube, then those of the others on its dates.

    Polygons of one workspace are the same ground in all its beams and stay one group; those of
    another workspace carry its name. The season of a cube in the other hemisphere begins half a
    year later.

    Raises:
        SampleError: the cubes have other polarisations.
    """
    import pandas as pd

    from cpazmal_scale.dtw import NEW_YEAR
    from cpazmal_scale.samples import together

    series, windows = own
    season_start = config.dtw.season_start or NEW_YEAR
    south = is_southern(config)
    starts = [
        season_start if is_southern(site.config) == south else half_a_year_later(season_start)
        for site, _ in others
    ]
    tables = [windows.assign(site="")]
    for site, (_, table) in others:
        name = site.name or str(site.config.beam)
        groups = table["group"] if not site.name else f"{site.name}/" + table["group"].astype(str)
        tables.append(table.assign(site=name, group=groups))
    try:
        met = together(
            series,
            [one for _, (one, _) in others],
            band_days=config.dtw.band_days or 0.0,
            season_start=season_start,
            starts=starts,
        )
    except ValueError as error:
        raise SampleError(
            f"the cubes cannot be trained on together ({error})",
            where="samples.also",
            remedy="set `polarisations` to what all of them have",
        ) from None
    every = pd.concat(tables, ignore_index=True)
    every.attrs["id"] = "+".join([windows.attrs["id"], *(t.attrs["id"] for _, (_, t) in others)])
    return met, every


def half_a_year_later(start: str) -> str:
    """The day six months after one of every year, both `MM-DD`; the month's last if there is none.

    The 29th of February is no day of every year.
    """
    month, day = (int(part) for part in start.split("-"))
    later = (month + 5) % 12 + 1
    return f"{later:02d}-{min(day, monthrange(2021, later)[1]):02d}"


def is_southern(config: RunConfig) -> bool:
    """Whether the middle of a run's cube lies south of the equator."""
    from cpazmal_scale.grid.cf import grid_of
    from cpazmal_scale.grid.projections import middle_latitude

    return middle_latitude(grid_of(workspace.open_period(config))) < 0
