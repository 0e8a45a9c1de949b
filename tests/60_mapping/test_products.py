"""What people open: the Cloud-Optimised GeoTIFF and the picture, on the right place and scale."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from rio_cogeo.cogeo import cog_validate
from support.small_campaign import CLASSES, SHAPE, UTM, WGS84, make_cube, workspace

from cpazmal_scale import storage
from cpazmal_scale.errors import ConfigError, StoreError
from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.mapping import map_cube, open_map, plan_map, quicklook, to_cog
from cpazmal_scale.mapping.classify.store import publish, write_block, write_template
from cpazmal_scale.mapping.show.figures import bar_length, figure_of
from cpazmal_scale.mapping.show.thumbnail import most_frequent, thumbnail
from cpazmal_scale.palette import colours, rgb


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory: pytest.TempPathFactory) -> str:
    config = workspace(tmp_path_factory.mktemp("run"), classify={"reject": 1.5})
    return map_cube(config, *data).url


@pytest.fixture(scope="module")
def geographic(data, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A map in the authors' geographic grid, filled by hand: four classes in the western half."""
    folder = tmp_path_factory.mktemp("geographic")
    y, x = np.indices(SHAPE)
    values = np.where(x < 52, 1 + (y // 22) % 4, 255).astype(np.uint8)
    return _by_hand(folder, data[0], WGS84, values, chunk=32)


def _by_hand(folder: Path, model: str, grid: GeoBox, values: np.ndarray, chunk: int = 512) -> str:
    """A published map with the given classes."""
    cube = make_cube(f"{folder}/cube.zarr", grid=grid, chunk=chunk)
    made = plan_map(workspace(folder), model, cube)
    write_template(made)
    every = Block(0, values.shape[0], 0, values.shape[1])
    publish(made.url, write_block(made.url, every, {"class": values}))
    return made.url


def test_cog_is_valid_and_holds_the_map(finished: str, tmp_path: Path) -> None:
    tif = to_cog(finished, f"{tmp_path}/map.tif")
    valid, errors, warnings = cog_validate(tif)
    assert (valid, errors, warnings) == (True, [], [])
    stored = open_map(finished)
    with rasterio.open(tif) as file:
        np.testing.assert_array_equal(file.read(1), stored["class"])
        assert file.nodata == 255
        assert file.crs.to_epsg() == 32632
        assert file.transform == UTM.transform
        table = file.colormap(1)
        tags = file.tags()
        named = file.tags(1)
    for value, code in enumerate(CLASSES, 1):
        assert table[value][:3] == rgb(colours(CLASSES)[code])
    assert table[255][3] == 0
    assert json.loads(tags["classes"]) == {"1": "ABL", "2": "ACC", "3": "HAG", "4": "ICA"}
    assert tags["dates"] == "2020-01-08/2020-04-16"
    assert (tags["radiometry"], tags["method"]) == ("gamma0_T", "DTW barycenter (sum)")
    assert tags["model"] == stored.attrs["model"]
    assert tags["cube"].endswith(stored.attrs["cube_state"])
    assert named["CLASS_3"] == "HAG hanging glacier"
    categories = ET.parse(f"{tif}.aux.xml").findall(".//Category")
    assert len(categories) == 256
    assert categories[4].text == "ICA ice apron"


def test_overviews_hold_the_most_frequent_class(data, tmp_path: Path) -> None:
    """On a map that is larger than a tile: overviews exist and mix no class numbers."""
    grid = GeoBox((1100, 700), UTM.transform, "EPSG:32632")
    y, x = np.indices((1100, 700))
    values = np.where((x // 8 + y // 8) % 2, 1, 4).astype(np.uint8)
    values[:, ::4] = 4
    tif = to_cog(_by_hand(tmp_path, data[0], grid, values), f"{tmp_path}/map.tif")
    assert cog_validate(tif)[0]
    with rasterio.open(tif) as file:
        assert file.overviews(1) == [2, 4]
        np.testing.assert_array_equal(file.read(1), values)
    with rasterio.open(tif, overview_level=0) as file:
        assert set(np.unique(file.read(1))) == {1, 4}


def test_confidence(finished: str, tmp_path: Path) -> None:
    tif = to_cog(finished, f"{tmp_path}/confidence.tif", layer="confidence")
    assert cog_validate(tif)[0]
    stored = open_map(finished)
    best = stored.probability.values.max(axis=0)
    with rasterio.open(tif) as file:
        percent = file.read(1)
    np.testing.assert_array_equal(percent == 255, stored["class"].values == 255)
    known = percent != 255
    assert np.abs(percent[known] - best[known] / 100).max() <= 0.5
    assert percent[known].min() >= 25


def test_every_other_layer_has_the_values_of_the_opened_map(finished: str, tmp_path: Path) -> None:
    """Compared with what xarray itself decodes."""
    opened = xr.open_zarr(finished)
    for name in ("probability", "entropy", "margin", "distance", "n_valid_dates"):
        tif = to_cog(finished, f"{tmp_path}/{name}.tif", layer=name)
        assert cog_validate(tif)[0]
        with rasterio.open(tif) as file:
            found, told = file.read(), file.descriptions
            assert file.transform == UTM.transform
            assert file.nodata is None if name == "n_valid_dates" else math.isnan(file.nodata)
            assert file.tags(1)["long_name"] == opened[name].attrs["long_name"]
        expected = opened[name].values.reshape(found.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        assert np.isnan(found).any() == (name != "n_valid_dates")
        style = ET.parse(tmp_path / f"{name}.qml").find(".//contrastEnhancement/maxValue")
        assert float(style.text) == pytest.approx(max(1, np.nanmax(expected)), rel=1e-5)
        own = [f"probability of {code}" for code in CLASSES]
        assert list(told) == (own if name == "probability" else [name])
    with pytest.raises(ConfigError, match=r"no layer certainty; choose among class, .*confidence"):
        to_cog(finished, f"{tmp_path}/certainty.tif", layer="certainty")


def test_cog_on_an_object_store(finished: str, s3_url: str) -> None:
    tif = to_cog(finished, f"{s3_url}/map.tif")
    with storage.open_local(tif) as path:
        assert cog_validate(str(path))[0]


def test_unfinished_map_is_not_exported(data, tmp_path: Path) -> None:
    made = plan_map(workspace(tmp_path), *data)
    write_template(made)
    with pytest.raises(StoreError, match="the map is not finished"):
        to_cog(made.url, f"{tmp_path}/map.tif")
    with pytest.raises(StoreError, match="the map is not finished"):
        quicklook(made.url, f"{tmp_path}/map.png")
    assert not list(tmp_path.glob("map.*"))


def test_picture(finished: str, tmp_path: Path) -> None:
    from matplotlib.image import imread

    png = quicklook(finished, f"{tmp_path}/map.png", dpi=60)
    pixels = (imread(png)[..., :3] * 255).round().astype(int).reshape(-1, 3)
    shown = {tuple(pixel) for pixel in pixels.tolist()}
    assert {rgb(colour) for colour in colours(CLASSES).values()} <= shown
    texts = _texts(figure_of(open_map(finished)))
    assert "Glacier surface classes" in texts
    assert "8 Jan 2020 – 16 Apr 2020" in texts
    assert "DSC_1" in texts
    assert "hanging glacier" in texts
    assert "rejected" in texts


def _texts(figure) -> str:
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))


@pytest.mark.parametrize(
    ("width", "length"), [(312, 50), (800, 200), (2_000, 500), (41_000, 10_000), (8.1, 2)]
)
def test_scale_bar_is_round(width: float, length: float) -> None:
    assert bar_length(width) == length


@pytest.mark.parametrize(
    ("crs", "left", "top", "way"),
    [
        ("EPSG:3413", 1_500_000, 800_000, (-1_500_000, -800_000)),  # the pole is at (0, 0)
        ("EPSG:3031", 1_500_000, 800_000, (1_500_000, 800_000)),  # the pole opposite to north is
        ("EPSG:4326", 7, 46, (0, 1)),
    ],
)
def test_the_arrow_leads_to_true_north(
    crs: str, left: float, top: float, way: tuple[float, float], data, tmp_path: Path
) -> None:
    from matplotlib.patches import Circle

    step = 1e-5 if crs == "EPSG:4326" else 3
    grid = GeoBox(SHAPE, Affine(step, 0, left, 0, -step, top), crs)
    figure = figure_of(open_map(_by_hand(tmp_path, data[0], grid, np.ones(SHAPE, np.uint8))))
    (circle,) = figure.findobj(Circle)
    (north,) = figure.findobj(lambda one: getattr(one, "get_text", str)() == "N")
    x, y = np.subtract(north.get_position(), circle.center)
    turned = math.degrees(math.atan2(x, -y) - math.atan2(*way))
    assert (turned + 180) % 360 - 180 == pytest.approx(0, abs=0.1)


def test_thumbnail_of_a_geographic_grid(geographic: str) -> None:
    """Cells are measured on the ellipsoid: three metres tall, two wide at 46° north."""
    small = thumbnail(open_map(geographic), pixels=30)
    step = -(-max(SHAPE) // 30)
    assert small.cell[0] / step == pytest.approx(2.995, abs=0.01)
    assert small.cell[1] / step == pytest.approx(2.09, abs=0.01)
    assert small.extent[1] == pytest.approx(SHAPE[1] * 2.09, rel=0.05)
    whole = sum(small.square_metres.values())
    assert whole == pytest.approx(88 * 52 * 2.995 * 2.09, rel=0.01)
    assert small.square_metres[1] == pytest.approx(whole / 4, rel=1e-3)


def test_cells_may_cross_chunks(geographic: str) -> None:
    data = open_map(geographic)
    small = thumbnail(data, pixels=21)
    classes = data["class"].values
    assert small.classes.shape == (18, 21)
    for i, j in np.ndindex(small.classes.shape):
        cell = classes[5 * i : 5 * i + 5, 5 * j : 5 * j + 5].ravel().tolist()
        best = max([1, 2, 3, 4, 255], key=cell.count)
        assert small.classes[i, j] == best
    assert sum(small.square_metres.values()) == pytest.approx(88 * 52 * 2.995 * 2.09, rel=0.01)


def test_most_frequent_equals_counting() -> None:
    rng = np.random.default_rng(0)
    block = rng.choice([1, 2, 3, 254, 255], (23, 31)).astype(np.uint8)
    small, rows = most_frequent(block, 4, [1, 2, 3, 254])
    assert small.shape == (6, 8)
    for number, value in enumerate([1, 2, 3, 254]):
        np.testing.assert_array_equal(rows[:, number], (block == value).sum(axis=1))
    for i, j in np.ndindex(small.shape):
        cell = block[4 * i : 4 * i + 4, 4 * j : 4 * j + 4].ravel().tolist()
        known = [value for value in cell if value != 255]
        best = max([1, 2, 3, 254], key=known.count)
        assert small[i, j] == (best if 2 * len(known) >= len(cell) else 255)
    np.testing.assert_array_equal(most_frequent(block, 1, [1])[0], block)
