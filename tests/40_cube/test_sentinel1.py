"""Real scenes nobody here made: Sentinel-1 RTC of OPERA, by configuration alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import ingest_scenes, open_cube, verify_cube

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "sentinel1-rtc.yaml"


@pytest.fixture
def example(shared_data: Path, tmp_path: Path) -> RunConfig:
    config = RunConfig.load(EXAMPLE, workspace=str(tmp_path))
    source = {"scenes": str(shared_data / "s1-rtc"), "chunk": 64, "precision": "full"}
    return config.model_copy(update={"ingest": config.ingest.model_copy(update=source)})


def test_bursts_become_cubes_with_the_values_of_their_files(
    example: RunConfig, shared_data: Path
) -> None:
    report = ingest_scenes(example)
    assert [(cube.beam, cube.dates, cube.shape) for cube in report.cubes] == [
        ("T137-292319-IW1", 22, (100, 100)),
        ("T137-292321-IW1", 22, (100, 100)),
        ("T137-292323-IW2", 22, (100, 100)),
    ]
    for part in report.cubes:
        cube = open_cube(part.url).compute()
        assert cube.rio.crs.to_epsg() == 32611
        assert cube.attrs["polarisations"] == ["VV", "VH"]
        assert set(cube.sensor.to_numpy()) == {"S1A", "S1B"}
        assert cube.attrs["sat:orbit_state"] == "ascending"
        assert (np.diff(cube.time.to_numpy()) > np.timedelta64(0, "ns")).all()
        for polarisation in ("VV", "VH"):
            files = sorted(
                (shared_data / "s1-rtc" / part.beam).glob(f"*_{polarisation}.tif"),
                key=lambda path: path.name.split("_")[4],
            )
            for number, path in enumerate(files):
                with rasterio.open(path) as raster:
                    image = raster.read(1)
                expected = np.where(image == 0, np.nan, image)
                np.testing.assert_array_equal(cube[polarisation][number], expected)
        nothing = np.isnan(cube.VV) & np.isnan(cube.VH)
        np.testing.assert_array_equal(cube["mask"], np.where(nothing, 32, 0))
    assert verify_cube(report.cubes[0].url) == []
    assert all(not part.appended for part in ingest_scenes(example).cubes)
