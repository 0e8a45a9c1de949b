"""Loaded by the workers of a local cluster that fills the machine: each stays on cores of its own.

Otherwise a worker and the thread that reads ahead for it change cores, and each change leaves the
arrays of a tile in the cache of another core.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Worker

    from cpazmal_scale.config.cluster import Cluster


def has_own_cores(cluster: Cluster, workers: int) -> bool:
    """Whether so many workers of this machine take all cores, none left over and none shared."""
    if cluster.maximum is not None or not hasattr(os, "sched_getaffinity"):
        return False
    return workers * cluster.threads == len(os.sched_getaffinity(0))


def dask_setup(worker: Worker) -> None:
    """Keep all threads of this process on the cores that the worker's number gives it."""
    number, threads = int(worker.name), worker.state.nthreads
    own = sorted(os.sched_getaffinity(0))[number * threads : (number + 1) * threads]
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # a thread that ends meanwhile
            os.sched_setaffinity(int(task.name), own)
