"""Dask workers as pods, through the Dask operator of a Kubernetes cluster."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cpazmal_scale.errors import ClusterError
from cpazmal_scale.execute.sizes import ENVIRONMENT, GIB, block_memory, workers_of

if TYPE_CHECKING:
    from cpazmal_scale.config.cluster import Cluster


@contextlib.contextmanager
def start(cluster: Cluster) -> Iterator[Any]:
    """A Dask cluster in the configured namespace, removed at the end of the block.

    Raises:
        ClusterError: dask-kubernetes is not installed, or the cluster refuses.
    """
    specification = manifest(cluster)
    from dask_kubernetes.operator import KubeCluster

    try:
        started = KubeCluster(
            custom_cluster_spec=specification,
            namespace=cluster.kubernetes.namespace,
            n_workers=0,
            quiet=True,
        )
    except Exception as error:
        # kr8s, httpx and the operator raise errors of their own, none of which is imported here.
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise ClusterError(
            f"no Dask cluster could be started on Kubernetes ({reason})",
            where=cluster.kubernetes.namespace or "current context",
            remedy="check `kubectl get pods`, the context, and that the Dask operator is installed",
        ) from error
    with started:
        yield started


def manifest(cluster: Cluster) -> dict[str, Any]:
    """The DaskCluster resource: scheduler and workers of one image, not as root.

    Raises:
        ClusterError: dask-kubernetes is not installed.
    """
    try:
        from dask_kubernetes.operator import make_cluster_spec
    except ImportError:
        raise ClusterError(
            "dask-kubernetes is not installed",
            where="cluster.kind: kubernetes",
            remedy="pip install 'cpazmal-scale[kubernetes]'",
        ) from None
    memory = block_memory(cluster) * cluster.threads
    made: dict[str, Any] = make_cluster_spec(
        name=f"cpazmal-{uuid.uuid4().hex[:10]}",
        image=cluster.kubernetes.image,
        n_workers=workers_of(cluster) if cluster.maximum is None else cluster.minimum,
        worker_command=f"dask worker --nthreads {cluster.threads} --memory-limit {memory}",
        env=ENVIRONMENT,
    )
    worker = made["spec"]["worker"]["spec"]
    scheduler = made["spec"]["scheduler"]["spec"]
    scheduler["containers"][0]["args"][:1] = ["dask", "scheduler"]
    _set_resources(worker, cluster.threads, int(memory * 1.1))
    _set_resources(scheduler, 1, 2 * GIB)
    for pod in (worker, scheduler):
        _harden(pod, cluster)
    return made


def _set_resources(pod: dict[str, Any], cpu: int, memory: int) -> None:
    """As much as is asked for, so that the pod is not the first to be evicted."""
    amount = {"cpu": str(cpu), "memory": f"{memory // 2**20}Mi"}
    pod["containers"][0]["resources"] = {"requests": amount, "limits": amount}


def _harden(pod: dict[str, Any], cluster: Cluster) -> None:
    """No root, no privileges; credentials only as a reference to a secret of the namespace."""
    pod["securityContext"] = {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = pod["containers"][0]
    container["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    if cluster.kubernetes.secret is not None:
        container["envFrom"] = [{"secretRef": {"name": cluster.kubernetes.secret}}]
    if cluster.kubernetes.service_account is not None:
        pod["serviceAccountName"] = cluster.kubernetes.service_account
