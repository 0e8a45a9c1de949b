"""Compare a folder of scenes with the cubes of its beams: what each cube is to get."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale.config import Ingest, RunConfig
from cpazmal_scale.cube.format import placement as grids
from cpazmal_scale.cube.format.record import Record, read_record
from cpazmal_scale.cube.write.admission import View, admit
from cpazmal_scale.cube.write.align import DATES, Alignment, align
from cpazmal_scale.cube.write.grounds import unlike_cube
from cpazmal_scale.cube.write.order import require_order
from cpazmal_scale.cube.write.refusals import Refused, raise_with_setting, refuse
from cpazmal_scale.cube.write.report import Action, CubeReport, SceneReport
from cpazmal_scale.cube.write.shifts import measure_shifts
from cpazmal_scale.cube.write.usual import of_another_scale, usual_lattice, usual_view
from cpazmal_scale.errors import ConfigError, CpazmalError, DemError, GridMismatch, SceneError
from cpazmal_scale.progress import Progress
from cpazmal_scale.scenes import (
    Scene,
    check_ground,
    discover,
    find_candidates,
    note_of_ground,
    placed_on,
    warnings_of,
    with_ground,
)
from cpazmal_scale.vocabulary import identifier

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from cpazmal_scale.grid.shift import Shift


@dataclass(frozen=True)
class CubePlan:
    """What one cube is to get: described and checked scenes, or parts of them, that it lacks.

    `record` is the cube as it is, none where it is new; `grid` its grid, the union of the scenes'
    footprints for a new one; `scenes` tell what becomes of all of them.
    """

    url: str
    beam: str
    record: Record | None
    grid: GeoBox
    new: tuple[Scene, ...]
    scenes: tuple[SceneReport, ...]
    notes: tuple[str, ...]

    @property
    def unchanged(self) -> tuple[str, ...]:
        """Ids of the scenes that are there."""
        return tuple(scene.id for scene in self.scenes if scene.action == "unchanged")

    @property
    def report(self) -> CubeReport:
        """What the cube gets."""
        added = sum(scene.action == "append" for scene in self.scenes)
        held = self.record.length if self.record else 0
        shape = (int(self.grid.shape[0]), int(self.grid.shape[1]))
        said = [note_of_ground(scene, self.grid) for scene in self.new[:1]]
        said += [unlike_cube(self.record, scene, self.grid) for scene in self.new[:1]]
        notes = (*self.notes, *filter(None, said))
        return CubeReport(self.url, self.beam, shape, self.scenes, held + added, notes)


def cube_url(workspace: str, beam: str) -> str:
    """Where the cube of a beam is in a workspace."""
    return storage.join(storage.absolute(workspace), "cubes", f"{beam}.zarr")


def cube_urls(workspace: str) -> list[str]:
    """Where cubes lie in a workspace, whatever its catalog lists, sorted."""
    folder = storage.join(storage.absolute(workspace), "cubes")
    return [storage.join(folder, n) for n in storage.list_names(folder) if n.endswith(".zarr")]


def ground_url(workspace: str, beam: str) -> str:
    """Where what a beam sees of its ground is kept in a workspace."""
    return storage.join(storage.absolute(workspace), "terrain", beam)


def plan_ingest(
    config: RunConfig, *, refused: Refused | None = None, progress: Progress | None = None
) -> tuple[CubePlan, ...]:
    """Look at all scenes of `config.ingest` and compare them with the cubes; nothing is written.

    The new scenes of a plan go into its cube with `append_planned`.
    Scenes that cannot be used are handed to `refused`, if given, and left out.

    Raises:
        SceneError: a scene cannot be used (see `scenes.discover`), or changed.
        GridMismatch: scenes of one beam do not share a pixel lattice, or miss the cube.
        ConfigError: a beam differs from another one in punctuation alone.
    """
    listed = find_candidates(config.ingest, _told_later)
    if refused is None and len(listed) > 1:
        refused = raise_with_setting
    beams = sorted({one.beam for one in listed})
    records = {beam: read_record(cube_url(config.workspace, beam)) for beam in beams}
    lying = _beams_held(config.workspace)
    _require_names(beams, lying)
    held = {
        name: record.sources_of(index)
        for record in records.values()
        if record
        for index, name in enumerate(record.dates["scene_id"])
    }
    scenes = discover(config.ingest, check=True, held=held, refused=refused, progress=progress)
    plans = []
    for beam in beams:
        mine = [scene for scene in scenes if scene.beam == beam]
        if mine:
            plans.append(plan_cube(config, beam, records[beam], mine, refused=refused))
    return tuple(_beside_other_beams(config.workspace, lying, plans))


def _told_later(_: CpazmalError) -> None:
    """Leave out a scene that is told when all are looked at."""


def plan_usable(
    config: RunConfig, left_out: Refused, *, progress: Progress | None = None
) -> tuple[CubePlan, ...]:
    """The plans of what can be used; scenes that cannot are handed to `left_out`.

    Raises:
        SceneError, GridMismatch: no scene can be used.
        CpazmalError: what is wrong is more than a scene: a store, a setting, an elevation raster.
    """
    found: list[CpazmalError] = []

    def leave_out(error: CpazmalError) -> None:
        if isinstance(error, DemError) or not isinstance(error, SceneError | GridMismatch):
            raise error
        found.append(error)
        left_out(error)

    plans = plan_ingest(config, refused=leave_out, progress=progress)
    plans = tuple(one for one in plans if one.record is not None or one.new)
    if found and not plans:
        raise found[0]
    return plans


def _beside_other_beams(
    workspace: str, lying: Sequence[str], plans: Sequence[CubePlan]
) -> Iterator[CubePlan]:
    """The same; of a new cube whose pixels are not those of another beam, its notes tell.

    `lying` are the beams of the cubes in the workspace.
    """
    grids_known = {plan.beam: plan.grid for plan in plans}
    if any(plan.record is None for plan in plans):
        grids_known |= _grids_held(workspace, [beam for beam in lying if beam not in grids_known])
    for plan in plans:
        others = [beam for beam, grid in grids_known.items() if grid != plan.grid]
        if plan.record is not None or not others:
            yield plan
            continue
        note = (
            f"its pixels are not those of {', '.join(sorted(others))}: maps of both can be fused "
            "or compared only if all are ingested with one ingest.grid and ingest.area"
        )
        yield replace(plan, notes=(*plan.notes, note))


def _grids_held(workspace: str, beams: Sequence[str]) -> dict[str, GeoBox]:
    """Grids of cubes of a workspace; a cube that cannot be read has none."""
    held = {}
    for beam in beams:
        with contextlib.suppress(CpazmalError):
            record = read_record(cube_url(workspace, beam))
            if record is not None:
                held[beam] = record.grid
    return held


def _beams_held(workspace: str) -> list[str]:
    """Beams of all cubes that lie in a workspace, in the catalog or not."""
    return [url.rpartition("/")[2].removesuffix(".zarr") for url in cube_urls(workspace)]


def _require_names(beams: Sequence[str], held: Sequence[str]) -> None:
    """The catalog would take beams whose names differ in punctuation alone for one.

    Raises:
        ConfigError: it would take one of `beams` for another one, or for one that is `held`.
    """
    known: dict[str, str] = {}
    for beam in [*held, *beams]:
        other = known.setdefault(identifier(beam), beam)
        if other != beam and {other, beam} & {*beams}:
            raise ConfigError(
                f"the beams {other} and {beam} have one name in the catalog, "
                f"cube_{identifier(beam)}",
                where="ingest.scenes",
                remedy="give one of them another name, or a workspace of its own",
            )


def plan_cube(
    config: RunConfig,
    beam: str,
    record: Record | None,
    scenes: list[Scene],
    *,
    refused: Refused | None = None,
) -> CubePlan:
    """Compare the scenes of one beam with its cube and with each other; nothing is written.

    Raises:
        SceneError: a scene changed, is of another geometry, or two are of one acquisition.
        GridMismatch: the scenes do not share the cube's pixel lattice, or miss it.
        DemError: the elevation raster has heights for less than half of the cube.
    """
    rules = config.ingest
    onto = record.grid if record else usual_lattice(scenes)
    scenes = [placed_on(scene, onto) for scene in scenes]
    grid, scenes = (record.grid, scenes) if record else _new_grid(rules, scenes, refused)
    url = cube_url(config.workspace, beam)
    if not scenes:
        return CubePlan(url, beam, record, grid, (), (), ())
    folder = ground_url(config.workspace, beam)
    scenes = [with_ground(scene, folder, grid) for scene in scenes]
    new: list[Scene] = []
    reports: list[SceneReport] = []
    view = View.of_cube(record) if record else View.of_scene(usual_view(scenes))
    for scene in scenes:
        try:
            view.check(scene)
            part, report = _look(record, scene, grid, resample=bool(rules.resample))
        except CpazmalError as error:
            refuse(error, refused)
            continue
        reports.append(report)
        view = view.joined(scene)
        if report.action != "unchanged":
            new.append(part)
    lie: dict[str, Alignment] = {}
    if rules.level1b.terrain.align:
        new, reports, lie = _aligned(grid, record, new, reports, refused)
    new, reports = _placed(rules, grid, record, new, reports, lie, refused)
    try:
        check_ground(new, grid)
    except DemError as error:
        refuse(error, refused)
    # What holds for a scene holds for the others of its beam.
    notes = sorted({(f.product or f).note for scene in new[:1] for f in scene.files} - {""})
    notes += [*warnings_of(new), *of_another_scale(record, new)]
    return CubePlan(url, beam, record, grid, tuple(new), tuple(reports), tuple(notes))


def _aligned(
    grid: GeoBox,
    record: Record | None,
    new: list[Scene],
    reports: list[SceneReport],
    refused: Refused | None,
) -> tuple[list[Scene], list[SceneReport], dict[str, Alignment]]:
    """The same with scenes moved that surely lie beside the others, their reports, and the offsets.

    Raises:
        GridMismatch: one lies too far beside the others.
    """
    dates = {report.id for report in reports if report.action == "append"}
    moved, found = align([scene for scene in new if scene.id in dates], grid, record)
    astray = [name for name, one in found.items() if one.is_astray]
    for name in astray:
        remedy = "check its place, or leave it out"
        refuse(GridMismatch(f"it {found[name]}", where=name, remedy=remedy), refused)
    instead = {scene.id: scene for scene in moved}
    new = [instead.get(scene.id, scene) for scene in new if scene.id not in astray]
    reports = [
        replace(one, shift=str(found[one.id])) if one.id in found else one
        for one in reports
        if one.id not in astray
    ]
    return new, reports, found


def _placed(
    rules: Ingest,
    grid: GeoBox,
    record: Record | None,
    new: list[Scene],
    reports: list[SceneReport],
    lie: dict[str, Alignment],
    refused: Refused | None,
) -> tuple[list[Scene], list[SceneReport]]:
    """The same with the measured place of what is resampled, or of all if a bound is set.

    Where a scene surely lies by the alignment is not measured again.

    Raises:
        GridMismatch: a scene lies further beside the others than `ingest.max_shift`.
    """
    words = {report.id: report.resampling for report in reports}
    sure = {name: one for name, one in lie.items() if one.is_sure}
    bound = rules.max_shift
    known = {name: (one.length, one.place) for name, one in sure.items() if not one.moved}
    while True:
        looked_at = [
            one for one in new if (bound is not None or words[one.id]) and one.id not in sure
        ]
        shifts = measure_shifts(looked_at, new, grid, record) if looked_at else {}
        lies = known | {name: (one.length, str(one)) for name, one in shifts.items() if one}
        far = [one.id for one in new if bound is not None and lies.get(one.id, (0.0,))[0] > bound]
        if not far:
            break
        # The mean of the others holds what lies off: the farthest goes, and the rest is seen anew.
        if len(new) - 1 + (record.length if record else 0) >= DATES:
            far = [max(far, key=lambda name: lies[name])]
        for name in far:
            refuse(_lies_off(name, lies[name][1], bound), refused)
        new = [scene for scene in new if scene.id not in far]
        reports = [report for report in reports if report.id not in far]
    reports = [
        replace(one, shift=_told(shifts[one.id])) if one.id in shifts else one for one in reports
    ]
    return new, reports


def _lies_off(name: str, place: str, bound: float | None) -> GridMismatch:
    return GridMismatch(
        f"it lies {place} beside the others, more than {bound:g} pixels",
        where=name,
        remedy="geocode it again, leave it out, or raise ingest.max_shift",
    )


def _told(shift: Shift | None) -> str:
    return "its place among the others cannot be measured" if shift is None else f"lies {shift} off"


def _new_grid(
    rules: Ingest, scenes: list[Scene], refused: Refused | None
) -> tuple[GeoBox, list[Scene]]:
    """The grid of a new cube, and the scenes that it covers: all, or those that are not refused.

    Unless they may be resampled, the scenes share the pixels that most of them have.
    """
    left = scenes
    if not rules.resample:
        usual = usual_lattice(scenes)
        left = sorted(scenes, key=lambda one: one.geobox is not usual)
    while left:
        try:
            grid = grids.union(left, preset=rules.grid, resample=bool(rules.resample))
        except GridMismatch as error:
            refuse(error, refused)
            left = [scene for scene in left if scene.id != error.where]
            continue
        return grids.within(grid, rules.area), [scene for scene in scenes if scene in left]
    return scenes[0].geobox, []


def _look(
    record: Record | None, scene: Scene, grid: GeoBox, *, resample: bool
) -> tuple[Scene, SceneReport]:
    """What of a scene the cube lacks, and what becomes of it."""
    action: Action = "append"
    if record is not None:
        admission = admit(record, scene, resample=resample)
        if admission.outcome == "unchanged":
            return scene, SceneReport(scene.id, scene.start, "unchanged", scene.polarisations)
        action, scene = ("add" if admission.outcome == "late" else "append"), admission.scene
        if action == "add":
            require_order(record, admission.index, scene)
    place = grids.place(scene, grid, resample=resample)
    pixels = (place.rows[1] - place.rows[0]) * (place.columns[1] - place.columns[0])
    return scene, SceneReport(
        id=scene.id,
        start=scene.start,
        action=action,
        polarisations=scene.polarisations,
        cropped=place.cropped,
        resampling=grids.resampling(scene, grid),
        bytes=pixels * (4 * len(scene.polarisations) + (action == "append")),
    )
