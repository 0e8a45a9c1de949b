"""How kernels are compiled: without the interpreter's lock, kept for the next process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
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


def inlined(function: _Function) -> _Function:
    """Compile a helper as part of the kernels that call it."""
    made: _Function = njit(**_OPTIONS)(function)
    return made


def source(*modules: str) -> int:
    """CRC-32 of the files of kernel modules, such as `lanes_f32`.

    Numba's cache looks at a kernel's own file only. A kernel whose keyword default is this number
    is compiled again when a helper in one of these modules changes.
    """
    files = (Path(__file__).with_name(f"{name}.py").read_bytes() for name in modules)
    return crc32(b"".join(files))
