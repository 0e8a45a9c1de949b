"""Which files count as scenes' files, and how much of a table is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.scenes_factory import STARTS, campaign, file_name, run_config
from support.small_products import amplitudes, cut_product, settings

from cpazmal_scale.errors import CpazmalError, SceneUnreadable, StoreMissing
from cpazmal_scale.scenes import acquisitions as tables
from cpazmal_scale.scenes import discover, listing


@pytest.mark.parametrize(
    "name", ["run [2020]", "a*b", "a?b", "[x", "deep [1]/a*", "h#sh", "p%20c", "co::lon", "~"]
)
def test_folders_whose_names_look_like_patterns(tmp_path, name: str) -> None:
    folder = campaign(tmp_path / name, (64, 64), STARTS[:2])
    assert len(discover(run_config(folder, "unused").ingest, check=True)) == 2
    files, there = listing.list_files(str(folder))
    assert there == str(folder)
    assert len(files) == 3
    one = next(file for file in files if file.endswith(".tif"))
    assert listing.list_files(one)[0] == [one]
    files, there = listing.list_files(f"{folder}/dsc/*.tif")
    assert (len(files), there) == (2, f"{folder}/dsc")


def test_a_pattern_still_matches(tmp_path) -> None:
    folder = campaign(tmp_path / "s", (64, 64), STARTS[:2])
    files, there = listing.list_files(f"{folder}/dsc/*{STARTS[0]}*.tif")
    assert len(files) == 1
    assert there == f"{folder}/dsc"
    with pytest.raises(StoreMissing):
        listing.list_files(f"{folder}/dsc/*.jp2")


def test_linked_folders_and_files_are_followed_once(tmp_path) -> None:
    elsewhere = campaign(tmp_path / "disk", (64, 64), STARTS[:2])
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    (scenes / "acquisitions.csv").symlink_to(elsewhere / "acquisitions.csv")
    (scenes / "dsc").symlink_to(elsewhere / "dsc")
    (elsewhere / "dsc" / "round").symlink_to(scenes)
    found = discover(run_config(scenes, "unused").ingest)
    assert [scene.start.strftime("%Y%m%dT%H%M%S") for scene in found] == list(STARTS[:2])


def test_a_link_to_nothing_is_not_left_out(tmp_path) -> None:
    folder = campaign(tmp_path, (64, 64), STARTS[:2])
    (folder / "dsc" / file_name(STARTS[1], mode="S")).unlink()
    (folder / "dsc" / file_name(STARTS[1], mode="S")).symlink_to(tmp_path / "gone.tif")
    with pytest.raises(CpazmalError):
        discover(run_config(folder, "unused").ingest)


def test_what_macos_leaves_and_what_is_no_file(tmp_path) -> None:
    folder = campaign(tmp_path, (64, 64), STARTS[:1])
    name = file_name(STARTS[0])
    (folder / "dsc" / f"._{name}").write_bytes(b"\0\5\x16\7")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / name).write_bytes(b"x")
    os.mkfifo(folder / "dsc" / file_name(STARTS[1]))
    assert len(discover(run_config(folder, "unused").ingest, check=True)) == 1
    with pytest.raises(SceneUnreadable, match="neither a folder nor a regular file"):
        listing.list_files(str(folder / "dsc" / file_name(STARTS[1])))


@pytest.mark.parametrize("target", ["/dev/zero", "fifo"])
def test_a_table_that_never_ends(tmp_path, target: str) -> None:
    folder = campaign(tmp_path, (64, 64), STARTS[:1])
    table = folder / "acquisitions.csv"
    table.unlink()
    if target == "fifo":
        os.mkfifo(table)
    else:
        table.symlink_to(target)
    with pytest.raises(SceneUnreadable, match="not a regular file"):
        discover(run_config(folder, "unused").ingest)


def test_a_table_that_is_too_long(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tables, "MAX_TABLE_BYTES", 1000)
    (tmp_path / "t.csv").write_text("sensor,start\n" + "PAZ1,20200108\n" * 100)
    with pytest.raises(SceneUnreadable, match="more than"):
        tables.read_table(str(tmp_path / "t.csv"))


def test_pipes_under_the_names_of_documents_and_rasters(tmp_path) -> None:
    """Those that no listing shows, because another file names them."""
    (tmp_path / "x.tif.yaml").write_text(
        "sensor: TSX1\nstart: 2011-05-05T17:25:01\nbeam: A\nbands: [HH]\n"
        "radiometry: gamma0\nscale: linear\n"
    )
    os.mkfifo(tmp_path / "x.tif")
    with pytest.raises(CpazmalError, match="pipe or device"):
        discover(run_config(tmp_path / "x.tif.yaml", "unused").ingest, check=True)


def test_a_product_whose_folders_are_links(tmp_path, shared_data: Path) -> None:
    folder = cut_product(shared_data, tmp_path / "p", amplitudes((120, 110)))
    before = discover(settings(tmp_path / "p").ingest, check=True)[0].source_sha256
    for name in ("IMAGEDATA", "ANNOTATION"):
        (folder / name).rename(tmp_path / name)
        (folder / name).symlink_to(tmp_path / name)
    assert discover(settings(tmp_path / "p").ingest, check=True)[0].source_sha256 == before
    (tmp_path / "ANNOTATION" / "GEOREF.xml").unlink()
    os.mkfifo(tmp_path / "ANNOTATION" / "GEOREF.xml")
    with pytest.raises(SceneUnreadable):
        discover(settings(tmp_path / "p").ingest, check=True)


@pytest.mark.parametrize(
    "name", ["{0}.hdr", "{0}.tfw", "{0}_rpc.txt", "METADATA.DIM", "{0}.tif.ovr"]
)
def test_pipes_that_gdal_would_open_beside_a_raster(tmp_path, name: str) -> None:
    folder = campaign(tmp_path, (64, 64), STARTS[:1])
    (scene,) = (folder / "dsc").glob("*.tif")
    os.mkfifo(scene.with_name(name.format(scene.stem)))
    with pytest.raises(SceneUnreadable, match="beside it is"):
        discover(run_config(folder, "unused").ingest, check=True)


def test_a_name_of_bytes_that_are_no_text_is_told(tmp_path) -> None:
    folder = campaign(tmp_path, (64, 64), STARTS[:1])
    (scene,) = (folder / "dsc").iterdir()
    scene.rename(scene.with_name(scene.name.replace("_TC.tif", "_\udce9_TC.tif")))
    with pytest.raises(SceneUnreadable, match="bytes that are no text: rename it"):
        discover(run_config(folder, "unused").ingest)


@pytest.mark.parametrize("name", ["x.7z", "PAZ1_SAR.tar.xz", "scene.tif.gz", "x.rar", "scene.zip"])
def test_what_is_packed_otherwise_is_named(tmp_path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\5\6" + bytes(18))
    with pytest.raises(CpazmalError, match=f"unpack {name}|archive"):
        discover(run_config(tmp_path, "unused").ingest)
