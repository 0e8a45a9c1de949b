"""What a cube holds, from its one root document and its coordinates along time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cpazmal_scale import __version__, storage
from cpazmal_scale.cube.format import integrity, layout
from cpazmal_scale.cube.format.placement import resampling
from cpazmal_scale.errors import CubeDamaged, StoreMissing
from cpazmal_scale.scenes import Scene
from cpazmal_scale.storage import seal
from cpazmal_scale.vocabulary import polarisations_in

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

ROOT = "zarr.json"


@dataclass(frozen=True)
class Record:
    """A committed state of a cube.

    `root` is the root document as stored; `arrays` the documents of its members by path; `dates`
    has one value per date and coordinate, in the order of ingest.
    """

    url: str
    root: bytes
    attributes: dict[str, Any]
    arrays: dict[str, dict[str, Any]]
    dates: dict[str, list[Any]]

    @property
    def length(self) -> int:
        """Number of dates."""
        return len(self.dates["time"])

    @property
    def grid(self) -> GeoBox:
        """The cube's grid."""
        return layout.grid_of(self.arrays)

    @property
    def chunk(self) -> int:
        """Edge of a chunk in pixels."""
        return int(self.attributes["chunk"])

    @property
    def precision(self) -> int | None:
        """Bits of mantissa that backscatter keeps; none: all."""
        kept = self.attributes.get("precision")
        return None if kept is None else int(kept)

    @property
    def commit(self) -> int:
        """Number of this state, counted from 1."""
        return int(self.attributes.get("commit", 0))

    @property
    def separators(self) -> dict[str, str]:
        """Separator in the keys of every coordinate along time."""
        return {name: separator_of(self.arrays[name]) for name in layout.PER_DATE}

    @property
    def is_sealed(self) -> bool:
        """Whether the root document has checksums: cubes of earlier versions have none."""
        return integrity.NAME in self.attributes

    @property
    def sums(self) -> integrity.Sums:
        """Checksums of the coordinates and lists of chunks."""
        return integrity.Sums.of(self.attributes)

    @property
    def losses(self) -> tuple[tuple[str, int, int, int], ...]:
        """Chunks that were given up, which read as no data: layer, date number, row, column."""
        return tuple((layer, *place) for layer, *place in self.attributes.get("losses", ()))

    @property
    def static(self) -> tuple[str, ...]:
        """Layers without dates that the cube has."""
        return tuple(layer for layer in layout.STATIC if layer in self.arrays)

    @property
    def polarisations(self) -> tuple[str, ...]:
        """Polarisations of any date, co-polarised first."""
        return tuple(self.attributes["polarisations"])

    @property
    def layers(self) -> tuple[str, ...]:
        """Everything that is stored in chunks of the grid."""
        return (*self.polarisations, "mask", *self.static)

    def acquired(self, layer: str, index: int) -> bool:
        """Whether a layer has data on a date."""
        always = ("mask", *layout.STATIC)
        return layer in always or layer in self.polarisations_of(index)

    def polarisations_of(self, index: int) -> tuple[str, ...]:
        """Channels of a date, co-polarised first."""
        return polarisations_in(self.dates["polarisations"][index])

    def sources_of(self, index: int) -> tuple[str, ...]:
        """SHA-256 of the files that a date comes from."""
        return tuple(self.dates["source_sha256"][index].split("+"))


_REMEDY = "run `cpazmal verify --repair`, or restore it from a copy"


def separator_of(array: dict[str, Any]) -> str:
    """Separator in the chunk keys of an array's document."""
    return str(array["chunk_key_encoding"]["configuration"]["separator"])


def read_root(url: str) -> bytes | None:
    """The root document as stored; None where there is none."""
    try:
        return storage.read_bytes(storage.join(url, ROOT))
    except StoreMissing:
        return None


def read_record(url: str) -> Record | None:
    """The committed state of the cube at a URL; None where there is none.

    Raises:
        CubeDamaged: the root document or a coordinate cannot be read.
    """
    root = read_root(url)
    if root is None:
        return None
    attributes, arrays = parse_root(root, url)
    with seal.parsing("its root document is damaged", url, _REMEDY, CubeDamaged):
        length = int(arrays["time"]["shape"][0])
        sums = integrity.Sums.of(attributes)

        def along_time(name: str) -> list[Any]:
            return read_coordinate(url, name, length, arrays, sums)

        names = tuple(layout.PER_DATE)
        dates = dict(zip(names, storage.each(url, along_time, names), strict=True))
        found = Record(url, root, attributes, arrays, dates)
        if not found.is_sealed:
            _check(found)
        return found


def require_record(url: str) -> Record:
    """The committed state of the cube at a URL.

    Raises:
        StoreMissing: there is no cube.
        CubeDamaged: the root document or a coordinate cannot be read.
    """
    record = read_record(url)
    if record is None:
        raise no_cube(url, "run `cpazmal ingest` first")
    return record


def no_cube(url: str, remedy: str = "check the address") -> StoreMissing:
    """There is no cube at a URL."""
    return StoreMissing("no cube is here", where=url, remedy=remedy)


def _check(record: Record) -> None:
    """Read all that is derived from a root document without checksum, so that it fails here."""
    grid, *_ = record.grid, record.separators, record.losses, record.commit
    kinds = [record.arrays[layer]["data_type"] for layer in record.layers]
    pieces = [
        edge
        for array in record.arrays.values()
        for edge in array.get("chunk_grid", {}).get("configuration", {}).get("chunk_shape", ())
    ]
    if not all(isinstance(edge, int) and edge > 0 for edge in pieces):
        raise ValueError("chunks without extent")
    if record.chunk < 1 or min(grid.shape) < 1 or len(kinds) < 2:
        raise ValueError("no chunks, pixels or layers")
    for index in range(record.length):
        start_of(record, index)


def parse_root(root: bytes, url: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Attributes of a cube and the documents of its members, from its root document.

    Raises:
        CubeDamaged: it is not the root document of a cube of this program.
    """
    try:
        document = json.loads(root)
        attributes = document["attributes"]
        arrays = document["consolidated_metadata"]["metadata"]
        known = attributes["cpazmal_cube"] == layout.FORMAT and arrays["time"]["shape"]
        known = known and all(separator_of(arrays[name]) for name in layout.PER_DATE)
        altered = known and integrity.is_intact(document) is False
    except (ValueError, KeyError, TypeError, AttributeError):
        known = altered = False
    if altered:
        raise CubeDamaged(
            "its root document is altered",
            where=storage.join(url, ROOT),
            remedy=_REMEDY,
        )
    if not known:
        raise CubeDamaged(
            "its root document is not that of a cube of this program",
            where=url,
            remedy="move it away and ingest again",
        )
    return attributes, arrays


def read_coordinate(
    url: str,
    name: str,
    length: int,
    arrays: dict[str, dict[str, Any]],
    sums: integrity.Sums,
) -> list[Any]:
    """The values of a coordinate along time.

    Raises:
        CubeDamaged: it is lost or altered.
    """
    separator = separator_of(arrays[name])
    kind = layout.PER_DATE[name][0]
    values: list[Any] = []
    for number in range(-(-length // layout.DATES_PER_CHUNK)):
        where = storage.join(url, layout.coordinate_key(name, number, separator))
        try:
            data = storage.read_bytes(where)
            values += (
                layout.decode_texts(data)
                if kind == "string"
                else layout.decode(data, kind).tolist()
            )
        except (StoreMissing, RuntimeError, ValueError) as error:
            raise CubeDamaged(
                f"the coordinate {name} cannot be read ({error})",
                where=where,
                remedy="restore it from a copy, or ingest the cube again",
            ) from None
    values = values[:length]
    said = sums.coordinates.get(name)
    if said is not None and said != integrity.values_sum(values, kind):
        raise CubeDamaged(
            f"the coordinate {name} is altered",
            where=storage.join(url, layout.coordinate_key(name, 0, separator)),
            remedy=_REMEDY,
        )
    return values


def date_values(scene: Scene, grid: GeoBox) -> dict[str, Any]:
    """The scene's value of every coordinate along time, in a cube on `grid`."""
    across, along = scene.resolution or (float("nan"), float("nan"))
    return {
        "time": int(scene.start.timestamp()),
        "scene_id": scene.id,
        "sensor": scene.sensor,
        "beam": scene.beam,
        "pass_direction": scene.pass_direction or "",
        "polarisations": "+".join(scene.polarisations),
        "source_sha256": scene.source_sha256,
        "incidence_angle": scene.incidence_angle,
        "resolution_range": across,
        "resolution_azimuth": along,
        "resampling": resampling(scene, grid),
    }


def start_of(record: Record, index: int) -> datetime:
    """Start of acquisition of one date."""
    return datetime.fromtimestamp(record.dates["time"][index], UTC)


def root_document(
    attributes: dict[str, Any],
    arrays: dict[str, dict[str, Any]],
    sums: integrity.Sums | None = None,
) -> bytes:
    """The root document with those of all members, and the checksums, inside."""
    consolidated = {"kind": "inline", "must_understand": False, "metadata": arrays}
    document = {**layout.group_document(attributes), "consolidated_metadata": consolidated}
    sealed = document if sums is None else integrity.sealed(document, sums)
    return json.dumps(sealed, indent=1, allow_nan=False).encode()


def cube_attributes(
    scene: Scene, polarisations: tuple[str, ...], chunk: int, old: dict[str, Any] | None
) -> dict[str, Any]:
    """Attributes of the root group after one more commit, CF and STAC names where they exist."""
    states = {"ASC": "ascending", "DSC": "descending"}
    described = {
        "sat:orbit_state": states.get(scene.pass_direction or ""),
        "sar:observation_direction": {"R": "right", "L": "left"}.get(scene.look_side or ""),
    }
    return {
        "Conventions": "CF-1.11",
        "title": f"Backscatter time series, beam {scene.beam}",
        "cpazmal_cube": layout.FORMAT,
        "software": f"cpazmal-scale {__version__}",
        "reader": scene.reader_version,
        "beam": scene.beam,
        "radiometry": scene.radiometry,
        **({"processing": scene.processing} if scene.processing else {}),
        "chunk": chunk,
        **{name: text for name, text in described.items() if text},
        **(old or {}),
        "polarisations": list(polarisations),
        "sar:polarizations": list(polarisations),
        "commit": int((old or {}).get("commit", 0)) + 1,
    }


def state(rows: list[tuple[Any, ...]], *grid: object) -> str:
    """Sixteen hexadecimal digits naming the content; the order of ingest does not change them."""
    text = json.dumps([sorted(rows), *grid], separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
