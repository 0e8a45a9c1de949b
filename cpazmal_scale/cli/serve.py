"""One command for a laptop: a Prefect server with its UI, every deployment, and a worker.

Everything stays on this machine, nothing calls home, only callers with the key of this home reach
the server, and all processes end with it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Annotated, Any

import yaml

from cpazmal_scale.cli import guard
from cpazmal_scale.cli.answers import say
from cpazmal_scale.cli.console import COMMAND, PLACE_OF_COMMAND, Config, say_now
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError

POOL = "local"
LEASES = "prefect.server.concurrency.lease_storage.filesystem"
"""Runs keep their slot when the server starts again; in memory they would be stopped."""
DEFAULT = RunConfig()

_START_SECONDS = 180
_LAST_PORT = 65535


def serve(
    *,
    config: Config = DEFAULT,
    home: Annotated[Path, PLACE_OF_COMMAND] = Path("build/prefect"),
    port: Annotated[int, COMMAND] = 4200,
    limit: Annotated[int, COMMAND] = 1,
) -> None:
    """Start a Prefect server with its UI, every deployment and a worker, all on this machine.

    The configuration fills the deployments' forms. Ctrl-C stops everything.

    Args:
        home: folder of the server's database, key and logs.
        port: port of the server and its UI.
        limit: number of runs at the same time.
    """
    if find_spec("prefect") is None:
        raise ConfigError("Prefect is not installed", remedy="pip install 'cpazmal-scale[flows]'")
    if limit < 1:
        raise ConfigError(f"no run starts with {limit} at a time", where="--limit", remedy="use 1")
    try:
        with alone(home, port):
            for one in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(one, signal.default_int_handler)
            with guard.guarded() as watch:
                run(config, home, port, limit, watch)
    except KeyboardInterrupt:
        say("stopped")


def run(config: RunConfig, home: Path, port: int, limit: int, watch: IO[bytes]) -> None:
    """Start everything, say where it is, and wait for Ctrl-C.

    `watch` gets the numbers of the processes that were started.

    Raises:
        ConfigError: the server or worker does not start, or ends.
    """
    env = environment(home, port, key_of(home, port))
    first_time = not (home / "prefect.db").exists()
    file, pool = home.absolute() / "prefect.yaml", home.absolute() / "pool.json"
    content = deployments(config)
    pool.write_text(json.dumps(job_template(content), indent=1))
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    words = ("server", "start", "--host", "127.0.0.1", "--port", str(port), "--analytics-off")
    with started("server", env, watch, *words) as server:
        say("starting the Prefect server …")
        wait_for(server, env["PREFECT_API_URL"], home)
        template = ("--base-job-template", str(pool))
        prefect(env, "work-pool", "create", POOL, "--type", "process", "--overwrite", *template)
        prefect(env, "deploy", "--prefect-file", str(file), "--all")
        if first_time:
            automations = str(deploy_folder() / "automations.yaml")
            prefect(env, "automation", "create", "--from-file", automations)
        with started("worker", env, watch, *_worker(limit)) as worker:
            say_now(_welcome(home, port, env["PREFECT_API_AUTH_STRING"]), **facts_of(home, port))
            while server.poll() is None and worker.poll() is None:
                time.sleep(0.5)
    raise ConfigError("server or worker ended", where=home, remedy="read the logs there")


@contextlib.contextmanager
def alone(home: Path, port: int) -> Iterator[None]:
    """Hold a home for the time of the block, if nobody serves from it or on this port.

    Raises:
        ConfigError: somebody does, there is no such port, or the home cannot be written to;
            nothing was touched.
    """
    import fcntl

    if not 1 <= port <= _LAST_PORT:
        raise ConfigError(f"there is no port {port}", where="--port", remedy="choose 1024 to 65535")
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError as error:
            taken = "is in use" if error.errno == errno.EADDRINUSE else f"is refused ({error})"
            raise ConfigError(
                f"port {port} {taken}",
                where="--port",
                remedy="choose another one, or stop what listens there",
            ) from None
    try:
        home.mkdir(parents=True, exist_ok=True)
        held = (home / "serve.lock").open("ab")
    except OSError as error:
        raise ConfigError(
            f"no folder that can be written to ({error.strerror})",
            where=home,
            remedy="choose another --home",
        ) from None
    with held as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                "another `cpazmal serve` runs from here",
                where=home,
                remedy="stop it, or choose another --home",
            ) from None
        yield


def key_of(home: Path, port: int) -> str:
    """The key of a home's server, made once, and kept where `PREFECT_HOME` finds it."""
    file = home / "profiles.toml"
    try:
        profile = tomllib.loads(file.read_text(encoding="utf-8"))["profiles"]["serve"]
        key = str(profile["PREFECT_API_AUTH_STRING"])
    except (OSError, ValueError, KeyError, TypeError):
        key = f"cpazmal:{secrets.token_urlsafe(24)}"
    text = (
        f'active = "serve"\n\n[profiles.serve]\nPREFECT_API_URL = "{_page(port)}/api"\n'
        f'PREFECT_API_AUTH_STRING = "{key}"\n'
    )
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as stream:
        file.chmod(0o600)
        stream.write(text)
    return key


def deploy_folder() -> Path:
    """The folder with `prefect.yaml` and `automations.yaml`.

    It is data of the installed package; in a checkout it lies beside the package.

    Raises:
        ConfigError: it is in neither place.
    """
    package = Path(str(resources.files("cpazmal_scale")))
    for place in (package / "deploy", package.parent / "deploy"):
        if (place / "prefect.yaml").exists():
            return place
    raise ConfigError(
        "prefect.yaml is not here", where=package / "deploy", remedy="install the package again"
    )


def environment(home: Path, port: int, key: str) -> dict[str, str]:
    """This environment with a server of its own, offline, without telemetry, with a key."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {
        **kept,
        "PREFECT_HOME": str(home.absolute()),
        "PREFECT_API_URL": f"{_page(port)}/api",
        "PREFECT_API_AUTH_STRING": key,
        "PREFECT_SERVER_API_AUTH_STRING": key,
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{_page(port)},http://localhost:{port}",
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


def job_template(content: dict[str, Any]) -> dict[str, Any]:
    """What the pool's jobs are: the flow's own engine in a fixed environment, no other command.

    The variables of the deployments' jobs move from `content` into it.
    """
    fixed: dict[str, str] = {}
    for deployment in content["deployments"]:
        fixed |= deployment["work_pool"].pop("job_variables", {}).get("env", {})
    return {
        "job_configuration": {"env": fixed, "stream_output": True},
        "variables": {"type": "object", "properties": {}, "additionalProperties": False},
    }


@contextlib.contextmanager
def started(
    name: str, env: Mapping[str, str], watch: IO[bytes], *words: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Prefect that ends with the block, or with this process; it says to a file."""
    with (Path(env["PREFECT_HOME"]) / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", *words],
            env=env,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches this process alone, which ends the others
        )
    try:
        watch.write(f"{process.pid}\n".encode())
        watch.flush()
        yield process
    finally:
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_IGN)
        guard.end(process.pid)
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
            f"`prefect {' '.join(words[:2])}` failed ({''.join(last)[:300]})",
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


def _worker(limit: int) -> tuple[str, ...]:
    return ("worker", "start", "--pool", POOL, "--type", "process", "--limit", str(limit))


def _page(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def facts_of(home: Path, port: int) -> dict[str, Any]:
    """What a program has to know of a server; the key stays in its file."""
    page = _page(port)
    return {
        "deployments": f"{page}/deployments",
        "runs": f"{page}/runs",
        "api": f"{page}/api",
        "port": port,
        "home": home.absolute(),
        "key_file": home.absolute() / "profiles.toml",
    }


def _welcome(home: Path, port: int, key: str) -> str:
    page = _page(port)
    return (
        f"deployments  {page}/deployments\n"
        f"runs         {page}/runs\n"
        f"key          {key}   (the page asks for it once)\n"
        f"API          {page}/api\n"
        f"trigger one  PREFECT_HOME={home} prefect deployment run full-area-map/default\n"
        "Ctrl-C stops everything"
    )
