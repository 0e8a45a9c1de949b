"""The talk's experiment: its settings, and the verb on a small simulated campaign."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import small_published

from cpazmal_scale.assess.validate import methods
from cpazmal_scale.cli import stages
from cpazmal_scale.config import GLACIER_CLASSES, RunConfig
from cpazmal_scale.config.methods import method
from cpazmal_scale.stages.dataset import import_dataset
from cpazmal_scale.stages.talk import settings


def test_settings_are_those_of_the_talk() -> None:
    own = settings(RunConfig())
    assert own.samples.classes == GLACIER_CLASSES
    assert own.samples.balance
    assert (own.features.window, own.features.xpol) == (7, "talk")
    assert (own.dtw.radius, own.dtw.band_days) == (3, None)
    assert (own.train.barycenters, own.classify.method) == (1, "vote")
    assert (own.assess.folds, own.assess.repeats, own.assess.neighbors) == (3, 20, 25)
    assert methods.chosen(own)[0] == method("vote").name


def test_what_was_asked_for_is_kept_but_for_the_classes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = {
        "workspace": "there",
        "beam": "DSC37",
        "samples": {"polygons": "a.gpkg", "classes": ["FOR", "ROC"]},
        "features": {"xpol": "code"},
        "assess": {"repeats": 2},
    }
    own = settings(RunConfig.parse(asked))
    assert (own.workspace, own.beam, own.samples.polygons) == ("there", "DSC37", "a.gpkg")
    assert own.samples.classes == GLACIER_CLASSES
    assert (own.features.xpol, own.assess.repeats, own.assess.folds) == ("code", 2, 3)
    assert caplog.messages == ["the talk has its own samples.classes: what was given is not taken"]
    caplog.clear()
    settings(RunConfig.parse({"samples": {"classes": GLACIER_CLASSES}, "beam": "DSC37"}))
    assert not caplog.messages
    every = RunConfig.parse(asked).model_dump(mode="json")
    assert settings(RunConfig.parse(every)) == own


@pytest.mark.e2e
def test_one_command_repeats_the_experiment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = RunConfig.parse(
        {
            "ingest": {"chunk": 128},
            "assess": {"repeats": 1, "neighbors": 3},
            "cluster": {"kind": "threads", "workers": 2},
        }
    )
    stages.talk(tmp_path, size=256, config=quick)
    assert f"page:   {tmp_path}/talk.html" in capsys.readouterr().out
    sides = pd.read_csv(tmp_path / "talk" / "samples.csv", index_col="side")
    total = sides[[f"{name}_mean" for name in GLACIER_CLASSES]].sum()
    assert total.nunique() == 1
    table = pd.read_csv(tmp_path / "talk" / "accuracy.csv", index_col="method")
    assert set(table.index) == set(methods.NAMES)
    known = [name for name in table.index if "learned" not in name]  # too few polygons to learn
    barycenters = [name for name in known if "barycenter" in name]
    assert (table.loc[barycenters, "macro_f1_pooled"] > 0.4).all()
    assert r"\begin{tabular}{lrrrr}" in (tmp_path / "talk" / "samples.tex").read_text()


MONTHS = [f"2020{month:02d}08" for month in range(1, 11)]
POLYGONS = {
    f"{code}{number:03d}": (code, (40, 44), (20 + 60 * row, 20 + 60 * number))
    for row, code in enumerate(GLACIER_CLASSES)
    for number in range(1, 4)
}


def chip(name: str, orbit: str, channel: str, date: int, shape: tuple[int, int]) -> np.ndarray:
    """Speckle inside an ellipse, whose level has a season of the polygon's class."""
    place = GLACIER_CLASSES.index(POLYGONS[name][0])
    season = (-1) ** place * np.sin(date / 9 * np.pi)
    level = 0.1 * 10 ** (0.3 * place + 0.4 * season) * (0.4 if channel == "HV" else 1)
    seed = [sum(name.encode()), orbit == "ASC", channel == "HV", date]
    image = np.random.default_rng(seed).gamma(3, level / 3, shape).astype(np.float32)
    y, x = np.indices(shape) / np.array(shape)[:, None, None] - 0.5
    image[y**2 + x**2 > 0.24] = small_published.NODATA
    return image


@pytest.mark.e2e
def test_the_published_file_takes_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_published, "chip", chip)
    monkeypatch.setattr(small_published, "GROUPS", small_published.GROUPS | POLYGONS)
    calendar = {("DSC", channel): dict.fromkeys(MONTHS, 37.8) for channel in ("HH", "HV")}
    file = small_published.write(tmp_path / "a.hdf5", calendar=calendar, groups=POLYGONS)
    place = {"workspace": str(tmp_path / "run"), "cluster": {"kind": "serial"}}
    report = import_dataset(RunConfig.parse(place), str(file))
    own = RunConfig.load(report.settings, cluster={"kind": "serial"})
    stages.talk(config=own.with_values({"assess": {"repeats": 1, "neighbors": 5}}))
    table = pd.read_csv(tmp_path / "run" / "talk" / "accuracy.csv", index_col="method")
    assert (table["macro_f1_pooled"] > 0.8).all()
    assert (tmp_path / "run" / "talk.html").exists()
