"""Values of HDF5 datasets, inflated chunk by chunk within the size the header promises."""

from __future__ import annotations

import math
import zlib
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.published.hdf5 import dataset, one_sentence, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_REGION = 2**28
"""Bytes read at once at most, and of a chunk."""


def table(parent: Any, name: str, kinds: str) -> NDArray[Any]:
    """A short one-dimensional dataset, read.

    Raises:
        DatasetUnreadable: see `dataset`, or it is too long.
    """
    found = dataset(parent, name, kinds, 1)
    return region(found, ((0, found.shape[0]),))


def image(found: Any, date: int) -> NDArray[Any]:
    """One date (H, W) of a dataset (H, W, T).

    Raises:
        DatasetUnreadable: too large, or its chunk is lost or damaged.
    """
    height, width, _ = found.shape
    return region(found, ((0, height), (0, width), (date, date + 1)))[:, :, 0]


def region(found: Any, ranges: tuple[tuple[int, int], ...]) -> NDArray[Any]:
    """A box of a dataset, (start, stop) along every dimension.

    Raises:
        DatasetUnreadable: larger than `LARGEST_REGION`, or a chunk is lost or damaged.
    """
    shape = tuple(stop - start for start, stop in ranges)
    chunks = found.chunks or shape
    size = found.dtype.itemsize
    if max(math.prod(shape), math.prod(chunks)) * size > LARGEST_REGION:
        raise refuse(f"it claims {' x '.join(map(str, found.shape))} values", found)
    box = tuple(slice(start, stop) for start, stop in ranges)
    with one_sentence(found):
        if found.chunks is None:
            return np.asarray(found[box])
        values = np.empty(shape, found.dtype)
        steps = [
            range(start // chunk * chunk, stop, chunk)
            for (start, stop), chunk in zip(ranges, chunks, strict=True)
        ]
        for corner in product(*steps):
            _copy(values, ranges, _chunk(found, corner), corner)
    return values


def _copy(
    values: NDArray[Any],
    ranges: tuple[tuple[int, int], ...],
    part: NDArray[Any],
    corner: tuple[int, ...],
) -> None:
    """Put a chunk that begins at `corner` where it meets the box `ranges`."""
    target, source = [], []
    for (start, stop), first, length in zip(ranges, corner, part.shape, strict=True):
        low, high = max(start, first), min(stop, first + length)
        target.append(slice(low - start, high - start))
        source.append(slice(low - first, high - first))
    values[tuple(target)] = part[tuple(source)]


def check_chunks(found: Any) -> None:
    """Check that every chunk of a dataset was written and is no larger than its values.

    Raises:
        DatasetUnreadable: naming the first that is not.
    """
    if found.chunks is not None:
        steps = [
            range(0, length, chunk) for length, chunk in zip(found.shape, found.chunks, strict=True)
        ]
        with one_sentence(found):
            for corner in product(*steps):
                _stored_size(found, corner)


def _stored_size(found: Any, start: tuple[int, ...]) -> int:
    """Bytes that a chunk holds inflated, once its place in the file is plausible."""
    info = found.id.get_chunk_info_by_coord(start)
    if info.byte_offset is None or not info.size:
        raise refuse(f"the chunk at {start} was never written", found)
    size = math.prod(int(length) for length in found.chunks) * int(found.dtype.itemsize)
    if info.size > size + size // 100 + 1024:
        raise refuse(f"the chunk at {start} is larger than its values", found)
    return size


def _chunk(found: Any, start: tuple[int, ...]) -> NDArray[Any]:
    """A chunk, inflated no further than its shape allows."""
    size = _stored_size(found, start)
    skipped, raw = found.id.read_direct_chunk(start)
    if found.compression is not None and not skipped:
        inflating = zlib.decompressobj()
        raw = inflating.decompress(raw, size + 1)
        if not inflating.eof and len(raw) == size:
            raise refuse(f"the chunk at {start} ends before its checksum", found)
    if len(raw) != size:
        raise refuse(f"the chunk at {start} holds {len(raw)} of {size} bytes", found)
    return np.frombuffer(raw, found.dtype).reshape(found.chunks)
