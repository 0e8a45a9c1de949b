"""Append one date to a cube: write past its end, then commit with one PUT of the root document.

A polarisation that comes later for a date goes the same way: its chunks are written where readers
do not look as long as the date's `polarisations` do not name it, the changed coordinates under keys
the old root document does not use.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.cube.format import layout, manifest
from cpazmal_scale.cube.format.record import (
    ROOT,
    Record,
    cube_attributes,
    date_values,
    read_record,
    read_root,
    root_document,
)
from cpazmal_scale.cube.write.admission import Admission, admit
from cpazmal_scale.cube.write.chunks import Opener, Target, write_layers
from cpazmal_scale.cube.write.lease import Lease, hold
from cpazmal_scale.errors import CpazmalError, WriterConflict
from cpazmal_scale.scenes import Scene
from cpazmal_scale.vocabulary import POLARISATIONS, ordered

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from cpazmal_scale.progress import Progress

Outcome = Literal["appended", "added", "unchanged"]


def append(
    cube_url: str,
    scene: Scene,
    *,
    chunk: int = 512,
    grid: GeoBox | None = None,
    resample: bool = False,
    lease: Lease | None = None,
    opener: Opener | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Add one date to a cube, which is created on `grid` (default: the scene's) if absent.

    A scene that has another polarisation of a date that is there is added to it. Killed at any
    moment, the old cube stays intact and a repeated call completes. `chunk` counts only at
    creation. With `resample` a scene of another lattice is resampled onto the grid. Who passes a
    held `lease` calls `publish` once all dates are in. `opener` reads the pixels; none: the reader
    of the scene's files. `progress` is called with rows done and rows in all.

    Raises:
        SceneChanged: the cube holds this acquisition with other bytes.
        BeamMismatch: another viewing geometry or radiometry than the cube's.
        GridMismatch: another pixel lattice, or no common pixel.
        WriterConflict: another writer is at work.
    """
    if lease is None:
        with hold(cube_url) as own:
            done = append(
                cube_url,
                scene,
                chunk=chunk,
                grid=grid,
                resample=resample,
                lease=own,
                opener=opener,
                progress=progress,
            )
            publish(cube_url)
            return done
    record = read_record(cube_url)
    if record is None:
        target = Target(cube_url, grid or scene.geobox, chunk, 0, resample)
        Addition(target, None, Admission("new", 0, scene), opener).run(lease, progress)
        return "appended"
    admission = admit(record, scene, resample=resample)
    if admission.outcome == "unchanged":
        return "unchanged"
    target = Target(cube_url, record.grid, record.chunk, admission.index, resample)
    Addition(target, record, admission, opener).run(lease, progress)
    return "appended" if admission.outcome == "new" else "added"


class Addition:
    """One date, or more polarisations of one, on their way into a cube."""

    def __init__(
        self,
        target: Target,
        record: Record | None,
        admission: Admission,
        opener: Opener | None = None,
    ) -> None:
        self.target, self.record, self.scene = target, record, admission.scene
        self.late, self.opener = admission.outcome == "late", opener
        held = () if record is None else record.polarisations
        self.polarisations = ordered({*held, *self.scene.polarisations})
        self.static = () if record is None else record.static
        self.brought: tuple[str, ...] = ()
        self.dates = _dates(record, admission, target.grid)

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers to write: the mask stays that of the polarisations that came first."""
        offered = layout.STATIC if self.opener is None else ()
        lacking = tuple(layer for layer in offered if layer not in self.static)
        return (*self.scene.polarisations, *(() if self.late else ("mask",)), *lacking)

    def run(self, lease: Lease, progress: Progress | None = None) -> None:
        """Write, then commit; leftovers are removed when something fails before the commit."""
        try:
            self.clear()
            sums = write_layers(
                self.target, self.scene, self.layers, lease, opener=self.opener, progress=progress
            )
            self.brought = tuple(layer for layer in layout.STATIC if layer in sums)
            self.static += self.brought
            separators = self._write_coordinates()
            root = self._root(separators)
            self._write_manifest(root)
            lease.check()
            self._check_unchanged()
        except BaseException:
            with contextlib.suppress(CpazmalError):
                lease.check()
                self.clear()
            raise
        storage.write_bytes(storage.join(self.target.url, ROOT), root)

    def clear(self) -> None:
        """Remove what an interrupted addition left here, of any polarisation the date lacks."""
        url, known = self.target.url, (*POLARISATIONS, "mask", *layout.STATIC)
        if self.record is None:
            for name in storage.list_names(url):
                if name in (*known, *layout.PER_DATE, "stored", "x", "y"):
                    storage.remove(storage.join(url, name), recursive=True)
            return
        held: set[str] = {*self.record.static}
        if self.late:
            held |= {"mask", *self.record.polarisations_of(self.target.index)}
        for layer in (one for one in known if one not in held):
            for path in self.target.folders(layer):
                if storage.exists(path):
                    storage.remove(path, recursive=True)

    def _write_coordinates(self) -> dict[str, str]:
        """Write the coordinates that change; the separators of the keys they then have.

        A new date rewrites the last chunk of each, in which committed values stay as they are.
        """
        separators = {} if self.record is None else self.record.separators
        first = self.target.index // layout.DATES_PER_CHUNK
        for name, values in self.dates.items():
            number = first
            if self.record is not None and self.late:
                if values == self.record.dates[name] or name not in _CHANGING:
                    continue
                separators[name] = "." if separators[name] == "/" else "/"
                number = 0
            write_coordinate(self.target.url, name, values, separators.get(name, "/"), number)
        if self.record is None:
            write_axes(self.target.url, self.target.grid)
        return separators

    def _root(self, separators: dict[str, str]) -> bytes:
        old = self.record.attributes if self.record else None
        target = self.target
        attributes = cube_attributes(self.scene, self.polarisations, target.chunk, old)
        arrays = layout.documents(
            (*self.polarisations, "mask", *self.static),
            target.grid,
            target.chunk,
            len(self.dates["time"]),
            self.scene.radiometry,
            separators=separators,
            commit=attributes["commit"],
        )
        return root_document(attributes, arrays)

    def _write_manifest(self, root: bytes) -> None:
        sources = [] if self.record is None else manifest.sources_of(self.record)
        sources += [[] for _ in range(len(self.dates["time"]) - len(sources))]
        sources[self.target.index] = [
            *sources[self.target.index],
            manifest.described(self.scene, self.brought),
        ]
        commit = 1 if self.record is None else self.record.commit + 1
        manifest.write_manifest(self.target.url, commit, root, self.dates, sources)

    def _check_unchanged(self) -> None:
        if read_root(self.target.url) != (self.record.root if self.record else None):
            raise WriterConflict(
                "the cube changed while this date was written",
                where=self.target.url,
                remedy="run again: what is committed stays, the rest continues",
            )


_CHANGING = ("polarisations", "source_sha256", "resampling")
"""Coordinates that a late polarisation changes."""


def _dates(record: Record | None, admission: Admission, grid: GeoBox) -> dict[str, list[Any]]:
    """The coordinates along time after the addition."""
    new = date_values(admission.scene, grid)
    if record is None:
        return {name: [value] for name, value in new.items()}
    if admission.outcome == "new":
        return {name: [*record.dates[name], value] for name, value in new.items()}
    dates = {name: list(values) for name, values in record.dates.items()}
    at = admission.index
    held = dates["polarisations"][at].split("+")
    dates["polarisations"][at] = "+".join(ordered({*held, *admission.scene.polarisations}))
    for name, joint in (("source_sha256", "+"), ("resampling", ", ")):
        parts = {*dates[name][at].split(joint), *new[name].split(joint)} - {""}
        dates[name][at] = joint.join(sorted(parts))
    return dates


def write_coordinate(
    url: str, name: str, values: list[Any], separator: str, number: int = 0
) -> None:
    """Write the chunks of a coordinate along time from chunk `number` on."""
    kind, size = layout.PER_DATE[name][0], layout.DATES_PER_CHUNK
    for first in range(number * size, len(values), size):
        part = values[first : first + size]
        rest = size - len(part)
        where = storage.join(url, layout.coordinate_key(name, first // size, separator))
        if kind == "string":
            storage.write_bytes(where, layout.encode_texts([*part, *[""] * rest]))
        else:
            padded = [*part, *[0 if kind == "int64" else float("nan")] * rest]
            storage.write_bytes(where, layout.encode(np.array(padded, kind)))


def write_axes(url: str, grid: GeoBox) -> None:
    """Write the coordinates of pixel centres."""
    for name, axis in zip("yx", layout.axis_values(grid), strict=True):
        storage.write_bytes(storage.join(url, name, "c", "0"), layout.encode(axis))


def member_documents(record: Record) -> list[tuple[str, bytes]]:
    """Documents of the members, the one that tells completion (`stored`) last."""
    names = sorted(record.arrays, key=lambda name: (name == "stored", name))
    return [
        (storage.join(record.url, name, ROOT), json.dumps(record.arrays[name]).encode())
        for name in names
    ]


def is_published(record: Record) -> bool:
    """Whether the members' own documents followed the root document."""
    last, document = member_documents(record)[-1]
    return storage.exists(last) and storage.read_bytes(last) == document


def publish(cube_url: str) -> None:
    """Bring the members' own documents up to the root document, for readers that ignore it.

    Manifests of earlier commits are removed.
    """
    record = read_record(cube_url)
    if record is not None and not is_published(record):
        manifest.prune(cube_url, record.commit)
        for where, document in member_documents(record):
            storage.write_bytes(where, document)
