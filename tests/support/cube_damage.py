"""Ways in which a stored object can be damaged, and the classes of objects of a cube."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

Way = Callable[[Path, np.random.Generator], None]


def flipped(path: Path, random: np.random.Generator) -> None:
    """One bit is another."""
    data = bytearray(path.read_bytes())
    data[random.integers(len(data))] ^= 1 << int(random.integers(8))
    path.write_bytes(data)


def cut(path: Path, random: np.random.Generator) -> None:
    """The end is missing."""
    path.write_bytes(path.read_bytes()[: random.integers(path.stat().st_size)])


def emptied(path: Path, _: np.random.Generator) -> None:
    """Nothing is left of its bytes."""
    path.write_bytes(b"")


def zeroed(path: Path, _: np.random.Generator) -> None:
    """As long as before, all zeros."""
    path.write_bytes(bytes(path.stat().st_size))


def garbage(path: Path, random: np.random.Generator) -> None:
    """Other bytes, as many."""
    path.write_bytes(random.bytes(path.stat().st_size))


def lost(path: Path, _: np.random.Generator) -> None:
    """It is not there."""
    path.unlink()


def longer(path: Path, random: np.random.Generator) -> None:
    """Something follows it."""
    path.write_bytes(path.read_bytes() + random.bytes(7))


WAYS: tuple[Way, ...] = (flipped, cut, emptied, zeroed, garbage, lost, longer)


def classes(cube: Path) -> dict[str, list[Path]]:
    """All objects of a cube by class: documents, manifest, coordinates, axes, lists, chunks."""
    found: dict[str, list[Path]] = {"manifest": sorted(Path(f"{cube}.manifest").glob("*.json"))}
    for path in sorted(one for one in cube.rglob("*") if one.is_file()):
        parts = path.relative_to(cube).parts
        if parts == ("zarr.json",):
            name = "root"
        elif parts[-1] == "zarr.json":
            name = "member"
        elif parts[0] == "stored":
            name = "list"
        elif parts[0] in ("x", "y"):
            name = "axis"
        elif parts[0] in ("HH", "HV", "mask", "incidence"):
            name = "chunk"
        else:
            name = "coordinate"
        found.setdefault(name, []).append(path)
    return found


def of_an_earlier_version(cube: Path) -> None:
    """Take away what cubes of earlier versions do not have: all digests, and what commits did."""
    (manifest,) = Path(f"{cube}.manifest").glob("*.json")
    document = json.loads(manifest.read_bytes())
    root = json.loads(document["root"])
    del root["attributes"]["integrity"]
    text = json.dumps(root, indent=1)
    (cube / "zarr.json").write_text(text)
    kept = {"commit": document["commit"], "root": text, "dates": document["dates"]}
    manifest.write_text(json.dumps(kept, indent=1))
