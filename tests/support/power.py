"""A disk without power: what survives is what was synced, as a pessimist reads POSIX.

A file's bytes last once it is synced; a name lasts once its folder is synced after it was given.
What was not synced is empty, or its name is gone; or, in any order, a part of it is there.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

Names = dict[Path, dict[str, int]]
"""Files of folders, by the numbers of their bytes."""


class Moment(NamedTuple):
    """What lasts at a moment, and what is seen of it then."""

    contents: dict[int, bytes]
    names: Names
    seen_bytes: dict[int, bytes]
    seen_names: Names


class Disk:
    """Remembers, below a folder, which bytes and names would survive at moments.

    It keeps all of them, or so many that every moment has the same chance of being kept.
    """

    def __init__(self, root: Path, keeps: int | None = None, seed: str = "") -> None:
        self.root = root
        self.keeps = keeps
        self.seen = 0
        self.chance = random.Random(seed)
        self.bytes: dict[int, bytes] = {}
        self.names: Names = {}
        self.folders: dict[Path, set[str]] = {}
        self.moments: list[Moment] = []
        self._kept: list[object] = []
        self._one = threading.Lock()
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
            with self._one:  # other threads' files are synced before a moment or after it
                self._note()
                self.synced(path)

    def _note(self) -> None:
        """Keep this moment, perhaps in the place of an earlier one."""
        self.seen += 1
        place = len(self.moments)
        if self.keeps is not None and place == self.keeps:
            place = self.chance.randrange(self.seen)
            if place >= self.keeps:
                return
        moment = Moment(dict(self.bytes), self.snapshot(), *self._seen())
        self.moments[place : place + 1] = [moment]

    def _seen(self) -> tuple[dict[int, bytes], Names]:
        """Bytes that were not synced, and all names."""
        contents: dict[int, bytes] = {}
        names: Names = {}
        for folder, _, files in os.walk(self.root):
            for path in (Path(folder, name) for name in files):
                with contextlib.suppress(FileNotFoundError):  # another thread renames it now
                    inode = path.stat().st_ino
                    if inode not in self.bytes:
                        contents[inode] = path.read_bytes()
                    names.setdefault(path.parent, {})[path.name] = inode
            names.setdefault(Path(folder), {})
        return contents, names

    def snapshot(self) -> Names:
        """Names that last, in folders whose own names last."""
        found: Names = {}
        waiting = [self.root]
        while waiting:
            folder = waiting.pop()
            found[folder] = dict(self.names.get(folder, {}))
            waiting += [folder / name for name in self.folders.get(folder, ())]
        return found

    def restore(self, moment: int, target: Path) -> None:
        """The folder as a pessimist finds it after the power was gone at a moment."""
        at = self.moments[moment]
        for folder, entries in at.names.items():
            here = target / folder.relative_to(self.root)
            here.mkdir(parents=True, exist_ok=True)
            for name, inode in entries.items():
                (here / name).write_bytes(at.contents.get(inode, b""))

    def restore_in_any_order(self, moment: int, target: Path, chance: random.Random) -> None:
        """The folder as it may be: of what was not synced, any names and any beginnings."""
        at = self.moments[moment]
        for folder in sorted({*at.names, *at.seen_names}):
            here = target / folder.relative_to(self.root)
            if folder not in at.names and (not here.parent.is_dir() or chance.random() < 0.3):
                continue
            here.mkdir(parents=True, exist_ok=True)
            lasting, seen = at.names.get(folder, {}), at.seen_names.get(folder, {})
            for name in sorted({*lasting, *seen}):
                inode = chance.choice((lasting.get(name), seen.get(name)))
                if inode is None:
                    continue
                content = at.seen_bytes.get(inode, b"")
                cut = chance.choice((0, len(content) // 2, len(content)))
                (here / name).write_bytes(at.contents.get(inode, content[:cut]))

    def close(self) -> None:
        """Forget the files."""
        for one in self._kept:
            one.close()  # type: ignore[attr-defined]


def watched(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[[], object],
    *,
    keeps: int | None = None,
    seed: str = "",
) -> Disk:
    """The disk after a run, with all its moments or some."""
    disk = Disk(root, keeps, seed)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", disk.fsync)
        run()
    disk.close()
    return disk
