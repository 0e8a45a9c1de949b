"""Append one date to a cube, or a polarisation that comes later for a date that is there.

What is written lies past the end of the arrays, or where readers do not look as long as the date's
`polarisations` do not name it; `commit` puts it there once it is decided that it comes next.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.cube.format import integrity, layout, manifest
from cpazmal_scale.cube.format.manifest import Manifest
from cpazmal_scale.cube.format.record import (
    ROOT,
    Record,
    cube_attributes,
    date_values,
    read_record,
    read_root,
    root_document,
)
from cpazmal_scale.cube.write import commit as commits
from cpazmal_scale.cube.write import lease as leases
from cpazmal_scale.cube.write.admission import Admission, admit
from cpazmal_scale.cube.write.chunks import Opener, Target, write_layers
from cpazmal_scale.cube.write.lease import Lease, hold
from cpazmal_scale.errors import StoreError, StoreMissing, WriterConflict
from cpazmal_scale.scenes import Scene, equivalent_looks
from cpazmal_scale.storage import atomic
from cpazmal_scale.vocabulary import ordered

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox


Outcome = Literal["appended", "added", "unchanged"]


def append(
    cube_url: str,
    scene: Scene,
    *,
    chunk: int = 512,
    precision: int | None = None,
    grid: GeoBox | None = None,
    resample: bool = False,
    lease: Lease | None = None,
    opener: Opener | None = None,
) -> Outcome:
    """Add one date to a cube, which is created on `grid` (default: the scene's) if absent.

    A scene that has another polarisation of a date that is there is added to it. Killed at any
    moment, the cube stays intact and a repeated call completes. `chunk` and `precision` (bits of
    mantissa that backscatter keeps; none: all) count only at creation. With `resample` a scene of
    another lattice is resampled onto the grid. A caller that passes a held `lease` calls
    `publish` once all dates are in. `opener` reads the pixels; none: the reader of the scene's
    files.

    Raises:
        SceneChanged: the cube holds this acquisition with other bytes.
        BeamMismatch: another viewing geometry or radiometry than the cube's.
        GridMismatch: another pixel lattice, or no common pixel.
        WriterConflict: another writer is at work.
    """
    with hold(cube_url) if lease is None else contextlib.nullcontext(lease) as held:
        outcome = _append(
            Target(cube_url, grid or scene.geobox, chunk, 0, resample, precision),
            scene,
            held,
            opener,
        )
        if lease is None:
            publish(cube_url)
        return outcome


def _append(target: Target, scene: Scene, lease: Lease, opener: Opener | None) -> Outcome:
    """Append as the holder of a lease; `target` counts where the cube is new."""
    commits.settle(target.url)
    record = read_record(target.url)
    if record is None:
        Addition(target, None, Admission("new", 0, scene), opener).commit(lease)
        return "appended"
    admission = admit(record, scene, resample=target.resample)
    if admission.outcome == "unchanged":
        return "unchanged"
    target = replace(
        target,
        grid=record.grid,
        chunk=record.chunk,
        index=admission.index,
        precision=record.precision,
    )
    Addition(target, record, admission, opener).commit(lease)
    return "appended" if admission.outcome == "new" else "added"


@dataclass(frozen=True)
class Addition:
    """One date, or more polarisations of one, on their way into a cube."""

    target: Target
    record: Record | None
    admission: Admission
    opener: Opener | None = None

    @property
    def scene(self) -> Scene:
        """What comes in."""
        return self.admission.scene

    @property
    def number(self) -> int:
        """Number of the commit."""
        return 1 if self.record is None else self.record.commit + 1

    @property
    def static(self) -> tuple[str, ...]:
        """Layers without dates that the cube has."""
        return () if self.record is None else self.record.static

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers to write: the mask stays that of the polarisations that came first."""
        offered = layout.STATIC if self.opener is None else ()
        lacking = tuple(layer for layer in offered if layer not in self.static)
        late = self.admission.outcome == "late"
        return (*self.scene.polarisations, *(() if late else ("mask",)), *lacking)

    @cached_property
    def dates(self) -> dict[str, list[Any]]:
        """The coordinates along time after the addition."""
        return _dates(self.record, self.admission, self.target.grid)

    def commit(self, lease: Lease) -> bytes:
        """Stage, decide and carry out; the root document that has it.

        Raises:
            WriterConflict: another writer changed the cube meanwhile; nothing of this is in it.
            StoreError: the store failed; unless that was in deciding, nothing of this is in it.
        """
        url, name = self.target.url, commits.staging_name(self.number, lease.token)
        staged = replace(self.target, url=commits.staging(url, name))
        try:
            decided = self._stage(staged, name, lease)
            lease.check()
        except BaseException as error:
            with contextlib.suppress(StoreError):
                storage.remove(staged.url, recursive=True)
            # What is staged for a number that is taken is cleared by the writer that took it.
            if isinstance(error, StoreMissing) and not self._is_next():
                raise commits.conflict(url) from None
            raise
        try:
            commits.decide(url, decided)
        except WriterConflict:
            with contextlib.suppress(StoreError):
                storage.remove(staged.url, recursive=True)
            raise
        commits.carry_out(url, decided)
        commits.require(url, decided)
        commits.clear(url, self.number)
        return decided.root

    def _is_next(self) -> bool:
        """Whether the cube is still as it was."""
        return read_root(self.target.url) == (self.record.root if self.record else None)

    def _stage(self, staged: Target, name: str, lease: Lease) -> Manifest:
        """Write everything where nobody else does; what is to be decided."""
        found = write_layers(staged, self.scene, self.layers, lease, opener=self.opener)
        objects = _objects(found, self.target.index)
        if self.record is None:
            objects |= write_axes(staged.url, self.target.grid)
        folders = {storage.join(staged.url, key).rpartition("/")[0] for key in objects}
        atomic.sync_folders(sorted(folders))
        brought = tuple(layer for layer in layout.STATIC if layer in found)
        root = self._root(brought, objects)
        base = commits.base_of(None if self.record is None else self.record.root)
        plan = manifest.Plan(base, name, objects)
        return Manifest(self.number, root, self._rows(brought), plan)

    def _root(self, brought: tuple[str, ...], objects: dict[str, int]) -> bytes:
        old = self.record.attributes if self.record else None
        held = () if self.record is None else self.record.polarisations
        polarisations = ordered({*held, *self.scene.polarisations})
        target = self.target
        attributes = cube_attributes(self.scene, polarisations, target.chunk, old)
        if target.precision is not None:
            attributes["precision"] = target.precision
        looks = equivalent_looks(self.scene, target.grid)
        if looks is not None:
            attributes["enl"] = min(looks, attributes.get("enl", looks))
        arrays = layout.documents(
            (*polarisations, "mask", *self.static, *brought),
            target.grid,
            target.chunk,
            len(self.dates["time"]),
            self.scene.radiometry,
            separators=self._separators(),
            commit=attributes["commit"],
            precision=target.precision,
        )
        sums = integrity.Sums() if self.record is None else self.record.sums
        sums = sums.with_coordinates(self.dates, layout.kinds())
        for layer in (*self.layers, *brought):
            key = layout.list_key(layer, target.index)
            if key in objects:
                at = 0 if layer in layout.STATIC else target.index
                sums = sums.with_list(layer, at, objects[key])
        return root_document(attributes, arrays, sums)

    def _separators(self) -> dict[str, str]:
        """Separators of the keys of the coordinates.

        A late polarisation changes values inside a chunk, and with them the key; a new date only
        adds to the last chunk, in which committed values stay as they are.
        """
        if self.record is None:
            return {}
        found = self.record.separators
        for name in _CHANGING if self.admission.outcome == "late" else ():
            if self.dates[name] != self.record.dates[name]:
                found[name] = "." if found[name] == "/" else "/"
        return found

    def _rows(self, brought: tuple[str, ...]) -> list[dict[str, Any]]:
        sources = [] if self.record is None else manifest.sources_of(self.record)
        sources += [[] for _ in range(len(self.dates["time"]) - len(sources))]
        mine = manifest.described(self.scene, brought)
        sources[self.target.index] = [*sources[self.target.index], mine]
        return manifest.rows_of(self.dates, sources)


_CHANGING = ("polarisations", "source_sha256", "resampling")
"""Coordinates that a late polarisation changes."""


def _objects(sums: dict[str, NDArray[np.uint32]], index: int) -> dict[str, int]:
    """Keys of the chunks and lists of some layers of a date, with their CRC-32."""
    found = {}
    for layer, noted in sums.items():
        for row, column in np.argwhere(noted).tolist():
            found[layout.chunk_key(layer, index, row, column)] = int(noted[row, column])
        found[layout.list_key(layer, index)] = integrity.checksum(layout.encode(noted))
    return found


def _dates(record: Record | None, admission: Admission, grid: GeoBox) -> dict[str, list[Any]]:
    """The coordinates along time after the addition."""
    new = date_values(admission.scene, grid)
    if record is None:
        return {name: [value] for name, value in new.items()}
    if admission.outcome == "new":
        return {name: [*record.dates[name], value] for name, value in new.items()}
    dates = {name: list(values) for name, values in record.dates.items()}
    at = admission.index
    held = record.polarisations_of(at)
    dates["polarisations"][at] = "+".join(ordered({*held, *admission.scene.polarisations}))
    for name, joint in (("source_sha256", "+"), ("resampling", ", ")):
        parts = {*dates[name][at].split(joint), *new[name].split(joint)} - {""}
        dates[name][at] = joint.join(sorted(parts))
    return dates


def write_axes(url: str, grid: GeoBox) -> dict[str, int]:
    """Write the coordinates of pixel centres; their keys and CRC-32."""
    found = {}
    for name, axis in zip("yx", layout.axis_values(grid), strict=True):
        key, data = layout.coordinate_key(name, 0), layout.encode(axis)
        storage.write_bytes(storage.join(url, key), data)
        found[key] = integrity.checksum(data)
    return found


def member_documents(record: Record) -> list[tuple[str, bytes]]:
    """Documents of the members, the one that tells completion (`stored`) last."""
    names = sorted(record.arrays, key=lambda name: (name == layout.LISTS, name))
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
    if record is None or is_published(record):
        return
    manifest.prune(cube_url, record.commit)
    documents = dict(member_documents(record))
    seen = dict(zip(documents, storage.each(cube_url, atomic.look, documents), strict=True))
    if read_root(cube_url) != record.root:
        return  # another writer went on: it publishes what it commits

    def bring(where: str) -> bool:
        return seen[where].data == documents[where] or atomic.swap(
            where, seen[where], documents[where], lock=leases.lock(cube_url)
        )

    *others, last = documents
    if all(storage.each(cube_url, bring, others)):
        bring(last)
