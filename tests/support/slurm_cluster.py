"""SLURM of this machine's own: munged, slurmctld and one slurmd, in a folder, as long as a test."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from support.servers import free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "sinfo", "squeue")
PATHS = f"{os.environ['PATH']}:/usr/sbin"

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdTimeout=300
MpiDefault=none
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def slurm_cluster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The partition `cpu` of one node; skips where it cannot be started."""
    lacking = [name for name in PROGRAMS if shutil.which(name, path=PATHS) is None]
    if lacking:
        pytest.skip(f"no {', '.join(lacking)} here (Debian: munge, slurmctld, slurmd)")
    if os.geteuid() != 0:
        pytest.skip("slurmd starts the jobs of others: it needs root")
    monkeypatch.setenv("PATH", PATHS)
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    _configure(folder)
    with contextlib.ExitStack() as stack:
        for name, words in (
            ("munged", (*_munge(folder), "--foreground", "--force")),
            ("slurmctld", ("-D", "-i")),
            ("slurmd", ("-D", "-N", _host())),
        ):
            stack.enter_context(_daemon(name, words, folder))
            if name == "munged":
                _until(lambda: (folder / "munge.socket").exists(), "munged", folder)
        _until(_is_idle, "slurmctld", folder)
        yield


def jobs_left() -> list[str]:
    """Jobs that SLURM still knows as waiting or running."""
    states = "PENDING,RUNNING,COMPLETING"
    words = ["squeue", "--noheader", f"--states={states}", "--format=%i"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()


def _host() -> str:
    return socket.gethostname().partition(".")[0]


def _configure(folder: Path) -> None:
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    (folder / "munge.key").write_bytes(secrets.token_bytes(1024))
    (folder / "munge.key").chmod(0o400)
    text = CONFIGURATION.format(
        folder=folder,
        host=_host(),
        controller=free_port(),
        node=free_port(),
        cores=os.cpu_count() or 1,
        memory=psutil.virtual_memory().total * 9 // 10 >> 20,
    )
    (folder / "slurm.conf").write_text(text)


def _munge(folder: Path) -> tuple[str, ...]:
    places = {
        "key-file": "munge.key",
        "socket": "munge.socket",
        "pid-file": "munge.pid",
        "seed-file": "munge.seed",
        "log-file": "munge.log",
    }
    return tuple(f"--{option}={folder / name}" for option, name in places.items())


@contextlib.contextmanager
def _daemon(name: str, words: tuple[str, ...], folder: Path) -> Iterator[None]:
    with (folder / f"{name}.out").open("wb") as output:
        program = str(shutil.which(name, path=PATHS))
        process = subprocess.Popen([program, *words], stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _is_idle() -> bool:
    words = ["sinfo", "--noheader", "--format=%T"]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    return told.stdout.split() == ["idle"]


def _until(ready: object, name: str, folder: Path) -> None:
    deadline = time.monotonic() + 400
    while not ready():  # type: ignore[operator]
        if time.monotonic() > deadline:
            logs = "\n".join(
                path.read_text(errors="replace")[-800:] for path in sorted(folder.glob("*.[lo]*"))
            )
            pytest.skip(f"{name} does not start here:\n{logs}")
        time.sleep(0.2)
