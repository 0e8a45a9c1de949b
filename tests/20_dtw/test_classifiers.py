"""Classifiers: scikit-learn's contract, missing dates, groups, storage, the shared block."""

import json
import pickle
from unittest import SkipTest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import estimator_checks_generator
from support.dtw_twin import naive

from cpazmal_scale.dtw import (
    NO_CLASS,
    KNeighborsDTW,
    NearestBarycenter,
    Scaling,
    band_limits,
    group_folds,
)
from cpazmal_scale.dtw.decision import REJECTED
from cpazmal_scale.dtw.temperature import fit_temperature
from cpazmal_scale.kernels.k_smallest import keep_smallest
from cpazmal_scale.kernels.standardise import standardised

CLASSES = np.array(["ABL", "ACC", "HAG", "ICA"])


@pytest.fixture(scope="module")
def windows():
    """120 windows of 3 features on 12 dates, 4 classes in 24 polygons, some dates missing."""
    rng = np.random.default_rng(0)
    codes, groups = np.repeat(np.arange(4), 30), np.arange(120) // 5
    dates = np.arange(12)
    values = np.stack(
        [
            [np.sin(dates / 2 + k + code) * (k + 1) + 10 * k + rng.normal(0, 0.6 * (k + 1), 12)
             for k in range(3)]
            for code in codes
        ]
    )  # fmt: skip
    values[rng.random(values.shape) < 0.05] = np.nan
    return values.astype(np.float32), CLASSES[codes], groups


@pytest.mark.parametrize("decision", ["soft", "vote", "sum"])
def test_learns_and_tells_its_certainty(windows, decision):
    values, labels, groups = windows
    model = NearestBarycenter(decision=decision, radius=2).fit(values, labels, groups=groups)
    assert (model.predict(values) == labels).mean() > 0.9
    chances = model.predict_proba(values)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-6)
    assert model.barycenters_.shape == (4, 1, 3, 12)
    assert model.barycenters_.dtype == np.float32
    assert model.tau_.shape == (3,)
    assert (model.tau_ > 0).all()
    assert (model.temperature_ == 1) == (decision == "vote")


def test_distances_are_those_of_z_scores_and_tau_their_median(windows):
    values, labels, _ = windows
    model = NearestBarycenter(radius=2, barycenters=2).fit(values, labels)
    scores = Scaling(model.mean_, model.scale_).apply(values)
    np.testing.assert_allclose(np.nanmean(scores, axis=(0, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(np.nanstd(scores, axis=(0, 2)), 1, atol=1e-5)
    limits = band_limits(12, 12, radius=2)
    own = [
        min(naive(one[1], center[1], limits) for center in model.barycenters_[c])
        for one, c in zip(scores, np.searchsorted(CLASSES, labels), strict=True)
    ]
    assert model.tau_[1] == pytest.approx(np.nanmedian(own), rel=1e-5)


def test_temperature_is_fitted_on_held_out_polygons(windows):
    values, labels, groups = windows
    noisy = values + np.random.default_rng(1).normal(0, 3, values.shape)
    fitted = NearestBarycenter(radius=2).fit(noisy, labels, groups=groups)
    plain = NearestBarycenter(radius=2).fit(noisy, labels)
    assert plain.temperature_ == 1
    assert fitted.temperature_ != 1
    assert NearestBarycenter(radius=2, temperature=3.0).fit(noisy, labels, groups).temperature_ == 3

    def loss(model):
        fresh = values + np.random.default_rng(2).normal(0, 3, values.shape)
        true = np.searchsorted(CLASSES, labels)
        return -np.log(model.predict_proba(fresh)[np.arange(120), true]).mean()

    assert loss(fitted) < loss(plain)


def test_temperature_search_finds_the_minimum():
    rng = np.random.default_rng(3)
    distances = (rng.random((4, 3, 200)) + 1).astype(np.float32)
    codes = np.where(rng.random(200) < 0.5, distances.sum(axis=0).argmin(axis=0), rng.integers(3))
    from cpazmal_scale.dtw import decide

    def loss(temperature):
        chances = decide(distances, np.ones(4), temperature).probability
        return -np.log(chances[codes, np.arange(200)]).mean()

    best = fit_temperature(distances, codes, "soft")
    assert all(loss(best) <= loss(best * factor) + 1e-7 for factor in (0.5, 0.9, 1.1, 2.0))
    assert fit_temperature(distances[:, :, :0], codes[:0], "soft") == 1.0


def test_folds_keep_polygons_together_and_hold_every_class():
    codes, groups = np.repeat([0, 1, 2], [40, 8, 12]), np.arange(60) // 4
    held = []
    for train, test in group_folds(codes, groups, seed=0):
        assert not set(groups[train]) & set(groups[test])
        assert set(codes[train]) == {0, 1, 2}
        held += test.tolist()
    assert sorted(held) == sorted(set(held))
    assert len(held) == 60


def test_a_sixth_of_the_polygons_calibrates_and_all_count_alike():
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(24), np.tile([1, 2, 9, 4], 6))
    labels = groups % 2
    values = (
        rng.normal(labels[:, None], 1.2, (groups.size, 10)) + rng.normal(0, 0.8, 24)[groups, None]
    )
    model = NearestBarycenter(decision="sum", radius=0).fit(values, labels, groups=groups)
    assert len(model.training_set(values, labels, groups).parts) == 1 + 6
    away, codes, numbers = model.held_out_
    assert len(codes) == groups.size
    rows = np.concatenate([np.resize(np.flatnonzero(numbers == one), 36) for one in range(24)])
    expected = fit_temperature(np.ascontiguousarray(away[:, :, rows]), codes[rows], "sum")
    assert model.temperature_ == pytest.approx(expected, rel=1e-3)
    assert abs(np.log(fit_temperature(away, codes, "sum") / expected)) > 0.02


def test_groups_that_allow_no_fold_leave_the_temperature_alone(windows):
    values, labels, _ = windows
    model = NearestBarycenter(radius=0).fit(values, labels, groups=labels)
    assert model.temperature_ == 1


def test_rejected_and_undecided_series_get_no_label(windows):
    values, labels, _ = windows
    odd = values[:3].copy()
    odd[0] += 100
    odd[1] = np.nan
    odd[2, :, 3:] = np.nan
    model = NearestBarycenter(radius=2, reject=3.0, min_dates=4).fit(values, labels)
    assert model.decide(odd).index.tolist() == [REJECTED, NO_CLASS, NO_CLASS]
    assert model.predict(odd).tolist() == ["", "", ""]
    assert np.isnan(model.predict_proba(odd)[1:]).all()
    numbers = NearestBarycenter(radius=2, reject=3.0).fit(values, np.searchsorted(CLASSES, labels))
    assert numbers.predict(odd)[0] == -1


def test_a_feature_never_seen_in_a_class_is_left_out(windows):
    values, labels, _ = windows
    without = values.copy()
    without[labels == "ICA", 1] = np.nan
    model = NearestBarycenter(radius=2).fit(without, labels)
    assert (model.predict(values) == labels).mean() > 0.8
    nothing = values.copy()
    nothing[labels == "ICA"] = np.nan
    with pytest.raises(ValueError, match="ICA"):
        NearestBarycenter(radius=2).fit(nothing, labels)


def test_block_decides_as_the_rows_do(windows):
    values, labels, _ = windows
    model = NearestBarycenter(radius=2, barycenters=3).fit(values, labels)
    rows = model.decide(values)
    block = model.classify_block(np.ascontiguousarray(values.transpose(1, 2, 0))[:, :, 17:])
    assert block.probability.tobytes() == np.ascontiguousarray(rows.probability[:, 17:]).tobytes()


def test_other_dates_align_by_their_days(windows):
    values, labels, _ = windows
    days = np.arange(12) * 11.0
    model = NearestBarycenter(days=days, band_days=22.0).fit(values, labels)
    fewer = np.delete(np.arange(12), [4, 9])
    made = model.decide(values[:, :, fewer], days=days[fewer])
    assert (model.classes_[made.index] == labels).mean() > 0.9
    assert np.array_equal(model.limits(), band_limits(12, 12, radius=2))
    with pytest.raises(ValueError, match="12 dates"):
        model.predict(values[:, :, fewer])
    with pytest.raises(ValueError, match="features"):
        model.predict(values[:, :2])


@pytest.mark.parametrize(
    "model",
    [
        NearestBarycenter(barycenters=2, radius=1, seed=5),
        NearestBarycenter(days=np.arange(12) * 11.0, band_days=33.0),
        KNeighborsDTW(n_neighbors=5),
    ],
)
def test_stored_without_pickle(windows, model, tmp_path):
    values, labels, groups = windows
    model.fit(values, labels, groups=groups)
    model.save(tmp_path / "model.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]
    again = type(model).load(tmp_path / "model.npz")
    assert json.loads(model.state()[1])
    assert again.predict_proba(values).tobytes() == model.predict_proba(values).tobytes()
    assert again.predict(values).tolist() == model.predict(values).tolist()
    assert repr(again) == repr(model)


def test_other_files_are_not_loaded(windows, tmp_path):
    values, labels, _ = windows
    saved = tmp_path / "model.npz"
    KNeighborsDTW(n_neighbors=5).fit(values, labels).save(saved)
    with pytest.raises(ValueError, match="holds KNeighborsDTW"):
        NearestBarycenter.load(saved)
    whole = saved.read_bytes()
    for damaged in (b"", b"text", whole[: len(whole) // 2], pickle.dumps(np.array([{}]))):
        saved.write_bytes(damaged)
        with pytest.raises(ValueError):
            KNeighborsDTW.load(saved)
    np.savez(saved, kind="KNeighborsDTW", settings=np.array([{}], dtype=object))
    with pytest.raises(ValueError):
        KNeighborsDTW.load(saved)
    mixed = labels.astype(object)
    KNeighborsDTW().fit(values, mixed).save(saved)
    assert list(KNeighborsDTW.load(saved).classes_) == sorted(set(labels))
    mixed[0] = 1
    with pytest.raises(ValueError, match="all of one kind"):
        KNeighborsDTW().fit(values, mixed)
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]


def test_neighbours_are_the_nearest_by_the_dependent_distance(windows):
    values, labels, _ = windows
    clean = np.nan_to_num(values, nan=0.5)
    model = KNeighborsDTW(n_neighbors=3, radius=2, standardise=False).fit(clean[20:], labels[20:])
    away, order = model.kneighbors(values[:20])
    limits = band_limits(12, 12, radius=2)
    every = np.array([[naive(a, b, limits) for b in clean[20:]] for a in values[:20]])
    np.testing.assert_allclose(away, np.sort(every, axis=1)[:, :3], rtol=1e-5)
    votes = model.predict_proba(values[:20])
    expected = [(labels[20:][row][:, None] == CLASSES).mean(axis=0) for row in order]
    np.testing.assert_array_equal(votes, expected)


def test_neighbours_with_missing_dates(windows):
    values, labels, _ = windows
    values = values.copy()
    values[3] = np.nan
    model = KNeighborsDTW(n_neighbors=5, radius=2, min_dates=3).fit(values, labels)
    assert len(model.series_) == 119
    assert np.isfinite(model.series_).all()
    assert model.predict(values)[3] == ""
    assert (np.delete(model.predict(values) == labels, 3)).mean() > 0.9


def test_euclidean_twins_need_no_warping(windows):
    values, labels, _ = windows
    scores = Scaling.of(values.astype(float))
    twin = KNeighborsDTW(n_neighbors=1, radius=0).fit(values[:100], labels[:100])
    away, _ = twin.kneighbors(twin.series_[:4] * twin.scale_[:, None] + twin.mean_[:, None])
    np.testing.assert_allclose(away, 0, atol=1e-5)
    assert scores.mean.shape == (3,)
    assert NearestBarycenter(radius=0).fit(values, labels).score(values, labels) > 0.9


def test_works_in_pipelines_and_grid_search(windows):
    values, labels, _groups = windows
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(), NearestBarycenter()),
        {"nearestbarycenter__radius": [0, 2], "nearestbarycenter__decision": ["vote", "soft"]},
        cv=2,
    ).fit(values, labels)
    assert search.best_score_ > 0.85
    model = NearestBarycenter(days=[1, 2, 3], reject=2.0)
    assert clone(model).get_params() == model.get_params()


NOT_APPLICABLE = {
    "check_array_api_input": "the kernels take numpy arrays; it needs SCIPY_ARRAY_API set at start",
}
"""scikit-learn's checks that skip themselves, and why that is right."""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("decision", ["soft", "vote", "sum", None])
def test_scikit_learns_own_checks(decision):
    model = KNeighborsDTW(n_neighbors=5)
    if decision is not None:
        model = NearestBarycenter(decision=decision, iterations=3)
    ran, skipped = 0, set()
    for estimator, check in estimator_checks_generator(model):
        try:
            if check.func.__name__ == "check_classifiers_classes":
                # It also names a class -1, which stands for no class here.
                with pytest.raises(ValueError, match="stand for no class"):
                    check(estimator)
                continue
            check(estimator)
            ran += 1
        except SkipTest:
            skipped.add(check.func.__name__)
    assert skipped <= set(NOT_APPLICABLE)
    assert ran > 50


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (KNeighborsDTW(n_neighbors=0), "n_neighbors"),
        (KNeighborsDTW(radius=3, days=np.arange(3.0), band_days=1.0), "not both"),
        (KNeighborsDTW(radius=None, band_days=1.0), "dates"),
        (NearestBarycenter(radius=1, days=np.arange(3.0), band_days=1.0), "not both"),
        (NearestBarycenter(barycenters=0), "barycenters must be a whole number"),
    ],
)
def test_settings_that_do_not_fit_are_refused_when_fitted(model, match):
    with pytest.raises(ValueError, match=match):
        model.fit(np.arange(12.0).reshape(4, 3), [0, 0, 1, 1])


@pytest.mark.parametrize(
    ("X", "y", "match"),
    [
        (np.zeros((4, 2, 3, 1)), [0, 0, 1, 1], "shape"),
        (np.full((4, 3), np.inf), [0, 0, 1, 1], "infinity"),
        (np.zeros((4, 3)), [1, 1, 1, 1], "class"),
        (np.zeros((4, 3)), [0, 1], "labels|inconsistent"),
    ],
)
def test_refusals(X, y, match):
    with pytest.raises(ValueError, match=match):
        NearestBarycenter().fit(X, y)


def test_alignment_figure_shows_band_path_and_matched_pairs(windows):
    from cpazmal_scale.dtw import alignment_figure, path

    values = windows[0]
    one, other = values[0, 0].copy(), np.nan_to_num(values[40, 0])
    one[4] = np.nan
    figure = alignment_figure(one, other, radius=3, unit="dB", names=("pixel", "average"))
    found = path(one, other, radius=3)
    middle = next(axes for axes in figure.axes if axes.images)
    outside = np.ma.getmaskarray(middle.images[0].get_array())
    assert np.array_equal(outside, ~np.isfinite(found.accumulated))
    assert any(np.array_equal(line.get_xdata(), found.path[:, 1]) for line in middle.lines)
    matched = next(axes for axes in figure.axes if axes.get_ylabel() == "pixel, dB")
    known = np.count_nonzero(~np.isnan(one[found.path[:, 0]]))
    assert len(matched.lines) == known + 2 + np.isnan(one).sum()
    assert "missing date" in matched.get_title(loc="left")
    assert f"{found.distance:.4g}" in matched.get_title(loc="left")
    with pytest.raises(ValueError, match="one feature"):
        alignment_figure(np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="no valid date"):
        alignment_figure([np.nan, np.nan], [0.0, 1.0])
    alignment_figure([2.0], [2.0], days=([0], [0]))


def test_alignment_figure_of_two_years_shows_the_day_of_the_year(windows):
    from cpazmal_scale.dtw import alignment_figure

    days = [np.datetime64(start) + np.arange(12) * 11 for start in ("2020-01-08", "2021-01-03")]
    series = np.nan_to_num(windows[0][:2, 0])
    figure = alignment_figure(*series, days=tuple(days))
    matched = next(axes for axes in figure.axes if axes.get_xlabel() == "day of the year")
    assert matched.get_xticklabels()[1].get_text() == "Mar"


def test_barycenter_figure_shows_the_spread_of_the_members(windows, tmp_path):
    from cpazmal_scale.dtw import barycenter_figure

    values, labels, _ = windows
    model = NearestBarycenter(radius=2, barycenters=2).fit(values, labels)
    members = Scaling(model.mean_, model.scale_).apply(values[labels == "ABL"])[:, 0]
    centers = model.barycenters_[0, :, 0]
    figure = barycenter_figure(centers, members, title="ABL")
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["median", "barycenter 1", "barycenter 2"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), np.nanmedian(members, axis=0), rtol=1e-5)
    assert len(axes.collections) == 2
    assert "30 members" in axes.get_title(loc="left")
    owners = np.arange(30) % 3 // 2
    dates = np.datetime64("2020-01-08") + np.arange(12) * 11
    figure = barycenter_figure(centers, members, labels=owners, dates=dates)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["20 members", "10 members"]
    figure.savefig(tmp_path / "both.png")


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_the_smallest_are_those_of_a_stable_sort(count, wanted, seed):
    rng = np.random.default_rng(seed)
    every = rng.integers(0, 6, (4, count)).astype(np.float32)
    every[1, rng.random(count) < 0.3] = np.nan
    every[2] = np.nan
    wanted = min(wanted, count)
    values, places = np.empty((4, wanted), np.float32), np.empty((4, wanted), np.intp)
    keep_smallest(every, values, places)
    order = np.argsort(every, axis=1, kind="stable")[:, :wanted]
    np.testing.assert_array_equal(values, np.take_along_axis(every, order, axis=1))
    known = ~np.isnan(values)
    assert np.array_equal(places[known], order[known])


def test_neighbours_do_not_depend_on_threads_or_company(windows):
    values, labels, _ = windows
    many = np.tile(values, (3, 1, 1))
    one = KNeighborsDTW(5, radius=2).fit(values, labels)
    two = KNeighborsDTW(5, radius=2, threads=3).fit(values, labels)
    away, order = one.kneighbors(many)
    for found in (two.kneighbors(many), [np.tile(part, (3, 1)) for part in one.kneighbors(values)]):
        np.testing.assert_array_equal(found[0], away)
        np.testing.assert_array_equal(found[1], order)


def test_z_scores_are_quotients_to_the_last_bit() -> None:
    """In float64, where a product with the reciprocal shows; rounded to float32 it hardly does."""
    rng = np.random.default_rng(5)
    values = (rng.normal(size=(40, 3, 203)) * 10.0 ** rng.integers(-6, 6, (40, 1, 1))).astype("f4")
    values[:, 1, ::7], values[:, 2, :2] = np.nan, [np.inf, -np.inf]
    mean, scale = rng.normal(size=40), rng.uniform(1e-3, 30, 40)
    expected = (values.astype(float) - mean[:, None, None]) / scale[:, None, None]
    for kind in (np.float64, np.float32):
        out = np.empty(values.shape, kind)
        standardised(values, mean, scale, out)
        np.testing.assert_array_equal(out, expected.astype(kind))
