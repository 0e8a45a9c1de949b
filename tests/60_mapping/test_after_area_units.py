"""Areas with intervals from a map: units drawn blindly, interpreted, and turned into estimates."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
from shapely.geometry import box
from support.small_campaign import CLASSES, M2, SHAPE, UTM, make_cube, make_model, truth, workspace

from cpazmal_scale import catalog
from cpazmal_scale.assess import read_units, write_units
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import SampleError, StoreError
from cpazmal_scale.mapping import compare_maps, map_cube, open_source
from cpazmal_scale.stages import areas

NAME = "map_small"


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """A workspace with one published map."""
    folder = tmp_path_factory.mktemp("areas")
    config = workspace(folder)
    cube = make_cube(f"{folder}/cubes/DSC_1.zarr")
    made = map_cube(config, make_model(f"{folder}/model.zarr"), cube)
    path = made.url.removeprefix(f"{folder}/")
    catalog.publish(str(folder), catalog.Entry(NAME, "map", path, {"id": made.id}))
    return config


@pytest.fixture(scope="module")
def raster(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The truth as a reference raster."""
    path = tmp_path_factory.mktemp("truth") / "truth.tif"
    profile = {"driver": "GTiff", "height": SHAPE[0], "width": SHAPE[1], "count": 1}
    profile |= {"dtype": "uint8", "crs": "EPSG:32632", "transform": UTM.transform}
    with rasterio.open(path, "w", **profile) as file:
        file.write(truth(SHAPE) + np.uint8(1), 1)
        file.update_tags(classes=",".join(CLASSES))
    return str(path)


def source_of(config: RunConfig):
    return open_source(f"{config.workspace}/{catalog.entry(config.workspace, NAME).path}")


def test_units_lie_on_pixels_of_every_class_and_tell_nothing(mapped: RunConfig) -> None:
    with pytest.raises(SampleError, match="0 units are no sample"):
        areas.design(mapped, NAME, units=0)
    drawn = areas.design(mapped, NAME, units=120)
    source = source_of(mapped)
    codes = source.at("class", drawn["row"].to_numpy(), drawn["column"].to_numpy())
    assert len(drawn) == 120
    assert set(drawn.columns) == {"unit", "units", "row", "column", "map", "reference", "geometry"}
    assert (np.bincount(codes, minlength=5)[1:5] >= 30).all()
    assert (np.diff(codes.astype(int)) != 0).sum() > 40, "classes come in order"
    columns, rows = ~source.grid.geobox.transform * (drawn.geometry.x, drawn.geometry.y)
    np.testing.assert_allclose(rows, drawn["row"] + 0.5)
    np.testing.assert_allclose(columns, drawn["column"] + 0.5)
    again = areas.design(mapped, NAME, units=120)
    assert again.equals(drawn)


def test_intervals_hold_the_truth(mapped: RunConfig, raster: str) -> None:
    """Areas of the reference inside the mapped area, by all its pixels and by a sample of them."""
    whole, zones, of = areas.estimate(mapped, NAME, raster)
    source = source_of(mapped)
    codes = np.asarray(source.group["class"])
    labels = truth(SHAPE)[codes <= len(CLASSES)]
    real = np.bincount(labels, minlength=len(CLASSES)) * M2 / 1e6
    assert zones is None
    assert of.covered == pytest.approx(of.mapped)
    assert [of.rejected, of.no_data] == pytest.approx(
        [(codes == value).sum() * M2 / 1e6 for value in (254, 255)]
    )
    assert whole.classes == CLASSES
    assert whole.areas.sum() == pytest.approx(real.sum())
    assert (np.abs(whole.areas - real) <= 3 * whole.se_areas + 1e-12).all()
    agreed = (codes[codes <= 4] - 1 == labels).mean()
    assert whole.overall == pytest.approx(agreed, abs=3 * whole.se_overall + 1e-9)


def test_interpreted_points_go_and_come_back(mapped: RunConfig, tmp_path: Path) -> None:
    drawn = areas.design(mapped, NAME, units=60)
    file = str(tmp_path / "units.gpkg")
    write_units(drawn, file)
    with pytest.raises(SampleError, match=r"60 of 60 units \(100.0 %\) have no reference.*unknown"):
        areas.estimate(mapped, NAME, file)
    seen = np.array([*CLASSES, "ROC"])[np.minimum(truth(SHAPE)[drawn["row"], drawn["column"]], 4)]
    seen[0] = "ROC"
    Path(file).unlink()
    write_units(drawn.assign(reference=seen), file)
    whole, *_ = areas.estimate(mapped, NAME, file)
    assert whole.classes == (*CLASSES, "ROC"), "a class the map does not know"
    assert whole.areas[-1] > 0
    assert np.isnan(whole.users[-1])
    with pytest.raises(StoreError, match="something is there"):
        write_units(drawn, file)
    with pytest.raises(SampleError, match="drawn from map"):
        read_units(file, "another")


def test_a_reference_of_a_part_is_the_estimate_of_that_part(
    mapped: RunConfig, tmp_path: Path
) -> None:
    """Every unit has a class, and the areas add up to the pixels that have one; by glacier too."""
    half = tmp_path / "half.tif"
    width = SHAPE[1] // 2
    profile = {"driver": "GTiff", "height": SHAPE[0], "width": width, "count": 1}
    profile |= {"dtype": "uint8", "crs": "EPSG:32632", "transform": UTM.transform}
    labels = truth(SHAPE)[:, :width] + np.uint8(1)
    labels[:20] = 0
    labels[20:30] = 200
    with rasterio.open(half, "w", **profile) as file:
        file.write(labels, 1)
        file.update_tags(classes=",".join(CLASSES))
    left, top = UTM.transform.c, UTM.transform.f
    outlines = tmp_path / "outlines.gpkg"
    shape = box(left, top - 3 * SHAPE[0], left + 3 * SHAPE[1], top)
    table = geopandas.GeoDataFrame({"name": ["all"]}, geometry=[shape], crs="EPSG:32632")
    table.to_file(outlines)
    config = mapped.with_values({"after": {"outlines": str(outlines)}})
    whole, zones, of = areas.estimate(config, NAME, str(half))
    codes = np.asarray(source_of(mapped).group["class"])
    inside = codes[30:, :width] <= len(CLASSES)
    assert of.covered == pytest.approx(inside.sum() * M2 / 1e6)
    assert of.mapped == pytest.approx((codes <= len(CLASSES)).sum() * M2 / 1e6)
    assert whole.areas.sum() == pytest.approx(of.covered)
    assert whole.counts.sum() == of.units > len(codes[30:, :width])
    assert f"{of.covered:.4f} km² with a reference" in str(of)
    assert "nearly all of" in str(dataclasses.replace(of, covered=of.mapped * 0.9997))
    assert zones is not None
    np.testing.assert_allclose(zones["km2"], whole.areas)
    labels[:] = 0
    with rasterio.open(half, "w", **profile) as file:
        file.write(labels, 1)
        file.update_tags(classes=",".join(CLASSES))
    with pytest.raises(SampleError, match="on no pixel that the map has"):
        areas.estimate(mapped, NAME, str(half))


def test_units_that_nobody_can_tell_are_counted(mapped: RunConfig, tmp_path: Path) -> None:
    drawn = areas.design(mapped, NAME, units=120)
    seen = np.array(CLASSES)[truth(SHAPE)[drawn["row"], drawn["column"]]].astype(object)
    told, *_ = areas.estimate(
        mapped, NAME, write_units(drawn.assign(reference=seen), str(tmp_path / "all.gpkg"))
    )
    seen[:3] = ["unknown", "Unknown", " unknown"]
    some = drawn.assign(reference=seen).iloc[:-2]
    whole, _, of = areas.estimate(mapped, NAME, write_units(some, str(tmp_path / "some.gpkg")))
    assert sum(of.unknown.values()) == 3
    assert (of.units, of.removed) == (120, 2)
    assert whole.counts.sum() == told.counts.sum() - 5
    assert whole.areas.sum() == pytest.approx(told.areas.sum())
    assert "5 of 120 units (4.2 %) without a class" in str(of)
    assert "2 removed" in str(of)


def test_capitals_and_blanks_make_no_surface(mapped: RunConfig, tmp_path: Path) -> None:
    """An interpreter's `abl ` is ABL; a surface the map lacks is one, however it is written."""
    drawn = areas.design(mapped, NAME, units=120)
    seen = np.array(CLASSES)[truth(SHAPE)[drawn["row"], drawn["column"]]].astype(object)
    seen[:4] = "bare rock"
    plain, _, of = areas.estimate(
        mapped, NAME, write_units(drawn.assign(reference=seen), str(tmp_path / "plain.gpkg"))
    )
    assert of.beside == {"bare rock": 4}
    written = [(str.lower, str.title, str.upper)[i % 3](name) for i, name in enumerate(seen)]
    written[2] = "  Bare  Rock "
    table = drawn.assign(reference=[f" {name}" for name in written])
    found, _, of = areas.estimate(mapped, NAME, write_units(table, str(tmp_path / "as.gpkg")))
    assert found.overall == plain.overall
    np.testing.assert_array_equal(found.counts, plain.counts)
    assert len(of.beside) == 1
    assert list(of.beside.values()) == [4]
    assert "no class of the map: " in str(of)
    assert "(4 units)" in str(of)


def test_glaciers_one_by_one(mapped: RunConfig, raster: str, tmp_path: Path) -> None:
    """A large outline gets intervals; one with too few units gets none."""
    left, top = UTM.transform.c, UTM.transform.f
    shapes = [box(left, top - 264, left + 285, top), box(left, top - 12, left + 12, top)]
    outlines = tmp_path / "outlines.gpkg"
    geopandas.GeoDataFrame({"name": ["large", "tiny"]}, geometry=shapes, crs="EPSG:32632").to_file(
        outlines
    )
    config = mapped.with_values({"after": {"outlines": str(outlines)}})
    whole, zones, _ = areas.estimate(config, NAME, raster)
    assert zones is not None
    by_name = {name: part.set_index("class") for name, part in zones.groupby("zone")}
    large = by_name["large"].loc[list(CLASSES)]
    np.testing.assert_allclose(large["km2"], whole.areas, rtol=1e-9)
    np.testing.assert_allclose(large[["km2_low", "km2_high"]], whole.areas_95, rtol=1e-9)
    assert by_name["tiny"]["km2"].isna().all()
    drawn = areas.design(mapped, NAME, units=120)
    seen = drawn.assign(reference=np.array(CLASSES)[truth(SHAPE)[drawn["row"], drawn["column"]]])
    found = [
        areas.estimate(config, NAME, write_units(table, f"{tmp_path}/{name}.gpkg"))[1]
        for name, table in (("here", seen), ("degrees", seen.to_crs("EPSG:4326")))
    ]
    assert found[0] is not None
    assert np.isfinite(found[0][found[0]["zone"] == "large"]["km2"]).all()
    assert found[0].equals(found[1])
    assert by_name["tiny"]["mapped_km2"].sum() > 0


@pytest.fixture(scope="module")
def of_change(mapped: RunConfig) -> tuple[RunConfig, np.ndarray]:
    """A map of change in the workspace, and its truth: two codes of the campaign's classes."""
    folder = mapped.workspace
    model = f"{folder}/model.zarr"
    urls = [source_of(mapped).url]
    urls.append(map_cube(mapped, model, make_cube(f"{folder}/later.zarr", seed=2)).url)
    made = compare_maps(mapped, *urls)
    path = made.map.url.removeprefix(f"{folder}/")
    catalog.publish(folder, catalog.Entry("change", "map", path, {"id": made.map.id}))
    before, after = truth(SHAPE), truth(SHAPE)
    after[:, :20] = 3
    return mapped, np.stack([before, after])


def pairs_of(both: np.ndarray) -> np.ndarray:
    names = np.array(CLASSES)
    return np.char.add(np.char.add(names[both[0]], "-"), names[both[1]])


def test_areas_of_change_hold_the_truth(of_change, tmp_path: Path) -> None:
    """By a raster of both dates, and by points with the same answers; stable strata included."""
    config, both = of_change
    pairs = pairs_of(both)
    codes = np.unique(pairs)
    file = tmp_path / "pairs.tif"
    profile = {"driver": "GTiff", "height": SHAPE[0], "width": SHAPE[1], "count": 1}
    profile |= {"dtype": "uint8", "crs": "EPSG:32632", "transform": UTM.transform}
    with rasterio.open(file, "w", **profile) as out:
        out.write((np.searchsorted(codes, pairs) + 1).astype(np.uint8), 1)
        out.update_tags(classes=",".join(codes))
    whole, _, of = areas.estimate(config, "change", str(file))
    drawn = areas.design(config, "change")
    answers = pairs[drawn["row"], drawn["column"]]
    points, *_ = areas.estimate(
        config, "change", write_units(drawn.assign(reference=answers), f"{tmp_path}/u.gpkg")
    )
    source = open_source(
        f"{config.workspace}/{catalog.entry(config.workspace, 'change').path}", of_change=True
    )
    inside = source.group["class"][:] <= 16
    for found in (whole, points):
        assert found.classes == source.recipe.classes
        assert found.areas.sum() == pytest.approx(inside.sum() * M2 / 1e6)
        for code, area, error in zip(found.classes, found.areas, found.se_areas, strict=True):
            pair = code if "-" in code else f"{code}-{code}"
            real = ((pairs == pair) & inside).sum() * M2 / 1e6
            assert abs(area - real) <= 3.5 * error, code
    assert of.covered == pytest.approx(of.mapped)
    kinds = areas.groups(config, "change", whole)
    assert kinds is not None
    moved = ((both[0] != both[1]) & inside).sum() * M2 / 1e6
    assert kinds.loc["changed", "area_low"] < moved < kinds.loc["changed", "area_high"]
    assert kinds.loc[["stayed", "changed"], "area"].sum() == pytest.approx(whole.areas.sum())
    assert kinds.loc["within glacier", "area"] == pytest.approx(kinds.loc["changed", "area"])


def test_answers_for_change_name_both_dates(of_change, raster: str, tmp_path: Path) -> None:
    config, both = of_change
    with pytest.raises(SampleError, match=r"of one date.*`a-a`"):
        areas.estimate(config, "change", raster)
    drawn = areas.design(config, "change", units=80)
    answers = pairs_of(both)[drawn["row"], drawn["column"]].astype(object)
    answers[0] = "ABL → ICA"
    file = write_units(drawn.assign(reference=answers), str(tmp_path / "arrow.gpkg"))
    with pytest.raises(SampleError, match="neither a class that stayed nor a transition"):
        areas.estimate(config, "change", file)
    answers[:2] = ["unknown", "ABL-ROC"]
    found, *_ = areas.estimate(
        config, "change", write_units(drawn.assign(reference=answers), str(tmp_path / "new.gpkg"))
    )
    assert found.classes[-1] == "ABL-ROC"
    kinds = areas.groups(config, "change", found)
    assert kinds is not None
    assert kinds.loc["loss of glacier", "area"] == found.areas[-1] > 0


def test_glaciers_of_a_map_of_change_one_by_one(of_change, tmp_path: Path) -> None:
    config, both = of_change
    left, top = UTM.transform.c, UTM.transform.f
    outlines = tmp_path / "outlines.gpkg"
    geopandas.GeoDataFrame(
        {"name": ["all"]}, geometry=[box(left, top - 264, left + 312, top)], crs="EPSG:32632"
    ).to_file(outlines)
    drawn = areas.design(config, "change", units=200)
    answers = pairs_of(both)[drawn["row"], drawn["column"]]
    file = write_units(drawn.assign(reference=answers), str(tmp_path / "units.gpkg"))
    whole, zones, _ = areas.estimate(
        config.with_values({"after": {"outlines": str(outlines)}}), "change", file
    )
    assert zones is not None
    told = zones.set_index("class")["km2"]
    np.testing.assert_allclose(
        told, [whole.areas[whole.classes.index(code)] for code in told.index]
    )


def test_units_elsewhere_are_refused(mapped: RunConfig, tmp_path: Path) -> None:
    drawn = areas.design(mapped, NAME, units=60).assign(reference="ABL")
    drawn.loc[3, "row"] = SHAPE[0]
    file = str(tmp_path / "units.gpkg")
    write_units(drawn, file)
    with pytest.raises(SampleError, match="where the map has no class"):
        areas.estimate(mapped, NAME, file)


def test_a_unit_counts_once(mapped: RunConfig, tmp_path: Path) -> None:
    drawn = areas.design(mapped, NAME, units=60).assign(reference="ABL")
    twice = pd.concat([drawn, drawn.iloc[[4]]])
    place = f"row {drawn['row'][4]}, column {drawn['column'][4]} is there twice"
    for name, table, says in (
        ("rows", twice, place),
        ("places", twice.assign(unit=range(61)), place),
        ("units", drawn.assign(unit=1), "unit 1 is there twice"),
    ):
        with pytest.raises(SampleError, match=says):
            read_units(write_units(table, f"{tmp_path}/{name}.gpkg"), drawn["map"][0])
