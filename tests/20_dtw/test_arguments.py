"""Arguments as users give them: bands as values, masked arrays, dates, NumPy's numbers, labels."""

from __future__ import annotations

import datetime
import re
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold

from cpazmal_scale.dtw import (
    Band,
    KNeighborsDTW,
    NearestBarycenter,
    band_limits,
    barycenter,
    barycenters,
    block_distances,
    distance,
    distances,
    match_dates,
    path,
    season_days,
    soft_alignment,
    soft_barycenter,
    soft_distances,
    time_weights,
    weibull_parameters,
)

RNG = np.random.default_rng(3)
DAYS = np.datetime64("2020-01-03", "D") + 11 * np.arange(30)


def labelled(dates: np.ndarray = DAYS, count: int = 24):
    phase = 2 * np.pi * (dates - np.datetime64("2020-01-01")).astype(float) / 365.25
    late = np.repeat([0.0, 0.9], count // 2)
    X = np.sin(phase - late[:, None]) + np.random.default_rng(1).normal(0, 0.4, (count, len(dates)))
    return X[:, None], np.repeat(["a", "b"], count // 2), np.arange(count) % 6


@pytest.mark.parametrize(
    ("band", "words"),
    [
        (Band.samples(3), {"radius": 3}),
        (Band.days(24, (DAYS, DAYS + 366)), {"days": (DAYS, DAYS + 366), "band_days": 24}),
        (Band.table(band_limits(30, 30, radius=2)), {"limits": band_limits(30, 30, radius=2)}),
        (Band(), {}),
    ],
)
def test_a_band_is_a_value_or_its_words(band, words):
    q, s = RNG.normal(size=(2, 5, 30))
    np.testing.assert_array_equal(distances(q, s, band), distances(q, s, **words))
    assert distance(q[0], s[0], band) == distance(q[0], s[0], **words)
    np.testing.assert_array_equal(path(q[0], s[0], band).path, path(q[0], s[0], **words).path)
    for function in (barycenter, lambda x, *band, **k: barycenters(x, 2, *band, **k)):
        one, two = function(q, band, restarts=2), function(q, restarts=2, **words)
        np.testing.assert_array_equal(one.values, two.values)
    with pytest.raises(TypeError, match="give a band or its words, not also"):
        distances(q, s, band, radius=1)
    for ask, says in (
        (lambda: barycenter(q, windw=3), "no keyword is called 'windw'; there are radius, days"),
        (lambda: distance(q[0], s[0], raduis=3), "'raduis'; did you mean radius?"),
        (lambda: path(q[0], s[0], band, time_weight=3), "did you mean time_weights?"),
        (lambda: distances(q, s, thread=2), "did you mean threads?"),
        (lambda: barycenters(q, 2, band, iteration=2), "did you mean iterations?"),
        (lambda: soft_distances(q, s, gama=2), "did you mean gamma?"),
    ):
        with pytest.raises(TypeError, match=re.escape(says)):
            ask()


def test_masked_values_are_missing_at_every_door():
    q, s = RNG.normal(size=(2, 6, 30))
    gone = RNG.random(q.shape) < 0.2
    masked, plain = np.ma.masked_array(np.where(gone, -9999.0, q), gone), np.where(gone, np.nan, q)
    expected = distances(plain, s, radius=3)
    np.testing.assert_array_equal(distances(masked, s, radius=3), expected)
    np.testing.assert_array_equal(distances(list(masked), s, radius=3), expected)
    assert distance(masked[0], s[0]) == distance(plain[0], s[0])
    assert path(masked[0], s[0]).distance == path(plain[0], s[0]).distance
    np.testing.assert_array_equal(barycenter(masked).values, barycenter(plain).values)
    np.testing.assert_array_equal(
        soft_alignment(masked[0], s[0], radius=4), soft_alignment(plain[0], s[0], radius=4)
    )
    for start in (None, s[0]):
        one, two = (soft_barycenter(x, start=start, iterations=3) for x in (masked, plain))
        np.testing.assert_array_equal(one.values, two.values)
    block = np.ascontiguousarray(q.T[None], np.float32)
    empty, table = np.ascontiguousarray(gone.T[None]), band_limits(30, 30, radius=3)
    np.testing.assert_array_equal(
        block_distances(np.ma.masked_array(block, empty), s[None].astype(np.float32), table)[0].T,
        expected,
    )
    for one, two in zip(
        weibull_parameters(masked, masked**2), weibull_parameters(plain, plain**2), strict=True
    ):
        np.testing.assert_array_equal(one, two)
    with pytest.raises(ValueError, match="references must be finite"):
        distances(s, masked)
    with pytest.raises(ValueError, match="the reference must be finite"):
        soft_alignment(s[0], masked[0])
    for function in (barycenter, soft_barycenter):
        with pytest.raises(ValueError, match="a start"):
            function(q, start=masked[0])
    whole = np.ma.masked_array((100 * q).astype(np.int16), gone)
    rounded = np.where(gone, np.nan, (100 * q).astype(np.int16))
    np.testing.assert_array_equal(distances(whole, s), distances(rounded, s))
    X, y, groups = labelled()
    gone = RNG.random(X.shape) < 0.1
    masked, plain = np.ma.masked_array(np.where(gone, 99.0, X), gone), np.where(gone, np.nan, X)
    for make in (NearestBarycenter, KNeighborsDTW):
        one, two = make().fit(masked, y, groups), make().fit(plain, y, groups)
        np.testing.assert_array_equal(one.predict_proba(masked), two.predict_proba(plain))
        with pytest.raises(ValueError, match="labels must not be masked"):
            make().fit(X, np.ma.masked_array(np.arange(24) % 2, np.arange(24) == 3))
    one, two = (NearestBarycenter(barycenters="auto").fit(x, y, groups) for x in (masked, plain))
    assert one.temperature_ == two.temperature_
    with pytest.raises(ValueError, match="dates must not be masked"):
        band_limits(30, 30, days=(np.ma.masked_array(DAYS, np.arange(30) == 3), DAYS))
    for function in (barycenter, soft_barycenter):
        with pytest.raises(ValueError, match="weights must not be masked"):
            function(q, weights=np.ma.masked_array(np.ones(6), np.arange(6) == 0))
    cells = np.ma.masked_array(np.ones((30, 30)), np.eye(30, dtype=bool))
    for ask in (
        lambda: distances(q, s, time_weights=cells),
        lambda: path(q[0], s[0], time_weights=cells),
        lambda: barycenter(q, time_weights=cells),
    ):
        with pytest.raises(ValueError, match="time_weights must not be masked"):
            ask()
    table = np.ma.masked_array(band_limits(30, 30, radius=2), np.arange(60).reshape(30, 2) == 4)
    with pytest.raises(ValueError, match="limits must not be masked"):
        distances(q, s, limits=table)


@pytest.mark.parametrize(
    "write",
    [
        lambda days: days,
        lambda days: days.astype("datetime64[ns]"),
        lambda days: days.astype(str).tolist(),
        lambda days: [datetime.date.fromisoformat(one) for one in days.astype(str)],
        lambda days: (days - days[0]).astype(float),
    ],
)
@pytest.mark.parametrize("make", [NearestBarycenter, KNeighborsDTW])
def test_a_saved_classifier_keeps_its_dates(make, write, tmp_path):
    X, y, groups = labelled()
    model = make(radius=None, days=write(DAYS), band_days=24).fit(X, y, groups=groups)
    model.save(tmp_path / "model.npz")
    again = make.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    if make is NearestBarycenter and np.asarray(write(DAYS)).dtype.kind != "f":
        later = DAYS + 366
        found = again.decide(labelled(later)[0], days=later)
        np.testing.assert_array_equal(found.index, model.decide(labelled(later)[0], later).index)
        assert np.mean(again.classes_[found.index] == y) >= np.mean(model.predict(X) == y) - 0.1


@pytest.mark.parametrize(
    "model",
    [
        NearestBarycenter(
            radius=np.int64(3), iterations=np.int32(5), seed=np.int64(1), reject=np.float32(9)
        ),
        NearestBarycenter(radius=np.array(3), reject=np.longdouble(9)),
        NearestBarycenter(reject=Fraction(19, 2)),
        KNeighborsDTW(n_neighbors=np.int64(3), radius=np.int8(2), standardise=np.bool_(True)),
    ],
)
def test_numpy_numbers_are_saved(model, tmp_path):
    X, y, _ = labelled()
    model.fit(X, y).save(tmp_path / "model.npz")
    again = type(model).load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_a_search_fits_the_temperature_on_its_groups():
    X, y, groups = labelled()
    with sklearn.config_context(enable_metadata_routing=True):
        model = NearestBarycenter(decision="sum").set_fit_request(groups=True)
        search = GridSearchCV(
            model, {"radius": [np.int64(0), np.int64(3)]}, cv=StratifiedGroupKFold(3)
        )
        search.fit(X, y, groups=groups)
    best = search.best_estimator_
    assert best.held_out_ is not None
    assert (
        best.temperature_
        == NearestBarycenter(decision="sum", radius=search.best_params_["radius"])
        .fit(X, y, groups)
        .temperature_
    )
    assert best.temperature_ != 1.0


@pytest.mark.parametrize("make", [NearestBarycenter, KNeighborsDTW])
@pytest.mark.parametrize(
    "labels",
    [
        np.repeat(["", "a"], 12),
        np.repeat([-1, 2], 12),
        np.repeat([-1.0, 2.0], 12),
        np.repeat(np.array([-1, 1], np.int8), 12),
        np.repeat(np.array(["", "x"], object), 12),
        [None, *"abc" * 7, "a", "b"],
        [float("nan"), *"abc" * 7, "a", "b"],
        [np.ma.masked, *"abc" * 7, "a", "b"],
        pd.array(["a", pd.NA] * 12, "string"),
    ],
)
def test_labels_that_stand_for_no_class_are_refused(make, labels):
    with pytest.raises(ValueError, match="stand for no class"):
        make().fit(labelled()[0], labels)


@pytest.mark.parametrize("make", [NearestBarycenter, KNeighborsDTW])
@pytest.mark.parametrize(
    ("labels", "none"),
    [
        (pd.Series(["x", "y"] * 12, dtype=object), ""),
        (pd.Categorical(["x", "y"] * 12), ""),
        (np.array([3, 2] * 12, object), -1),
        (np.array([3, 2**60 + 1] * 12, np.uint64), -1),
    ],
)
def test_labels_that_are_objects_are_saved(make, labels, none, tmp_path):
    X = labelled()[0]
    model = make().fit(X, labels)
    model.save(tmp_path / "model.npz")
    again = make.load(tmp_path / "model.npz").predict(np.r_[X, X[:1] * np.nan]).tolist()
    assert again == [*model.predict(X).tolist(), none]
    assert set(again) <= {*labels, none}


@pytest.mark.parametrize("make", [NearestBarycenter, KNeighborsDTW])
@pytest.mark.parametrize(("count", "fits"), [(253, True), (254, False)])
def test_more_classes_than_can_be_told_apart_are_refused_at_once(make, count, fits):
    X, y = RNG.normal(size=(2 * count, 1, 4)), np.repeat(np.arange(count), 2)
    if fits:
        assert set(make().fit(X, y).predict(X)) <= set(range(count))
    else:
        with pytest.raises(ValueError, match="at most 253 classes"):
            make().fit(X, y)


X24, Y24, G24 = labelled()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: band_limits(3, 3, radius=np.inf), "radius must be a whole number"),
        (lambda: band_limits(3, 3, radius=np.nan), "radius must be a whole number"),
        (lambda: band_limits(3, 3, radius="3"), "radius must be a whole number"),
        (lambda: distances([[1, 2]], [[1, 2]], threads=None), "threads must be a whole number"),
        (lambda: distances([[1, 2], [1, 2, 3]], [[1, 2]]), "series must be of equal length"),
        (lambda: barycenter([[1.0, 2.0], [1.0, 2.0, 3.0]]), "series must be of equal length"),
        (lambda: barycenters([[1.0, 2.0]] * 3, 1.5), "count must be a whole number"),
        (lambda: band_limits(3, 3, radius=1e30), "radius must be a whole number"),
        (lambda: NearestBarycenter().fit([[1.0, 2.0], [1.0]], "ab"), "series must be of equal"),
        (lambda: barycenter([[1.0, 2.0]], threads=0), "threads must be a whole number"),
        (lambda: KNeighborsDTW(n_neighbors=2.5).fit(X24, Y24), "n_neighbors must be a whole"),
        (lambda: KNeighborsDTW(threads=None).fit(X24, Y24), "threads must be a whole"),
        (lambda: KNeighborsDTW().fit(X24 * np.nan, Y24), "no series has a valid date"),
        (lambda: NearestBarycenter(barycenters=0).fit(X24, Y24), "barycenters must be a whole"),
        (lambda: soft_alignment([1.0, 2.0], [[1.0, 2.0]] * 2), "1 features in q, 2 in s"),
        (lambda: soft_alignment([], [1.0]), "series must be finite"),
        (lambda: soft_alignment([[1.0, 2.0], [1.0]], [1.0]), "a series must be of equal length"),
        (lambda: soft_barycenter([[1.0, 2.0], [1.0]]), "series must be of equal length"),
        (lambda: soft_barycenter([[np.nan, np.nan]]), "no series has a valid date"),
        (lambda: soft_barycenter(np.zeros((0, 3))), "no series has a valid date"),
        (lambda: soft_barycenter([[1, 2]], weights=[np.inf]), "weights are one number per series"),
        (lambda: soft_barycenter([[1, 2]], start=[[1, 2], [1, 2]]), "a start is finite values"),
        (lambda: distances([[1, 2]], [[1, 2]], min_dates="2"), "min_dates must be a whole number"),
        (lambda: NearestBarycenter().fit(X24, np.array(["a", 1] * 12, object)), "all of one kind"),
        (lambda: KNeighborsDTW().fit(X24, np.repeat(DAYS[:2], 12)), "all of one kind"),
        (lambda: KNeighborsDTW(n_neighbors=True).fit(X24, Y24), "n_neighbors must be a whole"),
        (lambda: barycenter(X24[:, 0] + 0j), "series must hold real numbers"),
        (
            lambda: KNeighborsDTW().fit(np.where(Y24[:, None, None] == "a", np.nan, X24), Y24),
            "of: ",
        ),
        (
            lambda: NearestBarycenter().fit(X24, np.repeat(np.array([2**64 - 1, 0], "u8"), 12)),
            "below 2.63",
        ),
        (lambda: NearestBarycenter().fit(1e200 * X24, Y24), "values below 1e150"),
        (lambda: KNeighborsDTW().fit(1e200 * X24, Y24), "values below 1e150"),
        (lambda: distances(X24, X24, limits=band_limits(30, 30, radius=2) + 0.5), "whole numbers"),
        (lambda: season_days(["20200231"]), "dates must be datetime64"),
        (lambda: season_days(["1 May 2020"]), "dates must be datetime64"),
        (lambda: time_weights(DAYS.astype(float) > 0, DAYS), "days must be numbers of days"),
        (lambda: time_weights(np.arange(3) + 0j, DAYS), "days must be numbers of days"),
        (lambda: NearestBarycenter.load(__file__), "is not a saved NearestBarycenter"),
    ],
)
def test_refusals_are_in_words(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize("make", [NearestBarycenter, KNeighborsDTW])
@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ([None, *G24[1:]], "every series needs a group"),
        (np.r_[np.nan, G24[1:]], "every series needs a group"),
        (["a", float("nan"), *G24[2:].astype(str)], "every series needs a group"),
        (pd.Series([pd.NA, *G24[1:]]), "every series needs a group"),
        (np.ma.masked_array(G24, G24 == 2), "groups must not be masked"),
        (G24[1:], "24 series, 23 groups"),
    ],
)
def test_every_series_has_a_group(make, groups, says):
    with pytest.raises(ValueError, match=says):
        make().fit(X24, Y24, groups)


def test_a_band_in_days_wins_over_the_usual_one_in_samples():
    model = KNeighborsDTW(n_neighbors=3, days=DAYS, band_days=24)
    assert sklearn.clone(model).get_params()["radius"] == KNeighborsDTW().radius == "auto"
    found = model.fit(X24, Y24).kneighbors(X24)
    wanted = KNeighborsDTW(3, None, DAYS, 24).fit(X24, Y24).kneighbors(X24)
    np.testing.assert_array_equal(found, wanted)
    usual = KNeighborsDTW(3).fit(X24, Y24).kneighbors(X24)
    np.testing.assert_array_equal(usual, KNeighborsDTW(3, 3).fit(X24, Y24).kneighbors(X24))
    with pytest.raises(ValueError, match="in samples \\(radius\\) or in days, not both"):
        KNeighborsDTW(radius=3, days=DAYS, band_days=24).fit(X24, Y24)


def test_series_that_no_feature_set_completes_count_for_nothing():
    whole = RNG.normal(size=(3, 2, 8))
    poor = np.concatenate([whole, whole[:1]])
    poor[3, 1] = np.nan
    found = soft_barycenter(poor, iterations=3).values
    np.testing.assert_array_equal(found, soft_barycenter(whole, iterations=3).values)
    assert np.isnan(soft_alignment([np.nan] * 3, [1.0, 2.0])).all()
    short = [1, np.nan, np.nan, 4]
    assert np.isnan(distance(short, [1, 2, 3, 4], min_dates=3))
    assert distance(short, [1, 2, 3, 4], min_dates=2) == distance(short, [1, 2, 3, 4])
    one, two = soft_barycenter([[1, 2, 4]] * 2), soft_barycenter([[1.0, 2.0, 4.0]] * 2)
    np.testing.assert_array_equal(one.values, two.values)


@pytest.mark.parametrize(
    "written",
    [
        [f"{day:%Y%m%d}" for day in DAYS.tolist()],
        [f"{day:%Y-%m-%d}T02:00:00+02:00" for day in DAYS.tolist()],
        [f"{day:%Y-%m-%d}T00:00:00Z" for day in DAYS.tolist()],
        np.array([f"{day:%Y%m%dT%H%M%S}" for day in DAYS.astype("datetime64[s]").tolist()]),
    ],
)
def test_dates_as_text_are_those_that_it_says(written):
    assert season_days(written).tolist() == season_days(DAYS).tolist()


@pytest.mark.parametrize("unit", ["h", "s", "ns"])
def test_spans_of_time_are_days_whatever_their_unit(unit):
    spans = (DAYS - DAYS[0]).astype(f"timedelta64[{unit}]")
    numbers = 11.0 * np.arange(30)
    expected = time_weights(numbers, numbers)
    for days in (spans, np.array(list(numbers), object)):
        assert (time_weights(days, numbers) == expected).all()


_X, _Y, _GROUPS = labelled(count=8)
_RAGGED = [1, [2]]
_TAKERS = {
    "groups": lambda make, value: make().fit(_X, _Y, groups=value),
    "days": lambda make, value: make(days=value, band_days=22, radius=None).fit(_X, _Y),
    "other days": lambda make, value: (
        make(days=DAYS, band_days=22, radius=None).fit(_X, _Y).decide(_X, value)
    ),
    "labels": lambda make, value: make().fit(_X, value),
    "open_ends": lambda make, value: make(open_ends=value).fit(_X, _Y),
    "reject": lambda make, value: make(reject=value).fit(_X, _Y),
    "temperature": lambda make, value: make(temperature=value).fit(_X, _Y),
    "min_dates": lambda make, value: make(min_dates=value).fit(_X, _Y),
    "seed": lambda make, value: make(seed=value).fit(_X, _Y, groups=_GROUPS),
}


@pytest.mark.parametrize("make", [NearestBarycenter, KNeighborsDTW])
@pytest.mark.parametrize("value", [_RAGGED, [[1, 2], [3]], np.zeros((2, 3, 4)), {"a": 1}, 1j])
@pytest.mark.parametrize("taker", list(_TAKERS))
def test_what_a_classifier_cannot_use_is_refused_in_words(make, taker, value):
    name = taker.rpartition(" ")[2]
    says = rf"^({name}|dates) must|^8 series, |dates needed|of the training|1d array|dim 3|Complex"
    with pytest.raises(ValueError, match=says):
        _TAKERS[taker](make, value)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x, v: distances(x, x, time_weights=v), "time_weights"),
        (lambda x, v: distances(x, x, min_dates=v), "min_dates"),
        (lambda x, v: distances(x, x, missing=v), "missing"),
        (lambda x, v: distances(x, x, limits=v), "limits"),
        (lambda x, v: distances(x, x, days=(v, DAYS)), "days|dates"),
        (lambda x, v: distances(x, x, days=(DAYS, DAYS), band_days=v), "band_days"),
        (lambda x, v: path(x[0], x[1], time_weights=v), "time_weights"),
        (lambda x, v: barycenter(x, time_weights=v), "time_weights"),
        (lambda x, v: barycenter(x, weights=v), "weights"),
        (lambda x, v: barycenter(x, start=v), "a start"),
        (lambda x, v: barycenter(x, tolerance=v), "tolerance"),
        (lambda x, v: soft_distances(x, v), "series"),
        (lambda x, v: soft_distances(x, x, gamma=v), "gamma"),
        (lambda x, v: soft_distances(x, x, cost=v), "cost"),
        (lambda x, v: soft_alignment(v, x[0]), "features of a series"),
        (lambda x, v: soft_barycenter(x, weights=v), "weights"),
        (lambda x, v: soft_barycenter(x, start=v), "a start"),
        (lambda _, v: season_days(v), "dates"),
        (lambda _, v: match_dates(DAYS, v, band_days=22), "dates"),
        (lambda _, v: match_dates(DAYS, DAYS, band_days=v), "band_days"),
        (lambda _, v: time_weights(v, DAYS), "days|dates"),
        (lambda _, v: time_weights(DAYS, DAYS, alpha=v), "alpha"),
        (lambda _, v: band_limits(v, 30), "rows"),
    ],
)
@pytest.mark.parametrize("value", [_RAGGED, [["x", "y"], ["z"]], [object()], 1j])
def test_what_is_no_number_array_or_choice_is_refused_in_words(call, name, value):
    with pytest.raises(ValueError, match=rf"^({name}) must (be|hold)"):
        call(_X[:, 0], value)


def test_numbers_are_no_dates_and_a_band_is_none_of_them():
    for numbers in (np.arange(30.0), np.arange(30), np.full(30, np.nan), DAYS - DAYS[0]):
        with pytest.raises(ValueError, match="dates must be datetime64"):
            season_days(numbers)
    with pytest.raises(ValueError, match="starts are the first days of both seasons"):
        match_dates(DAYS, DAYS, band_days=22, starts=("10-01",))
    with pytest.raises(TypeError, match="a band is a Band"):
        distances(_X, _X, 3)
