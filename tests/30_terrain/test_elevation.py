"""Heights: against golden values, above the right surface, and refused where they are unclear."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from scipy.ndimage import uniform_filter
from support.ground import write_dem

from cpazmal_scale.errors import DemError, DemMismatch, StoreMissing
from cpazmal_scale.terrain.elevation import Dem, digest, open_dem
from cpazmal_scale.terrain.places import compare, covered, meet, share

LON, LAT = 6.86, 45.83


def at(dem: Dem, lon: float, lat: float) -> float:
    with open_dem(dem) as elevation:
        return float(elevation.at(np.array([lon]), np.array([lat]))[0])


def utm(shape: tuple[int, int] = (90, 120), pixel: float = 3.0) -> GeoBox:
    return GeoBox(shape, Affine(pixel, 0, 333_000.0, 0, -pixel, 5_078_000.0), "EPSG:32632")


def hills(shape: tuple[int, int]) -> np.ndarray:
    y, x = np.indices(shape, dtype=float)
    return 2000 + 300 * np.sin(x / 7) * np.cos(y / 9) + x


@pytest.fixture
def dem(tmp_path: Path) -> Path:
    return write_dem(tmp_path / "dem.tif", hills((200, 200)), LON - 0.03, LAT + 0.03, 0.0003)


def test_heights_between_pixels_are_those_of_another_program(shared_data: Path) -> None:
    home = shared_data / "terrain" / "isce3-winnipeg"
    lon, lat, height = (np.fromfile(home / "topo_winnipeg" / f"{n}.rdr", "f8") for n in "xyz")
    some = np.random.default_rng(0).choice(lon.size, 1500, False)
    with open_dem(Dem(str(home / "winnipeg_dem.tif"), "ellipsoid")) as elevation:
        apart = elevation.at(lon[some], lat[some]) - height[some]
    assert abs(apart.mean()) < 0.005
    assert apart.std() <= 0.05


def test_a_plane_stays_a_plane(tmp_path: Path) -> None:
    y, x = np.indices((120, 120), dtype=float)
    write_dem(tmp_path / "d.tif", 1000 + 3 * x - 2 * y, LON, LAT, 0.0003, dtype="float64")
    rng = np.random.default_rng(0)
    u, v = rng.uniform(5, 115, (2, 50))
    with open_dem(Dem(str(tmp_path / "d.tif"), "ellipsoid")) as elevation:
        found = elevation.at(LON + u * 0.0003, LAT - v * 0.0003)
    np.testing.assert_allclose(found, 1000 + 3 * (u - 0.5) - 2 * (v - 0.5), atol=1e-6)


def test_a_finer_raster_is_averaged_over_the_pixel(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(1500, 50, (300, 300))
    path = tmp_path / "fine.tif"
    profile = {"crs": "EPSG:32632", "dtype": "float64"}
    write_dem(path, values, 333_000.0, 5_078_000.0, 1.0, **profile)
    with open_dem(Dem(str(path), "ellipsoid")) as elevation:
        found = elevation.heights(utm((90, 90)), slice(2, 60), slice(2, 60))
    expected = values.reshape(100, 3, 100, 3).mean((1, 3))[2:60, 2:60]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_heights_do_not_depend_on_the_window_or_the_crop(
    shared_data: Path, data: st.DataObject
) -> None:
    dem = Dem(str(shared_data / "terrain" / "sarsen-rome" / "Rome-30m-DEM.tif"), "ellipsoid")
    grid = GeoBox((120, 150), Affine(3, 0, 289_998.0, 0, -3, 4_648_002.0), "EPSG:32633")
    top, bottom = sorted(
        data.draw(st.lists(st.integers(-9, 120), min_size=2, max_size=2, unique=True))
    )
    left, right = sorted(
        data.draw(st.lists(st.integers(-9, 150), min_size=2, max_size=2, unique=True))
    )
    with open_dem(dem) as elevation:
        whole = elevation.heights(grid, slice(-9, 120), slice(-9, 150))
        part = elevation.heights(grid, slice(top, bottom), slice(left, right))
        crop = grid[11:100, 13:140]
        moved = elevation.heights(crop, slice(top - 11, bottom - 11), slice(left - 13, right - 13))
    assert not np.isnan(whole).any()
    mine = whole[top + 9 : bottom + 9, left + 9 : right + 9]
    assert mine.tobytes() == part.tobytes() == moved.tobytes()


def test_tiles_are_one_raster(tmp_path: Path, dem: Path) -> None:
    whole, step = hills((200, 200)), 0.0003
    folder = tmp_path / "tiles"
    for row in (0, 100):
        for column in (0, 100):
            west, north = LON - 0.03 + column * step, LAT + 0.03 - row * step
            part = whole[row : row + 100, column : column + 100]
            write_dem(folder / f"{row}_{column}.tif", part, west, north, step)
    lon, lat = LON + np.linspace(-0.02, 0.02, 41), np.full(41, LAT)
    with (
        open_dem(Dem(str(dem), "ellipsoid")) as one,
        open_dem(Dem(str(folder), "ellipsoid")) as many,
    ):
        np.testing.assert_allclose(one.at(lon, lat), many.at(lon, lat), atol=1e-6)
    write_dem(folder / "odd.tif", whole[:9, :9], LON + 0.0001, LAT, step)
    with pytest.raises(DemError, match="share the pixels"), open_dem(Dem(str(folder), "ellipsoid")):
        pass


def test_east_is_east_of_the_antimeridian(tmp_path: Path) -> None:
    write_dem(tmp_path / "d.tif", hills((100, 100)), 179.99, 10.0, 0.0003)
    dem = Dem(str(tmp_path / "d.tif"), "ellipsoid")
    assert at(dem, -179.995, 9.99) == at(dem, 180.005, 9.99) > 1000


def waves(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    return 1500 + 900 * np.sin(np.radians(lon) * 40) * np.cos(np.radians(lat) * 30)


SEAMS = {
    "two tiles": ("EPSG:32660", 180.0, 0.0005, [(179.9, 200), (-180.0, 200)]),
    "two tiles, second first": ("EPSG:32601", 180.0, 0.0005, [(-180.0, 200), (179.9, 200)]),
    "one beyond 180": ("EPSG:32660", 180.0, 0.0005, [(179.9, 400)]),
    "one below -180": ("EPSG:32601", 180.0, 0.0005, [(-180.1, 400)]),
    "around the earth": ("EPSG:32660", 180.0, 0.0025, [(-180.0, 144_000)]),
    "from 0 to 360": ("EPSG:32631", 0.0, 0.0005, [(0.0, 200), (359.9, 200)]),
}


@pytest.mark.parametrize("case", SEAMS)
def test_a_map_across_the_seam_of_longitudes(tmp_path: Path, case: str) -> None:
    """The heights of a function that goes around the earth, whatever piece they come in."""
    crs, seam, step, tiles = SEAMS[case]
    north = 65.04
    for number, (west, width) in enumerate(tiles):
        lon = west + (np.arange(width) + 0.5) * step
        lat = north - (np.arange(round(0.08 / step)) + 0.5) * step
        values = waves(*np.meshgrid(lon, lat))
        write_dem(tmp_path / f"{number}.tif", values, west, north, step)
    x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(seam, 65.0)
    grid = GeoBox((200, 400), Affine(3, 0, x - 600, 0, -3, y + 300), crs)
    with open_dem(Dem(str(tmp_path), "ellipsoid")) as elevation:
        meet(elevation, grid)
        assert covered(elevation, grid) == 1
        found = elevation.heights(grid, slice(0, 200), slice(0, 400))
        assert elevation.covers(np.array([seam - 0.01, seam + 0.01]), np.full(2, 65.0)).all()
    down, along = np.mgrid[:200, :400] + 0.5
    there = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    right = waves(*there.transform(x - 600 + 3 * along, y + 300 - 3 * down))
    np.testing.assert_allclose(found, right, atol=0.01)


def test_a_mark_is_what_the_raster_can_hold_of_it(tmp_path: Path) -> None:
    """-99.9 is no float32: the raster holds its neighbour."""
    values = hills((200, 200))
    values[100:, :] = np.float32(-99.9)
    path = write_dem(tmp_path / "d.tif", values, LON - 0.03, LAT + 0.03, 0.0003, nodata=-99.9)
    assert np.isnan(at(Dem(str(path), "ellipsoid"), LON, LAT - 0.01))


@pytest.mark.parametrize("mark", [-500.0, 9000.0, 0.25, -99.0])
@pytest.mark.parametrize("datum", ["ellipsoid", "geoid"])
def test_marks_that_nobody_declared_are_no_heights(
    shared_data: Path, tmp_path: Path, mark: float, datum: str
) -> None:
    values = hills((200, 200))
    values[98:102, 98:101] = mark
    path = write_dem(tmp_path / "d.tif", values, LON - 0.03, LAT + 0.03, 0.0003)
    geoid = str(shared_data / "terrain" / "egm96" / "egm96_15.gtx")
    x, y = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32632", always_xy=True).transform(
        LON, LAT
    )
    grid = GeoBox((300, 300), Affine(3, 0, x - 450, 0, -3, y + 450), "EPSG:32632")
    lift = 51.5 if datum == "geoid" else 0.0
    known = float(hills((200, 200)).min()) + lift, float(hills((200, 200)).max()) + lift
    with open_dem(Dem(str(path), geoid if lift else "ellipsoid")) as elevation:
        with pytest.raises(DemError, match=f"12 of its pixels are exactly {mark:g} m, .*-a_nodata"):
            covered(elevation, grid, known)
        # What another source knows of is a wall, and no ground's.
        with pytest.raises(DemError, match=r"jump by \d+ m"):
            covered(elevation, grid, (min(known[0], mark + lift), max(known[1], mark + lift)))
    # A lake between cliffs, a plateau.
    for height in (1100.0, 3300.0):
        values[98:102, 98:101] = height
        write_dem(path, values, LON - 0.03, LAT + 0.03, 0.0003)
        with open_dem(Dem(str(path), geoid if lift else "ellipsoid")) as elevation:
            covered(elevation, grid, (height + lift, known[1] + 1000))
    values[98:102, 98:101] = hills((200, 200))[98:102, 98:101]
    write_dem(path, values, LON - 0.03, LAT + 0.03, 0.0003)
    with open_dem(Dem(str(path), geoid if lift else "ellipsoid")) as elevation:
        covered(elevation, grid, known)


def test_steps_that_no_ground_has_are_those_of_a_damaged_file(tmp_path: Path) -> None:
    """Few codecs of GeoTIFF carry a checksum: a flipped bit decodes to other heights."""
    values = hills((200, 200))
    for wall, refused in ((1300.0, False), (2900.0, True)):
        values[100, 100] = values[100, 99] + wall
        path = write_dem(tmp_path / "d.tif", values, LON - 0.03, LAT + 0.03, 0.0003)
        with open_dem(Dem(str(path), "ellipsoid")) as elevation:
            if refused:
                with pytest.raises(DemError, match=r"jump by 2\d{3} m .*; copy the file"):
                    covered(elevation, utm((500, 500)), (1700.0, 2500.0))
            else:
                assert covered(elevation, utm((500, 500)), (1700.0, 2500.0)) == 1


@pytest.mark.parametrize("mark", [8999.0, -500.0, 255.0])
def test_marks_beside_the_map_are_no_walls(tmp_path: Path, mark: float) -> None:
    """Undeclared, they would lay a cliff over the map, or a shadow on it."""
    values = hills((200, 200))
    values[:, :20] = mark
    path = write_dem(tmp_path / "d.tif", values, LON - 0.03, LAT + 0.03, 0.0003)
    with open_dem(Dem(str(path), "ellipsoid")) as elevation:
        with pytest.raises(DemError, match=f"exactly {mark:g} m.* declare them"):
            covered(elevation, utm((500, 500)), (1700.0, 2500.0))
        assert covered(elevation, utm((500, 500)), (min(mark, 1700.0), max(mark, 2500.0))) == 1


@pytest.mark.parametrize("missing", [-32768, 3.4e38, np.nan, -9999, 0])
@pytest.mark.parametrize("told", [True, False])
def test_missing_heights_are_no_heights(tmp_path: Path, missing: float, told: bool) -> None:
    values = hills((200, 200))
    values[100:, :] = missing
    nodata = {"nodata": missing} if told else {}
    path = write_dem(tmp_path / "d.tif", values, LON - 0.03, LAT + 0.03, 0.0003, **nodata)
    assert at(Dem(str(path), "ellipsoid"), LON, LAT + 0.01) > 1000
    assert np.isnan(at(Dem(str(path), "ellipsoid"), LON, LAT - 0.01))
    assert at(Dem(str(path), "ellipsoid", sea=True), LON, LAT - 0.01) == 0
    assert np.isnan(at(Dem(str(path), "ellipsoid"), LON + 1, LAT))


def test_heights_above_a_geoid_are_lifted(shared_data: Path, dem: Path) -> None:
    geoid = str(shared_data / "terrain" / "egm96" / "egm96_15.gtx")
    plain = at(Dem(str(dem), "ellipsoid"), LON, LAT)
    lifted = at(Dem(str(dem), geoid), LON, LAT)
    # Of PROJ, which reads the same grid by itself.
    assert lifted - plain == pytest.approx(51.5246405, abs=1e-4)


def test_a_geoid_known_to_proj_is_used_strictly(
    shared_data: Path, dem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DemError, match=r"lacks the grid us_nga_egm96_15\.tif"):
        at(Dem(str(dem), "EGM96"), LON, LAT)
    known = pyproj.datadir.get_data_dir()
    folder = shared_data / "terrain" / "egm96"
    monkeypatch.setenv("PROJ_DATA", f"{known}:{folder}")
    try:
        pyproj.datadir.append_data_dir(str(folder))
        assert at(Dem(str(dem), "EGM96"), LON, LAT) - at(
            Dem(str(dem), "ellipsoid"), LON, LAT
        ) == pytest.approx(51.5246405, abs=1e-4)
    finally:
        pyproj.datadir.set_data_dir(known)


@pytest.mark.parametrize("name", ["EGM2008", "LN02", "IGN69", "EPSG:5773", "5720"])
def test_no_geoid_is_left_out_in_silence(dem: Path, name: str) -> None:
    with pytest.raises(DemError, match="PROJ lacks the grid"):
        at(Dem(str(dem), name), LON, LAT)


def _flat_geoid(path: Path, values: np.ndarray, step: float = 0.001, **profile: Any) -> Path:
    """Undulations around the map of the tests, NaN unknown."""
    north = LAT + values.shape[0] / 2 * step
    return write_dem(path, values, LON - values.shape[1] / 2 * step, north, step, **profile)


def _holes(missing: float) -> np.ndarray:
    values = np.full((80, 80), 50.0)
    values[38:41, 38:41] = missing
    return values


def test_a_geoid_counts_in_its_own_unit(tmp_path: Path, dem: Path) -> None:
    path = _flat_geoid(tmp_path / "g.tif", np.full((80, 80), 4700.0), dtype="int16")
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (0.01,), (3.0,)
    lifted = at(Dem(str(dem), str(path)), LON, LAT) - at(Dem(str(dem), "ellipsoid"), LON, LAT)
    assert lifted == pytest.approx(50.0, abs=1e-6)


@pytest.mark.parametrize(
    ("geoid", "said"),
    [
        (np.full((80, 16), 50.0), r"known for \d+% of the area; give a geoid raster that covers"),
        (_holes(0.0), r"changes by 50 m from one pixel to the next; declare its missing values"),
        (50 + (hills((80, 80)) - 2000) / 10, r"m from one pixel to the next"),
        (np.full((80, 80), 169.0), r"lies up to 169 m from the ellipsoid, .* give undulations, in"),
    ],
    ids=["a part", "zeros", "a mountain", "feet"],
)
def test_what_is_no_geoid_of_the_area_is_refused(
    tmp_path: Path, dem: Path, geoid: np.ndarray, said: str
) -> None:
    path = _flat_geoid(tmp_path / "g.tif", geoid, 0.0005 if geoid.shape[1] < 80 else 0.001)
    with (
        open_dem(Dem(str(dem), str(path))) as elevation,
        pytest.raises(DemError, match=said) as caught,
    ):
        covered(elevation, utm((500, 500)))
    assert "\n" not in str(caught.value)


def test_a_geoid_that_leans_is_refused(tmp_path: Path, dem: Path) -> None:
    path = _flat_geoid(tmp_path / "g.tif", np.full((80, 80), 50.0))
    with rasterio.open(path, "r+") as file:
        file.transform = file.transform * Affine.shear(5, 0)
    with pytest.raises(DemError, match="it is rotated"):
        at(Dem(str(dem), str(path)), LON, LAT)


def test_a_hole_in_a_geoid_is_one_in_the_heights(tmp_path: Path, dem: Path) -> None:
    path = _flat_geoid(tmp_path / "g.tif", _holes(np.nan))
    with open_dem(Dem(str(dem), str(path))) as elevation:
        covered(elevation, utm((500, 500)))
        heights = elevation.heights(utm((500, 500)), slice(0, 500), slice(0, 500))
    assert 0.01 < np.isnan(heights).mean() < 0.3
    # A window in the hole alone is unknown, and no error.
    assert np.isnan(at(Dem(str(dem), str(path)), LON - 0.0005, LAT + 0.0005))


def test_a_compound_crs_tells_the_datum(shared_data: Path) -> None:
    path = shared_data / "terrain" / "sarsen-rome" / "Rome-30m-DEM.tif"
    with pytest.raises(DemError, match="EGM96 height"):
        at(Dem(str(path)), 12.5, 42.0)
    assert 0 < at(Dem(str(path), "ellipsoid"), 12.5, 42.0) < 120


def test_a_three_dimensional_crs_is_above_the_ellipsoid(tmp_path: Path) -> None:
    path = write_dem(
        tmp_path / "d.tif", hills((200, 200)), LON - 0.03, LAT + 0.03, 0.0003, crs="EPSG:4979"
    )
    assert at(Dem(str(path)), LON, LAT) == at(Dem(str(path), "ellipsoid"), LON, LAT)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:700])


def _bare(path: Path) -> None:
    write_dem(path, hills((50, 50)), LON, LAT, 0.001, crs=None)


def _unit(name: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with rasterio.open(path, "r+") as file:
            file.units = (name,)

    return spoil


def _coarse(path: Path) -> None:
    write_dem(path, hills((1, 1)), LON - 2.5, LAT + 2.5, 5.0)


def _thirty_seconds(path: Path) -> None:
    write_dem(path, hills((20, 20)), LON - 0.1, LAT + 0.1, 1 / 120)


def _in(crs: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(LON, LAT)
        write_dem(path, hills((200, 200)), x - 3000, y + 3000, 30.0, crs=crs)

    return spoil


def _leaning(path: Path) -> None:
    with rasterio.open(path, "r+") as file:
        to_map = file.transform
        file.transform = Affine(to_map.a, 1e-4 * to_map.a, to_map.c, 0, to_map.e, to_map.f)


def _swapped(path: Path) -> None:
    write_dem(path, hills((200, 200)), LAT - 0.03, LON + 0.03, 0.0003)


def _south_up(path: Path) -> None:
    with rasterio.open(path, "r+") as file:
        to_map = file.transform
        south = to_map.f + to_map.e * file.height
        file.write(file.read(1)[::-1], 1)
        file.transform = Affine(to_map.a, 0, to_map.c, 0, -to_map.e, south)


def _on_its_side(path: Path) -> None:
    """Pixels and transform with rows and columns exchanged: the same ground."""
    with rasterio.open(path) as file:
        values, to_map, profile = file.read(1), file.transform, file.profile
    height, width = values.shape
    profile |= {"transform": to_map * Affine(0, 1, 0, 1, 0, 0), "width": height, "height": width}
    with rasterio.open(path, "w", **profile) as file:
        file.write(values.T.copy(), 1)


def _in_centimetres(path: Path) -> None:
    write_dem(path, hills((200, 200)) * 100, LON - 0.03, LAT + 0.03, 0.0003)


def _elsewhere(path: Path) -> None:
    write_dem(path, hills((200, 200)), LON + 3, LAT + 0.03, 0.0003)


def _kept(path: Path) -> None:
    assert path.exists()


def used(dem: Dem, grid: GeoBox) -> None:
    with open_dem(dem) as one:
        covered(one, grid)
        one.heights(grid, slice(0, 500), slice(0, 500))


BAD: dict[str, tuple[Callable[[Path], None], str | None, str]] = {
    "no vertical": (_kept, None, "set ingest.level1b.terrain.vertical to ellipsoid"),
    "unknown vertical": (_kept, "EPSG:4326", "no vertical system"),
    "no such geoid": (_kept, "geoid.xyz", "no geoid raster"),
    "cut short": (_cut, "ellipsoid", "copy it again"),
    "no CRS": (_bare, "ellipsoid", "no CRS"),
    "feet": (_unit("foot"), "ellipsoid", "in foot; convert them to metres"),
    "survey feet": (_unit("US survey foot"), "ellipsoid", "convert them to metres"),
    "centimetres": (_unit("cm"), "ellipsoid", "in cm; convert them to metres"),
    "fathoms": (_unit("fathom"), "ellipsoid", "convert them to metres"),
    "depths": (_kept, "EPSG:5715", "MSL depth counts downwards"),
    "five degrees": (_coarse, "ellipsoid", "its pixels are 556600 m wide"),
    "30 seconds": (_thirty_seconds, "ellipsoid", "pixels are 928 m wide.*of 350 m or finer"),
    "a sphere": (_in("+proj=laea +lat_0=45 +lon_0=7 +R=6371000"), "ellipsoid", "lies to WGS84"),
    "Clarke 1866": (_in("+proj=utm +zone=32 +ellps=clrk66"), "ellipsoid", "Clarke 1866 lies to"),
    "leaning": (_leaning, "ellipsoid", "rotated"),
    "swapped": (_swapped, "ellipsoid", "look swapped"),
    "south up": (_south_up, "ellipsoid", "not its north-west corner; warp it north up"),
    "on its side": (_on_its_side, "ellipsoid", "its columns run northwards; warp it north up"),
    "centimetres untold": (_in_centimetres, "ellipsoid", "0.0% .*give heights in metres"),
    "elsewhere": (_elsewhere, "ellipsoid", "0% of the area"),
}


def test_a_lean_of_nothing_is_none(dem: Path) -> None:
    before = at(Dem(str(dem), "ellipsoid"), LON, LAT)
    with rasterio.open(dem, "r+") as file:
        to_map = file.transform
        file.transform = Affine(to_map.a, 1e-16, to_map.c, -1e-16, to_map.e, to_map.f)
    assert at(Dem(str(dem), "ellipsoid"), LON, LAT) == pytest.approx(before, abs=1e-6)


@pytest.mark.parametrize("crs", ["EPSG:3035", "EPSG:2056", "EPSG:2154", "EPSG:32633", "EPSG:3857"])
@pytest.mark.parametrize("area", ["Area", "Point"])
def test_heights_are_the_same_in_every_reference_system(
    tmp_path: Path, crs: str, area: str
) -> None:
    """Centres of pixels have the heights of a function, however a file words its corner."""
    there = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = (round(one) for one in there.transform(LON, LAT))
    down, along = np.mgrid[:200, :200] * 20.0 + 10
    lon, lat = there.transform(x - 2000 + along, y + 2000 - down, direction="INVERSE")
    path = write_dem(tmp_path / "d.tif", waves(lon, lat), x - 2000, y + 2000, 20.0, crs=crs)
    with rasterio.open(path, "r+") as file:
        file.update_tags(AREA_OR_POINT=area)
    some = LON + np.linspace(-0.01, 0.01, 7), LAT + np.linspace(-0.01, 0.01, 7)
    with open_dem(Dem(str(path), "ellipsoid")) as elevation:
        np.testing.assert_allclose(elevation.at(*some), waves(*some), atol=0.005)


def test_scale_and_offset_are_applied(tmp_path: Path) -> None:
    values = hills((200, 200))
    whole = np.rint((values + 1000) / 0.1)
    path = write_dem(tmp_path / "d.tif", whole, LON - 0.03, LAT + 0.03, 0.0003, dtype="uint16")
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (0.1,), (-1000.0,)
    plain = write_dem(tmp_path / "p.tif", values, LON - 0.03, LAT + 0.03, 0.0003)
    one, other = (at(Dem(str(one), "ellipsoid"), LON, LAT) for one in (path, plain))
    assert one == pytest.approx(other, abs=0.1)


@pytest.mark.parametrize("case", BAD)
def test_bad_rasters_are_refused_in_a_sentence(dem: Path, case: str) -> None:
    spoil, vertical, said = BAD[case]
    spoil(dem)
    grid = GeoBox((500, 500), Affine(3, 0, 333_000.0, 0, -3, 5_078_000.0), "EPSG:32632")
    with pytest.raises(DemError, match=said) as caught:
        used(Dem(str(dem), vertical), grid)
    assert "\n" not in str(caught.value)


def _between_places() -> np.ndarray:
    """All cells but the columns of 24 places in equal steps along the map."""
    seen = ((np.arange(24) + 0.5) / 24 * 50).astype(int)
    return np.isin(np.arange(50), seen) & np.ones((50, 1), bool)


def _some(count: int) -> np.ndarray:
    """So many cells of 50 x 50, here and there."""
    known = np.zeros(2500, bool)
    known[np.random.default_rng(count).permutation(2500)[:count]] = True
    return known.reshape(50, 50)


def _corner() -> np.ndarray:
    known = np.zeros((50, 50), bool)
    known[38:, 40:] = True
    return known


def write_holes(path: Path, known: np.ndarray, hole: str, step: float, **profile: Any) -> Path:
    """A raster whose cells under the map are known here and not there."""
    heights = np.full((54, 54), 2000.0)
    heights[2:52, 2:52][~known] = {"NaN": np.nan, "mask": 2000.0}.get(hole, -9999.0)
    nodata = {"nodata": -9999.0} if hole == "nodata value" else {}
    left, top = profile.pop("at", (332_940.0, 5_078_060.0))
    write_dem(path, heights, left, top, step, **{"crs": "EPSG:32632"} | profile | nodata)
    if hole == "mask":
        with rasterio.open(path, "r+") as file:
            file.write_mask(np.pad(known, 2))
    return path


@pytest.mark.parametrize("hole", ["nodata value", "untagged", "NaN", "mask"])
@pytest.mark.parametrize(
    ("known", "said"),
    [
        (_between_places(), "48.0%"),
        (_some(1215), "48.6%"),
        (_some(1249), "49.9%"),
        (_some(1250), ""),
        (_corner(), "4.8%"),
        (_some(0), "0.0%"),
    ],
)
def test_every_cell_under_the_map_counts(
    tmp_path: Path, known: np.ndarray, said: str, hole: str
) -> None:
    path = write_holes(tmp_path / "d.tif", known, hole, 30.0)
    with open_dem(Dem(str(path), "ellipsoid")) as elevation:
        assert share(elevation, utm((500, 500))) == known.mean()
        if said:
            with pytest.raises(DemError, match=f"heights for {said} of the area"):
                covered(elevation, utm((500, 500)))
        else:
            covered(elevation, utm((500, 500)))


@pytest.mark.parametrize(("rows", "step"), [(24, 30.0), (25, 30.0), (240, 3.0), (499, 1.0)])
def test_cells_beyond_the_raster_count(tmp_path: Path, rows: int, step: float) -> None:
    width, beside = int(1500 / step), int(60 / step)
    values = np.full((rows + beside, width + 2 * beside), 2000.0)
    write_dem(tmp_path / "d.tif", values, 332_940.0, 5_078_060.0, step, crs="EPSG:32632")
    with open_dem(Dem(str(tmp_path / "d.tif"), "ellipsoid")) as elevation:
        assert share(elevation, utm((500, 500))) == rows / width
    with open_dem(Dem(str(tmp_path / "d.tif"), "ellipsoid", sea=True)) as elevation:
        assert share(elevation, utm((500, 500))) == 1


def test_longitudes_count_from_anywhere(tmp_path: Path) -> None:
    """A raster from 366 to 367 °E is one of 6 to 7 °E."""
    for west in (LON - 0.03, LON - 0.03 + 360):
        path = write_dem(tmp_path / "d.tif", hills((200, 200)), west, LAT + 0.03, 0.0003)
        with open_dem(Dem(str(path), "ellipsoid")) as elevation:
            meet(elevation, utm((500, 500)))
            assert covered(elevation, utm((500, 500))) == 1
        assert at(Dem(str(path), "ellipsoid"), LON, LAT) > 1000


def test_a_map_inside_a_cell_is_covered_by_it(tmp_path: Path, dem: Path) -> None:
    corner = 333_030.0 - 1.5 * 300, 5_077_970.0 + 1.5 * 300
    write_dem(tmp_path / "d.tif", hills((3, 3)), *corner, 300.0, crs="EPSG:32632")
    with open_dem(Dem(str(tmp_path / "d.tif"), "ellipsoid")) as elevation:
        assert share(elevation, utm((20, 20))) == 1
    # Pixels of 0.0003° lie oblique to the map: all others but every third row are unknown.
    with open_dem(Dem(str(dem), "ellipsoid")) as elevation:
        assert share(elevation, utm((500, 500))) == 1
    values = hills((200, 200))
    values[np.arange(200) % 3 > 0] = np.nan
    write_dem(dem, values, LON - 0.03, LAT + 0.03, 0.0003)
    with open_dem(Dem(str(dem), "ellipsoid")) as elevation:
        assert share(elevation, utm((500, 500))) == pytest.approx(1 / 3, abs=0.01)


def test_a_small_raster_in_a_large_scene_is_judged_too(tmp_path: Path) -> None:
    """The product's points are 400 m apart over 50 km; a raster of 4 km holds 100 of them."""
    lon, lat = np.meshgrid(LON + np.linspace(-0.3, 0.3, 121), LAT + np.linspace(-0.2, 0.2, 121))
    values = hills((200, 200))
    path = write_dem(tmp_path / "d.tif", values, LON - 0.03, LAT + 0.03, 0.0003)
    own = np.full(lon.shape, float(values.mean()) + 45.0)
    with (
        open_dem(Dem(str(path), "ellipsoid")) as elevation,
        pytest.raises(DemMismatch, match="above a geoid"),
    ):
        compare(elevation, lon, lat, own)


def test_a_missing_raster_is_missing(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing, match="no elevation raster"), open_dem(Dem(str(tmp_path))):
        pass


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda h: h - 51.0, r"(49|5[0-3]) m below.*above a geoid"),
        (lambda h: h * 3.2808, "in feet"),
        (lambda h: h + 700.0, "of this place"),
        (lambda h: h[::-1], "from point to point, where these differ by"),
        (lambda h: h[:, ::-1], "its columns eastwards"),
    ],
)
def test_a_raster_is_judged_by_the_products_own_heights(
    tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    lon, lat = np.meshgrid(LON + np.linspace(-0.02, 0.02, 9), LAT + np.linspace(-0.02, 0.02, 9))
    values = hills((200, 200))
    path = write_dem(tmp_path / "d.tif", values, LON - 0.03, LAT + 0.03, 0.0003)
    coarse = write_dem(
        tmp_path / "c.tif", uniform_filter(values, 14), LON - 0.03, LAT + 0.03, 0.0003
    )
    with open_dem(Dem(str(coarse), "ellipsoid")) as elevation:
        own = elevation.at(lon.ravel(), lat.ravel()).reshape(9, 9)
    with open_dem(Dem(str(path), "ellipsoid")) as elevation:
        found = compare(elevation, lon, lat, own + 3)
        assert found is not None
        assert (found.median, found.points) == (pytest.approx(-3, abs=2), 81)
    write_dem(path, change(values), LON - 0.03, LAT + 0.03, 0.0003)
    with open_dem(Dem(str(path), "ellipsoid")) as elevation, pytest.raises(DemMismatch, match=said):
        compare(elevation, lon, lat, own)


@pytest.mark.parametrize(
    ("east", "north", "said"),
    [
        (0, 0, None),
        (150, 150, "m to the north-east"),
        (-300, 200, r"lies 3[3-8]\d m to the north-west"),
        (0, 1000, r"lies (99|10[01])\d m to the north of where"),
    ],
)
def test_real_ground_that_is_displaced_is_told(
    tmp_path: Path, shared_data: Path, east: float, north: float, said: str | None
) -> None:
    """Mont Blanc; the product's own heights are means of cells of ten seconds, as annotated."""
    values = np.fromfile(shared_data / "dem" / "chamonix.bin", "<u2").reshape(576, 640)
    wide, high = 0.45 / 640, 0.28 / 576
    path = tmp_path / "d.tif"
    west, top = 6.55 + east / 77_500, 46.0 + north / 111_200
    write_dem(path, values.astype(float), west, top, high, wide=wide / high)
    lon, lat = np.meshgrid(np.linspace(6.64, 6.86, 20), np.linspace(45.78, 45.94, 20))
    row, column = np.floor((46.0 - lat) * 360) / 360, np.floor((lon - 6.55) * 360) / 360
    corner = np.rint(row / high).astype(int), np.rint(column / wide).astype(int)
    own = uniform_filter(values.astype(float), (6, 4))[corner[0] + 3, corner[1] + 2]
    with open_dem(Dem(str(path), "ellipsoid")) as elevation:
        if np.hypot(east, north) > 300:
            with pytest.raises(DemMismatch, match=said):
                compare(elevation, lon, lat, own)
            return
        found = compare(elevation, lon, lat, own)
    assert found is not None
    assert (found.displaced is None) == (said is None)
    if found.displaced is not None:
        assert abs(found.displaced.east - east) < 30 > abs(found.displaced.north - north)
        assert str(said) in str(found)


def test_rasters_are_known_by_their_bytes(tmp_path: Path, dem: Path) -> None:
    first = digest(Dem(str(dem), "EGM2008"))
    assert digest(Dem(str(dem), "ellipsoid")) == first
    write_dem(tmp_path / "other.tif", hills((200, 200)) + 1, LON - 0.03, LAT + 0.03, 0.0003)
    assert digest(Dem(str(tmp_path / "other.tif"))) != first
    assert pickle.loads(pickle.dumps(Dem(str(dem)))) == Dem(str(dem))
