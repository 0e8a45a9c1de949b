"""Polygons of a map: every pixel in one, none torn by the strips, in both formats."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import geopandas
import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.ndimage
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize
from support.small_campaign import WGS84, make_cube, make_model, workspace

from cpazmal_scale.errors import ConfigError
from cpazmal_scale.grid.areas import pixel_areas
from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.mapping import map_cube, open_map, plan_map, to_polygons
from cpazmal_scale.mapping.classify.store import publish, write_block, write_template
from cpazmal_scale.mapping.show.patches import Patch, patches


def strips(values: np.ndarray, height: int) -> Iterator[tuple[slice, np.ndarray]]:
    for top in range(0, len(values), height):
        rows = slice(top, min(top + height, len(values)))
        yield rows, values[rows]


def drawn(values: np.ndarray, height: int) -> list[Patch]:
    return list(patches(strips(values, height)))


def raster(seed: int, shape: tuple[int, int], grain: int) -> np.ndarray:
    """Patches of three values, holes of no data, rejected pixels."""
    rng = np.random.default_rng(seed)
    small = rng.choice([1, 2, 3, 254, 255], (-(-shape[0] // grain), -(-shape[1] // grain)))
    return np.kron(small, np.ones((grain, grain)))[: shape[0], : shape[1]].astype(np.uint8)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 30), st.integers(1, 5))
def test_every_pixel_is_in_the_patch_of_its_value(
    seed: int, height: int, width: int, grain: int
) -> None:
    values = raster(seed, (height, width), grain)
    whole = drawn(values, height)
    burnt = [(shape, value) for value, shape in whole]
    again = rasterize(burnt or [(shapely.Point(-9, -9), 255)], values.shape, fill=255)
    np.testing.assert_array_equal(again, values)
    count = sum(scipy.ndimage.label(values == value)[1] for value in set(values.ravel()) - {255})
    assert len(whole) == count
    assert all(shape.is_valid and shape.geom_type == "Polygon" for _, shape in whole)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 4), st.integers(1, 17))
def test_strips_leave_no_trace(seed: int, height: int, grain: int, strip: int) -> None:
    values = raster(seed, (height, 23), grain)
    expected = {(value, shape.wkb) for value, shape in drawn(values, height)}
    assert {(value, shape.wkb) for value, shape in drawn(values, strip)} == expected


def test_a_spiral_over_all_seams_is_one_patch() -> None:
    values = np.full((21, 21), 2, np.uint8)
    for ring in range(0, 10, 2):
        values[ring, ring : 21 - ring] = values[20 - ring, ring : 21 - ring] = 1
        values[ring : 21 - ring, ring] = values[ring : 21 - ring, 20 - ring] = 1
    values[4:17:4, 1::2] = 1
    assert {p.shape.wkb for p in drawn(values, 3)} == {p.shape.wkb for p in drawn(values, 21)}


def test_only_what_reaches_the_last_row_is_held() -> None:
    """Patches above come out before the rows below are read."""
    read = []

    def rows() -> Iterator[tuple[slice, np.ndarray]]:
        for top in range(0, 100, 10):
            read.append(top)
            yield slice(top, top + 10), raster(top, (10, 40), 2)

    found = patches(rows())
    for _ in range(20):
        next(found)
    assert len(read) < 5


@pytest.fixture(scope="module")
def geographic(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A map in degrees whose classes are patches, by hand."""
    folder = tmp_path_factory.mktemp("degrees")
    cube = make_cube(f"{folder}/cube.zarr", grid=WGS84)
    given = {"legend": {"ABL": {"name": "Zunge <unten>", "colour": "#123456"}}}
    made = plan_map(workspace(folder, **given), make_model(f"{folder}/model.zarr"), cube)
    write_template(made)
    values, made_sums = raster(5, made.shape, 9), {}
    values[values == 254] = 4
    for top in range(0, made.shape[0], made.chunk):
        block = Block(top, min(top + made.chunk, made.shape[0]), 0, made.shape[1])
        made_sums |= write_block(made.url, block, {"class": values[block.y0 : block.y1]})
    publish(made.url, made_sums)
    return made.url


@pytest.mark.parametrize("suffix", [".gpkg", ".parquet"])
def test_both_files_hold_the_map(geographic: str, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"map{suffix}"
    count = to_polygons(geographic, str(path))
    read = geopandas.read_file if suffix == ".gpkg" else geopandas.read_parquet
    table, data = read(path), open_map(geographic)
    assert len(table) == count
    assert table.crs.to_epsg() == 4326
    values = data["class"].to_numpy()
    burnt = rasterize(
        zip(table.geometry, table["value"], strict=True),
        values.shape,
        fill=255,
        transform=WGS84.transform,
    )
    np.testing.assert_array_equal(burnt, values)
    areas = pixel_areas(WGS84).square_metres[:, 0]
    for value, code in enumerate(("ABL", "ACC", "HAG", "ICA"), 1):
        own = table[table["class"] == code]
        assert own["pixels"].sum() == (values == value).sum()
        expected = ((values == value).sum(axis=1) * areas).sum()
        assert own["area_m2"].sum() == pytest.approx(expected, rel=1e-9)
    first = table[table["class"] == "ABL"].iloc[0]
    assert (first["name"], first["colour"], bool(first["glacier"])) == (
        "Zunge <unten>",
        "#123456",
        True,
    )


def test_geoparquet_is_what_its_definition_says(geographic: str, tmp_path: Path) -> None:
    to_polygons(geographic, f"{tmp_path}/map.parquet")
    geo = json.loads(pq.read_schema(tmp_path / "map.parquet").metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    column = geo["columns"][geo["primary_column"]]
    assert column["encoding"] == "WKB"
    assert column["geometry_types"] == ["Polygon"]
    assert column["crs"]["id"]["code"] == 4326


def test_another_suffix_is_refused_and_nothing_is_written(geographic: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.shp.*no suffix.*\.gpkg"):
        to_polygons(geographic, f"{tmp_path}/map.shp")
    assert list(tmp_path.iterdir()) == []


def test_a_whole_map_of_a_cube(tmp_path: Path) -> None:
    cube = make_cube(f"{tmp_path}/cube.zarr")
    model = make_model(f"{tmp_path}/model.zarr")
    made = map_cube(workspace(tmp_path), model, cube)
    to_polygons(made.url, f"{tmp_path}/map.gpkg")
    table = geopandas.read_file(tmp_path / "map.gpkg")
    for code in made.classes:
        assert table[table["class"] == code]["pixels"].sum() == made.pixels_by_class[code]
