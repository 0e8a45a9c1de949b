"""What the faces promise to type checkers: mypy reads it, nothing runs it."""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

import cpazmal_scale
from cpazmal_scale import assess, cube, dtw, features, mapping, model, samples, scenes
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import CubeDamaged
from cpazmal_scale.execute import Execution

Series = NDArray[np.float32]


def library(config: RunConfig, url: str, series: Series) -> None:
    """A call of each room; a misspelt keyword is an error, which strict mypy expects here."""
    assert_type(cpazmal_scale.run(config), dict[str, object])
    assert_type(scenes.discover(config.ingest), list[scenes.Scene])
    assert_type(cube.open_cube(url), xr.Dataset)
    assert_type(cube.verify_cube(url), list[CubeDamaged])
    assert_type(samples.query("SELECT class FROM samples", url), pd.DataFrame)
    assert_type(features.names(("HH", "HV")), tuple[str, ...])
    assert_type(dtw.distances(series, series, dtw.Band.samples(3)), NDArray[np.float32])
    assert_type(dtw.barycenter(series, radius=3), dtw.Barycenter)
    assert_type(dtw.NearestBarycenter(radius=3).predict(series), NDArray[Any])
    assert_type(model.open_model(url), model.Model)
    assert_type(mapping.map_cube(config, url, url), mapping.MapResult)
    assert_type(mapping.open_map(url), xr.Dataset)
    assert_type(mapping.smooth(config, url, Execution()), mapping.DerivedMap)
    mapping.map_cube(config, url, url, exectuor=None)  # type: ignore[call-arg]
    dtw.distances(series, series, raduis=3)  # type: ignore[call-arg]


def methods(trained: assess.Labelled, config: RunConfig) -> None:
    """Cross-validation."""
    assert_type(assess.cross_validate(trained, config), assess.CrossValidation)
