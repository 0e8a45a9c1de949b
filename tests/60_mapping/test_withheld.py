"""Where probabilities cannot be calibrated a map has none, and everything made of it says why."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import xarray as xr
from support.series_campaign import CONFIG, campaign
from support.small_campaign import make_cube, make_model, workspace

from cpazmal_scale.catalog.stac import write_stac
from cpazmal_scale.errors import ModelMismatch
from cpazmal_scale.mapping import (
    about,
    by_zone,
    compare_maps,
    fuse_maps,
    map_cube,
    open_map,
    plan_map,
    quicklook,
    refine_map,
    to_cog,
    write_viewer,
)
from cpazmal_scale.model import Model, model_card, open_model, train
from cpazmal_scale.view import Held, ShownMap

CHANCES = {"probability", "entropy", "margin"}
WHY = "shares of votes are no chances"
ONE_STATISTIC = {"statistics": ["k1"], "xpol": "none"}
UNSTABLE = (
    "classes are clusters of the series themselves; maps of the even and of the odd dates agree at "
    "an adjusted Rand index of 0.06: no stable classes"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A map by votes, and one of the same cube with probabilities."""
    folder = tmp_path_factory.mktemp("maps")
    cube = make_cube(f"{folder}/cube.zarr")
    found = SimpleNamespace(cube=cube)
    for name in ("vote", "sum"):
        config = workspace(folder / name, classify={"method": name})
        model = make_model(f"{folder}/{name}.zarr", config)
        url = map_cube(config, model, cube).url
        setattr(found, name, SimpleNamespace(config=config, model=model, url=url))
    return found


def test_the_map_says_why_and_is_smaller(made) -> None:
    data = open_map(made.vote.url)
    assert not CHANCES & set(data.variables)
    assert set(data.data_vars) >= {"class", "distance", "n_valid_dates"}
    assert data.attrs["probabilities"] == f"withheld: {WHY}"
    assert xr.open_zarr(made.vote.url).attrs["probabilities"] == f"withheld: {WHY}"
    with_them = open_map(made.sum.url)
    assert set(with_them.data_vars) >= CHANCES
    assert "probabilities" not in with_them.attrs
    assert with_them.attrs["calibration"] == open_model(made.sum.model).calibration
    assert "calibration" not in data.attrs
    plans = [plan_map(one.config, one.model, made.cube) for one in (made.vote, made.sum)]
    sizes = [plan.bytes_written / plan.pixels for plan in plans]
    # uint8 class and dates, float32 distance; beside uint16 of four classes, entropy and margin
    assert sizes == [6, 19]


def test_files_pages_and_items_go_without(made, tmp_path: Path) -> None:
    with rasterio.open(to_cog(made.vote.url, f"{tmp_path}/map.tif")) as file:
        np.testing.assert_array_equal(file.read(1), open_map(made.vote.url)["class"])
        assert file.tags()["probabilities"] == f"withheld: {WHY}"
    with pytest.raises(ModelMismatch, match=f"it has no probabilities: {WHY}; export `class`"):
        to_cog(made.vote.url, f"{tmp_path}/sure.tif", layer="confidence")
    quicklook(made.vote.url, f"{tmp_path}/map.png", dpi=40)
    page = f"{tmp_path}/map.html"
    write_viewer(made.vote.url, page, cube_url=made.cube, model_url=made.vote.model)
    text = Path(page).read_text()
    assert 'id="data-layer-class"' in text
    assert 'id="data-layer-probability-0"' not in text
    facts = json.loads(text.partition('id="facts">')[2].partition("</script>")[0])
    assert set(facts["layers"]) == {"class", "backscatter"}
    assert facts["withheld"] == WHY
    item = f"{tmp_path}/map.stac.json"
    write_stac(made.vote.url, item, cube_url=made.cube)
    told = json.loads(Path(item).read_text())
    assert f"Probabilities are withheld: {WHY}." in told["properties"]["description"]
    assert told["assets"]["zarr"]["title"] == "Class, distance, valid dates"


def test_what_has_them_says_how_well_they_are_known(made, tmp_path: Path) -> None:
    said = open_model(made.sum.model).calibration
    assert said is not None
    assert float(said.rpartition("± ")[2].split()[0]) > 0
    with rasterio.open(to_cog(made.sum.url, f"{tmp_path}/map.tif")) as file:
        assert file.tags()["calibration"] == said
    page, item = f"{tmp_path}/map.html", f"{tmp_path}/map.stac.json"
    write_viewer(made.sum.url, page, cube_url=made.cube, model_url=made.sum.model)
    assert said in Path(page).read_text()
    write_stac(made.sum.url, item, cube_url=made.cube)
    assert (
        f"Probabilities were {said}."
        in json.loads(Path(item).read_text())["properties"]["description"]
    )


def test_the_served_page_has_no_such_layers(made) -> None:
    shown = ShownMap.open(made.vote.url, Held(1 << 20))
    assert shown.layers == ("class",)
    assert set(shown.at(20, 20)) == {"class"}
    assert about(shown.data, shown.recipe, None, dict.fromkeys(range(256), 1.0))["withheld"] == WHY
    shown.close()


def test_steps_without_probabilities_go_on_and_others_say_what_is_missing(
    made, tmp_path: Path
) -> None:
    after = made.vote.config.with_values({"after": {"modal": 3, "min_area": 100}})
    *_, last = refine_map(after, made.vote.url)
    data = open_map(last.url)
    assert not CHANCES & set(data.variables)
    assert data.attrs["probabilities"] == f"withheld: {WHY}"
    smooth = made.vote.config.with_values({"after": {"window": 5}})
    for act in (
        lambda: refine_map(smooth, made.vote.url),
        lambda: fuse_maps(smooth, [made.vote.url, made.sum.url]),
        lambda: compare_maps(smooth, made.sum.url, made.vote.url),
    ):
        with pytest.raises(ModelMismatch, match=f"it has no probabilities: {WHY}; use a modal"):
            act()
    zone = {"type": "Polygon", "coordinates": [_box()]}
    outlines = tmp_path / "zones.geojson"
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}
    feature = {"type": "Feature", "properties": {"name": "one"}, "geometry": zone}
    whole = {"type": "FeatureCollection", "crs": crs, "features": [feature]}
    outlines.write_text(json.dumps(whole))
    table = by_zone(
        made.vote.config.with_values({"after": {"outlines": str(outlines)}}), made.vote.url
    )
    assert table["km2"][0] > 0
    assert table[[c for c in table if "probability" in c or "expected" in c]].isna().all(axis=None)


def _box() -> list[list[float]]:
    left, top = 331200.0, 5078400.0
    corners = [(30, 30), (150, 30), (150, 150), (30, 150), (30, 30)]
    return [[left + x, top - y] for x, y in corners]


@pytest.mark.parametrize(
    ("groups", "method", "provenance", "why"),
    [
        (4, "discriminant", {}, None),
        (4, "sum", {}, None),
        (3, "discriminant", {}, "a class has fewer than 4 polygons to calibrate them on"),
        (3, "learned", {}, "a class has fewer than 4 polygons to calibrate them on"),
        (4, "euclid-vote", {}, WHY),
        (4, "sum", {"labels": "clusters", "stability": 0.06}, UNSTABLE),
    ],
)
def test_a_model_says_why(groups: int, method: str, provenance: dict, why: str | None) -> None:
    series, labels, polygons = campaign(groups=groups)
    own: Model = train(
        series,
        labels.tolist(),
        polygons.tolist(),
        CONFIG.with_values(
            {"classify": {"method": method}, "features": {"statistics": ["k1"], "xpol": "none"}}
        ),
        polarisations=("HH", "HV"),
        provenance=provenance,
    )
    assert own.withheld == why
    told = model_card(own, labels.tolist(), polygons.tolist(), "one.png")
    assert told["decision"]["withheld"] == why
    assert (own.calibration is None) == (why is not None)
    assert any(f"were {own.calibration}. The area mapped" in one for one in told["limits"]) == (
        why is None
    )
    assert (f"Maps hold no probabilities: {why}." in told["limits"]) == (why is not None)
