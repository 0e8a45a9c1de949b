"""A first batch is checked against itself, and versions of one acquisition are not averaged."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from support.scenes_factory import (
    STARTS,
    file_name,
    product,
    row,
    run_config,
    speckle,
    write_raster,
    write_table,
)
from support.small_products import amplitudes, cut_product, settings

from cpazmal_scale.cube import ingest_scenes as ingest
from cpazmal_scale.cube import open_cube
from cpazmal_scale.errors import BeamMismatch, SceneConflict
from cpazmal_scale.scenes import discover
from cpazmal_scale.scenes.reading import read

SHAPE = (64, 80)


def scene(folder: Path, start: str, seed: int = 0, sensor: str = "PAZ1", **options) -> Path:
    tail = options.pop("tail", "")
    name = file_name(start, sensor=sensor).replace(".tif", f"{tail}.tif")
    values = options.pop("values", speckle(SHAPE, seed))
    return write_raster(folder / name, [values, np.zeros(SHAPE)], **options)


@pytest.mark.parametrize(
    ("second", "match"),
    [
        (row(STARTS[1], direction="ASC", polarisations="HH"), "flight direction is ASC"),
        (row(STARTS[1], angle=44.6, polarisations="HH"), "incidence angle is 44.6"),
        (row(STARTS[1], polarisations="HH") + ",L", "look side is left, the cube's right"),
    ],
)
def test_a_first_batch_of_two_views_writes_nothing(tmp_path, second: str, match: str) -> None:
    folder = tmp_path / "s"
    scene(folder, STARTS[0])
    scene(folder, STARTS[1], 1)
    table = write_table(folder, [row(STARTS[0], polarisations="HH"), second])
    table.write_text(table.read_text().replace("polarisations", "polarisations,look_side", 1))
    config = run_config(folder, tmp_path / "ws")
    assert match in str(ingest(config, dry_run=True))
    with pytest.raises(BeamMismatch, match=match):
        ingest(config)
    assert not (tmp_path / "ws").exists()


ODD = {
    "direction": "flight direction is ASC",
    "angle": "incidence angle is 44.6",
    "side": "look side is left",
    "coefficient": "values are sigma0",
    "pixels": r"shifted by [+-]0\.40 columns",
    "system": "CRS is EPSG:32631",
    "place": "lies far from the other scenes",
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("at", [0, 2])
def test_the_one_that_differs_from_most_is_refused(tmp_path, kind: str, at: int) -> None:
    folder, said = tmp_path / "s", []
    for number, start in enumerate(STARTS):
        odd = number == at
        words = {"direction": "ASC"} if odd and kind == "direction" else {}
        words |= {"angle": 44.6} if odd and kind == "angle" else {}
        side = "L" if odd and kind == "side" else "R"
        said.append(f"{row(start, polarisations='HH', **words)},{side}")
        placed = {
            "pixels": {"shift": 0.4},
            "system": {"crs": "EPSG:32631"},
            "place": {"at": (9_000, 9_000)},
        }
        options = placed.get(kind, {}) if odd else {}
        tail = "_Sigma0_HH" if odd and kind == "coefficient" else ""
        scene(folder, start, number, tail=tail, **options)
    table = write_table(folder, said)
    table.write_text(table.read_text().replace("polarisations", "polarisations,look_side", 1))
    config = run_config(folder, tmp_path / "ws")
    plan = ingest(config, dry_run=True)
    (refused,) = plan.refused
    assert re.search(ODD[kind], str(refused))
    assert product(STARTS[at]) in str(refused.where)
    assert [one.start for one in plan.cubes[0].scenes] == sorted(
        one.start for one in plan.cubes[0].scenes
    )
    assert plan.cubes[0].dates == len(STARTS) - 1
    with pytest.raises(type(refused), match=ODD[kind]):
        ingest(config)
    assert not (tmp_path / "ws").exists()


def test_a_first_batch_of_two_coefficients_writes_nothing(tmp_path) -> None:
    folder = tmp_path / "s"
    for at, name in enumerate(("Gamma0_HH", "Sigma0_HH")):
        path = scene(folder, STARTS[at], at)
        import rasterio

        with rasterio.open(path, "r+") as raster:
            raster.descriptions = (name, "layover_shadow_mask")
    write_table(folder, [row(start, polarisations="HH") for start in STARTS[:2]])
    with pytest.raises(BeamMismatch, match="values are sigma0, the cube's gamma0_T"):
        ingest(run_config(folder, tmp_path / "ws"))
    assert not (tmp_path / "ws").exists()


@pytest.mark.parametrize("later", [False, True])
def test_a_tandem_pair_is_one_acquisition(tmp_path, later: bool) -> None:
    folder = tmp_path / "s"
    rows = [row(STARTS[0], polarisations="HH", sensor=sensor) for sensor in ("TSX1", "TDX1")]
    write_table(folder, rows)
    scene(folder, STARTS[0], sensor="TSX1")
    config = run_config(folder, tmp_path / "ws")
    if later:
        ingest(config)
    scene(folder, STARTS[0], 1, sensor="TDX1")
    with pytest.raises(SceneConflict, match="TanDEM-X pair"):
        ingest(config)
    assert (tmp_path / "ws").exists() is later
    if later:
        assert open_cube(f"{tmp_path}/ws/cubes/DSC37.zarr").sizes["time"] == 1


@pytest.mark.parametrize("factor", [4.0, 0.3])
@pytest.mark.parametrize("where", ["beside", "another folder", "cut"])
def test_versions_of_one_acquisition_are_refused(tmp_path, factor: float, where: str) -> None:
    values = speckle(SHAPE)
    write_table(tmp_path, [row(STARTS[0], polarisations="HH")])
    scene(tmp_path, STARTS[0], values=values)
    other = {"beside": (tmp_path, "_Spk"), "another folder": (tmp_path / "v2", "")}
    folder, tail = other.get(where, (tmp_path, "_cut"))
    at = (50, 0) if where == "cut" else (0, 0)
    scene(folder, STARTS[0], values=values * factor, tail=tail, at=at)
    with pytest.raises(SceneConflict, match="pixels overlap and differ by"):
        discover(run_config(tmp_path, "unused").ingest, check=True)


def test_a_filtered_version_of_equal_mean_is_refused(tmp_path) -> None:
    write_table(tmp_path, [row(STARTS[0], polarisations="HH")])
    values = speckle(SHAPE)
    scene(tmp_path, STARTS[0], values=values)
    scene(tmp_path, STARTS[0], values=np.full(SHAPE, values.mean()), tail="_Spk")
    with pytest.raises(SceneConflict, match="100% of their HH pixels"):
        discover(run_config(tmp_path, "unused").ingest, check=True)


def test_copies_that_only_lie_otherwise_are_one(tmp_path) -> None:
    write_table(tmp_path, [row(STARTS[0], polarisations="HH")])
    values = speckle(SHAPE)
    scene(tmp_path, STARTS[0], values=values)
    scene(tmp_path / "copy", STARTS[0], values=values, compress="deflate")
    (found,) = discover(run_config(tmp_path, "unused").ingest, check=True)
    assert found.id == product(STARTS[0])
    np.testing.assert_array_equal(read(found, found.geobox, (0, SHAPE[0]))[0][0], values)


def test_a_reprocessed_product_is_another_version(tmp_path, shared_data: Path) -> None:
    values = amplitudes((200, 180))
    cut_product(shared_data, tmp_path / "first", values)
    factor = "1.04344690525452603E-05"

    def louder(text: str) -> str:
        assert factor in text
        text = text.replace(factor, f"{4 * float(factor)!r}")
        return re.sub(r"<generationTime>[^<]*<", "<generationTime>2020-02-02T10:00:00Z<", text)

    cut_product(shared_data, tmp_path / "second", values, edit=louder)
    with pytest.raises(SceneConflict, match=r"made 2020-02-02.*differ by 6\.0 dB"):
        discover(settings(tmp_path).ingest, check=True)
