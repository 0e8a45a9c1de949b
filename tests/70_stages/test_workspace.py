"""Workspace: which cube and channels a run means, and what it says when it cannot know."""

from __future__ import annotations

import csv
import threading
import types
from pathlib import Path

import pandas as pd
import pytest
from support import operations
from support.scenes_factory import campaign, run_config

from cpazmal_scale import catalog, storage
from cpazmal_scale.catalog import how_to_open
from cpazmal_scale.catalog.records import write_record
from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import cube_url, ingest_scenes, open_cube
from cpazmal_scale.errors import ConfigError, StoreMissing
from cpazmal_scale.stages import pipeline, workspace
from cpazmal_scale.stages.classify import export_layer
from cpazmal_scale.stages.samples import without_names


@pytest.fixture
def two_beams(tmp_path) -> str:
    for beam in ("ASC45", "DSC37"):
        entry = catalog.Entry(f"cube_{beam}", "cube", f"cubes/{beam}.zarr", {"beam": beam})
        catalog.publish(str(tmp_path), entry)
    return str(tmp_path)


def config(place: str, **settings: object) -> RunConfig:
    return RunConfig.parse({"workspace": place, **settings})


def test_the_only_beam_is_meant(two_beams: str) -> None:
    catalog.withdraw(two_beams, "cube_ASC45")
    assert workspace.beam_of(config(two_beams)) == "DSC37"


def test_of_several_beams_one_is_chosen(two_beams: str) -> None:
    assert workspace.beam_of(config(two_beams, beam="ASC45")) == "ASC45"
    with pytest.raises(ConfigError, match=r"several beams.*ASC45, DSC37"):
        workspace.beam_of(config(two_beams))
    with pytest.raises(ConfigError, match="no beam ASC54"):
        workspace.beam_of(config(two_beams, beam="ASC54"))


def test_missing_products_name_their_verb(two_beams: str, tmp_path) -> None:
    with pytest.raises(StoreMissing, match="run `cpazmal train` first"):
        workspace.find(config(two_beams, beam="DSC37"), "model")
    with pytest.raises(StoreMissing, match="run `cpazmal ingest`"):
        workspace.beam_of(config(str(tmp_path / "empty")))


def test_steps_are_known_by_name(two_beams: str) -> None:
    assert pipeline.steps(config(two_beams))[0].name == "samples"
    assert [s.name for s in pipeline.steps(config(two_beams), ("assess", "ingest"))] == [
        "ingest",
        "assess",
    ]
    with pytest.raises(ConfigError, match=r"no step `tarin`; name some of ingest, samples, train"):
        pipeline.run(config(two_beams), only=("train", "tarin"))


def test_classes_that_are_numbers_want_names(two_beams: str) -> None:
    table = pd.DataFrame({"class": ["10", "2", "ICA", "3"]})
    table.attrs["legend"] = {"3": {"name": "rock"}}
    told = without_names(table, config(two_beams, legend={"2": {"name": "snow"}}))
    assert told is not None
    assert told.startswith("classes 10 are numbers")
    assert without_names(table.iloc[2:], config(two_beams)) is None


def test_a_layer_is_written_as_a_geotiff(two_beams: str) -> None:
    with pytest.raises(ConfigError, match=r"entropy\.png: a GeoTIFF's name ends in \.tif"):
        export_layer(config(two_beams), f"{two_beams}/entropy.png", "entropy")


def test_a_map_is_meant_by_its_name_or_address(two_beams: str) -> None:
    below = f"{two_beams}/massifs/ws"
    catalog.publish(below, catalog.Entry("map_a", "map", "maps/a.zarr", {"id": "1a2b3c4d5e"}))
    catalog.add_workspace(two_beams, "massifs/ws")
    run = config(two_beams)
    for name in ("massifs_ws/map_a", "massifs_ws/map_a@1a2b", f"{below}/maps/a.zarr/"):
        assert workspace.map_url(run, name) == f"{below}/maps/a.zarr"
    with pytest.raises(ConfigError, match="cube_DSC37 is of kind cube"):
        workspace.map_url(run, "cube_DSC37")
    for name in ("massifs/ws/map-a", "truth.tif", f"{below}/maps/a.tif"):
        with pytest.raises(ConfigError, match="not the address of a map"):
            workspace.map_url(run, name)
    for name in ("massifs_ws/map_b", "cube_DSC37/map_a", "map_b"):
        with pytest.raises(StoreMissing):
            workspace.map_url(run, name)


def test_a_name_that_differs_in_punctuation_alone_finds_nothing_of_another(tmp_path) -> None:
    entry = catalog.Entry("samples_a_1", "samples", "samples/a.parquet", {"beam": "a-1"})
    catalog.publish(str(tmp_path), entry)
    for name, there in (("a-1", True), ("a_1", False)):
        run = config(str(tmp_path), samples={"table": {"url": "t.csv", "name": name}})
        if there:
            assert workspace.find(run, "samples") == entry
            continue
        with pytest.raises(StoreMissing, match="no samples of beam a_1 was published"):
            workspace.find(run, "samples")


@pytest.mark.parametrize(
    ("present", "meant"),
    [
        (["HH", "HV"], ("HH", "HV")),
        (["HH"], ("HH",)),
        (["VV", "VH"], ("VV", "VH")),
        (["HH", "VV", "HV", "VH"], ("HH", "HV")),
        (["HH", "VV"], ("HH",)),
    ],
)
def test_co_and_cross_polarised_channels(present: list[str], meant: tuple[str, ...]) -> None:
    cube = types.SimpleNamespace(attrs={"polarisations": present})
    assert workspace.channels(RunConfig(), cube) == meant  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="the cube has no XX"):
        workspace.channels(RunConfig(polarisations=("XX",)), cube)  # type: ignore[arg-type]


def test_products_are_published_as_latest_and_for_good(two_beams: str) -> None:
    run = config(two_beams, beam="DSC37")
    for identity in ("a" * 16, "b" * 16):
        workspace.publish(run, "map", identity, f"maps/{identity}.zarr", {"shape": [2, 3]})
    assert workspace.find(run, "map").metadata["id"] == "b" * 16
    names = [entry.name for entry in catalog.entries(two_beams, kind="map")]
    assert names == ["map_DSC37", "map_DSC37_aaaaaaaa", "map_DSC37_bbbbbbbb"]
    assert 'catalog["map_DSC37"].read()' in how_to_open(two_beams, "map_DSC37")


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_reads_do_not_grow_with_history(
    place: str, tmp_path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 maps of the past: a find reads its own records, a publisher each record once."""
    url = str(tmp_path) if place == "folder" else request.getfixturevalue("s3_url")
    write_record(url, catalog.Entry("cube_DSC37", "cube", "cubes/DSC37.zarr", {"beam": "DSC37"}))
    for number in range(100):
        old = catalog.Entry("map_DSC37", "map", f"maps/{number}", {"id": f"{number:08d}"})
        write_record(url, old.version())
    read, busy, most, guard = storage.read_bytes, 0, 0, threading.Lock()
    seen: list[str] = []

    def counted(where: str) -> bytes:
        nonlocal busy, most
        with guard:
            busy, most = busy + 1, max(most, busy + 1)
            seen.append(where)
        try:
            return read(where)
        finally:
            with guard:
                busy -= 1

    operations.replace(monkeypatch, "read_bytes", counted)
    for run in (config(url), config(url, beam="DSC37")):
        seen.clear()
        assert workspace.find(run, "cube").name == "cube_DSC37"
        assert len(seen) <= 2
    seen.clear()
    workspace.publish(config(url), "map", "f" * 16, "maps/new", {"shape": [2, 3]})
    assert len(set(seen)) == 104  # cube, 100 maps of the past, the new one by two names, the index
    if place == "bucket":
        assert len(seen) <= 104 + 4  # whether the latest's name is free is asked first
        assert most > 4
    assert len(catalog.entries(url, kind="map")) == 102


def test_what_workers_share_goes_with_them(tmp_path) -> None:
    import numpy as np

    apart = config(str(tmp_path), cluster={"kind": "local"})
    with pytest.raises(KeyboardInterrupt), workspace.shared(apart) as folder:  # noqa: PT012
        assert folder is not None
        url = storage.write_arrays(folder, {"values": np.arange(3), "names": np.array(["a"])})
        again = storage.read_arrays(url)
        assert (again["values"].tolist(), again["names"].tolist()) == ([0, 1, 2], ["a"])
        assert storage.write_arrays(folder, again) == url
        raise KeyboardInterrupt
    assert not storage.exists(folder)
    left = Path(tmp_path, "shared", "of-a-dead-run")
    with workspace.shared(apart) as living, workspace.shared(apart) as second:
        storage.write_arrays(str(living), {"values": np.arange(3)})
        left.mkdir()
        (left / "values").write_bytes(b"1")
        with workspace.shared(apart) as third:
            assert not left.exists()
            assert sorted(map(str, left.parent.iterdir())) == sorted((living, second, third))
            assert list(Path(str(living)).iterdir())
    assert not list(left.parent.iterdir())
    with workspace.shared(config(str(tmp_path), cluster={"kind": "threads"})) as nothing:
        assert nothing is None
    evil = np.array([{}], dtype=object)
    with pytest.raises(ValueError, match="pickle"):
        storage.write_arrays(str(tmp_path), {"values": evil})


def test_dates_of_two_resolutions_are_a_warning(tmp_path, caplog) -> None:
    """As PAZ's single and dual polarised dates are; not those of one kind."""
    folder = campaign(tmp_path / "scenes")
    table = folder / "acquisitions.csv"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    for resolution in (3.3, 6.6):
        rows[0]["resolution_azimuth"] = str(resolution)
        with table.open("w", newline="") as file:
            made = csv.DictWriter(file, list(rows[0]))
            made.writeheader()
            made.writerows(rows)
        config = run_config(folder, tmp_path / str(resolution))
        ingest_scenes(config)
        caplog.clear()
        workspace.warn_of_dates(config, open_cube(cube_url(config.workspace, "DSC37")))
        told = [one.message for one in caplog.records if "resolution" in one.message]
        assert len(told) == (resolution == 3.3)
        assert all("azimuth resolution in this period: 3.3 m on 1, 6.6 m on 3;" in s for s in told)
