"""The verbs on finished maps: refined, fused, compared, counted, and areas with intervals."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from cyclopts import App

from cpazmal_scale.cli import facts
from cpazmal_scale.cli.answers import say
from cpazmal_scale.cli.console import (
    COMMAND,
    PLACE,
    PLACE_OF_COMMAND,
    Config,
    Place,
    Switch,
    bar,
    say_where,
)
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.tables import to_csv

DEFAULT = RunConfig()
areas_app = App(name="areas", help="Areas of a map's classes with 95 % intervals (Olofsson 2014).")


def export(
    name: str | None = None,
    /,
    *,
    polygons: Annotated[str | None, PLACE_OF_COMMAND] = None,
    raster: Annotated[str | None, PLACE_OF_COMMAND] = None,
    layer: Annotated[str, COMMAND] = "class",
    config: Config = DEFAULT,
) -> None:
    """Write a map for other programs: GeoTIFF, picture and page, any layer, or its patches.

    Args:
        name: name of a map in the catalog, or its address; none: the latest.
        polygons: GeoPackage (.gpkg) or GeoParquet (.parquet) for the patches of equal class.
        raster: GeoTIFF (.tif) for one layer, with its style for QGIS beside it.
        layer: what `raster` holds: `class`, `probability` (one band per class), `confidence`,
            `entropy`, `margin`, `distance`, `n_valid_dates`, or `change`.
    """
    from cpazmal_scale.stages import classify as stage

    if layer != "class" and raster is None:
        raise ConfigError("no file is named for the layer", where=layer, remedy="add --raster FILE")
    if polygons is None and raster is None:
        if name is not None:
            raise ConfigError(
                "files of a map by its name are its polygons or one layer",
                where=name,
                remedy="add --polygons FILE or --raster FILE, or leave the name out for all files "
                "of the latest map",
            )
        files = stage.export_map(config)
        say("\n".join(files), files=files, polygons=None)
        return
    said, count = [], None
    if raster is not None:
        said.append(f"{layer} in {stage.export_layer(config, raster, layer, name)}")
    if polygons is not None:
        count = stage.export_polygons(config, polygons, name)
        said.append(f"{count} polygons in {polygons}")
    say("\n".join(said), files=[one for one in (raster, polygons) if one], polygons=count)


def refine(*, config: Config = DEFAULT) -> None:
    """Smooth, filter, sieve and restrict the latest map, as the settings `after.…` say."""
    from cpazmal_scale.stages import refine as stage

    with bar("refine the map") as progress:
        entry = stage.refine(config, progress=progress)
    from cpazmal_scale.cli.products import describe

    say(describe(entry, config.workspace), product=facts.product(entry, config.workspace))


def fuse(names: tuple[str, ...], /, *, config: Config = DEFAULT) -> None:
    """Make one map of several, such as those of all beams.

    Args:
        names: names of two or more maps in the catalog.
    """
    from cpazmal_scale.stages import refine as stage

    with bar("fuse the maps") as progress:
        entry = stage.fuse(config, names, progress=progress)
    from cpazmal_scale.cli.products import describe

    say(describe(entry, config.workspace), product=facts.product(entry, config.workspace))


def change(earlier: str, later: str, /, *, config: Config = DEFAULT) -> None:
    """Map what changed between two maps of the same classes, with its probability.

    Args:
        earlier: name of a map in the catalog.
        later: name of another.
    """
    from cpazmal_scale.stages import refine as stage

    with bar("compare the maps") as progress:
        found, entry = stage.change(config, earlier, later, progress=progress)
    say(
        f"{found}\n{entry.name}",
        product=facts.product(entry, config.workspace),
        mapped=found.mapped.to_dict("index"),
        expected=found.expected.to_dict("index"),
    )


def zonal(name: str, /, *, config: Config = DEFAULT) -> None:
    """Print areas by class and glacier, inside the polygons of `after.outlines`, as CSV.

    Args:
        name: name of a map in the catalog, of classes or of change.
    """
    from cpazmal_scale.stages import refine as stage

    with bar("count by glacier") as progress:
        table = stage.zonal(config, name, progress=progress)
    say(to_csv(table, "%.6g"), rows=facts.rows(table))


def view(
    shown: Annotated[str | None, PLACE] = None,
    other: Annotated[str | None, PLACE] = None,
    /,
    *,
    cube: Annotated[str | None, PLACE_OF_COMMAND] = None,
    model: Annotated[str | None, PLACE_OF_COMMAND] = None,
    port: Annotated[int | None, COMMAND] = None,
    no_browser: Switch = False,
    config: Config = DEFAULT,
) -> None:
    """Show a map of any size in the browser, or two beside each other; Ctrl-C ends it.

    Click a pixel for its series in all channels, beside the classes of the model.

    Args:
        shown: name of a map in the catalog, or an address that ends in `.zarr`; none: the latest.
        other: a second map, to be compared by a slider.
        cube: the map's cube, if it is not in the map's workspace.
        model: the map's model, if it is not in the map's workspace.
        port: port of the page on this machine; none: a free one.
        no_browser: only print the page's address.
    """
    from cpazmal_scale import web
    from cpazmal_scale.stages import view as stage

    names = [name for name in (shown, other) if name is not None]
    page = stage.map_page(config, *names, cube=cube, model=model)
    say("", maps=stage.shown(config, *names))
    web.serve(page, port=port, browser=not no_browser, say=say_where)


@areas_app.command(name="design")
def areas_design(
    name: str,
    file: Place,
    /,
    *,
    units: Annotated[int | None, COMMAND] = None,
    standard_error: Annotated[float, COMMAND] = 0.01,
    config: Config = DEFAULT,
) -> None:
    """Draw points from a map, at random within each class, for somebody to interpret.

    Args:
        name: name of a map in the catalog, of classes or of change.
        file: GeoPackage to write; fill its column `reference` and give it to `areas estimate`.
        units: number of points; none: as many as the standard error needs.
        standard_error: standard error that the overall accuracy shall have, as a fraction.
    """
    from cpazmal_scale.assess import UNKNOWN, write_units
    from cpazmal_scale.stages import areas as stage

    drawn = stage.design(config, name, units=units, standard_error=standard_error)
    where = write_units(drawn, file)
    remedy = f"fill the column `reference`, with `{UNKNOWN}` where nobody can tell"
    say(f"{len(drawn)} units in {where}: {remedy}", units=len(drawn), file=where)


@areas_app.command(name="estimate")
def areas_estimate(name: str, reference: Place, /, *, config: Config = DEFAULT) -> None:
    """Print planimetric areas (km²), accuracies and 95 % intervals, by glacier too if outlined.

    Args:
        name: name of a map in the catalog, of classes or of change.
        reference: interpreted points of `areas design`; or a reference raster: areas are then
            those of the part of the map that it covers.
    """
    from cpazmal_scale.assess import grouped_text
    from cpazmal_scale.stages import areas as stage

    with bar("read the map") as progress:
        whole, zones, of = stage.estimate(config, name, reference, progress=progress)
    grouped = stage.groups(config, name, whole)
    say(
        f"{of}\n{whole}" + ("" if grouped is None else f"\n{grouped_text(grouped)}"),
        overall=[whole.overall, *whole.overall_95.tolist()],
        classes=whole.table().to_dict("index"),
        groups=None if grouped is None else grouped.to_dict("index"),
        zones=None if zones is None else facts.rows(zones),
        population=dataclasses.asdict(of),
    )
    if zones is not None:
        say(to_csv(zones, "%.6g"))
