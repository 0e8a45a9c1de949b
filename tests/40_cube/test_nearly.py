"""Files that are almost what is wanted: taken where that is safe, else a sentence that helps."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from support.scenes_factory import STARTS, file_name, row, run_config, speckle, write_table
from support.small_products import ID, amplitudes, cut_product, settings

from cpazmal_scale.errors import CpazmalError, SceneUnknown, SceneUnreadable
from cpazmal_scale.scenes import discover

SHAPE = (64, 80)


def raster(folder: Path, **profile: object) -> Path:
    write_table(folder, [row(STARTS[0], polarisations="HH")])
    path = folder / file_name(STARTS[0])
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype="float32",
        count=1,
        height=SHAPE[0],
        width=SHAPE[1],
        **profile,
    ) as file:
        file.write(speckle(SHAPE), 1)
    return path


@pytest.mark.parametrize("turn", [1e-10, -1e-10, 3e-5])
def test_a_rotation_of_rounding_is_none(tmp_path, turn: float) -> None:
    to_map = Affine(3, turn, 339_000, turn, -3, 5_087_001)
    raster(tmp_path, crs="EPSG:32632", transform=to_map)
    (scene,) = discover(run_config(tmp_path, "unused").ingest)
    assert scene.geobox.transform == Affine(3, 0, 339_000, 0, -3, 5_087_001)


@pytest.mark.parametrize(
    "to_map",
    [
        Affine(3, 0.01, 339_000, 0.01, -3, 5_087_001),
        Affine(3, 0, 339_000, 0, 3, 5_086_000),
        Affine(0, 3, 339_000, -3, 0, 5_086_000),
    ],
)
def test_a_grid_that_is_turned_is_refused(tmp_path, to_map: Affine) -> None:
    raster(tmp_path, crs="EPSG:32632", transform=to_map)
    with pytest.raises(SceneUnreadable, match="rotated or south-up"):
        discover(run_config(tmp_path, "unused").ingest)


def test_ground_control_points_alone_are_no_grid(tmp_path) -> None:
    points = [GroundControlPoint(r, c, 7 + c / 1e4, 46 - r / 1e4) for r in (0, 63) for c in (0, 79)]
    raster(tmp_path, gcps=points, crs="EPSG:4326")
    with pytest.raises(SceneUnreadable, match=r"radar geometry; correct its terrain first"):
        discover(run_config(tmp_path, "unused").ingest)


@pytest.fixture
def product(tmp_path, shared_data: Path) -> Path:
    return cut_product(shared_data, tmp_path / "p", amplitudes((200, 180)))


def packed(product: Path, path: Path, separator: str = "/") -> Path:
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for one in sorted(product.rglob("*")):
            if one.is_file():
                name = f"{product.name}/{one.relative_to(product)}".replace("/", separator)
                info = zipfile.ZipInfo(name)
                info.filename = name
                archive.writestr(info, one.read_bytes())
    return path


def test_a_zip_with_the_separator_of_windows(product: Path, tmp_path) -> None:
    packed(product, tmp_path / "z" / "x.zip", "\\")
    (scene,) = discover(settings(tmp_path / "z").ingest, check=True)
    (plain,) = discover(settings(product.parent).ingest, check=True)
    assert scene.source_sha256 == plain.source_sha256
    assert np.prod(scene.geobox.shape) > 0


def test_an_archive_in_an_archive_is_named(product: Path, tmp_path) -> None:
    inner = packed(product, tmp_path / "i" / "inner.zip")
    (tmp_path / "o").mkdir()
    with zipfile.ZipFile(tmp_path / "o" / "outer.zip", "w") as archive:
        archive.write(inner, "inner.zip")
    with pytest.raises(SceneUnknown, match=r"unpack outer.zip: it holds `inner.zip`"):
        discover(settings(tmp_path / "o").ingest)


RENAMED = [
    *("{} (1).xml", "{}(2).xml", "{} - Copy.xml", "{} - Kopie.xml", "{} - Copy (2).xml"),
    *("Copy of {}.xml", "Copie de {}.xml", "{} copy.xml", "{} 2.xml", "{}_1.xml", "{}.Xml"),
]
"""Names that Windows, macOS, Linux desktops and browsers give a second copy."""


@pytest.mark.parametrize("name", RENAMED)
def test_a_main_file_saved_twice_is_named(product: Path, name: str) -> None:
    (product / f"{ID}.xml").rename(product / name.format(ID))
    with pytest.raises(SceneUnknown, match=r"rename `.*` to `TSX1_SAR__SSC.*\.xml`"):
        discover(settings(product.parent).ingest)


@pytest.mark.parametrize("where", ["folder", "zip"])
def test_a_renamed_product_beside_a_good_one_is_not_left_out(
    product: Path, tmp_path: Path, where: str
) -> None:
    other = tmp_path / "other" / product.name
    shutil.copytree(product, other)
    (other / f"{ID}.xml").rename(other / f"{ID} - Kopie.xml")
    beside = product.parent / "second"
    if where == "zip":
        packed(other, beside / "x.zip")
    else:
        shutil.move(other, beside)
    with pytest.raises(SceneUnknown, match="looks like the main file of a product"):
        discover(settings(product.parent).ingest)
    left: list[CpazmalError] = []
    (scene,) = discover(settings(product.parent).ingest, refused=left.append)
    assert scene.id == ID
    assert len(left) == 1


def test_a_copy_beside_the_main_file_itself_is_none(product: Path) -> None:
    shutil.copy(product / f"{ID}.xml", product / f"{ID} - Kopie.xml")
    (product / f"{ID}.xml").rename(product / f"{ID}.XML")
    (scene,) = discover(settings(product.parent).ingest, check=True)
    assert scene.id == ID
