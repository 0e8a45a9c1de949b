"""Distances of all features together are those of their definitions, and refuse what they lack."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.special import gamma as gamma_function
from support.dtw_twin import naive
from support.soft_twin import soft_naive

from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.model import methods

DAYS = np.arange(9) * 11.0 + 7
SETTINGS = ("soft-dtw", "wasserstein", "wasps")


@cache
def laws(per_class: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """k1, k2, k3 of two channels: classes differ by phase in k1 and by level in k2."""
    rng = np.random.default_rng(5)
    codes = np.repeat([0, 1, 2], per_class)
    wave = np.sin(DAYS / 20 + 0.8 * codes[:, None])
    level = 0.1 + 0.05 * codes[:, None] + rng.gamma(4, 0.01, (codes.size, DAYS.size))
    parts = [(wave - 2 * c, level * (1 + c), np.zeros_like(wave)) for c in (0, 1)]
    values = np.stack([one for part in parts for one in part], axis=1)
    values[:, ::3] += rng.normal(0, 0.2, values[:, ::3].shape)
    groups = np.array([f"{c}-{i % 5}" for i, c in enumerate(codes)])
    return values.astype(np.float32), np.array(["A", "B", "C"])[codes], groups


@cache
def fitted(setting: str):
    values, labels, groups = laws()
    return methods.make(setting, RunConfig(), DAYS).fit(values, labels, groups=groups)


def weibull_costs(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Squared Wasserstein distance of Weibull amplitudes `(T, T')` of k1, k2, channels summed."""
    total = np.zeros((one.shape[1], two.shape[1]))
    for channel in (0, 2):
        sides = []
        for side in (one, two):
            shape = np.pi / np.sqrt(6 * side[channel + 1])
            sides.append((np.exp(side[channel] + np.euler_gamma / shape), shape))
        (a, k), (b, m) = [(x[:, None], y[:, None]) for x, y in sides[:1]] + [
            (x[None], y[None]) for x, y in sides[1:]
        ]
        total += a**2 * gamma_function(1 + 2 / k) + b**2 * gamma_function(1 + 2 / m)
        total -= 2 * a * b * gamma_function(1 + 1 / k + 1 / m)
    return total


def squares(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return ((one[:, :, None] - two[:, None]) ** 2).sum(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
def test_distances_are_those_of_the_definition(setting: str) -> None:
    made = fitted(setting)
    values, labels, _ = laws()
    some = values[::11].astype(np.float64)
    block = np.ascontiguousarray(some.transpose(1, 2, 0), np.float32)
    limits = made.limits(DAYS)
    own = made.barycenters_[:, 0].astype(np.float64)
    found = made.distances_block(block, limits) * made.tau_[0]
    costs = weibull_costs if setting == "wasps" else squares
    for n, series in enumerate(some):
        if setting == "soft-dtw":
            ready = (series - made.mean_[:, None]) / made.scale_[:, None]
        else:
            ready = series[[0, 1, 3, 4]]
            ready[1::2] = np.sqrt(ready[1::2]) if setting == "wasserstein" else ready[1::2]
        for c, centre in enumerate(own):
            if setting == "wasserstein":
                expected = naive(ready, centre, limits)
            else:
                softness = float(made.gamma_)
                sums = [
                    soft_naive(costs(x, y), softness, limits)
                    for x, y in ((ready, centre), (ready, ready), (centre, centre))
                ]
                expected = np.sqrt(max(sums[0] - sums[1] / 2 - sums[2] / 2, 0))
            np.testing.assert_allclose(found[:, c, n], expected, rtol=2e-4, atol=2e-4)
    assert (made.predict(values) == labels).mean() > 0.9
    best = made.classes_[found[0].argmin(axis=0)]
    np.testing.assert_array_equal(made.predict(some), best)


@pytest.mark.parametrize("setting", SETTINGS)
def test_typical_series_are_in_the_features_units(setting: str) -> None:
    made = fitted(setting)
    values, labels, _ = laws()
    mean = np.stack([values[labels == label].mean(axis=0) for label in made.classes_])
    np.testing.assert_allclose(made.centres()[:, 0], mean, atol=0.45)
    np.testing.assert_allclose(made.centres()[:, 0, 1::3], mean[:, 1::3], atol=0.1)


def test_what_a_law_lacks_is_refused() -> None:
    lacking = RunConfig.parse({"features": {"statistics": ["k1", "k3"]}})
    with pytest.raises(ConfigError, match=r"compares laws by k1 and k2.*add k1 and k2"):
        methods.make("wasserstein", lacking, DAYS)
    methods.make("soft-dtw", lacking, DAYS)
    with pytest.raises(ConfigError, match="open ends"):
        methods.make("wasps", RunConfig.parse({"dtw": {"open_ends": "both"}}), DAYS)
    values, labels, groups = laws()
    with pytest.raises(ValueError, match="5 features of 3 statistics"):
        methods.make("wasps", RunConfig(), DAYS).fit(values[:, :5], labels, groups=groups)
    made = fitted("wasps")
    arrays, text = made.state()
    for name, wrong in (("gamma_", np.array(-1.0)), ("centres_", arrays["centres_"][:, :2])):
        with pytest.raises(ValueError, match=r"gamma|shape"):
            methods.opened("wasps", arrays | {name: wrong}, text)
