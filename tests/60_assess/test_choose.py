"""The best method by nested cross-validation: what wins, by how much, what choosing is worth."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cpazmal_scale.assess import choose
from cpazmal_scale.assess.report.choice import choice_text
from cpazmal_scale.assess.validate import choose as module
from cpazmal_scale.config import RunConfig
from cpazmal_scale.samples import WindowSeries

DATES = np.datetime64("2020-01-08", "s") + np.arange(12) * np.timedelta64(11 * 86400, "s")


def campaign(noise: float, groups: int = 6, seed: int = 0):
    """Two classes of one mean, of which one jumps up or down: no mean series tells them apart."""
    rng = np.random.default_rng(seed)
    codes = np.repeat([0, 1], groups * 8)
    polygons = np.array([f"{c}{i % groups}" for i, c in enumerate(codes)])
    values = rng.normal(0, noise, (codes.size, 3, 12))
    sign = rng.choice([-1.0, 1.0], codes.size)
    values[:, 0, 3] += 2 * sign * (codes == 0)
    values[:, 0, 7] -= 2 * sign * (codes == 0)
    series = WindowSeries(values.astype(np.float32), ("HH.k1", "HH.k2", "HH.k3"), DATES)
    return series, np.array(["ABL", "ICA"])[codes], polygons


def settings(*candidates: str) -> RunConfig:
    parts = {"classify": {"candidates": candidates}, "dtw": {"radius": 0}}
    return RunConfig.parse({**parts, "train": {"barycenters": 1}})


@pytest.fixture
def divided_once(monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_REPEATS", 1)


@pytest.mark.usefixtures("divided_once")
def test_what_sees_the_difference_wins_decidedly() -> None:
    made = choose(*campaign(0.3), settings("euclid-sum", "discriminant", "forest"))
    assert made.method == "forest"
    assert made.decided
    assert made.low > 0.1
    assert made.nested_winners == {"forest": 3}
    assert made.nested_macro_f1 > 0.9
    assert next(iter(made.macro_f1)) == "forest"
    told = choice_text(made.plain())
    assert made.p_corrected in (made.p, 2 * made.p)  # of two comparisons: last or first
    assert "another division of the polygons" in told
    assert "**random forest** makes the map" in told
    assert "The next is Euclidean barycenter (sum): the difference is +" in told
    assert not re.search("ahead of|decide|better", told), "the comparison alone has a verdict"


@pytest.mark.usefixtures("divided_once")
def test_ties_go_to_the_cheaper_and_are_called_so() -> None:
    series, labels, polygons = campaign(0.3)
    values = series.values + 3 * (labels == "ICA")[:, None, None]
    easy = WindowSeries(values.astype(np.float32), series.names, DATES)
    made = choose(easy, labels, polygons, settings("forest", "logistic", "discriminant"))
    assert made.method == "discriminant"
    assert not made.decided
    assert not re.search("ahead of|decide|better", choice_text(made.plain()))


def test_nested_predictions_are_of_polygons_that_neither_trained_nor_chose(monkeypatch) -> None:
    seen = []
    own = module.cross_validate

    def watched(trained, config, **how):
        seen.append(set(trained.groups))
        return own(trained, config, **how)

    monkeypatch.setattr(module, "cross_validate", watched)
    series, labels, polygons = campaign(0.3)
    choose(series, labels, polygons, settings("euclid-sum", "discriminant"))
    every, *inner = seen
    assert every == set(polygons)
    tested = [every - inside for inside in inner]
    assert set.union(*tested) == every
    assert sum(map(len, tested)) == len(every)


def test_few_windows_are_divided_often_and_the_nested_winner_tested_on_each_once(
    monkeypatch,
) -> None:
    monkeypatch.setattr(module, "winner", lambda own: own.methods[0])
    series, labels, polygons = campaign(1.5)
    shifted = series.values + 0.8 * (labels == "ICA")[:, None, None]
    own = (WindowSeries(shifted, series.names, series.dates), labels, polygons)
    often = choose(*own, settings("discriminant", "euclid-sum"))
    monkeypatch.setattr(module, "MOST_REPEATS", 1)
    once = choose(*own, settings("discriminant", "euclid-sum"))
    assert (often.folds, once.folds) == (9, 3)
    assert often.nested_macro_f1 == once.nested_macro_f1 < 1.0
    assert once.nested_macro_f1 == pytest.approx(once.macro_f1["discriminant"], abs=1e-6)
    assert often.macro_f1 != once.macro_f1


def test_two_polygons_per_class_allow_no_decision_and_no_nesting() -> None:
    made = choose(*campaign(0.3, groups=2), settings("euclid-sum", "forest"))
    assert made.nested_macro_f1 is None
    assert not made.decided
    assert "could not be tested" in choice_text(made.plain())


@pytest.mark.parametrize("only", ["sum"])
def test_one_candidate_is_taken(only: str) -> None:
    made = choose(*campaign(0.3), settings(only))
    assert (made.method, made.next) == (only, None)
    assert choice_text(made.plain())
