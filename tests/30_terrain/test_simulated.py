"""Places by the processor against those of the simulated radar, which shares nothing with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.reflectors import complex_image, peak

from cpazmal_scale.scenes.level1b.annotation_xml import parse_annotation
from cpazmal_scale.scenes.level1b.geolocation import Geolocation
from cpazmal_scale.scenes.level1b.georef import parse_georef
from cpazmal_scale.scenes.level1b.placing import radar_sight
from cpazmal_scale.scenes.untrusted import xml
from cpazmal_scale.simulate.radar.cases import CASES, simulate_case
from cpazmal_scale.simulate.radar.earth import to_degrees
from cpazmal_scale.simulate.radar.passes import View, positions
from cpazmal_scale.simulate.radar.pixels import heights
from cpazmal_scale.terrain.sight import Sight

SIZE = 400.0


def sight_of(main: Path) -> Sight:
    annotation = parse_annotation(xml.read(str(main)))
    grid = parse_georef(xml.read(str(main.parent / "ANNOTATION" / "GEOREF.xml")))
    return radar_sight(annotation, Geolocation(annotation, grid, where=main), by_height=True)


def ground(view: View, level: float | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places on the surface of a simulated site, or at one height above it."""
    left, bottom, right, top = view.surface.bounds
    x, y = np.meshgrid(np.linspace(left, right, 23)[8:15], np.linspace(bottom, top, 23)[8:15])
    lon, lat = to_degrees(view.crs, x, y)
    height = heights(view.surface, x, y) if level is None else np.full(x.shape, level)
    return lon, lat, height


LOOKS = {**CASES, "ASC-L": replace(CASES["ASC-R"], side="L")}
"""The simulated cases, and the fourth pair of flight and side."""


@pytest.mark.parametrize("case", LOOKS)
def test_places_are_those_of_the_simulated_radar(
    tmp_path: Path, case: str, at_most: Callable[[str, float, float], None]
) -> None:
    """Within a decimetre along both axes: relief, and 0 to 4800 m above the ellipsoid."""
    made = simulate_case(tmp_path, LOOKS[case], size=SIZE, truth=False)
    (view,) = made.views
    sight = sight_of(made.products[0])
    late, far = [], []
    for level in (None, 0.0, 1000.0, 2500.0, 4800.0):
        lon, lat, height = ground(view, level)
        seen = sight.see(lon, lat, height)
        line, sample = positions(view, lon, lat, height)
        t, tau = line * view.sensor.line_step, sample * view.sensor.sample_step
        late.append(np.abs(seen.t - t).max() * 7_100)
        far.append(np.abs(seen.tau - view.sensor.near - tau).max() * 149_896_229.0)
        if view.flown.direction == "DSC":
            assert np.abs(seen.line - line).max() < 0.05
            assert np.abs(seen.sample - sample).max() < 0.05
    at_most("azimuth, m", max(late), 0.10)
    at_most("range, m", max(far), 0.10)


def test_reflectors_stay_where_they_are_on_every_date(
    tmp_path: Path, at_most: Callable[[str, float, float], None]
) -> None:
    """Ten dates in the orbit's tube: peaks of the images beside the places by the processor."""
    case = replace(CASES["DSC-R"], reflectors=3)
    made = simulate_case(tmp_path, case, size=260.0, dates=10, truth=False)
    lon, lat, height = (
        np.array([getattr(one, name) for one in made.reflectors])
        for name in ("lon", "lat", "height")
    )
    apart = []
    for main in made.products:
        seen, image = sight_of(main).see(lon, lat, height), complex_image(main)
        found = [peak(image, *place) for place in zip(seen.line, seen.sample, strict=True)]
        apart.append(np.array(found) - np.stack([seen.line, seen.sample], axis=-1))
    between = np.array(apart) - np.mean(apart, axis=0)
    at_most("pixels off their mean, std", between.std(axis=0).max(), 0.05)
    at_most("pixels off their place, mean", np.abs(np.mean(apart, axis=0)).max(), 0.05)
