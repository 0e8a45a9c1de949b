"""Level-1b products into cubes: made of a real annotation and of images written here."""

from __future__ import annotations

import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import polygamma
from support.small_products import ID, cut_product, settings

from cpazmal_scale.config import MASK_BITS, RunConfig
from cpazmal_scale.cube import cube_url, ingest_scenes, open_cube
from cpazmal_scale.errors import BeamMismatch, SceneUnknown
from cpazmal_scale.scenes import Scene, SceneReader, discover

SHAPE = (700, 600)
BEAM = "DSC083_strip_011_R"


def only(config: RunConfig) -> Scene:
    (scene,) = discover(config.ingest, check=True)
    return scene


def whole(scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with SceneReader(scene, scene.geobox) as reader:
        power, flags = reader.read(0, scene.geobox.shape[0])
        angles = reader.incidence(0, scene.geobox.shape[0])
    assert angles is not None
    return power, flags, angles


def test_a_product_is_described_by_its_annotation(product: Path) -> None:
    scene = only(settings(product.parent))
    assert (scene.id, scene.sensor, scene.beam) == (ID, "TSX1", BEAM)
    assert (scene.pass_direction, scene.look_side) == ("DSC", "R")
    assert scene.polarisations == ("HH",)
    assert scene.incidence_angle == pytest.approx(39.1546891)
    assert scene.radiometry == "gamma0"
    assert scene.resolution == pytest.approx((2.78967616, 3.0))
    assert str(scene.geobox.crs) == "EPSG:32612"
    assert scene.geobox.transform.a == 3.0
    assert scene.geobox.transform.c % 3 == scene.geobox.transform.f % 3 == 0
    assert scene.processing.startswith("not terrain-corrected, geocoded 1750 m")
    assert scene.start.isoformat() == "2008-03-10T13:32:20+00:00"
    assert pickle.loads(pickle.dumps(scene)) == scene  # as tasks of a flow get it


def test_a_zone_of_another_part_of_the_earth_is_refused(product: Path) -> None:
    """Arizona in the zone of the Alps: a projection answers, with pixels of another size."""
    rules = settings(product.parent).ingest.model_copy(update={"grid": "utm32n-3m"})
    with pytest.raises(SceneUnknown, match=r"118° of longitude beside the area of the grid's EPSG"):
        discover(rules)


def test_the_example_of_the_docs_is_a_configuration() -> None:
    path = Path(__file__).parents[2] / "docs" / "examples" / "level1b.yaml"
    level1b = RunConfig.load(path).ingest.level1b
    assert (level1b.radiometry, level1b.terrain.vertical) == ("gamma0_T", "EGM2008")


def test_it_lies_where_its_annotation_says(product: Path, shared_data: Path) -> None:
    """A bright sample in the image is at the place of the geolocation grid's point for it."""
    from pyproj import Transformer

    from cpazmal_scale.scenes.level1b.georef import parse_georef
    from cpazmal_scale.scenes.untrusted import xml

    grid = parse_georef(xml.read(str(product / "ANNOTATION" / "GEOREF.xml")))
    point = 2, 1
    line = round(grid.t[point] / 2.60924658505246043e-04)
    sample = round((grid.tau[point] - grid.tau[0, 0]) / 9.10032937895266514e-09)
    values = np.full(SHAPE, 10, "c8")
    values[line - 1 : line + 2, sample - 1 : sample + 2] = 30_000
    folder = product.parent.parent / "bright"
    shutil.rmtree(folder, ignore_errors=True)
    cut_product(shared_data, folder, values)
    scene = only(settings(folder, height=float(grid.height[point]), noise="keep"))
    power, _, _ = whole(scene)
    rows, columns = np.nonzero(power[0] > 0.5 * np.nanmax(power[0]))
    to_map = Transformer.from_crs("EPSG:4326", "EPSG:32612", always_xy=True)
    x, y = to_map.transform(grid.lon[point], grid.lat[point])
    column, row = ~scene.geobox.transform * (x, y)
    assert abs(rows.mean() + 0.5 - row) < 0.5
    assert abs(columns.mean() + 0.5 - column) < 0.5


def test_power_is_kept_on_average_and_noise_is_taken_off(product: Path) -> None:
    beta = only(settings(product.parent, radiometry="beta0", noise="keep"))
    power, flags, angles = whole(beta)
    assert np.nanmean(power) == pytest.approx(0.1, rel=0.01)
    assert set(np.unique(flags)) == {0, MASK_BITS["not_valid"]}
    gamma, bits, _ = whole(only(settings(product.parent)))
    assert 37.8 < np.nanmin(angles) < np.nanmax(angles) < 38.2
    assert (np.isnan(angles) == np.isnan(power[0])).mean() > 0.995  # but for pixels on the edge
    # By hand at near range: NEBN −18.3 dB, θ 38°.
    expected = (0.1 - 10**-1.83) * np.tan(np.radians(np.nanmean(angles)))
    assert np.nanmean(gamma) == pytest.approx(expected, rel=0.05)
    assert (gamma < 0).any()
    limited = (bits & MASK_BITS["noise_limited"]) > 0
    assert 0.02 < limited.mean() < 0.5
    assert not np.isnan(gamma[0][limited]).any()


def test_strips_are_parts_of_the_whole(product: Path) -> None:
    scene = only(settings(product.parent))
    power, flags, _ = whole(scene)
    with SceneReader(scene, scene.geobox) as reader:
        for y0, y1 in ((0, 1), (100, 357), (scene.geobox.shape[0] - 5, scene.geobox.shape[0])):
            part, bits = reader.read(y0, y1)
            np.testing.assert_array_equal(part, power[:, y0:y1])
            np.testing.assert_array_equal(bits, flags[y0:y1])


def zipped(product: Path, path: Path, compression: int) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(product.rglob("*")):
            archive.write(file, Path("dims") / file.relative_to(product.parent))
    return path


def tarred(product: Path, path: Path, mode: Any) -> Path:
    with tarfile.open(path, mode) as archive:
        archive.add(product, product.name)
    return path


PACKED: dict[str, Callable[[Path, Path], Path]] = {
    "stored zip": lambda p, f: zipped(p, f / "p.zip", zipfile.ZIP_STORED),
    "deflated zip": lambda p, f: zipped(p, f / "p.zip", zipfile.ZIP_DEFLATED),
    "tar": lambda p, f: tarred(p, f / "p.tar", "w"),
    "tar.gz": lambda p, f: tarred(p, f / "p.tar.gz", "w:gz"),
}


@pytest.mark.parametrize("kind", PACKED)
def test_archives_are_the_same_scene(product: Path, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    PACKED[kind](product, folder)
    here, there = only(settings(product.parent)), only(settings(folder))
    assert (there.id, there.source_sha256) == (here.id, here.source_sha256)
    with SceneReader(here, here.geobox) as one, SceneReader(there, there.geobox) as other:
        np.testing.assert_array_equal(one.read(50, 90)[0], other.read(50, 90)[0])
    assert [path.name for path in folder.iterdir()] == [Path(PACKED[kind](product, folder)).name]


def test_a_product_becomes_a_date_of_a_cube_once(product: Path, tmp_path: Path) -> None:
    config = settings(product.parent, tmp_path)
    (report,) = ingest_scenes(config).cubes
    assert (report.beam, report.appended) == (BEAM, (ID,))
    assert ingest_scenes(config).cubes[0].unchanged == (ID,)
    cube = open_cube(cube_url(str(tmp_path), BEAM))
    assert cube.attrs["processing"].startswith("not terrain-corrected")
    assert cube.attrs["radiometry"] == "gamma0"
    power, flags, angles = whole(only(config))
    np.testing.assert_array_equal(cube["incidence"].values, angles)
    np.testing.assert_array_equal(cube["HH"].values[0], power[0])
    np.testing.assert_array_equal(cube["mask"].values[0], flags)


def test_what_is_processed_otherwise_is_not_stacked(product: Path, tmp_path: Path) -> None:
    ingest_scenes(settings(product.parent, tmp_path))
    for change in ({"height": 0.0}, {"noise": "keep"}, {"radiometry": "sigma0"}):
        with pytest.raises(BeamMismatch):
            ingest_scenes(settings(product.parent, tmp_path, **change))


def test_a_height_far_from_the_scenes_is_noted(product: Path, tmp_path: Path) -> None:
    far = ingest_scenes(settings(product.parent, tmp_path, height=0.0), dry_run=True)
    assert "1855 m on average" in str(far)
    assert "on average" not in str(ingest_scenes(settings(product.parent, tmp_path), dry_run=True))


def test_a_product_and_a_scene_made_of_it_are_not_mixed(product: Path, tmp_path: Path) -> None:
    from support.scenes_factory import speckle, write_raster

    shutil.copytree(product, tmp_path / product.name)
    write_raster(
        tmp_path / f"subset_0_of_{ID}_Cal_Tf_Tc_TC.tif", [speckle((64, 64)), np.zeros((64, 64))]
    )
    config = settings(tmp_path)
    rules = config.ingest.model_copy(
        update={"naming": config.ingest.naming.model_copy(update={"beam": BEAM})}
    )
    with pytest.raises(SceneUnknown, match=r"radiometry|another way"):
        discover(rules)


def test_real_single_look_statistics_survive(shared_data: Path, tmp_path: Path) -> None:
    """The real X-band patch through COSAR, β0 and a cube.

    With the nearest sample every pixel is one sample of the image, and none is used twice, because
    3 m are more than its spacing; a mean of samples would be a multi-look with smaller cumulants.
    """
    patch = np.load(shared_data / "tsx" / "xband_slc_patch" / "test_image_data.npy")
    values = patch.reshape(256, 256, 2).astype("f4").view("c8")[..., 0]
    cut_product(shared_data, tmp_path / "in", values)
    config = settings(
        tmp_path / "in", tmp_path, radiometry="beta0", noise="keep", resampling="nearest"
    )
    ingest_scenes(config)
    power = open_cube(cube_url(str(tmp_path), BEAM))["HH"].values[0]
    power = power[~np.isnan(power)]
    powers = np.rint(np.abs(values.astype("c16")) ** 2)
    found = np.rint(power / 1.04344690525452603e-05).astype(int)
    assert (np.bincount(found) <= np.bincount(powers.astype(int).ravel())[: found.max() + 1]).all()

    def cumulants(sample: np.ndarray) -> tuple[float, float]:
        y = np.log(sample[sample > 0])
        return float(y.var()), float(((y - y.mean()) ** 3).mean())

    # In blocks, as texture widens the whole: the rows of the data's README are medians of blocks.
    cube = open_cube(cube_url(str(tmp_path), BEAM))["HH"].values[0]
    blocks = [
        cumulants(cube[y : y + 16, x : x + 16].ravel())
        for y in range(0, cube.shape[0] - 16, 16)
        for x in range(0, cube.shape[1] - 16, 16)
        if not np.isnan(cube[y : y + 16, x : x + 16]).any()
    ]
    second, third = np.median(blocks, axis=0)
    assert len(blocks) > 50
    assert second == pytest.approx(float(polygamma(1, 1)), abs=0.35)
    assert third == pytest.approx(float(polygamma(2, 1)), abs=0.9)
