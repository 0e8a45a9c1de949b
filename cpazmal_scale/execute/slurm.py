"""Dask workers as SLURM jobs."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cpazmal_scale.errors import ClusterError
from cpazmal_scale.execute.sizes import ENVIRONMENT, GIB, block_memory

if TYPE_CHECKING:
    from cpazmal_scale.config.cluster import Cluster


@contextlib.contextmanager
def start(cluster: Cluster) -> Iterator[Any]:
    """A scheduler in this process, workers as jobs; the jobs end with the block.

    Raises:
        ClusterError: dask-jobqueue is not installed, or this machine cannot submit jobs.
    """
    if shutil.which("sbatch") is None:
        raise ClusterError(
            "there is no `sbatch` here",
            where="cluster.kind: slurm",
            remedy="start the run on a login node of the SLURM cluster",
        )
    with jobs(cluster) as started:
        yield started


def jobs(cluster: Cluster) -> Any:
    """The jobqueue cluster without a job yet; `job_script()` says what would be submitted.

    Raises:
        ClusterError: dask-jobqueue is not installed.
    """
    try:
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError:
        raise ClusterError(
            "dask-jobqueue is not installed",
            where="cluster.kind: slurm",
            remedy="pip install 'cpazmal-scale[slurm]'",
        ) from None
    slurm = cluster.slurm
    return SLURMCluster(
        cores=cluster.threads,
        processes=1,
        memory=f"{block_memory(cluster) * cluster.threads / GIB:.3f}GiB",
        queue=slurm.queue,
        account=slurm.account,
        walltime=slurm.walltime,
        interface=slurm.interface,
        local_directory=slurm.scratch,
        log_directory=slurm.logs,
        job_extra_directives=list(slurm.directives),
        job_script_prologue=[
            *(f"export {name}={n}" for name, n in ENVIRONMENT.items()),
            *slurm.prologue,
        ],
        scheduler_options={"dashboard_address": ":0"},
    )
