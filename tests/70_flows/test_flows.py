"""Flows: every deployment leads to a flow, and only a hiccup of a store is worth another try."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import yaml

from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import (
    BlocksFailed,
    CpazmalError,
    SceneChanged,
    StoreError,
    StoreMissing,
    WriterConflict,
)

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = yaml.safe_load((ROOT / "deploy" / "prefect.yaml").read_text())["deployments"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d["entrypoint"])
def test_every_deployment_leads_to_a_flow_with_a_form(deployment: dict[str, object]) -> None:
    module, _, name = str(deployment["entrypoint"]).rpartition(".")
    flow = getattr(import_module(module), name)
    assert flow.name == name.replace("_", "-")
    assert all(s["active"] is False for s in deployment["schedules"])
    assert deployment["concurrency_limit"]["limit"] >= 1
    assert deployment["work_pool"]["job_variables"]["env"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]
    settings = flow.parameters.model_dump()["definitions"]["RunConfig"]["properties"]
    assert set(settings) == set(RunConfig.model_fields)
    assert all("description" in s or "$ref" in str(s) for s in settings.values())


def test_every_flow_is_deployed() -> None:
    from prefect import Flow

    modules = [import_module(f"flows.{path.stem}") for path in (ROOT / "flows").glob("[a-z]*.py")]
    flows = {
        f"{v.fn.__module__}.{v.fn.__name__}"
        for m in modules
        for v in vars(m).values()
        if isinstance(v, Flow)
    }
    assert flows == {d["entrypoint"] for d in DEPLOYMENTS}


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (StoreError("the store is slow"), True),
        (StoreMissing("not there"), False),
        (WriterConflict("busy"), False),
        (SceneChanged("other bytes"), False),
        (BlocksFailed("one block"), False),
        (ValueError("a bug"), False),
    ],
)
def test_only_a_store_that_hiccups_is_tried_again(error: Exception, again: bool) -> None:
    from prefect.states import Failed

    from flows.runtime import is_transient

    state = Failed(message=str(error), data=error)
    assert is_transient(None, None, state) is again  # type: ignore[arg-type]
    assert isinstance(error, CpazmalError | ValueError)


def test_flow_modules_stay_thin() -> None:
    for path in (ROOT / "flows").glob("*.py"):
        if path.stem not in ("artifacts", "runtime"):
            assert len(path.read_text().splitlines()) <= 60, path


@pytest.mark.parametrize(
    ("done", "left", "seconds", "text"),
    [
        (0, 8, 3.0, "8 left"),
        (3, 6, 6.0, "0.5/s, 6 left, about 0 min 12 s"),
        (2_000_000, 50_000_000, 10.0, "200,000/s, 50,000,000 left, about 4 min 10 s"),
    ],
)
def test_progress_tells_rate_and_remaining_time(
    done: int, left: int, seconds: float, text: str
) -> None:
    from flows.artifacts import pace

    assert pace(done, left, seconds) == text
