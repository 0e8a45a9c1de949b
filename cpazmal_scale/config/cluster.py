"""The part of the configuration that says where blocks are computed."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from cpazmal_scale.config.section import Address, Elsewhere, Section, never_both, together

_MOST = 10_000
"""Workers that one scheduler serves, and more threads than a machine has."""


class Kubernetes(Section):
    """Dask workers as pods, for `cluster.kind: kubernetes`; the Dask operator must run there."""

    image: str = "cpazmal-scale:latest"
    """Container image with this package, such as the one of deploy/Dockerfile."""
    namespace: str | None = None
    """Namespace of the pods; none: that of the current context."""
    secret: str | None = None
    """Name of a Kubernetes secret whose keys become environment variables of the pods, such as
    AWS_ACCESS_KEY_ID."""
    service_account: str | None = None
    """Service account of the pods, where the object store is opened by workload identity."""


class Slurm(Section):
    """Dask workers as SLURM jobs, for `cluster.kind: slurm`."""

    queue: str | None = None
    """Partition of the jobs."""
    account: str | None = None
    """Account the jobs are charged to."""
    walltime: str = "02:00:00"
    """Longest time of a job; blocks of a job that ends are computed by another one."""
    interface: str | None = None
    """Network interface of scheduler and workers, such as ib0."""
    scratch: Elsewhere | None = None
    """Folder on the nodes for the workers' files; none: Dask's choice."""
    logs: Elsewhere = "slurm-logs"
    """Folder, seen from login and nodes, for what the jobs print."""
    directives: tuple[str, ...] = ()
    """More #SBATCH lines, such as `--constraint=avx2`."""
    prologue: tuple[str, ...] = ()
    """Shell lines before the worker starts, such as `module load python/3.12`."""


class Cluster(Section):
    """Where blocks are computed."""

    model_config = never_both("kind", {"not": {"const": "address"}}, "address", "string")

    kind: Literal["serial", "threads", "local", "address", "kubernetes", "slurm"] = "local"
    """`local` starts Dask worker processes here, `address` uses a running Dask scheduler,
    `kubernetes` and `slurm` start workers there; `threads` and `serial` are this process."""
    workers: int | None = Field(None, ge=1, le=_MOST)
    """Worker processes or threads; none: one per core here, four on `kubernetes` and `slurm`."""
    threads: int = Field(1, ge=1, le=_MOST)
    """Threads of one worker process; each computes a block."""
    memory_gib: float | None = Field(None, gt=0, le=1_000_000)
    """Memory of one worker in GiB; none: 2 for each of its threads, or its share of this machine
    where that is less."""
    minimum: int | None = Field(None, ge=1, le=_MOST)
    """Fewest workers; with `maximum` their number follows the work, instead of `workers`."""
    maximum: int | None = Field(None, ge=1, le=_MOST)
    """Most workers."""
    wait_s: float = Field(60.0, gt=0, le=1_000_000)
    """Seconds to wait for scheduler and first worker of `address`, `kubernetes` or `slurm`."""
    address: Elsewhere | None = None
    """Address of a Dask scheduler, for kind `address`; `tls://` needs the three files below, or
    Dask's own configuration."""
    tls_ca: Address | None = None
    """Path of the certificate authority's certificate."""
    tls_cert: Address | None = None
    """Path of this client's certificate."""
    tls_key: Address | None = None
    """Path of this client's key; only the path is ever passed on."""
    kubernetes: Kubernetes = Kubernetes()
    slurm: Slurm = Slurm()

    @property
    def tls(self) -> tuple[str, str, str] | None:
        """Paths of authority, certificate and key, if given."""
        if self.tls_ca and self.tls_cert and self.tls_key:
            return self.tls_ca, self.tls_cert, self.tls_key
        return None

    @together
    def _address(self) -> Self:
        if (self.kind == "address") != (self.address is not None):
            raise ValueError("cluster.address goes with cluster.kind: address, and only with it")
        files = [self.tls_ca, self.tls_cert, self.tls_key]
        if any(files) and not (all(files) and (self.address or "").startswith("tls://")):
            raise ValueError(
                "cluster.tls_ca, tls_cert and tls_key go together, with an address tls://…"
            )
        if any("-----BEGIN" in file for file in files if file):
            raise ValueError("cluster.tls_* are paths of files, not their contents")
        return self

    @together
    def _adaptive(self) -> Self:
        if (self.minimum is None) != (self.maximum is None):
            raise ValueError("cluster.minimum and cluster.maximum go together")
        if self.minimum is not None and self.maximum is not None:
            if self.kind not in ("local", "kubernetes", "slurm"):
                raise ValueError(f"the workers of cluster.kind: {self.kind} are not ours to scale")
            if self.workers is not None:
                raise ValueError("give cluster.workers, or minimum and maximum, not both")
            if self.minimum > self.maximum:
                raise ValueError("cluster.minimum is larger than cluster.maximum")
        return self
