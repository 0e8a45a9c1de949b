"""Distances: equal to the naive twin and to tslearn, and the same bits wherever a pixel stands."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from dtw_twin import naive
from hypothesis import given, settings
from hypothesis import strategies as st

from cpazmal_scale.dtw import (
    band_limits,
    block_distances,
    distance,
    distances,
    path,
    time_weights,
)
from cpazmal_scale.dtw.block import _interpreted
from cpazmal_scale.dtw.lanes import LANES

DATA = Path(__file__).parents[2] / "shared" / "data"


def series(rng, *shape, missing=0.0):
    values = rng.normal(size=shape).astype(np.float32)
    values[rng.random(shape) < missing] = np.nan
    return values


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 14),
    st.integers(1, 14),
    st.one_of(st.none(), st.integers(0, 6)),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    st.sampled_from(["plain", "weights", "dependent"]),
    st.integers(0, 2**32 - 1),
)
def test_block_equals_the_naive_twin(rows, columns, radius, missing, kind, seed):
    rng = np.random.default_rng(seed)
    features, pixels = (2, 3) if kind == "dependent" else (1, 5)
    q = series(rng, features, rows, pixels, missing=missing)
    s = series(rng, features, 2, columns)
    limits = band_limits(rows, columns, radius=radius)
    weights = rng.random((rows, columns)).astype(np.float32) if kind == "weights" else None
    options = {"weights": weights, "min_dates": 2, "dependent": kind == "dependent"}
    found = block_distances(q, s, limits, **options)[0]
    plain = np.empty_like(found)
    _interpreted(q, s, limits, weights, 2, plain)
    for r in range(2):
        expected = [naive(q[:, :, p], s[:, r], limits, weights, 2) for p in range(pixels)]
        np.testing.assert_allclose(found[r], expected, rtol=2e-6)
        np.testing.assert_allclose(plain[r], expected, rtol=2e-6)


def test_a_hundred_thousand_pairs_equal_tslearn():
    from tslearn.metrics import cdist_dtw

    rng, pairs = np.random.default_rng(1), 0
    for rows, columns, radius in [
        (1, 1, 0), (2, 9, 1), (30, 30, 3), (24, 24, None), (31, 31, 5), (60, 60, 3),
        (25, 30, 2), (30, 25, 0), (12, 40, None), (30, 30, 0), (17, 16, 4),
    ]:  # fmt: skip
        level = rng.choice([0.0, 3.0])
        q, s = series(rng, 100, rows) + level, series(rng, 100, columns) * 2 + level
        options = {} if radius is None else {"global_constraint": "sakoe_chiba"}
        expected = cdist_dtw(q, s, sakoe_chiba_radius=radius, **options)
        np.testing.assert_allclose(distances(q, s, radius=radius), expected, rtol=1e-5)
        pairs += expected.size
    assert pairs >= 100_000


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_bits_depend_on_the_pixel_alone(missing):
    rng = np.random.default_rng(2)
    count = 3 * LANES + 7
    q, s = series(rng, 2, 21, count), series(rng, 2, 3, 21)
    q[:, :, 5::2][rng.random(q[:, :, 5::2].shape) < missing] = np.nan
    limits = band_limits(21, 21, radius=3)
    whole = block_distances(q, s, limits)
    for some in (slice(0, 1), slice(3, LANES + 3), slice(LANES - 1, None), slice(1, count, 2)):
        part = block_distances(np.ascontiguousarray(q[:, :, some]), s, limits)
        assert part.tobytes() == np.ascontiguousarray(whole[:, :, some]).tobytes()


def test_without_missing_dates_arow_is_plain_bit_for_bit():
    rng = np.random.default_rng(3)
    q, s = series(rng, 1, 30, LANES), series(rng, 1, 4, 30)
    limits = band_limits(30, 30, radius=3)
    plain = block_distances(q, s, limits)
    q[0, 4, 1::2] = np.nan  # the whole tile now takes the way with missing dates
    watched = block_distances(q, s, limits)
    assert watched[:, :, ::2].tobytes() == plain[:, :, ::2].tobytes()
    assert (watched[:, :, 1::2] != plain[:, :, 1::2]).any()


def test_threads_and_order_do_not_matter():
    rng = np.random.default_rng(4)
    q, s = series(rng, 20_000, 6, missing=0.05), series(rng, 3, 6)
    one = distances(q, s, radius=1)
    assert one.tobytes() == distances(q, s, radius=1, threads=3).tobytes()
    assert one[::-1].tobytes() == distances(q[::-1], s, radius=1).tobytes()


def test_missing_dates_by_hand():
    # dates 2 and 3 match one-to-one for nothing; of 4 samples 2 are valid: the sum doubles
    assert distance([1, np.nan, np.nan, 5], [0, 7, 9, 3]) == pytest.approx(np.sqrt((1 + 4) * 4 / 2))
    # without missing dates both ends may stretch
    assert distance([0, 0, 1, 1], [0, 1, 1, 1]) == 0.0
    assert distance([0, np.nan, 1, 1], [0, 1, 1, 1]) == 0.0
    # a missing date cannot absorb a second date of the longer reference
    assert np.isnan(distance([np.nan, 1.0], [1, 1, 1], radius=0)) == (
        not np.isfinite(naive([np.nan, 1.0], [1, 1, 1], band_limits(2, 3, radius=0)))
    )
    assert np.isnan(distance([np.nan, np.nan, 1.0], [1.0, 1.0]))


def test_euclidean_distance_is_radius_zero():
    rng = np.random.default_rng(5)
    q, s = series(rng, 8, 12), series(rng, 3, 12)
    expected = np.linalg.norm(q[:, None].astype(float) - s[None], axis=2)
    np.testing.assert_allclose(distances(q, s, radius=0), expected, rtol=1e-6)


def test_time_weights_and_dependent_features_through_the_front_door():
    rng = np.random.default_rng(6)
    days = np.sort(rng.integers(0, 360, 9)).astype(float)
    other = np.sort(rng.integers(0, 360, 11)).astype(float)
    q, s = series(rng, 4, 3, 9, missing=0.1), series(rng, 2, 3, 11)
    weights = time_weights(days, other)
    found = distances(q, s, days=(days, other), band_days=60, weights=weights)
    limits = band_limits(9, 11, days=(days, other), band_days=60)
    expected = [[naive(a, b, limits, weights) for b in s] for a in q]
    np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_float32_error_stays_far_below_the_promise():
    rng = np.random.default_rng(7)
    q = rng.normal(size=(20, 300)).cumsum(axis=1).astype(np.float32)
    limits = band_limits(300, 300, radius=10)
    exact = [[path(a, b, limits=limits).distance for b in q[:3]] for a in q[3:]]
    np.testing.assert_allclose(distances(q[3:], q[:3], limits=limits), exact, rtol=1e-6)


def test_paths_are_admissible_and_optimal():
    rng = np.random.default_rng(8)
    for rows, columns, radius, missing in [(9, 9, 2, 0.0), (7, 10, 1, 0.0), (12, 12, 3, 0.2)]:
        q, s = series(rng, rows, missing=missing), series(rng, columns)
        limits = band_limits(rows, columns, radius=radius)
        found = path(q, s, radius=radius)
        cells, gone = found.path, np.isnan(q)
        assert cells[0].tolist() == [0, 0]
        assert cells[-1].tolist() == [rows - 1, columns - 1]
        for (i, j), (k, m) in pairwise(cells):
            assert (k - i, m - j) in {(0, 1), (1, 0), (1, 1)}
            assert (k - i, m - j) == (1, 1) or not (gone[i] or gone[k])
            assert limits[k, 0] <= m < limits[k, 1]
        squares = (q[cells[:, 0]].astype(float) - s[cells[:, 1]]) ** 2
        total = np.nansum(squares) * rows / (rows - gone.sum())
        assert np.sqrt(total) == pytest.approx(found.distance)
        assert found.distance == pytest.approx(naive(q, s, limits))


@pytest.mark.parametrize(
    ("q", "s", "expected"),
    [
        (np.zeros((0, 5)), np.zeros((2, 5)), (0, 2)),
        (np.zeros((2, 5)), np.zeros((0, 5)), (2, 0)),
        (np.full((2, 5), np.nan), np.zeros((1, 5)), np.nan),
        (np.full((2, 5), 3), np.full((1, 4), 3), 0.0),
        (np.array([[2]]), np.array([[5]]), 3.0),
    ],
)
def test_degenerate_input(q, s, expected):
    found = distances(q, s)
    if isinstance(expected, tuple):
        assert found.shape == expected
    else:
        np.testing.assert_array_equal(found, np.full(found.shape, expected))


def test_infinite_pixels_are_infinitely_far():
    q = np.zeros((1, 4, 2), np.float32)
    q[0, 2, 1] = -np.inf
    found = block_distances(q, np.ones((1, 1, 4), np.float32), band_limits(4, 4, radius=1))
    assert found[0, 0].tolist() == [2.0, np.inf]


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: distances([[1.0, np.inf]], [[1.0, 2.0]]), "infinite"),
        (lambda: distances([[1.0, 2.0]], [[1.0, np.nan]]), "references must be finite"),
        (lambda: distances([[1.0, np.nan]], [[1.0, 2.0]], missing="refuse"), "missing dates"),
        (lambda: distances([[1.0]], [[1.0]], missing="drop"), "'arow' or 'refuse'"),
        (lambda: distances(np.zeros((2, 0)), np.zeros((2, 3))), "shape"),
        (lambda: distances(np.zeros(3), np.zeros((2, 3))), "shape"),
        (lambda: distances([["a"]], [[1.0]]), "real numbers"),
        (lambda: distances(np.zeros((2, 3, 4)), np.zeros((2, 2, 4))), "features"),
        (lambda: distances([[1.0]], [[1.0]], limits=[[0, 1]], radius=1), "not both"),
        (lambda: distances([[1.0]], [[1.0]], weights=[[-1.0]]), "not negative"),
        (lambda: distances([[1.0]], [[1.0]], weights=[[1.0, 1.0]]), "weights"),
        (lambda: path([np.nan, np.nan, 2.0], [1.0, 1.0]), "no path"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ValueError, match=match):
        call()


@pytest.mark.parametrize("wrong", ["dtype", "layout", "band", "out", "references"])
def test_block_refuses_what_it_cannot_read(wrong):
    q, s = np.zeros((1, 4, 6), np.float32), np.zeros((1, 2, 4), np.float32)
    limits, out = band_limits(4, 4), np.empty((1, 2, 6), np.float32)
    if wrong == "dtype":
        q = q.astype(np.float64)
    elif wrong == "layout":
        q = np.asfortranarray(np.zeros((2, 4, 6), np.float32))
        s = np.zeros((2, 2, 4), np.float32)
    elif wrong == "band":
        limits = limits[1:]
    elif wrong == "out":
        out = out[:, :1]
    else:
        s[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="must"):
        block_distances(q, s, limits, out=out)


@pytest.mark.parametrize(
    "environment",
    [{"NUMBA_DISABLE_JIT": "1"}, {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}],
    ids=["no compiler", "no vectors or fused operations"],
)
def test_the_same_on_poorer_machines(tmp_path, environment):
    code = (
        "import numpy as np, sys; from cpazmal_scale.dtw import distances, barycenter, decide;"
        "q = np.random.default_rng(9).normal(size=(70, 7)); q[1, 2] = np.nan;"
        "d = distances(q, q[2:5], radius=2);"
        "b = barycenter(q, radius=2, iterations=3);"
        "p = decide(np.ascontiguousarray(d.T[None]), [1.0]);"
        "np.savez(sys.argv[1], d=d, b=b.values, p=p.probability, e=p.entropy)"
    )
    results = []
    for name, extra in (("here", {}), ("there", environment)):
        target = tmp_path / f"{name}.npz"
        variables = {**os.environ, **extra}
        subprocess.run([sys.executable, "-c", code, str(target)], check=True, env=variables)
        results.append(np.load(target))
    for key in results[0].files:
        np.testing.assert_allclose(results[0][key], results[1][key], rtol=2e-6, atol=1e-6)


def test_importing_the_room_stays_light():
    code = (
        "import sys, cpazmal_scale.dtw; from cpazmal_scale.dtw import distances;"
        "assert not {'sklearn', 'matplotlib', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def ucr(name):
    folder = DATA / "ucr"
    if not folder.exists():
        pytest.skip("the UCR sets are not here")
    if name == "Trace":
        with np.load(folder / "Trace.npz") as held:
            return [held[key].squeeze() for key in ("X_train", "y_train", "X_test", "y_test")]
    parts = []
    for side in ("TRAIN", "TEST"):
        if (folder / f"{name}_{side}.ts").exists():
            text = (folder / f"{name}_{side}.ts").read_text().split("@data\n")[1]
            rows = [line.replace(":", ",").split(",") for line in text.split()]
            table = np.array(rows, float)
            parts += [table[:, :-1], table[:, -1]]
        else:
            table = np.loadtxt(folder / name / f"{name}_{side}.txt")
            parts += [table[:, 1:], table[:, 0]]
    return parts


@pytest.mark.parametrize(
    ("name", "euclid", "window", "learned", "full"),
    [
        ("GunPoint", 0.0867, 0, 0.0867, 0.0933),
        ("ECG200", 0.12, 0, 0.12, 0.23),
        # 6 % of 60 samples are 3.6: the published 0.0167 is for 4 samples, 3 give 0.0133
        ("SyntheticControl", 0.12, 4, 0.0167, 0.0067),
        ("Trace", 0.24, 8, 0.01, 0.0),
        ("ItalyPowerDemand", 0.0447, 0, 0.0447, 0.0496),
        ("ArrowHead", 0.2, 0, 0.2, 0.2971),
    ],
)
def test_published_errors_of_one_nearest_neighbour(name, euclid, window, learned, full):
    train, labels, test, truth = ucr(name)
    for radius, published in [(0, euclid), (window, learned), (None, full)]:
        nearest = distances(test, train, radius=radius).argmin(axis=1)
        error = float(np.mean(labels[nearest] != truth))
        assert round(error, 4) == published, (name, radius)
