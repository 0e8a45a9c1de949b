"""The verbs on the published dataset: `cpazmal dataset show`, `import`, `export`, `protocol`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App

from cpazmal_scale.cli import facts
from cpazmal_scale.cli.answers import say
from cpazmal_scale.cli.console import COMMAND, Config, Place, Switch, bar
from cpazmal_scale.config import RunConfig

if TYPE_CHECKING:
    from cpazmal_scale.published.chips import Chips
    from cpazmal_scale.published.expected import Check
    from cpazmal_scale.published.file import PublishedFile

DEFAULT = RunConfig()
dataset_app = App(name="dataset", help="The published CPAZMaL dataset, and samples in its layout.")


@dataset_app.command(name="show")
def show(file: Place, /, *, windows: Switch = False, pixels: Switch = False) -> None:
    """List what a published file holds, its errors, and how it differs from the published counts.

    Args:
        file: HDF5 file, any fsspec URL.
        windows: also count the windows of the authors' scenarios, which reads the pixels.
        pixels: also read every pixel, to count the defects that only they show.
    """
    from cpazmal_scale.published.file import opened
    from cpazmal_scale.published.repairs import Account
    from cpazmal_scale.published.training import is_training, read_training

    if is_training(file):
        account = Account()
        say(
            f"{read_training(file, account)}\n{account}",
            groups={},
            checks=[],
            healed=facts.repaired(account),
        )
        return
    with opened(file) as chips:
        groups = _describe(chips)
        checks = _compared(chips, windows)
        if pixels:
            _read_all(chips)
        say(
            f"\nbeside the file published on 2025-12-18:\n{_lines(checks)}",
            groups=groups,
            checks=[{**asdict(check), "agrees": check.agrees} for check in checks],
        )
        say(
            f"\nwhat is wrong, and what is done about it:\n{chips.account}",
            healed=facts.repaired(chips.account),
        )


def _describe(chips: PublishedFile) -> dict[str, Any]:
    """One line per group, and what it says."""
    found = {}
    for name, group in chips.groups.items():
        series = [one for one in chips.series if one.group == name]
        held = ", ".join(f"{s.orbit}/{s.polarisation} {len(s.dates)}" for s in series)
        height, width = series[0].shape if series else (0, 0)
        say(f"{name:<10}{group.label:<7}{height:>5} x {width:<6}{held}")
        found[name] = {"label": group.label, "series": len(series), "shape": [height, width]}
    return found


def _compared(chips: PublishedFile, windows: bool) -> list[Check]:
    """Counts of the file beside the published ones."""
    from cpazmal_scale.published.expected import check_counts, check_windows

    checks = check_counts(chips)
    if windows:
        with bar("count the windows") as progress:
            checks += check_windows(chips, progress)
    return checks


def _read_all(chips: PublishedFile) -> None:
    """Read every pixel, so that what is wrong with any is in the file's account."""
    with bar("read the pixels") as progress:
        for done, one in enumerate(chips.series, 1):
            for date in range(len(one.dates)):
                chips.read(one, date)
            progress(done, len(chips.series))


@dataset_app.command(name="import")
def import_(file: Place, /, *, config: Config = DEFAULT, dry_run: Switch = False) -> None:
    """Bring a published file into the workspace: cubes, polygons, samples, and a run.yaml.

    Args:
        file: HDF5 file, any fsspec URL.
        dry_run: only list what would be written.
    """
    from cpazmal_scale.stages import dataset as stage

    with bar("bring in the chips") as progress:
        report = stage.import_dataset(config, file, dry_run=dry_run, progress=progress)
    say(
        str(report),
        cubes=[facts.cube(one) for one in report.cubes],
        healed=facts.repaired(report.account),
        settings=report.settings,
    )


@dataset_app.command(name="export")
def export(file: Place, /, *, config: Config = DEFAULT, every_beam: Switch = False) -> None:
    """Write the polygons of a run, cut out of its cubes, in the published layout.

    Args:
        file: HDF5 file to write, any fsspec URL.
        every_beam: take all beams of the workspace, whatever `beam` says.
    """
    from cpazmal_scale.stages import dataset as stage

    if every_beam:
        config = config.with_values({"beam": None})

    with bar("write the chips") as progress:
        count = stage.export_dataset(config, file, progress=progress)
    say(f"{count} series in {file}", file=file, series=count)


@dataset_app.command(name="protocol")
def protocol(
    file: Place | None = None,
    /,
    *,
    size: Annotated[int, COMMAND] = 1536,
    seed: Annotated[int, COMMAND] = 42,
    seeds: Annotated[int, COMMAND] = 4,
    threads: Annotated[int, COMMAND] = 2,
) -> None:
    """Repeat the authors' experiment on laws of amplitudes, and compare with their figures.

    DSC, HH, 2020, 12 x 12 windows of seven classes: nearest window and nearest barycenter by
    soft-DTW of raw samples, Weibull parameters and Weibull laws (WaSPS), windows or polygons held
    out. Without a file the windows are those of a simulated campaign.

    Args:
        file: published HDF5 file, any fsspec URL.
        size: edge of the simulated area in pixels of the authors' grid.
        seed: seed of the simulated campaign.
        seeds: number of random hold-outs of each run.
        threads: number of threads that compute distances.
    """
    from contextlib import nullcontext

    from cpazmal_scale.published import protocol as experiment
    from cpazmal_scale.published.file import opened
    from cpazmal_scale.published.simulated import SimulatedChips

    chips: AbstractContextManager[Chips]
    chips = nullcontext(SimulatedChips(seed, size)) if file is None else opened(file)
    with chips as held, bar("cut the windows") as progress:
        windows = experiment.windows_of(held, progress)
    with bar("hold out and compare") as progress:
        found = experiment.protocol(windows, seeds=seeds, threads=threads, progress=progress)
    say(
        "\n".join(experiment.lines(windows, found)),
        windows=windows.counts(),
        dates=windows.dates,
        runs=[{**asdict(one.run), "scores": one.scores, "macros": one.macros} for one in found],
    )


def _lines(items: Sequence[object]) -> str:
    return "\n".join(f"  {item}" for item in items)
