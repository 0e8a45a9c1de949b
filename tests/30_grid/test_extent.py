"""What of a map is wanted, against shapely and rasterio asked pixel by pixel."""

from __future__ import annotations

import itertools
from pathlib import Path

import geopandas
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.crs import CRS

from cpazmal_scale.errors import CpazmalError, SampleError
from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.grid.extent import known_extent, read_extent
from cpazmal_scale.grid.outlines import MapGrid, read_outlines

HEIGHT, WIDTH, CHUNK = 50, 70, 16
LEFT, TOP, STEP = 334_000.0, 5_080_000.0, 30.0
GRID = MapGrid(GeoBox((HEIGHT, WIDTH), Affine(STEP, 0, LEFT, 0, -STEP, TOP), "EPSG:32632"), CHUNK)
WHOLE = Block(0, HEIGHT, 0, WIDTH)


def centre(y: int, x: int) -> tuple[float, float]:
    return LEFT + STEP * (x + 0.5), TOP - STEP * (y + 0.5)


def inside(shape: shapely.Geometry) -> NDArray[np.bool_]:
    found = np.zeros((HEIGHT, WIDTH), bool)
    for y, x in itertools.product(range(HEIGHT), range(WIDTH)):
        found[y, x] = shape.contains(shapely.Point(*centre(y, x)))
    return found


def glacier() -> shapely.Geometry:
    """A tongue with a nunatak, and a second part that leaves the map."""
    tongue = shapely.LineString([centre(5, 4), centre(20, 30), centre(44, 38)]).buffer(173)
    return (tongue - shapely.Point(*centre(20, 30)).buffer(71)) | shapely.box(
        *(at + 7 for at in centre(60, 61)), *(at + 7 for at in centre(31, 90))
    )


def saved(folder: Path, shape: shapely.Geometry, name: str = "outlines.gpkg") -> str:
    table = geopandas.GeoDataFrame({"name": ["Mer"]}, geometry=[shape], crs="EPSG:32632")
    table.to_file(folder / name)
    return str(folder / name)


def raster(folder: Path, values: NDArray[np.generic], crs: str, to: Affine, **more: object) -> str:
    url = folder / "mask.tif"
    with rasterio.open(
        url,
        "w",
        driver="GTiff",
        count=1,
        height=len(values),
        width=values.shape[1],
        dtype=values.dtype,
        crs=CRS.from_user_input(crs),
        transform=to,
        **more,
    ) as file:
        file.write(values, 1)
    return str(url)


def test_outlines_are_asked_at_centres(tmp_path: Path) -> None:
    extent = read_extent(saved(tmp_path, glacier()), None, GRID)
    assert extent is not None
    wanted = inside(glacier())
    np.testing.assert_array_equal(extent.inside(WHOLE), wanted)
    assert wanted.any()
    assert extent.excluded_pixels == 0
    for y, x in itertools.product(range(0, HEIGHT, CHUNK), range(0, WIDTH, CHUNK)):
        one = Block(y, min(y + CHUNK, HEIGHT), x, min(x + CHUNK, WIDTH))
        part = wanted[one.y0 : one.y1, one.x0 : one.x1]
        np.testing.assert_array_equal(extent.inside(one), part)
        assert extent.near(one) == part.any()


def test_an_exclusion_takes_from_the_outlines(tmp_path: Path) -> None:
    debris = shapely.Point(*centre(24, 33)).buffer(260)
    urls = saved(tmp_path, glacier()), saved(tmp_path, debris, "debris.geojson")
    extent = read_extent(*urls, GRID)
    assert extent is not None
    within, without = inside(glacier()), inside(debris)
    np.testing.assert_array_equal(extent.inside(WHOLE), within & ~without)
    assert extent.excluded_pixels == (within & without).sum() > 0


@pytest.mark.parametrize("crs", ["EPSG:32632", "EPSG:4326", "EPSG:2154"])
def test_a_raster_excludes_the_centres_in_its_marked_pixels(crs: str, tmp_path: Path) -> None:
    """The raster's cells are larger than the map's, in whatever CRS, and end on the map."""
    turn = pyproj.Transformer.from_crs("EPSG:32632", crs, always_xy=True)
    x, y = turn.transform(*np.transpose([centre(*at) for at in np.ndindex(HEIGHT, WIDTH)]))
    step = (x.max() - x.min()) / 13
    to = Affine(step, 0, x.min() + step, 0, -step, y.max() + step / 3)
    rng = np.random.default_rng(3)
    values = rng.choice(np.array([0, 0, 1, 7, 255], np.uint8), (9, 12))
    extent = read_extent(None, raster(tmp_path, values, crs, to, nodata=255), GRID)
    assert extent is not None
    expected = np.ones(HEIGHT * WIDTH, bool)
    with rasterio.open(tmp_path / "mask.tif") as file:
        for number, (told,) in enumerate(file.sample(zip(x, y, strict=True), masked=True)):
            expected[number] = told is np.ma.masked or told == 0
    np.testing.assert_array_equal(extent.inside(WHOLE), expected.reshape(HEIGHT, WIDTH))
    assert 0 < extent.excluded_pixels == (~expected).sum()


def test_not_a_number_marks_nothing(tmp_path: Path) -> None:
    values = np.zeros((5, 7), np.float32)
    values[2, 3], values[1, 1] = np.nan, 0.5
    url = raster(tmp_path, values, "EPSG:32632", Affine(300, 0, LEFT, 0, -300, TOP))
    extent = read_extent(None, url, GRID)
    assert extent is not None
    expected = np.ones((HEIGHT, WIDTH), bool)
    expected[10:20, 10:20] = False
    np.testing.assert_array_equal(extent.inside(WHOLE), expected)


def test_what_leaves_nothing_or_marks_nothing_is_refused(tmp_path: Path) -> None:
    far = shapely.Point(400_000, 5_000_000).buffer(100)
    every = shapely.box(*centre(80, -9), *centre(-9, 99))
    for outlines, exclude, says in (
        (saved(tmp_path, far, "far.gpkg"), None, "no outline covers a pixel of the map"),
        (None, saved(tmp_path, every, "all.gpkg"), "no pixel of the map is left"),
        (
            None,
            raster(tmp_path, np.zeros((5, 7), "u1"), "EPSG:32632", Affine(9, 0, LEFT, 0, -9, TOP)),
            "the mask marks no pixel of the map",
        ),
    ):
        with pytest.raises(SampleError, match=says):
            read_extent(outlines, exclude, GRID)
    assert read_extent(None, None, GRID) is None


def test_files_that_changed_are_noticed(tmp_path: Path) -> None:
    """By their shapes: the same shapes from another file are the same outlines."""
    url = saved(tmp_path, glacier())
    digest = read_outlines(url, GRID).digest
    again = saved(tmp_path, glacier(), "again.gpkg")
    assert known_extent(again, None, GRID, (digest, None)) is not None
    other = saved(tmp_path, glacier().buffer(-5), "other.gpkg")
    with pytest.raises(CpazmalError, match="the outlines changed meanwhile"):
        known_extent(other, None, GRID, (digest, None))
