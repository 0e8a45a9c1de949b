"""What a cube was made of: beside it, one JSON document per commit, written before the commit.

It holds the root document and, date by date, the coordinates and the source files with their
SHA-256: enough to restore both, and to find the sources of a damaged chunk. The one of the root
document whose attribute `commit` is 12 is `{cube}.manifest/000012.json`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from cpazmal_scale import storage
from cpazmal_scale.errors import StoreError
from cpazmal_scale.scenes import Scene, SceneFile

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


def read_manifest(cube_url: str, commit: int) -> dict[str, Any] | None:
    """The manifest of a commit; None when it is lost or damaged."""
    try:
        found = storage.read_json(url_of(cube_url, commit))
    except StoreError:
        return None
    known = isinstance(found, dict) and found.get("commit") == commit
    whole = known and isinstance(found.get("dates"), list) and isinstance(found.get("root"), str)
    return found if whole else None


def sources_of(record: Record) -> list[list[Source]]:
    """For every date its additions, each with the polarisations and files it brought.

    A date whose manifest is lost has none.
    """
    manifest = read_manifest(record.url, record.commit) or {"dates": []}
    found = [date.get("sources", []) for date in manifest["dates"][: record.length]]
    return found + [[] for _ in range(record.length - len(found))]


def described(scene: Scene, static: tuple[str, ...] = ()) -> Source:
    """The addition that a scene is: its polarisations, static layers it brought, and files."""
    return {
        "polarisations": list(scene.polarisations),
        "static": list(static),
        "reader": scene.reader_version,
        "files": [_described_file(file) for file in scene.files],
    }


def _described_file(file: SceneFile) -> dict[str, Any]:
    return {
        "url": re.sub(r"(://)[^/@]*@", r"\1", file.url),
        "sha256": file.sha256,
        "bands": list(file.bands),
    }


def write_manifest(
    cube_url: str,
    commit: int,
    root: bytes,
    dates: dict[str, list[Any]],
    sources: list[list[Source]],
) -> None:
    """Store the manifest of a commit that is about to happen."""
    rows = [
        {**{name: _plain(values[at]) for name, values in dates.items()}, "sources": brought}
        for at, brought in enumerate(sources)
    ]
    document = {"commit": commit, "root": root.decode(), "dates": rows}
    data = json.dumps(document, indent=1, allow_nan=False).encode()
    storage.write_bytes(url_of(cube_url, commit), data)


def _plain(value: Any) -> Any:
    """The value, None for NaN, which JSON does not have."""
    return None if isinstance(value, float) and value != value else value


def prune(cube_url: str, commit: int) -> None:
    """Remove manifests of earlier commits."""
    for number in numbers(cube_url):
        if number < commit:
            storage.remove(url_of(cube_url, number))
