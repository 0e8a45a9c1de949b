"""The published dataset to cubes, polygons and samples, and samples to its layout."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError, SampleError, StoreMissing
from cpazmal_scale.grid.vectors import read_vectors
from cpazmal_scale.progress import Progress
from cpazmal_scale.published.chips import STUDY, Chips
from cpazmal_scale.published.repairs import DEFECTS, Account
from cpazmal_scale.stages import workspace
from cpazmal_scale.stages.ingest import publish_cube
from cpazmal_scale.stages.samples import draw_samples
from cpazmal_scale.storage import seal
from cpazmal_scale.tables import to_csv

if TYPE_CHECKING:
    import xarray as xr

    from cpazmal_scale.cube import CubePlan, CubeReport
    from cpazmal_scale.published.file import PublishedFile

POLYGONS, HEALED, SETTINGS = "dataset/polygons.gpkg", "dataset/healed.csv", "dataset/run.yaml"
"""Where an import leaves outlines, account and settings, below the workspace."""
NOTES = "dataset/healed.json"
"""The account as the next import reads it."""


@dataclass(frozen=True)
class ImportReport:
    """What an import made, or would make: cubes, what was repaired, and windows of each beam.

    `settings` is the run.yaml to go on with; none: nothing was written.
    """

    cubes: tuple[CubeReport, ...]
    account: Account
    samples: tuple[str, ...] = ()
    settings: str | None = None

    def __str__(self) -> str:
        cubes = [line for cube in self.cubes for line in cube.lines(planned=False)]
        lines = [*cubes, "repaired:", str(self.account), *self.samples]
        if self.settings is None:
            size = sum(cube.bytes for cube in self.cubes) / 2**20
            return "\n".join([*lines, f"nothing written; would write {size:.0f} MiB of pixels"])
        return "\n".join([*lines, f"next: cpazmal run --config {self.settings}"])


def import_dataset(
    config: RunConfig, url: str, *, dry_run: bool = False, progress: Progress | None = None
) -> ImportReport:
    """Bring a published file into the workspace: a cube per beam, its polygons, and samples.

    Values are stored as they are in the file, each chip at its nearest pixel. What is there
    already is skipped, so that an interrupted import goes on where it was. Samples are drawn of
    every class that a beam shows in two groups. With `dry_run` nothing is written, and only what
    the file's facts tell is known of its defects.

    Raises:
        DatasetUnreadable: damaged, unsafe, or not of this layout.
        SceneChanged: the workspace holds these dates from another file.
        StoreMissing: nothing is there.
    """
    from cpazmal_scale.cube import fill_cube
    from cpazmal_scale.published.canvas import ChipReader, canvas_of, outlines
    from cpazmal_scale.published.file import opened

    account = Account()
    with opened(url, account) as chips:
        chips.check()
        canvas = canvas_of(chips, account)
        plans = _plans(config, chips, canvas, url)
        if dry_run:
            return ImportReport(tuple(plan.report for plan in plans), account)
        storage.sweep(storage.join(config.workspace, HEALED.partition("/")[0]), deep=False)
        keep = partial(_write_account, account, config.workspace)
        opener = partial(_reader, ChipReader, chips, canvas, account, keep)
        total = sum(len(plan.new) for plan in plans)
        # The published values are a reference for others: they stay as they are, to the bit.
        rules = config.ingest.model_copy(update={"precision": "full"})
        done = 0
        for plan in plans:
            fill_cube(plan, rules, progress, done, total, opener)
            publish_cube(config, plan.beam)
            done += len(plan.new)
        polygons = outlines(chips, canvas)
        labels = sorted({group.label for group in chips.groups.values()} - {STUDY})
    _write_polygons(polygons, storage.join(config.workspace, POLYGONS))
    keep()
    settings = _settings(config, plans, labels)
    drawn = tuple(_draw(settings, plan.beam, polygons) for plan in plans)
    where = storage.join(config.workspace, SETTINGS)
    storage.write_bytes(where, settings.placed(Path.cwd()).commented_yaml().encode())
    return ImportReport(tuple(plan.report for plan in plans), account, drawn, where)


def export_dataset(config: RunConfig, url: str, *, progress: Progress | None = None) -> int:
    """Write the polygons of a run, cut out of its cubes, in the published layout.

    All classes and beams there are, or only `config.samples.classes` and `config.beam`; `start` and
    `end` bound the dates. The polygons' file may have columns `number, id, latitude, longitude,
    elevation, orientation, slope`, which the file then carries.

    Returns:
        The number of series written.

    Raises:
        ConfigError: no polygons were given.
        SampleError: the cubes or polygons do not fit the layout.
    """
    from cpazmal_scale.published.from_cubes import CubeChips
    from cpazmal_scale.published.writing import write_published
    from cpazmal_scale.samples import read_polygons

    source = config.samples.polygons
    if source is None:
        raise ConfigError(
            "no polygons to cut out", where="samples.polygons", remedy="give a vector file"
        )
    chosen = "classes" in config.samples.model_fields_set
    polygons = read_polygons(source, config.samples.classes if chosen else None)
    chips = CubeChips(_cubes(config), polygons, _facts(source))
    write_published(chips, url, progress=progress)
    return len(chips.series)


def _plans(config: RunConfig, chips: PublishedFile, canvas: Any, url: str) -> list[CubePlan]:
    """One plan per beam of the file."""
    from cpazmal_scale.cube import cube_url, plan_cube, read_record
    from cpazmal_scale.published.canvas import scenes_of

    scenes = scenes_of(
        chips, canvas, url=url, sha256=_sha256(url), radiometry=config.ingest.naming.radiometry
    )
    return [
        plan_cube(config, beam, read_record(cube_url(config.workspace, beam)), members)
        for beam, members in scenes.items()
        if config.beam in (None, beam)
    ]


@contextlib.contextmanager
def _reader(
    make: Any,
    chips: Chips,
    canvas: Any,
    account: Account,
    keep: Callable[[], None],
    scene: Any,
    grid: Any,
) -> Iterator[Any]:
    """A reader of one scene's chips, on the canvas' grid; what it repaired is kept first.

    An import that stops after the commit does not read the scene again.
    """
    from cpazmal_scale.errors import GridMismatch

    if grid != canvas.grid:
        raise GridMismatch(
            f"the cube's grid is {grid.shape}, the file's chips make {canvas.grid.shape}",
            where=scene.id,
            remedy="import into a workspace of its own",
        )
    with make(chips, canvas, scene, account) as reader:
        yield reader
    keep()


def _sha256(url: str) -> str:
    digest = hashlib.sha256()
    with storage.open_seekable(url) as stream:
        for block in iter(partial(stream.read, 1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _write_account(account: Account, home: str) -> None:
    """Keep what was repaired; what an import before this one repaired stays.

    The table is for people; what is read again is a document with its digest.
    """
    import pandas as pd

    notes, table = storage.join(home, NOTES), account.table()
    before: list[dict[str, Any]] = []
    with contextlib.suppress(StoreMissing):
        before = seal.read_document(notes, "import into a new workspace")["healed"]
    now = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    rows = {(row["defect"], row["where"]): row for row in (*before, *now)}
    order = list(DEFECTS)
    whole = sorted(rows.values(), key=lambda row: (order.index(row["defect"]), row["where"]))
    seal.write_document(notes, {"healed": whole})
    found = pd.DataFrame(whole, columns=list(table.columns))
    storage.write_bytes(storage.join(home, HEALED), to_csv(found).encode())


def _write_polygons(polygons: Any, url: str) -> None:
    with storage.local_scratch() as folder:
        path = folder / "polygons.gpkg"
        polygons.to_file(path, driver="GPKG")
        storage.upload(path, url)


def _settings(config: RunConfig, plans: list[CubePlan], labels: list[str]) -> RunConfig:
    """The run as it goes on from here: the polygons, and all classes unless some were chosen."""
    classes = config.samples.classes or labels
    samples = {"polygons": storage.join(config.workspace, POLYGONS), "classes": list(classes)}
    beam = config.beam or max(plans, key=lambda plan: len(plan.new) + len(plan.unchanged)).beam
    return config.with_values({"samples": samples, "beam": beam, "ingest": {"scenes": None}})


def _draw(settings: RunConfig, beam: str, polygons: Any) -> str:
    """Draw one beam's samples; what it gives, or why it gives none."""
    groups = polygons.groupby("class")["group"].nunique()
    classes = [name for name in settings.samples.classes or groups.index if groups.get(name, 0) > 1]
    run = settings.with_values({"beam": beam, "samples": {"classes": classes}})
    try:
        entry = draw_samples(run)
    except SampleError as error:
        return f"{beam}: no samples ({error})"
    counts = ", ".join(f"{name} {count}" for name, count in entry.fact("windows").items())
    return f"{beam}: {counts} windows"


def _cubes(config: RunConfig) -> list[xr.Dataset]:
    """The cubes of the run's beam, or of all beams."""
    if config.beam is not None:
        return [workspace.open_period(config)]
    beams = workspace.beams_of(config)
    if not beams:
        raise workspace.no_cube(config)
    found = []
    for beam in sorted(beams):
        try:
            found.append(workspace.open_period(config.with_values({"beam": beam})))
        except SampleError:  # a beam without a date in the period
            continue
    return found


def _facts(url: str) -> dict[str, dict[str, Any]]:
    """What the polygons' file knows of each group beside its class."""
    table = read_vectors(url, shapes=False)
    table.columns = [str(name).lower() for name in table.columns]
    return {
        str(row["group"]): {str(name): value for name, value in row.items()}
        for row in table.drop_duplicates("group").to_dict("records")
    }
