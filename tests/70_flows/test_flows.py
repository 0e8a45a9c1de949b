"""Flows: every deployment leads to a flow, and a store's passing failure is tried again."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import yaml
from httpx import ConnectError
from support.servers import PrefectServer

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


@pytest.mark.parametrize(
    ("flow", "given"),
    [
        ("train", {"config": {"workspace": "s3://AKIAX:5d1c/x@bucket/run"}}),
        ("watch", {"config": {"ingest": {"scenes": "https://host/x?X-Amz-Signature=5d1c"}}}),
        ("train", {"config": {"samples": {"also": ["https://5d1c@host/a.zarr"]}}}),
        ("train", {"config": {"legend": {"ABL": {"name": "Authorization: Basic 5d1c"}}}}),
        ("train", {"config": {"cluster": {"slurm": {"prologue": ["export S3_TOKEN=5d1c"]}}}}),
        ("fuse", {"names": ["s3://u:5d1c@bucket/m", "map_b"]}),
        ("change", {"earlier": "https://host/x?sig=5d1c", "later": "map_b"}),
        ("train", {"config": {"start": "20200108"}}),
        ("train", {"config": {"dates": ["2020-02-30"]}}),
        ("train", {"config": {"dtw": {"season_start": "02-29"}}}),
        ("train", {"config": {"features": {"statistics": ["k1", "k1"]}}}),
        ("fuse", {"names": ["map_a"]}),
        ("watch", {"settle_s": -1}),
    ],
)
def test_a_run_with_a_secret_or_nonsense_is_never_made(flow: str, given: dict[str, Any]) -> None:
    """Prefect stores the parameters of every run that it makes; the schema decides before."""
    from prefect.utilities.schema_tools.validation import validate

    schema = getattr(import_module(f"flows.{flow}"), flow).parameters.model_dump()
    usual = {"workspace": "s3://b/x", "start": "2020-02-29", "dtw": {"season_start": "10-01"}}
    names = {"names": ["map_a", "map_b"], "earlier": "map_a", "later": "map_b", "config": usual}
    plain = {name: value for name, value in names.items() if name in schema["properties"]}
    assert not validate(plain, schema)
    assert validate({**plain, **given}, schema)


def test_what_is_refused_in_a_run_is_not_repeated_in_its_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from prefect.exceptions import ParameterTypeError

    from flows.train import train

    logger = logging.getLogger("prefect.flows")
    logger.addHandler(caplog.handler)
    try:
        with pytest.raises(ParameterTypeError, match="leave it out"):
            train.validate_parameters({"config": {"workspace": "https:u:5d1c@host/x"}})
    finally:
        logger.removeHandler(caplog.handler)
    assert "config" in caplog.text
    assert "5d1c" not in caplog.text


@pytest.mark.parametrize("name", ["flow_runs", "task_runs", "engine", "tasks"])
def test_no_log_of_a_run_tells_a_secret(
    name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As botocore and fsspec repeat the options that they were given."""
    import flows.runtime  # noqa: F401  # adds the filters

    logger = logging.getLogger(f"prefect.{name}")
    monkeypatch.setattr(logger, "handlers", [caplog.handler])  # Prefect's own need a run
    try:
        raise ValueError("no such option: {'key': 'KEY', 'secret': '5d1c5d1c'}")
    except ValueError:
        logger.exception("refused %s", {"aws_session_token": "5d1c"})
    assert "no such option" in caplog.text
    assert "5d1c" not in caplog.text


@pytest.mark.parametrize("variable", ["FSSPEC_S3", "AWS_ENDPOINT_URL"])
def test_a_block_gives_credentials_after_the_start(
    variable: str, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fsspec
    from prefect.blocks.core import Block
    from prefect.blocks.system import Secret
    from s3fs import S3FileSystem

    from cpazmal_scale import storage
    from flows import credentials

    storage.write_bytes(f"{s3_url}/note", b"read")
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    held = {name: os.environ[name] for name in names}
    options = dict(zip(("endpoint_url", "key", "secret"), held.values(), strict=True))
    for name in (*names, "FSSPEC_S3"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    S3FileSystem.clear_instance_cache()
    monkeypatch.setitem(fsspec.config.conf, "s3", {})
    block = {"FSSPEC_S3": json.dumps(options)} if variable == "FSSPEC_S3" else held
    monkeypatch.setattr(Block, "load", lambda _: Secret(value=block))
    monkeypatch.setenv(credentials.VARIABLE, "secret/store")
    credentials.use_block()
    assert storage.read_bytes(f"{s3_url}/note") == b"read"


@pytest.mark.parametrize(
    ("own", "given", "told"),
    [
        ({"ingest": {"table": "t.csv"}}, {"ingest": {"naming": {"beam": "X"}}}, False),
        ({"dtw": {"radius": 3}, "beam": "X"}, {"dtw": {"band_days": 30}}, True),
    ],
)
def test_a_run_is_named_where_its_settings_contradict_the_deployments(
    own: dict[str, Any], given: dict[str, Any], told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are joined setting by setting, as for the run; a server that is away stops nothing."""
    import httpx
    from prefect.client.schemas.objects import FlowRun
    from prefect.states import Failed

    from flows import runtime
    from flows.train import train

    asked: list[str] = []

    class Away:
        def __enter__(self) -> Away:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def read_deployment(self, _: object) -> object:
            return SimpleNamespace(parameters={"config": own})

        def set_flow_run_name(self, _: object, name: str) -> None:
            asked.append(name)
            raise httpx.ConnectError("away")

    monkeypatch.setattr(runtime, "get_client", lambda **_: Away())
    run = FlowRun(flow_id=uuid4(), deployment_id=uuid4(), parameters={"config": given})
    runtime.refused(train, run, Failed())
    assert asked == (["train X, all dates"] if told else [])


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


def test_the_main_job_checks_its_inputs_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import flows.full_area_map as module
    from cpazmal_scale.stages import pipeline

    begun: list[str] = []
    monkeypatch.setattr(module, "subflow", lambda flow, _: begun.append(flow.name))
    monkeypatch.setattr(module, "check_inputs", module.check_inputs.fn)
    monkeypatch.setattr(module, "deployed", lambda config: config)
    lost = {"samples": {"polygons": f"{tmp_path}/none.gpkg"}, "ingest": {"scenes": str(tmp_path)}}
    with pytest.raises(StoreMissing, match=r"none\.gpkg"):
        module.full_area_map.fn(RunConfig.parse({"workspace": str(tmp_path), **lost}))
    later = pipeline.Step("later", (), print)
    monkeypatch.setattr(pipeline, "STEPS", (*pipeline.STEPS, later))
    with pytest.raises(KeyError, match="later"):
        module.full_area_map.fn(RunConfig(workspace=str(tmp_path)))
    assert begun == []


@pytest.mark.parametrize(
    ("appended", "begun"),
    [(0, [("ingest", "scenes")]), (1, [("ingest", "scenes"), ("full-area-map", None)])],
)
def test_a_watch_maps_again_only_if_a_scene_went_in(
    appended: int, begun: list[tuple[str, str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scenes are read once: the map is made of the cube as it is then."""
    import flows.watch as module
    from cpazmal_scale.stages.ingest import Arrivals

    asked: list[tuple[str, str | None]] = []

    def subflow(flow: Any, config: RunConfig) -> dict[str, Any]:
        asked.append((flow.name, config.ingest.scenes and Path(config.ingest.scenes).name))
        return {"DSC37": {"appended": appended}} if flow.name == "ingest" else {"id": "map"}

    monkeypatch.setattr(module, "deployed", lambda config: config)
    monkeypatch.setattr(module, "look", lambda *_: Arrivals("scenes", ("a", "b"), ()))
    monkeypatch.setattr(module, "subflow", subflow)
    skipping = RunConfig.parse({"ingest": {"scenes": "scenes", "skip_refused": True}})
    made = module.watch.fn(skipping)
    assert asked == begun
    assert made == {"id": "map"} if appended else "2 new scenes, all left out" in made.message
    asked.clear()
    assert module.watch.fn(skipping.with_values({"ingest": {"skip_refused": False}}))
    assert asked == [("full-area-map", "scenes")]


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (StoreError("the store is slow"), True),
        (StoreMissing("not there"), False),
        (WriterConflict("busy"), False),
        (SceneChanged("other bytes"), False),
        (BlocksFailed("one block"), False),
        (ValueError("a bug"), False),
        (ConnectError("the Prefect server is away"), True),
    ],
)
def test_only_a_store_that_fails_for_a_moment_is_tried_again(error: Exception, again: bool) -> None:
    from prefect.states import Failed

    from flows.runtime import is_transient

    state = Failed(message=str(error), data=error)
    assert is_transient(None, None, state) is again  # type: ignore[arg-type]
    assert isinstance(error, CpazmalError | ValueError | ConnectError)


def test_flow_modules_stay_thin() -> None:
    for path in (ROOT / "flows").glob("*.py"):
        if path.stem not in ("artifacts", "runtime", "wording"):
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


@pytest.mark.parametrize(
    ("flow", "settings", "maps", "name"),
    [
        ("classify", {"beam": "DSC37", "start": "2020-01-08", "end": "2021-01-27"}, (),
         "classify DSC37, 2020-01-08 to 2021-01-27"),
        ("full-area-map", {}, (), "full area map, all dates"),
        ("train", {"beam": "ASC40", "start": "2020-01-08", "months": [6, 7]}, (),
         "train ASC40, from 2020-01-08, months 6, 7"),
        ("ingest", {"end": "2020-12-31"}, (), "ingest, until 2020-12-31"),
        ("assess", {"beam": "X", "dates": ["2020-01-08", "2020-02-08"]}, (), "assess X, 2 dates"),
        ("change", {"beam": "X"}, ("map_a", "map_b"), "change map_a and map_b"),
    ],
)  # fmt: skip
def test_runs_are_named_by_stage_beam_and_period(
    flow: str, settings: dict[str, object], maps: tuple[str, ...], name: str
) -> None:
    from flows.wording import run_name

    assert run_name(flow, RunConfig.parse(settings), maps) == name


def test_facts_have_headings_units_and_two_decimals() -> None:
    from flows.wording import facts_in_words

    facts = {
        "id": "d77f", "beam": "DSC37", "bbox": [6.932982, 45.907824, 6.977932, 45.93031],
        "shape": [30, 804, 1142], "km2": {"ice apron": 0.2085, "rock": 12.0},
        "polarisations": ["HH", "HV"], "channels": "HH, HV on 12 of 30 dates",
        "start": "2020-01-08", "dates": 1200, "share": 0.123456, "classes": ["ABL", "ACC"],
        "nothing": [], "windows": {"ABL": 2300},
    }  # fmt: skip
    assert facts_in_words(facts) == {
        "identity": "d77f",
        "beam": "DSC37",
        "place": "6.933° to 6.978° east, 45.908° to 45.930° north",
        "size": "30 dates of 804 × 1\u202f142 pixels",
        "area": "ice apron 0.21 km², rock 12.00 km²",
        "channels": "HH, HV on 12 of 30 dates",
        "first date": "2020-01-08",
        "dates": "1\u202f200",
        "share": "0.12",
        "classes": "ABL, ACC",
        "nothing": "–",
        "windows": "ABL 2\u202f300",
    }
    two = {"km2": {"ABL": 1.0, "ACC": 2.0, "ROC": 3.0}}
    two["legend"] = {"ABL": {"name": "ice"}, "ACC": {"name": "ice"}}
    told = "ABL ice 1.00 km², ACC ice 2.00 km², rock 3.00 km²"
    assert facts_in_words(two) == {"area": told}


def test_tables_have_headings_units_and_two_decimals() -> None:
    from flows.wording import merit_in_words, rows_in_words

    row = {"zone": "Argentière", "pixels": 1000, "km2": 0.009, "no_data_km2": 1.2345,
           "ABL_km2": 0.005, "ABL_share": 0.55555, "ABL_probability": 0.4999,
           "ABL_expected_km2": 0.0061}  # fmt: skip
    assert rows_in_words([row]) == [
        {
            "glacier": "Argentière",
            "pixels": "1\u202f000",
            "area": "0.01",
            "no data (km²)": "1.23",
            "ABL (km²)": "0.01",
            "ABL (share)": "55.55 %",
            "ABL mean probability": "0.50",
            "ABL expected (km²)": "0.01",
        }
    ]
    names = ["macro_f1_mean", "macro_f1_std", "macro_f1_low", "macro_f1_high", "oa_mean", "oa_std"]
    names += ["log_loss_mean", "ece_pooled"]
    values = (0.827, 0.087, 0.687, 0.859, 0.9, float("nan"), 0.512, 0.071)
    figures = dict(zip(names, values, strict=True))
    assert merit_in_words([{"method": "random forest", **figures}]) == [
        {
            "method": "random forest",
            "macro-F1": "0.83 ± 0.09",
            "95 % interval": "0.69 to 0.86",
            "overall accuracy": "0.90",
            "log loss": "0.51",
            "calibration error": "0.07",
        }
    ]


def test_areas_that_changed_are_a_table() -> None:
    import pandas as pd

    from flows.wording import matrix_in_words

    areas = pd.DataFrame([[1.5, 0.0], [0.25, 2.0]], ["ABL", "ICE"], ["ABL", "ROC"])
    first = "from (row) to (column), km²"
    assert matrix_in_words(areas) == [
        {first: "ABL", "ABL": "1.5000", "ROC": "0.0000"},
        {first: "ICE", "ABL": "0.2500", "ROC": "2.0000"},
    ]


def test_names_of_products_are_no_markup() -> None:
    from flows.artifacts import markdown_cell

    assert markdown_cell("a|b <img> `c` [d](e) f_g") == r"a\|b \<img\> \`c\` \[d\](e) f\_g"


RUN = """
import json, sys
from flows.change import change
from flows.train import train
from flows.watch import watch
config = json.loads(sys.argv[1])
watch(config, return_state=True)
change("map_a", "map_b", config, return_state=True)
train({**config, "start": "2021-02-01"}, return_state=True)
"""


@pytest.mark.e2e
def test_a_real_server_shows_the_names(tmp_path: Path) -> None:
    (tmp_path / "prefect").mkdir()
    (tmp_path / "scenes").mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    server = PrefectServer(tmp_path / "prefect", kept)
    settings = {
        "workspace": f"{tmp_path}/run", "beam": "DSC37", "start": "2020-01-08", "end": "2021-01-27",
        "ingest": {"scenes": f"{tmp_path}/scenes"},
    }  # fmt: skip
    server.start()
    try:
        server.wait()
        ran = subprocess.run(
            [sys.executable, "-c", RUN, json.dumps(settings)],
            cwd=ROOT,
            env=server.environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        runs = server.ask("flow_runs/filter")
        assert {run["name"] for run in runs} == {
            "watch DSC37, 2020-01-08 to 2021-01-27",
            "change map_a and map_b",
            "train DSC37, 2021-02-01 to 2021-01-27",
        }
    finally:
        server.stop()
