"""What a second run uses again, and what it makes anew."""

from __future__ import annotations

import logging
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
from support.small_run import settings, simulated

from cpazmal_scale.config import RunConfig
from cpazmal_scale.samples import read_polygons
from cpazmal_scale.stages import pipeline, reuse, workspace

STEPS = ("samples", "train", "assess")
FOLDERS = ("samples", "models", "validations")
MADE = {"samples", "model", "cross-validation"}


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, Any]:
    """A run of a quick method, and what it made."""
    folder = tmp_path_factory.mktemp("reuse")
    run = simulated(folder / "campaign", end=date(2020, 4, 30))
    config = settings(
        run,
        str(folder / "run"),
        classify={"method": "discriminant"},
        assess={"truth": None, "repeats": 1, "folds": 2, "methods": ["discriminant"]},
    )
    return config, pipeline.run(config, only=("ingest", *STEPS))


@pytest.fixture
def finished(finished_run: tuple[RunConfig, Any]) -> RunConfig:
    return finished_run[0]


def again(config: RunConfig, caplog: pytest.LogCaptureFixture) -> tuple[set[str], Any]:
    """The first words of what a run found, and what it made."""
    caplog.clear()
    with caplog.at_level(logging.INFO, "cpazmal_scale"):
        made = pipeline.run(config, only=STEPS)
    told = [one.getMessage() for one in caplog.records if " found" in one.getMessage()]
    return {text.split()[0] for text in told}, made


def files(config: RunConfig, *folders: str) -> dict[str, tuple[int, bytes]]:
    """Every file below folders of the workspace: when it was written, and what it holds."""
    root = Path(config.workspace)
    every = (path for folder in folders for path in sorted((root / folder).rglob("*")))
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in every
        if path.is_file() and path.suffix != ".json"
    }


def test_nothing_is_made_twice_and_the_results_are_the_same_bits(
    finished_run: tuple[RunConfig, Any], caplog: pytest.LogCaptureFixture
) -> None:
    config, first = finished_run
    kept = files(config, *FOLDERS)
    card = Path(config.workspace, first["train"].metadata["card"]).read_bytes()
    found, second = again(config, caplog)
    assert found == MADE
    assert files(config, *FOLDERS) == kept
    assert second["samples"] == first["samples"]
    assert second["train"] == first["train"] == workspace.find(config, "model")
    assert Path(config.workspace, first["train"].metadata["card"]).read_bytes() == card
    computed, read = first["assess"].validation, second["assess"].validation
    for field in fields(computed):
        was, now = getattr(computed, field.name), getattr(read, field.name)
        if isinstance(was, pd.DataFrame):
            pd.testing.assert_frame_equal(was, now, check_exact=True)
        elif isinstance(was, np.ndarray):
            assert (was.dtype, was.shape, was.tobytes()) == (now.dtype, now.shape, now.tobytes())
        else:
            assert was == now
    assert first["assess"].rows() == second["assess"].rows()


def identities(config: RunConfig) -> dict[str, str]:
    """What the inputs of each product are known by, with the samples that were drawn last."""
    polygons = read_polygons(config.samples.polygons or "", config.samples.classes)
    return {
        "samples": reuse.of_samples(config, workspace.open_period(config), polygons),
        "model": reuse.of_model(config),
        "validation": reuse.of_validation(config),
    }


@pytest.mark.parametrize(
    ("changed", "anew"),
    [
        ({"few_dates": 3, "cluster": {"kind": "serial"}, "after": {"modal": 3}}, ""),
        ({"classify": {"block": 64, "outlines": "a.gpkg"}, "assess": {"truth": "a.tif"}}, ""),
        ({"samples": {"dem": None, "also": []}, "assess": {"report": "mine"}}, ""),
        ({"assess": {"repeats": 2}}, "validation"),
        ({"assess": {"methods": ["forest"]}}, "validation"),
        ({"classify": {"candidates": ["logistic"]}}, "model"),
        ({"assess": {"neighbors": 5}}, "model validation"),
        ({"dtw": {"min_dates": 4}}, "model validation"),
        ({"train": {"restarts": 1}}, "model validation"),
        ({"legend": {"ROC": {"colour": "grey"}}}, "model validation"),
        ({"samples": {"stride": 3}}, "samples model validation"),
        ({"features": {"floor_db": -28.0}}, "samples model validation"),
        ({"polarisations": ["HH"]}, "samples model validation"),
        ({"end": date(2020, 4, 10)}, "samples model validation"),
        ({"seed": 7}, "samples model validation"),
    ],
    ids=str,
)
def test_only_what_depends_on_a_setting_is_made_anew(
    finished: RunConfig, changed: dict[str, Any], anew: str
) -> None:
    before, after = identities(finished), identities(finished.with_values(changed))
    assert [name for name in before if before[name] != after[name]] == anew.split()


def test_polygons_are_known_by_content(finished: RunConfig, tmp_path: Path) -> None:
    table = geopandas.read_file(finished.samples.polygons)
    copy = tmp_path / "copy.gpkg"
    table.to_file(copy)
    elsewhere = finished.with_values({"samples": {"polygons": str(copy)}})
    assert identities(elsewhere) == identities(finished)
    moved = table.assign(geometry=table.geometry.translate(30.0, 0.0))
    moved.to_file(copy)
    assert identities(elsewhere)["samples"] != identities(finished)["samples"]


def test_what_is_not_whole_is_made_anew(
    finished: RunConfig, caplog: pytest.LogCaptureFixture
) -> None:
    before = workspace.find(finished, "model")
    kept = files(finished, *FOLDERS)
    for name, (_, data) in kept.items():
        middle = len(data) // 2
        other = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        Path(finished.workspace, name).write_bytes(other)
    found, made = again(finished, caplog)
    assert found == set()
    assert made["train"] == before
    now = files(finished, *FOLDERS)
    whole = [name for name in kept if not name.endswith((".png", ".npz"))]
    assert [name for name in whole if now[name][1] != kept[name][1]] == []
