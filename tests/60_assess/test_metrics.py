"""Figures of merit against scikit-learn, hand values and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as oracle

from cpazmal_scale.assess.validate.metrics import (
    BINS,
    SMALLEST,
    calibration_interval,
    chance_calibration_error,
    codes_of,
    confusion_counts,
    debiased_calibration_error,
    expected_calibration_error,
    figures,
    reliability_counts,
    scores,
)

CLASSES = ("ABL", "ACC", "HAG", "ICA")


def drawn(seed: int, size: int = 400, absent: int | None = None):
    """Random truth, predictions with some '' (no class), and probabilities."""
    rng = np.random.default_rng(seed)
    kinds = [c for c in range(4) if c != absent]
    truth = rng.choice(kinds, size, p=None)
    chances = rng.dirichlet(np.full(4, 0.6), size)
    chances[np.arange(size), truth] += 0.5
    chances /= chances.sum(axis=1, keepdims=True)
    names = np.array(CLASSES)
    predicted = names[chances.argmax(axis=1)]
    predicted[rng.random(size) < 0.05] = ""
    return names[truth], predicted, chances


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("absent", [None, 2])
def test_hard_figures_are_those_of_scikit_learn(seed: int, absent: int | None) -> None:
    truth, predicted, _ = drawn(seed, absent=absent)
    found = figures(truth, predicted, None, CLASSES)
    labels = [c for place, c in enumerate(CLASSES) if place != absent]
    table = oracle.confusion_matrix(truth, predicted, labels=[*CLASSES, ""])
    assert np.array_equal(found.confusion, table[:4])
    own = found.scores
    assert own.overall_accuracy == pytest.approx(oracle.accuracy_score(truth, predicted))
    assert own.kappa == pytest.approx(oracle.cohen_kappa_score(truth, predicted))
    for name, value in (("macro", own.macro_f1), ("weighted", own.weighted_f1)):
        expected = oracle.f1_score(truth, predicted, labels=labels, average=name)
        assert value == pytest.approx(expected)
    users, producers, f1, support = oracle.precision_recall_fscore_support(
        truth, predicted, labels=CLASSES, zero_division=np.nan
    )
    assert np.array_equal(own.support, support)
    there = support > 0
    assert own.producers[there] == pytest.approx(producers[there])
    assert own.f1[there] == pytest.approx(f1[there])
    assert own.users == pytest.approx(users, nan_ok=True)
    assert np.array_equal(np.isnan(own.f1), ~there)


def test_hand_values_of_two_classes() -> None:
    own = scores([[20, 5, 0], [10, 15, 0]])
    assert own.overall_accuracy == pytest.approx(0.7)
    assert own.kappa == pytest.approx(0.4)
    assert own.users == pytest.approx([20 / 30, 15 / 20])
    assert own.producers == pytest.approx([0.8, 0.6])
    assert own.f1 == pytest.approx([40 / 55, 30 / 45])


def test_no_class_is_an_error_and_not_left_out() -> None:
    all_told = scores([[8, 2, 0], [0, 10, 0]])
    withheld = scores([[8, 0, 2], [0, 10, 0]])
    assert withheld.overall_accuracy == all_told.overall_accuracy == pytest.approx(0.9)
    assert withheld.producers[0] == pytest.approx(0.8)
    assert withheld.users[1] == 1.0


def test_stacks_give_what_each_matrix_gives() -> None:
    stack = np.random.default_rng(1).integers(0, 40, (3, 5, 4, 5))
    together = scores(stack)
    for place in np.ndindex(3, 5):
        alone = scores(stack[place])
        for one, all_of_them in zip(alone, together, strict=True):
            assert np.array_equal(one, all_of_them[place])


def test_probability_figures() -> None:
    truth, predicted, chances = drawn(5)
    found = figures(truth, predicted, chances, CLASSES)
    assert found.auc == pytest.approx(
        oracle.roc_auc_score(truth, chances, multi_class="ovr", labels=CLASSES)
    )
    onehot = np.array(CLASSES) == truth[:, None]
    assert found.brier == pytest.approx(((chances - onehot) ** 2).sum(axis=1).mean())
    raised = np.maximum(chances, SMALLEST)
    raised /= raised.sum(axis=1, keepdims=True)
    assert found.log_loss == pytest.approx(-np.log(raised[onehot]).mean())


def test_wrong_certainty_costs_no_more_than_the_floor() -> None:
    found = figures(["ABL"], ["ACC"], [[0.0, 1.0]], ("ABL", "ACC"))
    assert found.log_loss == pytest.approx(-np.log(SMALLEST), rel=1e-3)
    assert found.brier == pytest.approx(2.0)
    assert found.ece == pytest.approx(1.0)
    assert np.isnan(found.auc)


def test_rows_without_probability_count_as_uniform() -> None:
    found = figures(["ABL", "ACC"], ["", ""], np.full((2, 2), np.nan), ("ABL", "ACC"))
    assert found.log_loss == pytest.approx(np.log(2))
    assert found.scores.overall_accuracy == 0
    assert np.isnan(found.ece)


def test_calibration_error_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(3)
    sure = np.concatenate([rng.random(500), np.arange(BINS + 1) / BINS, [np.nan]])
    truth, predicted = rng.integers(0, 2, (2, sure.size))
    gaps, total = 0.0, np.isfinite(sure).sum()
    for low in range(BINS):
        inside = [
            i
            for i in range(sure.size)
            if low / BINS < sure[i] <= (low + 1) / BINS or (low == 0 and sure[i] == 0)
        ]
        right = np.mean([truth[i] == predicted[i] for i in inside])
        gaps += len(inside) / total * abs(right - np.mean([sure[i] for i in inside]))
    found = expected_calibration_error(reliability_counts(truth, predicted, sure))
    assert found == pytest.approx(gaps)


def test_calibrated_predictions_have_little_error() -> None:
    rng = np.random.default_rng(4)
    sure = rng.uniform(0.5, 1, 200_000)
    right = rng.random(sure.size) < sure
    found = reliability_counts(np.ones(sure.size, int), right.astype(int), sure)
    assert expected_calibration_error(found) < 0.005


def test_labels_outside_the_classes() -> None:
    assert codes_of(np.array(["ACC", "ROC", "ABL"]), CLASSES).tolist() == [1, -1, 0]
    assert codes_of(np.array([], dtype=str), CLASSES).size == 0
    with pytest.raises(ValueError, match="reference codes"):
        figures(["ROC"], ["ABL"], None, CLASSES)
    with pytest.raises(ValueError, match="2 references, 1 predictions"):
        confusion_counts(np.zeros(2, int), np.zeros(1, int), 4)
    with pytest.raises(ValueError, match="probabilities must be"):
        figures(["ABL"], ["ABL"], [[1.0, 0.0]], CLASSES)
    with pytest.raises(ValueError, match="C, C \\+ 1"):
        scores(np.eye(3))


def test_debiased_error_is_that_of_kumar_liang_and_ma_where_windows_are_independent() -> None:
    rng = np.random.default_rng(3)
    claimed = rng.choice([0.35, 0.62, 0.88], 300)
    right = rng.random(300) < claimed - 0.1
    own = [
        reliability_counts(np.zeros(1, int), np.array([not r]), np.array([p]))
        for p, r in zip(claimed, right, strict=True)
    ]
    square = 0.0
    for p in np.unique(claimed):
        hits = right[claimed == p]
        y = hits.mean()
        square += hits.size / 300 * ((p - y) ** 2 - y * (1 - y) / (hits.size - 1))
    assert debiased_calibration_error(np.stack(own)) == pytest.approx(np.sqrt(square))
    assert np.isnan(debiased_calibration_error(np.zeros((2, 10, 3))))


def test_debiased_error_does_not_take_polygons_of_one_course_for_faults() -> None:
    rng = np.random.default_rng(4)
    found = []
    for _ in range(60):
        claimed = rng.uniform(0.3, 1.0, 40)
        right = rng.random(40) < claimed
        found.append(
            np.stack(
                [
                    reliability_counts(np.zeros(20, int), np.full(20, int(not r)), np.full(20, p))
                    for p, r in zip(claimed, right, strict=True)
                ]
            )
        )
    plain = [expected_calibration_error(one.sum(axis=0)) for one in found]
    assert np.mean(plain) > 0.12
    assert np.mean([debiased_calibration_error(one) == 0 for one in found]) > 0.4


def polygons(
    rng: np.random.Generator, off: float, count: int = 150, windows: int = 5
) -> np.ndarray:
    """Windows of polygons, each all right or all wrong, that claim `off` more than they keep."""
    claimed = rng.choice([0.35, 0.55, 0.75, 0.95], count)
    right = rng.random(count) < claimed - off
    return np.stack(
        [
            reliability_counts(
                np.zeros(windows, int), np.full(windows, int(not r)), np.full(windows, p)
            )
            for p, r in zip(claimed, right, strict=True)
        ]
    )


def test_what_perfect_probabilities_show_is_what_they_show() -> None:
    """Repeated samples that claim what they keep, and others whose fault is no chance."""
    rng = np.random.default_rng(6)
    drawn = [polygons(rng, 0.0) for _ in range(60)]
    shown = [expected_calibration_error(one.sum(axis=0)) for one in drawn]
    said = np.array([chance_calibration_error(one, 0) for one in drawn])
    assert said[:, 0].mean() == pytest.approx(np.mean(shown), rel=0.1)
    assert 0.85 < np.mean(np.array(shown) < said[:, 1]) <= 1
    wrong = np.array([chance_calibration_error(polygons(rng, 0.2), 0) for _ in range(20)])
    assert wrong[:, 0].mean() == pytest.approx(np.mean(shown), rel=0.25)
    assert np.isnan(chance_calibration_error(np.zeros((2, 10, 3)), 0)).all()


@pytest.mark.parametrize("off", [0.0, 0.1, 0.2])
def test_interval_of_the_calibration_error_holds_it(off: float) -> None:
    rng = np.random.default_rng(7)
    ends = np.array([calibration_interval(polygons(rng, off), 1) for _ in range(50)])
    assert (ends[:, 0] <= ends[:, 1]).all()
    assert np.mean((ends[:, 0] <= off) & (off <= ends[:, 1])) > 0.88
    if off == 0.2:
        assert (ends[:, 0] > 0.05).mean() > 0.7
    assert np.isnan(calibration_interval(polygons(rng, off, count=4), 1)).all()
