"""Group-wise cross-validation, its tables, figures and report."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score
from support.series_campaign import CLASSES, CONFIG, DATES, FACTS, Case, campaign

from cpazmal_scale.assess import (
    CrossValidation,
    Labelled,
    Performance,
    Report,
    Stage,
    by_date,
    cross_validate,
    write_report,
)
from cpazmal_scale.assess.report.family import family
from cpazmal_scale.assess.report.figures import confusion_figure
from cpazmal_scale.assess.report.markdown import markdown
from cpazmal_scale.assess.report.report import blocks
from cpazmal_scale.assess.report.verdicts import believable, verdict
from cpazmal_scale.assess.validate import methods
from cpazmal_scale.assess.validate.metrics import scores
from cpazmal_scale.assess.validate.significance import holm, mcnemar, polygon_permutation
from cpazmal_scale.config import RunConfig
from cpazmal_scale.config.methods import method
from cpazmal_scale.errors import ConfigError, SampleError
from cpazmal_scale.execute import DaskExecutor, ThreadExecutor
from cpazmal_scale.model import Workers
from cpazmal_scale.pictures import png
from cpazmal_scale.samples import WindowSeries, stratified_group_folds

FOREST = method("forest").name
ONCE = CONFIG.model_copy(update={"assess": CONFIG.assess.model_copy(update={"repeats": 1})})
COMPARED = (methods.SUM, method("vote").name, method("euclid-sum").name, FOREST)
QUICK = (methods.SUM, method("vote").name, method("euclid-sum").name)


@pytest.fixture(scope="module")
def case() -> Case:
    return campaign()


@pytest.fixture(scope="module")
def found(case: Case) -> CrossValidation:
    return cross_validate(Labelled(*case), CONFIG)


def same(one: CrossValidation, two: CrossValidation) -> None:
    """Everything but the seconds is equal, bit for bit."""
    assert np.array_equal(one.counts, two.counts)
    assert np.array_equal(one.reliability, two.reliability)
    seconds = ["seconds_fit", "seconds_predict"]
    pd.testing.assert_frame_equal(
        one.folds.drop(columns=seconds), two.folds.drop(columns=seconds), check_exact=True
    )


def test_every_window_is_tested_once_per_repeat(case: Case, found: CrossValidation) -> None:
    _, labels, polygons = case
    assert found.methods == COMPARED
    assert len(found.folds) == len(COMPARED) * 2 * 3
    for g, polygon in enumerate(found.groups):
        for c, name in enumerate(CLASSES):
            own = int(((polygons == polygon) & (labels == name)).sum())
            assert found.windows[g, c] == own
            assert (found.counts[:, g, c].sum(axis=-1) == 2 * own).all()
    assert found.lacking.empty
    assert (found.folds["seconds_fit"] > 0).all()


def test_forest_figures_are_those_of_plain_scikit_learn(case: Case, found: CrossValidation) -> None:
    series, labels, polygons = case
    seed = int(np.random.SeedSequence([CONFIG.seed, 0]).generate_state(1)[0])
    flat = series.values.reshape(len(labels), -1)
    own = found.folds[(found.folds["method"] == FOREST) & (found.folds["repeat"] == 0)]
    for fold, (train, test) in enumerate(stratified_group_folds(labels, polygons, 3, seed)):
        forest = RandomForestClassifier(100, random_state=CONFIG.seed)
        forest.fit(flat[train], labels[train])
        predicted = forest.predict(flat[test])
        expected = f1_score(labels[test], predicted, average="macro")
        assert own["macro_f1"].iloc[fold] == pytest.approx(expected)


@pytest.mark.slow
def test_polygons_that_tell_the_label_by_themselves_do_not_help() -> None:
    """Series that are noise of their polygon: a split by windows is fooled, one by polygons not."""
    rng = np.random.default_rng(7)
    polygons = np.repeat([f"P{g:02d}" for g in range(36)], 6)
    labels = np.repeat(np.array(CLASSES)[np.arange(36) % 3], 6)
    noise = rng.normal(0, 1, (36, 2, DATES.size))[np.repeat(np.arange(36), 6)]
    values = (noise + rng.normal(0, 0.05, noise.shape)).astype(np.float32)
    series = WindowSeries(values, ("a", "b"), DATES)
    only = (FOREST,)
    honest = cross_validate(Labelled(series, labels, polygons), ONCE, methods=only)
    fooled = cross_validate(Labelled(series, labels, np.arange(len(labels))), ONCE, methods=only)
    assert honest.pooled(FOREST).macro_f1 < 0.5
    assert fooled.pooled(FOREST).macro_f1 > 0.95


def leaking(y: Any, groups: Any, folds: int, seed: int) -> Iterator[Any]:
    rows = np.random.default_rng(seed).permutation(len(y))
    for test in np.array_split(rows, folds):
        yield np.setdiff1d(rows, test), test


def partial(y: Any, groups: Any, folds: int, seed: int) -> Iterator[Any]:
    yield from list(stratified_group_folds(y, groups, folds, seed))[:-1]


def test_a_split_through_a_polygon_is_refused(case: Case) -> None:
    with pytest.raises(SampleError, match="both trained on and tested on"):
        cross_validate(Labelled(*case), CONFIG, split=leaking)
    with pytest.raises(SampleError, match="does not test every group"):
        cross_validate(Labelled(*case), CONFIG, split=partial)


def test_nothing_is_learnt_from_the_test_side(case: Case) -> None:
    """Absurd values in other polygons of the same test side change no prediction."""
    series, labels, polygons = case
    both = (methods.SUM, FOREST)
    before = cross_validate(Labelled(*case), ONCE, methods=both)
    seed = int(np.random.SeedSequence([CONFIG.seed, 0]).generate_state(1)[0])
    _, test = next(stratified_group_folds(labels, polygons, 3, seed))
    kept = polygons[test][0]
    values = series.values.copy()
    values[test[polygons[test] != kept]] *= -1000
    after = cross_validate(
        Labelled(replace(series, values=values), labels, polygons), ONCE, methods=both
    )
    place = before.groups.index(kept)
    assert np.array_equal(before.counts[:, place], after.counts[:, place])
    assert not np.array_equal(before.counts, after.counts)


class Backwards:
    """An executor that finishes the last key first."""

    workers = 1

    def run(self, function: Callable[[Any], Any], keys: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        for key in reversed(list(keys)):
            yield key, function(key)


@pytest.mark.slow
def test_result_does_not_depend_on_order_or_workers(case: Case, found: CrossValidation) -> None:
    same(found, cross_validate(Labelled(*case), CONFIG, workers=Workers(Backwards())))
    told: list[tuple[int, int]] = []
    threads = cross_validate(
        Labelled(*case),
        CONFIG,
        workers=Workers(ThreadExecutor(3), None, lambda *at: told.append(at)),
    )
    same(found, threads)
    assert told == [(n, 6) for n in range(1, 7)]
    assert found.summary().filter(like="macro").equals(threads.summary().filter(like="macro"))


@pytest.mark.e2e
def test_dask_workers_give_the_same(case: Case) -> None:
    from distributed import Client, LocalCluster

    here = cross_validate(Labelled(*case), ONCE, methods=QUICK)
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster) as client,
    ):
        there = cross_validate(
            Labelled(*case),
            ONCE,
            methods=QUICK,
            workers=Workers(DaskExecutor(client, cluster.scheduler_address)),
        )
    same(here, there)


def test_failures_of_a_fold_are_raised(case: Case) -> None:
    class Failing:
        workers = 1

        def run(self, _function: Any, keys: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
            for key in keys:
                yield key, ValueError("worker lost")

    with pytest.raises(ValueError, match="worker lost"):
        cross_validate(Labelled(*case), CONFIG, workers=Workers(Failing()))


def test_folds_that_lack_a_class_are_listed_and_counted() -> None:
    series, labels, polygons = campaign(groups=3)
    kept = ~((labels == "HAG") & (polygons == "HAG002"))
    short = replace(series, values=series.values[kept])
    own = cross_validate(Labelled(short, labels[kept], polygons[kept]), CONFIG, methods=QUICK)
    assert own.fold_count == 6
    assert own.lacking_folds("test") >= 2
    tested = own.lacking[own.lacking["side"] == "test"]
    assert set(tested["class"]) == {"HAG"}
    for row in own.folds.itertuples():
        lacks = ((tested["repeat"] == row.repeat) & (tested["fold"] == row.fold)).any()
        assert np.isnan(row.f1_HAG) == lacks
    text = sections_of(own)
    assert f"{own.lacking_folds('test')} in testing" in text
    assert "Every fold trains and tests every class" not in text


def test_series_without_dates_are_errors_not_gaps(case: Case) -> None:
    series, labels, polygons = case
    values = series.values.copy()
    values[0] = np.nan
    own = cross_validate(Labelled(replace(series, values=values), labels, polygons), ONCE)
    for name in own.methods:
        assert own.confusion(name)[:, -1].sum() == 1
    assert own.folds[["log_loss", "brier", "auc"]].notna().all().all()


def test_band_barycenters_and_seed_come_from_the_configuration() -> None:
    days = np.arange(12.0)
    parse = RunConfig.parse
    in_days = methods.make(methods.SUM, days, parse({"dtw": {"band_days": 22}}))
    assert (in_days.radius, in_days.band_days) == (None, 22)
    asked = {"dtw": {"radius": 2}, "train": {"barycenters": 3}, "seed": 9}
    in_samples = methods.make(methods.SUM, days, parse(asked))
    assert (in_samples.radius, in_samples.band_days) == (2, None)
    assert (in_samples.barycenters, in_samples.seed) == (3, 9)
    euclid = methods.make(method("euclid-sum").name, days, parse({}))
    assert (euclid.radius, euclid.band_days, euclid.decision) == (None, 0, "sum")
    near = methods.make(methods.NEIGHBORS, days, parse({"dtw": {"radius": 2}}))
    assert (near.n_neighbors, near.radius) == (25, 2)
    never = methods.make(methods.SUM, days, parse({"classify": {"reject": 1.5}}))
    assert never.reject is None


def test_vote_shares_what_it_would_learn_alone(case: Case) -> None:
    series, labels, polygons = case
    codes = np.searchsorted(CLASSES, labels)
    numbers = np.unique(polygons, return_inverse=True)[1]
    given = (series.values, codes, numbers, np.arange(12.0) * 11, CONFIG)
    shared = list(methods.fit_methods((methods.SUM, method("vote").name), *given))[1]
    alone = next(methods.fit_methods((method("vote").name,), *given))
    assert shared.model.decision == alone.model.decision == "vote"
    assert np.array_equal(shared.model.barycenters_, alone.model.barycenters_)
    one, two = (methods.timed_answer(m, series.values, 3) for m in (shared, alone))
    assert np.array_equal(one.codes, two.codes)
    assert np.array_equal(one.probability, two.probability, equal_nan=True)


@pytest.mark.slow
def test_every_method_has_its_turn(case: Case) -> None:
    own = cross_validate(Labelled(*case), ONCE, methods=methods.NAMES)
    assert (own.summary()["macro_f1_pooled"] > 0.4).all()


def test_what_cannot_be_validated_is_refused(case: Case) -> None:
    series, labels, polygons = case
    with pytest.raises(ConfigError, match="no method is called 'SVM'"):
        cross_validate(Labelled(*case), CONFIG, methods=("SVM",))
    with pytest.raises(SampleError, match="1 class cannot"):
        cross_validate(Labelled(series, np.full(len(labels), "ABL"), polygons), CONFIG)
    with pytest.raises(SampleError, match="71 classes"):
        cross_validate(Labelled(series, labels[1:], polygons), CONFIG)
    with pytest.raises(SampleError, match="class ABL lies in 1 group only"):
        cross_validate(Labelled(series, labels, np.where(labels == "ABL", "A", polygons)), CONFIG)


def test_classes_keep_the_order_of_the_configuration(case: Case) -> None:
    series, labels, polygons = case
    turned = {"samples": {"classes": ("HAG", "ABL", "ACC")}, "assess": {"repeats": 1}}
    own = cross_validate(
        Labelled(series, labels, polygons),
        RunConfig.parse(turned),
        methods=(method("euclid-sum").name,),
    )
    assert own.classes == ("HAG", "ABL", "ACC")
    renamed = np.char.add("C", np.searchsorted(CLASSES, labels).astype(str))
    own = cross_validate(
        Labelled(series, renamed, polygons), CONFIG, methods=(method("euclid-sum").name,)
    )
    assert own.classes == ("C0", "C1", "C2")


def test_intervals_are_those_of_a_plain_bootstrap(found: CrossValidation) -> None:
    row = found.summary().loc[methods.SUM]
    counts = found.counts[found.methods.index(methods.SUM)]
    rng, drawn = np.random.default_rng(0), []
    for _ in range(2000):
        total = np.zeros((3, 4))
        for c in range(3):
            members = np.flatnonzero(found.windows[:, c])
            for g in rng.choice(members, members.size):
                total += counts[g]
        right = np.diag(total[:, :3])
        drawn.append(np.mean(2 * right / (total.sum(axis=1) + total[:, :3].sum(axis=0))))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert row["macro_f1_low"] == pytest.approx(low, abs=0.03)
    assert row["macro_f1_high"] == pytest.approx(high, abs=0.03)
    assert low < row["macro_f1_pooled"] < high


def test_summary_is_the_mean_and_deviation_over_folds(found: CrossValidation) -> None:
    own = found.folds[found.folds["method"] == FOREST]["macro_f1"].to_numpy()
    row = found.summary().loc[FOREST]
    assert row["macro_f1_mean"] == pytest.approx(own.mean())
    assert row["macro_f1_std"] == pytest.approx(own.std(ddof=1))


def test_a_method_does_not_differ_from_itself(found: CrossValidation) -> None:
    nothing = found.difference(methods.SUM, methods.SUM)
    assert (nothing.value, nothing.low, nothing.high, nothing.decided) == (0, 0, 0, False)
    there = found.difference(methods.SUM, FOREST)
    back = found.difference(FOREST, methods.SUM)
    turned = (-back.value, -back.high, -back.low)
    assert (there.value, there.low, there.high) == pytest.approx(turned)
    with pytest.raises(ValueError, match="was not compared"):
        found.difference(methods.SUM, methods.NEIGHBORS)


def test_errors_are_attributed_to_polygons(found: CrossValidation) -> None:
    table = found.errors()
    for name in found.methods:
        own = table[table["method"] == name]
        assert own["share_of_errors"].sum() == pytest.approx(1)
        assert own["share_of_errors"].is_monotonic_decreasing
        wrong = ((1 - own["right"]) * own["windows"]).sum() * 2
        assert wrong == pytest.approx(found.confusion(name).sum() - correct(found, name))
        worst = own.iloc[0]
        counts = found.counts[found.methods.index(name), found.groups.index(worst["group"])]
        row = counts[CLASSES.index(worst["class"])]
        taken = (*CLASSES, "no class").index(worst["mistaken_for"])
        assert row[taken] == worst["mistaken"] * row.sum()
        assert taken != CLASSES.index(worst["class"])


def test_false_alarms_and_confusions_are_those_of_the_counts(found: CrossValidation) -> None:
    alarms, cells = found.false_alarms(), found.confusions()
    for place, name in enumerate(found.methods):
        own = alarms[alarms["method"] == name]
        counts = found.confusion(name)
        wrong = counts[:, :3].sum() - correct(found, name)
        assert own["predictions"].sum() == wrong
        shares = own.groupby("predicted")["share"].sum()
        assert shares.to_numpy() == pytest.approx(1)
        first = own.iloc[0]
        g, c = found.groups.index(first["group"]), CLASSES.index(first["predicted"])
        taken = np.delete(found.counts[place, g, :, c], c).sum()
        assert first["predictions"] == taken > 0
        table = cells[cells["method"] == name]["predictions"].to_numpy().reshape(3, 4)
        assert np.array_equal(table, counts)


def correct(own: CrossValidation, name: str) -> int:
    return int(np.trace(own.confusion(name)[:, :3]))


def settled(own: CrossValidation, other: float, forest: float) -> CrossValidation:
    """The same validation with the given share right in every polygon."""
    counts = np.zeros_like(own.counts)
    for m, name in enumerate(own.methods):
        share = forest if name == FOREST else other
        for g, c in zip(*np.nonzero(own.windows), strict=True):
            right = round(1000 * share)
            counts[m, g, c, c] = right
            counts[m, g, c, (c + 1) % 3] = 1000 - right
    return replace(own, counts=counts)


def test_verdict_says_who_wins_even_when_it_is_the_forest(found: CrossValidation) -> None:
    many = on_more_polygons(found)
    lost = verdict(settled(many, 0.7, 0.9), methods.SUM)
    assert lost.startswith("**random forest is ahead of DTW barycenter (sum)**: macro-F1")
    assert "macro-F1 over all folds 0.900 against 0.700" in lost
    won = verdict(settled(many, 0.6, 0.8), FOREST)
    assert won.startswith("**random forest is ahead**: macro-F1 over all folds 0.800 against 0.600")
    assert "near 0.33" in won
    level = verdict(settled(many, 0.7, 0.7), methods.SUM)
    assert "cannot be told apart" in level
    assert "Warping is not shown to matter" in level


def test_verdict_is_against_the_best_of_the_others(found: CrossValidation) -> None:
    many = settled(on_more_polygons(found), 0.7, 0.9)
    third = next(name for name in many.methods if name not in (methods.SUM, FOREST))
    counts = many.counts.copy()
    counts[many.methods.index(third)] = 0
    for g, c in zip(*np.nonzero(many.windows), strict=True):
        counts[many.methods.index(third), g, c, c] = 1000
    told = verdict(replace(many, counts=counts), methods.SUM)
    assert told.startswith(f"**{third} is ahead of DTW barycenter (sum)**")
    assert "1.000 against 0.700" in told


def test_p_is_corrected_for_all_comparisons_of_the_table(found: CrossValidation) -> None:
    p = np.array([0.01, 0.04, 0.03, 0.005])  # Holm (1979): times 4, 3, 2, 1 from the smallest
    assert holm(p).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    table = family(found, methods.SUM).dropna(subset="holm_p")
    assert {methods.SUM} & {*table["first"], *table["second"]}
    assert len(table) >= len(found.methods) - 1
    assert (table["holm_p"] >= table["permutation_p"]).all()
    least = table["permutation_p"].idxmin()
    assert table["holm_p"][least] == min(1, len(table) * table["permutation_p"][least])
    gap = found.difference(found.methods[0], found.methods[1])
    clear = gap._replace(low=0.01, high=0.05, groups=5)
    assert (clear._replace(p=0.03).decided, clear._replace(p=0.06).decided) == (True, False)


def test_no_win_without_five_polygons_of_every_class(found: CrossValidation) -> None:
    """The same shares on four polygons of a class: an interval without zero decides nothing."""
    assert found.fewest_groups == 4
    told = verdict(settled(found, 0.7, 0.9), methods.SUM)
    assert "ahead" not in told
    assert "cannot be told apart" in told
    assert "A class has 4 polygons" in told


def test_no_method_better_than_guessing_is_said(found: CrossValidation) -> None:
    told = verdict(settled(on_more_polygons(found), 1 / 3, 0.3), methods.SUM)
    assert told.startswith("**No method is shown to be better than guessing**")


def on_more_polygons(own: CrossValidation) -> CrossValidation:
    """The validation with every polygon twice, so that each class has eight."""
    return replace(
        own,
        groups=(*own.groups, *(f"{name}+" for name in own.groups)),
        windows=np.concatenate([own.windows, own.windows]),
        counts=np.concatenate([own.counts, own.counts], axis=1),
        tested=np.concatenate([own.tested, own.tested], axis=1),
        reliability=np.concatenate([own.reliability, own.reliability], axis=1),
    )


def test_report_says_whether_probabilities_fit(found: CrossValidation) -> None:
    def claiming(confidence: float, right: float) -> str:
        bins = np.zeros_like(found.reliability)
        bins[:, 0, 6] = 1000, 1000 * confidence, 1000 * right
        return believable(replace(found, reliability=bins), methods.SUM)

    assert "too cautious**: mean confidence 0.610, right 0.900" in claiming(0.61, 0.9)
    assert "right 0.900 in windows inside polygons, which they know to ± 0." in claiming(0.61, 0.9)
    assert "too sure of itself**" in claiming(0.65, 0.4)
    assert "claims what it keeps" in claiming(0.65, 0.66)
    assert "so few polygons do not tell whether it is below 0.05" in claiming(0.65, 0.4)
    assert "where perfect probabilities would show" in believable(found, methods.SUM)
    sure = np.zeros_like(found.reliability)
    sure[:, :, 9] = np.array([10, 9.5, 5])
    many = on_more_polygons(replace(found, reliability=sure))
    assert "**more than 0.05 is shown**" in believable(many, methods.SUM)
    sure[:, :, 9, 2] = 9.4
    many = on_more_polygons(replace(found, reliability=sure))
    assert "it is shown to be below 0.05" in believable(many, methods.SUM)
    mapped = Report("", replace(FACTS, window="7 × 7 pixels (21 m)"), found, boundary=0.377)
    text = markdown("", blocks(mapped))
    assert "A window of 7 × 7 pixels (21 m) across a boundary mixes" in text
    assert "**37.7 % of the classified pixels have another class of the map" in text
    assert "no probabilities" in believable(
        replace(found, reliability=0 * found.reliability), methods.SUM
    )


def sections_of(own: CrossValidation) -> str:
    return markdown("Glacier map", blocks(Report("Glacier map", FACTS, validation=own)))


def test_report_holds_the_numbers_of_the_tables(tmp_path: Any, found: CrossValidation) -> None:
    speed = Performance(
        stages=(Stage("ingest", 12.0, "29 scenes"), Stage("classify", 30.0)),
        map_pixels=2_097_152,
        map_seconds=16.0,
        workers=2,
        peak_memory=1.5 * 2**30,
    )
    areas = pd.DataFrame(
        {
            "name": ["ablation area"],
            "group": ["glacier"],
            "pixels": [1000],
            "km2": [0.009],
            "share": [1.0],
        },
        index=["ABL"],
    )
    report = Report(
        "Glacier map",
        FACTS,
        validation=found,
        areas=areas,
        performance=speed,
        opening="import intake",
    )
    written = write_report(str(tmp_path / "report.md"), report)
    assert all((tmp_path / url).exists() for url in written)
    text = (tmp_path / "report.md").read_text()
    summary = found.summary()
    for name, row in summary.iterrows():
        line = "".join(s for s in text.splitlines() if s.startswith(f"| {name} |"))
        assert f"{row['macro_f1_mean']:.3f} ± {row['macro_f1_std']:.3f}" in line
        assert f"{row['macro_f1_low']:.3f} to {row['macro_f1_high']:.3f}" in line
        assert f"{row['log_loss_mean']:.3f}" in line
    for part in ("simulated", "131\u202f072 pixels per second", "65\u202f536 per worker"):
        assert part in text
    for part in (
        "1.50 GiB",
        "42 s",
        "import intake",
        "0.009",
        "100.0 %",
        "1\u202f024 × 2\u202f048",
    ):
        assert part in text
    stored = pd.read_csv(tmp_path / "report" / "accuracy.csv").set_index("method")
    pd.testing.assert_frame_equal(stored, summary)
    for name in ("confusion.png", "reliability.png"):
        assert f"(report/{name})" in text
        assert (tmp_path / "report" / name).read_bytes().startswith(b"\x89PNG")
    for link in (part.split(")")[0] for part in text.split("](")[1:]):
        assert (tmp_path / link).exists(), link
    assert "nan" not in text.lower()


def test_report_goes_to_any_store(found: CrossValidation) -> None:
    import fsspec

    written = write_report("memory://bucket/run/report.md", Report("Map", FACTS, validation=found))
    memory = fsspec.filesystem("memory")
    assert memory.cat_file("/bucket/run/report.md").startswith(b"# Map\n")
    assert all(memory.exists(url) for url in written)


def test_confusion_figure_shows_shares_and_counts() -> None:
    from matplotlib.image import imread

    counts = np.array([[30, 10, 0], [0, 0, 0]])
    figure = confusion_figure({"one": counts, "two": [[1, 0, 1], [0, 2, 0]]}, ("ABL", "ACC"))
    told = {text.get_text() for text in figure.axes[0].texts}
    assert {"75 %", "30", "25 %", "10"} <= told
    assert len(figure.axes[0].texts) == 6  # a class without members has no shares
    assert [tick.get_text() for tick in figure.axes[1].get_xticklabels()][-1] == "none"
    picture = imread(io.BytesIO(png(figure)))
    assert picture.shape[1] > picture.shape[0]


def test_decisions_share_what_each_would_learn_alone(case: Case) -> None:
    series, labels, polygons = case
    codes = np.searchsorted(CLASSES, labels)
    numbers = np.unique(polygons, return_inverse=True)[1]
    given = (series.values, codes, numbers, np.arange(12.0) * 11, CONFIG)
    names = (method("vote").name, methods.SUM, method("soft").name)
    for shared in methods.fit_methods(names, *given):
        alone = next(methods.fit_methods((shared.name,), *given))
        assert shared.model.decision == alone.model.decision
        assert shared.model.temperature_ == alone.model.temperature_
    assert shared.model.temperature_ != 1.0


@pytest.mark.slow
def test_series_shared_through_a_store_give_the_same(
    case: Case, found: CrossValidation, tmp_path: Path
) -> None:
    same(found, cross_validate(Labelled(*case), CONFIG, workers=Workers(share=str(tmp_path))))
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]


SPLITS = ("stratified", "cyclic", "leave-one-group-out")


@pytest.mark.parametrize("split", SPLITS)
def test_no_split_tests_a_polygon_it_was_trained_on(
    case: Case, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = []
    real = methods.fit_methods

    def spy(
        names: Any, values: Any, codes: Any, groups: Any, *more: Any, **how: Any
    ) -> Iterator[Any]:
        sides.append(set(groups.tolist()))
        return real(names, values, codes, groups, *more, **how)

    monkeypatch.setattr(methods, "fit_methods", spy)
    config = CONFIG.with_values({"assess": {"split": split}})
    own = cross_validate(Labelled(*case), config, methods=(method("euclid-sum").name,))
    expected = {"stratified": 2 * 3, "cyclic": 2 * 4, "leave-one-group-out": 12}[split]
    assert own.fold_count == len(sides) == expected
    total = own.counts[0].sum(axis=(1, 2))
    assert (total == own.windows.sum(axis=1) * total[0] // own.windows[0].sum()).all()
    everyone = set(range(12))
    tested = [everyone - trained for trained in sides]
    size = {"stratified": {3, 4, 5}, "cyclic": {3}, "leave-one-group-out": {1}}[split]
    assert {len(one) for one in tested} <= size
    assert set().union(*tested) == everyone
    lacking = split == "leave-one-group-out"
    assert (own.lacking_folds("test") == 12) == lacking
    told = json.loads(json.dumps(own.figures(method("euclid-sum").name), allow_nan=False))
    assert (None in told.values()) == lacking


@pytest.mark.slow
def test_other_windows_are_tested_in_the_folds_of_their_polygons(case: Case) -> None:
    series, labels, polygons = case
    kept = np.flatnonzero([name[-1] in "01" for name in polygons])
    other = WindowSeries(series.values[kept], series.names, series.dates)
    own = cross_validate(
        Labelled(*case), ONCE, tested=Labelled(other, labels[kept], polygons[kept])
    )
    assert own.windows.sum() == kept.size
    assert (own.counts.sum(axis=(1, 2, 3)) == kept.size).all()
    turned = WindowSeries(-other.values, series.names, series.dates)
    wrong = cross_validate(
        Labelled(*case), ONCE, tested=Labelled(turned, labels[kept], polygons[kept])
    )
    assert (wrong.summary()["oa_pooled"] < own.summary()["oa_pooled"]).all()
    foreign = Labelled(other, labels[kept], np.char.add("X", polygons[kept]))
    assert cross_validate(Labelled(*case), ONCE, tested=foreign).windows.sum() == kept.size


def test_differences_stand_beside_their_tests(found: CrossValidation) -> None:
    table = found.differences()
    assert len(table) == 6
    row = table.iloc[0]
    gap = found.difference(row["first"], row["second"])
    assert (row["difference"], row["low"], row["high"]) == (gap.value, gap.low, gap.high)
    right = found.predicted == found.codes
    assert row["first_only"] == (right[0] & ~right[1]).sum()
    assert row["second_only"] == (right[1] & ~right[0]).sum()
    far = settled(found, 0.4, 0.9).differences().iloc[2]
    assert far["permutation_p"] < 0.01
    level = settled(found, 0.7, 0.7).differences()
    assert (level["permutation_p"] == 1).all()


def test_mcnemar_is_that_of_the_textbook() -> None:
    """Agresti's ratings of a president: 86 and 150 changed their mind."""
    first = np.repeat([True, True, False, False], (794, 150, 86, 570))
    second = np.repeat([True, False, True, False], (794, 150, 86, 570))
    found = mcnemar(first, second)
    assert (found.first_only, found.second_only) == (150, 86)
    assert found.p == pytest.approx(chi2.sf((150 - 86 - 1) ** 2 / 236, 1))
    few = mcnemar(np.ones(7, bool), np.zeros(7, bool))
    assert few.p == pytest.approx(2 * 0.5**7)
    assert mcnemar(first, first).p == 1


def test_permutation_agrees_with_all_exchanges() -> None:
    rng = np.random.default_rng(5)
    a, b = (rng.integers(0, 9, (6, 2, 3)) for _ in range(2))

    def gap(one: Any, two: Any) -> float:
        return float(scores(one.sum(0)).macro_f1 - scores(two.sum(0)).macro_f1)

    every = []
    for swap in itertools.product([False, True], repeat=6):
        choose = np.array(swap)[:, None, None]
        every.append(gap(np.where(choose, b, a), np.where(choose, a, b)))
    exact = np.mean(np.abs(every) >= abs(gap(a, b)) - 1e-12)
    assert polygon_permutation(a, b, 1) == pytest.approx(exact, abs=0.03)
    assert polygon_permutation(a, b, 1) == polygon_permutation(b, a, 1)


def test_a_temporal_split_tests_what_a_map_of_the_other_year_does() -> None:
    """Each year keeps its own dates; a feature that the later year lacks does not count."""
    days = np.arange(4, 364, 11)
    one, two = (
        np.datetime64(f"{year}-01-01", "s")
        + days.astype("timedelta64[D]")
        + np.timedelta64(late, "D")
        for year, late in ((2020, 0), (2021, 3))
    )
    rng = np.random.default_rng(0)
    labels = np.repeat(["ABL", "ICA"], 24)
    polygons = np.array([f"{c}{i % 6}" for i, c in enumerate(labels)])
    season = np.cos(2 * np.pi * days / 365) * np.where(labels == "ABL", 1, 2)[:, None]
    first, second = (season[:, None] + rng.normal(0, 0.3, (48, 2, 33)) for _ in range(2))
    second[:, 1] = np.nan
    both = WindowSeries(
        np.concatenate([first, second], axis=2).astype(np.float32),
        ("HH.k1", "HV.k1"),
        np.concatenate([one, two]),
    )
    before, after = by_date(both, None)
    assert (before.dates == one).all()
    assert (after.dates == two).all()
    later = WindowSeries(after.values[..., ::2], after.names, after.dates[::2])
    own = cross_validate(
        Labelled(before, labels, polygons),
        ONCE,
        methods=(methods.SUM, method("euclid-sum").name, method("logistic").name),
        tested=Labelled(later, labels, polygons),
    )
    assert (own.summary()["macro_f1_pooled"] > 0.9).all()
    with pytest.raises(SampleError, match="dates lie before 2022-12-31"):
        by_date(both, date(2022, 12, 31))
