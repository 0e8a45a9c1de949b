"""The simulated radar: its orbit, places, areas and products against closed forms and other code.

The geometry is judged by what is written into the product's XML and by `pyproj`, never by the
functions that made it.
"""

from __future__ import annotations

import csv
import hashlib
import math
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicHermiteSpline
from scipy.ndimage import binary_erosion
from scipy.optimize import brentq
from support.reflectors import FALSE_CLOCK, complex_image, peak

from cpazmal_scale.simulate.given.kernels import layover_shadow
from cpazmal_scale.simulate.radar import earth, orbit
from cpazmal_scale.simulate.radar.cases import (
    CASES,
    aloft,
    passes_of,
    simulate_case,
)
from cpazmal_scale.simulate.radar.deliver import Delivery, deliver
from cpazmal_scale.simulate.radar.images import CAL_FACTOR, Backscatter, noise_of, strips
from cpazmal_scale.simulate.radar.mountain import mountain_at
from cpazmal_scale.simulate.radar.passes import View, aim
from cpazmal_scale.simulate.radar.surface import Surface, spline_surface
from cpazmal_scale.simulate.radar.truth import Frame, truth_of

LIGHT = 299_792_458.0
EASTING, NORTHING = 341_400.0, 5_087_100.0
HALF, STEP = 900.0, 12.0
SCHEMAS = "tsx/TDX1_SAR__SSC______ST_S_SRA_20231005T014450_20231005T014450/SUPPORT"


def shaped(height: object, half: float = HALF) -> Surface:
    """A surface whose knots are a function of metres east and north of its middle."""
    count = int(2 * half / STEP) + 3
    at = (np.arange(count) - (count - 1) / 2) * STEP
    knots = np.broadcast_to(height(at[None, :], -at[:, None]), (count, count))
    edge = (count - 1) / 2 * STEP
    return spline_surface(knots, EASTING - edge, NORTHING + edge, STEP)


def seen(surface: Surface, case: str = "DSC-R", size: float = 500.0, **changes: object) -> View:
    (flown,) = passes_of(CASES[case], 1, 1)
    crs = "EPSG:32632"
    patch = earth.patch(crs, surface.bounds)
    return aim(crs, surface, patch, replace(flown, **changes), (size, size))


def even(value: float, half: float = HALF) -> Backscatter:
    count = int(2 * half / 3)
    gamma = np.full((1, count, count), value, np.float32)
    return Backscatter(gamma, EASTING - half, NORTHING + half, 3.0)


def frame(half: float) -> Frame:
    count = int(2 * half / 3)
    return Frame("EPSG:32632", EASTING - half, NORTHING + half, 3.0, count, count)


# ---- orbit ---------------------------------------------------------------------------------------


def test_the_orbit_is_the_solution_of_its_equation() -> None:
    """Against scipy's Dormand-Prince method of order 8, in Cartesian J2 gravity written anew."""
    target = earth.earth_fixed(np.array([7.0]), np.array([46.0]), np.array([2000.0]))[0]
    up = earth.normal(np.array([7.0]), np.array([46.0]))[0]
    flown = orbit.orbit_over(target, up, ascending=False, side=1, incidence=37.4)

    def pull(_: float, state: np.ndarray) -> np.ndarray:
        x, y, z = state[:3]
        r = math.hypot(x, y, z)
        k = 1.5 * 1.08262668e-3 * 3.986004418e14 * 6_378_137.0**2 / r**5
        two = 5 * (z / r) ** 2
        bulge = k * np.array([x * (two - 1), y * (two - 1), z * (two - 3)])
        return np.concatenate([state[3:], -3.986004418e14 / r**3 * state[:3] + bulge])

    middle = len(flown.states) // 2
    solved = solve_ivp(
        pull, (0, 60), flown.states[middle], "DOP853", rtol=1e-13, atol=1e-6, t_eval=[60.0]
    )
    np.testing.assert_allclose(flown.states[middle + 60], solved.y[:, 0], atol=2e-5)
    place, velocity = flown.at(0.0)
    sight = place - target
    assert abs(sight @ velocity) / np.linalg.norm(velocity) ** 2 < 1e-9
    assert math.degrees(math.acos(sight @ up / np.linalg.norm(sight))) == pytest.approx(37.4)
    before, after = flown.at(-1e-3)[0], flown.at(1e-3)[0]
    np.testing.assert_allclose((after - before) / 2e-3, velocity, atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_a_pass_looks_to_its_side_and_flies_its_way(case: str) -> None:
    one = CASES[case]
    (flown,) = passes_of(one, 1, 1)
    x, y = earth.to_map(one.crs, np.array([one.lon]), np.array([one.lat]))
    left, top = float(x[0]) - 300, float(y[0]) + 300
    surface = spline_surface(np.full((51, 51), 1500.0), left, top, 12.0)
    view = aim(one.crs, surface, earth.patch(one.crs, surface.bounds), flown, (200.0, 200.0))
    place, velocity = (part[0] for part in view.motion(np.zeros(1)))
    target = earth.earth_fixed(np.array([one.lon]), np.array([one.lat]), np.array([1500.0]))[0]
    side = np.cross(velocity, target - place) @ -place
    assert (side > 0) == (one.side == "R")
    assert (velocity[2] > 0) == (one.direction == "ASC")


# ---- places --------------------------------------------------------------------------------------


class Told:
    """What a product's XML tells: orbit, image axes and delays, read with the standard library."""

    def __init__(self, main: Path) -> None:
        root = ElementTree.parse(main).getroot()
        georef = ElementTree.parse(main.parent / "ANNOTATION" / "GEOREF.xml").getroot()
        self.number = lambda path: float(root.findtext(path))
        self.start = self.time_of(root.findtext("productInfo/sceneInfo/start/timeUTC"))
        vectors = root.findall("platform/orbit/stateVec")
        times = [
            (self.time_of(one.findtext("timeUTC")) - self.start).total_seconds() for one in vectors
        ]
        place, velocity = (
            [[float(one.findtext(f"{kind}{axis}")) for axis in "XYZ"] for one in vectors]
            for kind in ("pos", "vel")
        )
        self.orbit = CubicHermiteSpline(times, place, velocity)
        effects = georef.find("signalPropagationEffects")
        self.delay = sum(
            float(one.findtext("coefficient")) for one in effects.findall("rangeDelay")
        )
        self.shift = float(effects.findtext("azimuthShift/coefficient"))
        self.height = self.number("productInfo/sceneInfo/sceneAverageHeight")

    @staticmethod
    def time_of(text: str | None) -> datetime:
        return datetime.fromisoformat(str(text).rstrip("Z"))

    def times(self, lon: float, lat: float, height: float) -> tuple[float, float]:
        """Image times: abeam where the sight is square to the orbit's derivative."""
        place = np.array(
            Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True).transform(
                lon, lat, height
            )
        )
        along = self.orbit.derivative()
        t = brentq(lambda u: (place - self.orbit(u)) @ along(u), -5, 5, xtol=1e-12)
        sight = self.orbit(t) - place
        r = np.linalg.norm(sight)
        x, y = math.radians(lon), math.radians(lat)
        up = np.array([math.cos(y) * math.cos(x), math.cos(y) * math.sin(x), math.sin(y)])
        air = 2.3 / (sight @ up / r) * (math.exp(-height / 6000) - math.exp(-self.height / 6000))
        return t + self.shift, 2 * (r + air) / LIGHT + self.delay

    def place(self, lon: float, lat: float, height: float) -> tuple[float, float]:
        """Line and sample of an SSC."""
        t, tau = self.times(lon, lat, height)
        raster = "productInfo/imageDataInfo/imageRaster"
        first = self.number("productInfo/sceneInfo/rangeTime/firstPixel")
        return (
            t / self.number(f"{raster}/columnSpacing"),
            (tau - first) / self.number(f"{raster}/rowSpacing"),
        )


@pytest.mark.parametrize(
    ("case", "clock"),
    [("DSC-R", (0.0, 0.0)), ("ASC-R", (0.0, 0.0)), ("DSC-L", (0.0, 0.0)), ("DSC-R", (4e-4, 3e-9))],
)
def test_reflectors_are_where_orbit_and_delays_put_them(
    tmp_path: Path, case: str, clock: tuple[float, float]
) -> None:
    """Heights 0 to 4800 m; a false clock moves them by itself and nothing else does."""
    surface = shaped(lambda _x, _y: 2000.0, 500.0)
    view = seen(surface, case, 300.0, clock=clock)
    points = aloft(view, (0.0, 1000.0, 2500.0, 4800.0))
    dark = even(0.0, 500.0)
    main = deliver(
        tmp_path, view, dark, (noise_of(view, 1e-9),), Delivery(), seed=1, reflectors=points
    )
    told, image = Told(main), complex_image(main)
    for one in points:
        line, sample = told.place(one.lon, one.lat, one.height)
        line += clock[0] / view.sensor.line_step
        sample += clock[1] / view.sensor.sample_step
        found = peak(image, line, sample)
        assert abs(found[0] - line) < 0.04, one
        assert abs(found[1] - sample) < 0.04, one


@pytest.mark.parametrize("case", ["DSC-L", "south", "60N", "zone-edge"])
def test_the_grid_agrees_with_the_orbit(tmp_path: Path, case: str) -> None:
    one = CASES[case]
    made = simulate_case(tmp_path, one, size=300.0, truth=False)
    told = Told(made.products[0])
    root = ElementTree.parse(made.products[0].parent / "ANNOTATION" / "GEOREF.xml").getroot()
    table = root.find("geolocationGrid")
    reference = float(table.findtext("gridReferenceTime/tauReferenceTime"))
    late, far, spread = [], [], set()
    for point in table.findall("gridPoint"):
        t, tau, lat, lon, height = (
            float(point.findtext(name)) for name in ("t", "tau", "lat", "lon", "height")
        )
        spread.add(round(height))
        flat = told.times(lon, lat, height)
        late.append((flat[0] - t) * 7_100)
        cosine = math.cos(math.radians(float(point.findtext("inc"))))
        air = 2.3 / cosine * (math.exp(-height / 6000) - math.exp(-told.height / 6000))
        far.append((flat[1] - tau - reference) * LIGHT / 2 - air)
    assert len(spread) > 5
    assert np.abs(late).max() < 0.02
    assert np.abs(far).max() < 0.005


# ---- power ---------------------------------------------------------------------------------------


def directions(view: View) -> tuple[float, np.ndarray, np.ndarray]:
    """Incidence at the middle, and unit vectors on the map towards the sensor and along its way."""
    x, y = np.array([EASTING]), np.array([NORTHING])
    lon, lat = earth.to_degrees("EPSG:32632", x, y)
    here = earth.earth_fixed(lon, lat, np.array([2000.0]))[0]
    place, velocity = (part[0] for part in view.motion(np.zeros(1)))
    sight = place - here
    theta = math.acos(sight @ earth.normal(lon, lat)[0] / np.linalg.norm(sight))
    units = []
    for step in (sight / 1e5, velocity / 1e3):
        lon, lat, _ = earth.geodetic((here + step)[None])
        x, y = earth.to_map("EPSG:32632", lon, lat)
        apart = np.array([x[0] - EASTING, y[0] - NORTHING])
        units.append(apart / np.linalg.norm(apart))
    return theta, *units


def gradient(facing: float, climbing: float, view: View) -> np.ndarray:
    """Rise of a plane that faces the sensor and climbs along the flight by angles in degrees."""
    _, toward, along = directions(view)
    rise: np.ndarray = math.tan(math.radians(climbing)) * along
    return rise - math.tan(math.radians(facing)) * toward


@pytest.mark.parametrize(
    ("facing", "climbing"), [(0, 0), (20, 0), (-20, 0), (30, 0), (-33, 0), (0, 25), (15, -20)]
)
def test_areas_of_planes_are_the_closed_form(facing: float, climbing: float) -> None:
    """Over a plane N = cot(θ − slope facing the sensor), whatever the slope along the flight."""
    level = seen(shaped(lambda _x, _y: 2000.0), size=300.0)
    rise = gradient(facing, climbing, level)
    view = seen(shaped(lambda x, y: 2000.0 + rise[0] * x + rise[1] * y), size=300.0)
    truth = truth_of(view, frame(45.0), seed=1, dense=24.0)
    assert (truth.mask == 0).all()
    theta, toward, _ = directions(view)
    found = float(truth.ratio.mean())
    wanted = 1 / math.tan(theta - math.radians(facing))
    assert 10 * math.log10(found / wanted) == pytest.approx(0, abs=0.02)
    facing_sight = math.cos(theta) - math.sin(theta) * float(rise @ toward)
    cosine = facing_sight / math.sqrt(1 + float(rise @ rise))
    local = float(truth.incidence.mean())
    assert local == pytest.approx(math.degrees(math.acos(cosine)), abs=0.02)


def test_flat_ground_has_the_brightness_of_its_backscatter() -> None:
    """β0 = γ0 / tan θ, and noise adds its own level; speckle is exponential."""
    view = seen(shaped(lambda _x, _y: 2000.0), size=600.0)
    noise = noise_of(view, 0.02)
    quiet, noisy = (
        np.concatenate(list(strips(view, even(0.1), one, seed=3)), axis=1)[0]
        for one in ((), (noise,))
    )
    power = np.abs(quiet) ** 2 * CAL_FACTOR
    tangent = math.tan(math.radians(37.4))
    looks = power.size / 2.2
    assert float(power.mean()) * tangent == pytest.approx(0.1, rel=4 / math.sqrt(looks))
    assert float(power.std() / power.mean()) == pytest.approx(1, abs=0.02)
    more = np.abs(noisy) ** 2 * CAL_FACTOR
    assert float(more.mean()) * tangent == pytest.approx(0.12, rel=5 / math.sqrt(looks))


def ridge(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A steep hill, longer than wide."""
    return 1800.0 + 260.0 * np.exp(-((x / 150) ** 2) - (y / 260) ** 2)


def test_a_hill_returns_the_energy_of_its_visible_faces() -> None:
    """Folded or not, all that faces the sight comes back: the sum over the whole image."""
    surface = shaped(ridge)
    view = seen(surface, size=1_300.0)
    layers = truth_of(view, frame(450.0), seed=1)
    assert {1, 2} <= set(np.unique(layers.mask))
    hill = np.hypot(*np.meshgrid(np.arange(600) - 300.0, np.arange(600) - 300.0)) * 3 < 420
    dark = even(0.0)
    gamma = dark.gamma.copy()
    gamma[0][hill] = 0.5
    image = next(strips(view, replace(dark, gamma=gamma), (), seed=5, lines=10_000))[0]
    sensor = view.sensor
    velocity = view.motion(np.zeros(1))[1][0]
    cell = sensor.line_step * np.linalg.norm(velocity) * 0.9259 * sensor.sample_step * LIGHT / 2
    returned = float((np.abs(image) ** 2).sum()) * CAL_FACTOR * cell
    inner = hill[150:450, 150:450]
    south, east = np.gradient(layers.height, 3.0)
    theta, toward, _ = directions(view)
    facing = np.cos(theta) - np.sin(theta) * (east * toward[0] - south * toward[1])
    lit = inner & (layers.mask != 2) & (layers.mask != 3)
    wanted = 0.5 * float(np.maximum(facing, 0)[lit].sum()) * 9.0
    assert returned == pytest.approx(wanted, rel=0.02)


def test_masks_are_those_of_a_plane_wave() -> None:
    """Against the loop of the campaign's simulator, which knows of no earth and no orbit."""
    surface = shaped(ridge)
    view = seen(surface, size=1_100.0)
    truth = truth_of(view, frame(390.0), seed=1, dense=1.0)
    away = -directions(view)[1]
    twin = layover_shadow(truth.height.astype(np.float32), -away[1] / 3, away[0] / 3, 1.0, 37.4)
    known = (truth.mask != 255) & binary_erosion(np.ones_like(twin, bool), iterations=60)
    for bit in (1, 2):
        mine, theirs = (one[known] & bit > 0 for one in (truth.mask, twin))
        assert theirs.sum() > 500
        assert (mine & theirs).sum() / (mine | theirs).sum() > 0.95, bit


# ---- products ------------------------------------------------------------------------------------


def test_an_image_does_not_depend_on_its_strips() -> None:
    site = mountain_at("EPSG:32632", 6.954, 45.92, 1200.0, seed=7)
    (flown,) = passes_of(CASES["DSC-R"], 1, 1)
    view = aim(site.frame.crs, site.surface, site.patch, flown, (260.0, 260.0))
    frame = site.frame
    gamma = np.full((1, frame.rows, frame.cols), 0.2, np.float32)
    ground = Backscatter(gamma, frame.left, frame.top, frame.pixel)
    noise = (noise_of(view, 0.01),)
    sums = set()
    for lines in (1000, 64, 37):
        image = np.concatenate(list(strips(view, ground, noise, seed=1, lines=lines)), axis=1)
        sums.add(hashlib.sha256(image.tobytes()).hexdigest())
    assert len(sums) == 1


@pytest.mark.parametrize(
    ("case", "whole"), [("DSC-R", True), ("DSC-L", False), ("MGD-flipped", False)]
)
def test_documents_are_what_the_provider_s_schemas_say(
    shared_data: Path, tmp_path: Path, case: str, whole: bool
) -> None:
    xmlschema = pytest.importorskip("xmlschema")
    one = CASES[case]
    one = replace(one, delivery=replace(one.delivery, positions=whole, heights=whole))
    made = simulate_case(tmp_path, one, size=120.0, truth=False, polarisations=("HH", "HV"))
    main = made.products[0]
    georef = main.parent / "ANNOTATION" / "GEOREF.xml"
    for schema, document in (("level1Product.xsd", main), ("geoReference.xsd", georef)):
        found = xmlschema.XMLSchema(str(shared_data / SCHEMAS / schema)).iter_errors(str(document))
        assert [f"{error.path}: {error.reason}" for error in found] == []
    text = georef.read_text()
    assert ("<row>" in text) == ("<height>" in text) == whole


def test_a_detected_product_shows_reflectors_by_its_polynomial(tmp_path: Path) -> None:
    """Column from the ground-range polynomial, row from the corners: its first line is the last."""
    surface = shaped(lambda _x, _y: 2000.0, 500.0)
    view = seen(surface, "ASC-R", 400.0)
    points = aloft(view, (1900.0, 2000.0, 2100.0))
    points = tuple(replace(one, section=3e4) for one in points)
    main = deliver(
        tmp_path,
        view,
        even(0.01, 500.0),
        (noise_of(view, 1e-4),),
        Delivery("MGD"),
        seed=1,
        reflectors=points,
    )
    told = Told(main)
    root = ElementTree.parse(main).getroot()
    (path,) = (main.parent / "IMAGEDATA").glob("*.tif")
    with rasterio.open(path) as raster:
        image = raster.read(1).astype(float)
    spacing = told.number("productInfo/imageDataInfo/imageRaster/rowSpacing")
    polynomial = root.find("productSpecific/projectedImageInfo/slantToGroundRangeProjection")
    coefficients = [float(one.text) for one in polynomial.findall("coefficient")]
    reference = float(polynomial.findtext("referencePoint"))
    corners = {
        told.time_of(one.findtext("azimuthTimeUTC")): int(one.findtext("refRow"))
        for one in root.findall("productInfo/sceneInfo/sceneCornerCoord")
    }
    (first, first_row), (last, last_row) = sorted(corners.items())
    assert (first_row, last_row) == (len(image), 1)
    for one in points:
        t, tau = told.times(one.lon, one.lat, one.height)
        column = np.polynomial.polynomial.polyval(tau - reference, coefficients) / spacing
        share = t / (last - first).total_seconds()
        row = first_row - 1 + share * (last_row - first_row)
        i, j = round(row), round(float(column))
        part = image[i - 3 : i + 4, j - 3 : j + 4] ** 2
        rows, cols = np.mgrid[i - 3 : i + 4, j - 3 : j + 4]
        assert (part * rows).sum() / part.sum() == pytest.approx(row, abs=0.3)
        assert (part * cols).sum() / part.sum() == pytest.approx(column, abs=0.3)


def test_a_stack_moves_within_its_tube_and_one_clock_is_wrong(tmp_path: Path) -> None:
    made = simulate_case(
        tmp_path, CASES["DSC-R"], size=150.0, dates=3, clocks={2: FALSE_CLOCK}, truth=False
    )
    places = {one.motion(np.zeros(1))[0].tobytes() for one in made.views}
    assert len(places) == 3
    with (tmp_path / "truth" / "reflectors.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for number, main in enumerate(made.products):
        told = Told(main)
        for row in rows[5 * number : 5 * number + 5]:
            line, sample = told.place(*(float(row[name]) for name in ("lon", "lat", "height")))
            apart = float(row["line"]) - line, float(row["sample"]) - sample
            wanted = (600e-6, 2e-9) if number == 2 else (0.0, 0.0)
            sensor = made.views[number].sensor
            assert apart[0] == pytest.approx(wanted[0] / sensor.line_step, abs=0.02)
            assert apart[1] == pytest.approx(wanted[1] / sensor.sample_step, abs=0.01)


def test_the_dem_stands_on_its_geoid(tmp_path: Path) -> None:
    simulate_case(tmp_path, CASES["zone-edge"], size=150.0, truth=False)
    read = {}
    for name in ("dem", "dem_ellipsoid"):
        with rasterio.open(tmp_path / f"{name}.tif") as raster:
            read[name] = raster.read(1)[::100, ::100]
            assert raster.crs.to_epsg() == 32632
            rows, cols = np.mgrid[: raster.height : 100, : raster.width : 100]
            x, y = raster.xy(rows.ravel(), cols.ravel())
    lon, lat = Transformer.from_crs(32632, 4326, always_xy=True).transform(x, y)
    with rasterio.open(tmp_path / "geoid.tif") as raster:
        col, row = ~raster.transform * (np.array(lon), np.array(lat))
        from scipy.ndimage import map_coordinates

        undulation = map_coordinates(raster.read(1), [row - 0.5, col - 0.5], order=1)
    apart = (read["dem_ellipsoid"] - read["dem"]).ravel()
    np.testing.assert_allclose(apart, undulation, atol=1e-3)
    assert 40 < apart.mean() < 60
