"""Cards and quick-looks of products and ground scenes, from Python and the command line."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from matplotlib import image
from matplotlib.text import Text
from odc.geo.geobox import GeoBox
from support.scenes_factory import STARTS
from support.scenes_factory import campaign as ground_campaign

from cpazmal_scale.config import Ingest
from cpazmal_scale.scenes import Scene, discover, overview, scene_card, scene_picture
from cpazmal_scale.scenes.inspect.card import figure_of
from cpazmal_scale.scenes.reading import read
from cpazmal_scale.simulate.campaign import campaign
from cpazmal_scale.words import box


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slant")
    period = {"start": date(2020, 1, 1), "end": date(2020, 1, 9)}
    campaign(folder, size=300, beams=("DSC37",), level1b="flat", **period)
    return folder / "scenes"


def only(folder: Path, **level1b: object) -> Scene:
    rules = Ingest.model_validate({"scenes": str(folder), "level1b": level1b})
    return discover(rules)[0]


@pytest.mark.slow
def test_the_card_of_a_product_tells_its_annotation(products: Path) -> None:
    scene = only(products, height=2000.0)
    rows = dict(scene_card(scene, overview(scene)))
    assert rows["product"].startswith("PAZ1_SAR__SSC______SM_D_SRA_20200108T")
    assert "descending, looking right" in rows["beam"]
    assert "SSC SM" in rows["image"]
    assert "as annotated" in rows["image"]
    assert "agrees with the orbit" in rows["geolocation"]
    assert {"calibration HH", "calibration HV", "HH", "HV", "sha256"} <= set(rows)
    assert "-19.9" in rows["calibration HH"]
    assert "not terrain-corrected" in rows["processing"]
    assert "note" not in rows
    assert "off; set" in dict(scene_card(only(products), overview(scene)))["note"]


def test_the_card_of_a_ground_scene_tells_what_is_known(tmp_path: Path) -> None:
    scene = only(ground_campaign(tmp_path))
    rows = dict(scene_card(scene, overview(scene)))
    assert rows["incidence"] == "37.4° at centre"
    assert rows["values"] == "γ0_T, linear power"
    assert "(HH, HV, mask)" in rows["files"]
    assert re.fullmatch(r"[\d.]+° E to [\d.]+° E, [\d.]+° N to [\d.]+° N", rows["place"])
    assert rows["grid"].startswith("100 x 130 pixels of 3 m")
    assert "processing" not in rows


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ((6.84, 45.82, 7.1, 45.98), "6.84° E to 7.10° E, 45.82° N to 45.98° N"),
        ((-73.1, -44.06, -72.9, -43.9), "73.10° W to 72.90° W, 44.06° S to 43.90° S"),
        ((286.9, -0.1, 287.1, 0.1), "73.10° W to 72.90° W, 0.10° S to 0.10° N"),
    ],
)
def test_a_place_says_its_hemisphere(bounds: tuple[float, float, float, float], text: str) -> None:
    assert box(bounds) == text


def test_an_overview_is_the_mean_of_its_pixels(tmp_path: Path) -> None:
    scene = only(ground_campaign(tmp_path, shape=(100, 131)))
    seen = overview(scene, edge=50)
    assert seen.step == 3
    assert seen.power.shape == (2, 34, 44)
    power, _ = read(scene, scene.geobox, (0, 100))
    np.testing.assert_allclose(seen.power[0, 4, 7], power[0, 12:15, 21:24].mean(), rtol=1e-6)
    np.testing.assert_allclose(seen.power[1, 33, 43], power[1, 99:, 129:].mean(), rtol=1e-6)


def test_an_overview_of_a_product_keeps_its_power(products: Path) -> None:
    scene = only(products, height=2000.0)
    power, _ = read(scene, scene.geobox, (0, scene.geobox.shape[0]))
    seen = overview(scene, edge=60)
    assert max(seen.power.shape[1:]) <= 60
    for small, whole in zip(seen.power, power, strict=True):
        assert 10 * np.log10(np.nanmean(small) / np.nanmean(whole)) == pytest.approx(0, abs=0.5)


def test_the_picture_shows_the_scene(products: Path, tmp_path: Path) -> None:
    scene = only(products, height=2000.0)
    url = scene_picture(scene, str(tmp_path / "q.png"))
    pixels = image.imread(url)[..., :3]
    grey = pixels[np.ptp(pixels, axis=-1) < 0.01]
    assert pixels.shape[1] > pixels.shape[0] > 400  # two panels side by side
    assert np.std(grey) > 0.1


@pytest.mark.parametrize(
    ("crs", "x", "y", "words"),
    [
        ("EPSG:32632", 500_000, 5_082_000, "north is up"),
        ("EPSG:32633", -130_000, 5_110_000, "north is 6° right of up"),  # 8° west of its meridian
        ("EPSG:3413", 2_000_000, 2_000_000, "north is 135° left of up"),
    ],
)
def test_the_picture_tells_where_north_is(
    crs: str, x: float, y: float, words: str, tmp_path: Path
) -> None:
    scene = only(ground_campaign(tmp_path))
    seen = overview(scene)
    turned = GeoBox(seen.geobox.shape, Affine(3, 0, x, 0, -3, y), crs)
    figure = figure_of(scene, dataclasses.replace(seen, geobox=turned))
    assert words in [text.get_text().partition(", ")[2] for text in figure.findobj(Text)]


def inspect(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("cpazmal")), "inspect", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
    )


@pytest.mark.slow
def test_the_command_shows_card_and_picture(products: Path, tmp_path: Path) -> None:
    ran = inspect(str(products), "--ingest.level1b.height", "2000", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "not terrain-corrected" in ran.stdout
    (picture,) = (tmp_path / "build" / "inspect").iterdir()
    assert picture.name in ran.stdout.replace("\n", "")
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_many_scenes_get_a_line_each(tmp_path: Path) -> None:
    ground_campaign(tmp_path / "in")
    ran = inspect(str(tmp_path / "in"), folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    *lines, last = ran.stdout.splitlines()
    assert len(lines) == len(STARTS)
    assert last.startswith(f"{len(STARTS)} scenes can be used, by beam: ")
    assert not (tmp_path / "build").exists()
