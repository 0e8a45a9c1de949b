"""Whatever is assessed is mapped: class and probability of a pixel are its classifier's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.small_campaign import (
    DATES,
    SHAPE,
    make_cube,
    make_model,
    whole_series,
    workspace,
)

from cpazmal_scale.config.methods import METHODS
from cpazmal_scale.config.methods import method as row
from cpazmal_scale.mapping import map_cube, open_map, plan_map
from cpazmal_scale.model import open_model

SETTINGS = [row.setting for row in METHODS if row.needs is None]

DISTANCES = {
    "sum": "DTW distance to the nearest barycenter",
    "euclid-sum": "Euclidean distance to the nearest barycenter",
    "soft-dtw": "soft-DTW distance to the nearest barycenter",
    "discriminant": "Euclidean distance to the nearest class mean series",
    "forest": "Euclidean distance to the nearest class mean series",
}


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_cube(f"{tmp_path_factory.mktemp('cube')}/cube.zarr")


@pytest.fixture(scope="module")
def series() -> np.ndarray:
    """Features `(K, T, P)` of every pixel, without blocks or tiles."""
    return whole_series(workspace(".").features).reshape(-1, DATES, SHAPE[0] * SHAPE[1])


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_mapped_pixel_is_its_classifiers_own(
    setting: str, cube: str, series: np.ndarray, tmp_path: Path
) -> None:
    config = workspace(tmp_path, classify={"method": setting, "block": 48})
    url = make_model(f"{tmp_path}/model.zarr", config)
    plan = plan_map(config, url, cube)
    assert plan.recipe.method == setting
    assert plan.seconds_per_pixel > 0
    made = open_map(map_cube(config, url, cube).url)
    model = open_model(url)
    assert model.method == setting
    decided = model.classifier.decide(np.moveaxis(series, 2, 0))
    expected = np.where(decided.index < 254, decided.index + 1, decided.index).reshape(SHAPE)
    np.testing.assert_array_equal(made["class"], expected)
    if setting in DISTANCES:
        told = f"{DISTANCES[setting]}, in units of the within-class distance"
        assert made.distance.attrs["long_name"] == told
    if row(setting).votes:
        assert not {"probability", "entropy", "margin"} & set(made.variables)
        return
    near = np.rint(np.nan_to_num(decided.probability, nan=6.5535) * np.float32(10000))
    stored = made.probability.values.reshape(len(model.classes), -1)
    np.testing.assert_array_equal(stored, near)
