"""Damage of every kind to a cube, and its repair from the manifest and the scenes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.command import ended
from support.late_channels import channel, described
from support.late_channels import config as channels
from support.scenes_factory import STARTS, campaign, file_name, run_config, speckle, write_raster
from support.small_products import settings as level1b

from cpazmal_scale import catalog
from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import open_cube, verify_cube
from cpazmal_scale.errors import CubeDamaged, StoreMissing
from cpazmal_scale.stages import ingest as stages


def content(cube: str) -> dict[str, bytes]:
    paths = [path for path in Path(cube).rglob("*") if path.is_file()]
    return {str(path.relative_to(cube)): path.read_bytes() for path in paths}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.fixture
def cube(tmp_path) -> tuple[RunConfig, str]:
    """A published cube of four dates, HV missing on the last."""
    config = run_config(campaign(tmp_path / "scenes", shape=(50, 60)), tmp_path / "ws")
    return config, stages.ingest(config).cubes[0].url


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("HV/c/1/1/1", flip),
        ("HH/c/0/0/0", Path.unlink),
        ("mask/c/2/0/1", flip),
        ("stored/HH/c/3/0/0", Path.unlink),
        ("stored/mask/c/1/0/0", flip),
        ("time/c/0", Path.unlink),
        ("scene_id/c/0", flip),
        ("incidence_angle/c/0", Path.unlink),
        ("source_sha256/c/0", flip),
        ("x/c/0", flip),
        ("y/c/0", Path.unlink),
        ("zarr.json", Path.unlink),
        ("zarr.json", flip),
        ("HH/zarr.json", Path.unlink),
        ("time/zarr.json", flip),
        ("../DSC37.zarr.manifest/000004.json", Path.unlink),
    ],
)
def test_one_damage_is_named_and_undone(cube, name: str, damage) -> None:
    config, url = cube
    before = content(url)
    damage(Path(url, name))
    if name != "zarr.json" or damage is flip:
        assert len(verify_cube(url)) == 1
    done = stages.repair(config)
    assert len(done) == 1
    assert done[0].restored, str(done[0])
    assert verify_cube(url) == []
    assert content(url) == before
    assert stages.repair(config) == []


def test_many_of_one_kind_are_few_lines(cube, tmp_path) -> None:
    _, url = cube
    lost = [one for one in Path(url, "HH", "c").rglob("*") if one.is_file()]
    for one in lost:
        one.unlink()
    said = ended("verify", "--workspace", str(tmp_path / "ws"), code=CubeDamaged.exit_code).err
    lines = [line for line in said.splitlines() if "chunk" in line]
    assert len(lost) > len(lines) == 4, lines
    assert f"and {len(lost) - 3} like it, the last" in lines[-1]


def test_a_cube_that_the_catalog_does_not_list_is_read_as_well(
    cube, caplog: pytest.LogCaptureFixture
) -> None:
    config, url = cube
    before = content(url)
    catalog.withdraw(config.workspace, "cube_DSC37")
    assert stages.verify(config) == []
    assert "the catalog does not list the cube" in caplog.text
    (Path(url) / "HH" / "zarr.json").write_bytes(b"")
    assert "the document of HH is lost or altered" in str(stages.verify(config))
    assert [one.restored for one in stages.repair(config)] == [True]
    assert content(url) == before
    copy = Path(url).with_name("COPY.zarr")
    shutil.copytree(url, copy)
    assert [entry.name for entry in stages.list_cubes(config)] == ["cube_DSC37"]
    assert catalog.entry(config.workspace, "cube_DSC37").path == "cubes/DSC37.zarr"
    assert "COPY.zarr is not listed" in caplog.text
    shutil.rmtree(copy)


def test_strays_are_removed(cube) -> None:
    config, url = cube
    before = content(url)
    Path(url, "HV", "c", "3", "1").mkdir(parents=True)
    Path(url, "HV", "c", "3", "1", "1").write_bytes(b"stray")
    (done,) = stages.repair(config)
    assert done.done == "removed"
    assert content(url) == before


def test_many_damages_at_once(cube) -> None:
    config, url = cube
    before = content(url)
    for number, path in enumerate(sorted(Path(url).rglob("c/*"))):
        if path.is_file() and "spatial_ref" not in str(path):
            (flip if number % 2 else Path.unlink)(path)
    for path in sorted(Path(url, "HH", "c").rglob("*"))[::3]:
        if path.is_file():
            path.unlink()
    done = stages.repair(config)
    assert len(done) > 8
    assert all(one.restored for one in done)
    assert content(url) == before


@pytest.mark.parametrize("loss", ["gone", "changed", "cut short"])
def test_without_its_source_a_chunk_is_given_up_in_the_open(
    cube, tmp_path, caplog: pytest.LogCaptureFixture, loss: str
) -> None:
    config, url = cube
    state = open_cube(url).attrs["state"]
    source = tmp_path / "scenes" / "dsc" / file_name(STARTS[1])
    kept = source.read_bytes()
    if loss == "gone":
        source.unlink()
    elif loss == "cut short":
        source.write_bytes(kept[:300])
    else:
        write_raster(source, [speckle((50, 60), 8), speckle((50, 60), 9), np.zeros((50, 60))])
    flip(Path(url, "HV", "c", "1", "1", "1"))
    (done,) = stages.repair(config)
    assert not done.restored
    assert "reads as no data from now on" in done.done
    assert f"it was {source}" in done.done
    told = f"1 of the scenes' files could not be used to look for sources: {source}: "
    assert (told in caplog.text) == (loss == "cut short")
    seen = open_cube(url)
    assert np.isnan(seen.HV[1, 32:, 32:]).all()
    assert not np.isnan(seen.HH[1, 32:, 32:]).any()
    assert seen.attrs["losses"] == [["HV", 1, 1, 1]]
    assert seen.attrs["state"] != state
    (finding,) = verify_cube(url)
    assert "was given up" in finding.what
    (again,) = stages.repair(config)
    assert "still so" in again.done
    source.write_bytes(kept)
    (back,) = stages.repair(config)
    assert back.restored
    assert verify_cube(url) == []
    assert open_cube(url).attrs["state"] == state


def test_late_polarisations_and_masks_come_from_their_own_files(tmp_path) -> None:
    folder = tmp_path / "scenes"
    for name in ("HV", "HH"):
        channel(folder, STARTS[0], name)
        config = channels(f"{folder}/*_{name}.tif", tmp_path / "ws")
        url = stages.ingest(config).cubes[0].url
    before = content(url)
    for layer in ("HH", "HV", "mask"):
        flip(Path(url, layer, "c", "0", "0", "1"))
    done = stages.repair(channels(folder, tmp_path / "ws"))
    assert [one.restored for one in done] == [True] * 3
    assert content(url) == before


def test_static_layers_come_back(tmp_path) -> None:
    shape = (50, 70)
    angle = np.linspace(30, 45, 70, dtype="f4") * np.ones((50, 1), "f4")
    described(tmp_path / "scenes", "a", [speckle(shape)], "HH", STARTS[0])
    described(tmp_path / "scenes", "b", [speckle(shape, 1), angle], "HH, incidence", STARTS[1])
    config = run_config(tmp_path / "scenes", tmp_path / "ws")
    url = stages.ingest(config).cubes[0].url
    before = content(url)
    Path(url, "incidence", "c", "0", "1").unlink()
    (done,) = stages.repair(config)
    assert done.restored
    assert content(url) == before


def test_a_resampled_date_is_repaired_by_resampling(tmp_path) -> None:
    folder = campaign(tmp_path / "scenes", shape=(50, 60), starts=STARTS[:2])
    image = [speckle((50, 60), 3), speckle((50, 60), 4), np.zeros((50, 60))]
    write_raster(folder / "dsc" / file_name(STARTS[0]), image, shift=0.4)
    rules = {"ingest": {"resample": True}}
    config = run_config(folder, tmp_path / "ws").with_values(rules)
    url = stages.ingest(config).cubes[0].url
    before = content(url)
    for date in ("0", "1"):
        flip(Path(url, "HH", "c", date, "0", "1"))
    assert all(one.restored for one in stages.repair(config))
    assert content(url) == before


def test_nothing_to_repair_from(cube, tmp_path) -> None:
    config, url = cube
    shutil.rmtree(f"{url}.manifest")
    Path(url, "time", "c", "0").unlink()
    (done,) = stages.repair(config)
    assert not done.restored
    assert "the manifest is lost" in done.done
    Path(url, "zarr.json").write_bytes(b"rotten")
    (root,) = stages.repair(config)
    assert not root.restored
    assert "there is no manifest" in root.done
    Path(url, "zarr.json").unlink()
    with pytest.raises(StoreMissing, match="no cube is here"):
        stages.repair(config)


def test_on_the_command_line(cube, tmp_path) -> None:
    config, url = cube
    before = content(url)
    settings = tmp_path / "run.yaml"
    settings.write_text(json.dumps(config.model_dump(mode="json", exclude_unset=True)))
    flip(Path(url, "HH", "c", "1", "0", "0"))

    told = ended("verify", "--config", settings, code=5)
    assert "chunk 0,0 of HH of 2020-01-19 is altered" in told.err
    mended = ended("verify", "--repair", "--config", settings)
    assert "restored from its source" in mended.out
    assert content(url) == before


def test_a_level1b_product_is_its_own_source(product: Path, tmp_path: Path) -> None:
    config = level1b(product.parent, tmp_path / "ws")
    url = stages.ingest(config).cubes[0].url
    angles = open_cube(url).incidence.to_numpy()
    assert 37 < np.nanmin(angles) < np.nanmax(angles) < 41
    before = content(url)
    for layer in ("HH/c/0", "incidence/c"):
        chunks = sorted(path for path in Path(url, layer).rglob("*") if path.is_file())
        flip(chunks[len(chunks) // 2])
    done = stages.repair(config)
    assert [one.restored for one in done] == [True, True], done
    assert content(url) == before
