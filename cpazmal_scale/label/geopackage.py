"""Rows of a GeoPackage changed in place: what was not edited keeps its bytes.

A GeoPackage is a SQLite database (OGC 12-128r19). Rows, columns, layers, styles and metadata that
an edit does not concern stay as they are, because only the rows concerned are written.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import shapely

from cpazmal_scale.errors import SampleError, StoreError
from cpazmal_scale.label.layer import Layer, Polygon

_MAGIC, _LITTLE, _XY = b"GP", 1, 1 << 1
_ENVELOPES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
"""Bytes of the envelope by its code (OGC 12-128r19, clause 2.1.3)."""
_EMPTY, _EXTENDED = 1 << 4, 1 << 5


class Rows(NamedTuple):
    """Which rows of a file are meant, and what their columns are called."""

    shapes: tuple[str, ...]
    label: str
    group: str


POLYGONS = Rows(("Polygon", "MultiPolygon"), "class", "group")
UNITS = Rows(("Point",), "reference", "unit")
"""Points of `areas design`: the class somebody sees there is their label."""


@dataclass(frozen=True)
class Table:
    """Where the polygons stand in the file, by the names it gives."""

    name: str
    key: str
    geometry: str
    srs: int
    multi: bool
    columns: tuple[str, ...]
    """All others."""
    label: str
    group: str
    numbers: frozenset[str]
    """Columns that hold whole numbers."""
    unseen: int
    """Rows that are no polygons, which stay as they are."""

    @property
    def absent(self) -> tuple[str, ...]:
        """Those of class and group that have no column yet."""
        return tuple(name for name in (self.label, self.group) if name not in self.columns)


def read_layer(path: Path, url: str, rows: Rows = POLYGONS) -> tuple[Table, Layer]:
    """The polygons, or units, of the first layer of a file.

    Raises:
        SampleError: the file has no such layer, or it cannot be read.
    """
    with _reading(path, url) as database:
        place = _table(database, url, rows)
        wanted = [place.key, place.geometry, *place.columns]
        found = database.execute(
            f"SELECT {', '.join(map(_quoted, wanted))} FROM {_quoted(place.name)} "  # noqa: S608
            f"ORDER BY {_quoted(place.key)}"
        )
        polygons, unseen, last = {}, 0, 0
        for row in found:
            values = dict(zip(wanted, row, strict=True))
            number, blob = int(values[place.key]), values[place.geometry]
            last = max(last, number)
            shape = _shape(blob)
            if shape is None or shape.is_empty or shape.geom_type not in rows.shapes:
                unseen += 1
                continue
            label, group = (_text(values.get(name)) for name in (place.label, place.group))
            own = (place.key, place.geometry, place.label, place.group)
            others = {name: value for name, value in values.items() if name not in own}
            polygons[number] = Polygon(number, label, group, shape, blob, others)
        last = max(last, _sequence(database, place.name))
    return replace(place, unseen=unseen), Layer(polygons, last + 1)


def write_layer(path: Path, url: str, table: Table, before: Layer, after: Layer) -> None:
    """Change the rows of a local file from one layer to another; it is not replaced as a whole.

    Raises:
        SampleError: a name does not fit its column.
        StoreError: the file refuses a row.
    """
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = DELETE")
            _functions(database)
            database.execute("BEGIN IMMEDIATE")
            for name in table.absent:
                database.execute(f"ALTER TABLE {_quoted(table.name)} ADD {_quoted(name)} TEXT")
            for polygon in after:
                old = before.polygons.get(polygon.id)
                if old is None:
                    _insert(database, table, polygon)
                elif old is not polygon:
                    _update(database, table, old, polygon)
            for number in before.polygons.keys() - after.polygons.keys():
                database.execute(
                    f"DELETE FROM {_quoted(table.name)} WHERE {_quoted(table.key)} = ?",  # noqa: S608
                    (number,),
                )
            if not table.unseen:
                _note(database, table, after)
            database.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreError(
            f"the file refuses the change ({error})",
            where=url,
            remedy="give the column a default in QGIS, or save to another file",
        ) from None


def to_blob(shape: Any, srs: int, multi: bool) -> bytes:
    """A shape as GeoPackage stores it: header, envelope, little-endian WKB."""
    if multi and shape.geom_type == "Polygon":
        shape = shapely.MultiPolygon([shape])
    west, south, east, north = shape.bounds
    head = struct.pack("<2sBBi", _MAGIC, 0, _LITTLE | _XY, srs)
    envelope = struct.pack("<4d", west, east, south, north)
    return head + envelope + bytes(shapely.to_wkb(shape, byte_order=1))


def _shape(blob: bytes) -> Any:
    """The shape of a blob in its first two dimensions; None where there is none that is known."""
    if not isinstance(blob, bytes) or len(blob) < 8 or blob[:2] != _MAGIC:
        return None
    flags = blob[3]
    size = _ENVELOPES.get(flags >> 1 & 7)
    if size is None or flags & (_EMPTY | _EXTENDED):
        return None
    try:
        return shapely.force_2d(shapely.from_wkb(blob[8 + size :]))
    except shapely.errors.GEOSException:
        return None


@contextlib.contextmanager
def _reading(path: Path, url: str) -> Iterator[sqlite3.Connection]:
    try:
        address = f"{path.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
            yield database
    except (sqlite3.Error, ValueError, TypeError, IndexError) as error:
        raise SampleError(
            f"not a GeoPackage that can be edited ({error})",
            where=url,
            remedy="save it again as GeoPackage in QGIS",
        ) from None


def _table(database: sqlite3.Connection, url: str, wanted: Rows) -> Table:
    layers = database.execute(
        "SELECT c.table_name, g.column_name, g.srs_id, g.geometry_type_name FROM gpkg_contents c "
        "JOIN gpkg_geometry_columns g ON g.table_name = c.table_name "
        "WHERE c.data_type = 'features' ORDER BY c.rowid"
    ).fetchall()
    if not layers:
        raise SampleError("holds no layer of shapes", where=url, remedy="draw shapes and save them")
    name, geometry, srs, kind = layers[0]
    info = database.execute(f"PRAGMA table_info({_quoted(name)})").fetchall()
    keys = [column[1] for column in info if column[5]]
    if len(keys) != 1:
        raise SampleError(
            f"layer {name} has no id", where=url, remedy="save it again as GeoPackage in QGIS"
        )
    columns = tuple(column[1] for column in info if column[1] not in (keys[0], geometry))
    lower = {column.lower(): column for column in columns}
    numbers = frozenset(str(column[1]) for column in info if "INT" in str(column[2]).upper())
    return Table(
        name=name,
        key=keys[0],
        geometry=geometry,
        srs=int(srs),
        multi=str(kind).upper() == "MULTIPOLYGON",
        columns=columns,
        label=lower.get(wanted.label, wanted.label),
        group=lower.get(wanted.group, wanted.group),
        numbers=numbers,
        unseen=0,
    )


def _sequence(database: sqlite3.Connection, table: str) -> int:
    """The highest id that was ever given, where the file remembers it."""
    try:
        row = database.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)
        ).fetchone()
    except sqlite3.OperationalError:
        return 0
    return int(row[0]) if row else 0


def _insert(database: sqlite3.Connection, table: Table, polygon: Polygon) -> None:
    names = [table.key, table.geometry, table.label, table.group, *polygon.others]
    values = [polygon.id, _blob(table, polygon), *_labels(table, polygon)]
    database.execute(
        f"INSERT INTO {_quoted(table.name)} ({', '.join(map(_quoted, names))}) "  # noqa: S608
        f"VALUES ({', '.join('?' * len(names))})",
        [*values, *polygon.others.values()],
    )


def _update(database: sqlite3.Connection, table: Table, old: Polygon, new: Polygon) -> None:
    changed: dict[str, Any] = {}
    labels = dict(zip((table.label, table.group), _labels(table, new), strict=True))
    if old.label != new.label:
        changed[table.label] = labels[table.label]
    if old.group != new.group:
        changed[table.group] = labels[table.group]
    if old.shape is not new.shape:
        changed[table.geometry] = _blob(table, new)
    if changed:
        database.execute(
            f"UPDATE {_quoted(table.name)} SET "  # noqa: S608
            f"{', '.join(f'{_quoted(name)} = ?' for name in changed)} "
            f"WHERE {_quoted(table.key)} = ?",
            [*changed.values(), new.id],
        )


def _blob(table: Table, polygon: Polygon) -> bytes:
    if polygon.stored is not None:
        return polygon.stored
    return to_blob(polygon.shape, table.srs, table.multi)


def _labels(table: Table, polygon: Polygon) -> list[str | int | None]:
    """Class and group as their columns hold them."""
    found: list[str | int | None] = []
    for column, text in ((table.label, polygon.label), (table.group, polygon.group)):
        if column not in table.numbers or not text:
            found.append(text or None)
            continue
        try:
            found.append(int(text))
        except ValueError:
            raise SampleError(
                f"column `{column}` holds whole numbers, not `{text}`", remedy="write a number"
            ) from None
    return found


def _note(database: sqlite3.Connection, table: Table, layer: Layer) -> None:
    """The extent and time of the last change, as readers find them in the list of layers."""
    bounds = shapely.total_bounds([one.shape for one in layer]) if len(layer) else [None] * 4
    database.execute(
        "UPDATE gpkg_contents SET last_change = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), "
        "min_x = ?, min_y = ?, max_x = ?, max_y = ? WHERE table_name = ?",
        [*(None if edge is None else float(edge) for edge in bounds), table.name],
    )


def _functions(database: sqlite3.Connection) -> None:
    """What the triggers of the spatial index call (OGC 12-128r19, annex F.3)."""

    def edge(place: int) -> Any:
        def of(blob: bytes) -> float | None:
            shape = _shape(blob)
            return None if shape is None or shape.is_empty else float(shape.bounds[place])

        return of

    for name, place in {"ST_MinX": 0, "ST_MinY": 1, "ST_MaxX": 2, "ST_MaxY": 3}.items():
        database.create_function(name, 1, edge(place), deterministic=True)

    def is_empty(blob: bytes) -> int:
        shape = _shape(blob)
        return int(shape is None or shape.is_empty)

    database.create_function("ST_IsEmpty", 1, is_empty, deterministic=True)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
