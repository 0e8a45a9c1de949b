"""The verbs of the main job, one per stage, and all of it at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cpazmal_scale.cli import facts
from cpazmal_scale.cli.answers import ANSWER, say
from cpazmal_scale.cli.console import Config, Folder, Switch, bar, bars, complain, like
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import CubeDamaged

if TYPE_CHECKING:
    from cpazmal_scale.cube import IngestReport

DEFAULT = RunConfig()


def demo(folder: Folder = Path("build/demo"), /, *, size: int = 512, seed: int = 42) -> None:
    """Simulate products and a DEM of a small massif and run all stages on them.

    Args:
        folder: workspace for the simulated files and all results.
        size: edge of the area in pixels of 3 m, 256 to 20000.
        seed: seed of the simulation and of every random choice.
    """
    run(config=_simulated(folder, size, seed, end=date(2021, 1, 31), level1b="mountains"))


def ingest(*, config: Config = DEFAULT, dry_run: Switch = False) -> None:
    """Check scenes and append them to the cube of their beam.

    Args:
        dry_run: only list what would be written.
    """
    if dry_run:
        _try_ingest(config, "ingest")
    else:
        follow(config, "ingest")


def _try_ingest(config: RunConfig, verb: str) -> None:
    """Say what an ingest would write, and the verb that does it."""
    from cpazmal_scale.stages import ingest as stage

    with bar("look at the scenes") as progress:
        report = stage.ingest(config, dry_run=True, progress=progress)
    _say_ingested(report)
    say(ANSWER.next(verb, "do it"))


def train(*, config: Config = DEFAULT) -> None:
    """Learn the classes from the samples, by the method that tells them apart best."""
    follow(config, "train")


def classify(*, config: Config = DEFAULT, dry_run: Switch = False) -> None:
    """Classify every pixel of a cube into a map.

    Args:
        dry_run: only print the number of blocks, bytes, memory and an estimate of the time.
    """
    from cpazmal_scale.mapping import plan_card
    from cpazmal_scale.stages import classify as stage

    if dry_run:
        plan = stage.plan_map(config)
        say(plan_card(plan), map=None, plan=facts.planned(plan))
        return
    with bar("classify the pixels") as progress:
        result, _ = stage.classify(config, progress=progress)
    say(str(result), map=facts.mapped(result), plan=None)


def map_(*, config: Config = DEFAULT, dry_run: Switch = False) -> None:
    """Classify every pixel and export the map as GeoTIFF, picture and page.

    Args:
        dry_run: only print the number of blocks, bytes, memory and an estimate of the time.
    """
    if dry_run:
        classify(config=config, dry_run=True)
        say("", files=[])
        return
    follow(config, "map")


def assess(*, config: Config = DEFAULT) -> None:
    """Compare methods on whole polygons, and the map with a reference; write the report."""
    follow(config, "assess")


def run(*, config: Config = DEFAULT, dry_run: Switch = False) -> None:
    """Run all stages: scenes to cube, samples, model, map, assessment and report.

    Args:
        dry_run: only list what would be ingested, and which polygons and reference would be used.
    """
    from cpazmal_scale.stages import pipeline, workspace

    if dry_run:
        say("\n".join(pipeline.require_inputs(config)))
        _try_ingest(config, "run")
        _as_steps("ingest", open=None)
        return
    follow(config)
    name = workspace.find(config, "map").name
    from cpazmal_scale.catalog import how_to_open

    lines = how_to_open(config.workspace, name)
    say("\nopen the map:\n" + lines, open=lines)


def talk(
    folder: Folder = Path("build/talk"), /, *, size: int = 1536, config: Config = DEFAULT
) -> None:
    """Repeat the experiment of the CPAZMAL talk: four glacier classes, DTW versus Euclid.

    Balanced 7 x 7 windows, one DBA barycenter per class and feature, a band of three dates, a
    majority vote, 25 nearest neighbours, on three folds of polygons and 20 seeds. Without scenes or
    polygons in the configuration a campaign is simulated.

    Args:
        folder: workspace for the simulated campaign and its results.
        size: edge of the simulated area in pixels of 3 m, 256 to 20000.
    """
    from cpazmal_scale.stages import pipeline
    from cpazmal_scale.stages.talk import settings

    if config.ingest.scenes is None and config.samples.polygons is None:
        own = _simulated(folder, size, config.seed, end=date(2020, 12, 31))
        config = own.with_values(config.model_dump(exclude_unset=True))
    names = [step.name for step in pipeline.steps(config) if step.name != "map"]
    follow(settings(config), *names, whole=True)


def follow(config: RunConfig, *names: str, whole: bool = False) -> None:
    """Do steps of the main job, all without names, with bars and a few lines on each.

    Facts of one step are the verb's own; of several, those of each step by its name.
    """
    from cpazmal_scale.stages import pipeline

    def tell(step: pipeline.Step, made: object) -> None:
        _TOLD[step.name](config, made)
        if whole or not names:
            _as_steps(step.name)
        else:
            say("\n".join(ANSWER.next(*use) for use in _after(step.name, config)))

    pipeline.run(config, only=names or None, watch=lambda step: bars(*step.bars), tell=tell)


def _after(step: str, config: RunConfig) -> tuple[tuple[str, str], ...]:
    """Verbs that a user may want after a step, and what for."""
    from cpazmal_scale.stages import workspace

    if step == "ingest" and config.samples.polygons is None:
        return _UNLABELLED
    if step == "train" and workspace.has_table(config):
        return (_HOW_GOOD,)  # a table has no pixels to classify
    return _NEXT.get(step, ())


def _as_steps(name: str, **beside: object) -> None:
    """Keep what the last step answered under its name."""
    steps = ANSWER.facts.pop("steps", {})
    ANSWER.facts = {"steps": {**steps, name: ANSWER.facts}, **beside}


def _say_assessed(_: RunConfig, made: Any) -> None:
    say(str(made), **facts.assessed(made))


def _say_entry(config: RunConfig, made: Any) -> None:

    from cpazmal_scale.cli.products import describe

    say(describe(made, config.workspace), product=facts.product(made, config.workspace))


def _say_map(_: RunConfig, made: Any) -> None:
    result, files = made
    say("\n".join([str(result), *files]), map=facts.mapped(result), plan=None, files=files)


def _say_ingested(report: IngestReport) -> None:
    """The report; it names refused scenes, which end the command with the first one's code."""
    say(str(report), **facts.ingested(report))
    if report.refused:
        sys.exit(report.refused[0].exit_code)


_HOW_GOOD = ("assess", "how good is it?")
_NEXT = {
    "ingest": (("samples", "windows inside the polygons"),),
    "samples": (("train", "learn the classes"),),
    "train": (("map", "classify every pixel"),),
    "map": (("view", "look at it"), _HOW_GOOD),
}
_UNLABELLED = (
    ("label", "draw polygons"),
    ("samples", "without polygons: groups of pixels with similar series become the classes"),
)
_TOLD: dict[str, Callable[[RunConfig, Any], None]] = {
    "ingest": lambda _, report: _say_ingested(report),
    "samples": _say_entry,
    "train": _say_entry,
    "map": _say_map,
    "assess": _say_assessed,
}


def _simulated(
    folder: Path, size: int, seed: int, *, end: date, level1b: Literal["mountains"] | None = None
) -> RunConfig:
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
            level1b=level1b,
            progress=progress,
        )
    say(str(made))
    return RunConfig.load(folder / "campaign" / "run.yaml")


def verify(*, config: Config = DEFAULT, repair: Switch = False) -> None:
    """Read every chunk of cubes, models and maps again and name what is lost or altered.

    Args:
        repair: restore cubes, from the manifest and from the scenes of `ingest.scenes`; what cannot
            be restored is removed, listed, and reads as no data. Models and maps are only listed:
            `train` and `map` make them again.
    """
    from cpazmal_scale.stages import ingest as stage

    if repair:
        with bar("verify and repair") as progress:
            done = stage.repair(config, progress=progress)
        for restored, tell in ((True, say), (False, complain)):
            for line in like(str(one) for one in done if one.restored == restored):
                tell(line)
        intact = all(one.restored for one in done)
        say("everything is intact" if intact else "", intact=intact, findings=[], repaired=done)
        if not intact:
            sys.exit(CubeDamaged.exit_code)
        return
    with bar("verify") as progress:
        findings = stage.verify(config, progress=progress)
    for line in like(map(str, findings)):
        complain(line)
    said = {"intact": not findings, "findings": findings, "repaired": []}
    say("" if findings else "everything is intact", **said)
    if findings:
        sys.exit(findings[0].exit_code)
