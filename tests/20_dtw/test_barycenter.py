"""Barycenters: cost never rises, never worse than tslearn's, missing dates and bands respected."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.dtw_twin import naive

from cpazmal_scale.dtw import band_limits, barycenter, barycenters, time_weights

DATA = Path(__file__).parents[3] / "shared" / "data" / "dtw-vectors"


def bumps(rng, count, length, missing=0.0):
    centers = rng.normal(length / 2, length / 10, (count, 1))
    values = np.exp(-(((np.arange(length) - centers) / 3) ** 2)) + rng.normal(
        0, 0.1, (count, length)
    )
    values[rng.random(values.shape) < missing] = np.nan
    return values


def cost_of(values, series, limits, shares=None, weights=None):
    away = np.array([naive(one, values, limits, weights) for one in series]) ** 2
    return np.nansum(away * (1.0 if shares is None else shares))


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 12),
    st.integers(1, 15),
    st.integers(0, 4),
    st.sampled_from([0.0, 0.2]),
    st.sampled_from(["mean", "medoid", "random"]),
    st.integers(0, 2**32 - 1),
)
def test_cost_never_rises_and_is_that_of_the_values(count, length, radius, missing, start, seed):
    rng = np.random.default_rng(seed)
    series = rng.normal(size=(count, length))
    series[rng.random(series.shape) < missing] = np.nan
    series[0, 0] = 1.0
    shares = rng.random(count) + 0.1
    limits = band_limits(length, length, radius=radius)
    found = barycenter(series, radius=radius, weights=shares, start=start, seed=seed)
    assert all(b < a for a, b in zip(found.costs[:-1], found.costs[1:], strict=True))
    assert found.cost == found.costs[-1]
    assert found.cost == pytest.approx(cost_of(found.values, series, limits, shares), rel=1e-9)


def tslearns(series, start, radius, iterations=30, weights=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # h5py, which it does not need here
        from tslearn.barycenters import dtw_barycenter_averaging

        band = {"global_constraint": "sakoe_chiba", "sakoe_chiba_radius": radius}
        return dtw_barycenter_averaging(
            series,
            init_barycenter=start,
            max_iter=iterations,
            tol=0.0,
            weights=weights,
            metric_params=None if radius is None else band,
        )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("length", "radius", "columns"), [(24, 3, 24), (40, 3, 40), (30, None, 20), (12, 0, 12)]
)
def test_never_worse_than_tslearn_from_the_same_start(length, radius, columns, seed):
    rng = np.random.default_rng(seed)
    series = bumps(rng, 20, length) if seed % 2 else rng.normal(size=(20, length)).cumsum(axis=1)
    start = np.interp(np.linspace(0, 1, columns), np.linspace(0, 1, length), series.mean(axis=0))
    weights = rng.random(20) + 0.1 if seed > 3 else None
    limits = band_limits(length, columns, radius=radius)
    theirs = tslearns(series[:, :, None], start[:, None], radius, 15, weights).ravel()
    options = {"limits": limits, "weights": weights, "tolerance": 0.0, "iterations": 15}
    ours = barycenter(series, start=start, **options)
    assert ours.cost <= cost_of(theirs, series, limits, weights) * (1 + 1e-6)
    assert ours.cost <= ours.costs[0]


def test_one_step_is_the_mean_of_what_is_matched():
    series = np.array([[0.0, 0.0, 2.0, 2.0], [0.0, 1.0, 3.0, 3.0]])
    found = barycenter(series, start=[0.0, 0.0, 2.5, 2.5], iterations=1, tolerance=0.0)
    assert found.values == pytest.approx([0.0, 0.5, 2.5, 2.5])
    # 0, 0 | 1 | 3, 3: the second series warps, its 1 joins neither end
    found = barycenter([[0.0, 0.0, 1.0, 3.0]], start=[0.0, 1.0, 3.0, 3.0], iterations=1)
    assert found.values.tolist() == [0.0, 1.0, 3.0, 3.0]


def test_tslearns_own_vector_of_a_dependent_average():
    if not DATA.exists():
        pytest.skip("the vectors of tslearn are not here")
    held = json.loads((DATA / "dba_randn15x10x3_maxiter5.json").read_text())
    series, theirs = np.array(held["X"]).transpose(0, 2, 1), np.array(held["expected"]).T
    ours = barycenter(series, iterations=5, tolerance=0.0)
    assert ours.values.shape == (3, 10)
    np.testing.assert_allclose(ours.values, theirs, atol=held["atol"])
    assert ours.cost == pytest.approx(cost_of(theirs, series, band_limits(10, 10)))


def test_dependent_features_are_averaged_along_one_path():
    rng = np.random.default_rng(7)
    series = np.stack([bumps(rng, 12, 14), bumps(rng, 12, 14)], axis=1)
    series[2, 1, 5] = np.nan  # a date is missing where any feature is
    found = barycenter(series, radius=2, restarts=2)
    assert found.values.shape == (2, 14)
    limits = band_limits(14, 14, radius=2)
    assert found.cost == pytest.approx(cost_of(found.values, series, limits), rel=1e-9)
    same = barycenter(series[:, :1], radius=2).values[0]
    assert same.tobytes() == barycenter(series[:, 0], radius=2).values.tobytes()
    several = barycenters(series, 2, radius=2)
    assert several.values.shape == (2, 2, 14)
    away = [[naive(one, center, limits) for center in several.values] for one in series]
    assert several.cost == pytest.approx((np.min(away, axis=1) ** 2).sum(), rel=1e-9)


def test_a_band_in_days_aligns_series_with_another_calendar():
    rng = np.random.default_rng(8)
    here = np.datetime64("2020-01-08") + np.arange(0, 330, 11)
    there = np.datetime64("2021-01-03") + np.arange(0, 330, 22)
    series = bumps(rng, 10, 30)
    found = barycenter(series, days=(here, there))
    assert found.values.shape == (15,)
    limits = band_limits(30, 15, days=(here, there), band_days=33)
    assert found.cost == pytest.approx(cost_of(found.values, series, limits))


def test_missing_dates_count_for_nothing_and_threads_do_not_matter():
    rng = np.random.default_rng(3)
    series = bumps(rng, 1200, 16, missing=0.2)
    series[7] = np.nan
    one = barycenter(series, radius=2)
    assert one.values.tobytes() == barycenter(series, radius=2, threads=3).values.tobytes()
    without = barycenter(np.delete(series, 7, axis=0), radius=2)
    assert one.cost == pytest.approx(without.cost, rel=1e-12)
    assert np.isfinite(one.values).all()


def test_more_starts_are_never_worse_and_seeded():
    series = bumps(np.random.default_rng(4), 20, 24)
    calls = []
    many = barycenter(series, radius=3, restarts=4, seed=1, progress=lambda *at: calls.append(at))
    assert many.cost <= barycenter(series, radius=3).cost
    assert (
        many.values.tobytes() == barycenter(series, radius=3, restarts=4, seed=1).values.tobytes()
    )
    done, total = zip(*calls, strict=True)
    assert set(total) == {4 * 30}
    assert list(done) == sorted(set(done))
    assert {30, 60, 90, 120} <= set(done)  # a start that converges early counts in full
    calls.clear()
    barycenters(series, 2, restarts=2, iterations=5, progress=lambda *at: calls.append(at))
    assert calls[-1] == (10, 10)


def test_time_weights_enter_the_alignment():
    rng = np.random.default_rng(5)
    series = bumps(rng, 10, 12)
    days = np.arange(12) * 11.0
    weights = time_weights(days, days).astype(float)
    found = barycenter(series, time_weights=weights)
    limits = band_limits(12, 12)
    assert found.cost == pytest.approx(cost_of(found.values, series, limits, weights=weights))
    assert found.cost > barycenter(series).cost


def test_identical_and_constant_series():
    series = np.tile(np.arange(5.0), (4, 1))
    assert barycenter(series).values.tolist() == [0, 1, 2, 3, 4]
    assert barycenter(np.full((3, 4), 2.0)).cost == 0.0
    assert barycenter([[3.0]]).values.tolist() == [3.0]


def test_several_barycenters_find_the_groups():
    rng = np.random.default_rng(6)
    low, high = bumps(rng, 15, 20), 3 - bumps(rng, 10, 20)
    series = np.concatenate([low, high])
    found = barycenters(series, 2, radius=3, restarts=3, seed=2)
    assert len(set(found.labels[:15])) == len(set(found.labels[15:])) == 1
    assert found.labels[0] != found.labels[-1]
    limits = band_limits(20, 20, radius=3)
    away = np.array([[naive(one, center, limits) for center in found.values] for one in series])
    assert found.cost == pytest.approx((away.min(axis=1) ** 2).sum(), rel=1e-9)
    assert np.array_equal(found.labels, away.argmin(axis=1))
    assert all(b < a for a, b in zip(found.costs[:-1], found.costs[1:], strict=True))
    single = barycenters(series, 1, radius=3, restarts=3, seed=2)
    assert found.cost < single.cost


def test_no_more_barycenters_than_series():
    found = barycenters([[0.0, 1.0], [1.0, 0.0], [np.nan, np.nan]], 5, radius=0)
    assert found.values.shape == (2, 2)
    assert found.cost == 0.0


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: barycenter([[np.nan, np.nan]]), "valid date"),
        (lambda: barycenter([[np.inf, 1.0]]), "finite"),
        (lambda: barycenter(np.zeros((0, 3))), "filled"),
        (lambda: barycenter([[1.0, 2.0]], start="median"), "start"),
        (lambda: barycenter([[1.0, 2.0]], start=[1.0, np.nan]), "start"),
        (lambda: barycenter([[1.0, 2.0]], start=np.zeros((2, 2))), "start"),
        (lambda: barycenter([[1.0, 2.0]], weights=[-1.0]), "weights"),
        (lambda: barycenter([[1.0, 2.0]], weights=[0.0]), "weight"),
        (lambda: barycenter([[1.0, 2.0]], radius=1, limits=[[0, 2], [0, 2]]), "not both"),
        (lambda: barycenter(np.zeros((2, 2, 2, 2))), "filled"),
        (lambda: barycenter([[1.0, 2.0]], time_weights=[[1.0]]), "time_weights"),
        (lambda: barycenters([[1.0, 2.0]], 0), "count must be a whole number, 1 or more"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ValueError, match=match):
        call()
