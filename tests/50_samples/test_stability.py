"""Whether clusters of series would be found again by other dates."""

from __future__ import annotations

import numpy as np

from cpazmal_scale.samples.draw.cluster import stability


def test_surfaces_that_differ_are_found_by_any_half_of_the_dates() -> None:
    rng = np.random.default_rng(0)
    levels = np.repeat([-3.0, -2.0, -1.0], 40)[:, None, None] + rng.normal(0, 0.1, (120, 2, 20))
    assert stability(levels.astype(np.float32), 3, 1) > 0.95


def test_one_surface_with_weather_of_its_own_each_day_is_not() -> None:
    levels = np.random.default_rng(0).normal(-2, 0.3, (300, 2, 20)).astype(np.float32)
    assert abs(stability(levels, 4, 1)) < 0.1


def test_three_dates_say_nothing() -> None:
    assert np.isnan(stability(np.zeros((20, 1, 3), np.float32), 2, 1))
