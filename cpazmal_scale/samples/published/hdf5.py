"""HDF5 files of others, read without trusting them.

A file is opened read-only and walked by known names. Links out of the file or around in it, data
kept outside, virtual datasets, filters other than deflate, and objects that would need unpickling
are refused. Sizes are compared with limits before anything is read, and a compressed chunk is
inflated by us, never beyond the size the header promises.
"""

from __future__ import annotations

import contextlib
import math
import zlib
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import DatasetUnreadable

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_MEMBERS = 100_000
LARGEST_REGION = 2**28
"""Bytes read at once at most, and of a chunk."""
_LARGEST_ATTRIBUTE = 2**20
_RENEW = "fetch the file again from its publisher"


@contextlib.contextmanager
def opened(url: str) -> Iterator[Any]:
    """An `h5py.File`, read-only, at any fsspec URL; of remote files only parts are fetched.

    Raises:
        DatasetUnreadable: not HDF5, truncated, or refused where it is read within the block.
        StoreMissing: nothing is there.
    """
    import h5py

    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(storage.open_seekable(url))
        with one_sentence(url):
            file = stack.enter_context(h5py.File(stream, "r"))
        try:
            yield file
        except DatasetUnreadable as error:
            if str(error.where).startswith("/"):
                error.where = f"{url}: {error.where}"
            raise


_DAMAGE = (OSError, RuntimeError, KeyError, TypeError, ValueError, zlib.error)
"""What HDF5 raises when it meets bytes that make no sense."""


@contextlib.contextmanager
def one_sentence(where: Any) -> Iterator[None]:
    """Turn what HDF5 raises on a damaged file into one `DatasetUnreadable`."""
    try:
        yield
    except _DAMAGE as error:
        reason = (str(error).strip("'\"").splitlines() or [type(error).__name__])[0]
        raise refuse(f"not an HDF5 file that can be read ({reason})", where) from None


def refuse(what: str, where: Any) -> DatasetUnreadable:
    """The error for a file, or for a part of it named by its path within."""
    name = where if isinstance(where, str) else "/"
    with contextlib.suppress(*_DAMAGE):
        name = getattr(where, "name", where)
    return DatasetUnreadable(what, where=name, remedy=_RENEW)


def names(group: Any) -> list[str]:
    """Sorted names of a group's members.

    Raises:
        DatasetUnreadable: more than a dataset can have.
    """
    with one_sentence(group):
        if len(group) > MOST_MEMBERS:
            raise refuse(f"it has {len(group)} members", group)
        return sorted(str(name) for name in group)


def group(parent: Any, name: str) -> Any:
    """A subgroup.

    Raises:
        DatasetUnreadable: absent, a link, or no group.
    """
    import h5py

    return _member(parent, name, h5py.Group)


def dataset(parent: Any, name: str, kinds: str, dimensions: int | tuple[int, ...]) -> Any:
    """A dataset whose values are of one of numpy's `kinds` (f, i, u, S), unread.

    Raises:
        DatasetUnreadable: absent, a link, of another type or rank, kept outside the file, or
            behind a filter other than deflate.
    """
    import h5py

    found = _member(parent, name, h5py.Dataset)
    with one_sentence(found):
        if found.dtype.kind not in kinds or found.dtype.hasobject:
            raise refuse(f"its values are {found.dtype}", found)
        wanted = dimensions if isinstance(dimensions, tuple) else (dimensions,)
        if found.ndim not in wanted:
            ranks = " or ".join(map(str, wanted))
            raise refuse(f"it has {found.ndim} dimensions, not {ranks}", found)
        if found.is_virtual or found.external:
            raise refuse("its data lie in another file", found)
        plan = found.id.get_create_plist()
        filters = [plan.get_filter(number)[0] for number in range(plan.get_nfilters())]
        if filters not in ([], [h5py.h5z.FILTER_DEFLATE]):
            raise refuse("it is behind a filter other than gzip", found)
    return found


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
    if max(_product(shape), _product(chunks)) * size > LARGEST_REGION:
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


def _product(shape: tuple[int, ...]) -> int:
    return math.prod(int(length) for length in shape)


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
    size = _product(found.chunks) * int(found.dtype.itemsize)
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


def number(owner: Any, name: str, default: float | None = None) -> float:
    """A number among the attributes.

    Raises:
        DatasetUnreadable: absent without a default, or no number.
    """
    if default is not None and not _has(owner, name):
        return default
    value = _attribute(owner, name)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise refuse(f"its attribute {name} is no number", owner) from None


def text(owner: Any, name: str, default: str | None = None) -> str:
    """A text among the attributes.

    Raises:
        DatasetUnreadable: absent without a default, or no text.
    """
    if default is not None and not _has(owner, name):
        return default
    value = _attribute(owner, name)
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if not isinstance(value, str):
        raise refuse(f"its attribute {name} is no text", owner)
    return str(value)


def vector(owner: Any, name: str) -> NDArray[np.float64]:
    """Numbers among the attributes.

    Raises:
        DatasetUnreadable: absent, or no row of numbers.
    """
    value = np.asarray(_attribute(owner, name))
    if value.dtype.kind not in "fiu" or value.ndim != 1:
        raise refuse(f"its attribute {name} is no row of numbers", owner)
    return value.astype(np.float64)


def _has(owner: Any, name: str) -> bool:
    with one_sentence(owner):
        return name in owner.attrs


def _attribute(owner: Any, name: str) -> Any:
    import h5py

    if not _has(owner, name):
        raise refuse(f"it has no attribute {name}", owner)
    with one_sentence(owner):
        found = owner.attrs.get_id(name)
        kind = found.dtype
        if kind.hasobject and h5py.check_string_dtype(kind) is None:
            raise refuse(f"its attribute {name} is an object", owner)
        if _product(found.shape) * kind.itemsize > _LARGEST_ATTRIBUTE:
            raise refuse(f"its attribute {name} is too large", owner)
        return owner.attrs[name]


def _member(parent: Any, name: str, kind: type) -> Any:
    import h5py

    with one_sentence(parent):
        link = parent.get(name, getlink=True)
        if link is None:
            raise refuse(f"it has no member {name}", parent)
        if not isinstance(link, h5py.HardLink):
            raise refuse(f"its member {name} is a link elsewhere", parent)
        found = parent[name]
    if not isinstance(found, kind):
        raise refuse(f"its member {name} is no {kind.__name__.lower()}", parent)
    return found
