"""A map agrees with the truth whatever the day its period begins on, or the run refuses.

The scenes of one simulated year stand under the dates of others, too: the calendar differs, and
the weather does not.
"""

from __future__ import annotations

import csv
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml
from support.command import ended as cpazmal

YEAR = ("--start", "2020-01-01", "--end", "2020-12-31")
WINTER = ("--start", "2020-11-01", "--end", "2021-02-28")
CYCLES = timedelta(days=33 * 11)
"""Repeat cycles of about a year: passes come back three days earlier."""
SOUTH = timedelta(days=33 * 11 * 2 + 17 * 11)
"""Two years and a half: January stands in July."""


def _stand_for(folder: Path, later: timedelta, until: str = "9999") -> None:
    """Every scene once more, dated later; those of a date before `until` only."""
    table = folder / "scenes" / "acquisitions.csv"
    lines = table.read_text().splitlines()
    rows = [row for row in csv.DictReader(lines) if row["start"] < "2021"]
    with table.open("a", newline="") as stream:
        for row in rows:
            before = datetime.strptime(row["start"], "%Y%m%dT%H%M%S")
            after = f"{before + later:%Y%m%d}"
            if after >= until:
                continue
            csv.DictWriter(stream, rows[0].keys()).writerow(
                {**row, "start": f"{after}T{before:%H%M%S}"}
            )
            for scene in (folder / "scenes").rglob(f"*_{before:%Y%m%dT%H%M%S}_*.tif"):
                name = scene.name.replace(f"{before:%Y%m%d}", after)
                shutil.copy(scene, scene.with_name(name))


@pytest.fixture(scope="module")
def run_yaml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cube of 2020, 2021, a winter more and a southern year; a model of 2020."""
    from cpazmal_scale.simulate.campaign import campaign

    folder = tmp_path_factory.mktemp("seasons")
    campaign(folder, size=256, start=date(2020, 1, 1), end=date(2020, 12, 31), beams=("DSC37",))
    _stand_for(folder, CYCLES)
    _stand_for(folder, 2 * CYCLES, until="20220301")
    _stand_for(folder, SOUTH)
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
    cpazmal("ingest", "-c", folder / "run.yaml")
    learn(folder / "run.yaml", *YEAR)
    return folder / "run.yaml"


def learn(run_yaml: Path, *period: str) -> None:
    for verb in ("samples", "train"):
        cpazmal(verb, "-c", run_yaml, *period)


def agreement(run_yaml: Path, *words: str) -> float:
    """Share of the classified pixels of known class that have it, after `cpazmal map`."""
    cpazmal("map", "-c", run_yaml, *words)
    with rasterio.open(run_yaml.parent / "run" / "map.tif") as made:
        found = made.read(1)
    with rasterio.open(run_yaml.parent / "truth.tif") as given:
        truth, classes = given.read(1), given.tags()["classes"].split(",")
    glacier = [classes.index(name) + 1 for name in ("ABL", "ACC", "HAG", "ICA")]
    known = np.isin(truth, glacier) & (found < 254)
    return float(np.mean(np.array([0, *glacier])[found[known]] == truth[known]))


@pytest.fixture(scope="module")
def own(run_yaml: Path) -> float:
    """The agreement of 2020 with its own model."""
    found = agreement(run_yaml, *YEAR)
    assert found > 0.6
    return found


@pytest.mark.parametrize("start", ["2020-01-20", "2020-05-01", "2020-11-01"])
def test_a_year_from_any_day(run_yaml: Path, own: float, start: str) -> None:
    end = date.fromisoformat(start) + timedelta(days=364)
    assert abs(agreement(run_yaml, "--start", start, "--end", str(end)) - own) <= 0.02


def test_a_southern_year_by_its_declared_start(run_yaml: Path, own: float) -> None:
    period = ("--start", "2022-07-02", "--end", "2023-07-01")
    found = agreement(run_yaml, *period, "--dtw.season_start", "07-02")
    assert abs(found - own) <= 0.02


def test_a_part_of_the_year_is_refused(run_yaml: Path, own: float) -> None:
    ran = cpazmal("map", "-c", run_yaml, "--start", "2020-11-25", "--end", "2021-03-05", code=7)
    (sentence,) = ran.complaints
    assert "training dates lie at a time of the year that the period does not cover" in sentence
    assert "train on these" in sentence


def test_a_winter_across_new_year(run_yaml: Path, own: float) -> None:
    """The model of one winter on the next; it comes last, for it replaces the model of 2020."""
    learn(run_yaml, *WINTER)
    taught = agreement(run_yaml, *WINTER)
    assert taught > 0.4
    next_one = agreement(run_yaml, "--start", "2021-11-01", "--end", "2022-02-28")
    assert abs(next_one - taught) <= 0.02
