"""Tiles whose pixels grow wider towards the poles: one surface, whatever window is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyproj
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from scipy.interpolate import CubicHermiteSpline
from support.ground import write_dem

from cpazmal_scale.errors import DemError
from cpazmal_scale.terrain.elevation import Dem, open_dem
from cpazmal_scale.terrain.places import covered, meet, share

SECOND = 1 / 3600
LON = 12.0
EDGES = {50: (1.0, 1.5), 60: (1.5, 2.0), 70: (2.0, 3.0), 80: (3.0, 5.0), 85: (5.0, 10.0)}
"""Latitude, and the widths of pixels in their heights towards the equator and the pole, by the
readme of Copernicus GLO-30 and GLO-90.
"""


def tiles(
    folder: Path, edge: int, fill: object, *, step: float = SECOND, shared: bool = False
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Two tiles at a latitude as Copernicus cuts them: longitudes, latitudes, heights of pixels.

    Pixel centres lie on whole degrees; a tile has its north and west sides, and if `shared` those
    of the south and east, too.
    """
    reach, widths = round(180 * SECOND / step), EDGES[abs(edge)]
    found = []
    for name, rows, wide in (
        ("north", range(-reach, int(shared)), widths[edge > 0]),
        ("south", range(reach), widths[edge < 0]),
    ):
        count = 2 * round(reach * 4.0 / wide) + int(shared)
        west = LON - (count // 2) * step * wide
        lon, lat = west + np.arange(count) * step * wide, edge - np.array(rows) * step
        heights = np.asarray(fill(*np.meshgrid(lon, lat)))  # type: ignore[operator]
        corner = west - step * wide / 2, lat[0] + step / 2
        write_dem(folder / f"{name}.tif", heights, *corner, step, wide=wide, dtype="float64")
        found.append((lon, lat, heights))
    return found


def hills(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    return 1500 + 400 * np.sin(np.radians(lon) * 1300) * np.cos(np.radians(lat) * 1500)


def rough(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    return np.random.default_rng(lat.size).normal(1500, 200, lon.shape)


def holey(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    heights = rough(lon, lat)
    heights[np.random.default_rng(1).random(lon.shape) < 0.1] = np.nan
    return heights


def across(edge: float, crs: str, shape: tuple[int, int], pixel: float) -> GeoBox:
    """A map around a latitude."""
    x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(LON, edge)
    corner = x - shape[1] / 2 * pixel, y + shape[0] / 2 * pixel
    return GeoBox(shape, Affine(pixel, 0, corner[0], 0, -pixel, corner[1]), crs)


@pytest.mark.parametrize("edge", [*EDGES, *(-one for one in EDGES)])
@pytest.mark.parametrize("shared", [False, True])
def test_a_map_across_the_edge_of_a_band(tmp_path: Path, edge: int, shared: bool) -> None:
    """The heights of a function, from the tiles of GLO-30 and from the original ones."""
    values = np.concatenate([one[2].ravel() for one in tiles(tmp_path, edge, hills, shared=shared)])
    crs = "EPSG:32633" if edge > 0 else "EPSG:32733"
    if abs(edge) == 85:
        crs = "EPSG:3995" if edge > 0 else "EPSG:3031"
    grid = across(edge, crs, (200, 150), 10.0)
    with open_dem(Dem(str(tmp_path), "ellipsoid")) as elevation:
        meet(elevation, grid)
        assert covered(elevation, grid) == 1
        found = elevation.heights(grid, slice(0, 200), slice(0, 150))
        assert elevation.covers(np.full(2, LON), edge + np.array([-0.01, 0.01])).all()
        span = elevation.span(LON + np.array([-0.5, 0.5]), edge + np.array([-0.5, 0.5]))
    # Of some pixels: the hills are smooth.
    assert span == pytest.approx((values.min(), values.max()), abs=0.1)
    down, along = np.mgrid[:200, :150] + 0.5
    there = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    right = hills(*there.transform(*(grid.transform * (along, down))))
    np.testing.assert_allclose(found, right, atol=0.25)


@pytest.mark.parametrize("edge", [60, -50])
@pytest.mark.parametrize("step", [SECOND, 3 * SECOND])
def test_every_row_is_interpolated_at_its_own_spacing(
    tmp_path: Path, edge: int, step: float
) -> None:
    """Keys' kernel is the cubic Hermite spline with central differences, by scipy: along each row,
    then along a meridian.
    """
    lines = []
    for lon, lat, heights in tiles(tmp_path, edge, rough, step=step):
        slopes = (heights[:, 2:] - heights[:, :-2]) / (lon[2:] - lon[:-2])
        lines.append((lat, CubicHermiteSpline(lon[1:-1], heights[:, 1:-1], slopes, axis=1)))
    rng = np.random.default_rng(0)
    # As many near the edge as in the tiles.
    y = edge + np.concatenate([rng.uniform(-4, 4, 60), rng.uniform(-50, 50, 60)]) * step
    x = LON + rng.uniform(-50, 50, y.size) * step
    lat = np.concatenate([one for one, _ in lines])[::-1]
    right = []
    for lon, north in zip(x, y, strict=True):
        heights = np.concatenate([spline(lon) for _, spline in lines])[::-1]
        slopes = (heights[2:] - heights[:-2]) / (lat[2:] - lat[:-2])
        right.append(float(CubicHermiteSpline(lat[1:-1], heights[1:-1], slopes)(north)))
    with open_dem(Dem(str(tmp_path), "ellipsoid")) as elevation:
        np.testing.assert_allclose(elevation.at(x, y), right, atol=1e-5)
        # From row to row there is no step, and no bend.
        seam = edge + step * np.array([-1e-5, 0.0, 1e-5, 1 - 1e-5, 1.0, 1 + 1e-5])
        rise = np.diff(elevation.at(np.full(6, LON + 0.001), seam))[[0, 1, 3, 4]]
    assert np.abs(rise).max() < 0.02
    np.testing.assert_allclose(rise[0::2], rise[1::2], atol=1e-5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tiles")
    tiles(made, 60, holey)
    return made


@settings(max_examples=30, deadline=None)
@given(data=st.data(), pixel=st.sampled_from([3.0, 70.0]), sea=st.booleans())
def test_heights_do_not_depend_on_the_window_or_the_crop(
    folder: Path, data: st.DataObject, pixel: float, sea: bool
) -> None:
    """Windows across the edge, beside it, and at the end of the tiles."""
    grid = across(60.0, "EPSG:32633", (130, 90), pixel)
    edges = [
        sorted(data.draw(st.lists(st.integers(-9, size), min_size=2, max_size=2, unique=True)))
        for size in grid.shape
    ]
    (top, bottom), (left, right) = edges
    with open_dem(Dem(str(folder), "ellipsoid", sea)) as elevation:
        whole = elevation.heights(grid, slice(-9, 130), slice(-9, 90))
        part = elevation.heights(grid, slice(top, bottom), slice(left, right))
        crop = grid[11:100, 13:80]
        moved = elevation.heights(crop, slice(top - 11, bottom - 11), slice(left - 13, right - 13))
    assert sea or 0.02 < np.isnan(whole).mean() < 0.95
    mine = whole[top + 9 : bottom + 9, left + 9 : right + 9]
    assert mine.tobytes() == part.tobytes() == moved.tobytes()


def test_shares_are_of_the_ground(tmp_path: Path) -> None:
    """Wider pixels count for more."""
    tiles(tmp_path, 60, lambda _, lat: np.where(lat >= 60, np.nan, 500.0))
    grid = across(60.0, "EPSG:32633", (600, 600), 5.0)
    with open_dem(Dem(str(tmp_path), "ellipsoid")) as elevation:
        assert share(elevation, grid) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("column", "row", "wide", "said"),
    [
        # South of the one tile and east of the other.
        (180.0, 0.0, 2.0, r"share the pixels of .*south\.tif beside it"),
        (0.0, 178.0, 2.0, r"share the pixels of .*south\.tif beside it"),
        (0.0, 180.5, 2.0, "share the pixels of the first tile"),
    ],
)
def test_tiles_beside_each_other_share_their_pixels(
    tmp_path: Path, column: float, row: float, wide: float, said: str
) -> None:
    tiles(tmp_path, 60, hills)
    corner = LON + column * SECOND, 60 - (row - 0.5) * SECOND
    write_dem(tmp_path / "z.tif", np.full((9, 9), 1500.0), *corner, SECOND, wide=wide)
    with pytest.raises(DemError, match=said), open_dem(Dem(str(tmp_path), "ellipsoid")):
        pass


def test_the_order_of_files_does_not_matter(tmp_path: Path) -> None:
    """Nor does a hole between bands, nor a third one."""
    tiles(tmp_path / "one", 60, hills)
    tiles(tmp_path / "other", 60, hills)
    (tmp_path / "other" / "south.tif").rename(tmp_path / "other" / "a.tif")
    far = LON - 100 * SECOND * 3, 61.0 + SECOND / 2
    for home in ("one", "other"):
        write_dem(tmp_path / home / "b.tif", np.full((90, 200), 700.0), *far, SECOND, wide=3.0)
    lon, lat = LON + np.linspace(-0.02, 0.02, 41), 60.0 + np.linspace(-0.02, 0.02, 41)
    found = []
    for home in ("one", "other"):
        with open_dem(Dem(str(tmp_path / home), "ellipsoid")) as elevation:
            found.append(elevation.at(lon, lat))
            assert elevation.at(np.array([LON]), np.array([60.99]))[0] == 700
            assert np.isnan(elevation.at(np.array([LON]), np.array([60.5])))[0]
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


@pytest.mark.parametrize("beside", ["the same", "a mask", "other heights"])
def test_two_rasters_of_one_place(tmp_path: Path, beside: str) -> None:
    """Elevation models come with masks of water and of edits, on the same pixels."""
    values = 1500.0 + np.add.outer(np.arange(100.0), np.arange(120.0))
    other = {"the same": values, "a mask": np.ones_like(values), "other heights": values + 5}
    for name, part in (("dem", values), ("beside", other[beside])):
        kind = "uint8" if part.max() < 2 else "float32"
        write_dem(tmp_path / f"{name}.tif", part, 7.0, 46.0, 0.0003, dtype=kind)
    dem = Dem(str(tmp_path), "ellipsoid")
    if beside == "the same":
        with open_dem(dem) as elevation:
            assert elevation.at(np.array([7.015]), np.array([45.985]))[0] > 1500
        return
    said = r"holds other values than .* of the same place; keep"
    with pytest.raises(DemError, match=said), open_dem(dem):
        pass


@pytest.mark.parametrize(("above", "said"), [(0.3, ""), (7.0, "by 7 m")])
def test_tiles_that_overlap_hold_the_same_heights(tmp_path: Path, above: float, said: str) -> None:
    values = 1500.0 + np.add.outer(np.arange(200.0), np.arange(120.0))
    write_dem(tmp_path / "a.tif", values, 7.0, 46.0, 0.0003)
    write_dem(tmp_path / "b.tif", values[:, 100:] + above, 7.03, 46.0, 0.0003)
    dem = Dem(str(tmp_path), "ellipsoid")
    if not said:
        with open_dem(dem) as elevation:
            assert elevation.at(np.array([7.015]), np.array([45.985]))[0] > 1500
        return
    with (
        pytest.raises(DemError, match=rf"differ from those of .*a\.tif {said}; keep"),
        open_dem(dem),
    ):
        pass
