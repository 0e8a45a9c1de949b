"""HDF5 files of others, read without trusting them.

A file is opened read-only and walked by known names. Links out of the file or around in it, data
kept outside, virtual datasets, filters other than deflate, and objects that would need unpickling
are refused. `chunks` reads the values.
"""

from __future__ import annotations

import contextlib
import math
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import DatasetUnreadable

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_MEMBERS = 100_000
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
        if math.prod(found.shape) * kind.itemsize > _LARGEST_ATTRIBUTE:
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
