"""One command for a laptop: a Prefect server with its UI, every deployment, and a worker.

`cpazmal serve` runs this module. Everything stays on this machine, nothing calls home, and all
processes end with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from cpazmal_scale.cli.console import complain, say
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError, CpazmalError

POOL = "local"
PLACES = (
    Path(__file__).parents[1] / "deploy",
    Path(sysconfig.get_path("data")) / "share" / "cpazmal-scale" / "deploy",
)
"""Where `prefect.yaml` is: in a checkout, or installed."""

LEASES = "prefect.server.concurrency.lease_storage.filesystem"
"""Runs keep their slot when the server starts again; in memory they would be stopped."""

_START_SECONDS = 180


def deploy_folder() -> Path:
    """The folder with `prefect.yaml` and `automations.yaml`.

    Raises:
        ConfigError: it is neither beside this package nor installed.
    """
    for place in PLACES:
        if (place / "prefect.yaml").exists():
            return place
    raise ConfigError(
        "prefect.yaml is not here", where=PLACES[0], remedy="run it from a checkout of the project"
    )


def environment(home: Path, port: int) -> dict[str, str]:
    """This environment with a server of its own, offline and without telemetry."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {
        **kept,
        "PREFECT_HOME": str(home.absolute()),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "CPAZMAL_HOME": str(Path.cwd()),
        "CPAZMAL_POOL": POOL,
    }


def deployments(config: RunConfig) -> dict[str, Any]:
    """The content of `prefect.yaml` with the configuration as every form's default."""
    content: dict[str, Any] = yaml.safe_load((deploy_folder() / "prefect.yaml").read_text())
    given = config.model_dump(mode="json", exclude_unset=True)
    for deployment in content["deployments"]:
        deployment["parameters"] = {"config": given}
    return content


@contextlib.contextmanager
def started(name: str, env: Mapping[str, str], *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Prefect that ends with the block; what it says goes to a file."""
    with (Path(env["PREFECT_HOME"]) / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", *words],
            env=env,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches this process alone, which ends the others
        )
    try:
        yield process
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):  # a run that was going on
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def prefect(env: Mapping[str, str], *words: str) -> str:
    """What a command of Prefect prints.

    Raises:
        ConfigError: it failed.
    """
    command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
    ran = subprocess.run(command, env=env, capture_output=True, text=True)
    if ran.returncode:
        last = (ran.stderr or ran.stdout).strip().splitlines()[-1:]
        raise ConfigError(
            f"`prefect {' '.join(words[:2])}` failed ({''.join(last)})",
            where=env["PREFECT_API_URL"],
            remedy=f"read the logs in {env['PREFECT_HOME']}",
        )
    return ran.stdout


def wait_for(server: subprocess.Popen[bytes], url: str, home: Path) -> None:
    """Wait until the server is healthy.

    Raises:
        ConfigError: it ended, or did not start in three minutes.
    """
    deadline = time.monotonic() + _START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:  # noqa: S310
                if answer.read() == b"true":
                    return
        except OSError:
            time.sleep(0.3)
    raise ConfigError(
        "the Prefect server did not start",
        where=url,
        remedy=f"choose another --port, or read {home / 'server.log'}",
    )


def serve(config: RunConfig, home: Path, port: int, limit: int) -> None:
    """Start everything, say where it is, and wait for Ctrl-C.

    Raises:
        ConfigError: the server or worker does not start.
    """
    home.mkdir(parents=True, exist_ok=True)
    env = environment(home, port)
    first_time = not (home / "prefect.db").exists()
    file = home.absolute() / "prefect.yaml"
    file.write_text(yaml.safe_dump(deployments(config), sort_keys=False))
    words = ("server", "start", "--host", "127.0.0.1", "--port", str(port), "--analytics-off")
    with started("server", env, *words) as server:
        say("starting the Prefect server …")
        wait_for(server, env["PREFECT_API_URL"], home)
        prefect(env, "work-pool", "create", POOL, "--type", "process", "--overwrite")
        prefect(env, "deploy", "--prefect-file", str(file), "--all")
        if first_time:
            automations = str(deploy_folder() / "automations.yaml")
            prefect(env, "automation", "create", "--from-file", automations)
        with started("worker", env, *_worker(limit)) as worker:
            say(_welcome(port))
            while server.poll() is None and worker.poll() is None:
                time.sleep(0.5)
    raise ConfigError("server or worker ended", where=home, remedy="read the logs there")


def _worker(limit: int) -> tuple[str, ...]:
    return ("worker", "start", "--pool", POOL, "--type", "process", "--limit", str(limit))


def _welcome(port: int) -> str:
    page = f"http://127.0.0.1:{port}"
    return (
        f"deployments  {page}/deployments\n"
        f"runs         {page}/runs\n"
        f"API          {page}/api\n"
        f"trigger one  PREFECT_API_URL={page}/api prefect deployment run full-area-map/default\n"
        "Ctrl-C stops everything"
    )


def main(config: str, home: str, port: str, limit: str) -> int:
    """Entry point of `cpazmal serve`, which becomes this process.

    Args:
        config: the run configuration as JSON.
        home: folder of the server's database and of the logs.
        port: of the server.
        limit: runs at the same time.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve(RunConfig.model_validate_json(config), Path(home), int(port), int(limit))
    except KeyboardInterrupt:
        say("stopped")
    except CpazmalError as error:
        complain(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
