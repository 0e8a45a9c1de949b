"""Lattices, blocks, areas and attributes of grids, against the ellipsoid, GDAL and arrays."""

from __future__ import annotations

import itertools

import numpy as np
import pyproj
import pytest
import rioxarray  # noqa: F401
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from cpazmal_scale.errors import GridMismatch
from cpazmal_scale.grid import cf
from cpazmal_scale.grid.areas import pixel_areas, pixel_edge
from cpazmal_scale.grid.blocks import Block, columns_of, cut
from cpazmal_scale.grid.lattice import (
    PRESETS,
    TOLERANCE,
    aligned,
    bounds_in,
    difference,
    extent,
    offset,
    snapped,
    union,
)

UTM, WGS84 = "EPSG:32632", "EPSG:4326"
GEOD = pyproj.Geod(ellps="WGS84")
EARTH = 510_065_621_724_088
"""Area of the WGS 84 ellipsoid in m²."""


def grid(
    left: float,
    top: float,
    shape: tuple[int, int] = (4, 6),
    pixel: tuple[float, float] = (3, -3),
    crs: str = UTM,
) -> GeoBox:
    return GeoBox(shape, Affine(pixel[0], 0, left, 0, pixel[1], top), crs)


# Areas


def test_all_pixels_of_the_earth_are_its_area() -> None:
    whole = pixel_areas(grid(-180, 90, (360, 720), (0.5, -0.5), WGS84)).square_metres[:, 0]
    assert whole.shape == (360,)
    assert whole.sum() * 720 == pytest.approx(EARTH, rel=1e-12)
    np.testing.assert_allclose(whole, whole[::-1], rtol=1e-9)


@pytest.mark.parametrize("top", [78.0, 45.92, 0.1, -33.5])
def test_a_geographic_pixel_has_the_area_of_its_polygon(top: float) -> None:
    (found,) = pixel_areas(grid(7, top, (1, 1), (0.2, -0.2), WGS84)).square_metres[:, 0]
    along = np.linspace(7, 7.2, 2001)  # parallels are no geodesics: they are cut short
    x = np.concatenate([along, along[::-1]])
    y = np.repeat([top, top - 0.2], along.size)
    area, _ = GEOD.polygon_area_perimeter(x, y)
    assert found == pytest.approx(abs(area), rel=1e-9)


def test_rows_from_south_to_north_have_the_same_areas() -> None:
    down = pixel_areas(grid(7, 46, (5, 2), (0.1, -0.1), WGS84)).square_metres
    up = pixel_areas(grid(7, 45.5, (5, 2), (0.1, 0.1), WGS84)).square_metres
    np.testing.assert_allclose(up, down[::-1], rtol=1e-12)


ROTATED = "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +ellps=WGS84 +type=crs"
HANDFULS = {
    "mercator": ("EPSG:3857", 765_000, 5_770_000, (7, 9), 30),
    "mercator, high": ("EPSG:3857", -5_000_000, 12_300_000, (3000, 3), 100),
    "zone 33 from afar": ("EPSG:32633", -124_000, 5_093_000, (5, 30_000), 3),
    "zone 32 in the middle": ("EPSG:32632", 490_000, 5_093_000, (5, 6000), 3),
    "north": ("EPSG:3413", -800_000, -2_900_000, (900, 700), 1000),
    "pole": ("EPSG:3413", -300_000, 300_000, (60, 60), 10_000),
    "south": ("EPSG:3031", 2_050_000, 1_500_000, (9, 4000), 40),
    "one height of all": ("EPSG:6933", 600_000, 5_300_000, (40, 40), 1000),
    "one height of Europe": ("EPSG:3035", 2_500_000, 5_400_000, (50, 50), 50_000),
    "Lambert": ("EPSG:2154", 1_000_000, 6_550_000, (40, 40), 10),
    "feet": ("EPSG:2227", 6_000_000, 2_000_000, (5, 5), 10),
    "rotated pole": (ROTATED, -20, 10, (100, 200), 0.1),
}


@pytest.mark.parametrize(("crs", "left", "top", "shape", "pixel"), HANDFULS.values(), ids=HANDFULS)
def test_a_pixel_has_the_area_of_its_geodesic_outline(
    crs: str, left: float, top: float, shape: tuple[int, int], pixel: float
) -> None:
    placed = grid(left, top, shape, (pixel, -pixel), crs)
    base = pyproj.CRS("EPSG:4326") if crs == ROTATED else pyproj.CRS(crs).geodetic_crs
    to_degrees = pyproj.Transformer.from_crs(crs, base, always_xy=True)
    geod, areas = base.get_geod(), pixel_areas(placed)
    along = np.linspace(0, 1, 9)[:-1]
    right = np.concatenate([along, np.ones(8), 1 - along, np.zeros(8)])
    down = np.concatenate([np.zeros(8), along, np.ones(8), 1 - along])
    for row, column in itertools.product(*(sorted({0, n // 3, n // 2, n - 1}) for n in shape)):
        outline = to_degrees.transform(*(placed.transform * (column + right, row + down)))
        true = abs(geod.polygon_area_perimeter(*outline)[0])
        here = Block(row, row + 1, column, column + 1)
        assert areas.within(here) == pytest.approx(true, rel=1e-4)


def test_areas_of_values_are_those_of_their_pixels() -> None:
    placed = grid(-124_000, 5_093_000, (40, 900), (300, -300), "EPSG:32633")
    areas = pixel_areas(placed)
    assert len(areas.edges) > 10
    block = Block(7, 31, 100, 750)
    codes = np.random.default_rng(3).integers(1, 4, (24, 650)).astype(np.uint8)
    ground = areas.within(block)
    assert ground[0, 0] > ground[0, -1] * 0.99
    expected = [ground[codes == value].sum() for value in (3, 1, 9)]
    np.testing.assert_allclose(areas.of(codes, block, (3, 1, 9)), expected, rtol=1e-12)
    whole = areas.within(Block(0, 40, 0, 900))
    np.testing.assert_array_equal(whole[7:31, 100:750], ground)
    rows, columns = np.array([0, 40, 17, 40]), np.array([3, 900, 431, 0])
    sums = [whole[:row, :column].sum() for row, column in zip(rows, columns, strict=True)]
    np.testing.assert_allclose(areas.above(rows, columns), sums, rtol=1e-12)


# Size of a pixel and attributes


@pytest.mark.parametrize(
    ("latitude", "tall", "wide"),
    [(0, 110_574, 111_320), (45, 111_132, 78_847), (60, 111_412, 55_800)],
)
def test_a_degree_is_as_long_as_in_the_tables(latitude: float, tall: float, wide: float) -> None:
    """Lengths of a degree on WGS 84 around a latitude."""
    pixel = grid(7, latitude + 5e-4, (1, 1), (1e-3, -1e-3), WGS84)
    assert cf.metres(pixel) == pytest.approx((tall / 1e3, wide / 1e3), rel=2e-5)


@pytest.mark.parametrize(
    ("crs", "left", "top", "tall", "wide"),
    [
        (UTM, 500_000, 5_000_000, 1 / 0.9996, 1 / 0.9996),  # the scale of a central meridian
        ("EPSG:3413", -1, -2_187_720.5, 1, 1),  # true at 70° N
        ("EPSG:2225", 6_561_666, 1_883_300, 1200 / 3937, 1200 / 3937),  # true at 40° N
    ],
)
def test_a_projected_pixel_is_as_long_as_its_ground(
    crs: str, left: float, top: float, tall: float, wide: float
) -> None:
    found = cf.metres(grid(left, top, pixel=(3, -4), crs=crs))
    assert found == pytest.approx((4 * tall, 3 * wide), rel=1e-5)


def _convergence(longitude: float, latitude: float, meridian: float) -> float:
    """Of a transverse Mercator's columns, on the sphere: some hundredths of a degree near it."""
    across = np.tan(np.radians(longitude - meridian)) * np.sin(np.radians(latitude))
    return float(np.degrees(np.arctan(across)))


@pytest.mark.parametrize(
    ("crs", "left", "top", "azimuth"),
    [
        (WGS84, -70, -30, 0),
        (UTM, 334_000, 5_082_000, _convergence(6.8612, 45.8715, 9)),
        ("EPSG:32719", 334_000, 5_082_000, _convergence(-71.0844, -44.3963, -69)),
        ("EPSG:3413", 0, 2_000_000, 180),  # the pole is below, and is that of the north
        ("EPSG:3413", 2_000_000, 2_000_000, 135),
        ("EPSG:3031", 0, 2_000_000, 0),  # the pole is below, and is that of the south
        ("EPSG:3031", -1_500_000, 0, 90),
        ("EPSG:3857", 700_000, 5_700_000, 0),
    ],
)
def test_columns_lead_up_at_an_azimuth(crs: str, left: float, top: float, azimuth: float) -> None:
    degrees = crs == WGS84
    step = 1e-5 if degrees else 3
    found = cf.middle(grid(left, top, (2, 2), (step, -step), crs)).azimuth
    assert (found - azimuth + 180) % 360 - 180 == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("crs", [UTM, WGS84, "EPSG:3031", "EPSG:2154"])
def test_rioxarray_reads_the_grid_that_attributes_say(crs: str) -> None:
    given = grid(340_001.1, 5_080_000.7, (3, 5), (2.69494585e-5, -1 / 3), crs)
    data = xr.DataArray(np.zeros((3, 5)), dims=("y", "x"))
    data = data.assign_coords(spatial_ref=xr.DataArray(0, attrs=cf.to_attributes(given)))
    assert data.rio.transform() == given.transform
    assert data.rio.crs.to_epsg() == int(crs[5:])


def test_what_rioxarray_writes_is_read() -> None:
    given = grid(340_001.1, 5_080_000.7, (3, 5))
    data = xr.DataArray(np.zeros((3, 5)), dims=("y", "x")).rio.write_crs(given.crs.to_wkt())
    data = data.rio.write_transform(given.transform)
    read = cf.grid_of(data.to_dataset(name="HH"))
    assert read == given


def test_attributes_that_lack_the_transform_are_refused() -> None:
    attributes = cf.to_attributes(grid(0, 0))
    with pytest.raises(ValueError, match="5 numbers instead of six"):
        cf.from_attributes({**attributes, "GeoTransform": "0 3 0 0 0"}, (2, 2))
    with pytest.raises(KeyError):
        cf.from_attributes({"crs_wkt": attributes["crs_wkt"]}, (2, 2))


# Blocks


@pytest.mark.parametrize(
    ("shape", "height", "width"), [((7, 5), 3, None), ((8, 8), 4, 2), ((1, 9), 16, 4)]
)
def test_blocks_hold_every_pixel_once(shape: tuple[int, int], height: int, width: int) -> None:
    seen = np.zeros(shape, int)
    blocks = cut(shape, height, width)
    for block in blocks:
        seen[block.y0 : block.y1, block.x0 : block.x1] += 1
    assert (seen == 1).all()
    assert sum(block.pixels for block in blocks) == seen.size
    assert len({block.name for block in blocks}) == len(blocks)


def test_columns_are_blocks_below_each_other_without_a_gap() -> None:
    blocks = cut((40, 30), 10)
    missing = Block(10, 20, 10, 20)
    columns = columns_of(reversed([one for one in blocks if one != missing]))
    assert sorted(itertools.chain(*columns)) == sorted(set(blocks) - {missing})
    assert [len(column) for column in columns] == [4, 1, 2, 4]
    for column in columns:
        for above, below in itertools.pairwise(column):
            assert (above.y1, above.x0, above.x1) == (below.y0, below.x0, below.x1)


# Lattices


def test_a_snapped_grid_covers_its_bounds_with_less_than_a_pixel_to_spare() -> None:
    for preset in PRESETS.values():
        step = preset.pixel
        bounds = (100.4 * step, 50.2 * step, 110.0 * step, 60.9 * step)
        made = snapped(bounds, preset)
        assert made.shape == (11, 10)
        box = made.boundingbox
        assert (box.left, box.top) == pytest.approx((100 * step, 61 * step))
        assert (box.right, box.bottom) == pytest.approx((110 * step, 50 * step))


def test_the_aligned_part_lies_on_the_lattice() -> None:
    whole = grid(340_001, 5_080_002, (100, 100))
    made = aligned((340_010, 5_079_900, 340_021, 5_079_921), whole)
    assert difference(made, whole) is None
    assert offset(made, whole, where="here") == (27, 3)
    assert made.shape == (7, 4)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (grid(0, 0, crs="EPSG:32633"), "CRS is EPSG:32633, the grid's is EPSG:32632"),
        (grid(0, 0, pixel=(3.1, -3)), "pixel is 3.1 x 3"),
        (grid(1.5, 0), r"shifted by \+0.50 columns and [+-]0.00 rows"),
        (grid(0, 0.6), r"shifted by [+-]0.00 columns and -0.20 rows"),
    ],
)
def test_another_lattice_is_named(other: GeoBox, said: str) -> None:
    with pytest.raises(GridMismatch, match=said):
        offset(other, grid(0, 0), where="scene")


def test_rounded_coordinates_are_the_same_lattice() -> None:
    near = 0.9 * TOLERANCE * 3
    assert difference(grid(30 + near, -60 - near), grid(0, 0)) is None
    assert offset(grid(30 + near, -60 - near), grid(0, 0), where="scene") == (20, 10)
    assert difference(grid(30 + 1.2 * TOLERANCE * 3, -60), grid(0, 0)) is not None


def test_a_pixel_that_adds_up_to_another_size_is_another_lattice() -> None:
    """A thousandth of a pixel is nothing alone and a pixel over a thousand."""
    almost = grid(0, 0, (1000, 1000), (3.003, -3.003))
    assert difference(grid(0, 0, (1, 1), (3.003, -3.003)), grid(0, 0)) is None
    assert "pixel is 3.003" in str(difference(almost, grid(0, 0)))


def test_the_union_covers_all_on_the_lattice_of_the_first() -> None:
    parts = [("a", grid(0, 0)), ("b", grid(-9, 30, (2, 2))), ("c", grid(30, -30, (1, 3)))]
    made = union(parts)
    assert made.boundingbox.bbox == (-9, -33, 39, 30)
    assert all(difference(part, made) is None for _, part in parts)
    with pytest.raises(GridMismatch, match="shifted"):
        union([*parts, ("d", grid(1, 0))])
    wider = union([*parts, ("d", grid(37.5, 0))], resample=True)
    assert wider.boundingbox.bbox == (-9, -33, 57, 30)


def test_a_footprint_in_another_crs_lies_inside_its_extent() -> None:
    scene = grid(7.0, 46.0, (20, 30), (1e-3, -1e-3), WGS84)
    cube = grid(340_000, 5_100_000, (10, 10))
    top, left, bottom, right = extent(scene, cube, where="scene")
    x, y = scene.transform * tuple(np.meshgrid(np.arange(31.0), np.arange(21.0)))
    to_map = pyproj.Transformer.from_crs(WGS84, UTM, always_xy=True)
    columns, rows = ~cube.transform * tuple(map(np.asarray, to_map.transform(x, y)))
    assert left <= columns.min() < left + 1
    assert top <= rows.min() < top + 1
    assert right - 1 < columns.max() <= right
    assert bottom - 1 < rows.max() <= bottom


def test_a_footprint_without_a_place_is_refused() -> None:
    with pytest.raises(GridMismatch, match="no place in EPSG:32632"):
        bounds_in(grid(7, 200, (2, 2), (1, -1), WGS84), UTM, where="scene")


@pytest.mark.parametrize(
    ("crs", "step", "metres"),
    [
        ("EPSG:32632", 3.0, 3.0),
        ("EPSG:2056", 2.0, 2.0),
        ("EPSG:2225", 10.0, 10 * 1200 / 3937),  # US survey feet
        ("EPSG:2277", 10.0, 10 * 1200 / 3937),
    ],
)
def test_the_edge_of_a_pixel_is_in_metres(crs: str, step: float, metres: float) -> None:
    grid = GeoBox((10, 10), Affine(step, 0, 600_000.0, 0, -step, 200_000.0), crs)
    assert pixel_edge(grid) == pytest.approx(metres, rel=1e-9)
