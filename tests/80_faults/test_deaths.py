"""Killed at any change of the disk: nothing half is seen, and the same command completes it.

A usual run dies at a share of the changes; `CPAZMAL_FAULTS=all` dies at each.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest
import rasterio
from support.damage import ALL, table
from support.deaths import dying
from support.labelling import mapped_workspace, square, users_file
from support.power import watched
from support.series_campaign import CONFIG, FACTS, campaign

from cpazmal_scale import catalog, model
from cpazmal_scale.assess import Labelled, Report, cross_validate, write_report
from cpazmal_scale.config import RunConfig
from cpazmal_scale.label.edits import Draw
from cpazmal_scale.label.session import Session
from cpazmal_scale.mapping import map_cube
from cpazmal_scale.model import open_model
from cpazmal_scale.samples import write_index
from cpazmal_scale.stages import classify, refine, workspace
from cpazmal_scale.storage import disk, seal

DEATHS = None if ALL else 1
"""How many changes of a verb its process dies at; none: all of them."""
BOX = ((tuple(map(tuple, square(40, 40, 10).exterior.coords)),),)
Verb = Callable[[RunConfig], object]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a cube, its model, the maps of two periods, and a file of polygons."""
    home = tmp_path_factory.mktemp("deaths") / "home"
    config = mapped_workspace(home)
    identity = "a" * 16
    shutil.move(home / "models" / "m.zarr", home / "models" / f"{identity}.zarr")
    path = f"models/{identity}.zarr"
    workspace.publish(config, "model", identity, path, {"card": f"models/{identity}.json"})
    seal.write_document(f"{home}/models/{identity}.json", {"id": identity})
    classify.classify(config)
    early = map_cube(config.with_values({"end": "2020-04-01"}), f"{home}/{path}", _cube(config))
    catalog.publish(str(home), catalog.Entry("map_early", "map", f"maps/{early.id}.zarr"))
    users_file(home / "polygons.gpkg", "EPSG:32632")
    return home


def _cube(config: RunConfig) -> str:
    return f"{config.workspace}/cubes/DSC_1.zarr"


def _refine(config: RunConfig) -> None:
    after = {"pool": 3, "window": 3, "modal": 3, "min_area": 50.0}
    refine.refine(config.with_values({"after": after}))


def _fuse(config: RunConfig) -> None:
    refine.fuse(config, ("map_DSC_1", "map_early"))


def _change(config: RunConfig) -> None:
    refine.change(config, "map_early", "map_DSC_1")


def _map(config: RunConfig) -> None:
    classify.classify(config.with_values({"end": "2020-03-20", "classify": {"block": 64}}))


def _layer(config: RunConfig) -> None:
    classify.export_layer(config, f"{config.workspace}/entropy.tif", "entropy")


def _polygons(config: RunConfig) -> None:
    classify.export_polygons(config, f"{config.workspace}/patches.parquet")


def _model(config: RunConfig) -> None:
    own = open_model(f"{config.workspace}/models/{'a' * 16}.zarr")
    model.save_model(own, f"{config.workspace}/models/{'b' * 16}.zarr")
    workspace.publish(config, "model", "b" * 16, f"models/{'b' * 16}.zarr", {})


def _classifier(config: RunConfig) -> None:
    own = open_model(f"{config.workspace}/models/{'a' * 16}.zarr")
    own.classifier.save(f"{config.workspace}/classifier.npz")


def _samples(config: RunConfig) -> None:
    write_index(table(), f"{config.workspace}/samples/s.parquet")
    workspace.publish(config, "samples", "s", "samples/s.parquet", {})


def _withdraw(config: RunConfig) -> None:
    if "map_early" in catalog.names(config.workspace) or _listed(config, "map_early"):
        catalog.withdraw(config.workspace, "map_early")


def _listed(config: RunConfig, name: str) -> bool:
    return name in list(catalog.open_catalog(config.workspace))


def _report(config: RunConfig) -> None:
    write_report(f"{config.workspace}/report.md", _TOLD[0])


def _label(config: RunConfig) -> None:
    session = Session(f"{config.workspace}/polygons.gpkg", config.workspace)
    try:
        if not any(one.group == "ICA001" for one in session.layer):
            session.do(Draw(BOX, "ICA", "ICA001"))
        session.save()
    finally:
        session.close()
    assert len(list(Path(config.workspace).glob("labels/*/[0-9]*"))) == 1


_TOLD: list[Report] = []
VERBS: dict[str, Verb] = {
    "map": _map,
    "refine": _refine,
    "fuse": _fuse,
    "change": _change,
    "export": classify.export_map,
    "export of a layer": _layer,
    "export of polygons": _polygons,
    "model": _model,
    "classifier": _classifier,
    "samples": _samples,
    "withdrawal": _withdraw,
    "index": lambda config: catalog.rebuild(config.workspace),
    "report": _report,
    "label": _label,
}
UNLIKE = re.compile(r"maps/\w+\.json|polygons\.gpkg|classifier\.npz")
"""Files that hold the time at which they were written."""


@pytest.fixture(scope="module", autouse=True)
def told() -> None:
    """What the report says."""
    series, labels, groups = campaign(groups=3, windows=3)
    config = CONFIG.with_values({"assess": {"repeats": 1, "methods": ["sum", "forest"]}})
    _TOLD[:] = [
        Report("Map", FACTS, validation=cross_validate(Labelled(series, labels, groups), config))
    ]


def _content(home: Path) -> dict[str, str]:
    """Digests by name; a journal of labels may hold what was said twice."""
    paths = [path for path in home.rglob("*") if path.is_file()]
    names = {str(path.relative_to(home)): path for path in paths if "labels" not in path.parts}
    return {
        name: "" if UNLIKE.fullmatch(name) else hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in names.items()
    }


def _seen(config: RunConfig, base: Path) -> None:
    """What the catalog names, and the files of others, are whole; those of before are not read."""
    before = {(entry.name, entry.path) for entry in catalog.entries(str(base))}
    for entry in catalog.entries(config.workspace):
        if (entry.name, entry.path) not in before:
            found = catalog.read(config.workspace, entry.name)
            if not isinstance(found, pd.DataFrame):
                found.compute(scheduler="sync")
    assert list(catalog.open_catalog(config.workspace))
    for path in Path(config.workspace).rglob("*.tif"):
        with rasterio.open(path) as raster:
            raster.read()


def _some(every: range, verb: str) -> Sequence[int]:
    share = len(every) if DEATHS is None else min(DEATHS, len(every))
    return random.Random(verb).sample(every, share)


def _config(home: Path) -> RunConfig:
    return RunConfig.parse({"workspace": str(home), "beam": "DSC_1", "cluster": {"kind": "serial"}})


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.filterwarnings("ignore")
def test_killed_at_any_change_of_the_disk(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    home, temporary, run = tmp_path / "home", tmp_path / "tmp", VERBS[verb]
    temporary.mkdir()
    monkeypatch.setattr(os, "fsync", lambda _: None)  # processes die here, the power stays
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    config = _config(home)

    def begin() -> None:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(base, home)
        disk.tidy.cache_clear()

    begin()
    with dying(monkeypatch) as counted:
        run(config)
    undisturbed = _content(home)
    for at in _some(range(counted.changes), verb):
        begin()
        with dying(monkeypatch, at):
            run(config)
        _seen(config, base)
        disk.tidy.cache_clear()
        run(config)
        left = _content(home)
        assert {*left} == {*undisturbed}, (at, {*left} ^ {*undisturbed})
        assert left == undisturbed, at
        assert not list(temporary.glob("*/*")), at


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.filterwarnings("ignore")
def test_the_power_goes_at_any_moment(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """Of what was not synced any part is there, in any order."""
    home, run = tmp_path / "home", VERBS[verb]
    shutil.copytree(base, home)
    config = _config(home)
    power = watched(home, monkeypatch, lambda: run(config), keeps=DEATHS, seed=verb)
    undisturbed = _content(home)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    for moment in range(len(power.moments)):
        shutil.rmtree(home)
        power.restore_in_any_order(moment, home, random.Random(verb + str(moment)))
        disk.tidy.cache_clear()
        _seen(config, base)
        run(config)
        assert _content(home) == undisturbed, moment
