"""Which files are scenes, asked of every format in turn, and which of them belong together."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

from cpazmal_scale import storage
from cpazmal_scale.config import Ingest
from cpazmal_scale.errors import ConfigError, CpazmalError, SceneError, SceneUnknown
from cpazmal_scale.grid import lattice
from cpazmal_scale.scenes import registry
from cpazmal_scale.scenes.acquisitions import Row, read_table
from cpazmal_scale.scenes.format import Candidate, Listing, SceneFormat
from cpazmal_scale.scenes.level1b.product import nested_archive
from cpazmal_scale.scenes.listing import list_files
from cpazmal_scale.scenes.scene import SAME_ACQUISITION

_DATASETS = (".h5", ".hdf5")
_SENTINEL_1 = re.compile(r"/S1[A-D]_\w+\.(?:SAFE(?:/|$)|zip$)")
_OTHER_MISSION = re.compile(r"/(?:NISAR|CSKS?\d|CSG_|ICEYE|SAOCOM|ALOS|RS2_|RCM\d)[^/]*$", re.I)
"""Products of other missions in HDF5, which are no published dataset."""
_NOT_READ = (".nc", ".nc4", ".h5", ".hdf5", ".jp2", ".hdf", ".grib", ".grd", ".n1")
_PACKED = (".zip", ".7z", ".rar", ".gz", ".tgz", ".xz", ".bz2", ".zst", ".tar", ".z")
Refused = Callable[[CpazmalError], None]
"""Takes what is wrong with a scene that is left out."""


def find_candidates(ingest: Ingest, refused: Refused | None = None) -> list[Candidate]:
    """Files recognised by the registered formats, unopened, and products; sorted by URL.

    Scenes whose documents cannot be used are handed to `refused`, if given, and left out.

    Raises:
        SceneUnknown: none is recognised, or one has no known viewing geometry.
        SceneUnreadable: a product's annotation or archive is damaged.
    """
    if ingest.scenes is None:
        raise ConfigError(
            "no scenes are given", where="ingest.scenes", remedy="set a folder, file or glob"
        )
    files, folder = list_files(ingest.scenes)
    preset = None if ingest.grid is None else lattice.PRESETS[ingest.grid]
    listing = Listing(tuple(files), ingest, _table(ingest, folder), preset)
    found: list[Candidate] = []
    astray: list[SceneError] = []
    for known in registry.FORMATS:
        mine, listing = _recognised(known, listing, None if refused is None else astray)
        found += mine
    if astray and not found:
        raise astray[0]
    if refused is not None:
        for error in astray:
            refused(error)
    datasets = [one for one in files if one.lower().endswith(_DATASETS)]
    if not found and files == datasets and not any(map(_OTHER_MISSION.search, files)):
        raise SceneUnknown(
            "an HDF5 dataset is no scene",
            where=ingest.scenes,
            remedy="bring it in with `cpazmal dataset import`",
        )
    if not found:
        raise SceneUnknown(
            f"none of {len(files)} files is a product, or a scene by its name or a sidecar",
            where=ingest.scenes,
            remedy=nested_archive(files)
            or _of_others(files)
            or "describe the names with ingest.naming.pattern, or each file with a sidecar",
        )
    return sorted(found, key=lambda one: one.url)


def _recognised(
    known: SceneFormat, listing: Listing, astray: list[SceneError] | None
) -> tuple[list[Candidate], Listing]:
    """The candidates of a format, and the listing without them and without scenes gone `astray`.

    A scene whose document cannot be used goes there with all its files; none: it is an error.
    """
    while True:
        try:
            mine = known.recognise(listing)
        except SceneError as error:
            rest = tuple(one for one in listing.files if not _is_of(one, str(error.where)))
            if astray is None or len(rest) == len(listing.files):
                raise
            astray.append(error)
            listing = replace(listing, files=rest)
        else:
            return mine, listing.without(mine)


def _is_of(url: str, document: str) -> bool:
    """Whether a file is of the scene that a document tells, or is the archive that holds it."""
    folder, _, name = document.rpartition("/")
    if name.lower().endswith(".xml") and url.startswith(f"{folder}/"):
        return True
    stem = document.removesuffix(PurePosixPath(name).suffix)
    is_archive = document.startswith(f"{url}/")
    return is_archive or url in (document, stem) or url.startswith(f"{stem}.")


def _of_others(files: list[str]) -> str:
    """What to do about products and formats that are not read; empty when there are none."""
    if any(_SENTINEL_1.search(f"/{one}") for one in files):
        return (
            "Sentinel-1 products as ESA delivers them are not read: calibrate and terrain-correct "
            "them, for instance with SNAP, or take OPERA's RTC-S1"
        )
    packed = [one for one in files if one.lower().endswith(_PACKED)]
    if packed:
        return (
            f"unpack {packed[0].rpartition('/')[2]}: archives are read (zip, tar, tar.gz) if they "
            "hold a product of PAZ, TerraSAR-X or TanDEM-X"
        )
    suffixes = {PurePosixPath(one).suffix.lower() for one in files}
    other = next((one for one in _NOT_READ if one in suffixes), None)
    return "" if other is None else f"files of `{other}` are not read: save them as GeoTIFF"


def _table(ingest: Ingest, folder: str) -> list[Row]:
    """The table given, else `acquisitions.csv` in the scenes' folder or the one above."""
    if ingest.table is not None:
        return read_table(ingest.table)
    for place in (folder, folder.rsplit("/", 1)[0]):
        url = storage.join(place, "acquisitions.csv")
        if storage.exists(url):
            return read_table(url)
    return []


def group_scenes(found: list[Candidate]) -> list[list[Candidate]]:
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
