"""Dask workers as SLURM jobs."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpazmal_scale import storage
from cpazmal_scale.errors import ClusterError
from cpazmal_scale.execute.sizes import ENVIRONMENT, GIB, block_memory

if TYPE_CHECKING:
    from distributed.security import Security

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


@contextlib.contextmanager
def jobs(cluster: Cluster) -> Iterator[Any]:
    """The jobqueue cluster without a job yet; `job_script()` says what would be submitted.

    Scheduler and workers are reached by TLS: others work on the same login node and network.

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
    with (
        _keys(slurm.logs) as security,
        SLURMCluster(
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
            security=security,
            scheduler_options={"dashboard_address": ":0"},
        ) as started,
    ):
        yield started


@contextlib.contextmanager
def _keys(logs: str) -> Iterator[Security]:
    """What opens scheduler and workers of one run, in files that the jobs of this user can read.

    They lie in the folder of the logs, which login node and nodes share, and go with the block.
    """
    from distributed.security import Security

    made = Security.temporary().get_tls_config_for_role("scheduler")
    shared = Path(os.path.expandvars(logs)).expanduser().absolute()
    with contextlib.ExitStack() as stack:
        with storage.one_sentence(str(shared), "write"):
            shared.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=".tls-", dir=shared))
            certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")
            certificate.write_text(made["cert"])
            key.write_text(made["key"])
        pair = {"cert": str(certificate), "key": str(key)}
        roles = [(role, one) for role in ("client", "scheduler", "worker") for one in pair]
        yield Security(
            require_encryption=True,
            tls_ca_file=str(certificate),
            **{f"tls_{role}_{one}": pair[one] for role, one in roles},
        )
