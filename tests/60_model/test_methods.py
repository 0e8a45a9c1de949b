"""Every classifier of the table: one interface, stored and opened, the same bits in any block."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest

from cpazmal_scale.config import RunConfig
from cpazmal_scale.config.methods import METHODS, method
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.model import methods

DAYS = np.arange(14) * 11.0 + 7
FLAT = ("discriminant", "logistic", "minirocket", "forest", "boosting")
SETTINGS = [row.setting for row in METHODS if row.needs is None]


def windows(seed: int = 0, per_class: int = 24, classes: int = 3):
    """Seasons of another height and phase by class, two missing dates in every third series.

    Every second feature is above 0, as k2 is.
    """
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(classes), per_class)
    phase = codes[:, None, None] * 0.6 + rng.normal(0, 0.1, (codes.size, 1, 1))
    season = np.sin(DAYS / 60 + phase) + 0.3 * codes[:, None, None]
    values = (season + rng.normal(0, 0.4, (codes.size, 4, DAYS.size))).astype(np.float32)
    values[:, 1::2] = np.exp(values[:, 1::2])
    values[::3, :, 3] = np.nan
    values[::3, 1, 8] = np.nan
    groups = np.array([f"{c}-{i % 6}" for i, c in enumerate(codes)])
    return values, np.array(["ABL", "ICA", "ROC"])[codes], groups


def fitted(setting: str, **settings):
    values, labels, groups = windows()
    laws = {"features": {"statistics": ["k1", "k2"]}}
    made = methods.make(setting, RunConfig.parse(laws | settings), DAYS)
    return made.fit(values, labels, groups=groups)


@pytest.fixture(scope="module", params=SETTINGS)
def model(request):
    return request.param, fitted(request.param)


def test_learns(model) -> None:
    _, made = model
    values, labels, _ = windows(seed=1)
    assert (made.predict(values) == labels).mean() > 0.8
    chances = made.predict_proba(values)
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_window_has_a_group(setting) -> None:
    values, labels, groups = windows(per_class=4)
    made = methods.make(setting, RunConfig.parse({"features": {"statistics": ["k1", "k2"]}}), DAYS)
    with pytest.raises(ValueError, match="every series needs a group"):
        made.fit(values, labels, groups=[float("nan"), *groups[1:]])


def test_a_pixel_decides_alone(model) -> None:
    """Class and probability of a series are the same bits alone, in a block, and once stored."""
    setting, made = model
    values, _, _ = windows(seed=2)
    block = np.ascontiguousarray(values.transpose(1, 2, 0))
    whole = made.classify_block(block, made.limits(DAYS))
    arrays, text = made.state()
    again = methods.opened(setting, {k: np.array(v) for k, v in arrays.items()}, text)
    for some in (slice(0, 1), slice(5, 42), slice(71, 72)):
        part = again.classify_block(np.ascontiguousarray(block[..., some]), again.limits(DAYS))
        for one, two in zip(part, whole, strict=True):
            np.testing.assert_array_equal(one, two[..., some])
    for one, two in zip(made.decide(values), whole, strict=True):
        np.testing.assert_array_equal(one, two)


def test_state_needs_no_pickle(model) -> None:
    setting, made = model
    arrays, text = made.state()
    assert not any(array.dtype.hasobject for array in arrays.values())
    told = json.loads(text)
    assert methods.opened(setting, arrays, text).known_within_ == made.known_within_
    assert (made.known_within_ is not None) == made.calibrated_
    for wrong in ("0.1", -0.1, float("nan")):
        told["fitted"]["known_within_"] = wrong
        with pytest.raises(ValueError, match="right decisions is known to"):
            methods.opened(setting, arrays, json.dumps(told))


def test_too_few_dates_give_no_class(model) -> None:
    _, made = model
    values, _, _ = windows(seed=3)
    values[0, :, 5:] = np.nan
    decision = made.decide(values)
    assert decision.index[0] == 255
    assert np.isnan(decision.probability[:, 0]).all()
    assert (decision.index[1:] < 3).all()


def test_rejects_what_is_like_no_class(model) -> None:
    _, made = model
    values, _, _ = windows(seed=4)
    values[0] += 60
    made.reject = 6.0
    index = made.decide(values).index
    made.reject = None
    assert index[0] == 254
    assert (index[1:] < 254).all()


def test_other_dates_are_matched_by_season(model) -> None:
    """A year later, on dates one day off and one less, most classes stay."""
    setting, made = model
    values, labels, _ = windows(seed=5)
    later = np.delete(DAYS + 1, 6)
    decision = made.decide(np.delete(values, 6, axis=2), later)
    if setting.startswith("euclid"):
        return  # the band of the Euclidean twin is in samples
    assert (made.classes_[decision.index] == labels).mean() > 0.75


def test_knows_its_typical_series_and_its_cost(model) -> None:
    _, made = model
    values, _, _ = windows(seed=6)
    centres = made.centres()
    assert centres.shape[0] == 3
    assert centres.shape[2:] == (4, 14)
    assert np.nanmean(centres[2]) > np.nanmean(centres[0]) - 2
    away = made.distances_block(np.ascontiguousarray(values.transpose(1, 2, 0)))
    assert away.shape == (4, 3, len(values))
    own = away[:, np.repeat([0, 1, 2], 24), np.arange(72)]
    assert np.nanmedian(own) < np.nanmedian(away)
    assert 0 < made.seconds_per_pixel(made.limits(DAYS)) < 1e-2


def test_every_row_has_its_module() -> None:
    for row in METHODS:
        if row.needs is not None:
            continue
        module = importlib.import_module(row.module)
        assert callable(module.make)
        assert callable(module.opened)
        assert row.twin is None or method(row.twin).cost < row.cost
    with pytest.raises(ConfigError, match="no method is called 'svm'"):
        methods.make("svm", RunConfig(), DAYS)


def complete():
    values, labels, _ = windows(seed=7, per_class=40)
    filled = np.where(np.isnan(values), np.nanmean(values, axis=0), values)
    return filled.astype(np.float32), labels


def test_discriminant_is_scikit_learns() -> None:
    """The Gaussian rule itself, on the covariance that scikit-learn shrinks."""
    from sklearn.covariance import LedoitWolf
    from sklearn.preprocessing import StandardScaler

    values, labels = complete()
    made = methods.make("discriminant", RunConfig(), DAYS).fit(values, labels)
    flat = StandardScaler().fit_transform(values.reshape(len(values), -1).astype(np.float64))
    means = np.stack([flat[labels == c].mean(axis=0) for c in made.classes_])
    residual = flat - means[np.searchsorted(made.classes_, labels)]
    shrunk = LedoitWolf(assume_centered=True).fit(residual).covariance_
    inverse = np.linalg.inv(shrunk)
    far = np.stack([np.einsum("nd,de,ne->n", flat - m, inverse, flat - m) for m in means])
    expected = np.exp(-0.5 * (far - far.min(axis=0)))
    expected = (expected / expected.sum(axis=0)).T
    np.testing.assert_allclose(made.predict_proba(values), expected, atol=1e-6)


@pytest.mark.parametrize(("classes", "numbers"), [(1, 1), (3, 15), (8, 31), (9, 270)])
def test_linear_scores_are_the_sum(classes: int, numbers: int) -> None:
    """As numpy adds them up, at any place of any block, with gaps and infinite numbers."""
    from cpazmal_scale.kernels.scores import linear_scores

    rng = np.random.default_rng(classes)
    block = rng.normal(-12, 1, (numbers, 300)).astype(np.float32)
    block[rng.random(block.shape) < 0.1] = np.nan
    block[0, 7] = np.inf
    mean = rng.normal(-12, 1, numbers).astype(np.float32).astype(np.float64)
    weights, intercepts = rng.normal(size=(classes, numbers)), rng.normal(size=classes)
    offsets = np.where(np.isnan(block), 0.0, block - mean[:, None])
    expected = intercepts[:, None] + weights @ offsets
    whole = np.empty((classes, 300))
    linear_scores(block, mean, weights, intercepts, whole)
    np.testing.assert_allclose(whole, expected, rtol=1e-12, atol=1e-10)
    for some in (slice(299, 300), slice(7, 40), slice(43, 300)):
        part = np.empty((classes, some.stop - some.start))
        linear_scores(np.ascontiguousarray(block[:, some]), mean, weights, intercepts, part)
        np.testing.assert_array_equal(part, whole[:, some])


def test_logistic_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    values, labels = complete()
    made = methods.make("logistic", RunConfig(), DAYS).fit(values, labels)
    flat = values.reshape(len(values), -1).astype(np.float64)
    peer = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300, tol=1e-3))
    peer.fit(flat, labels)
    np.testing.assert_allclose(made.predict_proba(values), peer.predict_proba(flat), atol=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_trees_are_scikit_learns(classes: int) -> None:
    """Scores of the compiled kernels against the library that grew the trees, with gaps."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    from cpazmal_scale.model.methods import boosting

    values, labels, _ = windows(seed=8, per_class=40, classes=classes)
    tested = windows(seed=9, classes=classes)[0]
    flat, other = (v.reshape(len(v), -1) for v in (values, tested))
    block = np.ascontiguousarray(other.T)
    forest = methods.make("forest", RunConfig(), DAYS).fit(values, labels)
    peer = RandomForestClassifier(100, random_state=42).fit(flat, labels)
    shares = np.exp(forest.scores(block)) * (100 + 0.5 * classes) - 0.5
    np.testing.assert_allclose(shares.T / 100, peer.predict_proba(other), atol=1e-6)
    boosted = methods.make("boosting", RunConfig(), DAYS).fit(values, labels)
    peer = HistGradientBoostingClassifier(
        max_iter=boosting.ROUNDS,
        max_leaf_nodes=boosting.LEAVES,
        max_bins=boosting.BINS,
        max_features=boosting.FEATURES,
        min_samples_leaf=20,
        early_stopping=False,
        random_state=42,
    ).fit(flat, labels)
    scores = boosted.scores(block)
    expected = peer.decision_function(other).T
    if classes == 2:
        scores = scores[1] - scores[0]
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    np.testing.assert_allclose(boosted.predict_proba(tested), peer.predict_proba(other), atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_minirocket_is_aeons() -> None:
    """With aeon's own dilations, channels and biases the shares are aeon's."""
    convolution = pytest.importorskip(
        "aeon.transformations.collection.convolution_based", reason="needs the extra `bench`"
    )
    from cpazmal_scale.model.methods import minirocket

    values, _ = complete()
    made = methods.make("minirocket", RunConfig(), DAYS).fit(*complete())
    block = made.complete(np.ascontiguousarray(values.reshape(len(values), -1).T))
    series = np.ascontiguousarray(block.transpose(2, 0, 1))
    peer = convolution.MiniRocket(n_kernels=1008, random_state=1)
    expected = peer.fit_transform(series)
    counts, channels, dilations, per_dilation, biases = peer.parameters
    np.testing.assert_array_equal(dilations, made.dilations_)
    np.testing.assert_array_equal(per_dilation, made.per_dilation_)
    made.bounds_ = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    made.channels_, made.biases_ = channels, biases
    found = made.shares(block).T
    # a convolution that equals its bias but for rounding is above it in one order of sums only
    assert (np.abs(found - expected) < 1e-6).mean() > 0.995
    assert np.abs(found - expected).max() <= 2 / 6 + 1e-6
    assert len(minirocket.KERNELS) == 84


@pytest.mark.parametrize("setting", FLAT)
def test_a_damaged_state_is_refused(setting: str) -> None:
    made = fitted(setting)
    arrays, text = made.state()
    outside = {"weights_": np.nan, "feature_": -1, "child_": -1, "roots_": -1, "leaf_class_": 9}
    outside |= {"channels_": 9, "dilations_": 5, "bounds_": 0}
    for name in made.fitted:
        broken = [arrays[name][:-1]]
        if name in outside:
            broken.append(np.full_like(arrays[name], outside[name]))
        for values in broken:
            with pytest.raises(ValueError, match=r"damaged|shape"):
                methods.opened(setting, {**arrays, name: values}, text)


def test_probabilities_are_calibrated_on_held_out_groups() -> None:
    """Groups differ more than their members: what a classifier claims of itself is lowered."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(24), 8)
    labels = np.array(["a", "b"])[groups % 2]
    level = rng.normal(0, 1, 24)[groups] + 0.8 * (labels == "b")
    values = (level[:, None, None] + rng.normal(0, 0.2, (192, 3, 14))).astype(np.float32)
    made = methods.make("boosting", RunConfig(), DAYS).fit(values, labels, groups=groups)
    assert made.calibrated_
    assert made.temperature_ > 1.5
    alone = methods.make("boosting", RunConfig(), DAYS).fit(values, labels)
    assert (alone.calibrated_, alone.temperature_) == (False, 1.0)


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_class_within_one_group_is_learnt_all_the_same(setting: str) -> None:
    """As on the training side of a small fold; group numbers have gaps, a series has no date."""
    values, labels, groups = windows(seed=11)
    kept = (labels != "ROC") | (groups == "2-4")
    kept &= groups != "0-2"
    values = values[kept].copy()
    values[0] = np.nan
    laws = RunConfig.parse({"features": {"statistics": ["k1", "k2"]}})
    made = methods.make(setting, laws, DAYS)
    made.fit(values, labels[kept], groups=groups[kept])
    assert set(made.classes_) == {"ABL", "ICA", "ROC"}
    assert (made.predict(values)[1:] == labels[kept][1:]).mean() > 0.8
