"""Every edit on disk before it is shown as done, one small object each, in any workspace.

A journal is a folder: `base.gpkg` holds the file as it was, `000000.json` says which file that is,
and each entry after it one edit, undo, redo or save. Entries are created, never replaced, so that
two writers cannot both believe to have written the same one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cpazmal_scale import storage
from cpazmal_scale.errors import StoreDamaged, WriterConflict
from cpazmal_scale.storage import seal

_BASE, _END, _PLACE = "base.gpkg", ".json", "place"
_REMEDY = "move this folder away to begin anew from the file"


@dataclass
class Journal:
    """One folder of entries, the `head` first, of which `length` were read or written here."""

    folder: str
    length: int = 0
    head: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def begin(cls, place: str, head: Mapping[str, Any], base: bytes) -> Journal:
        """A new journal in the next folder of a place.

        Args:
            place: folder of all journals of one file.
            head: facts of the file.
            base: its content.

        Raises:
            StoreError: the place cannot be written.
        """
        last = _last(place)
        journal = cls(storage.join(place, f"{last + 1:04d}"))
        storage.write_bytes(storage.join(journal.folder, _BASE), base)
        journal.head = {**head, "base": hashlib.sha256(base).hexdigest()}
        journal.add(journal.head)
        before = cls(storage.join(place, f"{last:04d}"))
        # On a disk nobody else begins one now: without a head its writer died.
        if not storage.is_remote(place) and not storage.exists(before._url(0)):
            storage.remove(before.folder, recursive=True)
        return journal

    @classmethod
    def latest(cls, place: str) -> tuple[Journal, list[dict[str, Any]]] | None:
        """The newest journal of a place with its head and entries; none where there is none.

        Raises:
            StoreDamaged: an entry is lost or altered.
        """
        number = _last(place)
        if number == 0:
            return None
        journal = cls(storage.join(place, f"{number:04d}"))
        entries = journal.read()
        return (journal, entries) if entries else None

    def add(self, entry: Mapping[str, Any]) -> None:
        """Write one entry.

        Raises:
            WriterConflict: somebody else wrote at its place.
            StoreError: the store cannot be written.
        """
        url = self._url(self.length)
        numbered = {**entry, _PLACE: self.length}
        if not storage.create_bytes(url, storage.json_bytes(seal.sealed(numbered))):
            raise WriterConflict(
                "another `cpazmal label` edits the same polygons",
                where=self.folder,
                remedy="end it, and start this one again",
            )
        self.length += 1

    def read(self) -> list[dict[str, Any]]:
        """Head and entries in their order.

        Raises:
            StoreDamaged: one is lost or altered.
        """
        names = [name for name in storage.list_names(self.folder) if name.endswith(_END)]
        found = []
        for place, name in enumerate(names):
            if name != f"{place:06d}{_END}":
                raise StoreDamaged(f"entry {place} is lost", where=self.folder, remedy=_REMEDY)
            entry = seal.read_document(storage.join(self.folder, name), _REMEDY)
            if entry.pop(_PLACE, place) != place:
                raise StoreDamaged(
                    f"entry {place} is another one's", where=self.folder, remedy=_REMEDY
                )
            found.append(entry)
        self.length, self.head = len(found), dict(found[0]) if found else {}
        return found

    def base(self) -> bytes:
        """The file as it was when the journal began.

        Raises:
            StoreDamaged: it is not the one that the head names.
        """
        url = storage.join(self.folder, _BASE)
        data = storage.read_bytes(url)
        digest = hashlib.sha256(data).hexdigest()
        if self.head.get("base", digest) != digest:
            raise StoreDamaged("the file was altered", where=url, remedy=_REMEDY)
        return data

    def remove(self) -> None:
        """Take the journal away; its head goes first, without which it is none."""
        storage.remove(self._url(0))
        storage.remove(self.folder, recursive=True)

    def _url(self, place: int) -> str:
        return storage.join(self.folder, f"{place:06d}{_END}")


def _last(place: str) -> int:
    """Number of the newest journal; 0 where there is none."""
    return max((int(name) for name in storage.list_names(place) if name.isdigit()), default=0)
