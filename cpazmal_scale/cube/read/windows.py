"""Pixels of many windows of a cube, each chunk read once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpazmal_scale.errors import SampleError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from cpazmal_scale.progress import Progress


BATCH = 512
"""Windows handed out together at most, so that memory does not grow with their number."""


class Pixels(NamedTuple):
    """Some windows: their row numbers (n), power (n, P, T, w, w) and mask (n, T, w, w)."""

    rows: NDArray[np.intp]
    power: NDArray[np.float32]
    mask: NDArray[np.uint8]


def window_pixels(
    cube: xr.Dataset,
    y0: NDArray[np.int64],
    x0: NDArray[np.int64],
    size: int,
    polarisations: Sequence[str],
    progress: Progress | None = None,
) -> Iterator[Pixels]:
    """Hand out every window once, chunk after chunk, each of which is read once.

    With P polarisations and T dates a pixel takes T·(4 P + 1) bytes. Held are at most 3 c² of them
    for chunks of c × c (the one before, the next one's layers and their stack), `BATCH`·w² of them
    for windows of w × w handed out, and w² of them for each window across chunks whose last part is
    to come: those across the lower edge of a row of chunks and the right edge of the chunk.

    Args:
        cube: a cube as `open_cube` gives it.
        y0: (N) row of each window's top-left pixel.
        x0: (N) column of it.
        size: edge of the windows in pixels.
        polarisations: variables to read, in this order.
        progress: called with chunks done and chunks in all.

    Raises:
        SampleError: a polarisation is not in the cube, or a window lies outside it.
    """
    require_data(cube, polarisations)
    corners = np.stack([y0, x0], axis=1)
    _require_inside(cube, corners, size)
    edges = [_edges(cube, polarisations[0], axis) for axis in ("y", "x")]
    chunks, parts = _chunks(edges, corners, size)
    straddling = _Straddling(corners, parts, size)
    for done, ((cy, cx), rows) in enumerate(chunks.items(), 1):
        low = np.array([edges[0][cy], edges[1][cx]])
        high = np.array([edges[0][cy + 1], edges[1][cx + 1]])
        origin = np.maximum(low, corners[rows].min(0))
        stop = np.minimum(high, corners[rows].max(0) + size)
        power, mask = region(cube, polarisations, origin, stop)
        inside = rows[parts[rows] == 1]
        for first in range(0, len(inside), BATCH):
            some = inside[first : first + BATCH]
            yield Pixels(some, *gather(power, mask, corners[some] - origin, size))
        yield from straddling.add(rows[parts[rows] > 1], power, mask, origin, stop)
        if progress is not None:
            progress(done, len(chunks))


def gather(
    power: NDArray[np.float32], mask: NDArray[np.uint8], corners: NDArray[np.int64], size: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Windows (n, P, T, size, size) and (n, T, size, size) of a region, by their top-left corners.

    Args:
        power: (P, T, h, w) values of the region.
        mask: (T, h, w) flags of it.
        corners: (n, 2) row and column in the region.
        size: edge of the windows in pixels.
    """
    y, x = corners.T[:, :, None, None]
    ys, xs = y + np.arange(size)[:, None], x + np.arange(size)
    return np.moveaxis(power[:, :, ys, xs], 2, 0), np.moveaxis(mask[:, ys, xs], 1, 0)


class _Straddling:
    """Windows that lie in several chunks, kept until their last part arrives."""

    def __init__(self, corners: NDArray[np.int64], parts: NDArray[np.int64], size: int) -> None:
        self.corners, self.parts, self.size = corners, parts.copy(), size
        self.waiting: dict[int, tuple[NDArray[np.float32], NDArray[np.uint8]]] = {}

    def add(
        self,
        rows: NDArray[np.intp],
        power: NDArray[np.float32],
        mask: NDArray[np.uint8],
        origin: NDArray[np.int64],
        stop: NDArray[np.int64],
    ) -> Iterator[Pixels]:
        """Take the parts that lie in this chunk and hand out the windows that are complete."""
        for row in rows.tolist():
            if row not in self.waiting:
                shape = (power.shape[1], self.size, self.size)
                new = np.empty((len(power), *shape), np.float32), np.empty(shape, np.uint8)
                self.waiting[row] = new
            corner = self.corners[row]
            low, high = np.maximum(corner, origin), np.minimum(corner + self.size, stop)
            (y, x), (v, u) = low - origin, low - corner
            h, w = high - low
            whole_power, whole_mask = self.waiting[row]
            whole_power[:, :, v : v + h, u : u + w] = power[:, :, y : y + h, x : x + w]
            whole_mask[:, v : v + h, u : u + w] = mask[:, y : y + h, x : x + w]
            self.parts[row] -= 1
        ready = rows[self.parts[rows] == 0]
        if len(ready):
            whole = [self.waiting.pop(row) for row in ready.tolist()]
            yield Pixels(ready, np.stack([p for p, _ in whole]), np.stack([m for _, m in whole]))


def require_data(cube: xr.Dataset, polarisations: Sequence[str]) -> None:
    """Check that the cube has these polarisations and a date.

    Raises:
        SampleError: naming what it lacks.
    """
    for name in polarisations:
        if name not in cube.data_vars:
            layers = [str(p) for p in cube.data_vars if p != "mask" and "time" in cube[p].dims]
            raise SampleError(
                f"the cube has no polarisation {name}",
                where=cube.attrs.get("beam"),
                remedy=f"set polarisations among {', '.join(layers)}",
            )
    if cube.sizes["time"] == 0:
        raise SampleError(
            "the cube has no date in this period",
            where=cube.attrs.get("beam"),
            remedy="change start and end",
        )


def _require_inside(cube: xr.Dataset, corners: NDArray[np.int64], size: int) -> None:
    shape = np.array([cube.sizes["y"], cube.sizes["x"]])
    if (corners < 0).any() or (corners + size > shape).any():
        raise SampleError(
            f"a window lies outside the cube of {shape[0]} × {shape[1]} pixels",
            where=cube.attrs.get("beam"),
            remedy="make the samples again with this cube",
        )


def _edges(cube: xr.Dataset, name: str, axis: str) -> NDArray[np.int64]:
    """First pixel of every chunk along an axis, and the end of the last one."""
    sizes = cube[name].chunksizes.get(axis, (cube.sizes[axis],))
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _chunks(
    edges: list[NDArray[np.int64]], corners: NDArray[np.int64], size: int
) -> tuple[dict[tuple[int, int], NDArray[np.intp]], NDArray[np.int64]]:
    """Windows that touch each chunk, chunks in storage order, and chunks per window."""
    spans = []
    for edge, start in zip(edges, corners.T, strict=True):
        first = np.searchsorted(edge, start, "right") - 1
        spans.append((first, np.searchsorted(edge, start + size - 1, "right") - 1))
    (top, bottom), (left, right) = spans
    found: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for row in range(len(corners)):
        for cy in range(top[row], bottom[row] + 1):
            for cx in range(left[row], right[row] + 1):
                found[cy, cx].append(row)
    parts = (bottom - top + 1) * (right - left + 1)
    return {chunk: np.array(found[chunk], np.intp) for chunk in sorted(found)}, parts


def region(
    cube: xr.Dataset,
    polarisations: Sequence[str],
    origin: NDArray[np.int64],
    stop: NDArray[np.int64],
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Power (P, T, h, w) and mask (T, h, w) from pixel (y, x) `origin` up to `stop`."""
    box = cube[[*polarisations, "mask"]].isel(
        y=slice(int(origin[0]), int(stop[0])), x=slice(int(origin[1]), int(stop[1]))
    )
    box = box.transpose("time", "y", "x").compute()
    power = np.stack([box[name].to_numpy() for name in polarisations])
    return power.astype(np.float32, copy=False), box["mask"].to_numpy()
