"""The executor a configuration asks for: workers started or found, checked, and closed again."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cpazmal_scale.config.cluster import Cluster
from cpazmal_scale.errors import ClusterError, CpazmalError
from cpazmal_scale.execute.executors import (
    DaskExecutor,
    Executor,
    SerialExecutor,
    ThreadExecutor,
)
from cpazmal_scale.execute.own_core import has_own_cores
from cpazmal_scale.execute.sizes import ENVIRONMENT, GIB, block_memory, blocks_at_once, workers_of

if TYPE_CHECKING:
    from distributed import Client
    from distributed.security import Security

_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def open_executor(cluster: Cluster) -> Iterator[Executor]:
    """The executor a run asks for, closed at the end of the block.

    Raises:
        ClusterError: the Dask cluster cannot be had, has no workers, or runs other versions.
    """
    if cluster.kind == "serial":
        yield SerialExecutor()
    elif cluster.kind == "threads":
        yield ThreadExecutor(workers_of(cluster))
    else:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_dask_quiet())
            target = cluster.address or stack.enter_context(_started(cluster))
            address = target if isinstance(target, str) else str(target.scheduler_address)
            client = stack.enter_context(_connect(target, address, cluster))
            yield _executor(client, address, cluster)


def workers_found(cluster: Cluster) -> int:
    """Blocks that a cluster computes at the same time; the scheduler of kind `address` is asked.

    Raises:
        ClusterError: it cannot be reached, has no workers, or runs other versions.
    """
    if cluster.kind != "address":
        return blocks_at_once(cluster)
    with open_executor(cluster) as executor:
        return executor.workers


@contextlib.contextmanager
def _dask_quiet() -> Iterator[None]:
    """Without Dask's own messages, which would hide the one sentence of what went wrong."""
    import distributed  # noqa: F401  # gives its loggers their levels

    found = logging.root.manager.loggerDict.items()
    own = [one for name, one in found if name.partition(".")[0] == "distributed"]
    levels = {one: one.level for one in own if isinstance(one, logging.Logger) and one.level}
    for logger in levels:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


@contextlib.contextmanager
def _started(cluster: Cluster) -> Iterator[Any]:
    """A Dask cluster of our own, scaled as configured."""
    if cluster.kind == "kubernetes":
        from cpazmal_scale.execute.kubernetes import start
    elif cluster.kind == "slurm":
        from cpazmal_scale.execute.slurm import start
    else:
        start = _local_cluster
    with contextlib.ExitStack() as stack:
        with _starting(cluster):
            started = stack.enter_context(start(cluster))
            if cluster.maximum is not None:
                started.adapt(minimum=cluster.minimum, maximum=cluster.maximum)
            elif cluster.kind != "local":
                started.scale(workers_of(cluster))
        yield started


@contextlib.contextmanager
def _starting(cluster: Cluster) -> Iterator[None]:
    """Turn whatever ends the start of a cluster into one sentence."""
    try:
        yield
    except CpazmalError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        local = (
            "free memory and disk, set TMPDIR to a folder that can be written, lower "
            "cluster.workers, or use cluster.kind: threads"
        )
        raise ClusterError(
            f"the Dask cluster did not start ({reason.rstrip('.')})",
            where=f"cluster.kind: {cluster.kind}",
            remedy=local if cluster.kind == "local" else "look at its logs, and run again",
        ) from error


@contextlib.contextmanager
def _local_cluster(cluster: Cluster) -> Iterator[Any]:
    """Processes of this machine, which only this one reaches: by TLS, with keys of its own."""
    import dask
    from distributed import LocalCluster
    from distributed.security import Security

    loaded = dask.config.get("distributed.worker.preload", []) or []
    if isinstance(loaded, str):
        loaded = [loaded]
    workers = cluster.minimum or workers_of(cluster)
    loaded = [*loaded, "cpazmal_scale.execute.quiet"]
    if has_own_cores(cluster, workers):
        loaded.append("cpazmal_scale.execute.own_core")
    settings = {
        "distributed.nanny.pre-spawn-environ": ENVIRONMENT,
        "distributed.scheduler.allowed-failures": 1,
        # Profiles that nobody reads and fast ticks take 4% of a core in every process.
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "500ms",
        "distributed.worker.preload": loaded,
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=cluster.threads,
            processes=True,
            memory_limit=block_memory(cluster) * cluster.threads,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            security=Security.temporary(),
        ) as local,
    ):
        yield local


def _security(cluster: Cluster) -> Security | None:
    """TLS of the configured files; none: Dask's own configuration."""
    from distributed.security import Security

    if cluster.tls is None:
        return None
    authority, certificate, key = cluster.tls
    return Security(
        require_encryption=True,
        tls_ca_file=authority,
        tls_client_cert=certificate,
        tls_client_key=key,
    )


@contextlib.contextmanager
def _connect(target: Any, address: str, cluster: Cluster) -> Iterator[Client]:
    from distributed import Client

    security = _security(cluster)
    try:
        client = Client(target, timeout=cluster.wait_s, set_as_default=False, security=security)
    except (OSError, TypeError, ValueError) as error:
        tls = ", set cluster.tls_ca, tls_cert and tls_key" if address.startswith("tls") else ""
        raise ClusterError(
            f"no Dask scheduler answers ({type(error).__name__})",
            where=address,
            remedy=f"check cluster.address{tls}, or use cluster.kind: local",
        ) from None
    except AssertionError:  # all that distributed says of a thread that does not start in 10 s
        raise ClusterError(
            "this machine is too busy to start the thread that talks to Dask",
            where=address,
            remedy="run the same command again when it has less to do",
        ) from None
    with client:
        yield client


def _executor(client: Client, address: str, cluster: Cluster) -> Executor:
    """The connected cluster once it has workers and is found to be alike."""
    from cpazmal_scale.execute.versions import check_versions

    try:
        client.wait_for_workers(1, timeout=cluster.wait_s)
    except TimeoutError:
        paused = len(client.scheduler_info(n_workers=-1)["workers"])
        raise ClusterError(
            f"the Dask cluster had no worker after {cluster.wait_s:g} s"
            + (f"; paused, because their memory is full: {paused}" if paused else ""),
            where=address,
            remedy="start them again, with more memory"
            if paused
            else "start some with `dask worker ADDRESS`, or raise cluster.wait_s if they queue",
        ) from None
    if cluster.kind != "local":
        check_versions(client, address)
        _check_memory(client, address, cluster)
    _LOG.info("Dask dashboard: %s", _dashboard(client, cluster))
    threads = sum(client.nthreads().values())
    return DaskExecutor(client, address, max(threads, (cluster.maximum or 0) * cluster.threads))


def _dashboard(client: Client, cluster: Cluster) -> str:
    """Address of the scheduler's dashboard, or what it lacks here."""
    if cluster.kind == "local" and importlib.util.find_spec("bokeh") is None:
        return "none without bokeh; pip install 'cpazmal-scale[dashboard]'"
    return str(client.dashboard_link)


def _check_memory(client: Client, address: str, cluster: Cluster) -> None:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    shares = [w["memory_limit"] / w["nthreads"] for w in workers if w["memory_limit"]]
    if min(shares, default=block_memory(cluster)) < 0.95 * block_memory(cluster):
        raise ClusterError(
            f"its workers have {min(shares) / GIB:.2g} GiB for each thread, the blocks are planned "
            f"for {block_memory(cluster) / GIB:.2g}",
            where=address,
            remedy=f"set cluster.memory_gib: {min(shares) * cluster.threads / GIB:.2g}",
        )
