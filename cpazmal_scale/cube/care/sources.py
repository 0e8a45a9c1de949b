"""The files a date was made of: found again by their SHA-256, and read again."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale.cube.format import layout, manifest
from cpazmal_scale.cube.format.manifest import Source
from cpazmal_scale.cube.format.record import Record
from cpazmal_scale.cube.write import commit as commits
from cpazmal_scale.cube.write.chunks import Target, write_layers
from cpazmal_scale.cube.write.lease import Lease
from cpazmal_scale.errors import CpazmalError, StoreError, WriterConflict
from cpazmal_scale.scenes import Scene
from cpazmal_scale.vocabulary import ordered

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Finder = Callable[[Record, int], Iterable[Scene]]
"""Scenes that may be the sources of a date."""


@dataclass(frozen=True)
class Reread:
    """A layer of a date as its source gives it now: staged at `url`, `sums` as in a list."""

    url: str
    sums: NDArray[np.uint32]


class NotRereadable(Exception):
    """A layer cannot be read again; the message says why."""


@dataclass(frozen=True)
class Sources:
    """What a cube was made of, and where it may be found."""

    record: Record
    find: Finder
    lease: Lease
    resample: bool

    @contextlib.contextmanager
    def reread(self, layer: str, index: int) -> Iterator[Reread]:
        """Read a layer of a date again from its files, to a folder that goes with the block.

        Raises:
            NotRereadable: a file is missing or other than it was.
            WriterConflict: another writer took the cube over.
        """
        record = self.record
        scene = self._scene(layer, index)
        name = commits.staging_name(record.commit, uuid.uuid4().hex)
        url = commits.staging(record.url, name)
        target = Target(url, record.grid, record.chunk, index, self.resample, record.precision)
        try:
            try:
                sums = write_layers(target, scene, (layer,), self.lease).get(layer)
            except (StoreError, WriterConflict):
                raise
            except CpazmalError as error:
                raise NotRereadable(f"its source cannot be read ({error.what})") from None
            if sums is None:
                raise NotRereadable("its source does not hold it")
            yield Reread(url, sums)
        finally:
            with contextlib.suppress(StoreError):
                storage.remove(url, recursive=True)

    def _scene(self, layer: str, index: int) -> Scene:
        """The scene, of the date's very files, that holds a layer."""
        additions = manifest.sources_of(self.record)
        if layer in layout.STATIC:
            index = _first_with(layer, additions)
        known = set(self.record.sources_of(index))
        brought = [{file["sha256"] for file in one["files"]} for one in additions[index]]
        for scene in self.find(self.record, index):
            files = tuple(file for file in scene.files if file.sha256 in known)
            if layer == "mask" and brought:
                files = tuple(file for file in files if file.sha256 in brought[0])
            elif layer not in ("mask", *layout.STATIC):
                files = tuple(file for file in files if layer in file.bands)
            needed = _needed(layer, known, additions[index])
            if files and needed <= {file.sha256 for file in files}:
                names = ordered({name for file in files for name in file.polarisations})
                return replace(scene, files=files, polarisations=names)
        told = [file["url"] for one in additions[index] for file in one["files"]]
        where = f" (it was {told[0]})" if told else ""
        raise NotRereadable(f"its source was not found among the scenes{where}")


def _first_with(layer: str, additions: list[list[Source]]) -> int:
    """The date that brought a static layer."""
    for index, brought in enumerate(additions):
        if any(layer in one["static"] for one in brought):
            return index
    return 0


def _needed(layer: str, known: set[str], additions: list[Source]) -> set[str]:
    """Hashes of all files a layer was made of."""
    if layer in layout.STATIC:
        return set()
    if not additions:
        return known if layer == "mask" else set()
    if layer == "mask":
        return {file["sha256"] for file in additions[0]["files"]}
    files = [file for one in additions for file in one["files"]]
    return {file["sha256"] for file in files if layer in file["bands"]}
