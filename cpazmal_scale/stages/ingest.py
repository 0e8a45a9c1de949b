"""Scenes to cubes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cpazmal_scale import catalog, storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import (
    ConfigError,
    CpazmalError,
    CubeDamaged,
    StoreDamaged,
    StoreMissing,
)
from cpazmal_scale.progress import Progress
from cpazmal_scale.stages import workspace
from cpazmal_scale.stages.products import damaged_index, damaged_products

if TYPE_CHECKING:
    from cpazmal_scale.catalog import Entry
    from cpazmal_scale.cube import CubePlan, IngestReport, Record, Repair
    from cpazmal_scale.scenes import Candidate, Scene

_LOG = logging.getLogger(__name__)


def ingest(
    config: RunConfig, *, dry_run: bool = False, progress: Progress | None = None
) -> IngestReport:
    """Scenes to cubes: every new scene is checked, appended, and its cube published.

    Raises:
        ConfigError: no scenes were given.
        SceneError: a scene is damaged, unknown or changed; nothing was written. With
            `ingest.skip_refused`, no scene can be used.
    """
    from cpazmal_scale.cube import ingest_scenes

    _require_scenes(config)
    report = ingest_scenes(config, dry_run=dry_run, progress=progress)
    beams = {cube.beam for cube in report.cubes}
    wanted = config.beam
    if wanted not in (None, *beams) and wanted not in workspace.beams_of(config, str(wanted)):
        _LOG.warning(
            "no scene is of beam %s, which is to be mapped; there are %s",
            wanted,
            ", ".join(sorted(beams)),
        )
    if not dry_run:
        for cube in report.cubes:
            publish_cube(config, cube.beam)
    return report


def publish_cube(config: RunConfig, beam: str) -> Entry:
    """Publish a beam's cube as it is now, with its STAC item."""
    from cpazmal_scale.catalog.stac import write_stac
    from cpazmal_scale.cube import open_cube

    path = f"cubes/{beam}.zarr"
    url = storage.join(config.workspace, path)
    cube = open_cube(url)
    facts = {"id": cube.attrs["state"], **workspace.extent(cube)}
    entry = catalog.Entry(catalog.entry_name("cube", beam), "cube", path, facts)
    catalog.publish(config.workspace, entry)
    write_stac(url, _item_of(url))
    return entry


def _item_of(cube_url: str) -> str:
    """Where the STAC item of a cube is."""
    return f"{cube_url.removesuffix('.zarr')}.stac.json"


def _altered_item(cube_url: str) -> CubeDamaged | None:
    """The finding that the STAC item of a cube that can be read is not what it should be."""
    from cpazmal_scale.catalog.stac import stac_item

    where = _item_of(cube_url)
    try:
        wanted = stac_item(cube_url, base=where.rpartition("/")[0])
    except (CubeDamaged, StoreMissing):
        return None
    try:
        found = storage.read_bytes(where)
    except StoreMissing:
        found = b""
    if found == storage.json_bytes(wanted):
        return None
    return CubeDamaged(
        "the STAC item is lost or altered",
        where=where,
        remedy="run `cpazmal verify --repair`, or restore it from a copy",
    )


def plan_ingest(
    config: RunConfig,
    left_out: Callable[[CpazmalError], None],
    *,
    progress: Progress | None = None,
) -> tuple[CubePlan, ...]:
    """The first half of `ingest`, for callers that append scene by scene; nothing is written.

    With `ingest.skip_refused` scenes that cannot be used are handed to `left_out`.

    Raises:
        ConfigError: no scenes were given.
        SceneError: a scene is damaged, unknown or changed; with `ingest.skip_refused`, all are.
    """
    from cpazmal_scale.cube import plan_ingest as plan
    from cpazmal_scale.cube import plan_usable

    _require_scenes(config)
    if config.ingest.skip_refused:
        return plan_usable(config, left_out, progress=progress)
    return plan(config, progress=progress)


@dataclass(frozen=True)
class Arrivals:
    """Scenes of which a cube lacks a date or polarisation, by id.

    `new` ones lie still, others are still `arriving`.
    """

    scenes: str
    new: tuple[str, ...]
    arriving: tuple[str, ...]

    def __str__(self) -> str:
        if self.arriving:
            return f"{self.scenes}: {len(self.arriving)} scenes are still arriving"
        return f"{self.scenes}: {len(self.new)} new scenes"


def arrivals(config: RunConfig, *, settle_s: float = 0.0) -> Arrivals:
    """Compare scenes with what the cubes hold, by names, settings and table; no file is opened.

    Args:
        config: sections `ingest` and `workspace` are used.
        settle_s: seconds since its last change after which a file counts as complete.

    Raises:
        ConfigError: no scenes were given.
        StoreMissing: there is nothing at `ingest.scenes`.
    """
    from cpazmal_scale.cube import cube_url, read_record
    from cpazmal_scale.scenes import find_candidates, group_scenes

    _require_scenes(config)
    skip = (lambda _: None) if config.ingest.skip_refused else None
    scenes = group_scenes(find_candidates(config.ingest, skip))
    beams = {scene[0].beam for scene in scenes}
    records = {beam: read_record(cube_url(config.workspace, beam)) for beam in beams}
    new = {one[0].named.id: one for one in scenes if not _is_held(records[one[0].beam], one)}
    youngest = datetime.now(UTC) - timedelta(seconds=settle_s)
    arriving = [name for name, files in new.items() if _changed(files) > youngest]
    still = tuple(name for name in new if name not in arriving)
    return Arrivals(str(config.ingest.scenes), still, tuple(arriving))


def _is_held(record: Record | None, files: list[Candidate]) -> bool:
    """Whether a cube holds the date of a scene and, as far as they are told, all its channels."""
    from cpazmal_scale.cube import date_of

    named = files[0].named
    at = date_of(record, named.id, named.sensor, named.start) if record else None
    if record is None or at is None:
        return False
    told = {name for one in files for name in one.told}
    untold = sum(not one.told for one in files)
    return told <= set(record.polarisations_of(at)) and untold <= len(record.sources_of(at))


def _changed(files: list[Candidate]) -> datetime:
    """When the last file of a scene was changed; a product is a folder of files, or an archive."""
    urls = [one.url if one.product is None else one.product.url for one in files]
    return max(storage.modified(part) for url in urls for part in storage.find(url, literal=True))


def append_scene(config: RunConfig, plan: CubePlan, scene: Scene) -> str:
    """Append one scene of a plan to its cube: `appended`, or `unchanged` if it is there.

    Raises:
        WriterConflict: another writer is at work.
    """
    from cpazmal_scale.cube import append_planned, prepare_ground

    prepare_ground(config, plan)
    return append_planned(plan, scene, config.ingest)


def verify(
    config: RunConfig, *, progress: Progress | None = None
) -> list[CubeDamaged | StoreDamaged]:
    """Everything lost or altered in the cubes of a workspace and in its other products.

    Cubes are read whether its catalog lists them or not.

    Raises:
        StoreMissing: the workspace has no cube.
    """
    from cpazmal_scale.cube import verify_cube

    found: list[CubeDamaged | StoreDamaged] = []
    for url, listed in _cubes(config):
        item = _altered_item(url) if listed else None
        found += [*verify_cube(url, progress=progress), *([] if item is None else [item])]
    return [*found, *damaged_products(config, progress=progress)]


def repair(config: RunConfig, *, progress: Progress | None = None) -> list[Repair]:
    """Restore what is lost or altered in the cubes of a workspace, from `config.ingest.scenes`.

    Of its other products the index of the catalog is written again; the rest is named, to be made
    again.

    Raises:
        StoreMissing: the workspace has no cube.
        WriterConflict: another writer is at work on a cube.
    """
    from cpazmal_scale.catalog.stac import write_stac
    from cpazmal_scale.cube import Repair, repair_cube

    refused: dict[str, str] = {}

    def find(record: Record, index: int) -> list[Scene]:
        return _sources(config, record, index, refused)

    resample, done = bool(config.ingest.resample), []
    for url, listed in _cubes(config):
        item = _altered_item(url) if listed else None
        done += repair_cube(url, find, resample=resample, progress=progress)
        if item is not None:
            done.append(Repair(item.what, str(item.where), "written again", restored=True))
        if listed and _altered_item(url) is not None:
            write_stac(url, _item_of(url))
    if refused and not all(one.restored for one in done):
        _LOG.warning(
            "%d of the scenes' files could not be used to look for sources: %s",
            len(refused),
            "; ".join(list(refused.values())[:3]),
        )
    for one in damaged_index(config):
        catalog.rebuild(config.workspace)
        done.append(Repair(one.what, str(one.where), "written again", restored=True))
    for one in damaged_products(config, progress=progress):
        done.append(Repair(one.what, str(one.where), f"not restored: {one.remedy}", restored=False))
    return done


def _sources(config: RunConfig, record: Record, index: int, refused: dict[str, str]) -> list[Scene]:
    """Scenes at `config.ingest.scenes` of the sensor and time of one date.

    What cannot be used goes into `refused`, by its address.
    """
    from cpazmal_scale.cube import ground_url, start_of
    from cpazmal_scale.grid.warp import method_of
    from cpazmal_scale.scenes import (
        SAME_ACQUISITION,
        as_told,
        discover,
        placed_on,
        with_ground,
    )

    start, sensor = start_of(record, index), record.dates["sensor"][index]

    def near(one: Candidate) -> bool:
        named = one.named
        return named.sensor == sensor and abs(named.start - start) <= SAME_ACQUISITION

    def refuse(error: CpazmalError) -> None:
        refused[str(error.where)] = str(error)

    try:
        found = discover(config.ingest, wanted=near, refused=refuse)
    except CpazmalError as error:
        refuse(error)
        return []
    words = record.dates["resampling"][index]
    how = method_of(words)
    folder = ground_url(config.workspace, record.attributes["beam"])
    placed = [replace(placed_on(scene, record.grid), sampling=how) for scene in found]
    return [as_told(with_ground(scene, folder, record.grid), words) for scene in placed]


def _cubes(config: RunConfig) -> list[tuple[str, bool]]:
    """Addresses of the cubes of a workspace, and whether its catalog lists them.

    A damaged record lists nothing here; it is a finding among the other products.
    """
    entries = catalog.entries(config.workspace, kind="cube", damaged=lambda _: None)
    urls = [workspace.url_of(config, entry) for entry in entries]
    unlisted = _unlisted(config, urls)
    for url in unlisted:
        _LOG.warning("the catalog does not list the cube %s: run `cpazmal catalog rebuild`", url)
    if not urls and not unlisted:
        raise workspace.no_cube(config)
    return [*((url, True) for url in urls), *((url, False) for url in unlisted)]


def _unlisted(config: RunConfig, listed: Collection[str]) -> list[str]:
    """Addresses of the workspace's cubes that are not among those of its catalog."""
    from cpazmal_scale.cube import cube_urls, is_cube

    return [url for url in cube_urls(config.workspace) if url not in listed and is_cube(url)]


def list_cubes(config: RunConfig) -> list[Entry]:
    """Publish the cubes of a workspace that its catalog does not list.

    A cube that cannot be read, or that does not lie under the name of its beam, is named in a
    warning.
    """
    from cpazmal_scale.cube import require_record

    made: list[Entry] = []
    entries = catalog.entries(config.workspace, kind="cube", damaged=lambda _: None)
    for url in _unlisted(config, [workspace.url_of(config, entry) for entry in entries]):
        name = url.rpartition("/")[2].removesuffix(".zarr")
        try:
            beam = require_record(url).attributes["beam"]
            if beam == name:
                made.append(publish_cube(config, beam))
                continue
            why = f"it is of beam {beam}: name it {beam}.zarr"
        except (ConfigError, CubeDamaged) as error:
            why = error.what
        _LOG.warning("%s is not listed: %s", url, why)
    return made


def _require_scenes(config: RunConfig) -> None:
    if config.ingest.scenes is None:
        raise ConfigError(
            "no scenes to ingest", where="ingest.scenes", remedy="give a folder or bucket"
        )
    if storage.absolute(config.ingest.scenes) == storage.absolute(config.workspace):
        raise ConfigError(
            "the workspace is the folder of the scenes",
            where=f"workspace={config.workspace}",
            remedy="give it a folder of its own, where cubes, maps and reports will be",
        )
