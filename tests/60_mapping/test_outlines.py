"""A map of what lies inside outlines: as the whole map there, and nothing else is computed."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from shapely.geometry import Point, box
from support.small_campaign import UTM, backscatter, workspace

from cpazmal_scale.errors import BlocksFailed, SampleError
from cpazmal_scale.execute import Execution, SerialExecutor
from cpazmal_scale.mapping import map_cube, open_map, plan_card, plan_map, restrict

LEFT, TOP = UTM.transform.c, UTM.transform.f
VARIABLES = ("class", "probability", "entropy", "margin", "distance", "n_valid_dates")


@pytest.fixture(scope="module")
def glaciers(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two round glaciers in geographic coordinates: some of the map's twelve chunks hold none."""
    shapes = [Point(LEFT + 60, TOP - 60).buffer(45), Point(LEFT + 200, TOP - 210).buffer(30)]
    path = tmp_path_factory.mktemp("outlines") / "glaciers.gpkg"
    table = geopandas.GeoDataFrame({"name": ["A", "B"]}, geometry=shapes, crs="EPSG:32632")
    table.to_crs("EPSG:4326").to_file(path)
    return str(path)


@pytest.mark.parametrize("block", [32, 64, 128])
def test_inside_it_is_the_whole_map_cut_out(
    block: int, data, glaciers: str, tmp_path: Path
) -> None:
    whole = workspace(tmp_path / "whole", after={"outlines": glaciers})
    cut_out = restrict(whole, map_cube(whole, *data).url, Execution(executor=SerialExecutor()))
    config = workspace(tmp_path / "inside", classify={"outlines": glaciers, "block": block})
    made = map_cube(config, *data)
    expected, found = open_map(cut_out.url), open_map(made.url)
    for name in VARIABLES:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    assert 0 < made.pixels < 88 * 104 / 4
    glacier = geopandas.read_file(glaciers).to_crs("EPSG:32632").union_all()
    y, x = (8 * axis.ravel() for axis in np.indices((11, 13)))
    inside = shapely.contains_xy(glacier, LEFT + 3 * x + 1.5, TOP - 3 * y - 1.5)
    power, mask, _ = (np.asarray(values) for values in backscatter())
    seen, used = power[1, :, y[inside], x[inside]], mask[:, y[inside], x[inside]].T & 3 == 0
    below = (seen < 10**-3.1)[np.isfinite(seen) & used]
    assert made.floored["HV"] == pytest.approx(below.mean(), abs=1e-12)
    for code in made.classes:
        assert made.pixels_by_class[code] == cut_out.pixels_by_class[code]


def test_blocks_without_glacier_are_not_computed(data, glaciers: str, tmp_path: Path) -> None:
    config = workspace(tmp_path, classify={"outlines": glaciers, "block": 32})
    made = plan_map(config, *data)
    assert {block.name for block in made.blocks} == {
        *("y0-x0", "y0-x32", "y32-x0", "y32-x32"),
        *("y32-x32", "y32-x64", "y64-x32", "y64-x64"),
    }
    every = plan_map(workspace(tmp_path, classify={"block": 32}), *data)
    assert made.id != every.id
    assert made.pixels * 12 > every.pixels * 6
    assert made.bytes_read < every.bytes_read
    assert "in blocks that" in plan_card(made)
    assert map_cube(config, *data).blocks_executed == len(made.blocks) == 7


def test_other_outlines_are_another_map(data, glaciers: str, tmp_path: Path) -> None:
    """And a file that changes under a run stops it."""
    path = tmp_path / "outlines.gpkg"
    geopandas.read_file(glaciers).to_file(path)
    config = workspace(tmp_path, classify={"outlines": str(path), "block": 32})
    first = plan_map(config, *data)

    def change(*_: object) -> None:
        shapes = [box(LEFT, TOP - 30, LEFT + 30, TOP)]
        geopandas.GeoDataFrame(geometry=shapes, crs="EPSG:32632").to_file(path)

    with pytest.raises(BlocksFailed, match="the outlines changed meanwhile"):
        map_cube(config, *data, progress=change)
    assert plan_map(config, *data).id != first.id
    far = [box(LEFT + 9000, TOP, LEFT + 9030, TOP + 30)]
    geopandas.GeoDataFrame(geometry=far, crs="EPSG:32632").to_file(path)
    with pytest.raises(SampleError, match="no outline covers a pixel"):
        plan_map(config, *data)


def test_shapes_that_have_no_place_are_left_out_or_refused(
    data, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Shapes of the other side of the Earth have no place in this zone; nothing lies at 95° N."""
    path = tmp_path / "outlines.geojson"
    here = geopandas.GeoSeries([box(LEFT, TOP - 60, LEFT + 60, TOP)], crs="EPSG:32632")
    own = here.to_crs("EPSG:4326").iloc[0]
    config = workspace(tmp_path, classify={"outlines": str(path), "block": 32})
    geopandas.GeoDataFrame(geometry=[own], crs="EPSG:4326").to_file(path)
    alone = plan_map(config, *data).pixels
    shapes = [own, box(-171, 0, -170, 1), None]
    geopandas.GeoDataFrame(geometry=shapes, crs="EPSG:4326").to_file(path)
    assert plan_map(config, *data).pixels == alone
    assert f"{path}: rows without a shape are left out: 1" in caplog.messages
    for far in (box(6, 44, 7, 95), box(6, 44, 1e300, 45)):
        geopandas.GeoDataFrame(geometry=[own, far], crs="EPSG:4326").to_file(path)
        with pytest.raises(SampleError, match="no place on Earth"):
            plan_map(config, *data)
