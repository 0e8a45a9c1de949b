"""The command line: one verb per stage, all with the same YAML file and the flags made from it."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from cpazmal_scale import __version__
from cpazmal_scale.catalog_verbs import catalog_app
from cpazmal_scale.config import RunConfig
from cpazmal_scale.console import (
    COMMAND,
    Config,
    Notes,
    Switch,
    bar,
    bars,
    complain,
    first_sentence,
    say,
)
from cpazmal_scale.dataset_verbs import dataset_app
from cpazmal_scale.errors import ConfigError, CpazmalError, CubeDamaged
from cpazmal_scale.sample_verbs import samples, samples_app
from cpazmal_scale.scene_verbs import inspect, simulate

DEFAULT = RunConfig()

app = App(
    name="cpazmal",
    version=__version__,
    help="Glacier maps from X-band SAR time series. "
    "Begin with `cpazmal demo`, or `cpazmal run --config run.yaml` on your own scenes.",
    default_parameter=Parameter(negative=()),
)
app.command(simulate)
app.command(inspect)
app.command(catalog_app)
areas_app = App(name="areas", help="Areas of a map's classes with 95 % intervals (Olofsson 2014).")
app.command(areas_app)
app.command(dataset_app)
app.command(samples_app)


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[Path | None, Parameter(name=("--config", "-c"))] = None,
    debug: bool = False,  # noqa: ARG001 - read by `main`
) -> Any:
    """Read the configuration file, then run the command.

    Args:
        tokens: the command and its flags.
        config: YAML run configuration; flags come on top of it.
        debug: show the traceback of an error.
    """
    command, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
    if config is not None:
        values = RunConfig.load(config)
        flags = bound.arguments.get("config", DEFAULT).model_dump(exclude_unset=True)
        if "config" in bound.signature.parameters:
            bound.arguments["config"] = values.with_values(flags)
        elif "workspace" in bound.signature.parameters:
            bound.arguments.setdefault("workspace", values.workspace)
    return command(*bound.args, **bound.kwargs)


def main() -> None:
    """Entry point: errors end in one sentence and their exit code."""
    notes = logging.getLogger("cpazmal_scale")
    notes.setLevel(logging.INFO)
    notes.addHandler(Notes())
    try:
        app.meta(exit_on_error=False, print_error=False, result_action="return_value")
    except CpazmalError as error:
        if "--debug" in sys.argv:
            raise
        complain(str(error))
        sys.exit(error.exit_code)
    except CycloptsError as error:
        complain(first_sentence(error))
        sys.exit(ConfigError.exit_code)
    except KeyboardInterrupt:
        complain("stopped; run the same command again to continue")
        sys.exit(130)


@app.command
def demo(folder: Path = Path("build/demo"), /, *, size: int = 768, seed: int = 42) -> None:
    """Simulate a small Mont-Blanc-like campaign and run the whole main job on it.

    Args:
        folder: where everything goes.
        size: edge of the area in pixels of 3 m.
        seed: of the simulation and of every random choice.
    """
    run(config=_simulated(folder, size, seed, end=date(2021, 1, 31)))


@app.command
def ingest(*, config: Config = DEFAULT, dry_run: Switch = False) -> None:
    """Check scenes and append them to the cube of their beam.

    Args:
        dry_run: only say what would be written.
    """
    from cpazmal_scale.stages import ingest as stage

    with bar("look at the scenes" if dry_run else "ingest the scenes") as progress:
        report = stage.ingest(config, dry_run=dry_run, progress=progress)
    say(str(report))
    if report.refused:
        sys.exit(report.refused[0].exit_code)


@app.command
def train(*, config: Config = DEFAULT) -> None:
    """Learn DTW barycenters from the samples."""
    from cpazmal_scale import workspace
    from cpazmal_scale.stages import train as stage

    with bars("read the windows", "learn barycenters") as (reading, progress):
        entry = stage.train(config, reading=reading, progress=progress)
    say(workspace.describe(entry, config.workspace))


@app.command
def classify(*, config: Config = DEFAULT, dry_run: Switch = False) -> None:
    """Classify every pixel of a cube into a map.

    Args:
        dry_run: only print blocks, bytes, memory and a time estimate.
    """
    from cpazmal_scale.stages import classify as stage

    if dry_run:
        say(stage.plan_map(config).card())
        return
    with bar("classify the pixels") as progress:
        result, _ = stage.classify(config, progress=progress)
    say(str(result))


@app.command(name="map")
def map_(*, config: Config = DEFAULT, dry_run: Switch = False) -> None:
    """Classify every pixel and export the map as GeoTIFF, picture and page.

    Args:
        dry_run: only print blocks, bytes, memory and a time estimate.
    """
    from cpazmal_scale.stages.classify import export_map

    classify(config=config, dry_run=dry_run)
    if not dry_run:
        say("\n".join(export_map(config)))


@app.command
def assess(*, config: Config = DEFAULT) -> None:
    """Cross-validate by groups, beside a random forest, and compare the map with a reference."""
    _assess(config, {})


@app.command
def run(*, config: Config = DEFAULT, dry_run: Switch = False) -> None:
    """Do the whole main job: scenes to cube, samples, model, map, assessment and report.

    Args:
        dry_run: only say what would be ingested.
    """
    from cpazmal_scale import workspace

    if dry_run:
        ingest(config=config, dry_run=True)
        return
    _follow(config, [ingest, samples, train, map_])
    name = workspace.find(config, "map").name
    say("\nopen the map:\n" + workspace.how_to_open(config.workspace, name))


@app.command
def talk(
    folder: Path = Path("build/talk"), /, *, size: int = 1536, config: Config = DEFAULT
) -> None:
    """Repeat the experiment of the CPAZMAL talk: four glacier classes, DTW versus Euclid.

    Balanced 7 x 7 windows, one DBA barycenter per class and feature, a band of three dates, a
    majority vote, 25 nearest neighbours, on three folds of polygons and 20 seeds. Without scenes or
    polygons in the configuration a campaign is simulated.

    Args:
        folder: where a simulated campaign and its results go.
        size: edge of the simulated area in pixels of 3 m.
    """
    from cpazmal_scale.stages.talk import settings

    if config.ingest.scenes is None and config.samples.polygons is None:
        own = _simulated(folder, size, config.seed, end=date(2020, 12, 31))
        config = own.with_values(config.model_dump(exclude_unset=True))
    _follow(settings(config), [ingest, samples, train])


def _follow(config: RunConfig, verbs: list[Callable[..., None]]) -> None:
    """The verbs one after the other, without ingest if there is nothing to ingest; then assess."""
    seconds: dict[str, float] = {}
    for verb in verbs[config.ingest.scenes is None :]:
        began = time.perf_counter()
        verb(config=config)
        seconds[verb.__name__.strip("_")] = time.perf_counter() - began
    _assess(config, seconds)


def _simulated(folder: Path, size: int, seed: int, *, end: date) -> RunConfig:
    """A campaign of one beam in a folder, and the run that maps it there."""
    from cpazmal_scale.simulate.campaign import campaign

    with bar("simulate the scenes") as progress:
        made = campaign(
            folder / "campaign",
            size=size,
            seed=seed,
            start=date(2020, 1, 1),
            end=end,
            beams=("DSC37",),
            workspace=str(folder),
            progress=progress,
        )
    say(str(made))
    return RunConfig.load(folder / "campaign" / "run.yaml")


def _assess(config: RunConfig, seconds: dict[str, float]) -> None:
    from cpazmal_scale.stages import assess as stage

    with bars("read the windows", "cross-validate") as (reading, progress):
        found = stage.assess(config, reading=reading, progress=progress, seconds=seconds)
    say(str(found))


@app.command
def refine(*, config: Config = DEFAULT) -> None:
    """Smooth, filter, sieve and restrict the latest map, as `after` says."""
    from cpazmal_scale import workspace
    from cpazmal_scale.stages import refine as stage

    with bar("refine the map") as progress:
        entry = stage.refine(config, progress=progress)
    say(workspace.describe(entry, config.workspace))


@app.command
def fuse(names: tuple[str, ...], /, *, config: Config = DEFAULT) -> None:
    """Make one map of several, such as those of all beams.

    Args:
        names: of two or more maps in the catalog.
    """
    from cpazmal_scale import workspace
    from cpazmal_scale.stages import refine as stage

    with bar("fuse the maps") as progress:
        entry = stage.fuse(config, names, progress=progress)
    say(workspace.describe(entry, config.workspace))


@app.command
def change(earlier: str, later: str, /, *, config: Config = DEFAULT) -> None:
    """Map what changed between two maps of the same classes, with its probability.

    Args:
        earlier: name of a map in the catalog.
        later: name of another.
    """
    from cpazmal_scale.stages import refine as stage

    with bar("compare the maps") as progress:
        found, entry = stage.change(config, earlier, later, progress=progress)
    say(f"{found}\n{entry.name}")


@app.command
def zonal(name: str, /, *, config: Config = DEFAULT) -> None:
    """Print areas by class and glacier, inside the polygons of `after.outlines`, as CSV.

    Args:
        name: of a map in the catalog.
    """
    from cpazmal_scale.stages import refine as stage

    with bar("count by glacier") as progress:
        table = stage.zonal(config, name, progress=progress)
    say(table.to_csv(index=False, float_format="%.6g"))


@areas_app.command(name="design")
def areas_design(
    name: str,
    file: str,
    /,
    *,
    units: Annotated[int | None, COMMAND] = None,
    standard_error: Annotated[float, COMMAND] = 0.01,
    config: Config = DEFAULT,
) -> None:
    """Draw points from a map, at random within each class, for somebody to interpret.

    Args:
        name: of a map in the catalog.
        file: GeoPackage to write; fill its column `reference` and give it to `areas estimate`.
        units: how many points; none: what the standard error needs.
        standard_error: wanted of the overall accuracy, as a fraction.
    """
    from cpazmal_scale.assess.units import write_points
    from cpazmal_scale.stages import areas as stage

    drawn = stage.design(config, name, units=units, standard_error=standard_error)
    say(f"{len(drawn)} units in {write_points(drawn, file)}: fill the column `reference`")


@areas_app.command(name="estimate")
def areas_estimate(name: str, reference: str, /, *, config: Config = DEFAULT) -> None:
    """Print areas (km²) and accuracies with their 95 % intervals, by glacier too if outlined.

    Args:
        name: of a map in the catalog.
        reference: interpreted points of `areas design`, or a reference raster.
    """
    from cpazmal_scale.stages import areas as stage

    with bar("read the map") as progress:
        whole, zones = stage.estimate(config, name, reference, progress=progress)
    say(str(whole))
    if zones is not None:
        say(zones.to_csv(index=False, float_format="%.6g"))


@app.command
def verify(*, config: Config = DEFAULT, repair: Switch = False) -> None:
    """Read every chunk of the cubes again and name what is lost or altered.

    Args:
        repair: restore it, from the manifest and from the scenes of `ingest.scenes`; what cannot
            be restored is removed, listed, and reads as no data.
    """
    from cpazmal_scale.stages import ingest as stage

    if repair:
        with bar("verify and repair") as progress:
            done = stage.repair(config, progress=progress)
        for one in done:
            (say if one.restored else complain)(str(one))
        if not all(one.restored for one in done):
            sys.exit(CubeDamaged.exit_code)
        say("everything is intact")
        return
    with bar("verify") as progress:
        findings = stage.verify(config, progress=progress)
    for finding in findings:
        complain(str(finding))
    if findings:
        sys.exit(findings[0].exit_code)
    say("everything is intact")


@app.command
def serve(
    *,
    config: Config = DEFAULT,
    home: Annotated[Path, COMMAND] = Path("build/prefect"),
    port: Annotated[int, COMMAND] = 4200,
    limit: Annotated[int, COMMAND] = 1,
) -> None:
    """Start a Prefect server with its UI, every deployment and a worker, all on this machine.

    The configuration fills the deployments' forms. Ctrl-C stops everything.

    Args:
        home: folder of the server's database and of the logs.
        port: of the server and its UI.
        limit: runs at the same time.
    """
    given = config.model_dump_json(exclude_unset=True)
    words = ("-m", "flows.serve", given, str(home), str(port), str(limit))
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606


@app.command(name="config")
def config_(*, config: Config = DEFAULT) -> None:
    """Print every setting with its meaning: a run configuration to start from."""
    say(config.commented_yaml())
