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


def _feet(path: Path) -> None:
    with rasterio.open(path, "r+") as file:
        file.units = ("foot",)


def _swapped(path: Path) -> None:
    write_dem(path, hills((200, 200)), LAT - 0.03, LON + 0.03, 0.0003)


def _south_up(path: Path) -> None:
    with rasterio.open(path, "r+") as file:
        to_map = file.transform
        south = to_map.f + to_map.e * file.height
        file.write(file.read(1)[::-1], 1)
        file.transform = Affine(to_map.a, 0, to_map.c, 0, -to_map.e, south)


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
    "feet": (_feet, "ellipsoid", "convert them to metres"),
    "swapped": (_swapped, "ellipsoid", "look swapped"),
    "south up": (_south_up, "ellipsoid", "not its north-west corner; warp it north up"),
    "elsewhere": (_elsewhere, "ellipsoid", "0% of the area"),
}


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
    write_dem(tmp_path / "d.tif", hills((3, 3)), LON - 0.5, LAT + 0.5, 0.4)
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


def test_rasters_are_known_by_their_bytes(tmp_path: Path, dem: Path) -> None:
    first = digest(Dem(str(dem), "EGM2008"))
    assert digest(Dem(str(dem), "ellipsoid")) == first
    write_dem(tmp_path / "other.tif", hills((200, 200)) + 1, LON - 0.03, LAT + 0.03, 0.0003)
    assert digest(Dem(str(tmp_path / "other.tif"))) != first
    assert pickle.loads(pickle.dumps(Dem(str(dem)))) == Dem(str(dem))
