"""Dask clusters of every kind: found by address, over TLS, adaptive, as SLURM jobs, as pods."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from distributed import Client, get_client
from distributed.security import Security
from support.small_cluster import dask_cluster, until

from cpazmal_scale.config import RunConfig
from cpazmal_scale.config.cluster import Cluster, Kubernetes, Slurm
from cpazmal_scale.errors import ClusterError, ClusterLost, ConfigError
from cpazmal_scale.execute import block_memory, cores, open_executor, workers_of
from cpazmal_scale.execute.kubernetes import manifest
from cpazmal_scale.execute.slurm import jobs


def square(key: int, *, seconds: float = 0) -> int:
    time.sleep(seconds)
    return key * key


def workers_there(_: int) -> int:
    time.sleep(0.5)
    return len(get_client().nthreads())


def squares(cluster: Cluster, keys: int = 5) -> dict[int, object]:
    with open_executor(cluster) as executor:
        return dict(executor.run(square, range(keys)))


def test_workers_and_memory_come_from_the_machine() -> None:
    from distributed.system import memory_limit

    assert workers_of(Cluster()) == cores() >= 1
    assert block_memory(Cluster()) == min(2 * 2**30, memory_limit() // cores())
    assert block_memory(Cluster(memory_gib=3, threads=2)) == 1.5 * 2**30
    assert workers_of(Cluster(kind="local", minimum=1, maximum=7)) == 7
    assert block_memory(Cluster(workers=10_000)) == memory_limit() // 10_000


def cores_of_all_threads(key: int) -> frozenset[int]:
    time.sleep(0.2)  # so that every worker has to answer
    threads = [int(task.name) for task in Path("/proc/self/task").iterdir()]
    return frozenset().union(*(os.sched_getaffinity(thread) for thread in threads))


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs 2 cores"
)
def test_workers_that_fill_the_machine_stay_on_a_core_each() -> None:
    every = os.sched_getaffinity(0)
    first, second = sorted(every)[:2]
    os.sched_setaffinity(0, {first, second})
    try:
        for workers, expected in (
            (1, {frozenset({first, second})}),
            (2, {frozenset({first}), frozenset({second})}),
        ):
            with open_executor(Cluster(workers=workers)) as executor:
                assert set(dict(executor.run(cores_of_all_threads, range(8))).values()) == expected
    finally:
        os.sched_setaffinity(0, every)


@pytest.mark.parametrize(
    ("bokeh", "said"),
    [(True, "http://127.0.0.1:"), (False, "none without bokeh; pip install 'cpazmal-scale[dash")],
)
def test_a_dashboard_is_named_and_dask_is_quiet_meanwhile(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, bokeh: bool, said: str
) -> None:
    if not bokeh:
        monkeypatch.setitem(sys.modules, "bokeh", None)
    own = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    for logger in own:
        monkeypatch.setattr(logger, "level", logging.INFO)
        logger.manager._clear_cache()  # type: ignore[attr-defined]
    with caplog.at_level(logging.INFO, logger="cpazmal_scale"):
        with open_executor(Cluster(workers=1)) as executor:
            assert dict(executor.run(square, range(5)))[4] == 16
            assert not any(logger.isEnabledFor(logging.ERROR) for logger in own)
        assert all(logger.isEnabledFor(logging.INFO) for logger in own)
    assert f"Dask dashboard: {said}" in caplog.text


def test_the_workers_follow_the_work() -> None:
    import dask
    import distributed  # noqa: F401 - its settings must be there before one of them is changed

    cluster = Cluster(kind="local", minimum=1, maximum=2)
    eager = {"distributed.adaptive.target-duration": "500ms"}
    with dask.config.set(eager), open_executor(cluster) as executor:
        assert executor.workers == 2
        counts = executor.run(workers_there, range(400))
        assert next(counts)[1] == 1
        assert any(count == 2 for _, count in counts), "the work was done by one"


def test_tls_with_files_and_nothing_without(tmp_path: Path) -> None:
    from distributed import LocalCluster
    from distributed.security import Security

    made = Security.temporary()
    files = {
        "tls_ca": made.tls_ca_file,
        "tls_cert": made.tls_client_cert,
        "tls_key": made.tls_client_key,
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    paths = {name: str(tmp_path / name) for name in files}
    with LocalCluster(
        n_workers=1, processes=False, security=made, dashboard_address="127.0.0.1:0"
    ) as running:
        address = running.scheduler_address
        assert address.startswith("tls://")
        assert squares(Cluster(kind="address", address=address, **paths))[4] == 16
        with (
            pytest.raises(ClusterError, match=r"set cluster\.tls_ca"),
            open_executor(Cluster(kind="address", address=address)),
        ):
            pass


def test_other_versions_are_named_with_the_remedy(tmp_path: Path) -> None:
    """A worker that really reports another numba."""
    other = tmp_path / "site" / "numba-0.1.2.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numba\nVersion: 0.1.2\n")
    with dask_cluster(tmp_path, workers=0) as running:
        running.start_worker(0, PYTHONPATH=f"{other.parent}")
        cluster = Cluster(kind="address", address=running.address)
        named = r"worker tcp.*: numba 0\.1\.2 \(here 0\."
        with pytest.raises(ClusterError, match=named) as caught, open_executor(cluster):
            pass
    assert caught.value.where == running.address
    assert "constraints.txt" in str(caught.value)
    assert "scheduler:" not in str(caught.value)


def test_a_scheduler_without_workers(tmp_path: Path) -> None:
    with dask_cluster(tmp_path, workers=0) as running:
        cluster = Cluster(kind="address", address=running.address, wait_s=20)
        with pytest.raises(ClusterError, match=r"no worker after 20 s"), open_executor(cluster):
            pass


def test_workers_whose_memory_is_full_are_told_from_none() -> None:
    from distributed import Client, LocalCluster

    small = {"n_workers": 1, "memory_limit": "32MiB", "dashboard_address": ":0", "processes": False}
    with LocalCluster(**small) as running, Client(running) as client:
        ended = time.monotonic() + 30
        while client.scheduler_info()["workers"].popitem()[1]["status"] != "paused":
            assert time.monotonic() < ended
            time.sleep(0.1)
        cluster = Cluster(kind="address", address=running.scheduler_address, wait_s=2)
        with (
            pytest.raises(ClusterError, match=r"after 2 s; paused, because .*: 1; start.*more mem"),
            open_executor(cluster),
        ):
            pass


def test_small_workers(tmp_path: Path) -> None:
    with dask_cluster(tmp_path, workers=0) as running:
        running.start_worker(0, threads=2, memory="1GiB")
        cluster = Cluster(kind="address", address=running.address)
        with (
            pytest.raises(ClusterError, match=r"0\.5 GiB for each thread.*memory_gib: 0\.5"),
            open_executor(cluster),
        ):
            pass
        assert squares(cluster.model_copy(update={"memory_gib": 0.5}))[4] == 16


def test_a_scheduler_that_dies_is_one_sentence_and_nothing_hangs(tmp_path: Path) -> None:
    slow = functools.partial(square, seconds=0.2)
    with (
        dask_cluster(tmp_path, workers=1) as running,
        open_executor(Cluster(kind="address", address=running.address)) as executor,
    ):
        results = executor.run(slow, range(200))
        assert next(results)[1] is not None
        running.stop("scheduler")
        with pytest.raises(ClusterLost, match="went away; start it"):
            list(results)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"minimum": 1}, "go together"),
        ({"minimum": 3, "maximum": 2}, "larger than"),
        ({"minimum": 1, "maximum": 2, "workers": 2}, "not both"),
        ({"kind": "threads", "minimum": 1, "maximum": 2}, "not ours to scale"),
        ({"tls_ca": "a.pem"}, "go together"),
        (
            {
                "kind": "address",
                "address": "tls://h:1",
                **dict.fromkeys(("tls_ca", "tls_cert", "tls_key"), "-----BEGIN CERTIFICATE"),
            },
            "paths of files",
        ),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RunConfig.parse({"cluster": settings})


SLURM = Cluster(
    kind="slurm",
    threads=2,
    memory_gib=6,
    workers=1,
    slurm=Slurm(
        queue="cpu",
        account="glaciers",
        walltime="00:30:00",
        directives=("--constraint=avx2",),
        prologue=("module load python/3.12",),
    ),
)


def test_the_slurm_job_says_what_was_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with jobs(SLURM) as cluster:
        script = cluster.job_script()
        (key,) = (tmp_path / "slurm-logs").glob(".tls-*/key.pem")
        assert key.parent.stat().st_mode & 0o077 == 0
        assert f"--tls-key {key}" in script
        assert cluster.scheduler_address.startswith("tls://")
        stranger = Security.temporary()
        with pytest.raises(OSError, match="TLS certificate does not match"):
            Client(cluster.scheduler_address, security=stranger, timeout=60)
    assert not key.parent.exists()
    for line in (
        "#SBATCH -p cpu",
        "#SBATCH -A glaciers",
        "#SBATCH --cpus-per-task=2",
        "#SBATCH --mem=6G",
        "#SBATCH -t 00:30:00",
        "#SBATCH --constraint=avx2",
        "#SBATCH -o slurm-logs/dask-worker-%J.out",
        "module load python/3.12",
        "export OMP_NUM_THREADS=1",
        "export MALLOC_TRIM_THRESHOLD_=134217728",
    ):
        assert line in script.splitlines()
    assert "--nthreads 2" in script
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_slurm_jobs_run_and_end_with_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sbatch` and `scancel` are stand-ins that run the job here; the rest is real."""
    submit = f"""#!/bin/bash
sed '/^module/d' "$1" > {tmp_path}/job.sh
setsid bash {tmp_path}/job.sh > {tmp_path}/job.log 2>&1 &
echo $! > {tmp_path}/job.pid; echo "Submitted batch job $!"
"""
    for name, text in (("sbatch", submit), ("scancel", '#!/bin/bash\nkill -- "-$1"\n')):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    tests = Path(__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", f"{tests.parent}{os.pathsep}{tests}")
    assert squares(SLURM)[4] == 16
    job = int((tmp_path / "job.pid").read_text())
    until(lambda: not _alive(job))


def _alive(group: int) -> list[int]:
    """Processes of a group that are not zombies."""
    import psutil

    found = []
    for process in psutil.process_iter(["pid", "status"]):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group and process.info["status"] != "zombie":
                found.append(process.pid)
    return found


def test_without_sbatch_or_the_extra_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    with pytest.raises(ClusterError, match="login node"), open_executor(SLURM):
        pass
    for module, extra, made in (
        ("dask_jobqueue.slurm", "slurm", lambda: jobs(SLURM).__enter__()),
        ("dask_kubernetes.operator", "kubernetes", lambda: manifest(PODS)),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ClusterError, match=rf"cpazmal-scale\[{extra}\]"):
            made()


CRD = "operator/deployment/helm/dask-kubernetes-operator/crds/daskcluster.yaml"
"""What the operator makes Kubernetes check."""

PODS = Cluster(
    kind="kubernetes",
    workers=3,
    threads=2,
    kubernetes=Kubernetes(image="registry/cpazmal-scale:1", secret="s3", service_account="maps"),
)


def test_the_pods_are_what_the_operator_and_kubernetes_accept() -> None:
    import dask_kubernetes
    import jsonschema
    import kubernetes_validate

    made = manifest(PODS)
    resource = yaml.safe_load((Path(dask_kubernetes.__file__).parent / CRD).read_text())
    schema = resource["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    jsonschema.validate(made, schema)
    version = kubernetes_validate.latest_version()
    for part in ("scheduler", "worker"):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": part},
            "spec": made["spec"][part]["spec"],
        }
        kubernetes_validate.validate(pod, version, strict=True)
        container = made["spec"][part]["spec"]["containers"][0]
        assert container["args"][:2] == ["dask", part]
        assert container["envFrom"] == [{"secretRef": {"name": "s3"}}]
        assert made["spec"][part]["spec"]["securityContext"]["runAsNonRoot"]
    assert made["spec"]["worker"]["replicas"] == 3
    worker = made["spec"]["worker"]["spec"]["containers"][0]
    assert worker["resources"]["limits"] == {"cpu": "2", "memory": f"{int(4 * 1024 * 1.1)}Mi"}
    assert worker["args"][2:4] == ["--nthreads", "2"]


def test_without_a_kubernetes_cluster_it_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with (
        pytest.raises(ClusterError, match="no Dask cluster could be started on Kubernetes"),
        open_executor(PODS),
    ):
        pass
