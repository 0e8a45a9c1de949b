"""Layers of one scene to chunk objects: coded and stored by several threads, listed at the end."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.cube.format import coding, layout
from cpazmal_scale.cube.format.placement import place
from cpazmal_scale.cube.write.lease import Lease
from cpazmal_scale.scenes import Scene, SceneReader

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox


Store = Callable[[str, bytes], None]


class StripReader(Protocol):
    """A scene that hands out rows of a grid, as `SceneReader` does."""

    def read(self, y0: int, y1: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Power (P, y1 - y0, W), linear, NaN for no data, and mask (y1 - y0, W)."""


Opener = Callable[[Scene, "GeoBox"], AbstractContextManager[StripReader]]
"""Opens a scene for reading onto a grid."""

LOCAL_WRITERS, REMOTE_WRITERS = 2, storage.REQUESTS
"""Threads that code and store chunks: the disk's cores, or requests in flight."""


@dataclass(frozen=True)
class Target:
    """Where the layers of a scene go: date number `index` of the cube at `url`.

    `precision` are the bits of mantissa that backscatter keeps; none: all.
    """

    url: str
    grid: GeoBox
    chunk: int
    index: int
    resample: bool = False
    precision: int | None = None

    @property
    def tiles(self) -> tuple[int, int]:
        """Rows and columns of chunks."""
        return layout.tiles(self.grid, self.chunk)

    def chunk_url(self, layer: str, row: int, column: int) -> str:
        """Address of a chunk object."""
        return storage.join(self.url, layout.chunk_key(layer, self.index, row, column))

    def list_url(self, layer: str) -> str:
        """Address of the list of a layer's chunk objects."""
        return storage.join(self.url, layout.list_key(layer, self.index))


def write_layers(
    target: Target,
    scene: Scene,
    layers: tuple[str, ...],
    lease: Lease,
    *,
    opener: Opener | None = None,
    store: Store | None = None,
) -> dict[str, NDArray[np.uint32]]:
    """Write layers of a scene, chunks first, then their lists.

    `opener` replaces the reader of the scene's files, `store` `storage.write_bytes`; chunks without
    data are not stored.

    Returns:
        The CRC-32 of every chunk object, 0 where there is none, by layer. A static layer that the
        scene does not offer is not in it.

    Raises:
        SceneUnreadable: a block of a file cannot be decoded.
        WriterConflict: another writer took over.
    """
    put = store or storage.write_bytes
    sums: dict[str, NDArray[np.uint32]] = {}
    threads = REMOTE_WRITERS if storage.is_remote(target.url) else LOCAL_WRITERS
    near = tuple(edge // target.chunk for edge in _columns(target, scene))
    whole = 0, target.tiles[1]
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[list[Future[None]]] = deque()
        for row, strip in _strips(target, scene, layers, opener):
            lease.renew()
            futures = []
            for layer, values in strip.items():
                noted = sums.setdefault(layer, np.zeros(target.tiles, np.uint32))
                for column in range(*(whole if layer in layout.GROUND else near)):
                    part = values[:, column * target.chunk : (column + 1) * target.chunk]
                    job = (target, layer, (row, column), part, noted, put)
                    futures.append(pool.submit(_write_chunk, *job))
            waiting.append(futures)
            if len(waiting) > 1:
                _finish(waiting.popleft())
        while waiting:
            _finish(waiting.popleft())
    storage.each(target.url, lambda one: put(target.list_url(one), layout.encode(sums[one])), sums)
    return sums


def _columns(target: Target, scene: Scene) -> tuple[int, int]:
    left, right = place(scene, target.grid, resample=target.resample).columns
    return left, right + target.chunk - 1


def _strips(
    target: Target,
    scene: Scene,
    layers: tuple[str, ...],
    opener: Opener | None,
) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
    """Chunk row and values by layer, for every row of chunks the scene touches.

    What a beam sees of its ground comes for all rows: other dates may reach further.
    """
    top, bottom = place(scene, target.grid, resample=target.resample).rows
    near = range(top // target.chunk, -(-bottom // target.chunk))
    dated = tuple(layer for layer in layers if layer not in layout.STATIC)
    static = tuple(layer for layer in layers if layer in layout.STATIC)
    ground = tuple(layer for layer in static if layer in layout.GROUND)
    opener = opener or partial(SceneReader, resample=target.resample)
    with opener(scene, target.grid) as reader:
        for row in range(target.tiles[0]) if ground else near:
            y0, y1 = row * target.chunk, min(target.grid.shape[0], (row + 1) * target.chunk)
            strip: dict[str, NDArray[Any]] = {}
            if dated and row in near:
                power, mask = reader.read(y0, y1)
                found = dict(zip(scene.polarisations, power, strict=True)) | {"mask": mask}
                strip = {layer: found[layer] for layer in dated}
            if isinstance(reader, SceneReader):
                names = static if row in near else ground
                offered = {name: reader.static(name, y0, y1) for name in names}
                strip |= {name: part for name, part in offered.items() if part is not None}
            yield row, strip


def _write_chunk(
    target: Target,
    layer: str,
    place: tuple[int, int],
    part: NDArray[Any],
    noted: NDArray[np.uint32],
    put: Store,
) -> None:
    fill = layout.layer_fill(layer)
    if (np.isnan(part) if layer not in layout.MASKS else part == fill).all():
        return
    if part.shape != (target.chunk, target.chunk):
        whole = np.full((target.chunk, target.chunk), fill, part.dtype)
        whole[: part.shape[0], : part.shape[1]] = part
        part = whole
    data = coding.encode(part, layer, target.precision)
    put(target.chunk_url(layer, *place), data)
    noted[place] = zlib.crc32(data) or 1


def _finish(futures: list[Future[None]]) -> None:
    for future in futures:
        future.result()
