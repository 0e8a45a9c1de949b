"""A file of polygons while it is edited: undo, redo, save, and when it is changed elsewhere."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cpazmal_scale import storage
from cpazmal_scale.errors import SampleError, StoreError, WriterConflict
from cpazmal_scale.label.edits import Edit, from_plain, to_plain
from cpazmal_scale.label.geopackage import POLYGONS, Rows, read_layer, write_layer
from cpazmal_scale.label.journal import Journal
from cpazmal_scale.label.layer import Layer
from cpazmal_scale.storage import atomic, disk


class Session:
    """Edits of one file, journalled in a workspace.

    `url` is where the file is saved, `crs` its reference system, `table` its columns, `layer` its
    polygons as they are now. Methods may be called from several threads.
    """

    def __init__(
        self, url: str, workspace: str, *, rows: Rows = POLYGONS, crs: str | None = None
    ) -> None:
        """Open a file, or what is not saved of it, or a new one.

        Args:
            url: a GeoPackage; or another vector file, of which a GeoPackage is made beside it.
            workspace: whose `labels/` keeps the journal.
            rows: which rows are edited.
            crs: of a new file, made if there is none at `url`.

        Raises:
            StoreMissing: there is no such file and no `crs`.
            SampleError: it cannot be edited.
            WriterConflict: another session edits it.
        """
        self.url, self._rows = target(url), rows
        key = hashlib.sha256(storage.absolute(self.url).encode()).hexdigest()[:8]
        stem = Path(self.url).stem
        self._place = storage.join(storage.absolute(workspace), "labels", f"{stem}-{key}")
        self._guard, self._exit = threading.RLock(), contextlib.ExitStack()
        self._exit.enter_context(_alone(self._place, self.url))
        try:
            self._open(url, crs)
        except BaseException:
            self._exit.close()
            raise

    def _open(self, url: str, crs: str | None) -> None:
        seen = atomic.look(self.url)
        known = Journal.latest(self._place)
        if known is not None:
            self._begin(known[0], known[1][0])
            self._replay(known[1][1:], "" if seen.data is None else _digest(seen.data))
            if self.unsaved:
                return
        data = seen.data
        if data is None:
            data = _converted(url) if storage.exists(url) else _empty(url, crs)
        _require_alone(self.url)
        self._restart(data, "" if seen.data is None else _digest(data))
        if known is not None:
            known[0].remove()

    def _restart(self, data: bytes, digest: str) -> None:
        head = {"file": self.url, "digest": digest}
        self._begin(Journal.begin(self._place, head, data), head)

    def _begin(self, journal: Journal, head: Mapping[str, Any]) -> None:
        """The state of a journal without entries."""
        self._journal = journal
        self._digest = str(head["digest"])
        with _as_file(journal.base()) as path:
            self.table, layer = read_layer(path, self.url, self._rows)
            self.crs = _crs(path, self.table.name, self.url)
        self._layers, self._at = [layer], 0
        self._saved = layer

    @property
    def layer(self) -> Layer:
        """The polygons as they are now."""
        return self._layers[self._at]

    @property
    def revision(self) -> int:
        """A number that grows with everything that happens."""
        return self._journal.length

    @property
    def unsaved(self) -> int:
        """Polygons that are not in the file as they are here."""
        return len(_different(self._saved, self.layer))

    @property
    def can(self) -> dict[str, bool]:
        """Whether there is something to undo and to redo."""
        return {"undo": self._at > 0, "redo": self._at < len(self._layers) - 1}

    def do(self, edit: Edit) -> list[int]:
        """Do an edit; the ids of the polygons that changed, came or went.

        Raises:
            SampleError: it cannot be done.
            StoreError: it cannot be journalled, and was not done.
        """
        with self._guard:
            before, after = self.layer, edit.apply(self.layer)
            self._journal.add(to_plain(edit))
            self._step(after)
            return _different(before, after)

    def undo(self) -> list[int]:
        """Take the last edit back.

        Raises:
            SampleError: there is none.
        """
        return self._move(-1, "undo")

    def redo(self) -> list[int]:
        """Do again what was taken back.

        Raises:
            SampleError: nothing was.
        """
        return self._move(1, "redo")

    def save(self) -> int:
        """Bring the file to the present state; the number of polygons written.

        Raises:
            WriterConflict: the file was changed elsewhere; it stays as it is.
            StoreError: it cannot be written.
        """
        with self._guard:
            count = self.unsaved
            if count == 0:
                return 0
            self._require_unchanged()
            seen = atomic.look(self.url)
            data = self._content(seen.data or self._journal.base(), self._saved)
            digest = _digest(data)
            # Before the file, so that a save that was killed after it is known as one's own.
            self._journal.add({"kind": "save", "digest": digest})
            if not atomic.swap(self.url, seen, data, lock=storage.join(self._place, "save.lock")):
                raise self._changed()
            self._digest, self._saved = digest, self.layer
            return count

    def changed_elsewhere(self) -> bool:
        """Whether the file is no longer the one that was opened or saved last."""
        data = atomic.look(self.url).data
        return ("" if data is None else _digest(data)) != self._digest

    def keep_mine(self, url: str) -> Session:
        """Save to another file; the session of that one, which takes the place of this.

        Raises:
            StoreError: something is there already.
        """
        with self._guard:
            data = self._content(self._journal.base(), self._layers[0])
            if not storage.create_bytes(url, data):
                raise StoreError("something is there already", where=url, remedy="choose a name")
            other = Session(url, self._workspace, rows=self._rows)
            self._journal.remove()
            self.close()
            return other

    def take_theirs(self) -> str:
        """Begin anew from the file; the folder with the edits that are set aside.

        Raises:
            StoreMissing: it is gone.
            SampleError: it cannot be edited.
        """
        with self._guard:
            aside = self._journal.folder
            data = storage.read_bytes(self.url)
            with _as_file(data) as path:
                read_layer(path, self.url, self._rows)
            self._restart(data, _digest(data))
            return aside

    def close(self) -> None:
        """Let others edit the file; what is not saved stays in the journal."""
        self._exit.close()

    @property
    def _workspace(self) -> str:
        return self._place.rsplit("/labels/", 1)[0]

    def _replay(self, entries: list[dict[str, Any]], digest: str) -> None:
        """The state after some entries; of all saves, the one that the file holds took place."""
        for entry in entries:
            kind = entry.get("kind")
            if kind == "save":
                if entry["digest"] == digest:
                    self._digest, self._saved = digest, self.layer
            elif kind in ("undo", "redo"):
                self._at += 1 if kind == "redo" else -1
            else:
                self._step(from_plain(entry).apply(self.layer))

    def _step(self, layer: Layer) -> None:
        self._layers[self._at + 1 :] = [layer]
        self._at += 1

    def _move(self, by: int, kind: str) -> list[int]:
        with self._guard:
            if not self.can[kind]:
                raise SampleError(f"nothing to {kind}")
            self._journal.add({"kind": kind})
            before = self.layer
            self._at += by
            return _different(before, self.layer)

    def _content(self, data: bytes, before: Layer) -> bytes:
        """A file that holds a layer, with the present one in its place."""
        with _as_file(data) as path:
            write_layer(path, self.url, self.table, before, self.layer)
            with path.open("rb") as file:
                return file.read()

    def _require_unchanged(self) -> None:
        _require_alone(self.url)
        if self.changed_elsewhere():
            raise self._changed()

    def _changed(self) -> WriterConflict:
        return WriterConflict(
            "the file was changed elsewhere since it was opened here; nothing was overwritten",
            where=self.url,
            remedy="save to another file, or take the file as it is now",
        )


def target(url: str) -> str:
    """Where the polygons of a vector file are saved: a GeoPackage, itself or beside it."""
    if url.lower().endswith(".gpkg"):
        return url
    return url.rsplit(".", 1)[0] + ".gpkg"


def _different(before: Layer, after: Layer) -> list[int]:
    one, two = before.polygons, after.polygons
    return sorted(n for n in one.keys() | two.keys() if one.get(n) is not two.get(n))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def _as_file(data: bytes) -> Iterator[Path]:
    with storage.local_scratch() as folder:
        path = folder / "polygons.gpkg"
        path.write_bytes(data)
        yield path


def _crs(path: Path, layer: str, url: str) -> str:
    import geopandas

    from cpazmal_scale.grid.vectors import check_geopackage
    from cpazmal_scale.storage import seal

    with seal.parsing("not a GeoPackage that can be read", url, "save it again", SampleError):
        check_geopackage(path)
        crs = geopandas.read_file(path, layer=layer, rows=0).crs
    if crs is None:
        raise SampleError("no CRS", where=url, remedy="save the file with its reference system")
    return str(crs.to_wkt())


def _empty(url: str, crs: str | None) -> bytes:
    """A GeoPackage without polygons."""
    import geopandas
    import pandas as pd

    from cpazmal_scale.errors import StoreMissing

    if crs is None:
        raise StoreMissing("no such file", where=url, remedy="check the path")
    nothing = pd.Series([], dtype="str")
    table = geopandas.GeoDataFrame({"class": nothing, "group": nothing}, geometry=[], crs=crs)
    return _written(table, geometry_type="Polygon")


def _converted(url: str) -> bytes:
    """A vector file of another format as a GeoPackage."""
    from cpazmal_scale.grid.vectors import read_vectors

    return _written(read_vectors(url))


def _written(table: Any, **how: Any) -> bytes:
    with storage.local_scratch() as folder:
        path = folder / "polygons.gpkg"
        table.to_file(path, driver="GPKG", layer="polygons", **how)
        with path.open("rb") as file:
            return file.read()


def _require_alone(url: str) -> None:
    """Check that no program holds changes of a local GeoPackage that are not in it yet.

    Raises:
        WriterConflict: one does.
    """
    if storage.is_remote(url):
        return
    log = storage.local_path(url + "-wal")
    if log.exists() and log.stat().st_size:
        raise WriterConflict(
            "another program has it open and keeps changes beside it",
            where=url,
            remedy="save and close it there (in QGIS: remove the layer) and try again",
        )


@contextlib.contextmanager
def _alone(place: str, url: str) -> Iterator[None]:
    """Hold the journals of a file on a local disk.

    Raises:
        WriterConflict: another process does.
    """
    import fcntl

    if storage.is_remote(place):
        yield
        return
    folder = storage.local_path(place)
    with storage.one_sentence(place, "write"):
        disk.make_folder(folder)
        lock = (folder / "lock").open("ab")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WriterConflict(
                "another `cpazmal label` edits it", where=url, remedy="end that one first"
            ) from None
        except OSError:  # a file system without locks
            pass
        yield
