"""A map agrees with the truth whatever the day its period begins on, or the run refuses."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml

CPAZMAL = str(Path(sys.executable).with_name("cpazmal"))
YEAR = ("--start", "2020-01-01", "--end", "2020-12-31")


def cpazmal(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run([CPAZMAL, *map(str, words)], capture_output=True, text=True, timeout=280)
    assert ran.returncode == code, f"{ran.stdout}\n{ran.stderr}"
    return ran


@pytest.fixture(scope="module")
def run_yaml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cube of nineteen months and a model of the calendar year 2020."""
    from cpazmal_scale.simulate.campaign import campaign

    folder = tmp_path_factory.mktemp("seasons")
    campaign(folder, size=256, start=date(2020, 1, 1), end=date(2021, 7, 31), beams=("DSC37",))
    settings = yaml.safe_load((folder / "run.yaml").read_text())
    for name in ("start", "end"):
        settings.pop(name)
    settings |= {
        "workspace": str(folder / "run"),
        "polarisations": ["HH"],
        "samples": {**settings["samples"], "classes": ["ABL", "ACC", "HAG", "ICA"]},
        "classify": {"method": "sum"},
        "cluster": {"kind": "threads", "workers": 2},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(settings))
    for verb in ("ingest", "samples", "train"):
        cpazmal(verb, "-c", folder / "run.yaml", *(() if verb == "ingest" else YEAR))
    return folder / "run.yaml"


def agreement(run_yaml: Path, *words: str) -> float:
    """Share of the classified pixels of known class that have it, after `cpazmal map`."""
    cpazmal("map", "-c", run_yaml, *words)
    with rasterio.open(run_yaml.parent / "run" / "map.tif") as made:
        found, names = made.read(1), yaml.safe_load((run_yaml.parent / "run.yaml").read_text())
    with rasterio.open(run_yaml.parent / "truth.tif") as given:
        truth, classes = given.read(1), given.tags()["classes"].split(",")
    assert names["polarisations"] == ["HH"]
    glacier = [classes.index(name) + 1 for name in ("ABL", "ACC", "HAG", "ICA")]
    known = np.isin(truth, glacier) & (found < 254)
    return float(np.mean(np.array([0, *glacier])[found[known]] == truth[known]))


def test_a_year_from_any_month(run_yaml: Path) -> None:
    """The model of 2020 does as well as one of the period itself, and about as in its own year."""
    own = agreement(run_yaml, *YEAR)
    assert own > 0.6
    periods = [
        ("--start", start, "--end", end)
        for start, end in (
            ("2020-02-09", "2021-02-08"),
            ("2020-05-01", "2021-04-30"),
            ("2020-08-01", "2021-07-31"),
        )
    ]
    found = [agreement(run_yaml, *period) for period in periods]
    assert min(found) > own - 0.05, (own, found)
    for verb in ("samples", "train"):
        cpazmal(verb, "-c", run_yaml, *periods[1])
    taught = agreement(run_yaml, *periods[1])
    for verb in ("samples", "train"):
        cpazmal(verb, "-c", run_yaml, *YEAR)
    assert found[1] > taught - 0.03, (found, taught)


def test_a_part_of_the_year_is_refused(run_yaml: Path) -> None:
    ran = cpazmal("map", "-c", run_yaml, "--start", "2020-11-25", "--end", "2021-03-05", code=7)
    sentences = [line for line in ran.stderr.splitlines() if line.startswith("cpazmal: ")]
    assert len(sentences) == 1
    assert "training dates lie at a time of the year that the period does not cover" in sentences[0]
    assert "train on these" in sentences[0]
