"""A disk without power: what survives is what was synced, as a pessimist reads POSIX.

A file's bytes last once it is synced; a name lasts once its folder is synced after it was given.
What was not synced is empty, or its name is gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


class Disk:
    """Remembers, below a folder, which bytes and names would survive at every moment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bytes: dict[int, bytes] = {}
        self.names: dict[Path, dict[str, int]] = {}
        self.folders: dict[Path, set[str]] = {}
        self.moments: list[tuple[dict[int, bytes], dict[Path, dict[str, int]]]] = []
        self._kept: list[object] = []
        self.sync_all()

    def sync_all(self) -> None:
        """As after a long time without writing."""
        for path in [self.root, *self.root.rglob("*")]:
            self.synced(path)

    def synced(self, path: Path) -> None:
        """A file or folder was synced."""
        if path.is_dir():
            entries = list(os.scandir(path))
            self.names[path] = {one.name: one.inode() for one in entries if one.is_file()}
            self.folders[path] = {one.name for one in entries if one.is_dir()}
        elif path.exists():
            # An open handle keeps the number of the file from being given again.
            self._kept.append(path.open("rb"))
            self.bytes[path.stat().st_ino] = path.read_bytes()

    def fsync(self, handle: int) -> None:
        """In place of `os.fsync`: notes the moment before, then what lasts from now on."""
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if self.root == path or self.root in path.parents:
            self.moments.append((dict(self.bytes), self.snapshot()))
            self.synced(path)

    def snapshot(self) -> dict[Path, dict[str, int]]:
        """Names that last, in folders whose own names last."""
        found: dict[Path, dict[str, int]] = {}
        waiting = [self.root]
        while waiting:
            folder = waiting.pop()
            found[folder] = dict(self.names.get(folder, {}))
            waiting += [folder / name for name in self.folders.get(folder, ())]
        return found

    def restore(self, moment: int, target: Path) -> None:
        """The folder as it is found after the power was gone at a moment."""
        contents, names = self.moments[moment]
        for folder, entries in names.items():
            here = target / folder.relative_to(self.root)
            here.mkdir(parents=True, exist_ok=True)
            for name, inode in entries.items():
                (here / name).write_bytes(contents.get(inode, b""))

    def close(self) -> None:
        """Forget the files."""
        for one in self._kept:
            one.close()  # type: ignore[attr-defined]


def watched(root: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[[], object]) -> Disk:
    """The disk after a run, with all its moments."""
    disk = Disk(root)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", disk.fsync)
        run()
    disk.close()
    return disk
