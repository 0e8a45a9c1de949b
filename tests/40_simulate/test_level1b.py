"""Simulated SSC products: read as they were written, and the same ground as the GeoTIFF scenes."""

from __future__ import annotations

import shutil
from dataclasses import fields
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import cube_url, ingest_scenes, open_cube
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.scenes import SceneReader, discover
from cpazmal_scale.scenes.level1b.annotation_xml import parse_annotation
from cpazmal_scale.scenes.level1b.georef import parse_georef
from cpazmal_scale.scenes.untrusted import xml
from cpazmal_scale.simulate.campaign import campaign
from cpazmal_scale.simulate.files.annotation_xml import annotation_document, georef_document
from cpazmal_scale.simulate.files.slant import look
from cpazmal_scale.simulate.given.tables import calendar
from cpazmal_scale.simulate.ground.grids import over_massif

PERIOD = {"start": date(2020, 1, 1), "end": date(2020, 2, 1)}
BEAMS = ("DSC37", "ASC45")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same small campaign as SSC products and as calibrated GeoTIFFs."""
    home = tmp_path_factory.mktemp("campaigns")
    for name, level1b in (("slant", "flat"), ("ground", None)):
        campaign(home / name, size=300, beams=BEAMS, level1b=level1b, **PERIOD)
    return home / "slant", home / "ground"


@pytest.mark.parametrize("beam", ["DSC37", "ASC45", "ASC54"])
def test_annotation_and_grid_are_read_as_written(beam: str) -> None:
    acquisition = next(one for one in calendar() if one.beam == beam)
    seen = look(over_massif("utm", (512, 400)), acquisition, "PAZ1", "PAZ1_SAR__SSC")
    found = parse_annotation(xml.parse(annotation_document(seen.annotation), where="a.xml"))
    assert found == seen.annotation
    grid = parse_georef(xml.parse(georef_document(seen.grid), where="g.xml"))
    for field in fields(grid):
        mine, theirs = getattr(grid, field.name), getattr(seen.grid, field.name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_allclose(mine, theirs, rtol=1e-15, atol=1e-18)
        else:
            assert mine == theirs
    assert found.centre.incidence_angle == pytest.approx(acquisition.incidence_angle, abs=0.1)


def test_both_ways_show_the_same_ground(folders: tuple[Path, Path]) -> None:
    """Slant range, COSAR, noise, calibration and geocoding end where the map scenes began."""
    slant, ground = (
        discover(RunConfig.load(folder / "run.yaml").ingest, check=True) for folder in folders
    )
    assert len(slant) == len(ground) == 4
    for one, other in zip(slant, ground, strict=True):
        assert (one.beam, one.polarisations, one.start) == (
            other.beam,
            other.polarisations,
            other.start,
        )
        with SceneReader(one, other.geobox) as reader:
            mine, _ = reader.read(0, other.geobox.shape[0])
        with SceneReader(other, other.geobox) as reader:
            theirs, _ = reader.read(0, other.geobox.shape[0])
        inside = ~np.isnan(theirs[0])
        assert not np.isnan(mine[:, inside]).any()
        for a, b in zip(mine, theirs, strict=True):
            means = a[inside].mean(), b[inside].mean()
            assert 10 * np.log10(means[0] / means[1]) == pytest.approx(0, abs=0.4)
            like = {
                shift: _likeness(a, np.roll(b, shift, (0, 1)), inside)
                for shift in ((0, 0), (0, 6), (0, -6), (6, 0), (-6, 0))
            }
            assert like[0, 0] > 0.9
            assert max(like, key=lambda shift: like[shift]) == (0, 0)


def _likeness(a: np.ndarray, b: np.ndarray, inside: np.ndarray) -> float:
    """Correlation of smoothed backscatter in dB."""
    smooth = [uniform_filter(np.nan_to_num(x), 11)[inside] for x in (a, b)]
    return float(np.corrcoef(*np.log(np.maximum(smooth, 1e-4)))[0, 1])


def test_a_simulated_campaign_of_products_is_ingested(folders: tuple[Path, Path]) -> None:
    config = RunConfig.load(folders[0] / "run.yaml")
    report = ingest_scenes(config)
    assert sorted(cube.beam for cube in report.cubes) == sorted(BEAMS)
    cube = open_cube(cube_url(config.workspace, "DSC37"))
    assert dict(cube.sizes)["time"] == 2
    assert cube.attrs["processing"].startswith("not terrain-corrected, geocoded 2000 m")
    assert all(one.unchanged for one in ingest_scenes(config).cubes)


def test_the_same_seed_gives_the_same_bytes(folders: tuple[Path, Path], tmp_path: Path) -> None:
    campaign(tmp_path, size=300, beams=("DSC37",), level1b="flat", **PERIOD)
    for path in sorted((tmp_path / "scenes").rglob("*.*")):
        other = folders[0] / path.relative_to(tmp_path)
        if path.suffix in (".cos", ".xml"):
            assert path.read_bytes() == other.read_bytes(), path.name


def test_two_campaigns_are_not_mixed(folders: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigError, match="another campaign"):
        campaign(folders[0], size=300, beams=BEAMS, **PERIOD)


def test_products_in_a_bucket_are_the_same_scenes(folders: tuple[Path, Path], s3_url: str) -> None:
    from cpazmal_scale import storage

    scenes = folders[0] / "scenes"
    product = next(one for one in sorted(scenes.iterdir()) if one.is_dir())
    for path in sorted(product.rglob("*.*")):
        storage.upload(path, f"{s3_url}/{path.relative_to(scenes)}")
    rules = RunConfig.load(folders[0] / "run.yaml").ingest
    here = discover(rules.model_copy(update={"scenes": str(product)}), check=True)
    there = discover(rules.model_copy(update={"scenes": s3_url}), check=True)
    assert [one.source_sha256 for one in there] == [one.source_sha256 for one in here]
    with SceneReader(here[0], here[0].geobox) as one, SceneReader(there[0], there[0].geobox) as two:
        np.testing.assert_array_equal(one.read(0, 50)[0], two.read(0, 50)[0])


def test_an_annotation_may_lack_the_doppler_of_a_layer() -> None:
    acquisition = next(one for one in calendar() if len(one.polarisations) == 2)
    seen = look(over_massif("utm", (512, 400)), acquisition, "PAZ1", "PAZ1_SAR__SSC")
    text = annotation_document(seen.annotation).decode()
    one, two = '<dopplerCentroid layerIndex="1">', '<dopplerCentroid layerIndex="2">'
    assert one in text
    begin, end = text.index(one), text.index(two)
    found = parse_annotation(xml.parse((text[:begin] + text[end:]).encode(), where="a.xml"))
    assert found == seen.annotation


def test_slices_of_one_pass_are_one_scene(folders: tuple[Path, Path], tmp_path: Path) -> None:
    scenes = folders[0] / "scenes"
    product = next(one for one in sorted(scenes.iterdir()) if "_20200108T" in one.name)
    rules = RunConfig.load(folders[0] / "run.yaml").ingest
    second = f"{product.name[:-6]}054459"
    for name in (product.name, second):
        shutil.copytree(product, tmp_path / name)
    main = tmp_path / second / f"{product.name}.xml"
    text = main.read_text().replace(product.name, second)
    main.unlink()
    (tmp_path / second / f"{second}.xml").write_text(text)
    (scene,) = discover(rules.model_copy(update={"scenes": str(tmp_path), "table": None}))
    (alone,) = discover(rules.model_copy(update={"scenes": str(tmp_path / product.name)}))
    assert [len(one.files) for one in (scene, alone)] == [2, 1]
    assert scene.id == product.name
    with SceneReader(scene, scene.geobox) as one, SceneReader(alone, alone.geobox) as other:
        np.testing.assert_allclose(one.read(100, 200)[0], other.read(100, 200)[0], rtol=1e-6)
