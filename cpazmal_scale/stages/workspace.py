"""Where a run's products are, what they are called, and which of them a stage works on."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from cpazmal_scale import catalog, storage
from cpazmal_scale.catalog import Entry, Kind
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError, SampleError, StoreMissing
from cpazmal_scale.words import listed

if TYPE_CHECKING:
    import xarray as xr

_LOG = logging.getLogger(__name__)
ALIKE = 1.25
"""Ratio of resolutions from which the speckle of dates is said to differ."""
MADE_BY = {"cube": "ingest", "samples": "samples", "model": "train", "map": "map"}
"""The verb that makes each kind of product."""


def beam_of(config: RunConfig) -> str:
    """The beam of this run: the configured one, or the only one there is; or its table's name.

    Raises:
        StoreMissing: the workspace has no cube.
        ConfigError: it has several and none was chosen.
    """
    if has_table(config):
        return config.samples.table.name
    if config.beam is not None and config.beam in beams_of(config, config.beam):
        return config.beam
    beams = beams_of(config)
    if not beams:
        raise no_cube(config)
    if config.beam is None and len(beams) == 1:
        return beams[0]
    raise ConfigError(
        "several beams are there" if config.beam is None else f"there is no beam {config.beam}",
        where=config.workspace,
        remedy=f"set `beam` to one of {', '.join(sorted(beams))}",
    )


def no_cube(config: RunConfig) -> StoreMissing:
    """The workspace has no cube."""
    return StoreMissing(
        "no cube was published here", where=config.workspace, remedy="run `cpazmal ingest`"
    )


def beams_of(config: RunConfig, beginning: str = "") -> list[str]:
    """Beams of the workspace's cubes, in the order of names; with a `beginning`, those alone."""
    label = catalog.entry_name("cube", beginning) if beginning else "cube_"
    found = catalog.entries(config.workspace, kind="cube", beginning=label)
    return [str(one.fact("beam")) for one in found]


def find(config: RunConfig, kind: Kind) -> Entry:
    """The latest product of a kind for the run's beam.

    Raises:
        StoreMissing: there is none; says which verb makes it.
    """
    beam = beam_of(config)
    with suppress(StoreMissing):
        found = catalog.entry(config.workspace, catalog.entry_name(kind, beam))
        if found.metadata.get("beam", beam) == beam:
            return found
    raise StoreMissing(
        f"no {kind} of beam {beam} was published",
        where=catalog.catalog_url(config.workspace),
        remedy=f"run `cpazmal {MADE_BY[kind]}` first",
    )


def with_legend(config: RunConfig, classes: Collection[str]) -> RunConfig:
    """The run with what its samples say of classes under its own legend.

    Raises:
        ConfigError: its legend speaks of a class that the samples never had.
    """
    from cpazmal_scale.legend import merged, parsed, plain, require_known

    beneath = parsed(find(config, "samples").metadata.get("legend"))
    if config.samples.classes is None:
        require_known(config.legend, {*classes, *beneath}, where="legend")
    return config.with_values({"legend": plain(merged(beneath, config.legend))})


def url_of(config: RunConfig, entry: Entry) -> str:
    """Address of a product."""
    return storage.join(storage.absolute(config.workspace), entry.path)


def map_url(config: RunConfig, name: str) -> str:
    """Address of a map by its name in the catalog, also of a nested one, or by its address.

    Raises:
        StoreMissing: there is none.
        ConfigError: it is no map.
    """
    if name.rstrip("/").endswith(".zarr"):
        return storage.absolute(name.rstrip("/"))
    parts = [part.partition("@")[0] for part in name.split("/")]
    is_name = all(part.isidentifier() for part in parts)
    if not is_name and (len(parts) > 1 or name.endswith((".tif", ".tiff"))):
        raise ConfigError(
            "not the address of a map, which ends in .zarr",
            where=name,
            remedy="give that, or the name of a map in the catalog",
        )
    entry = catalog.entry(config.workspace, name)
    if entry.kind != "map":
        raise ConfigError(
            f"{name} is of kind {entry.kind}",
            remedy="give the name of a map: `cpazmal catalog ls --kind map` lists them",
        )
    return url_of(config, entry)


def open_period(config: RunConfig) -> xr.Dataset:
    """The run's cube on its dates: `start` to `end`, `months`, `dates`.

    Raises:
        StoreMissing: there is no cube.
        SampleError: no date lies in the period.
    """
    from cpazmal_scale.cube import open_cube

    url = url_of(config, find(config, "cube"))
    cube = open_cube(url, **config.period)
    if cube.sizes["time"] == 0:
        raise SampleError(
            "no date lies in the period",
            where=url,
            remedy="change `start`, `end`, `months` and `dates`",
        )
    return cube


def has_table(config: RunConfig) -> bool:
    """Whether the samples of this run come from a table of series, without a cube."""
    return config.samples.table.url is not None


def is_labelled(config: RunConfig) -> bool:
    """Whether the classes of this run were given, and are no clusters."""
    return config.samples.polygons is not None or has_table(config)


def channels(config: RunConfig, cube: xr.Dataset | None = None) -> tuple[str, ...]:
    """The polarisations of this run, co-polarised first; those of its samples without a cube.

    Raises:
        ConfigError: the cube lacks one.
    """
    if cube is None:
        present = tuple(find(config, "samples").fact("polarisations"))
    else:
        present = tuple(cube.attrs["polarisations"])
    chosen = config.polarisations or _co_and_cross(present)
    absent = [name for name in chosen if name not in present]
    if absent:
        raise ConfigError(
            f"{'the table' if cube is None else 'the cube'} has no {', '.join(absent)}",
            where="polarisations",
            remedy=f"choose among {listed(present, absent)}",
        )
    return chosen


def warn_of_dates(config: RunConfig, cube: xr.Dataset) -> None:
    """Name channels that have few dates in the run's period, and resolutions that differ."""
    from cpazmal_scale.mapping import acquired

    dates, counts = int(cube.sizes["time"]), acquired(cube, channels(config, cube))
    few = [f"{n} of {dates} of {c}" for c, n in counts.items() if n < config.few_dates]
    if few:
        _LOG.warning(
            "few dates in this period: %s; series of fewer than %d (`few_dates`) say little of a "
            "season",
            ", ".join(few),
            config.few_dates,
        )
    for axis in ("azimuth", "range"):
        found = Counter(round(float(one), 1) for one in cube[f"resolution_{axis}"].dropna("time"))
        if found and max(found) > ALIKE * min(found):
            held = ", ".join(f"{edge:g} m on {n}" for edge, n in sorted(found.items()))
            _LOG.warning(
                "dates of different %s resolution in this period: %s; their speckle differs, and "
                "with it κ2 and κ3: choose one by `dates`, `start`, `end` or `polarisations`",
                axis,
                held,
            )


def _co_and_cross(present: tuple[str, ...]) -> tuple[str, ...]:
    """The first co-polarised channel and the cross-polarised one that was sent with it."""
    co = next((name for name in present if name[0] == name[1]), present[0])
    cross = [name for name in present if name[0] == co[0] and name != co]
    return (co, *cross[:1])


@contextmanager
def shared(config: RunConfig) -> Iterator[str | None]:
    """A folder for arrays that workers of other processes need, gone at the end of the block.

    The workers end inside the block, or they write after it. None where the run's workers are
    threads of this process.
    """
    if config.cluster.kind in ("serial", "threads"):
        yield None
        return
    with storage.scratch(storage.join(storage.absolute(config.workspace), "shared")) as url:
        yield url


def publish(
    config: RunConfig, kind: Kind, identity: str, path: str, facts: Mapping[str, Any]
) -> Entry:
    """Publish a product as the latest of its beam and, for good, under its identity."""
    beam = beam_of(config)
    metadata = {"id": identity, "beam": beam, **_seen(config), **facts}
    latest = Entry(catalog.entry_name(kind, beam), kind, path, metadata)
    catalog.publish(config.workspace, latest, latest.version())
    return latest


def _seen(config: RunConfig) -> dict[str, Any]:
    """Place and period of the run's cube, as far as the run uses it."""
    if has_table(config):
        return {}
    cube = find(config, "cube").metadata
    seen: dict[str, Any] = {name: cube[name] for name in ("bbox", "start", "end") if name in cube}
    if "start" in seen and config.start:
        seen["start"] = max(seen["start"], config.start.isoformat())
    if "end" in seen and config.end:
        seen["end"] = min(seen["end"], config.end.isoformat())
    return seen


def bbox(raster: xr.Dataset) -> list[float]:
    """West, south, east, north of a raster in degrees."""
    import rioxarray  # noqa: F401  # makes `.rio`

    return [round(float(edge), 6) for edge in raster.rio.transform_bounds("EPSG:4326")]


def extent(cube: xr.Dataset, names: Sequence[str] | None = None) -> dict[str, Any]:
    """What a reader of the catalog wants to know before opening a cube or a map of it.

    Args:
        cube: on the dates that are used.
        names: channels that are used, where they were acquired; none: all.
    """
    place = bbox(cube)
    days = cube["time"].dt.strftime("%Y-%m-%d").values
    return {
        "beam": str(cube.attrs["beam"]),
        "bbox": place,
        "crs": cube.rio.crs.to_string(),
        "shape": [int(cube.sizes[d]) for d in ("time", "y", "x")],
        "start": str(min(days)),
        "end": str(max(days)),
        **held(cube, names or cube.attrs["polarisations"]),
    }


def held(cube: xr.Dataset, names: Sequence[str]) -> dict[str, Any]:
    """Channels with data on at least one date of a cube, as a list and in words."""
    from cpazmal_scale.mapping import acquired
    from cpazmal_scale.words import channels

    found = acquired(cube, names)
    return {
        "polarisations": [name for name, dates in found.items() if dates],
        "channels": channels(found, int(cube.sizes["time"])),
    }
