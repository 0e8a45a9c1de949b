"""Files to scenes: recognise, describe, and merge the files of one acquisition."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Container
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from cpazmal_scale import storage
from cpazmal_scale.config import Ingest, Naming
from cpazmal_scale.errors import ConfigError, SceneError, SceneUnknown, StoreMissing
from cpazmal_scale.scenes import lattice, naming, sidecar
from cpazmal_scale.scenes.check import check_file
from cpazmal_scale.scenes.geotiff import GEOTIFF, READER_VERSION, geobox_of, opened
from cpazmal_scale.scenes.scene import (
    BANDS,
    POLARISATIONS,
    SAME_ACQUISITION,
    Scene,
    SceneFile,
    ordered,
)

Progress = Callable[[int, int], None]

SUFFIXES = (".tif", ".tiff")
_SAFE_BEAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Candidate:
    """A file recognised by its name or sidecar, before it is opened.

    `rules` tell what its bands and values are.
    """

    url: str
    named: naming.Named
    row: naming.Row | None
    beam: str
    pass_direction: Literal["ASC", "DSC"] | None
    rules: Naming
    look_side: Literal["R", "L"] | None = None
    driver: str = GEOTIFF
    nodata: float | None = None


def discover(
    ingest: Ingest,
    *,
    check: bool = False,
    checked: Container[str] = frozenset(),
    progress: Progress | None = None,
) -> list[Scene]:
    """All scenes of `ingest.scenes`, sorted by start, sensor and beam.

    Every file is hashed and its header read; with `check` its values are looked at too, except of
    scenes whose id is in `checked`.

    Raises:
        SceneUnknown: no scene is there, or one cannot be described.
        SceneUnreadable, SceneImplausible: see `scenes.check`.
        GridMismatch: slices of one acquisition do not share a pixel lattice.
        StoreMissing: the folder is not there.
    """
    groups = group(candidates(ingest))
    scenes = []
    for done, members in enumerate(groups):
        look_closer = check and members[0].named.id not in checked
        scenes.append(_describe(members, check=look_closer, resample=ingest.resample))
        if progress is not None:
            progress(done + 1, len(groups))
    return scenes


def candidates(ingest: Ingest) -> list[Candidate]:
    """Files recognised by their names or sidecars, unopened, sorted by URL.

    Raises:
        SceneUnknown: none is recognised, or one has no known viewing geometry.
    """
    if ingest.scenes is None:
        raise ConfigError(
            "no scenes are given", where="ingest.scenes", remedy="set a folder, file or glob"
        )
    files, folder = list_files(ingest.scenes)
    table = _table(ingest, folder)
    found = _described(files)
    taken = {one.url for one in found}
    rasters = [one for one in files if one.lower().endswith(SUFFIXES) and one not in taken]
    found += [
        _candidate(url, named, ingest.naming, table)
        for url in rasters
        if (named := naming.parse_name(url, ingest.naming)) is not None
    ]
    if not found:
        raise SceneUnknown(
            f"none of {len(rasters)} GeoTIFF files has the name of a scene or a sidecar",
            where=ingest.scenes,
            remedy="describe the names with ingest.naming.pattern, or each file with a sidecar",
        )
    return sorted(found, key=lambda one: one.url)


def _described(files: list[str]) -> list[Candidate]:
    """Rasters that a sidecar describes, and their rasters of incidence angles."""
    listed, found = frozenset(files), []
    for url in files:
        if not url.lower().endswith(sidecar.SUFFIXES):
            continue
        raster = sidecar.raster_of(url, listed)
        if raster is not None:
            found += _from_sidecar(raster, sidecar.read_sidecar(url))
    return found


def _from_sidecar(raster: str, told: sidecar.Sidecar) -> list[Candidate]:
    rules = Naming(
        bands=told.bands,
        mask_codes=told.mask_codes,
        radiometry=told.radiometry,
        scale=told.scale,
    )
    one = Candidate(
        url=raster,
        named=told.named(raster),
        row=told.row(),
        beam=_safe_beam(told.beam, raster),
        pass_direction=told.pass_direction,
        rules=rules,
        look_side=told.look_side,
        driver=told.driver_of(raster),
        nodata=told.nodata,
    )
    if told.incidence is None:
        return [one]
    beside = storage.join(raster.rsplit("/", 1)[0], told.incidence)
    angles = rules.model_copy(update={"bands": ("incidence",)})
    driver = told.model_copy(update={"driver": None}).driver_of(beside)
    return [one, replace(one, url=beside, rules=angles, driver=driver, nodata=None)]


def list_files(url: str) -> tuple[list[str], str]:
    """Sorted files of a folder (with all below), a single file or a glob; and the folder.

    To single files and those of a glob their sidecars are added.

    Raises:
        StoreMissing: there is nothing at the URL.
    """
    url = storage.absolute(url)
    found = storage.find(url)
    if not found:
        raise StoreMissing("no scenes are here", where=url, remedy="check the path or bucket")
    folder = re.split(r"[*?\[]", url)[0]
    if folder != url or found == [url]:
        folder = folder.rsplit("/", 1)[0]
        named = [f"{stem}.yaml" for one in found for stem in (one, one.rsplit(".", 1)[0])]
        found = sorted({*found, *filter(storage.exists, named)})
    return found, folder


def _table(ingest: Ingest, folder: str) -> list[naming.Row]:
    """The table given, else `acquisitions.csv` in the scenes' folder or the one above."""
    if ingest.table is not None:
        return naming.read_table(ingest.table)
    for place in (folder, folder.rsplit("/", 1)[0]):
        url = storage.join(place, "acquisitions.csv")
        if storage.exists(url):
            return naming.read_table(url)
    return []


def _candidate(url: str, named: naming.Named, rules: Naming, table: list[naming.Row]) -> Candidate:
    row = naming.find_row(table, named.sensor, named.start)
    beam = named.beam or (row and row.beam) or rules.beam
    if beam is None:
        raise SceneUnknown(
            f"its viewing geometry is unknown: no row for {named.sensor} "
            f"{named.start:%Y%m%dT%H%M%S} in an acquisition table",
            where=url,
            remedy="complete acquisitions.csv (column beam) or set ingest.naming.beam",
        )
    direction = named.pass_direction or (row and row.pass_direction) or rules.pass_direction
    side: Literal["R"] | None = "R" if named.sensor in naming.X_BAND_SENSORS else None
    return Candidate(url, named, row, _safe_beam(beam, url), direction or None, rules, side)


def _safe_beam(beam: str, url: str) -> str:
    if not _SAFE_BEAM.fullmatch(beam):
        raise SceneUnknown(
            f"the beam `{beam}` cannot name a cube",
            where=url,
            remedy="use letters, digits, dots, dashes and underscores",
        )
    return beam


def group(found: list[Candidate]) -> list[list[Candidate]]:
    """Files of one acquisition together: same sensor and beam, starts within two minutes."""
    groups: list[list[Candidate]] = []
    for one in sorted(found, key=lambda c: (c.named.sensor, c.beam, c.named.start, c.url)):
        first = groups[-1][0] if groups else None
        if (
            first is not None
            and (first.named.sensor, first.beam) == (one.named.sensor, one.beam)
            and one.named.start - first.named.start <= SAME_ACQUISITION
        ):
            groups[-1].append(one)
        else:
            groups.append([one])
    return sorted(groups, key=lambda g: (g[0].named.start, g[0].named.sensor, g[0].beam))


def _describe(members: list[Candidate], *, check: bool, resample: bool) -> Scene:
    """One scene of its files; copies of a file with the same bytes count once."""
    first, rules = members[0], members[0].rules
    files: dict[tuple[str, tuple[str, ...]], SceneFile] = {}
    for member in members:
        if member.rules.radiometry != rules.radiometry:
            raise SceneUnknown(
                f"it is {member.rules.radiometry}, {first.url} of the same scene is "
                f"{rules.radiometry}",
                where=member.url,
                remedy="give one radiometry per beam",
            )
        file = _describe_file(member, check=check)
        files.setdefault((file.sha256, file.bands), file)
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
    return Scene(
        id=first.named.id,
        sensor=first.named.sensor,
        start=first.named.start,
        stop=max(stops, default=None),
        beam=first.beam,
        pass_direction=first.pass_direction,
        look_side=first.look_side,
        polarisations=ordered(found),
        incidence_angle=math.nan if angle is None else angle,
        radiometry=rules.radiometry,
        resolution=row.resolution if row else None,
        geobox=lattice.union(
            ((file.url, file.geobox) for file in files.values()), resample=resample
        ),
        files=tuple(files.values()),
        reader_version=READER_VERSION,
    )


def _describe_file(member: Candidate, *, check: bool) -> SceneFile:
    """Hash, header and, with `check`, a look at the values while the hash is computed."""
    rules = member.rules
    with opened(member.url, member.driver) as raster, ThreadPoolExecutor(1) as beside:
        digest = beside.submit(_sha256, raster.name)
        file = SceneFile(
            url=member.url,
            sha256="",
            bands=_bands(raster, member),
            geobox=geobox_of(raster, member.url),
            scale=rules.scale,
            mask_codes=rules.mask_codes,
            driver=member.driver,
            nodata=member.nodata,
        )
        if check:
            check_file(raster, file)
        return replace(file, sha256=digest.result())


def _sha256(path: str) -> str:
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _bands(raster: Any, member: Candidate) -> tuple[str, ...]:
    """What each band holds: configured, else by the file's polarisation, table or descriptions.

    The authors' files end with the mask; files of a user's pattern may lack it.
    """
    channel, rules = member.named.polarisation, member.rules
    if rules.bands is not None:
        bands = tuple(channel or "?" if band == "-" else band for band in rules.bands)
    elif channel is not None:
        bands = (channel, "mask")[: raster.count]
    elif member.row is not None and member.row.polarisations is not None:
        bands = (*member.row.polarisations, "mask")
        if raster.count == 1 or rules.pattern is not None:
            bands = bands[: raster.count]
    elif all(raster.descriptions):
        bands = tuple(_band_name(text) for text in raster.descriptions)
    else:
        bands = ("HH", "mask") if raster.count < 3 else ("HH", "HV", "mask")
        bands = bands[: raster.count]
    wrong = [band for band in bands if band not in BANDS]
    used = [band for band in bands if band != "skip"]
    if wrong or len(bands) != raster.count or len(set(used)) != len(used):
        raise _unknown_bands(member.url, bands, raster.count)
    return bands


def _band_name(description: str) -> str:
    """`mask` or the polarisation a band's description names, such as `Gamma0_HH`."""
    tokens = re.split(r"[^A-Z]+", description.upper())
    return next((p for p in POLARISATIONS if p in tokens), "mask" if "MASK" in tokens else "?")


def _unknown_bands(url: str, bands: tuple[str, ...], count: int) -> SceneError:
    return SceneUnknown(
        f"its {count} bands are not {', '.join(bands) or 'known'}",
        where=url,
        remedy="set ingest.naming.bands or the table's polarisations",
    )
