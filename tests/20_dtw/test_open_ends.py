"""Open ends: a part of a year against a whole one, beside the definition and another library."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.dtw_twin import naive

from cpazmal_scale.config import RunConfig
from cpazmal_scale.dtw import (
    KNeighborsDTW,
    NearestBarycenter,
    band_limits,
    barycenter,
    block_distances,
    distance,
    distances,
    match_dates,
    path,
)
from cpazmal_scale.dtw.block import interpreted
from cpazmal_scale.kernels.dtw_sweep import OPEN_BEGIN, OPEN_END
from cpazmal_scale.model import methods

ENDS = ["begin", "end", "both"]
BITS = {"begin": OPEN_BEGIN, "end": OPEN_END, "both": OPEN_BEGIN | OPEN_END}


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.one_of(st.none(), st.integers(0, 5)),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from(["plain", "weights", "dependent"]),
    st.sampled_from(ENDS),
    st.integers(0, 2**32 - 1),
)
def test_every_kernel_equals_the_naive_twin(rows, columns, radius, missing, kind, ends, seed):
    rng = np.random.default_rng(seed)
    features, pixels = (2, 3) if kind == "dependent" else (1, 5)
    q = rng.normal(size=(features, rows, pixels)).astype(np.float32)
    q[:, rng.random((rows, pixels)) < missing] = np.nan
    s = rng.normal(size=(features, 2, columns)).astype(np.float32)
    limits = band_limits(rows, columns, radius=radius)
    weights = rng.random((rows, columns)).astype(np.float32) if kind == "weights" else None
    twin = [
        [naive(q[..., p], s[:, r], limits, weights, 2, ends) for p in range(pixels)]
        for r in range(2)
    ]
    options = {"time_weights": weights, "min_dates": 2, "open_ends": ends}
    found = block_distances(q, s, limits, dependent=kind == "dependent", **options)[0]
    np.testing.assert_allclose(found, twin, rtol=2e-6, atol=2e-6)
    plain = np.empty_like(found)
    interpreted(q, s, limits, weights, (2, BITS[ends]), plain)
    np.testing.assert_allclose(plain, twin, rtol=2e-6, atol=2e-6)
    by_rows = distances(q.transpose(2, 0, 1), s.transpose(1, 0, 2), limits=limits, **options)
    np.testing.assert_allclose(by_rows.T, twin, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("ends", ENDS)
def test_a_path_has_the_length_of_its_distance(ends) -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        q, s = rng.normal(size=8), rng.normal(size=13)
        found = path(q, s, open_ends=ends)
        steps = np.diff(found.path, axis=0)
        assert ((steps >= 0) & (steps <= 1)).all()
        assert found.path[0, 0] == 0
        assert found.path[-1, 0] == 7
        assert ends in ("begin", "both") or found.path[0, 1] == 0
        assert ends in ("end", "both") or found.path[-1, 1] == 12
        cost = ((q[found.path[:, 0]] - s[found.path[:, 1]]) ** 2).sum()
        assert found.distance == pytest.approx(np.sqrt(cost))
        assert distance(q, s, open_ends=ends) == pytest.approx(found.distance, rel=1e-5)


@pytest.mark.slow
def test_as_tslearn_has_it() -> None:
    """Both ends: its subsequence DTW. One end: the best of its DTW with each cut reference."""
    metrics = pytest.importorskip("tslearn.metrics")
    rng = np.random.default_rng(7)
    for _ in range(10):
        q, s = rng.normal(size=9), rng.normal(size=16)
        theirs = {
            "both": metrics.dtw_subsequence_path(q, s)[1],
            "end": min(metrics.dtw(q, s[:cut]) for cut in range(1, 17)),
            "begin": min(metrics.dtw(q, s[cut:]) for cut in range(16)),
        }
        for ends, expected in theirs.items():
            assert distance(q, s, open_ends=ends) == pytest.approx(expected, rel=1e-5)


def test_a_band_in_days_reaches_no_corner_that_is_open() -> None:
    year, summer = np.arange(5, 365, 11.0), np.arange(160, 270, 11.0)
    closed = band_limits(len(summer), len(year), days=(summer, year), band_days=24)
    both = band_limits(len(summer), len(year), days=(summer, year), band_days=24, open_ends="both")
    assert (closed[0, 0], closed[-1, 1]) == (0, len(year))
    assert np.abs(year[both[0, 0]] - summer[0]) <= 24
    assert np.abs(year[both[-1, 1] - 1] - summer[-1]) <= 24
    np.testing.assert_array_equal(closed[1:-1], both[1:-1])
    with pytest.raises(ValueError, match="rise from column 0"):
        block_distances(
            np.zeros((1, len(summer), 1), np.float32),
            np.zeros((1, 1, len(year)), np.float32),
            both,
        )


def test_dates_beyond_open_ends_are_kept() -> None:
    """A map of a summer with a model of the year: what lies a band beyond belongs to it."""
    year = np.datetime64("2020-01-05") + np.arange(0, 365, 11)
    summer = np.datetime64("2021-06-10") + np.arange(0, 90, 11)
    days = {}
    for ends in (None, "begin", "end", "both"):
        found = match_dates(summer, year, band_days=33, open_ends=ends)
        days[ends] = (
            found.column_days[0] - found.row_days[0],
            found.column_days[-1] - found.row_days[-1],
        )
    assert days[None][0] >= -5.5
    assert days[None][1] <= 5.5
    assert -33 <= days["begin"][0] < -20
    assert 20 < days["end"][1] <= 33
    assert days["both"] == (days["begin"][0], days["end"][1])


def test_what_cannot_be_open_is_refused() -> None:
    with pytest.raises(ValueError, match="open_ends must be one of none, begin, end, both"):
        distance([1.0, 2], [1.0, 2], open_ends="left")
    with pytest.raises(ValueError, match="averages have no open ends"):
        barycenter(np.zeros((3, 5)), open_ends="both")


def _ramps(seed: int, count: int = 30):
    """Two classes that rise alike, the second two dates later and half a step above."""
    rng = np.random.default_rng(seed)
    at = np.arange(36.0)
    shapes = [at, at - 1.5]
    values = np.stack([shapes[n % 2] + 0.05 * rng.normal(size=36) for n in range(count)])
    return values[:, None], np.array([f"c{n % 2}" for n in range(count)])


@pytest.mark.parametrize("setting", ["sum", "neighbors"])
def test_a_classifier_of_the_year_knows_a_part_of_it_that_comes_late(setting: str) -> None:
    """The first class, two dates late: with its ends tied it is nearer to the second."""
    series, labels = _ramps(1)
    days = np.arange(36) * 10.0
    late, part = _ramps(2)[0][::2] - 2.0, np.arange(8, 28)
    right = {}
    for ends in (None, "both"):
        config = RunConfig.parse(
            {
                "classify": {"method": setting},
                "dtw": {"band_days": 60, "open_ends": ends},
                "assess": {"neighbors": 3},
            }
        )
        made = methods.make(setting, config, days)
        assert made.open_ends == ends
        made.fit(series, labels, groups=np.arange(30) // 2)
        again = methods.opened(setting, *made.state())
        table = again.limits(days[part], len(part))
        first = 2 if ends else 0
        assert (table[0, 0], table[-1, 1]) == (first, 34 if ends else 36)
        block = np.ascontiguousarray(late[..., part].transpose(1, 2, 0), np.float32)
        found = again.classify_block(block, table)
        right[ends] = float((again.classes_[found.index] == "c0").mean())
    assert right == {None: 0.0, "both": 1.0}


def test_estimators_take_it_like_any_setting() -> None:
    for kind in (NearestBarycenter, KNeighborsDTW):
        assert kind(open_ends="end").get_params()["open_ends"] == "end"
