"""The learned decision departs from the sum of distances only where that surely helps."""

from __future__ import annotations

import numpy as np
import pytest

from cpazmal_scale.config import RunConfig
from cpazmal_scale.model import methods
from cpazmal_scale.model.methods.shrunk import STRENGTHS, best_strength, shrunk

DAYS = np.arange(8) * 11.0 + 7


def fitted(decision: str, values, labels, groups):
    settings = RunConfig.parse({"train": {"barycenters": 1}})
    made = methods.make(f"euclid-{decision}", settings, DAYS)
    return made.fit(values, labels, groups=groups)


def series(polygons: int, useless: int, seed: int):
    """Two features that tell three classes apart, and others that differ between polygons alone."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(3), polygons * 6)
    groups = np.arange(codes.size) // 6
    wave = np.sin(DAYS / 25 + 0.9 * codes[:, None])
    told = wave[:, None] + rng.normal(0, 0.5, (codes.size, 2, DAYS.size))
    level = rng.normal(0, 2, (groups.max() + 1, useless, 1))[groups]
    noise = level + rng.normal(0, 0.3, (codes.size, useless, DAYS.size))
    values = np.concatenate([told, noise], axis=1).astype(np.float32)
    return values, np.array(["A", "B", "C"])[codes], groups


@pytest.mark.slow
def test_useless_features_are_told_from_useful_ones() -> None:
    training, test = series(12, 6, 0), series(12, 6, 1)
    right = {
        decision: (fitted(decision, *training).predict(test[0]) == test[1]).mean()
        for decision in ("sum", "learned")
    }
    assert right["learned"] > right["sum"] + 0.1


@pytest.mark.parametrize("polygons", [1, 2, 3])
def test_of_few_polygons_it_is_the_sum(polygons: int) -> None:
    values, labels, groups = series(polygons, 2, 2)
    learned, plain = (fitted(name, values, labels, groups) for name in ("learned", "sum"))
    np.testing.assert_array_equal(learned.predict(values), plain.predict(values))


def test_no_strength_leaves_the_scores_and_much_leaves_the_penalty() -> None:
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 3, 120)
    numbers = rng.normal(size=(120, 5)) + np.eye(3, 5)[codes] * 2
    given = rng.normal(size=(120, 3))
    kept = shrunk(numbers, given, codes, 0.0)
    assert not kept.weights.any()
    assert not kept.intercepts.any()
    free = shrunk(numbers, given, codes, 0.1)
    assert (free.scores(numbers, given).argmax(axis=1) == codes).mean() > 0.85
    groups = np.arange(120) // 4
    assert best_strength(numbers, given, codes, groups, 0) > 0
    assert best_strength(rng.normal(size=(120, 5)), np.eye(3)[codes], codes, groups, 0) == 0
    assert STRENGTHS[0] == 0


def test_classes_of_many_series_have_no_more_say() -> None:
    """Twice the series of one class change the regression no more than twice the weight of each."""
    rng = np.random.default_rng(4)
    codes = np.repeat([0, 1, 2], 30)
    numbers = rng.normal(size=(90, 4)) + np.eye(3, 4)[codes]
    given = np.zeros((90, 3))
    more = np.concatenate([np.arange(90), np.arange(30)])
    one = shrunk(numbers, given, codes, 0.01)
    # the mean weight of a series is 1: of 120 series the penalty counts for less
    two = shrunk(numbers[more], given[more], codes[more], 0.01 * 90 / 120)
    np.testing.assert_allclose(two.weights, one.weights, atol=2e-3)
    np.testing.assert_allclose(two.intercepts, one.intercepts, atol=2e-3)
