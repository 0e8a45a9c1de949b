"""What a cube was made of: beside it, one JSON document per commit, created before the commit.

It holds the root document and, date by date, the coordinates and the source files with their
SHA-256: enough to restore both, and to find the sources of a damaged chunk. The one of the root
document whose attribute `commit` is 12 is `{cube}.manifest/000012.json`. It also tells what the
commit puts where, so that any writer can carry out a commit that another has decided: the objects
with their CRC-32, where they are staged, and the SHA-256 of the root document that it follows.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cpazmal_scale import storage
from cpazmal_scale.cube.format import layout
from cpazmal_scale.errors import StoreMissing
from cpazmal_scale.scenes import Scene, SceneFile, levels_of

if TYPE_CHECKING:
    from cpazmal_scale.cube.format.record import Record

Source = dict[str, Any]


def folder(cube_url: str) -> str:
    """Where the manifests of a cube are."""
    return f"{cube_url.rstrip('/')}.manifest"


def url_of(cube_url: str, commit: int) -> str:
    """Address of the manifest of a commit."""
    return storage.join(folder(cube_url), f"{commit:06d}.json")


def numbers(cube_url: str) -> list[int]:
    """Commits with a manifest, ascending; the last may not have happened."""
    names = storage.list_names(folder(cube_url))
    return sorted(int(name[:-5]) for name in names if re.fullmatch(r"\d{6,}\.json", name))


@dataclass(frozen=True)
class Plan:
    """What a commit does: from the root document with SHA-256 `base` (none: "") to the next one.

    `objects` are the keys of what it stores with their CRC-32, to be found in the folder `staging`
    beside the cube.
    """

    base: str
    staging: str = ""
    objects: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """The manifest of a commit: the root document, one row per date, and what was to be done.

    `plan` is none in manifests of earlier versions, which carry no digest either.
    """

    commit: int
    root: bytes
    dates: list[dict[str, Any]]
    plan: Plan | None

    def encode(self) -> bytes:
        """The document, with the SHA-256 of itself."""
        document: dict[str, Any] = {
            "commit": self.commit,
            "root": self.root.decode(),
            "dates": self.dates,
        }
        if self.plan is not None:
            document |= {
                "base": self.plan.base,
                "staging": self.plan.staging,
                "objects": self.plan.objects,
            }
            document["digest"] = _digest(document)
        return json.dumps(document, indent=1, allow_nan=False).encode()


def decode(data: bytes, commit: int) -> Manifest | None:
    """A stored manifest; None when it is not that of the commit, or altered."""
    try:
        found = json.loads(data)
        plan = None
        if "digest" in found or "base" in found:
            # Byte for byte: `\u00C3` says the same as `\u00c3`, and yet a bit is another.
            if json.dumps(found, indent=1, allow_nan=False).encode() != data:
                return None
            if found.pop("digest") != _digest(found):
                return None
            plan = Plan(str(found["base"]), str(found["staging"]), dict(found["objects"]))
        manifest = Manifest(found["commit"], found["root"].encode(), found["dates"], plan)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    rows = isinstance(manifest.dates, list) and all(isinstance(row, dict) for row in manifest.dates)
    return manifest if rows and manifest.commit == commit else None


def _digest(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(cube_url: str, commit: int) -> Manifest | None:
    """The manifest of a commit; None when it is lost or altered.

    Raises:
        StoreError: the store cannot be reached.
    """
    try:
        return decode(storage.read_bytes(url_of(cube_url, commit)), commit)
    except StoreMissing:
        return None


def sources_of(record: Record) -> list[list[Source]]:
    """For every date its additions, each with the polarisations and files it brought.

    A date whose manifest is lost has none.
    """
    manifest = read_manifest(record.url, record.commit)
    rows = [] if manifest is None else manifest.dates[: record.length]
    found = [list(row.get("sources", [])) for row in rows]
    return found + [[] for _ in range(record.length - len(found))]


def levels_held(record: Record) -> dict[str, dict[str, float]]:
    """Decibels of the dates of a cube by scene and polarisation, as far as they are told."""
    dates = zip(record.dates["scene_id"], sources_of(record), strict=True)
    return {
        name: {
            key: value
            for one in sources
            for key, value in one.get("levels", {}).items()
            if isinstance(value, float)
        }
        for name, sources in dates
    }


def described(scene: Scene, static: tuple[str, ...] = ()) -> Source:
    """The addition that a scene is: its polarisations, their decibels before anything is done to
    them, static layers it brought, and files.
    """
    return {
        "polarisations": list(scene.polarisations),
        "static": list(static),
        "reader": scene.reader_version,
        "levels": levels_of(scene),
        "files": [_described_file(file) for file in scene.files],
    }


def _described_file(file: SceneFile) -> dict[str, Any]:
    return {
        "url": re.sub(r"(://)[^/@]*@", r"\1", file.url),
        "sha256": file.sha256,
        "bands": list(file.bands),
    }


def rows_of(dates: dict[str, list[Any]], sources: list[list[Source]]) -> list[dict[str, Any]]:
    """One row per date: its coordinates, and what it was made of."""
    return [
        {**{name: _plain(values[at]) for name, values in dates.items()}, "sources": brought}
        for at, brought in enumerate(sources)
    ]


def dates_of(manifest: Manifest) -> dict[str, list[Any]]:
    """The coordinates along time, one value per date, without those that some date lacks."""
    return {
        name: [_numbered(row[name], kind) for row in manifest.dates]
        for name, (kind, _) in layout.PER_DATE.items()
        if all(name in row for row in manifest.dates)
    }


def _numbered(value: Any, kind: str) -> Any:
    return float("nan") if value is None and kind == "float32" else value


def _plain(value: Any) -> Any:
    """The value, None for NaN, which JSON does not have."""
    return None if isinstance(value, float) and value != value else value


def prune(cube_url: str, commit: int) -> None:
    """Remove manifests of earlier commits."""
    for number in numbers(cube_url):
        if number < commit:
            storage.remove(url_of(cube_url, number))
