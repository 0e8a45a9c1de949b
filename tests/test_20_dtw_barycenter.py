"""Barycenters: cost never rises, never worse than tslearn's, missing dates and bands respected."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from dtw_twin import naive
from hypothesis import given, settings
from hypothesis import strategies as st

from cpazmal_scale.dtw import band_limits, barycenter, barycenters, time_weights

DATA = Path(__file__).parents[2] / "shared" / "data" / "dtw-vectors"


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


@pytest.mark.parametrize(
    ("length", "radius", "columns"), [(24, 3, 24), (40, 3, 40), (30, None, 20)]
)
def test_never_worse_than_tslearn_from_the_same_start(length, radius, columns):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # h5py, which it does not need here
        from tslearn.barycenters import dtw_barycenter_averaging

    rng = np.random.default_rng(length)
    series = bumps(rng, 30, length)
    start = np.interp(np.linspace(0, 1, columns), np.linspace(0, 1, length), series.mean(axis=0))
    limits = band_limits(length, columns, radius=radius)
    options = {"global_constraint": "sakoe_chiba", "sakoe_chiba_radius": radius}
    theirs = dtw_barycenter_averaging(
        series[:, :, None],
        init_barycenter=start[:, None],
        max_iter=30,
        tol=0.0,
        metric_params=options if radius is not None else None,
    )
    ours = barycenter(series, limits=limits, start=start, iterations=30, tolerance=0.0)
    assert ours.cost <= cost_of(theirs.ravel(), series, limits) * (1 + 1e-6)
    assert ours.cost < ours.costs[0]


def test_one_step_is_the_mean_of_what_is_matched():
    series = np.array([[0.0, 0.0, 2.0, 2.0], [0.0, 1.0, 3.0, 3.0]])
    found = barycenter(series, start=[0.0, 0.0, 2.5, 2.5], iterations=1, tolerance=0.0)
    assert found.values == pytest.approx([0.0, 0.5, 2.5, 2.5])
    # 0, 0 | 1 | 3, 3: the second series warps, its 1 joins neither end
    found = barycenter([[0.0, 0.0, 1.0, 3.0]], start=[0.0, 1.0, 3.0, 3.0], iterations=1)
    assert found.values.tolist() == [0.0, 1.0, 3.0, 3.0]


def test_tslearns_own_vector_of_a_dependent_average_bounds_our_cost():
    if not DATA.exists():
        pytest.skip("the vectors of tslearn are not here")
    held = json.loads((DATA / "dba_randn15x10x3_maxiter5.json").read_text())
    series, theirs = np.array(held["X"])[:, :, 0], np.array(held["expected"])[:, 0]
    limits = band_limits(10, 10)
    ours = barycenter(series, iterations=5, tolerance=0.0)
    assert ours.cost <= cost_of(theirs, series, limits)


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
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


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
        (lambda: barycenter([[1.0, 2.0]], weights=[-1.0]), "weights"),
        (lambda: barycenter([[1.0, 2.0]], time_weights=[[1.0]]), "time_weights"),
        (lambda: barycenters([[1.0, 2.0]], 0), "at least one"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ValueError, match=match):
        call()
