"""Places by the processor against those of the simulated radar, which shares nothing with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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


@pytest.mark.parametrize("case", CASES)
def test_places_are_those_of_the_simulated_radar(tmp_path: Path, case: str) -> None:
    """Within a decimetre along both axes: relief, and 0 to 4800 m above the ellipsoid."""
    made = simulate_case(tmp_path, CASES[case], size=SIZE, truth=False)
    (view,) = made.views
    sight = sight_of(made.products[0])
    for level in (None, 0.0, 4800.0):
        lon, lat, height = ground(view, level)
        seen = sight.see(lon, lat, height)
        line, sample = positions(view, lon, lat, height)
        t, tau = line * view.sensor.line_step, sample * view.sensor.sample_step
        late = np.abs(seen.t - t).max() * 7_100
        far = np.abs(seen.tau - view.sensor.near - tau).max() * 149_896_229.0
        assert late < 0.10
        assert far < 0.10
        if view.flown.direction == "DSC":
            assert np.abs(seen.line - line).max() < 0.05
            assert np.abs(seen.sample - sample).max() < 0.05
