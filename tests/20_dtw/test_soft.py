"""Soft alignment and laws: equal to their definitions, to closed forms, and to tslearn."""

import numpy as np
import pytest
from scipy.stats import gumbel_l, norm, weibull_min
from support.soft_twin import soft_naive, squared_wasserstein
from tslearn.barycenters import softdtw_barycenter
from tslearn.metrics import soft_dtw, soft_dtw_alignment

from cpazmal_scale.dtw import (
    Band,
    band_limits,
    barycenter,
    distances,
    soft_alignment,
    soft_barycenter,
    soft_distances,
    wasserstein_series,
    weibull_parameters,
)

pytestmark = pytest.mark.compiled
GAMMAS = (0.001, 0.1, 1.0, 100.0)


def cumulants(rng, count, channels, dates):
    """Series of `k1, k2` of amplitudes."""
    values = np.empty((count, 2 * channels, dates))
    values[:, 0::2] = rng.normal(-2, 0.5, (count, channels, dates))
    values[:, 1::2] = rng.uniform(0.02, 1.2, (count, channels, dates))
    return values


def squared(q, s):
    return ((q[:, :, None] - s[:, None, :]) ** 2).sum(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("gamma", GAMMAS)
def test_soft_sums_are_tslearns(gamma) -> None:
    rng = np.random.default_rng(1)
    q, s = rng.normal(size=(35, 2, 13)), rng.normal(size=(3, 2, 11))
    expected = [[soft_dtw(a.T, b.T, gamma=gamma) for b in s] for a in q]
    np.testing.assert_allclose(soft_distances(q, s, gamma=gamma), expected, rtol=1e-9, atol=1e-9)
    weights = soft_alignment(q[0], s[0], gamma=gamma)
    peer, _ = soft_dtw_alignment(q[0].T, s[0].T, gamma=gamma)
    np.testing.assert_allclose(weights, peer, atol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.01, 3.0])
@pytest.mark.parametrize("band", [{}, {"radius": 2}, {"radius": 0}])
def test_sums_and_divergences_follow_their_definition_in_every_band(gamma, band) -> None:
    rng = np.random.default_rng(2)
    q, s = rng.normal(size=(4, 1, 9)), rng.normal(size=(2, 1, 12))

    def sums(one, two):
        limits = band_limits(one.shape[1], two.shape[1], **band)
        return soft_naive(squared(one, two), gamma, limits)

    plain = np.array([[sums(a, b) for b in s] for a in q])
    np.testing.assert_allclose(soft_distances(q, s, gamma=gamma, **band), plain, rtol=1e-10)
    own = np.array([sums(a, a) for a in q])[:, None] + [sums(b, b) for b in s]
    found = soft_distances(q, s, gamma=gamma, divergence=True, **band)
    np.testing.assert_allclose(found, plain - own / 2, rtol=1e-9, atol=1e-9)
    alike = soft_distances(q, q, gamma=gamma, divergence=True, **band)
    np.testing.assert_allclose(np.diag(alike), 0, atol=1e-9)
    assert (alike >= -1e-9).all()


def test_bands_in_days_and_tables() -> None:
    rng = np.random.default_rng(3)
    q, s = rng.normal(size=(3, 10)), rng.normal(size=(2, 8))
    here, there = np.arange(10) * 11.0, np.arange(8) * 14.0
    within = Band.days(24, (here, there))
    table = within.limits_of(10, 8)
    both = soft_distances(q, s, within, gamma=0.5)
    assert both.tolist() == soft_distances(q, s, limits=table, gamma=0.5).tolist()
    assert np.isfinite(soft_distances(q, s, within, gamma=0.5, divergence=True)).all()
    with pytest.raises(ValueError, match="band in samples or in days"):
        soft_distances(q, s, limits=table, gamma=0.5, divergence=True)


def test_a_hard_minimum_is_the_square_of_dtw() -> None:
    rng = np.random.default_rng(4)
    q, s = rng.normal(size=(50, 3, 20)), rng.normal(size=(5, 3, 20))
    np.testing.assert_allclose(
        np.sqrt(soft_distances(q, s, gamma=0, radius=3)), distances(q, s, radius=3), rtol=1e-5
    )


def test_wasserstein_series_are_laws_of_logarithms() -> None:
    """Normal and Gumbel laws: squared differences equal the integral over quantiles."""
    (m1, v1), (m2, v2) = (-2.0, 0.3), (-1.2, 0.9)
    pair = wasserstein_series([[m1], [v1]]), wasserstein_series([[m2], [v2]])
    closed = float(((pair[0] - pair[1]) ** 2).sum())
    normal = [norm(m, np.sqrt(v)).ppf for m, v in ((m1, v1), (m2, v2))]
    gumbels = []
    for m, v in ((m1, v1), (m2, v2)):
        width = np.sqrt(6 * v) / np.pi
        gumbels.append(gumbel_l(m + np.euler_gamma * width, width).ppf)
    for laws in (normal, gumbels):
        assert squared_wasserstein(*laws) == pytest.approx(closed, rel=1e-6)


def test_the_weibull_cost_is_that_of_the_laws() -> None:
    """One date each: the sum is the cost, here the integral over quantiles of the amplitudes."""
    rng = np.random.default_rng(5)
    q, s = cumulants(rng, 6, 1, 1), cumulants(rng, 2, 1, 1)
    found = soft_distances(q, s, gamma=0, cost="weibull")
    for row, own in zip(q, found, strict=True):
        for other, one in zip(s, own, strict=True):
            laws = []
            for k1, k2 in (row[:, 0], other[:, 0]):
                shape, scale = weibull_parameters(k1, k2)
                law = weibull_min(shape, scale=scale)
                assert law.expect(np.log) == pytest.approx(k1, rel=1e-6)
                laws.append(law.ppf)
            assert one == pytest.approx(squared_wasserstein(*laws), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("cost", ["wasserstein", "weibull"])
def test_costs_of_laws_add_up_over_dates_and_channels(cost) -> None:
    rng = np.random.default_rng(6)
    q, s = cumulants(rng, 3, 2, 7), cumulants(rng, 2, 2, 6)
    every = np.array(
        [
            [
                [
                    [
                        sum(
                            soft_distances(
                                a[None, 2 * c : 2 * c + 2, i : i + 1],
                                b[None, 2 * c : 2 * c + 2, j : j + 1],
                                gamma=0,
                                cost=cost,
                            )[0, 0]
                            for c in range(2)
                        )
                        for j in range(6)
                    ]
                    for i in range(7)
                ]
                for b in s
            ]
            for a in q
        ]
    )
    for gamma in (0.0, 0.01, 1.0):
        limits = band_limits(7, 6)
        expected = [[soft_naive(table, gamma, limits) for table in row] for row in every]
        found = soft_distances(q, s, gamma=gamma, cost=cost)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("cost", ["squared", "wasserstein", "weibull"])
@pytest.mark.parametrize("divergence", [False, True])
def test_a_soft_barycenter_has_no_better_neighbour(cost, divergence) -> None:
    rng = np.random.default_rng(7)
    members = cumulants(rng, 12, 1, 8)
    how = {"gamma": 0.02, "cost": cost, "divergence": divergence, "radius": 3}
    found = soft_barycenter(members, iterations=300, **how)
    total = soft_distances(members, found.values[None], **how).sum()
    if not divergence:
        assert total == pytest.approx(found.cost, rel=1e-9)
    for _ in range(20):
        moved = found.values + rng.normal(0, 0.02, found.values.shape) * [[1], [0.2]]
        moved[1] = np.maximum(moved[1], 1e-6)
        assert soft_distances(members, moved[None], **how).sum() > total - 1e-6 * abs(total)
    mean = soft_distances(members, members.mean(axis=0)[None], **how).sum()
    assert total < mean


def test_a_soft_barycenter_is_tslearns() -> None:
    rng = np.random.default_rng(8)
    members = np.sin(np.linspace(0, 6, 20) + rng.normal(0, 0.4, (10, 1)))
    found = soft_barycenter(members, gamma=0.5, iterations=200)
    peer = softdtw_barycenter(members[:, :, None], gamma=0.5, max_iter=200, tol=1e-9)[:, 0]
    costs = [soft_distances(members, one[None], gamma=0.5).sum() for one in (found.values, peer)]
    assert costs[0] == pytest.approx(costs[1], abs=1e-3 * abs(costs[1]))
    hard = barycenter(members).values
    near = soft_barycenter(members, gamma=1e-4, start=hard)
    assert (
        soft_distances(members, near.values[None], gamma=0).sum()
        <= barycenter(members).cost * 1.001
    )


def test_missing_dates_are_interpolated_and_threads_change_nothing() -> None:
    rng = np.random.default_rng(9)
    q, s = rng.normal(size=(300, 2, 12)), rng.normal(size=(3, 2, 12))
    q[:, 0, 4], q[0] = np.nan, np.nan
    found = soft_distances(q, s, gamma=0.5, divergence=True)
    filled = q.copy()
    filled[:, :, 4] = (q[:, :, 3] + q[:, :, 5]) / 2
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(
        found[1:], soft_distances(filled[1:], s, gamma=0.5, divergence=True), rtol=1e-12
    )
    again = soft_distances(q, s, gamma=0.5, divergence=True, threads=2)
    assert found.tobytes() == again.tobytes()
    alone = soft_distances(q[7:8], s, gamma=0.5, divergence=True)
    assert alone.tobytes() == found[7:8].tobytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gamma": -1}, "gamma must be a number, 0 or more"),
        ({"cost": "manhattan"}, "cost must be one of"),
        ({"cost": "weibull"}, "pairs of k1 and k2"),
        ({"radius": 2, "limits": [[0, 1]]}, "not both"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, words) -> None:
    q = np.zeros((2, 3, 5))
    with pytest.raises(ValueError, match=words):
        soft_distances(q, q, **change)
    with pytest.raises(ValueError, match="negative"):
        soft_distances(q[:, :2] - 1, q[:, :2], cost="wasserstein")
    with pytest.raises(ValueError, match="gamma above 0"):
        soft_barycenter(q, gamma=0)
