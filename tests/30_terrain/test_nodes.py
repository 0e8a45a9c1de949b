"""Places of pixels: against exact solutions, other programs and themselves in other windows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from cpazmal_scale.scenes.level1b.annotation_xml import parse_annotation
from cpazmal_scale.scenes.level1b.geolocation import Geolocation
from cpazmal_scale.scenes.level1b.georef import parse_georef
from cpazmal_scale.scenes.level1b.placing import radar_sight
from cpazmal_scale.scenes.untrusted import xml
from cpazmal_scale.terrain.ellipsoid import ecef, incidence
from cpazmal_scale.terrain.nodes import NodeLattice
from cpazmal_scale.terrain.orbit import LIGHT, Orbit
from cpazmal_scale.terrain.sight import OrbitSight, Sight

TSX1 = "tsx1_ssc_stripmap_2008"
SPEED = 7600.0
AtMost = Callable[[str, float, float], None]
GRID = GeoBox((300, 400), Affine(3, 0, 420_003.0, 0, -3, 3_990_006.0), "EPSG:32612")


@pytest.fixture(scope="module")
def sight(shared_data: Path) -> Sight:
    home = shared_data / "tsx" / TSX1
    (main,) = home.glob("TSX1_SAR__*.xml")
    annotation = parse_annotation(xml.read(str(main)))
    grid = parse_georef(xml.read(str(home / "ANNOTATION" / "GEOREF.xml")))
    geolocation = Geolocation(annotation, grid, where="g")
    return radar_sight(annotation, geolocation, by_height=True)


def heights(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-100, 5000, shape)


def whole(grid: GeoBox, sight: Sight, height: np.ndarray, places: int = 1) -> tuple:
    rows, columns = (slice(0, edge) for edge in grid.shape)
    window = NodeLattice(grid, sight).window(rows, columns)
    return (*window.image(height, places), *window.times(height, places))


@pytest.mark.parametrize("crs", ["EPSG:32612", "EPSG:4326"])
def test_places_are_exact_to_millimetres(sight: Sight, crs: str, at_most: AtMost) -> None:
    grid = GRID
    if crs == "EPSG:4326":
        pixel = 2.69494585e-5
        first = round(-111.9 / pixel) * pixel, round(36.0 / pixel) * pixel
        grid = GeoBox((300, 400), Affine(pixel, 0, first[0], 0, -pixel, first[1]), crs)
    height = heights((300, 400))
    line, sample, t, tau = whole(grid, sight, height)
    rows, columns = np.divmod(np.random.default_rng(1).choice(120_000, 2000, False), 400)
    x, y = grid.transform * (columns + 0.5, rows + 0.5)
    lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    seen = sight.see(np.asarray(lon), np.asarray(lat), height[rows, columns])
    at_most("azimuth, m", np.abs(seen.t - t[rows, columns]).max() * SPEED, 0.005)
    at_most("range, m", np.abs(seen.tau - tau[rows, columns]).max() * LIGHT / 2, 0.005)
    assert np.abs(seen.line - line[rows, columns]).max() < 0.005
    assert np.abs(seen.sample - sample[rows, columns]).max() < 0.005


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_places_do_not_depend_on_the_window_or_the_crop(sight: Sight, data: st.DataObject) -> None:
    places = data.draw(st.sampled_from([1, 2]))
    height = heights((300 * places, 400 * places))
    mine = whole(GRID, sight, height, places)
    top, bottom = sorted(
        data.draw(st.lists(st.integers(0, 300), min_size=2, max_size=2, unique=True))
    )
    left, right = sorted(
        data.draw(st.lists(st.integers(0, 400), min_size=2, max_size=2, unique=True))
    )
    part = slice(top * places, bottom * places), slice(left * places, right * places)
    window = NodeLattice(GRID, sight).window(slice(top, bottom), slice(left, right))
    crop = GRID[top:bottom, left:right]
    for theirs in (
        (*window.image(height[part], places), *window.times(height[part], places)),
        whole(crop, sight, height[part], places),
    ):
        for one, other in zip(mine, theirs, strict=True):
            assert one[part].tobytes() == other.tobytes()


def test_unknown_heights_have_no_place(sight: Sight) -> None:
    height = heights((300, 400))
    height[10, 20] = np.nan
    for values in whole(GRID, sight, height):
        assert np.isnan(values[10, 20])
        assert np.isnan(values).sum() == 1


def test_points_beyond_the_track_have_no_place(sight: Sight) -> None:
    """A radar that looks right does not see the mirror image of its scene."""
    assert isinstance(sight, OrbitSight)
    lon, lat, height = (
        np.array([-111.9, -102.0]),
        np.array([36.0, 36.0]),
        np.array([1800.0, 1800.0]),
    )
    seen = sight.see(lon, lat, height)
    assert np.isfinite(seen.t[0])
    assert np.isnan(seen.t[1])


def test_delay_falls_with_height(sight: Sight) -> None:
    """By 2.3 m·(e^(−h/6000) − e^(−h̄/6000))/cos θ against the same orbit without it."""
    assert isinstance(sight, OrbitSight)
    assert sight.mean_height == pytest.approx(1854.9, abs=0.1)
    still = OrbitSight(sight.orbit, sight.axes, sight.first, sight.delays, None, sight.side)
    lon, lat = np.full(3, -111.9), np.full(3, 36.0)
    height = np.array([0.0, 1854.90268686040, 4800.0])
    with_height, without = sight.see(lon, lat, height), still.see(lon, lat, height)
    extra = (with_height.tau - without.tau) * LIGHT / 2
    cosine = np.cos(np.radians(incidence(without.look, lon, lat)))
    expected = 2.3 * (np.exp(-height / 6000) - np.exp(-1854.90268686040 / 6000)) / cosine
    np.testing.assert_allclose(extra, expected, atol=1e-6)


def test_golden_places_of_a_left_looking_radar(shared_data: Path, at_most: AtMost) -> None:
    """62 500 points of ISCE2's `topo`, airborne, by another program from the same orbit."""
    home = shared_data / "terrain" / "isce3-winnipeg"
    lon, lat, height = (
        np.fromfile(home / "topo_winnipeg" / f"{name}.rdr", "f8").reshape(250, 250)
        for name in "xyz"
    )
    angle = np.fromfile(home / "topo_winnipeg" / "inc.rdr", "f4").reshape(250, 250)
    with h5py.File(home / "winnipeg.h5") as file:
        slc = file["science/LSAR/SLC"]
        orbit = Orbit(
            *(slc[f"metadata/orbit/{name}"][:] for name in ("time", "position", "velocity"))
        )
        times = slc["swaths/zeroDopplerTime"][:]
        ranges = slc["swaths/frequencyA/slantRange"][:]
    t, distance, look = orbit.see(ecef(lon, lat, height), first=float(times.mean()))
    speed = np.linalg.norm(orbit.velocity(float(times.mean())))
    at_most("azimuth, m", np.abs(t - times[:, None]).max() * speed, 1e-4)
    at_most("range, m", np.abs(distance - ranges).max(), 1e-4)
    at_most("incidence, degrees", np.abs(incidence(look, lon, lat) - angle).max(), 1e-5)
    assert (orbit.side(lon, lat, t) == -1).all()


def test_a_point_target_lies_where_it_was_put(shared_data: Path, at_most: AtMost) -> None:
    """A simulated corner reflector of known coordinates, to a twentieth of a pixel."""
    home = shared_data / "terrain" / "isce3-point-target"
    row = (home / "REE_CR_INFO_out17.csv").read_text().splitlines()[1].split(",")
    lat, lon, height = (np.array([float(value)]) for value in row[1:4])
    with h5py.File(home / "REE_RSLC_out17.h5") as file:
        slc = file["science/LSAR/SLC"]
        orbit = Orbit(
            *(slc[f"metadata/orbit/{name}"][:] for name in ("time", "position", "velocity"))
        )
        times = slc["swaths/zeroDopplerTime"][:]
        ranges = slc["swaths/frequencyA/slantRange"][:]
        image = slc["swaths/frequencyA/HH"][:]
    values = np.abs(image if image.dtype.kind == "c" else image["r"] + 1j * image["i"])
    peak = np.unravel_index(values.argmax(), values.shape)

    def centre(line: np.ndarray) -> float:
        return float(0.5 * (line[0] - line[2]) / (line[0] - 2 * line[1] + line[2]))

    found = [
        peak[0] + centre(values[peak[0] - 1 : peak[0] + 2, peak[1]]),
        peak[1] + centre(values[peak[0], peak[1] - 1 : peak[1] + 2]),
    ]
    t, distance, _ = orbit.see(ecef(lon, lat, height), first=float(times.mean()))
    place = [
        float((t[0] - times[0]) / (times[1] - times[0])),
        float((distance[0] - ranges[0]) / (ranges[1] - ranges[0])),
    ]
    at_most("pixels", np.abs(np.subtract(place, found)).max(), 0.05)
