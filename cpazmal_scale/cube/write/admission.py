"""Whether a scene may enter a cube."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from cpazmal_scale.cube.format.placement import place
from cpazmal_scale.cube.format.record import Record, start_of
from cpazmal_scale.errors import BeamMismatch, SceneChanged, SceneConflict
from cpazmal_scale.grid.warp import method_of
from cpazmal_scale.scenes import SAME_ACQUISITION, Scene, as_told
from cpazmal_scale.vocabulary import ordered

ANGLE_TOLERANCE = 3.0
"""Largest difference in degrees between centre incidence angles of one beam: strips of one orbit
differ by more."""
_STACK_ONE_VIEW = "stack only scenes of one viewing geometry; give it another beam name"
_PROCESS_ALIKE = (
    "ingest it with the settings that the cube was made with (`ingest.level1b`, its elevation "
    "raster, `ingest.naming`), or give it another beam name"
)


@dataclass(frozen=True)
class Admission:
    """What becomes of a scene: a new date, nothing, or more polarisations of date `index`.

    `scene` is what has to be written: of a late polarisation only the files that are not there.
    """

    outcome: Literal["new", "unchanged", "late"]
    index: int
    scene: Scene


def admit(record: Record, scene: Scene, *, resample: bool = False) -> Admission:
    """Compare a scene with what the cube holds.

    Raises:
        SceneChanged: polarisations of this acquisition are there from other bytes.
        BeamMismatch, SceneConflict: see `View.check`.
        GridMismatch: no common pixel; unless `resample` is set, another pixel lattice.
    """
    View.of_cube(record).check(scene)
    place(scene, record.grid, resample=resample)
    held = date_of(record, scene.id, scene.sensor, scene.start)
    if held is None:
        return Admission("new", record.length, scene)
    known = record.sources_of(held)
    files = tuple(file for file in scene.files if file.sha256 not in known)
    if not files:
        return Admission("unchanged", held, scene)
    before = record.polarisations_of(held)
    added = {name for file in files for name in file.polarisations}
    if added and added.isdisjoint(before):
        part = replace(scene, files=files, polarisations=ordered(added))
        words = record.dates["resampling"][held]
        if words:
            part = as_told(replace(part, sampling=method_of(words)), words)
        return Admission("late", held, part)
    raise SceneChanged(
        f"the cube holds this acquisition of {start_of(record, held):%Y-%m-%d %H:%M:%S} "
        f"({'+'.join(before)}) from other bytes",
        where=scene.id,
        remedy="restore the first files, or ingest into a new workspace",
    )


def date_of(record: Record, scene_id: str, sensor: str, start: datetime) -> int | None:
    """Index of the date with the same scene id, or of the same sensor within two minutes."""
    if scene_id in record.dates["scene_id"]:
        return record.dates["scene_id"].index(scene_id)
    for index, other in enumerate(record.dates["sensor"]):
        near = abs(start_of(record, index) - start) <= SAME_ACQUISITION
        if other == sensor and near:
            return index
    return None


@dataclass(frozen=True)
class View:
    """What all dates of a cube share; `times` are the sensor and start of each."""

    beam: str
    directions: frozenset[str]
    sides: frozenset[str]
    angles: tuple[float, ...]
    radiometry: str
    processing: str
    times: tuple[tuple[str, datetime], ...]

    @classmethod
    def of_cube(cls, record: Record) -> View:
        """That of a cube's dates."""
        side = str(record.attributes.get("sar:observation_direction") or "")[:1].upper()
        sensors = record.dates["sensor"]
        return cls(
            beam=record.attributes["beam"],
            directions=frozenset(filter(None, record.dates["pass_direction"])),
            sides=frozenset(filter(None, [side])),
            angles=tuple(a for a in record.dates["incidence_angle"] if not math.isnan(a)),
            radiometry=record.attributes["radiometry"],
            processing=record.attributes.get("processing", ""),
            times=tuple((sensor, start_of(record, at)) for at, sensor in enumerate(sensors)),
        )

    @classmethod
    def of_scene(cls, scene: Scene) -> View:
        """That of the first scene of a new cube."""
        empty: frozenset[str] = frozenset()
        bare = cls(scene.beam, empty, empty, (), scene.radiometry, scene.processing, ())
        return bare.joined(scene)

    def joined(self, scene: Scene) -> View:
        """With one more date."""
        angle = scene.incidence_angle
        return replace(
            self,
            directions=self.directions | set(filter(None, [scene.pass_direction])),
            sides=self.sides | set(filter(None, [scene.look_side])),
            angles=self.angles if math.isnan(angle) else (*self.angles, angle),
            times=(*self.times, (scene.sensor, scene.start)),
        )

    def check(self, scene: Scene) -> None:
        """The scene may stand beside the dates.

        Raises:
            BeamMismatch: another beam, flight direction, look side, incidence angle, radiometry or
                processing.
            SceneConflict: another sensor took a date of these at the same time.
        """
        problem = self._other_view(scene)
        if problem is not None:
            raise BeamMismatch(problem, where=scene.id, remedy=_STACK_ONE_VIEW)
        problem = self._other_values(scene)
        if problem is not None:
            raise BeamMismatch(problem, where=scene.id, remedy=_PROCESS_ALIKE)
        for sensor, start in self.times:
            if sensor != scene.sensor and abs(start - scene.start) <= SAME_ACQUISITION:
                raise SceneConflict(
                    f"{sensor} took this beam at {start:%Y-%m-%d %H:%M:%S} too: a TanDEM-X pair, "
                    "which is one acquisition",
                    where=scene.id,
                    remedy="keep the scene of the sensor that transmitted (BTX1 in its name)",
                )

    def _other_view(self, scene: Scene) -> str | None:
        """What of a scene's geometry is not as here, in words."""
        mean = sum(self.angles) / len(self.angles) if self.angles else math.nan
        sides = {"R": "right", "L": "left"}
        pairs = (
            ("beam", scene.beam, {self.beam}),
            ("flight direction", scene.pass_direction, self.directions),
            ("look side", scene.look_side, self.sides),
        )
        for name, mine, theirs in pairs:
            if mine and theirs and mine not in theirs:
                other = next(iter(theirs))
                return (
                    f"its {name} is {sides.get(mine, mine)}, the cube's {sides.get(other, other)}"
                )
        if abs(scene.incidence_angle - mean) > ANGLE_TOLERANCE:
            return f"its incidence angle is {scene.incidence_angle:.1f}°, the cube's {mean:.1f}°"
        return None

    def _other_values(self, scene: Scene) -> str | None:
        """What its values are and those here are not, in words."""
        if scene.radiometry != self.radiometry:
            return f"its values are {scene.radiometry}, the cube's {self.radiometry}"
        if scene.processing != self.processing:
            theirs_made = self.processing or "made before"
            return f"it is {scene.processing or 'made before'}, the cube is {theirs_made}"
        return None
