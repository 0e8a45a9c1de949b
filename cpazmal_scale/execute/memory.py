"""What a process does with the memory that it has freed."""

from __future__ import annotations

import contextlib
import ctypes

from cpazmal_scale.execute.sizes import MAPPED_FROM, TRIMMED_FROM

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's `malloc.h`."""


def keep_memory() -> None:
    """Let this process keep what a tile frees for the next one, as `ENVIRONMENT` does from a start.

    Dask gives its workers another setting, with which the system clears all arrays of each tile
    anew. Without effect where the C library is not glibc.
    """
    with contextlib.suppress(AttributeError):  # no such function
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, MAPPED_FROM)
        mallopt(_TRIM_THRESHOLD, TRIMMED_FROM)
