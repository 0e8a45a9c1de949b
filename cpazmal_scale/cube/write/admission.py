"""Whether a scene may enter a cube."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from cpazmal_scale.cube.format.placement import place
from cpazmal_scale.cube.format.record import Record, start_of
from cpazmal_scale.errors import BeamMismatch, SceneChanged
from cpazmal_scale.scenes import SAME_ACQUISITION, Scene
from cpazmal_scale.vocabulary import ordered

ANGLE_TOLERANCE = 3.0
"""Largest difference in degrees between centre incidence angles of one beam: strips of one orbit
differ by more."""


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
        BeamMismatch: another beam, flight direction, incidence angle or radiometry.
        GridMismatch: no common pixel; unless `resample` is set, another pixel lattice.
    """
    _check_geometry(record, scene)
    place(scene, record.grid, resample=resample)
    held = _find(record, scene)
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
        return Admission("late", held, part)
    raise SceneChanged(
        f"the cube holds this acquisition of {start_of(record, held):%Y-%m-%d %H:%M:%S} "
        f"({'+'.join(before)}) from other bytes",
        where=scene.id,
        remedy="restore the first files, or ingest into a new workspace",
    )


def _find(record: Record, scene: Scene) -> int | None:
    """Index of the date with the same id, or of the same sensor within two minutes."""
    if scene.id in record.dates["scene_id"]:
        return record.dates["scene_id"].index(scene.id)
    for index, sensor in enumerate(record.dates["sensor"]):
        near = abs(start_of(record, index) - scene.start) <= SAME_ACQUISITION
        if sensor == scene.sensor and near:
            return index
    return None


def _check_geometry(record: Record, scene: Scene) -> None:
    angles = [a for a in record.dates["incidence_angle"] if not math.isnan(a)]
    directions = {text for text in record.dates["pass_direction"] if text}
    problem = None
    if scene.beam != record.attributes["beam"]:
        problem = f"its beam is {scene.beam}, the cube's {record.attributes['beam']}"
    elif scene.pass_direction and directions and scene.pass_direction not in directions:
        problem = f"its flight direction is {scene.pass_direction}, the cube's {directions.pop()}"
    elif angles and abs(scene.incidence_angle - sum(angles) / len(angles)) > ANGLE_TOLERANCE:
        mean = sum(angles) / len(angles)
        problem = f"its incidence angle is {scene.incidence_angle:.1f}°, the cube's {mean:.1f}°"
    elif scene.radiometry != record.attributes["radiometry"]:
        theirs = record.attributes["radiometry"]
        problem = f"its values are {scene.radiometry}, the cube's {theirs}"
    elif scene.processing != record.attributes.get("processing", ""):
        theirs = record.attributes.get("processing") or "made before"
        problem = f"it is {scene.processing or 'made before'}, the cube is {theirs}"
    if problem is not None:
        raise BeamMismatch(
            problem,
            where=scene.id,
            remedy="stack only scenes of one viewing geometry; give it another beam name",
        )
