"""Append one date to a cube: write past its end, then commit with one PUT of the root document."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.cube import layout
from cpazmal_scale.cube.admit import admit
from cpazmal_scale.cube.grid import Placement, place
from cpazmal_scale.cube.lease import Lease, hold
from cpazmal_scale.cube.record import (
    ROOT,
    Record,
    cube_attributes,
    date_values,
    read_record,
    read_root,
    root_document,
)
from cpazmal_scale.errors import CpazmalError, WriterConflict
from cpazmal_scale.scenes.reading import SceneReader
from cpazmal_scale.scenes.scene import POLARISATIONS, Scene, ordered

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

Progress = Callable[[int, int], None]


class StripReader(Protocol):
    """A scene that hands out rows of a grid, as `SceneReader` does."""

    def read(self, y0: int, y1: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Power (P, y1 - y0, W), linear, NaN for no data, and mask (y1 - y0, W)."""


Opener = Callable[[Scene, "GeoBox"], AbstractContextManager[StripReader]]
"""Opens a scene for reading onto a grid."""

LOCAL_WRITERS, REMOTE_WRITERS = 2, 16
"""Threads that code and store chunks: the disk's cores, or requests in flight."""


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
) -> Literal["appended", "unchanged"]:
    """Add one date to a cube, which is created on `grid` (default: the scene's) if absent.

    Killed at any moment, the old cube stays intact and a repeated call completes. `chunk` counts
    only at creation. With `resample` a scene of another lattice is resampled onto the grid. Who
    passes a held `lease` calls `publish` once all dates are in. `opener` reads the pixels; none:
    the reader of the scene's files. `progress` is called with rows done and rows in all.

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
    if record is not None and admit(record, scene, resample=resample) == "unchanged":
        return "unchanged"
    addition = Addition(
        *(cube_url, record, scene, grid or scene.geobox),
        chunk=chunk,
        opener=opener or partial(SceneReader, resample=resample),
        resample=resample,
    )
    addition.run(lease, progress)
    return "appended"


class Addition:
    """One date on its way into a cube."""

    def __init__(
        self,
        url: str,
        record: Record | None,
        scene: Scene,
        grid: GeoBox,
        *,
        chunk: int,
        opener: Opener,
        resample: bool,
    ) -> None:
        self.url, self.record, self.scene, self.opener = url, record, scene, opener
        self.grid = grid if record is None else record.grid
        self.chunk = chunk if record is None else record.chunk
        self.index = 0 if record is None else record.length
        self.place: Placement = place(scene, self.grid, resample=resample)
        held = () if record is None else record.polarisations
        self.polarisations = ordered({*held, *scene.polarisations})

    def run(self, lease: Lease, progress: Progress | None = None) -> None:
        """Write, then commit; leftovers are removed when something fails before the commit."""
        try:
            self.clear()
            self._write_layers(lease, progress)
            self._write_coordinates()
            lease.check()
            self._check_unchanged()
        except BaseException:
            with contextlib.suppress(CpazmalError):
                lease.check()
                self.clear()
            raise
        self.commit()

    def clear(self) -> None:
        """Remove what an interrupted append left at this date, of any polarisation."""
        if self.record is None:
            for name in storage.list_names(self.url):
                if name in (*POLARISATIONS, *layout.PER_DATE, "mask", "stored", "x", "y"):
                    storage.remove(storage.join(self.url, name), recursive=True)
            return
        for layer in (*POLARISATIONS, "mask"):
            for path in (layer, f"stored/{layer}"):
                here = storage.join(self.url, path, "c", str(self.index))
                if storage.exists(here):
                    storage.remove(here, recursive=True)

    def _write_layers(self, lease: Lease, progress: Progress | None) -> None:
        rows = -(-self.grid.shape[0] // self.chunk), -(-self.grid.shape[1] // self.chunk)
        layers = (*self.scene.polarisations, "mask")
        stored = {layer: np.zeros(rows, np.uint32) for layer in layers}
        threads = REMOTE_WRITERS if storage.is_remote(self.url) else LOCAL_WRITERS
        with ThreadPoolExecutor(threads) as pool:
            waiting: deque[list[Future[None]]] = deque()
            for done, strip in self._strips(progress):
                lease.renew()
                waiting.append(
                    [
                        pool.submit(self._write_chunk, layer, done, column, part, stored[layer])
                        for layer, values in strip.items()
                        for column, part in self._parts(values)
                    ]
                )
                if len(waiting) > 1:
                    _finish(waiting.popleft())
            while waiting:
                _finish(waiting.popleft())
        for layer, sums in stored.items():
            storage.write_bytes(self._chunk_url(f"stored/{layer}", 0, 0), layout.encode(sums))

    def _strips(self, progress: Progress | None) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
        """Chunk row and values by layer, for every row of chunks the scene touches."""
        first, last = self.place.rows[0] // self.chunk, -(-self.place.rows[1] // self.chunk)
        with self.opener(self.scene, self.grid) as reader:
            for row in range(first, last):
                y0, y1 = row * self.chunk, min(self.grid.shape[0], (row + 1) * self.chunk)
                power, mask = reader.read(y0, y1)
                yield row, dict(zip(self.scene.polarisations, power, strict=True)) | {"mask": mask}
                if progress is not None:
                    progress(row + 1 - first, last - first)

    def _parts(self, values: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
        first, last = self.place.columns[0] // self.chunk, -(-self.place.columns[1] // self.chunk)
        for column in range(first, last):
            yield column, values[:, column * self.chunk : (column + 1) * self.chunk]

    def _write_chunk(
        self, layer: str, row: int, column: int, part: NDArray[Any], stored: NDArray[np.uint32]
    ) -> None:
        fill = layout.layer_fill(layer)
        if (np.isnan(part) if layer != "mask" else part == fill).all():
            return
        if part.shape != (self.chunk, self.chunk):
            whole = np.full((self.chunk, self.chunk), fill, part.dtype)
            whole[: part.shape[0], : part.shape[1]] = part
            part = whole
        data = layout.encode(part)
        storage.write_bytes(self._chunk_url(layer, row, column), data)
        stored[row, column] = zlib.crc32(data) or 1

    def _chunk_url(self, path: str, row: int, column: int) -> str:
        return storage.join(self.url, path, "c", str(self.index), str(row), str(column))

    def _write_coordinates(self) -> None:
        """Rewrite the last chunk of every coordinate; committed values stay as they are."""
        number, first = divmod(self.index, layout.DATES_PER_CHUNK)
        start = self.index - first
        for name, value in date_values(self.scene, self.grid).items():
            kind = layout.PER_DATE[name][0]
            old = [] if self.record is None else self.record.dates[name][start:]
            values = [*old, value]
            where = storage.join(self.url, name, "c", str(number))
            rest = layout.DATES_PER_CHUNK - len(values)
            if kind == "string":
                storage.write_bytes(where, layout.encode_texts([*values, *[""] * rest]))
            else:
                padded = [*values, *[0 if kind == "int64" else float("nan")] * rest]
                storage.write_bytes(where, layout.encode(np.array(padded, kind)))
        if self.record is None:
            for name, axis in zip("yx", layout.axis_values(self.grid), strict=True):
                storage.write_bytes(storage.join(self.url, name, "c", "0"), layout.encode(axis))

    def _check_unchanged(self) -> None:
        if read_root(self.url) != (self.record.root if self.record else None):
            raise WriterConflict(
                "the cube changed while this date was written",
                where=self.url,
                remedy="run again: what is committed stays, the rest continues",
            )

    def commit(self) -> None:
        """Replace the root document: from now on readers see the new date."""
        layers = (*self.polarisations, "mask")
        radiometry = self.scene.radiometry
        arrays = layout.documents(layers, self.grid, self.chunk, self.index + 1, radiometry)
        attributes = cube_attributes(
            self.scene,
            self.polarisations,
            self.chunk,
            self.record.attributes if self.record else None,
        )
        storage.write_bytes(storage.join(self.url, ROOT), root_document(attributes, arrays))


def _finish(futures: list[Future[None]]) -> None:
    for future in futures:
        future.result()


def _member_documents(record: Record) -> list[tuple[str, bytes]]:
    """Documents of the members, the one that tells completion (`time`) last."""
    names = sorted(record.arrays, key=lambda name: (name == "time", name))
    return [
        (storage.join(record.url, name, ROOT), json.dumps(record.arrays[name]).encode())
        for name in names
    ]


def is_published(record: Record) -> bool:
    """Whether the members' own documents followed the root document."""
    last, document = _member_documents(record)[-1]
    return storage.exists(last) and storage.read_bytes(last) == document


def publish(cube_url: str) -> None:
    """Bring the members' own documents up to the root document, for readers that ignore it."""
    record = read_record(cube_url)
    if record is not None and not is_published(record):
        for where, document in _member_documents(record):
            storage.write_bytes(where, document)
