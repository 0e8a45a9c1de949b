"""A polarisation that comes later, static layers, the manifest, and what a dry run tells."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from support.late_channels import SHAPE, channel, config, described
from support.scenes_factory import run_config, speckle, write_raster

from cpazmal_scale import storage
from cpazmal_scale.cube import (
    ChunkReader,
    ingest_scenes,
    open_cube,
    read_record,
    require_data,
    verify_cube,
)
from cpazmal_scale.cube.format import layout, manifest
from cpazmal_scale.errors import SampleError, SceneChanged, SceneImplausible

DATES = ("20200108T054412", "20200119T054411", "20200130T054411")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two dates, the second without HV."""
    where = tmp_path / "scenes"
    for date, name in ((DATES[0], "HH"), (DATES[0], "HV"), (DATES[1], "HH")):
        channel(where, date, name)
    return where


@pytest.mark.parametrize("alone", [True, False], ids=["its own folder", "beside"])
def test_hv_joins_hh(tmp_path, folder: Path, alone: bool) -> None:
    url = ingest_scenes(config(folder, tmp_path / "ws")).cubes[0].url
    before = open_cube(url)
    where = tmp_path / "late" if alone else folder
    expected = channel(where, DATES[1], "HV")
    planned = ingest_scenes(config(where, tmp_path / "ws"), dry_run=True)
    assert "add       2020-01-19 05:44:11 HV" in str(planned)
    assert open_cube(url).polarisations.to_numpy().tolist() == ["HH+HV", "HH"]
    done = ingest_scenes(config(where, tmp_path / "ws")).cubes[0]
    assert (done.dates, len(done.appended)) == (2, 1)
    after = open_cube(url)
    assert after.polarisations.to_numpy().tolist() == ["HH+HV", "HH+HV"]
    np.testing.assert_array_equal(after.HV[1], expected)
    np.testing.assert_array_equal(after.HH, before.HH)
    np.testing.assert_array_equal(after["mask"], before["mask"])
    assert after.attrs["state"] != before.attrs["state"]
    assert np.isnan(before.HV[1]).all()
    assert verify_cube(url) == []
    again = ingest_scenes(config(where, tmp_path / "ws")).cubes[0]
    assert again.appended == ()
    assert not open_cube(url).HV[1].isnull().all()


@pytest.mark.parametrize("consolidated", [True, False])
def test_plain_readers_see_it_too(tmp_path, folder: Path, consolidated: bool) -> None:
    url = ingest_scenes(config(folder, tmp_path / "ws")).cubes[0].url
    for date in (DATES[2], DATES[1]):
        channel(folder, date, "HV")
        channel(folder, DATES[2], "HH")
        ingest_scenes(config(folder, tmp_path / "ws"))
    plain = xr.open_zarr(url, consolidated=consolidated, decode_coords="all")
    np.testing.assert_array_equal(plain.HV, open_cube(url).HV)
    assert plain.polarisations.to_numpy().tolist() == ["HH+HV"] * 3
    assert not np.isnan(plain.HV[:, 4:]).any()


def test_every_order_of_arrival_gives_the_same_content(tmp_path, folder: Path) -> None:
    channel(folder, DATES[1], "HV")
    whole = open_cube(ingest_scenes(config(folder, tmp_path / "whole")).cubes[0].url)
    for number, names in enumerate((["HH", "HV"], ["HV", "HH"])):
        for name in names:
            glob = f"{folder}/*_{name}.tif"
            url = ingest_scenes(config(glob, tmp_path / f"ws{number}")).cubes[0].url
        parts = open_cube(url)
        assert parts.attrs["state"] == whole.attrs["state"]
        for layer in ("HH", "HV", "mask"):
            np.testing.assert_array_equal(parts[layer], whole[layer])


def test_other_bytes_of_a_polarisation_stay_refused(tmp_path, folder: Path) -> None:
    url = ingest_scenes(config(folder, tmp_path / "ws")).cubes[0].url
    channel(folder, DATES[0], "HV", seed=99)
    with pytest.raises(SceneChanged):
        ingest_scenes(config(folder, tmp_path / "ws"))
    assert open_cube(url).sizes["time"] == 2


def test_a_late_file_is_checked_although_its_scene_is_known(tmp_path, folder: Path) -> None:
    ingest_scenes(config(folder, tmp_path / "ws"))
    values = 10 * np.log10(speckle(SHAPE))
    write_raster(folder / f"X_{DATES[1]}_HV.tif", [values])
    with pytest.raises(SceneImplausible, match="look like decibels"):
        ingest_scenes(config(folder, tmp_path / "ws"))


@pytest.mark.parametrize(("first", "later", "factor"), [("HH", "HV", 6.0), ("HV", "HH", 1 / 6.0)])
def test_a_late_file_with_the_other_channel_s_name_is_refused(
    tmp_path, first: str, later: str, factor: float
) -> None:
    """Speckle of one mean and six times that: 7.8 dB, the wrong way round."""
    folder = tmp_path / "scenes"
    dark = channel(folder, DATES[0], first, seed=1)
    ingest_scenes(config(folder, tmp_path / "ws"))
    bright = np.where(np.isnan(dark), -999, speckle(SHAPE, 2) * factor).astype(np.float32)
    write_raster(folder / f"X_{DATES[0]}_{later}.tif", [bright])
    (told,) = ingest_scenes(config(folder, tmp_path / "ws"), dry_run=True).refused
    assert re.search(r"HV is [78]\.\d dB brighter than HH", str(told))
    with pytest.raises(SceneImplausible, match=rf"the cube has as {first}"):
        ingest_scenes(config(folder, tmp_path / "ws"))
    url = f"{tmp_path}/ws/cubes/DSC37.zarr"
    assert open_cube(url).polarisations.to_numpy().tolist() == [first]
    write_raster(
        folder / f"X_{DATES[0]}_{later}.tif", [np.where(bright < 0, -999, bright / factor**2)]
    )
    assert len(ingest_scenes(config(folder, tmp_path / "ws")).cubes[0].appended) == 1


def test_what_is_half_written_shows_to_no_reader_of_ours(tmp_path, folder: Path) -> None:
    url = ingest_scenes(config(folder, tmp_path / "ws")).cubes[0].url
    stray = layout.encode(np.ones((32, 32), "f4"))
    storage.write_bytes(f"{url}/HV/c/1/0/0", stray)
    storage.write_bytes(f"{url}/stored/HV/c/1/0/0", layout.encode(np.ones((2, 3), "u4")))
    assert np.isnan(open_cube(url).HV[1]).all()
    dates = tuple(str(t) for t in open_cube(url).time.to_numpy().astype("datetime64[s]"))
    reader = ChunkReader.open(url, ("HH", "HV"), dates)
    power, mask = reader.buffers(20, 20)
    reader.read(power, mask, 0, 0)
    assert np.isnan(power[1, 1]).all()
    assert {one.what.split()[-1] for one in verify_cube(url)} == {"surplus"}
    channel(folder, DATES[1], "HV")
    ingest_scenes(config(folder, tmp_path / "ws"))
    assert verify_cube(url) == []


def test_incidence_becomes_a_static_layer(tmp_path) -> None:
    angle = np.linspace(30, 45, SHAPE[1], dtype="f4") * np.ones((SHAPE[0], 1), "f4")
    angle[:, :3] = np.nan
    folder = tmp_path / "scenes"
    described(folder, "a", [speckle(SHAPE)], "HH", DATES[0])
    rules = run_config(folder, tmp_path / "ws")
    url = ingest_scenes(rules).cubes[0].url
    assert "incidence" not in open_cube(url)
    described(folder, "b", [speckle(SHAPE, 1), angle], "HH, incidence", DATES[1])
    described(folder, "c", [speckle(SHAPE, 2), angle + 1], "HH, incidence", DATES[2])
    ingest_scenes(rules)
    cube = open_cube(url)
    assert cube.incidence.dims == ("y", "x")
    np.testing.assert_array_equal(cube.incidence, angle)
    assert cube.incidence.attrs["units"] == "degree"
    assert cube.sizes["time"] == 3
    assert verify_cube(url) == []
    Path(url, "incidence", "c", "0", "0").unlink()
    assert "incidence" in verify_cube(url)[0].what
    plain = xr.open_zarr(url, consolidated=False)
    assert plain.incidence.shape == SHAPE
    with pytest.raises(SampleError, match=r"set polarisations among HH$"):
        require_data(cube, ["HV"])


def test_the_manifest_names_the_files_of_every_date(tmp_path, folder: Path) -> None:
    channel(folder, DATES[1], "HV")
    for name in ("HH", "HV"):
        url = ingest_scenes(config(f"{folder}/*_{name}.tif", tmp_path / "ws")).cubes[0].url
    record = read_record(url)
    assert record is not None
    assert manifest.numbers(url) == [record.commit] == [4]
    found = manifest.read_manifest(url, record.commit)
    assert found is not None
    assert found.root == record.root
    for at, date in enumerate(found.dates):
        assert [one["polarisations"] for one in date["sources"]] == [["HH"], ["HV"]]
        files = [file for one in date["sources"] for file in one["files"]]
        assert {file["sha256"] for file in files} == set(date["source_sha256"].split("+"))
        assert date["source_sha256"] == record.dates["source_sha256"][at]
        assert all(Path(file["url"]).exists() for file in files)
    json.loads(found.encode(), parse_constant=pytest.fail)


def test_a_dry_run_tells_scene_by_scene(tmp_path, folder: Path) -> None:
    workspace = tmp_path / "ws"
    ingest_scenes(config(folder, workspace))
    channel(folder, DATES[1], "HV")
    channel(folder, DATES[2], "HH", at=(10, 0))
    channel(folder, "20200210T054410", "HH", shift=0.5)
    write_raster(folder / "X_20200221T054409_HH.tif", [10 * np.log10(speckle(SHAPE))])
    report = ingest_scenes(config(folder, workspace), dry_run=True)
    assert [scene.action for scene in report.cubes[0].scenes] == ["unchanged", "add", "append"]
    text = str(report)
    assert "unchanged 2020-01-08 05:44:12 HH+HV" in text
    assert "20.0% lies outside the cube" in text
    assert "look like decibels" in text
    assert "shifted by +0.50 columns" in text
    assert text.count("refused:") == 2
    assert text.endswith("would write nothing")
    assert open_cube(report.cubes[0].url).sizes["time"] == 2
    resampled = ingest_scenes(config(folder, workspace, resample=True), dry_run=True)
    assert "nearest pixel of EPSG:32632 3 x 3" in str(resampled)
    assert len(resampled.refused) == 1
