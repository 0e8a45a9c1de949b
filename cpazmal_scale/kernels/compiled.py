"""Compiled functions without the interpreter's lock, kept for the next process where possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

    _Function = TypeVar("_Function", bound=Callable[..., object])


def kept(function: _Function) -> _Function:
    """Compile on first use and keep the code beside the file or in the user's cache.

    Where neither can be written, as in a read-only container without a home, each process compiles
    for itself.
    """
    try:
        made: _Function = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba: no locator available
        made = njit(nogil=True)(function)
    return made


def inlined(function: _Function) -> _Function:
    """Compile as part of the functions that call it."""
    made: _Function = njit(nogil=True)(function)
    return made
