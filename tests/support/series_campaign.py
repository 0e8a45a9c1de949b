"""A campaign of labelled series, without scenes or cubes."""

from __future__ import annotations

from typing import Any

import numpy as np

from cpazmal_scale.assess import Campaign
from cpazmal_scale.config import RunConfig
from cpazmal_scale.samples import WindowSeries

CLASSES = ("ABL", "ACC", "HAG")
DATES = np.datetime64("2020-01-08", "s") + np.arange(12) * np.timedelta64(11 * 86400, "s")
CONFIG = RunConfig.parse(
    {
        "assess": {"repeats": 2, "methods": ["sum", "vote", "euclid-sum", "forest"]},
        "samples": {"classes": CLASSES},
        "dtw": {"min_dates": 2},
        "train": {"iterations": 5, "restarts": 1},
    }
)
Case = tuple[WindowSeries, "np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]


def campaign(seed: int = 0, groups: int = 4, windows: int = 6, effect: float = 0.6) -> Case:
    """Seasonal series of three classes with an effect per polygon, noise and gaps."""
    rng = np.random.default_rng(seed)
    phase = np.linspace(0, 2 * np.pi, DATES.size)
    values, labels, polygons = [], [], []
    for c, name in enumerate(CLASSES):
        for g in range(groups):
            season = np.stack([np.cos(phase + 0.9 * c), 0.5 * c * np.ones_like(phase)])
            own = season + rng.normal(0, effect, (2, 1))
            values.append(own + rng.normal(0, 0.5, (windows, 2, DATES.size)))
            labels += [name] * windows
            polygons += [f"{name}{g:03d}"] * windows
    series = np.concatenate(values).astype(np.float32)
    series[rng.random(series.shape) < 0.03] = np.nan
    return WindowSeries(series, ("HH.k1", "HV.k1"), DATES), np.array(labels), np.array(polygons)


FACTS = Campaign(
    beam="DSC37",
    channels="HH, HV",
    first_date="2020-01-08",
    last_date="2020-12-25",
    dates=29,
    shape=(1024, 2048),
    pixel="3 m",
    crs="EPSG:32632",
    features=("HH.k1", "HV.k1"),
    simulated=True,
)
