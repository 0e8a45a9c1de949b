"""Calibration and viewing geometry against numbers worked out by hand from a real annotation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from support.small_products import ID, TSX1

from cpazmal_scale.errors import SceneUnreadable
from cpazmal_scale.scenes.level1b.annotation import Annotation
from cpazmal_scale.scenes.level1b.annotation_xml import parse_annotation
from cpazmal_scale.scenes.level1b.geolocation import Geolocation, orbit_of
from cpazmal_scale.scenes.level1b.georef import GeoGrid, parse_georef
from cpazmal_scale.scenes.level1b.placing import footprint, ground_spacing, radar_sight, utm
from cpazmal_scale.scenes.level1b.radiometry import calibrate, noise_beta0, subtracts_noise
from cpazmal_scale.scenes.untrusted import xml
from cpazmal_scale.terrain.ellipsoid import ecef, incidence
from cpazmal_scale.terrain.orbit import LIGHT

TDX1 = "TDX1_SAR__SSC______ST_S_SRA_20231005T014450_20231005T014450"
KS = 1.04344690525452603e-05
CONSTANT = 2.96789253363950195e02
NEAR, FAR = 4.22716597608860812e-03, 4.36664673020162927e-03


@pytest.fixture(scope="module")
def product(shared_data: Path) -> tuple[Annotation, GeoGrid]:
    folder = shared_data / "tsx" / TSX1
    annotation = parse_annotation(xml.read(str(folder / f"{ID}.xml")))
    return annotation, parse_georef(xml.read(str(folder / "ANNOTATION" / "GEOREF.xml")))


@pytest.fixture(scope="module")
def geolocation(product: tuple[Annotation, GeoGrid]) -> Geolocation:
    return Geolocation(*product, where="GEOREF.xml")


def test_noise_at_near_reference_and_far_range(product: tuple[Annotation, GeoGrid]) -> None:
    annotation, grid = product
    (layer,) = annotation.layers
    tau = np.array([NEAR, layer.noise[0].polynomial.reference, FAR])
    found = noise_beta0(layer, grid.reference_time, np.zeros(3), tau)
    np.testing.assert_allclose(10 * np.log10(found), [-18.3, -25.1, -17.7], atol=0.06)
    # By hand: the reference point leaves the constant coefficient alone.
    assert found[1] == pytest.approx(KS * CONSTANT, rel=1e-14)
    x = NEAR - layer.noise[0].polynomial.reference
    by_hand = KS * sum(c * x**i for i, c in enumerate(layer.noise[0].polynomial.coefficients))
    assert found[0] == pytest.approx(by_hand, rel=1e-12)


def test_all_24_noise_coefficients_count(product: tuple[Annotation, GeoGrid]) -> None:
    annotation, grid = product
    (layer,) = annotation.layers
    assert sum(len(record.polynomial.coefficients) for record in layer.noise) == 24
    tau = np.linspace(NEAR, FAR, 7)
    for record in layer.noise:
        t = np.array((record.time - grid.reference_time).total_seconds())
        x = tau - record.polynomial.reference
        by_hand = KS * np.polyval(record.polynomial.coefficients[::-1], x)
        found = noise_beta0(layer, grid.reference_time, t, tau)
        np.testing.assert_allclose(found, by_hand, rtol=1e-12)


def test_noise_is_linear_between_records_and_nothing_outside_its_range(
    product: tuple[Annotation, GeoGrid],
) -> None:
    annotation, grid = product
    (layer,) = annotation.layers
    tau = np.linspace(NEAR, FAR, 5)
    first, second = ((r.time - grid.reference_time).total_seconds() for r in layer.noise[:2])
    ends = [noise_beta0(layer, grid.reference_time, np.array(t), tau) for t in (first, second)]
    between = noise_beta0(
        layer, grid.reference_time, np.array(first + 0.25 * (second - first)), tau
    )
    np.testing.assert_allclose(between, 0.75 * ends[0] + 0.25 * ends[1], rtol=1e-12)
    before = noise_beta0(layer, grid.reference_time, np.array(first - 100), tau)
    np.testing.assert_array_equal(before, ends[0])
    outside = np.array([NEAR - 1e-6, FAR + 1e-4])
    assert (noise_beta0(layer, grid.reference_time, np.array(first), outside) == 0).all()


def test_coefficients_by_hand_signed_and_flagged() -> None:
    beta0 = np.array([0.1, 0.02, 0.004, np.nan])
    noise = np.full(4, 0.01)
    theta = np.array([30.0, 45.0, 45.0, 45.0])
    sigma, limited = calibrate(beta0, noise, theta, "sigma0")
    np.testing.assert_allclose(
        sigma, [0.09 * 0.5, 0.01 * math.sqrt(0.5), -0.006 * math.sqrt(0.5), np.nan], rtol=1e-6
    )
    assert limited.tolist() == [False, True, True, False]
    gamma, _ = calibrate(beta0, noise, theta, "gamma0")
    np.testing.assert_allclose(gamma[:3], [0.09 / math.sqrt(3), 0.01, -0.006], rtol=1e-6)
    beta, unflagged = calibrate(beta0, None, theta, "beta0")
    np.testing.assert_allclose(beta[:3], beta0[:3], rtol=1e-6)
    assert not unflagged.any()
    assert sigma.dtype == np.float32


def test_means_of_noise_are_unbiased() -> None:
    """Signed differences of pure noise average to nothing; absolute ones would not."""
    draws = np.random.default_rng(0).exponential(0.01, 200_000)
    value, _ = calibrate(draws, np.full(draws.shape, 0.01), np.full(draws.shape, 45.0), "gamma0")
    assert abs(value.mean()) < 1e-4
    assert (value < 0).mean() == pytest.approx(1 - math.exp(-1), abs=0.01)


def test_complex_images_are_never_noise_corrected(product: tuple[Annotation, GeoGrid]) -> None:
    from dataclasses import replace

    annotation, _ = product
    assert "noiseCorrectedFlag" in annotation.processing.flags
    assert subtracts_noise(annotation, "auto")
    assert not subtracts_noise(annotation, "keep")
    detected = replace(annotation, variant="MGD")
    assert not subtracts_noise(detected, "auto")
    assert subtracts_noise(detected, "subtract")


def test_orbit_and_grid_agree_to_centimetres(
    product: tuple[Annotation, GeoGrid], geolocation: Geolocation
) -> None:
    annotation, grid = product
    seen = radar_sight(annotation, geolocation, by_height=False).see(
        grid.lon, grid.lat, grid.height
    )
    t, tau = seen.t, seen.tau
    assert np.abs(t - grid.t).max() < 0.02 * annotation.raster.line_spacing
    assert np.abs(tau - grid.tau).max() < 0.002 * annotation.raster.sample_spacing
    # What the product annotates of its delays is what the comparison finds.
    assert geolocation.delay[1] == pytest.approx(grid.range_delay, rel=2e-3)
    assert geolocation.delay[0] == pytest.approx(grid.azimuth_shift, abs=3e-6)


def test_ground_and_radar_are_inverse(
    product: tuple[Annotation, GeoGrid], geolocation: Geolocation
) -> None:
    _, grid = product
    for height in (0.0, 1850.0):
        lon, lat = geolocation.ground(grid.t[::9, ::9], grid.tau[::9, ::9], height)
        t, tau = geolocation.orbit.radar(lon, lat, height, first=geolocation.first)
        np.testing.assert_allclose(t + geolocation.delay[0], grid.t[::9, ::9], atol=1e-9)
        np.testing.assert_allclose(tau + geolocation.delay[1], grid.tau[::9, ::9], atol=1e-15)


def test_a_lower_height_moves_a_point_away_from_the_sensor(geolocation: Geolocation) -> None:
    """By Δh/tan θ on the ground, to first order."""
    grid = geolocation.grid
    t, tau = grid.t[60:61, 30:31], grid.tau[60:61, 30:31]
    places = [ecef(*geolocation.ground(t, tau, h), h)[0, 0] for h in (1000.0, 1100.0)]
    apart = float(np.linalg.norm(places[1] - places[0]))
    theta = math.radians(float(grid.inc[60, 30]))
    assert math.sqrt(apart**2 - 100**2) == pytest.approx(100 / math.tan(theta), rel=0.02)


def of_product(shared_data: Path, folder: str) -> tuple[Annotation, GeoGrid]:
    home = shared_data / "tsx" / folder
    (main,) = home.glob("T?X1_SAR__*.xml")
    grid = parse_georef(xml.read(str(home / "ANNOTATION" / "GEOREF.xml")))
    return parse_annotation(xml.read(str(main))), grid


@pytest.mark.parametrize("folder", [TSX1, TDX1])
def test_the_orbit_agrees_with_the_providers_own_grid(
    shared_data: Path, folder: str, at_most: Callable[[str, float, float], None]
) -> None:
    """With the annotated delays alone: none is fitted here."""
    annotation, grid = of_product(shared_data, folder)
    orbit = orbit_of(annotation.orbit, grid.reference_time)
    points = ecef(grid.lon, grid.lat, grid.height)
    t, distance, look = orbit.see(points, first=float(grid.lines.mean()))
    speed = float(np.linalg.norm(orbit.velocity(float(grid.lines.mean()))))
    along = (grid.t - t - grid.azimuth_shift) * speed
    across = (grid.tau - grid.range_delay) * LIGHT / 2 - distance
    at_most("azimuth, mean, m", abs(along.mean()), 0.05)
    at_most("azimuth, std, m", along.std(), 0.01)
    at_most("range, mean, m", abs(across.mean()), 0.003)
    at_most("range, std, m", across.std(), 0.001)
    apart = np.abs(incidence(look, grid.lon, grid.lat) - grid.inc)
    at_most("incidence, degrees", apart.max(), 1e-5)
    assert (orbit.side(grid.lon, grid.lat, t) == 1).all()  # both look to the right


@pytest.mark.parametrize("folder", [TSX1, TDX1])
def test_delays_and_heights_may_be_missing_one_at_a_time(shared_data: Path, folder: str) -> None:
    annotation, grid = of_product(shared_data, folder)
    whole = Geolocation(annotation, grid, where="g")
    assert whole.delay[0] == pytest.approx(grid.azimuth_shift, abs=6e-6)
    assert whole.delay[1] == pytest.approx(grid.range_delay, abs=2e-11)
    implied = Geolocation(annotation, replace(grid, height=None), where="g")
    np.testing.assert_allclose(implied.heights, grid.height, atol=0.05)
    measured = Geolocation(annotation, replace(grid, range_delay=None), where="g")
    assert measured.delay == whole.delay
    with pytest.raises(SceneUnreadable, match="neither heights"):
        Geolocation(annotation, replace(grid, height=None, range_delay=None), where="g")


def test_a_grid_that_contradicts_the_orbit_is_refused(product: tuple[Annotation, GeoGrid]) -> None:
    annotation, grid = product
    with pytest.raises(SceneUnreadable, match="apart"):
        Geolocation(annotation, replace(grid, lat=grid.lat + 0.01), where="g")
    late = tuple(replace(one, time=one.time + timedelta(hours=1)) for one in annotation.orbit)
    with pytest.raises(SceneUnreadable, match="does not cover"):
        Geolocation(replace(annotation, orbit=late), grid, where="g")
    with pytest.raises(SceneUnreadable, match="order"):
        Geolocation(
            replace(annotation, orbit=(annotation.orbit[0], *annotation.orbit)), grid, where="g"
        )
    few = tuple(
        one
        for one in annotation.orbit
        if abs((one.time - annotation.centre.azimuth_time).total_seconds()) > 16
    )
    with pytest.raises(SceneUnreadable, match="no state vector for 40 s"):
        Geolocation(replace(annotation, orbit=few), grid, where="g")
    with pytest.raises(SceneUnreadable, match="other side"):
        Geolocation(replace(annotation, look_side="L"), grid, where="g")


@pytest.mark.parametrize("folder", [TSX1, TDX1])
def test_image_positions_of_real_products_are_those_of_their_grid(
    shared_data: Path, folder: str
) -> None:
    annotation, grid = of_product(shared_data, folder)
    geolocation = Geolocation(annotation, grid, where="GEOREF.xml")
    sight = radar_sight(annotation, geolocation, by_height=False)
    seen = sight.see(grid.lon[3:4, 5:6], grid.lat[3:4, 5:6], grid.height[3:4, 5:6])
    line, sample = seen.line, seen.sample
    # The grid's positions are cut to whole numbers from 1.
    assert 0 <= line[0, 0] - (grid.row[3, 5] - 1) < 1.05
    assert 0 <= sample[0, 0] - (grid.col[3, 5] - 1) < 1.05
    zone = utm(annotation.centre.lon, annotation.centre.lat)
    left, bottom, right, top = footprint(
        annotation, geolocation, (annotation.average_height,), zone
    )
    spacing = ground_spacing(annotation)
    extent = annotation.raster.lines * spacing[0], annotation.raster.samples * spacing[1]
    for side in (right - left, top - bottom):
        assert 0.9 * min(extent) < side < math.hypot(*extent)
