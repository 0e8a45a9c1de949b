"""Largest probabilities are as sure as held-out series bear out; classes never change."""

import numpy as np
import pytest
from scipy.special import expit, logit

from cpazmal_scale.dtw import (
    Decision,
    NearestBarycenter,
    as_they_are,
    borne_out,
    can_calibrate,
    known_within,
)
from cpazmal_scale.dtw.confidence import calibrated, fitted_confidence, fitted_temperature


def decision(rng, classes=4, pixels=8000):
    chances = rng.dirichlet(np.full(classes, 0.7), pixels).T.astype(np.float32)
    entropy = -(chances * np.log(np.maximum(chances, 1e-30))).sum(axis=0) / np.log(classes)
    ordered = np.sort(chances, axis=0)
    index = chances.argmax(axis=0).astype(np.uint8)
    return Decision(index, chances, entropy, ordered[-1] - ordered[-2], np.ones(pixels, np.float32))


def error(sure, right):
    places = np.minimum((sure * 10).astype(int), 9)
    return sum(abs(sure[places == b].sum() - right[places == b].sum()) for b in range(10)) / len(
        sure
    )


@pytest.mark.slow
def test_recovers_how_often_each_class_is_right() -> None:
    """Truth by a slope and offsets of its own; the fit finds them, and new series agree."""
    rng = np.random.default_rng(0)
    slope, offsets = 0.5, np.array([0.8, -0.6, 0.0, -0.2])
    sides = []
    for _ in range(2):
        made = decision(rng)
        top = made.probability.max(axis=0)
        right = rng.random(top.size) < expit(
            slope * logit(top.clip(1e-6, 1 - 1e-6)) + offsets[made.index]
        )
        sides.append((made, right, np.where(right, made.index, (made.index + 1) % 4)))
    (made, _, codes), (other, right, _) = sides
    found = fitted_confidence(made.probability, codes)
    np.testing.assert_allclose(found, [slope, *offsets], atol=0.3)
    before = error(other.probability.max(axis=0), right)
    classes = other.index.copy()
    borne_out(other, found)
    assert error(other.probability.max(axis=0), right) < min(0.03, before / 2)
    np.testing.assert_array_equal(other.probability.argmax(axis=0), classes)


def test_polygons_calibrate_scores_alike() -> None:
    """A polygon counts the same with one window as with many copies of it."""
    rng = np.random.default_rng(3)
    codes = np.arange(40) % 4
    scores = rng.normal(0, 2, (4, 40))
    scores[codes, np.arange(40)] += 2
    once = calibrated(scores, codes, np.arange(40))
    rows = np.repeat(np.arange(40), np.tile([1, 7, 2, 30], 10))
    often = calibrated(scores[:, rows], codes[rows], rows)
    assert often.temperature == pytest.approx(once.temperature, rel=1e-3)
    assert abs(np.log(fitted_temperature(scores[:, rows], codes[rows]) / once.temperature)) > 0.02


def test_what_is_left_keeps_its_ratios_and_figures_follow() -> None:
    rng = np.random.default_rng(1)
    made = decision(rng, pixels=500)
    before = made.probability.copy()
    made.index[7] = 254
    made.probability[:, 9], made.index[9] = np.nan, 255
    borne_out(made, np.array([0.7, -3.0, 0.2, 0.0, 1.0]))
    assert np.isnan(made.probability[:, 9]).all()
    keep = np.arange(500) != 9
    after = made.probability[:, keep].astype(float)
    np.testing.assert_allclose(after.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_array_equal(after.argmax(axis=0), before[:, keep].argmax(axis=0))
    ordered = np.sort(after, axis=0)
    assert (ordered[-1] - ordered[-2] > 1e-4).all()
    np.testing.assert_allclose(made.margin[keep], ordered[-1] - ordered[-2], atol=1e-6)
    entropy = -(after * np.log(np.maximum(after, 1e-30))).sum(axis=0) / np.log(4)
    np.testing.assert_allclose(made.entropy[keep], entropy, atol=1e-5)
    others = np.argsort(before[:, keep], axis=0)[:-1]
    rest = [np.take_along_axis(values, others, axis=0) for values in (before[:, keep], after)]
    np.testing.assert_allclose(
        rest[0] / rest[0].sum(axis=0), rest[1] / rest[1].sum(axis=0), atol=1e-5
    )


def test_nothing_learnt_changes_no_bit() -> None:
    made = decision(np.random.default_rng(2))
    before = made.probability.tobytes()
    assert borne_out(made, as_they_are(4)).probability.tobytes() == before


@pytest.mark.parametrize(("groups", "enough"), [(3, False), (4, True)])
def test_four_groups_of_every_class_make_a_calibration(groups, enough) -> None:
    rng = np.random.default_rng(3)
    codes = np.repeat([0, 1], 24)
    numbers = codes * 100 + np.arange(48) % groups
    assert can_calibrate(codes, numbers) == enough
    series = rng.normal(codes[:, None, None], 1.5, (48, 2, 9))
    made = NearestBarycenter(decision="sum", radius=2).fit(series, codes, groups=numbers)
    assert made.calibrated_ == enough
    assert np.array_equal(made.confidence_, as_they_are(2)) != enough
    assert (made.known_within_ is not None) == enough


@pytest.mark.parametrize(("groups", "alike"), [(8, 3.0), (12, 30.0), (40, 3.0)])
def test_the_share_of_right_decisions_is_inside_its_interval(groups, alike) -> None:
    """Groups of 1 to 20 series whose own shares scatter about 0.8."""
    rng = np.random.default_rng(4)
    away, width = np.empty((2, 1000))
    for draw in range(1000):
        count = rng.integers(1, 21, groups).astype(float)
        right = rng.binomial(count.astype(int), rng.beta(0.8 * alike, 0.2 * alike, groups))
        away[draw] = right.sum() / count.sum() - 0.8
        width[draw] = known_within(right, count)
    assert (abs(away) <= width).mean() >= 0.93
    assert width.mean() < 2 * 1.96 * away.std()


def test_more_series_of_a_group_and_no_error_make_nothing_certain() -> None:
    count, right = np.array([4.0, 6.0, 5.0, 0.0]), np.array([3.0, 6.0, 1.0, 0.0])
    assert known_within(20 * right, 20 * count) == pytest.approx(known_within(right, count))
    assert known_within(count, count) > 0.3  # three groups without an error
    assert known_within(np.ones(300), np.ones(300)) < 0.02
    assert known_within(np.zeros(2), np.zeros(2)) == 1.0
