"""A new sensor is one module and one row: here the module is a class, the row a patched tuple."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pytest
from support.scenes_factory import run_config, speckle, write_raster

from cpazmal_scale.config import Naming
from cpazmal_scale.cube import ingest_scenes, open_cube
from cpazmal_scale.errors import SceneUnknown
from cpazmal_scale.scenes import Candidate, platforms, registry
from cpazmal_scale.scenes.format import Listing, Platform
from cpazmal_scale.scenes.formats.naming import Named
from cpazmal_scale.scenes.formats.rasters import Rasters

_NAME = re.compile(r"ICEYE_(X\d+)_RTC_SM_(\d+)_(\d{8}T\d{6})\.tif$")


class IceyeRasters(Rasters):
    """Terrain-corrected scenes of another X-band satellite, by its own names."""

    name = "iceye"
    platforms: Mapping[str, Platform] = {"X7": Platform("iceye-x7", "X", 9.65)}

    def recognise(self, listing: Listing) -> list[Candidate]:
        """Files of its names; the relative orbit is the beam."""
        found = []
        for url in listing.files:
            match = _NAME.search(url)
            if match is None:
                continue
            start = datetime.strptime(match[3], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
            named = Named(match[0][:-4], match[1], start, beam=f"R{match[2]}")
            rules = Naming(bands=("VV",), radiometry="gamma0_T", incidence_angle=33.0)
            found.append(listing.candidate(url, named, rules, format=self.name))
        return found


def test_a_new_sensor_goes_through_every_door(tmp_path, monkeypatch) -> None:
    values = [speckle((64, 64), seed) for seed in range(2)]
    for day, image in zip((1, 12), values, strict=True):
        write_raster(tmp_path / "s" / f"ICEYE_X7_RTC_SM_88_202403{day:02}T101500.tif", [image])
    config = run_config(tmp_path / "s", tmp_path / "ws")
    monkeypatch.setattr(registry, "FORMATS", (IceyeRasters(), *registry.FORMATS))
    report = ingest_scenes(config)
    cube = open_cube(report.cubes[0].url)
    assert (cube.attrs["beam"], set(cube.sensor.to_numpy())) == ("R88", {"X7"})
    np.testing.assert_array_equal(cube.VV, np.stack(values))
    assert platforms()["X7"].name == "iceye-x7"


def test_names_of_formats_are_unique_and_their_sensors_known() -> None:
    names = [one.name for one in registry.FORMATS]
    assert len(set(names)) == len(names)
    assert {"PAZ1", "TSX1", "TDX1", "S1A"} <= set(platforms())
    for name in names:
        assert registry.format_of(name).name == name
    with pytest.raises(SceneUnknown, match="no scene format is called `none`"):
        registry.format_of("none")
