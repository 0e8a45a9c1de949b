"""A real Prefect server and worker, every deployment of the project, a real S3 server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from conftest import free_port
from small_run import settings, simulated

from cpazmal_scale import catalog

ROOT = Path(__file__).parents[1]
PREFECT = str(Path(sys.executable).with_name("prefect"))


@pytest.fixture(scope="module")
def prefect(
    tmp_path_factory: pytest.TempPathFactory, s3_server: dict[str, str]
) -> Iterator[dict[str, str]]:
    """The environment of a running server and process worker with every deployment applied."""
    home = tmp_path_factory.mktemp("prefect")
    port = free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "AWS_"))},
        **s3_server,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "CPAZMAL_HOME": str(ROOT),
    }

    def start(*words: str) -> subprocess.Popen[bytes]:
        log = (home / f"{words[0]}.log").open("wb")
        return subprocess.Popen([PREFECT, *words], env=environment, stdout=log, stderr=log)

    running = [start("server", "start", "--port", str(port), "--no-ui", "--analytics-off")]
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}/api/health", running[0])
        run(environment, "work-pool", "create", "local", "--type", "process")
        run(environment, "deploy", "--prefect-file", "deploy/prefect.yaml", "--all")
        running.append(start("worker", "start", "--pool", "local", "--limit", "1"))
        yield environment
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(30)


def _wait_until_healthy(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if json.load(answer) is True:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    pytest.fail("the Prefect server did not start")


def run(environment: dict[str, str], *words: str, code: int = 0) -> str:
    ran = subprocess.run(
        [PREFECT, "--no-prompt", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert ran.returncode == code, f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def ask(environment: dict[str, str], path: str, **body: object) -> list[dict[str, object]]:
    """What the server's REST API answers."""
    request = urllib.request.Request(
        f"{environment['PREFECT_API_URL']}/{path}",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return list(json.load(answer))


@pytest.mark.e2e
def test_a_triggered_deployment_leaves_a_map_in_the_catalog(
    prefect: dict[str, str], tmp_path: Path, s3_url: str
) -> None:
    campaign = simulated(tmp_path / "campaign", end=date(2020, 4, 10))
    scenes = len((campaign.parent / "scenes" / "acquisitions.csv").read_text().splitlines()) - 1
    config = settings(campaign, s3_url, cluster={"kind": "local", "workers": 2})
    given = f"config={json.dumps(config.model_dump(mode='json', exclude_unset=True))}"
    run(prefect, "deployment", "run", "full-area-map/default", "--param", given, "--watch")
    glacier_map = catalog.open_catalog(s3_url)["map_DSC37"].read()
    assert dict(glacier_map.sizes)["y"] == 256
    assert {1, 2, 3, 4} <= set(glacier_map["class"].values.flat)
    keys = {str(artifact["key"]) for artifact in ask(prefect, "artifacts/filter")}
    assert {"figures-of-merit", "full-area-map", "pixels-classified"} <= keys
    names = [str(task["name"]) for task in ask(prefect, "task_runs/filter", limit=200)]
    assert sum(name.startswith("append PAZ1") for name in names) == scenes > 5
    tables = [path for path in Path(prefect["PREFECT_HOME"]).rglob("*") if path.is_file()]
    assert tables
    assert not any(b"SECRET" in path.read_bytes() for path in tables)


@pytest.mark.e2e
def test_a_failed_run_says_what_and_where(prefect: dict[str, str], s3_url: str) -> None:
    given = json.dumps({"workspace": s3_url})
    words = ("deployment", "run", "classify/default", "--param", f"config={given}", "--watch")
    run(prefect, *words, code=1)
    runs = ask(prefect, "flow_runs/filter", sort="START_TIME_DESC", limit=1)
    assert "no cube was published here; run `cpazmal ingest`" in str(runs[0]["state"])
    wrong = json.dumps({"workspac": s3_url})
    run(prefect, "deployment", "run", "train/default", "--param", f"config={wrong}", code=1)
