"""How kernels are compiled: without the interpreter's lock, kept for the next process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from zlib import crc32

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

    _Function = TypeVar("_Function", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def kept(function: _Function) -> _Function:
    """Compile a kernel on first use and keep the code beside its file or in the user's cache.

    Where neither can be written, as in a read-only container without a home, each process compiles
    for itself.
    """
    try:
        made: _Function = njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # numba: no locator available
        made = njit(**_OPTIONS)(function)
    return made


def kept_with(content: int) -> Callable[[_Function], _Function]:
    """As `kept`, for a kernel with helpers from other modules, whose `source` is `content`.

    Numba's cache looks at a kernel's own file only. With this number beside the file's time and
    size, the code is made again when a helper changes. A default argument would do so too, but
    calls of kernels that come out of the cache then take a tenth of a millisecond.
    """

    def keep(function: _Function) -> _Function:
        made: Any = kept(function)
        index = getattr(getattr(made, "_cache", None), "_cache_file", None)
        if index is not None:
            index._source_stamp = (index._source_stamp, content)
        return cast("_Function", made)

    return keep


def inlined(function: _Function) -> _Function:
    """Compile a helper as part of the kernels that call it."""
    made: _Function = njit(**_OPTIONS)(function)
    return made


def source(*modules: str) -> int:
    """CRC-32 of the files of kernel modules, such as `lanes_f32`, for `kept_with`."""
    files = (Path(__file__).with_name(f"{name}.py").read_bytes() for name in modules)
    return crc32(b"".join(files))
