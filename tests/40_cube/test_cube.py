"""The cube: append, open, order, grids, identity, leases, verify; local and on a real S3 server."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from support.scenes_factory import (
    STARTS,
    campaign,
    file_name,
    product,
    row,
    run_config,
    speckle,
    write_raster,
    write_table,
)

from cpazmal_scale import storage
from cpazmal_scale.cube import append, cube_url, ingest_scenes, open_cube, verify_cube
from cpazmal_scale.cube.format import layout
from cpazmal_scale.cube.format.manifest import Manifest
from cpazmal_scale.cube.format.placement import PRESETS, snapped, union
from cpazmal_scale.cube.read.dataset import within
from cpazmal_scale.cube.write import commit as commits
from cpazmal_scale.cube.write import lease as leases
from cpazmal_scale.errors import (
    BeamMismatch,
    ConfigError,
    CubeDamaged,
    GridMismatch,
    SceneChanged,
    SceneError,
    StoreError,
    StoreMissing,
    WriterConflict,
)
from cpazmal_scale.scenes import Scene, discover, find_candidates
from cpazmal_scale.storage import atomic


def scenes_of(folder: Path) -> list[Scene]:
    return discover(run_config(folder, "unused").ingest)


def raw(scene: Scene) -> np.ndarray:
    with rasterio.open(scene.files[0].url) as raster:
        bands = raster.read()
    return np.where(bands == -999, np.nan, bands)


@pytest.fixture
def scenes(tmp_path) -> list[Scene]:
    return scenes_of(campaign(tmp_path / "scenes"))


@pytest.fixture
def url(tmp_path) -> str:
    return f"{tmp_path}/cube.zarr"


def filled(url: str, scenes: list[Scene]) -> xr.Dataset:
    for scene in scenes:
        assert append(url, scene, chunk=32) == "appended"
    return open_cube(url)


def test_values_come_back_exactly(url: str, scenes: list[Scene]) -> None:
    cube = filled(url, scenes)
    assert dict(cube.sizes) == {"time": 4, "y": 100, "x": 130}
    for number, scene in enumerate(scenes):
        bands = raw(scene)
        np.testing.assert_array_equal(cube.HH[number], bands[0])
        hv = bands[1] if len(bands) == 3 else np.full((100, 130), np.nan)
        np.testing.assert_array_equal(cube.HV[number], hv)
        expected = np.where(np.isnan(bands[0]), 32, bands[-1])
        np.testing.assert_array_equal(cube["mask"][number], expected)
    assert cube.HH.dtype == np.float32
    assert cube["mask"].dtype == np.uint8
    assert cube.HH.chunks == ((1,) * 4, (32, 32, 32, 4), (32, 32, 32, 32, 2))


def test_coordinates_and_attributes(url: str, scenes: list[Scene]) -> None:
    cube = filled(url, scenes)
    assert cube.rio.crs.to_epsg() == 32632
    assert cube.attrs["polarisations"] == ["HH", "HV"]
    assert cube.attrs["beam"] == "DSC37"
    assert cube.attrs["radiometry"] == "gamma0_T"
    assert cube.attrs["sat:orbit_state"] == "descending"
    assert cube.scene_id.to_numpy().tolist() == [scene.id for scene in scenes]
    assert cube.polarisations.to_numpy().tolist() == ["HH+HV"] * 3 + ["HH"]
    assert set(cube.pass_direction.to_numpy()) == {"DSC"}
    np.testing.assert_allclose(cube.incidence_angle, 37.4, rtol=1e-6)
    assert cube.time.dtype.kind == "M"
    assert str(cube.time.to_numpy()[0])[:19] == "2020-01-08T05:44:12"
    assert float(cube.x[0]) == 339_001.5
    assert float(cube.y[-1]) == 5_087_001 - 99.5 * 3
    assert cube.HH.attrs["units"] == "1"
    assert cube["mask"].attrs["flag_meanings"].split()[:2] == ["layover", "shadow"]


@pytest.mark.parametrize("consolidated", [True, False])
def test_opens_with_plain_xarray(url: str, scenes: list[Scene], consolidated: bool) -> None:
    expected = filled(url, scenes)
    plain = xr.open_zarr(url, consolidated=consolidated, decode_coords="all")
    assert set(plain.data_vars) == {"HH", "HV", "mask"}
    assert plain.rio.crs.to_epsg() == 32632
    np.testing.assert_array_equal(plain.HH, expected.HH)
    np.testing.assert_array_equal(plain.time, expected.time)


def test_every_order_gives_the_same_cube(tmp_path, scenes: list[Scene]) -> None:
    first = filled(f"{tmp_path}/a.zarr", scenes)
    for name, order in (("b", [3, 1, 0, 2]), ("c", [2, 3, 1, 0])):
        other = filled(f"{tmp_path}/{name}.zarr", [scenes[k] for k in order])
        assert other.attrs["state"] == first.attrs["state"]
        xr.testing.assert_identical(other.compute(), first.compute())
    part = open_cube(f"{tmp_path}/b.zarr", start="2020-01-19", end=scenes[2].start.date())
    assert part.scene_id.to_numpy().tolist() == [scenes[1].id, scenes[2].id]
    assert part.attrs["state"] != first.attrs["state"]
    whole = open_cube(f"{tmp_path}/c.zarr", start="2020-01-01", end="2021-01-01")
    assert whole.attrs["state"] == first.attrs["state"]


def test_again_is_a_no_op(url: str, scenes: list[Scene]) -> None:
    filled(url, scenes[:2])
    root = storage.read_bytes(f"{url}/zarr.json")
    assert append(url, scenes[0]) == "unchanged"
    assert storage.read_bytes(f"{url}/zarr.json") == root


def test_changed_bytes_are_refused(url: str, scenes: list[Scene]) -> None:
    filled(url, scenes[:2])
    other = replace(scenes[0].files[0], sha256="0" * 64)
    with pytest.raises(SceneChanged, match=r"2020-01-08 05:44:12 .* other bytes"):
        append(url, replace(scenes[0], files=(other,)))
    slice_of = replace(
        scenes[0], id="earlier", start=scenes[0].start - timedelta(seconds=7), files=(other,)
    )
    with pytest.raises(SceneChanged):
        append(url, slice_of)
    assert open_cube(url).sizes["time"] == 2


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"beam": "ASC45"}, "beam is ASC45, the cube's DSC37"),
        ({"pass_direction": "ASC"}, "flight direction is ASC"),
        ({"incidence_angle": 44.6}, r"44\.6°, the cube's 37\.4°"),
        ({"radiometry": "sigma0"}, "sigma0, the cube's gamma0_T"),
    ],
)
def test_other_geometries_are_refused(
    url: str, scenes: list[Scene], change: dict[str, str], match: str
) -> None:
    filled(url, scenes[:1])
    with pytest.raises(BeamMismatch, match=match):
        append(url, replace(scenes[1], **change))
    assert open_cube(url).sizes["time"] == 1


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"crs": "EPSG:32631"}, "CRS is EPSG:32631"),
        ({"pixel": 3.3}, "pixel is 3.3 x 3.3, the grid's is 3 x 3"),
        ({"shift": 0.25}, r"shifted by \+0.25 columns"),
        ({"at": (500, 500)}, "no common pixel"),
    ],
)
def test_other_grids_are_refused_readably(
    tmp_path, url: str, scenes: list[Scene], options, match: str
) -> None:
    filled(url, scenes[:1])
    folder = tmp_path / "other"
    write_raster(folder / file_name(STARTS[1]), [speckle((64, 64)), np.zeros((64, 64))], **options)
    write_table(folder, [row(STARTS[1], polarisations="HH")])
    with pytest.raises(GridMismatch, match=match):
        append(url, scenes_of(folder)[0])
    assert open_cube(url).sizes["time"] == 1


def test_a_missing_polarisation_costs_nothing_and_may_come_later(
    url: str, scenes: list[Scene]
) -> None:
    first = filled(url, [scenes[3]])
    assert "HV" not in first
    cube = filled(url, scenes[:3])
    assert np.isnan(cube.HV[3]).all()
    assert not storage.exists(f"{url}/HV/c/0")
    assert storage.exists(f"{url}/HV/c/1")
    np.testing.assert_array_equal(cube.HV[0], raw(scenes[0])[1])
    assert cube.attrs["polarisations"] == ["HH", "HV"]
    assert verify_cube(url) == []


def test_leftovers_of_another_scene_do_not_show(url: str, scenes: list[Scene]) -> None:
    filled(url, scenes[:1])
    storage.write_bytes(f"{url}/HV/c/1/0/0", layout.encode(np.ones((32, 32), "f4")))
    storage.write_bytes(f"{url}/stored/HV/c/1/0/0", layout.encode(np.ones((4, 5), "u4")))
    cube = filled(url, [scenes[3]])
    assert np.isnan(cube.HV[1]).all()
    assert verify_cube(url) == []


def test_coordinates_go_on_in_further_chunks(
    url: str, scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "DATES_PER_CHUNK", 3)
    cube = filled(url, scenes)
    assert storage.list_names(f"{url}/scene_id/c") == ["0", "1"]
    assert cube.scene_id.to_numpy().tolist() == [scene.id for scene in scenes]
    assert append(url, scenes[3]) == "unchanged"


def test_an_open_reader_never_sees_values_change(url: str, scenes: list[Scene]) -> None:
    before = filled(url, scenes[:2])
    lazy = xr.open_zarr(url, consolidated=True, decode_coords="all")
    for scene in scenes[2:]:
        append(url, scene)
    np.testing.assert_array_equal(before.HH[1], raw(scenes[1])[0])
    np.testing.assert_array_equal(lazy.scene_id, [scenes[0].id, scenes[1].id])
    assert lazy.sizes["time"] == 2


def test_footprints_unite_and_later_scenes_are_cropped(tmp_path) -> None:
    folder = tmp_path / "scenes"
    image = [speckle((60, 70)), np.zeros((60, 70))]
    write_raster(folder / file_name(STARTS[0]), image, at=(10, 20))
    write_raster(folder / file_name(STARTS[1]), image, at=(0, 50))
    write_table(folder, [row(start, polarisations="HH") for start in STARTS])
    config = run_config(folder, tmp_path / "ws")
    first = ingest_scenes(config)
    assert first.cubes[0].shape == (70, 100)
    cube = open_cube(first.cubes[0].url)
    np.testing.assert_array_equal(cube.HH[0, 10:70, 0:70], image[0])
    np.testing.assert_array_equal(cube.HH[1, 0:60, 30:100], image[0])
    assert np.isnan(cube.HH[0, :10]).all()
    assert (cube["mask"][0, :10] == 32).all()
    write_raster(folder / file_name(STARTS[2]), image, at=(40, 0))
    second = ingest_scenes(config)
    assert len(second.cubes[0].unchanged) == 2
    assert "lies outside the cube" in str(second)
    cube = open_cube(first.cubes[0].url)
    np.testing.assert_array_equal(cube.HH[2, 40:70, 0:50], image[0][:30, 20:])


def test_a_default_that_calls_values_flattened_is_told(tmp_path: Path) -> None:
    """The note stands once a beam, and not where the name or the run says what the values are."""
    folder, start = tmp_path / "dsc", "20200108T054412"
    write_table(tmp_path, [row(start, polarisations="HH")])
    bare = folder / file_name(start).replace("_Tf_Tc", "")
    write_raster(bare, [speckle((64, 64)), np.zeros((64, 64))])
    told = str(ingest_scenes(run_config(tmp_path, "unused"), dry_run=True))
    assert "taken for gamma0_T (terrain-flattened), which its name does not say" in told
    known = run_config(tmp_path, "unused", radiometry="gamma0")
    assert "taken for" not in str(ingest_scenes(known, dry_run=True))
    bare.rename(folder / file_name(start))
    assert "taken for" not in str(ingest_scenes(run_config(tmp_path, "unused"), dry_run=True))


def test_ingest_makes_one_cube_per_beam_and_repeats_for_nothing(tmp_path) -> None:
    folder = campaign(tmp_path / "scenes")
    image = [speckle((64, 64)), np.zeros((64, 64))]
    assert len(ingest_scenes(run_config(folder / "dsc", "unused"), dry_run=True).cubes) == 1
    write_raster(folder / "asc" / file_name("20200110T172517"), image, at=(300, 0))
    table = (folder / "acquisitions.csv").read_text()
    extra = row("20200110T172517", "ASC45", "ASC", 44.8, "HH")
    (folder / "acquisitions.csv").write_text(table + extra + "\n")
    config = run_config(folder, f"file://{tmp_path}/ws")
    steps: list[tuple[int, int]] = []
    planned = ingest_scenes(config, dry_run=True)
    assert not (tmp_path / "ws").exists()
    assert "nothing written" in str(planned)
    done = ingest_scenes(config, progress=lambda *step: steps.append(step))
    assert [(c.beam, len(c.appended), c.dates) for c in done.cubes] == [
        ("ASC45", 1, 1),
        ("DSC37", 4, 4),
    ]
    assert [c.appended for c in planned.cubes] == [c.appended for c in done.cubes]
    assert steps[-1] == (10, 10)
    assert steps == sorted(steps)
    again = ingest_scenes(config)
    assert [(len(c.appended), len(c.unchanged)) for c in again.cubes] == [(0, 1), (0, 4)]
    assert done.cubes[1].url == cube_url(f"{tmp_path}/ws", "DSC37")
    words = [" ".join(cube.notes) for cube in done.cubes]
    assert "not those of DSC37: maps of both" in words[0]
    assert "not those of ASC45: maps of both" in words[1]
    assert not any("maps of both" in " ".join(cube.notes) for cube in again.cubes)


def test_a_new_cube_beside_those_of_the_workspace(tmp_path: Path) -> None:
    """Its pixels are compared with those of beams that this ingest has no scenes of."""
    ingest_scenes(run_config(campaign(tmp_path / "first"), tmp_path / "ws"))
    bands = [speckle((100, 130)), np.zeros((100, 130))]
    for beam, at, noted in (("ASC45", (0, 0), False), ("ASC46", (1, 0), True)):
        folder = tmp_path / beam
        write_raster(folder / "asc" / file_name("20200110T172517"), bands, at=at)
        write_table(folder, [row("20200110T172517", beam, "ASC", 44.8, "HH")])
        told = ingest_scenes(run_config(folder, tmp_path / "ws"), dry_run=True)
        assert ("its pixels are not those of DSC37" in str(told)) == noted


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"end": "2020"}, "2020 is no day"),
        ({"start": "2020-02-30"}, "2020-02-30 is no day"),
        ({"dates": ["2020-01-08", "x"]}, "x is no day"),
        ({"months": (1, 13)}, "no month 13"),
        ({"start": "2020-02-01", "end": "2020-01-31"}, "start 2020-02-01 is after end 2020-01-31"),
    ],
)
def test_a_period_that_is_none_is_refused(
    tmp_path: Path, asked: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        open_cube(str(tmp_path / "none.zarr"), **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("held", [False, True], ids=["at once", "one after the other"])
def test_beams_that_differ_in_punctuation_alone(tmp_path: Path, held: bool) -> None:
    """The catalog would list one cube for both, and the other's data would be lost to its users."""
    folder = campaign(tmp_path / "scenes", shape=(32, 32), starts=STARTS[:2])
    table = [row(STARTS[0], "A-1"), row(STARTS[1], "A_1", polarisations="HH")]
    config = run_config(folder, tmp_path / "ws")
    if held:
        other = campaign(tmp_path / "first", shape=(32, 32), starts=STARTS[:2])
        write_table(other, [row(STARTS[0], "A-1"), row(STARTS[1], "A-1", polarisations="HH")])
        ingest_scenes(run_config(other, tmp_path / "ws"))
        table[0] = row(STARTS[0], "A_1")
    write_table(folder, table)
    with pytest.raises(ConfigError, match="the beams A-1 and A_1 have one name in the catalog"):
        ingest_scenes(config)
    assert (tmp_path / "ws/cubes/A-1.zarr").exists() == held
    assert not (tmp_path / "ws/cubes/A_1.zarr").exists()


@pytest.mark.parametrize("bad", ["zeros", "truncated", "other grid"])
def test_one_bad_scene_and_nothing_is_written(tmp_path, bad: str) -> None:
    folder = campaign(tmp_path / "scenes")
    path = folder / "dsc" / file_name(STARTS[2])
    if bad == "truncated":
        path.write_bytes(path.read_bytes()[:-9000])
    else:
        level = 0 if bad == "zeros" else 1
        bands = [level * speckle((100, 130)), level * speckle((100, 130)), np.zeros((100, 130))]
        write_raster(path, bands, shift=0.5 if bad == "other grid" else 0)
    with pytest.raises((SceneError, GridMismatch)) as error:
        ingest_scenes(run_config(folder, tmp_path / "ws"))
    assert error.value.exit_code in (3, 4)
    assert not (tmp_path / "ws").exists()


def test_a_changed_scene_stops_an_ingest_before_it_writes(tmp_path) -> None:
    folder = campaign(tmp_path / "scenes", starts=STARTS[:3])
    config = run_config(folder, tmp_path / "ws")
    url = ingest_scenes(config).cubes[0].url
    image = [speckle((100, 130), 9), speckle((100, 130), 8), np.zeros((100, 130))]
    write_raster(folder / "dsc" / file_name(STARTS[0]), image)
    write_raster(folder / "dsc" / file_name(STARTS[3]), image)
    with (folder / "acquisitions.csv").open("a") as table:
        table.write(row(STARTS[3]) + "\n")
    with pytest.raises(SceneChanged):
        ingest_scenes(config)
    assert open_cube(url).sizes["time"] == 3


def test_scenes_that_cannot_be_used_are_left_out_if_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind of them: cut, without a geometry, beside the pixels, under a broken document."""
    folder = campaign(tmp_path / "scenes", starts=STARTS[:3])
    pictures = [speckle((100, 130), 9), speckle((100, 130), 8), np.zeros((100, 130))]
    astray = [f"2020{month:02}08T054412" for month in range(3, 8)]
    for start in astray:
        write_raster(folder / "dsc" / file_name(start), pictures, shift=0.5 * (start == astray[0]))
    write_table(folder, [row(start) for start in (*STARTS[:2], *astray[:4])])
    with (folder / "acquisitions.csv").open("a") as table:
        table.write(row(STARTS[2], polarisations="HH") + "\n")
    cut = folder / "dsc" / file_name(astray[1])
    cut.write_bytes(cut.read_bytes()[:5000])
    (folder / "dsc" / f"{file_name(astray[2])}.yaml").write_text("{")
    (folder / "dsc" / file_name(astray[3])).rename(folder / "dsc" / "half.tif")
    (folder / "dsc" / "half.dim").write_text("<Dimap_Document>")
    config = run_config(folder, tmp_path / "ws")
    with pytest.raises(SceneError, match=r"leave .* out with `ingest.skip_refused: true`"):
        ingest_scenes(config)
    assert not (tmp_path / "ws").exists()
    config = config.with_values({"ingest": {"skip_refused": True}})
    planned = ingest_scenes(config, dry_run=True)
    report = ingest_scenes(config)
    assert len(report.cubes[0].appended) == len(planned.cubes[0].appended) == 3
    told = " ".join(str(one.where) for one in report.left_out)
    assert all(name in told for name in (*astray[:3], astray[4], "half.dim"))
    assert len(report.left_out) == len(planned.left_out) == 5
    assert str(report).count("left out: ") == 5
    assert open_cube(report.cubes[0].url).sizes["time"] == 3
    again = ingest_scenes(config)
    assert (again.cubes[0].appended, len(again.left_out)) == ((), 5)
    new = [Path(one.url).name for one in find_candidates(config.ingest, lambda _: None)]
    assert file_name(astray[2]) not in new  # a name says less than its document

    def away(*_: object, **__: object) -> Scene:
        raise StoreError("the store is away")

    monkeypatch.setattr("cpazmal_scale.scenes.discovery.describe_scene", away)
    with pytest.raises(StoreError, match="away"):
        ingest_scenes(config)


def test_where_no_scene_can_be_used_nothing_is_ingested(tmp_path: Path) -> None:
    folder = campaign(tmp_path / "scenes", starts=STARTS[:2])
    for scene in (folder / "dsc").iterdir():
        scene.write_bytes(scene.read_bytes()[:5000])
    config = run_config(folder, tmp_path / "ws").with_values({"ingest": {"skip_refused": True}})
    with pytest.raises(SceneError):
        ingest_scenes(config)
    assert not (tmp_path / "ws").exists()


def test_verify_names_what_is_rotten(url: str, scenes: list[Scene]) -> None:
    filled(url, scenes)
    assert verify_cube(url) == []
    flipped = Path(url, "HV", "c", "1", "2", "3")
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 1
    flipped.write_bytes(data)
    Path(url, "mask", "c", "0", "0", "1").unlink()
    storage.write_bytes(f"{url}/HV/c/3/1/1", b"stray")
    found = verify_cube(url)
    assert all(isinstance(one, CubeDamaged) for one in found)
    assert sorted(one.what for one in found) == [
        "chunk 0,1 of mask of 2020-01-08 is lost",
        "chunk 1,1 of HV of 2020-02-10 is surplus",
        "chunk 2,3 of HV of 2020-01-19 is altered",
    ]
    with pytest.raises(CubeDamaged, match="is altered"):
        open_cube(url).HV.compute()


@pytest.mark.parametrize("name", ["time", "scene_id", "x", "stored/HH"])
def test_verify_and_open_notice_lost_coordinates(url: str, scenes: list[Scene], name: str) -> None:
    filled(url, scenes[:2])
    chunk = "c/0/0/0" if name == "stored/HH" else "c/0"
    Path(url, name, chunk).write_bytes(b"\x00rotten")
    assert len(verify_cube(url)) == 1
    if name != "stored/HH":
        with pytest.raises(CubeDamaged):
            open_cube(url)


def test_addresses_without_a_cube(tmp_path) -> None:
    with pytest.raises(StoreMissing, match="no cube is here"):
        open_cube(f"{tmp_path}/none.zarr")
    with pytest.raises(StoreMissing, match="no cube is here"):
        verify_cube(f"{tmp_path}/none.zarr")
    for content in (b"{}", b"not json", b'{"attributes": {}}'):
        storage.write_bytes(f"{tmp_path}/strange.zarr/zarr.json", content)
        assert verify_cube(f"{tmp_path}/strange.zarr")[0].kind == "cube_damaged"


def test_grids() -> None:
    grid = snapped((339_001.2, 5_086_000.0, 339_100.0, 5_087_001.0), PRESETS["utm32n-3m"])
    assert grid.boundingbox.bbox == (339_000.0, 5_085_999.0, 339_102.0, 5_087_001.0)
    degrees = snapped((6.8, 45.8, 6.81, 45.81), PRESETS["cpazmal"])
    assert degrees.shape == (372, 372)


def test_union_names_the_scene_that_differs(tmp_path, scenes: list[Scene]) -> None:
    grid = scenes[2].geobox
    shifted = Affine(3, 0, grid.transform.c + 0.9, 0, -3, grid.transform.f)
    moved = replace(scenes[2], geobox=GeoBox(grid.shape, shifted, grid.crs))
    with pytest.raises(GridMismatch, match=f"{product(STARTS[2])}: pixels are shifted"):
        union([*scenes[:2], moved])


def test_a_second_writer_is_refused_and_the_first_one_finishes(
    url: str, scenes: list[Scene]
) -> None:
    with leases.hold(url) as held:
        with pytest.raises(WriterConflict, match=f"process {os.getpid()}"):
            append(url, scenes[0])
        assert append(url, scenes[0], chunk=32, lease=held) == "appended"
    assert append(url, scenes[1]) == "appended"


def test_a_lease_that_the_store_did_not_take_back_does_not_lock_out_its_own_process(
    url: str, scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the store goes away in the middle and the task is tried again."""
    monkeypatch.setattr(leases.Lease, "release", lambda _: None)
    assert append(url, scenes[0], chunk=32) == "appended"
    monkeypatch.undo()
    assert append(url, scenes[1]) == "appended"


def _other_holder(url: str, number: int = 1, age: float = 0, **changes: object) -> str:
    """A ticket of another writer, last renewed so many seconds ago; its address."""
    holder = json.loads(leases.ticket_document("0123")) | changes
    where = f"{leases.folder(url)}/{number:08d}.0123.json"
    storage.write_bytes(where, json.dumps(holder).encode())
    os.utime(where, (time.time() - age,) * 2)
    return where


@pytest.mark.parametrize(
    ("age", "changes"),
    [
        (0, {"pid": 2**22 + 5, "process_started": 1.0}),
        (0, {"process_started": 1.0}),
        (0, {"pid": -1}),
        (0, {"pid": 2**70}),
        (301, {"host": "elsewhere"}),
        (-3e8, {"host": "elsewhere"}),
        (301, {"host": "elsewhere", "expires": time.time() + 3e8}),
        (301, {"host": "elsewhere", "expires": None, "pid": "?"}),
        (0, {"released": True, "host": "elsewhere"}),
    ],
)
def test_leases_of_the_dead_are_taken_over(url: str, scenes: list[Scene], age, changes) -> None:
    """A machine whose clock was ahead does not lock the cube for longer than others do."""
    _other_holder(url, age=age, **changes)
    assert append(url, scenes[0], chunk=32) == "appended"
    assert storage.list_names(leases.folder(url)) == ["lock"]


@pytest.mark.parametrize("changes", [{}, {"expires": None}, {"expires": "soon"}, {"pid": None}])
def test_a_live_lease_of_another_machine_is_respected(
    url: str, scenes: list[Scene], changes
) -> None:
    _other_holder(url, host="elsewhere:1", **changes)
    with pytest.raises(WriterConflict, match="on elsewhere"):
        append(url, scenes[0])
    assert not storage.exists(url)
    assert len(storage.list_names(leases.folder(url))) == 1


def test_a_lease_does_not_depend_on_this_machines_clock(
    url: str, scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    _other_holder(url, host="elsewhere:1", expires=time.time() + 300)
    ahead = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: ahead)
    with pytest.raises(WriterConflict, match="on elsewhere"):
        append(url, scenes[0])


def test_a_clock_that_is_set_while_a_writer_lives(
    url: str, scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux tells when processes started by a time of its start that moves with the clock."""
    import psutil

    with leases.hold(url):
        told = psutil.Process.create_time
        monkeypatch.setattr(psutil.Process, "create_time", lambda self: told(self) + 3600.0)
        with pytest.raises(WriterConflict, match="another writer is at work"):
            append(url, scenes[0])


def test_where_nothing_is_decided_in_one_step_only_the_dead_lose_their_lease(
    url: str, scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "decides", lambda _: False)
    ticket = _other_holder(url, age=1e6, host="elsewhere")
    with pytest.raises(WriterConflict, match=f"or remove {ticket} if it is dead"):
        append(url, scenes[0])
    _other_holder(url, process_started=1.0)
    assert append(url, scenes[0], chunk=32) == "appended"


def test_a_writer_that_lost_its_lease_stops_and_touches_nothing(
    url: str, scenes: list[Scene]
) -> None:
    filled(url, scenes[:1])
    with leases.hold(url) as old:
        storage.remove(f"{leases.folder(url)}/00000001.{old.token}.json")
        with pytest.raises(WriterConflict, match="took the cube over"):
            append(url, scenes[1], lease=old)
    assert open_cube(url).sizes["time"] == 1
    assert storage.list_names(f"{url}.staging") == []


def test_an_expired_writer_stops_by_its_own_clock(
    url: str, scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    with leases.hold(url) as held:
        monkeypatch.setattr(held, "deadline", time.monotonic() - 1)
        with pytest.raises(WriterConflict):
            append(url, scenes[0], chunk=32, lease=held)
    assert not storage.exists(f"{url}/zarr.json")


def test_a_change_without_lease_is_noticed_in_the_commit(
    url: str, scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(url, scenes[:1])
    decide = commits.decide

    def late(cube_url: str, wanted: Manifest) -> None:
        root = storage.read_bytes(f"{url}/zarr.json")
        storage.write_bytes(f"{url}/zarr.json", root + b"\n")
        decide(cube_url, wanted)

    monkeypatch.setattr(commits, "decide", late)
    with pytest.raises(WriterConflict, match="changed while"):
        append(url, scenes[1])
    assert not storage.exists(f"{url}/HH/c/1")


def test_everything_on_s3(tmp_path, s3_url: str) -> None:
    folder = campaign(tmp_path / "scenes", shape=(40, 60), starts=STARTS[:3])
    here = ingest_scenes(run_config(folder, tmp_path / "ws"))
    there = ingest_scenes(run_config(folder, s3_url))
    assert there.cubes[0].url == f"{s3_url}/cubes/DSC37.zarr"
    assert [c.appended for c in there.cubes] == [c.appended for c in here.cubes]
    remote, local = open_cube(there.cubes[0].url), open_cube(here.cubes[0].url)
    assert remote.attrs["state"] == local.attrs["state"]
    xr.testing.assert_identical(remote.compute(), local.compute())
    plain = xr.open_zarr(there.cubes[0].url, consolidated=True, decode_coords="all")
    np.testing.assert_array_equal(plain.HH, remote.HH)
    assert verify_cube(there.cubes[0].url) == []
    assert len(ingest_scenes(run_config(folder, s3_url)).cubes[0].unchanged) == 3
    storage.remove(f"{there.cubes[0].url}/HH/c/0/0/0")
    assert [one.what for one in verify_cube(there.cubes[0].url)] == [
        "chunk 0,0 of HH of 2020-01-08 is lost"
    ]


def test_two_writers_on_a_server_without_conditional_writes(s3_url: str) -> None:
    url = f"{s3_url}/cube.zarr"
    assert not atomic.decides(url)
    with leases.hold(url), pytest.raises(WriterConflict, match="if it is dead"), leases.hold(url):
        pass
    with leases.hold(url):
        pass


@pytest.mark.parametrize(
    ("environment", "scenes", "workspace", "match"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "s3://cpazmal/x", "unused", "no permission to list"),
        ({}, "s3://missing/x", "unused", "there is no such bucket"),
        ({}, "abc://x/y", "unused", "kind of address"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, None, "s3://cpazmal/x", "no permission to read"),
        ({}, None, "s3://missing/x", "there is no such bucket"),
        ({}, None, __file__, "a folder of this path is a file"),
    ],
)
def test_stores_out_of_reach_are_one_sentence(
    tmp_path, s3_url: str, monkeypatch: pytest.MonkeyPatch, environment, scenes, workspace, match
) -> None:
    here = campaign(tmp_path / "scenes", shape=(20, 20), starts=STARTS[:1])
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StoreError, match=match) as error:
        ingest_scenes(run_config(scenes or here, workspace))
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 5


def test_a_new_cube_covers_the_area_asked_for(tmp_path) -> None:
    """Its pixels are those of the whole cube inside, whatever is ingested later."""
    folder = campaign(tmp_path / "scenes")
    config = run_config(folder, tmp_path / "whole")
    ingest_scenes(config)
    whole = open_cube(cube_url(config.workspace, "DSC37"))
    to_degrees = Transformer.from_crs(32632, 4326, always_xy=True)
    edges = [339_090.0, 339_240.0], [5_086_800.0, 5_086_950.0]
    (west, east), (south, north) = to_degrees.transform([*edges[0]], [*edges[1]])
    parts = config.ingest.model_copy(update={"area": (west, south, east, north)})
    config = config.model_copy(update={"workspace": str(tmp_path / "part"), "ingest": parts})
    told = str(ingest_scenes(config))
    assert "lies outside the cube and is left out" in told
    part = open_cube(cube_url(config.workspace, "DSC37"))
    assert 50 <= part.sizes["x"] <= 56
    assert 50 <= part.sizes["y"] <= 56
    assert part.x[0] - 1.5 <= edges[0][0] <= edges[0][1] <= part.x[-1] + 1.5
    inside = whole.sel(x=part.x, y=part.y)
    for name in ("HH", "HV", "mask"):
        np.testing.assert_array_equal(part[name], inside[name])
    elsewhere = parts.model_copy(update={"area": (10.0, 46.0, 11.0, 47.0)})
    config = config.model_copy(update={"workspace": str(tmp_path / "no"), "ingest": elsewhere})
    with pytest.raises(GridMismatch, match=r"ingest.area: no scene lies there"):
        ingest_scenes(config)
    assert not (tmp_path / "no").exists()


def test_a_period_may_end_in_the_year_9999() -> None:
    times = np.array(["2020-01-08T05:44", "2020-12-31T23:59"], "M8[ns]")
    for period, held in (
        ({"end": "9999-12-31"}, [True, True]),
        ({"start": "9999-12-31"}, [False, False]),
        ({"start": "0001-01-01", "end": "2020-01-08"}, [True, False]),
        ({"start": "2020-12-31", "end": "2020-12-31"}, [False, True]),
    ):
        assert within(times, **period).tolist() == held
