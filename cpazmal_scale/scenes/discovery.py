"""Files to scenes: described, checked, and those of one acquisition merged."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from cpazmal_scale.config import Ingest
from cpazmal_scale.errors import CpazmalError, SceneConflict, SceneUnknown
from cpazmal_scale.grid import lattice
from cpazmal_scale.progress import Progress
from cpazmal_scale.scenes.candidates import Refused, find_candidates, group_scenes
from cpazmal_scale.scenes.check import check_order
from cpazmal_scale.scenes.format import Candidate
from cpazmal_scale.scenes.level1b.reader import place_on
from cpazmal_scale.scenes.overlaps import check_overlaps
from cpazmal_scale.scenes.registry import format_of
from cpazmal_scale.scenes.scene import Scene, SceneFile
from cpazmal_scale.vocabulary import ordered

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox


def discover(
    ingest: Ingest,
    *,
    check: bool = False,
    held: Mapping[str, Container[str]] | None = None,
    wanted: Callable[[Candidate], bool] | None = None,
    refused: Refused | None = None,
    progress: Progress | None = None,
) -> list[Scene]:
    """All scenes of `ingest.scenes`, sorted by start, sensor and beam.

    Every file is hashed and its header read; with `check` its values are looked at too, except of
    files whose SHA-256 is among those `held` of a scene's id. With `wanted` the others
    are left alone. Scenes that cannot be used are handed to `refused`, if given, and left out.

    Raises:
        SceneUnknown: no scene is there, or one cannot be described.
        SceneConflict: two acquisitions of a beam have one identifier.
        SceneUnreadable, SceneImplausible: see `scenes.check`.
        GridMismatch: slices of one acquisition do not share a pixel lattice.
        StoreMissing: the folder is not there.
    """
    found = find_candidates(ingest, refused)
    groups = group_scenes([one for one in found if wanted is None or wanted(one)])
    scenes = []
    called: dict[tuple[str, str], str] = {}
    for done, members in enumerate(groups):
        known = (held or {}).get(members[0].named.id, ())
        try:
            _refuse_shared_id(members[0], called)
            scenes.append(describe_scene(members, ingest, check=check, known=known))
        except CpazmalError as error:
            if refused is None:
                raise
            refused(error)
        if progress is not None:
            progress(done + 1, len(groups))
    return scenes


def _refuse_shared_id(one: Candidate, called: dict[tuple[str, str], str]) -> None:
    """A scene's identifier is that of no other acquisition of its beam.

    `called` has the address of the first scene of each beam and identifier, and gets this one's.

    Raises:
        SceneConflict: it is.
    """
    key = one.beam, one.named.id
    if key in called:
        raise SceneConflict(
            f"it is called {one.named.id[:80]} as {called[key]} is, which is another acquisition",
            where=one.url,
            remedy="give every scene a name of its own: by its file's, `id` of its sidecar, or "
            "the group id of ingest.naming.pattern",
        )
    called[key] = one.url


def describe_scene(
    members: list[Candidate], ingest: Ingest, *, check: bool, known: Container[str]
) -> Scene:
    """One scene of its files; copies of a file with the same bytes count once."""
    first = members[0]
    files = _files(members, check=check, known=known)
    found = {p for file in files for p in file.polarisations}
    promised = set(first.row.polarisations or ()) if first.row else set()
    if promised - found:
        raise SceneUnknown(
            f"{' and '.join(sorted(promised - found))} of the acquisition table is missing",
            where=first.url,
            remedy="add the file or correct the table",
        )
    stops = [member.named.stop for member in members if member.named.stop is not None]
    scene = Scene(
        id=first.named.id,
        sensor=first.named.sensor,
        start=first.named.start,
        stop=max(stops, default=None),
        beam=first.beam,
        pass_direction=first.pass_direction,
        look_side=first.look_side,
        polarisations=ordered(found),
        incidence_angle=_angle(first),
        radiometry=files[0].radiometry,
        resolution=_resolution(first),
        geobox=lattice.union(
            ((file.url, file.geobox) for file in files), resample=bool(ingest.resample)
        ),
        files=files,
        reader_version=format_of(first.format).version,
        processing=first.processing,
        sampling="average" if ingest.resample == "average" else "nearest",
    )
    if check and any(file.sha256 not in known for file in scene.files):
        check_order(scene.files)
        check_overlaps(scene)
    return scene


def _files(
    members: list[Candidate], *, check: bool, known: Container[str]
) -> tuple[SceneFile, ...]:
    """The files of one acquisition, of one coefficient and processed in one way."""
    first = members[0]
    files: dict[tuple[str, tuple[str, ...]], SceneFile] = {}
    for member in members:
        if member.processing != first.processing:
            raise SceneUnknown(
                f"{first.url} is the same acquisition, processed in another way",
                where=member.url,
                remedy="keep one of them: a Level-1b product or scenes made of it",
            )
        file = format_of(member.format).describe(member, check=check, known=known)
        files.setdefault((file.sha256, file.bands), file)
        before = next(iter(files.values()))
        if file.radiometry != before.radiometry:
            raise SceneUnknown(
                f"it is {file.radiometry}, {before.url} of the same scene is {before.radiometry}",
                where=member.url,
                remedy="give one radiometry per beam",
            )
    return tuple(files.values())


def _angle(one: Candidate) -> float:
    """Incidence angle at scene centre in degrees, of the table, else of the rules; NaN unknown."""
    angle = one.row.incidence_angle if one.row else None
    angle = one.rules.incidence_angle if angle is None else angle
    return math.nan if angle is None else angle


def _resolution(one: Candidate) -> tuple[float, float] | None:
    """Range and azimuth resolution in metres, of the table or the annotation."""
    if one.row is not None and one.row.resolution is not None:
        return one.row.resolution
    if one.product is None:
        return None
    raster = one.product.annotation.raster
    return raster.range_resolution, raster.azimuth_resolution


def placed_on(scene: Scene, grid: GeoBox) -> Scene:
    """A scene whose products in radar geometry are to be geocoded onto the lattice of a grid.

    Raises:
        SceneUnreadable, SceneUnknown, DemError: a product cannot be opened.
    """
    files = [
        replace(file, geobox=place_on(file.product, grid))
        if file.product is not None
        and file.product.in_radar_geometry
        and lattice.difference(file.geobox, grid) is not None
        else file
        for file in scene.files
    ]
    if tuple(files) == scene.files:
        return scene
    covered = lattice.union(((file.url, file.geobox) for file in files), resample=True)
    return replace(scene, files=tuple(files), geobox=covered)
