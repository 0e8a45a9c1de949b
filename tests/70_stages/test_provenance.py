"""What a methods section is told of a model, in words."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine

from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.stages import provenance
from cpazmal_scale.storage import seal


def test_a_models_settings_are_told_in_words(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = {
        "settings": {"nearest_days": 33.0, "seed": 42},
        "missing_dates": {
            "rule": "series with fewer than min_dates valid dates get no class",
            "min_dates": 8,
        },
        "decision": {"temperature": 2.741, "calibrated": True, "reject": None},
        "id": "1",
    }
    seal.write_document(storage.join(str(tmp_path), "card.json"), card)

    class Entry:
        metadata = {"card": "card.json"}  # noqa: RUF012

        @staticmethod
        def fact(name: str) -> str:
            return name

    monkeypatch.setattr("cpazmal_scale.stages.workspace.find", lambda *_: Entry)
    told = provenance.model_facts(RunConfig.parse({"workspace": str(tmp_path)}))
    assert told["Parameters"] == "days to the nearest training date at most 33, seed 42"
    assert told["Missing dates"] == "series with fewer than 8 valid dates get no class"
    assert told["Decision"] == "temperature 2.741, calibrated on held-out polygons"


def test_what_is_withheld_is_not_called_calibrated() -> None:
    told = provenance.decision_in_words(
        {
            "temperature": 0.1612,
            "calibrated": True,
            "reject": 3.0,
            "withheld": "these classes are clusters of the series themselves",
        }
    )
    assert told == "reject 3, no probabilities: these classes are clusters of the series themselves"


def test_the_looks_of_a_cube_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own number, where it knows one."""
    one = np.ones(2)
    words = np.array(["a", "a"])
    cube = xr.Dataset(
        {
            name: ("time", values)
            for name, values in (
                ("incidence_angle", one),
                ("resolution_range", one),
                ("resolution_azimuth", one),
                ("sensor", words),
                ("resampling", words),
            )
        },
        attrs={"radiometry": "gamma0", "beam": "X", "state": "1", "software": "s", "enl": 4.2613},
    )
    monkeypatch.setattr("cpazmal_scale.stages.workspace.held", lambda *_: {"channels": "HH"})
    monkeypatch.setattr("cpazmal_scale.stages.workspace.channels", lambda *_: ("HH",))
    config = RunConfig()
    assert provenance.data_facts(config, cube)["Equivalent number of looks"] == "4.26"
    del cube.attrs["enl"]
    assert "Equivalent number of looks" not in provenance.data_facts(config, cube)


def test_the_elevation_model_is_named_if_it_is_the_cubes(tmp_path: Path) -> None:
    path = tmp_path / "massif_dem.tif"
    profile = {"driver": "GTiff", "height": 40, "width": 30, "count": 1, "dtype": "float32"}
    with rasterio.open(
        path, "w", crs="EPSG:32632", transform=Affine(10, 0, 33e4, 0, -20, 508e4), **profile
    ) as file:
        file.write(np.full((1, 40, 30), 2000, np.float32))
    terrain = {"dem": str(path), "vertical": "ellipsoid"}
    config = RunConfig.parse({"ingest": {"level1b": {"terrain": terrain}}})
    digest = hashlib.sha256(hashlib.sha256(path.read_bytes()).hexdigest().encode()).hexdigest()
    said = f"terrain-corrected on the elevation raster {digest[:12]} (heights above ellipsoid)"
    told = provenance.elevation_in_words(config, said)
    assert told.startswith("massif_dem.tif, 10 × 20 metre (WGS 84 / UTM zone 32N)")
    assert told.endswith("heights above the ellipsoid")
    assert provenance.elevation_in_words(config, said.replace(digest[:12], "0" * 12)) == ""
    assert provenance.elevation_in_words(RunConfig(), said) == ""
    path.unlink()
    assert provenance.elevation_in_words(config, said) == ""
