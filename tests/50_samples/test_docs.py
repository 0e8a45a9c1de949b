"""The page on windows runs as it stands, on a small campaign where the demo would be."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import Ran, ended
from support.small_run import settings, simulated

from cpazmal_scale.stages.ingest import ingest
from cpazmal_scale.stages.samples import draw_samples

PAGE = Path(__file__).parents[2] / "docs" / "samples.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `build/demo` is."""
    folder = tmp_path_factory.mktemp("project")
    demo = folder / "build" / "demo"
    run = simulated(folder / "campaign")
    config = settings(run, str(demo))
    ingest(config)
    draw_samples(config)
    shutil.move(folder / "campaign", demo / "campaign")
    return folder


@pytest.mark.slow
def test_every_block_runs_in_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    found: dict[str, Any] = {}
    assert len(BLOCKS) == 5
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), found)
    assert set(found["found"]["class"]) == {"ICA", "HAG"}
    assert (found["found"]["date"] < "2021-01-01").all()
    assert (found["found"]["incidence_angle"] < 40).all()
    assert found["beams"]["beam"].tolist() == ["DSC37"]
    windows, some, pixels = found["windows"], found["some"], found["pixels"]
    assert set(windows.index["size"]) == {9}
    assert {int(str(day)[5:7]) for day in some.dates} <= {12, 1, 2, 3, 4, 5}
    assert some.summary()["windows"].nunique() == 1
    assert pixels.shape == (len(some), 2, len(some.dates), 9, 9)
    assert abs(float(np.nanmean(pixels))) < 0.5
    assert found["values"].shape[:2] == (len(windows), 9)
    assert np.isfinite(found["values"]).any()


def cpazmal(folder: Path, *words: object, code: int = 0) -> Ran:
    return ended(*words, "--workspace", folder / "build" / "demo", code=code)


def test_the_verb_answers_and_says_what_is_wrong(folder: Path) -> None:
    sql = (
        "SELECT class, date, count(*) AS n FROM windows WHERE class IN ('ICA','HAG') "
        "AND incidence_angle < 40 AND date < '2020-02-01' GROUP BY ALL ORDER BY ALL"
    )
    answer = folder / "answer.csv"
    printed = cpazmal(folder, "samples", "query", sql, "--output", answer).out
    assert printed == ""
    lines = answer.read_text().splitlines()
    assert lines[0] == "class,date,n"
    assert {line.split(",")[0] for line in lines[1:]} == {"HAG", "ICA"}
    assert all("2020-01-" in line for line in lines[1:])
    unknown = cpazmal(folder, "samples", "query", "SELECT * FROM windows WHERE class = 'XXX'")
    assert unknown.out == ""
    assert "no row: there are" in unknown.err
    assert "ABL, ACC, FOR, HAG, ICA, LAC, PLA, ROC" in unknown.err
    wrong = cpazmal(folder, "samples", "query", "SELECT clas FROM windows", code=6)
    assert '"clas" not found' in wrong.err
