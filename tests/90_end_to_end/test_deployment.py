"""A real Prefect server and worker, every deployment, an S3 bucket, a Dask cluster by address.

The module's servers are started once. CPAZMAL_OUTAGE_S sets how long an outage lasts: seconds in a
quick test, 60 for a minute.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.relay import Relay, relay
from support.servers import ROOT, S3_QUIRKS, PrefectServer, S3Server
from support.small_cluster import RunningCluster, dask_cluster, until
from support.small_run import settings, simulated

from cpazmal_scale import catalog, storage
from cpazmal_scale.config import RunConfig

CANARY = "canary-9f3c1e7a5b"
"""The S3 server's secret key: it must turn up nowhere."""
OUTAGE_S = float(os.environ.get("CPAZMAL_OUTAGE_S", "3"))
WORKSPACE = "s3://cpazmal/workspace"
CAMPAIGN = "s3://cpazmal/campaign"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@dataclass
class Site:
    """Everything that runs."""

    s3: S3Server
    prefect: PrefectServer
    dask: RunningCluster
    relay: Relay
    config: RunConfig

    @property
    def bucket(self) -> Path:
        return self.s3.folder / "cpazmal"

    def parameters(self, **changes: object) -> dict[str, Any]:
        config = self.config.with_values(changes)
        return {"config": config.model_dump(mode="json", exclude_unset=True)}

    def deployment(self, name: str) -> dict[str, Any]:
        return dict(self.prefect.ask(f"deployments/name/{name}", "GET"))

    def trigger(self, name: str, **changes: object) -> str:
        """Start a run through the REST API; returns its id."""
        path = f"deployments/{self.deployment(name)['id']}/create_flow_run"
        return str(self.prefect.ask(path, parameters=self.parameters(**changes))["id"])

    def state(self, run: str) -> dict[str, Any]:
        with contextlib.suppress(OSError):
            return dict(self.prefect.ask(f"flow_runs/{run}", "GET")["state"])
        return {"type": "UNKNOWN", "message": "the server does not answer"}

    def ended(self, run: str) -> dict[str, Any]:
        """The final state of a run."""
        final = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
        until(lambda: self.state(run)["type"] in final, seconds=400, every=1)
        return self.state(run)

    def outage(self, kill: Callable[[], None], start: Callable[[], None]) -> None:
        kill()
        time.sleep(OUTAGE_S)
        start()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "AWS_", "DASK_"))}
    s3 = S3Server(folder / "s3", CANARY)
    (folder / "prefect").mkdir()
    prefect = PrefectServer(folder / "prefect", {**kept, **S3_QUIRKS})
    prefect.environment["CPAZMAL_CREDENTIALS"] = "secret/store"
    prefect.environment["DASK_DISTRIBUTED__COMM__COMPRESSION"] = "false"
    with contextlib.ExitStack() as stack:
        stack.callback(prefect.stop)
        prefect.start()
        stack.callback(s3.stop)
        quiet = {**s3.environment, "DASK_DISTRIBUTED__COMM__COMPRESSION": "false"}
        dask = stack.enter_context(dask_cluster(folder / "dask", environment=quiet))
        between = stack.enter_context(relay(int(dask.address.rsplit(":", 1)[1])))
        campaign = simulated(s3.folder / "cpazmal" / "campaign", end=date(2020, 4, 10))
        s3.start()
        prefect.wait()
        save = "import json,sys; from prefect.blocks.system import Secret; "
        save += "Secret(value=json.load(sys.stdin)).save('store')"
        subprocess.run(
            [sys.executable, "-c", save],
            input=json.dumps(s3.environment),
            text=True,
            check=True,
            env={k: v for k, v in prefect.environment.items() if k != "CPAZMAL_CREDENTIALS"},
        )
        prefect.cli("work-pool", "create", "local", "--type", "process")
        prefect.cli("deploy", "--prefect-file", "deploy/prefect.yaml", "--all")
        prefect.start_worker()
        yield Site(s3, prefect, dask, between, _config(campaign, between.address))


def _config(campaign: Path, address: str) -> RunConfig:
    return settings(
        campaign,
        WORKSPACE,
        ingest={"scenes": f"{CAMPAIGN}/scenes"},
        samples={"polygons": f"{CAMPAIGN}/polygons.gpkg"},
        assess={"truth": f"{CAMPAIGN}/truth.tif"},
        classify={"block": 64},
        cluster={"kind": "address", "address": address, "workers": None},
    )


def opened_elsewhere(site: Site) -> dict[str, Any]:
    """The map as a fresh process opens it from the catalog."""
    code = (
        "import intake, json\n"
        f"catalog = intake.open_catalog('{catalog.catalog_url(WORKSPACE)}')\n"
        "found = catalog['map_DSC37'].read()\n"
        "print(json.dumps([dict(found.sizes), sorted({int(v) for v in found['class'].values.flat}),"
        " catalog['map_DSC37'].metadata['id']]))"
    )
    environment = {**os.environ, **site.s3.environment}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert ran.returncode == 0, ran.stderr
    sizes, classes, name = json.loads(ran.stdout.splitlines()[-1])
    return {"sizes": sizes, "classes": classes, "id": name}


def test_the_form_is_the_run_configuration(site: Site) -> None:
    """What the Prefect UI makes its form of: every setting, described, with its default."""
    found = site.prefect.ask("deployments/filter", limit=50)
    wanted = yaml.safe_load((ROOT / "deploy" / "prefect.yaml").read_text())["deployments"]
    assert {d["entrypoint"] for d in found} == {d["entrypoint"] for d in wanted}
    for deployment in found:
        assert {"cpazmal"} < set(deployment["tags"])
        assert deployment["global_concurrency_limit"]["limit"] >= 1
        assert not any(schedule["active"] for schedule in deployment["schedules"])
        definitions = deployment["parameter_openapi_schema"]["definitions"]
        for section in ("RunConfig", "Ingest", "Features", "Cluster", "Slurm"):
            for name, setting in definitions[section]["properties"].items():
                assert setting.get("description") or "$ref" in str(setting), (section, name)
                assert "default" in setting or "$ref" in str(setting), (section, name)
        assert definitions["Features"]["properties"]["window"]["default"] == 7


def test_a_triggered_map_survives_a_lost_worker_and_a_stopped_store(site: Site) -> None:
    scenes = len((site.bucket / "campaign/scenes/acquisitions.csv").read_text().splitlines()) - 1

    def trouble() -> None:
        until(lambda: list(site.bucket.glob("workspace/cubes/*.zarr/HH/c/1")), seconds=800)
        site.outage(site.s3.stop, site.s3.start)
        until(lambda: list(site.bucket.glob("workspace/maps/*.progress/block-*")), seconds=800)
        site.outage(lambda: site.dask.stop("worker-0"), lambda: site.dask.start_worker(0))

    thread = threading.Thread(target=trouble)
    thread.start()
    given = json.dumps(site.parameters()["config"])
    words = ("deployment", "run", "full-area-map/default", "--param", f"config={given}", "--watch")
    site.prefect.cli(*words)
    thread.join(300)
    assert not thread.is_alive(), "the outages did not happen in the middle"
    found = opened_elsewhere(site)
    assert found["sizes"]["y"] == 256
    assert {1, 2, 3, 4} <= set(found["classes"])
    artifacts = {str(a["key"]): a for a in site.prefect.ask("artifacts/filter")}
    assert {"figures-of-merit", "report", "full-area-map", "pixels-classified"} <= set(artifacts)
    assert artifacts["quick-look"]["type"] == "image"
    assert str(artifacts["quick-look"]["data"]).startswith("data:image/png;base64,")
    assert WORKSPACE + "/map.tif" in str(artifacts["map-tif"]["data"])
    assert artifacts["picture-of-the-map"]["type"] == "image"
    assert str(artifacts["full-area-map"]["data"]).startswith("## Full area map\n")
    assert "| area | ablation area " in str(artifacts["full-area-map"]["data"])
    assert "macro-F1" in str(artifacts["figures-of-merit"]["data"])
    runs = {str(run["name"]) for run in site.prefect.ask("flow_runs/filter")}
    stages = ("full area map", "ingest", "train", "classify", "assess")
    assert {f"{stage} DSC37, {_period(site.config)}" for stage in stages} <= runs
    names = [str(task["name"]) for task in site.prefect.ask("task_runs/filter", limit=200)]
    assert sum(name.startswith("append PAZ1") for name in names) == scenes > 5
    pages = [site.prefect.ask("logs/filter", limit=200, offset=200 * page) for page in range(4)]
    assert any("Dask dashboard: http" in log["message"] for page in pages for log in page)


def _period(config: RunConfig) -> str:
    from flows.wording import period

    return period(config)


def test_triggered_by_the_api_it_survives_a_server_that_goes_away(site: Site) -> None:
    before = opened_elsewhere(site)["id"]
    run = site.trigger("classify/default", end="2020-04-01")
    until(lambda: site.state(run)["type"] == "RUNNING", every=0.5)
    site.outage(lambda: site.prefect.kill("server"), site.prefect.start)
    site.prefect.wait()
    assert site.ended(run)["type"] == "COMPLETED", site.state(run)
    assert opened_elsewhere(site)["id"] != before


def test_a_failed_run_says_what_and_where(site: Site) -> None:
    nowhere = {"workspace": "s3://cpazmal/nothing"}
    run = site.trigger("classify/default", **nowhere)
    wrong = ("deployment", "run", "train/default", "--param", 'config={"workspac": "x"}')
    site.prefect.cli(*wrong, code=1)
    state = site.ended(run)
    assert state["type"] == "FAILED"
    assert "s3://cpazmal/nothing: no cube was published here; run `cpazmal ingest`" in str(state)


def test_a_scene_that_lands_is_ingested_by_an_event(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The automation starts the watch; a second look finds nothing new."""
    for name, value in site.s3.environment.items():
        monkeypatch.setenv(name, value)
    deployment = site.deployment("watch/default")
    changes = {"workspace": "s3://cpazmal/watched"}
    given = {**site.parameters(**changes), "settle_s": 0, "remap": False}
    site.prefect.ask(f"deployments/{deployment['id']}", "PATCH", parameters=given)
    last = [url for url in storage.find(f"{CAMPAIGN}/scenes") if url.endswith(".tif")][-1]
    scene = storage.read_bytes(last)
    storage.remove(last)

    def land() -> dict[str, Any]:
        known = {r["id"] for r in _runs(site, deployment)}
        resource = ("--resource-id", "cpazmal.scenes.campaign")
        site.prefect.cli("event", "emit", "cpazmal.scene.landed", *resource)
        until(lambda: {r["id"] for r in _runs(site, deployment)} - known, every=1)
        new = next(r["id"] for r in _runs(site, deployment) if r["id"] not in known)
        return site.ended(new)

    assert land()["type"] == "COMPLETED"
    cubes = site.bucket / "watched" / "cubes"
    held = _dates(cubes)
    storage.write_bytes(last, scene)
    assert land()["type"] == "COMPLETED"
    assert _dates(cubes) == held + 1
    state = land()
    assert "0 new scenes" in state["message"]


def _runs(site: Site, deployment: dict[str, Any]) -> list[dict[str, Any]]:
    where = {"deployments": {"id": {"any_": [deployment["id"]]}}}
    return list(site.prefect.ask("flow_runs/filter", **where))


def _dates(cubes: Path) -> int:
    found = json.loads(next(cubes.glob("*.zarr/zarr.json")).read_text())
    metadata = found["consolidated_metadata"]["metadata"]
    return int(metadata["time"]["shape"][0])


ZOMBIE = """
import time
from prefect import flow
@flow
def dies():
    print("up", flush=True)
    time.sleep(600)
dies()
"""


def test_a_run_whose_machine_is_gone_is_marked_as_crashed(site: Site) -> None:
    automation = yaml.safe_load((ROOT / "deploy" / "automations.yaml").read_text())
    automation["automations"][0]["trigger"]["within"] = 10
    site.prefect.cli("automation", "create", "--from-json", json.dumps(automation))
    process = subprocess.Popen(
        [sys.executable, "-c", ZOMBIE],
        env={**site.prefect.environment, "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    until(lambda: "up" in process.stdout.readline(), seconds=500)
    where = {"flows": {"name": {"any_": ["dies"]}}}
    run = site.prefect.ask("flow_runs/filter", **where)[0]["id"]
    beat = {
        "event": {"name": ["prefect.flow-run.heartbeat"]},
        "resource": {"id": [f"prefect.flow-run.{run}"]},
    }
    until(lambda: site.prefect.ask("events/filter", filter=beat)["events"])
    process.send_signal(signal.SIGKILL)
    process.wait()
    state = site.ended(run)
    assert (state["type"], state["name"]) == ("CRASHED", "Zombie")
    assert "its process or machine is gone" in state["message"]


def test_the_secret_is_nowhere(site: Site) -> None:
    """Everything that the tests above left: logs, database, bucket, graph. It runs last."""
    secret = CANARY.encode()
    assert b"classify_block" in site.relay.seen
    assert WORKSPACE.encode() in site.relay.seen
    assert secret not in site.relay.seen
    folders = (site.prefect.home, site.s3.folder, site.dask.folder)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert {"prefect.db", "worker.log", "scheduler.log", "catalog.yaml"} <= {p.name for p in files}
    assert [path for path in files if secret in path.read_bytes()] == []
    assert b"full-area-map" in (site.prefect.home / "prefect.db").read_bytes()
