"""How many workers and how much memory a run may take, from its configuration and this machine."""

from __future__ import annotations

from cpazmal_scale.config.cluster import Cluster

GIB = 2**30
_USUAL_GIB = 2.0
"""Memory of a block where the machine has more."""
_REMOTE_WORKERS = 4


def cores() -> int:
    """Cores this process may use: affinity and the container's quota count."""
    from dask.system import cpu_count

    return int(cpu_count())


def workers_of(cluster: Cluster) -> int:
    """Worker processes, or threads of kind `threads`, that a cluster will have at most."""
    if cluster.kind == "serial":
        return 1
    if cluster.kind in ("kubernetes", "slurm"):
        return cluster.maximum or cluster.workers or _REMOTE_WORKERS
    return cluster.maximum or cluster.workers or max(1, cores() // cluster.threads)


def blocks_at_once(cluster: Cluster) -> int:
    """Blocks that a cluster will compute at the same time: one for each thread of its workers.

    How many workers a cluster of kind `address` has, only its scheduler knows.
    """
    threads = 1 if cluster.kind in ("serial", "threads") else cluster.threads
    return workers_of(cluster) * threads


def block_memory(cluster: Cluster) -> int:
    """Bytes one block may take: a worker's memory, shared by its threads."""
    if cluster.memory_gib is not None:
        return int(cluster.memory_gib * GIB / cluster.threads)
    if cluster.kind in ("address", "kubernetes", "slurm"):
        return int(_USUAL_GIB * GIB)
    from distributed.system import memory_limit

    return min(int(_USUAL_GIB * GIB), memory_limit() // (workers_of(cluster) * cluster.threads))


MAPPED_FROM, TRIMMED_FROM = 32 << 20, 128 << 20
"""Bytes of an array that has pages of its own, and of free memory on top that goes back."""
ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "GDAL_NUM_THREADS"), "1"),
    "MALLOC_MMAP_THRESHOLD_": str(MAPPED_FROM),
    "MALLOC_TRIM_THRESHOLD_": str(TRIMMED_FROM),
}
"""Environment of workers: one thread per core overall, since kernels are single-threaded, and the
memory of a tile stays theirs for the next one, instead of being cleared by the system each time."""
