"""Files to scenes: described, checked, and those of one acquisition merged."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from cpazmal_scale.config import Ingest
from cpazmal_scale.errors import CpazmalError, SceneUnknown, SceneUnreadable
from cpazmal_scale.grid import lattice
from cpazmal_scale.progress import Progress
from cpazmal_scale.scenes.bands import contents
from cpazmal_scale.scenes.candidates import Candidate, find_candidates, group_scenes
from cpazmal_scale.scenes.check import check_file
from cpazmal_scale.scenes.formats.geotiff import READER_VERSION, digest, geobox_of, opened
from cpazmal_scale.scenes.level1b import product as level1b
from cpazmal_scale.scenes.level1b.reader import describe_product, place_on
from cpazmal_scale.scenes.overlaps import check_overlaps
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
    refused: Callable[[CpazmalError], None] | None = None,
    progress: Progress | None = None,
) -> list[Scene]:
    """All scenes of `ingest.scenes`, sorted by start, sensor and beam.

    Every file is hashed and its header read; with `check` its values are looked at too, except of
    files whose SHA-256 is among those `held` of a scene's id. With `wanted` the others
    are left alone. Scenes that cannot be used are handed to `refused`, if given, and left out.

    Raises:
        SceneUnknown: no scene is there, or one cannot be described.
        SceneUnreadable, SceneImplausible: see `scenes.check`.
        GridMismatch: slices of one acquisition do not share a pixel lattice.
        StoreMissing: the folder is not there.
    """
    groups = group_scenes([one for one in find_candidates(ingest) if wanted is None or wanted(one)])
    scenes = []
    for done, members in enumerate(groups):
        known = (held or {}).get(members[0].named.id, ())
        try:
            scenes.append(_describe(members, ingest, check=check, known=known))
        except CpazmalError as error:
            if refused is None:
                raise
            refused(error)
        if progress is not None:
            progress(done + 1, len(groups))
    return scenes


def _describe(
    members: list[Candidate], ingest: Ingest, *, check: bool, known: Container[str]
) -> Scene:
    """One scene of its files; copies of a file with the same bytes count once."""
    first, rules = members[0], members[0].rules
    files: dict[tuple[str, tuple[str, ...]], SceneFile] = {}
    for member in members:
        if member.processing != first.processing:
            raise SceneUnknown(
                f"{first.url} is the same acquisition, processed in another way",
                where=member.url,
                remedy="keep one of them: a Level-1b product or scenes made of it",
            )
        file = _describe_file(member, check=check, known=known)
        files.setdefault((file.sha256, file.bands), file)
        before = next(iter(files.values()))
        if file.radiometry != before.radiometry:
            raise SceneUnknown(
                f"it is {file.radiometry}, {before.url} of the same scene is {before.radiometry}",
                where=member.url,
                remedy="give one radiometry per beam",
            )
    found = {p for file in files.values() for p in file.polarisations}
    promised = set(first.row.polarisations or ()) if first.row else set()
    if promised - found:
        raise SceneUnknown(
            f"{' and '.join(sorted(promised - found))} of the acquisition table is missing",
            where=first.url,
            remedy="add the file or correct the table",
        )
    stops = [member.named.stop for member in members if member.named.stop is not None]
    row = first.row
    angle = row.incidence_angle if row else None
    angle = rules.incidence_angle if angle is None else angle
    scene = Scene(
        id=first.named.id,
        sensor=first.named.sensor,
        start=first.named.start,
        stop=max(stops, default=None),
        beam=first.beam,
        pass_direction=first.pass_direction,
        look_side=first.look_side,
        polarisations=ordered(found),
        incidence_angle=math.nan if angle is None else angle,
        radiometry=next(iter(files.values())).radiometry,
        resolution=_resolution(first),
        geobox=lattice.union(
            ((file.url, file.geobox) for file in files.values()), resample=bool(ingest.resample)
        ),
        files=tuple(files.values()),
        reader_version=READER_VERSION if first.product is None else level1b.READER_VERSION,
        processing=first.processing,
        sampling="average" if ingest.resample == "average" else "nearest",
    )
    if check and any(file.sha256 not in known for file in scene.files):
        check_overlaps(scene)
    return scene


def _resolution(one: Candidate) -> tuple[float, float] | None:
    """Range and azimuth resolution in metres, of the table or the annotation."""
    if one.row is not None and one.row.resolution is not None:
        return one.row.resolution
    if one.product is None:
        return None
    raster = one.product.annotation.raster
    return raster.range_resolution, raster.azimuth_resolution


def _describe_file(member: Candidate, *, check: bool, known: Container[str]) -> SceneFile:
    """Hash, header and, with `check`, a look at the values while the hash is computed.

    Where hashes are `known`, it is computed first, for it may save the look.
    """
    if member.product is not None:
        file = describe_product(member.product, check=check and not known)
        if check and known and file.sha256 not in known:
            return describe_product(member.product, check=True)
        return file
    rules = member.rules
    with opened(member.url, member.driver) as raster, ThreadPoolExecutor(1) as beside:
        if member.shape is not None and member.shape != raster.shape:
            raise SceneUnreadable(
                f"it has {raster.height} x {raster.width} pixels, but its product promises "
                f"{member.shape[0]} x {member.shape[1]}",
                where=member.url,
                remedy="copy the product again from its source",
            )
        found = contents(raster, member)
        sha256 = beside.submit(digest, raster)
        file = SceneFile(
            url=member.url,
            sha256="",
            bands=found.bands,
            geobox=geobox_of(raster, member.url),
            scale=found.scale,
            radiometry=found.radiometry,
            mask_codes=rules.mask_codes,
            driver=member.driver,
            nodata=member.nodata,
        )
        if check and not (known and sha256.result() in known):
            check_file(raster, file)
        return replace(file, sha256=sha256.result())


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
