"""Decisions: the rules by hand, their invariances, and a plain twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpazmal_scale.dtw import NO_CLASS, decide
from cpazmal_scale.dtw.decision import REJECTED

RULES = ["soft", "vote", "sum"]


def twin(distances, tau, temperature, weights, rule):
    """Probabilities and class of one pixel from `(K, C)` in float64."""
    scaled = np.asarray(distances, float) / np.asarray(tau)[:, None]
    known = np.isfinite(scaled).all(axis=1) & (weights > 0)
    if not known.any():
        return None
    scaled, shares = scaled[known], weights[known] / weights[known].sum()
    total = shares @ scaled

    def softmax(x):
        powers = np.exp(-(x**2 - x.min() ** 2) / (2 * temperature))
        return powers / powers.sum()

    if rule == "soft":
        chances = shares @ np.array([softmax(row) for row in scaled])
        return chances, int(chances.argmax()), total
    if rule == "sum":
        return softmax(total), int(total.argmin()), total
    chances = shares @ np.eye(scaled.shape[1])[scaled.argmin(axis=1)]
    tied = np.flatnonzero(chances > chances.max() - 1e-6)
    return chances, int(tied[total[tied].argmin()]), total


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from(RULES),
    st.integers(1, 6),
    st.integers(1, 5),
    st.integers(0, 70),
    st.floats(0.05, 20),
    st.integers(0, 2**32 - 1),
)
def test_equals_the_twin(rule, features, classes, pixels, temperature, seed):
    rng = np.random.default_rng(seed)
    distances = (rng.random((features, classes, pixels)) * 4).astype(np.float32)
    distances[rng.random(distances.shape) < 0.03] = np.nan
    tau, weights = rng.random(features) + 0.5, rng.integers(0, 5, features) / 4
    made = decide(distances, tau, temperature, weights, decision=rule)
    for p in range(pixels):
        expected = twin(distances[:, :, p], tau, temperature, weights, rule)
        if expected is None:
            assert made.index[p] == NO_CLASS
            assert np.isnan([made.entropy[p], made.margin[p], made.distance[p]]).all()
            assert np.isnan(made.probability[:, p]).all()
            continue
        chances, index, total = expected
        np.testing.assert_allclose(made.probability[:, p], chances, rtol=1e-4, atol=2e-6)
        ranked = np.sort(np.append(chances, 0.0))[::-1]
        entropy = -(chances[chances > 0] * np.log(chances[chances > 0])).sum()
        if rule == "soft" and ranked[0] - ranked[1] < 1e-5:
            continue
        assert made.index[p] == index
        assert made.distance[p] == pytest.approx(total.min(), rel=1e-5)
        assert made.entropy[p] == pytest.approx(entropy / np.log(max(classes, 2)), abs=1e-5)
        if rule != "sum":
            assert made.margin[p] == pytest.approx(ranked[0] - ranked[1], abs=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_probabilities_sum_to_one_whatever_the_scale(rule):
    rng = np.random.default_rng(0)
    for scale in (1e-3, 1.0, 30.0, 1e4):
        distances = (rng.random((9, 4, 300)) * scale).astype(np.float32)
        made = decide(distances, np.ones(9), decision=rule)
        np.testing.assert_allclose(made.probability.sum(axis=0), 1, rtol=1e-6)
        assert (made.entropy >= 0).all()
        assert (made.entropy <= 1).all()
        assert (made.index < 4).all()


@pytest.mark.parametrize("rule", RULES)
def test_bits_depend_on_the_pixel_alone(rule):
    rng = np.random.default_rng(1)
    distances = rng.random((9, 4, 203)).astype(np.float32)
    distances[2, 1, ::7] = np.nan
    whole = decide(distances, np.ones(9), decision=rule)
    for some in (slice(0, 1), slice(3, 77), slice(200, None)):
        part = decide(np.ascontiguousarray(distances[:, :, some]), np.ones(9), decision=rule)
        for a, b in zip(whole, part, strict=True):
            assert np.ascontiguousarray(a[..., some]).tobytes() == b.tobytes()


def test_vote_counts_features_and_breaks_ties_by_distance():
    distances = np.array([[[1.0], [2.0]], [[3.0], [1.0]]], np.float32)
    made = decide(distances, [1.0, 1.0], decision="vote")
    assert made.probability[:, 0].tolist() == [0.5, 0.5]
    assert made.index[0] == 1
    assert made.margin[0] == 0
    assert made.entropy[0] == pytest.approx(1.0)
    assert decide(distances, [1.0, 4.0], decision="vote").index[0] == 0


@pytest.mark.parametrize("rule", RULES)
def test_permuting_features_and_scaling_one_with_its_tau_change_nothing(rule):
    rng = np.random.default_rng(2)
    distances, tau = rng.random((6, 3, 100)).astype(np.float32), rng.random(6) + 1
    one = decide(distances, tau, decision=rule)
    order = rng.permutation(6)
    two = decide(np.ascontiguousarray(distances[order]), tau[order], decision=rule)
    np.testing.assert_allclose(one.probability, two.probability, rtol=1e-5, atol=1e-6)
    scaled, factors = distances.copy(), tau.copy()
    scaled[3] *= 8
    factors[3] *= 8
    three = decide(scaled, factors, decision=rule)
    assert one.probability.tobytes() == three.probability.tobytes()
    if rule == "vote":
        raw = decide(scaled, tau, decision=rule)
        assert raw.probability.tobytes() == one.probability.tobytes()


def test_rejection_by_the_distance_to_every_class():
    distances = np.array([[[1.0, 5.0], [2.0, 6.0]]], np.float32)
    made = decide(distances, [2.0], reject=2.0)
    assert made.index.tolist() == [0, REJECTED]
    assert made.distance.tolist() == [0.5, 2.5]
    assert np.isfinite(made.probability).all()


def test_higher_temperature_is_less_certain():
    distances = np.array([[[1.0], [2.0]]], np.float32)
    sharp, mild = (decide(distances, [1.0], t).probability[0, 0] for t in (0.1, 10.0))
    assert sharp > 0.99
    assert 0.5 < mild < 0.6


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"decision": "mean"}, "one of soft, vote, sum"),
        ({"temperature": 0.0}, "temperature"),
        ({"tau": [0.0]}, "tau"),
        ({"tau": [1.0, 1.0]}, "tau"),
        ({"weights": [-1.0]}, "weights"),
        ({"reject": -1.0}, "reject"),
        ({"distances": np.zeros((1, 0, 1), np.float32)}, "classes"),
        ({"distances": np.zeros((1, 2, 1))}, "float32"),
    ],
)
def test_refusals(options, match):
    given_options = {"distances": np.ones((1, 2, 1), np.float32), "tau": [1.0], **options}
    with pytest.raises(ValueError, match=match):
        decide(**given_options)
