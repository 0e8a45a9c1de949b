"""A legend in models, maps and their files; maps without one stay as they are."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import rasterio
import zarr
from support.small_campaign import CLASSES, make_cube, make_model, workspace

from cpazmal_scale import storage
from cpazmal_scale.catalog.stac import stac_item
from cpazmal_scale.legend import plain
from cpazmal_scale.mapping import (
    compare_maps,
    legend_of,
    map_cube,
    open_map,
    read_recipe,
    sieve,
    to_cog,
)
from cpazmal_scale.mapping.show.facts import about
from cpazmal_scale.mapping.show.figures import figure_of
from cpazmal_scale.mapping.show.thumbnail import thumbnail
from cpazmal_scale.model import open_model

SAID = {
    "ICA": {"name": "Eiswand & <Firn>", "colour": "#010203", "order": 1},
    "ACC": {"name": "névé", "glacier": False, "order": 2},
}


@pytest.fixture(scope="module")
def plain_map(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A cube and a model without a legend."""
    folder = tmp_path_factory.mktemp("legend")
    return folder, make_model(f"{folder}/model.zarr"), make_cube(f"{folder}/cube.zarr")


def palette(qml: Path) -> list[tuple[int, str, str]]:
    """Entries as `QgsPalettedRasterRenderer::create` reads them."""
    root = ET.fromstring(qml.read_text("utf-8").partition("\n")[2])
    assert root.tag == "qgis"
    (renderer,) = root.findall("./pipe/rasterrenderer")
    assert renderer.attrib["type"] == "paletted"
    assert int(renderer.attrib["band"]) == 1
    assert float(renderer.attrib["opacity"]) == 1
    entries = renderer.find("colorPalette")
    assert entries is not None
    return [
        (int(one.attrib["value"]), one.attrib["color"], one.attrib["label"])
        for one in entries.findall("paletteEntry")
        if int(one.attrib.get("alpha", "255")) == 255
    ]


def test_a_legend_is_kept_in_the_model_without_changing_it(tmp_path: Path) -> None:
    made = workspace(tmp_path, legend=SAID)
    plainly = open_model(make_model(f"{tmp_path}/plain.zarr"))
    named = open_model(make_model(f"{tmp_path}/named.zarr", made))
    assert named.id == plainly.id
    assert plain(named.legend) == SAID
    assert plainly.legend == {}


def test_everything_of_a_map_has_its_legend(plain_map, tmp_path: Path) -> None:
    _, model, cube = plain_map
    made = map_cube(workspace(tmp_path, legend=SAID), model, cube)
    data = open_map(made.url)
    assert plain(legend_of(data).given) == SAID
    assert data["class"].attrs["flag_colors"].split()[3] == "#010203"
    assert data["class"].attrs["class_names"][3] == "Eiswand & <Firn>"
    assert "not glacier" in str(made)
    rows = [line.split()[0] for line in str(made).splitlines()[1:5]]
    assert rows == ["ICA", "ACC", "ABL", "HAG"]

    to_cog(made.url, f"{tmp_path}/map.tif")
    with rasterio.open(tmp_path / "map.tif") as file:
        assert file.colormap(1)[4] == (1, 2, 3, 255)
        assert file.tags(1)["CLASS_4"] == "ICA Eiswand & <Firn>"
    side = ET.parse(tmp_path / "map.tif.aux.xml")
    assert side.findall(".//Category")[4].text == "ICA Eiswand & <Firn>"
    columns = [one.findtext("Name") for one in side.findall(".//FieldDefn")]
    table = [
        dict(zip(columns, (cell.text for cell in row), strict=True))
        for row in side.findall(".//GDALRasterAttributeTable/Row")
    ]
    assert table[3] == {
        "Value": "4", "Class": "ICA", "Name": "Eiswand & <Firn>", "Glacier": "1",
        "Red": "1", "Green": "2", "Blue": "3",
    }  # fmt: skip
    assert table[1]["Glacier"] == "0"
    assert palette(tmp_path / "map.qml") == [
        (4, "#010203", "ICA Eiswand & <Firn>"),
        (2, "#a5dcf5", "ACC névé"),
        (1, "#0f6cb4", "ABL ablation area"),
        (3, "#f2a01c", "HAG hanging glacier"),
        (254, "#d9d4c7", "rejected"),
    ]

    recipe, areas = read_recipe(made.url), thumbnail(data).square_metres
    entries = about(data, recipe, open_model(model), areas)["classes"]
    assert [one["code"] for one in entries] == ["ICA", "ACC", "ABL", "HAG"]
    assert [one["group"] for one in entries] == ["glacier", "not glacier", "glacier", "glacier"]
    texts = {text.get_text() for axis in figure_of(data).axes for text in axis.texts}
    assert {"Eiswand & <Firn>", "névé"} <= texts
    item = stac_item(made.url)["properties"]["classification:classes"]
    assert item[3]["description"] == "Eiswand & <Firn>"
    assert item[3]["color_hint"] == "010203"


def chunks(url: str) -> dict[str, bytes]:
    return {str(f): f.read_bytes() for f in Path(url).rglob("c/**/*") if f.is_file()}


def test_another_legend_changes_words_alone(plain_map, tmp_path: Path) -> None:
    _, model, cube = plain_map
    first = map_cube(workspace(tmp_path), model, cube)
    before, root = chunks(first.url), storage.read_bytes(f"{first.url}/zarr.json")
    assert b'"legend"' not in root
    again = map_cube(workspace(tmp_path, legend=SAID), model, cube)
    assert (again.id, again.blocks_executed) == (first.id, 0)
    assert chunks(first.url) == before
    assert legend_of(open_map(first.url)).names["ICA"] == "Eiswand & <Firn>"
    bare = zarr.open_array(f"{first.url}/class", mode="r")
    assert "#010203" in str(bare.attrs["flag_colors"])
    map_cube(workspace(tmp_path), model, cube)
    reset = json.loads(storage.read_bytes(f"{first.url}/zarr.json"))["attributes"]
    assert reset["legend"] == "{}"
    metadata = json.loads(root)["consolidated_metadata"]["metadata"]
    now = json.loads(storage.read_bytes(f"{first.url}/class/zarr.json"))
    assert now["attributes"] == metadata["class"]["attributes"]


def test_maps_of_maps_inherit_it(plain_map, tmp_path: Path) -> None:
    _, model, cube = plain_map
    config = workspace(tmp_path, legend=SAID)
    made = map_cube(config, model, cube)
    quiet = workspace(tmp_path)
    patches = sieve(workspace(tmp_path, after={"min_area": 100.0}), made.url)
    assert legend_of(open_map(patches.url)).names["ICA"] == "Eiswand & <Firn>"
    change = compare_maps(quiet, made.url, made.url).map
    named = legend_of(open_map(change.url))
    assert named.names["ICA"] == "Eiswand & <Firn>"
    assert len(set(named.colours.values())) == len(CLASSES) ** 2


def test_percent_is_grey_in_qgis(plain_map, tmp_path: Path) -> None:
    _, model, cube = plain_map
    made = map_cube(workspace(tmp_path), model, cube)
    to_cog(made.url, f"{tmp_path}/sure.tif", layer="confidence")
    root = ET.fromstring((tmp_path / "sure.qml").read_text().partition("\n")[2])
    renderer = root.find("./pipe/rasterrenderer")
    assert renderer is not None
    assert renderer.attrib["type"] == "singlebandgray"
    assert [renderer.findtext(f"./contrastEnhancement/{n}Value") for n in ("min", "max")] == [
        "0",
        "100",
    ]
    assert np.isfinite(float(renderer.attrib["opacity"]))
