"""What a map says of its channels is what its dates hold, in every place that says it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import rasterio
from support.small_campaign import DATES, make_cube, make_model, workspace

from cpazmal_scale.catalog.stac import stac_item
from cpazmal_scale.config import RunConfig
from cpazmal_scale.mapping import (
    map_cube,
    open_map,
    plan_card,
    plan_map,
    read_recipe,
    smooth,
    to_cog,
    used,
    write_viewer,
)
from cpazmal_scale.mapping.classify.acquired import acquired_by, together
from cpazmal_scale.mapping.show.figures import figure_of
from cpazmal_scale.words import channels


@pytest.mark.parametrize(
    ("held", "text"),
    [
        ({"HH": 30, "HV": 30}, "HH, HV"),
        ({"HH": 30, "HV": 0}, "HH"),
        ({"HH": 30, "HV": 12}, "HH, HV on 12 of 30 dates"),
        ({"HH": 1, "VV": 29}, "HH on 1 of 30 dates, VV on 29 of 30 dates"),
        ({"HH": 0}, "–"),
    ],
)
def test_channels_in_words(held: dict[str, int], text: str) -> None:
    assert channels(held, 30) == text


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_model(f"{tmp_path_factory.mktemp('model')}/model.zarr")


@pytest.mark.parametrize(
    ("without", "text", "polarisations"),
    [
        (tuple(range(DATES)), "HH", ["HH"]),
        ((3, 4, 5), "HH, HV on 7 of 10 dates", ["HH", "HV"]),
        ((), "HH, HV", ["HH", "HV"]),
    ],
    ids=["none", "some", "all"],
)
def test_every_place_says_what_was_used(
    model: str, tmp_path: Path, without: tuple[int, ...], text: str, polarisations: list[str]
) -> None:
    cube = make_cube(f"{tmp_path}/cubes/DSC_1.zarr", without_hv=without)
    config = workspace(tmp_path)
    card = plan_card(plan_map(config, model, cube))
    assert re.search(r"^channels (.*); classes", card, re.M)[1] == text  # type: ignore[index]
    url = map_cube(config, model, cube).url
    data, recipe = open_map(url), read_recipe(url)
    assert used(data, recipe) == text
    assert data.attrs["source"].endswith(f"10 dates, {text}")
    subtitle = [t.get_text() for t in figure_of(data).texts]
    assert any(
        f"10 dates  ·  {text}  ·  3 m pixels, 7 × 7 window (21 m)" in one for one in subtitle
    )
    with rasterio.open(to_cog(url, f"{tmp_path}/map.tif")) as file:
        assert file.tags()["channels"] == text
    page = write_viewer(url, f"{tmp_path}/map.html", cube_url=cube, model_url=model, points=3)
    facts = re.search(r'id="facts">(.*?)</script>', Path(page).read_text(), re.S)
    assert facts is not None
    assert json.loads(facts[1])["used"] == text
    for item in (stac_item(url, cube_url=cube), stac_item(url)):
        assert item["properties"]["sar:polarizations"] == polarisations
        assert f"10 radar acquisitions ({text}), by " in item["properties"]["description"]
    assert stac_item(cube)["properties"]["sar:polarizations"] == polarisations
    smoother = open_map(smooth(RunConfig.parse(config.model_dump(mode="json")), url).url)
    assert used(smoother, recipe) == text


def test_maps_that_do_not_say_it_hold_every_channel(model: str, tmp_path: Path) -> None:
    url = map_cube(workspace(tmp_path), model, make_cube(f"{tmp_path}/cube.zarr")).url
    data = open_map(url)
    del data.attrs["channels"]
    assert acquired_by(data, read_recipe(url)) == {"HH": 10, "HV": 10}


def test_channels_of_maps_of_maps() -> None:
    one, two = {"HH": 10, "HV": 3}, {"HH": 10, "VV": 4}
    assert together([one, two], 20) == {"HH": 20, "HV": 3, "VV": 4}
    assert together([one, one], 10) == {"HH": 10, "HV": 6}
