"""What an exclusion mask covers is not mapped; the rest is as without it."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from rasterio.features import geometry_mask
from rasterio.warp import transform_geom
from shapely.geometry import Point, box, mapping, shape
from support.small_campaign import SHAPE, UTM, workspace

from cpazmal_scale.errors import BlocksFailed, SampleError
from cpazmal_scale.mapping import map_cube, open_map, plan_card, plan_map
from cpazmal_scale.vocabulary import NO_DATA

LEFT, TOP = UTM.transform.c, UTM.transform.f
TOWN = Point(LEFT + 120, TOP - 120).buffer(70)
VARIABLES = ("class", "probability", "entropy", "margin", "distance", "n_valid_dates")


def vector(folder: Path, crs: str = "EPSG:4326", form: object = TOWN) -> str:
    path = folder / "towns.gpkg"
    geopandas.GeoDataFrame(geometry=[form], crs="EPSG:32632").to_crs(crs).to_file(path)
    return str(path)


def raster(folder: Path, crs: str, step: float, name: str = "towns.tif") -> tuple[str, np.ndarray]:
    """A mask in a CRS of its own, 2 where the town is, no data below it; and what it marks."""
    form = shape(transform_geom("EPSG:32632", crs, mapping(TOWN)))
    west, south, east, north = form.buffer(30 * step).bounds
    size = (int((north - south) / step), int((east - west) / step))
    to_map = rasterio.transform.from_origin(west, north, step, step)
    marked = geometry_mask([form], size, to_map, invert=True)
    values = np.where(marked, 2, 0).astype("u1")
    values[-5:] = 9
    with rasterio.open(
        folder / name,
        "w",
        driver="GTiff",
        height=size[0],
        width=size[1],
        count=1,
        dtype="uint8",
        crs=crs,
        transform=to_map,
        nodata=9,
    ) as file:
        file.write(values, 1)
    return str(folder / name), _on_map(folder / name)


def _on_map(path: Path) -> np.ndarray:
    """What the raster marks at the centres of the map's pixels, asked point by point of GDAL."""
    columns, rows = np.meshgrid(np.arange(SHAPE[1]) + 0.5, np.arange(SHAPE[0]) + 0.5)
    x, y = UTM.transform * (columns.ravel(), rows.ravel())
    with rasterio.open(path) as file:
        px, py = rasterio.warp.transform("EPSG:32632", file.crs, x, y)
        values = np.array([value[0] for value in file.sample(zip(px, py, strict=True))])
    return ((values != 0) & (values != 9)).reshape(SHAPE)


@pytest.mark.parametrize("kind", ["vector", "same", "geographic"])
def test_what_is_covered_is_no_data_and_the_rest_as_before(kind: str, data, tmp_path: Path) -> None:
    whole = open_map(map_cube(workspace(tmp_path / "whole"), *data).url)
    if kind == "vector":
        url = vector(tmp_path)
        covered = geometry_mask([TOWN], SHAPE, UTM.transform, invert=True)
    else:
        crs, step = ("EPSG:32632", 7.0) if kind == "same" else ("EPSG:4326", 5e-5)
        url, covered = raster(tmp_path, crs, step)
    config = workspace(tmp_path / "cut", classify={"exclude": url, "block": 32})
    plan = plan_map(config, *data)
    made = map_cube(config, *data)
    found = open_map(made.url)
    assert 500 < covered.sum() < covered.size / 2
    assert made.excluded == plan.excluded == covered.sum()
    assert f"{covered.sum():,} pixels" in plan_card(plan)
    assert f"{covered.sum():,} pixels" in str(made)
    assert (found["class"].to_numpy()[covered] == NO_DATA).all()
    for name in VARIABLES:
        expected, values = whole[name].to_numpy(), found[name].to_numpy()
        np.testing.assert_array_equal(values[..., ~covered], expected[..., ~covered], name)
    assert made.id != whole.attrs["id"]


def test_beside_outlines_both_count(data, tmp_path: Path) -> None:
    outlines = tmp_path / "glaciers.gpkg"
    ring = Point(LEFT + 120, TOP - 120).buffer(100)
    geopandas.GeoDataFrame(geometry=[ring], crs="EPSG:32632").to_file(outlines)
    both = {"outlines": str(outlines), "exclude": vector(tmp_path), "block": 32}
    made = map_cube(workspace(tmp_path / "both", classify=both), *data)
    inside = geometry_mask([ring], SHAPE, UTM.transform, invert=True)
    covered = geometry_mask([TOWN], SHAPE, UTM.transform, invert=True)
    values = open_map(made.url)["class"].to_numpy()
    assert (values[~inside | covered] == NO_DATA).all()
    assert (values[inside & ~covered] != NO_DATA).mean() > 0.5
    assert made.excluded == (inside & covered).sum()


def test_blocks_that_are_covered_whole_are_not_computed(data, tmp_path: Path) -> None:
    half = box(LEFT, TOP - 10_000, LEFT + 64 * UTM.transform.a, TOP)
    config = workspace(tmp_path, classify={"exclude": vector(tmp_path, form=half), "block": 32})
    made = plan_map(config, *data)
    assert {block.x0 for block in made.blocks} == {64, 96}


def test_another_mask_is_another_map_and_one_that_changes_stops_the_run(
    data, tmp_path: Path
) -> None:
    url, _ = raster(tmp_path, "EPSG:32632", 7.0)
    config = workspace(tmp_path, classify={"exclude": url, "block": 32})
    first = plan_map(config, *data)

    def change(*_: object) -> None:
        raster(tmp_path, "EPSG:32632", 8.0)

    with pytest.raises(BlocksFailed, match="the exclusion mask changed meanwhile"):
        map_cube(config, *data, progress=change)
    assert plan_map(config, *data).id != first.id


def test_masks_that_cannot_be_used_are_refused(data, tmp_path: Path) -> None:
    def refused(path: Path | str, match: str) -> None:
        with pytest.raises(SampleError, match=match):
            plan_map(workspace(tmp_path, classify={"exclude": str(path)}), *data)

    (tmp_path / "broken.tif").write_bytes(b"II*\0 nothing")
    refused(tmp_path / "broken.tif", "not a raster that can be used")
    url, _ = raster(tmp_path, "EPSG:32632", 7.0)
    with rasterio.open(url, "r+") as file:
        file.write(np.zeros(file.shape, "u1"), 1)
    refused(url, "marks no pixel")
    with rasterio.open(url, "r+") as file:  # numbers that mean 0, by an offset
        file.write(np.ones(file.shape, "u1"), 1)
        file.offsets = (-1.0,)
    refused(url, "marks no pixel")
    whole = box(LEFT - 9, TOP - 10_000, LEFT + 10_000, TOP + 9)
    refused(vector(tmp_path, form=whole), "no pixel of the map is left")
    two = {"driver": "GTiff", "height": 4, "width": 4, "count": 2, "dtype": "uint8"}
    with rasterio.open(
        tmp_path / "two.tif", "w", **two, crs="EPSG:32632", transform=UTM.transform
    ) as file:
        file.write(np.ones((2, 4, 4), "u1"))
    refused(tmp_path / "two.tif", "not a raster that can be used as a mask")
