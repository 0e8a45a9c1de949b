"""Compiled functions of the terrain kernels: without the interpreter's lock, plain IEEE results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def kept(function: _Function) -> _Function:
    """Compile on first use and keep the code beside the file or in the user's cache.

    Where neither can be written, as in a read-only container without a home, each process compiles
    for itself. Operations are never contracted or reordered: a result depends on its inputs alone.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        made: _Function = njit(cache=True, **options)(function)
    except RuntimeError:  # numba: no locator available
        made = njit(**options)(function)
    return made
