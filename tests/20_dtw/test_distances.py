"""Distances: equal to the naive twin and to tslearn, and the same bits wherever a pixel stands."""

import csv
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import binding, ir
from numba import config
from support.dtw_corners import CASES, REFUSED, check
from support.dtw_twin import naive

from cpazmal_scale.dtw import (
    band_limits,
    block_distances,
    distance,
    distances,
    path,
    season_days,
    time_weights,
)
from cpazmal_scale.dtw.block import interpreted
from cpazmal_scale.kernels.dtw_band import in_slots
from cpazmal_scale.kernels.dtw_rows import sweep_rows
from cpazmal_scale.kernels.lanes_f32 import LANES, build_cell, host_lanes

DATA = Path(__file__).parents[3] / "shared" / "data"


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
    options = {"time_weights": weights, "min_dates": 2, "dependent": kind == "dependent"}
    found = block_distances(q, s, limits, **options)[0]
    plain = np.empty_like(found)
    interpreted(q, s, limits, weights, (2, 0), plain)
    for r in range(2):
        expected = [naive(q[:, :, p], s[:, r], limits, weights, 2) for p in range(pixels)]
        np.testing.assert_allclose(found[r], expected, rtol=2e-6)
        np.testing.assert_allclose(plain[r], expected, rtol=2e-6)


@pytest.mark.slow
def test_a_hundred_thousand_pairs_equal_tslearn():
    from tslearn.metrics import cdist_dtw

    rng, pairs = np.random.default_rng(1), 0
    while pairs < 100_000:
        rows = int(rng.choice([1, 2, 3, 12, 24, 30, 31, 60]))
        columns = rows if rng.random() < 0.6 else int(rng.integers(1, 61))
        radius = [None, 0, 1, 3, 5, 20][rng.integers(6)]
        features = int(rng.choice([1, 1, 1, 3]))
        level, steps = rng.choice([0.0, 3.0]), rng.choice([False, True])
        q, s = (
            series(rng, 60, rows, features) + level,
            series(rng, 45, columns, features) * 2 + level,
        )
        if steps:
            q, s = q.cumsum(axis=1), s.cumsum(axis=1)
        options = {} if radius is None else {"global_constraint": "sakoe_chiba"}
        expected = cdist_dtw(q, s, sakoe_chiba_radius=radius, **options)
        found = distances(q.transpose(0, 2, 1), s.transpose(0, 2, 1), radius=radius)
        np.testing.assert_allclose(found, expected, rtol=1e-5, err_msg=str((rows, columns, radius)))
        pairs += expected.size


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


WINTER_GAP = np.arange(30) * 11.0 + 11 * (np.arange(30) > 12)
BANDS = {
    "three to either side": band_limits(30, 30, radius=3),
    "longer series": band_limits(30, 29, radius=2),
    "longer references": band_limits(29, 30, radius=2),
    "days": band_limits(30, 30, days=(WINTER_GAP, WINTER_GAP), band_days=33),
    "one short row": np.array(
        [[max(i - 3, 0) + (i == 9), min(i + 4, 30)] for i in range(30)], np.int32
    ),
}


@pytest.mark.parametrize("name", BANDS)
def test_narrow_bands_have_the_bits_of_any_other(name):
    limits = BANDS[name]
    rng = np.random.default_rng(12)
    q = rng.normal(0, 2, (1, len(limits), 150)).astype(np.float32)
    q[0, 5, 140], q[0, 3, 7] = np.inf, 3e38
    s = rng.normal(0, 2, (1, 3, limits[-1, 1])).astype(np.float32)
    assert in_slots(s, limits)[0].size == 3 * 7 * len(limits)
    found = block_distances(q, s, limits)
    plain = np.empty((150, 3), np.float32)
    none = np.zeros((0, 0), np.float32)
    series = np.ascontiguousarray(q.transpose(2, 0, 1), np.float32)
    sweep_rows(series, s, limits, none, 1, 0, plain)
    assert found[0].T.tobytes() == plain.tobytes()
    expected = [naive(q[:, :, p], s[:, 0], limits, None, 1) for p in range(9) if p != 7]
    np.testing.assert_allclose(np.delete(plain[:9, 0], 7), expected, rtol=1e-5)


@pytest.mark.parametrize("others", ["whole", "lost", "with gaps"])
def test_pixels_without_enough_dates_leave_their_neighbours_as_they_are(others):
    rng = np.random.default_rng(5)
    alone, s = series(rng, 1, 12, 2 * LANES), series(rng, 1, 3, 12)
    if others == "lost":
        alone[:, 3:] = np.nan
    if others == "with gaps":
        alone[:, 3:7, ::5] = np.nan
    limits = band_limits(12, 12, radius=2)
    q = alone.copy()
    q[0, :, 1::4], q[0, 2:, 2::4] = np.nan, np.nan
    few = np.isfinite(q[0]).sum(axis=0) < 6
    found = block_distances(q, s, limits, min_dates=6)
    assert np.isnan(found[0, :, few]).all()
    for p in np.flatnonzero(~few):
        twin = [naive(q[:, :, p], s[:, r], limits, None, 6) for r in range(3)]
        np.testing.assert_allclose(found[0, :, p], twin, rtol=2e-6)
    kept = block_distances(alone, s, limits, min_dates=6)
    assert found[:, :, ~few].tobytes() == kept[:, :, ~few].tobytes()


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
    found = distances(q, s, days=(days, other), band_days=60, time_weights=weights)
    limits = band_limits(9, 11, days=(days, other), band_days=60)
    expected = [[naive(a, b, limits, weights) for b in s] for a in q]
    np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_dates_alone_give_the_band_in_days():
    rng = np.random.default_rng(6)
    here = np.datetime64("2020-01-08") + np.arange(0, 330, 11)
    there = np.datetime64("2021-01-05") + np.arange(0, 330, 11)
    q, s = series(rng, 5, 30), series(rng, 2, 30)
    expected = distances(q, s, days=(season_days(here), season_days(there)), band_days=33.0)
    assert distances(q, s, days=(here, there)).tobytes() == expected.tobytes()
    assert (expected > distances(q, s)).any()
    assert distance(q[0], s[0], days=(here, there)) == expected[0, 0]
    assert path(q[0], s[0], days=(here, there)).distance == pytest.approx(expected[0, 0])


def test_rounding_stays_within_what_is_promised():
    rng = np.random.default_rng(7)
    for rows, columns, features in [(1, 1, 1), (2, 2, 1), (30, 30, 9), (300, 300, 1), (60, 45, 3)]:
        q = rng.normal(size=(40, features, rows)).cumsum(axis=2).astype(np.float32)
        s = rng.normal(size=(5, features, columns)).cumsum(axis=2).astype(np.float32)
        q[:10, :, rows // 2 : rows - 1] = np.nan
        limits = band_limits(rows, columns, radius=10)
        found = distances(q, s, limits=limits)
        for n, r in np.ndindex(found.shape):
            exact = naive(q[n], s[r], limits) if rows < 100 else path(q[n], s[r], limits=limits)[1]
            bound = (rows + columns + features + 4) * 2.0**-24
            assert np.isnan(exact) or abs(found[n, r] - exact) <= bound * exact


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


@pytest.mark.parametrize("name", CASES)
def test_corners_equal_the_naive_twin(name):
    check(name)


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    call, match = REFUSED[name]
    with pytest.raises(ValueError, match=match):
        call()


def test_infinite_pixels_are_infinitely_far():
    q = np.zeros((1, 4, 2), np.float32)
    q[0, 2, 1] = -np.inf
    found = block_distances(q, np.ones((1, 1, 4), np.float32), band_limits(4, 4, radius=1))
    assert found[0, 0].tolist() == [2.0, np.inf]


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


POORER = {
    "no compiler": ({"NUMBA_DISABLE_JIT": "1"}, None),
    "SSE2": ({"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}, 16),
    "AVX2": ({"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma,+avx"}, 16),
    "AVX-512": ({"NUMBA_CPU_NAME": "skylake-avx512", "NUMBA_CPU_FEATURES": "+avx512f,+fma"}, 32),
}

OWN = {"AVX-512": "avx512f", "AVX2": "avx2"}
"""Features by which a machine's own code is of a kind."""


@pytest.mark.slow
@pytest.mark.parametrize("name", POORER)
def test_corners_on_poorer_machines(name):
    environment, lanes = POORER[name]
    needed = set(environment.get("NUMBA_CPU_FEATURES", "").replace("+", "").split(",")) - {""}
    features = binding.get_host_cpu_features()
    if not all(features.get(one, False) for one in needed):
        pytest.skip(f"this machine cannot run {name} code")
    if name == next((one for one in ("AVX-512", "AVX2") if features.get(OWN[one], False)), None):
        pytest.skip("all other tests run this machine's own code")
    ran = subprocess.run(
        [sys.executable, "-m", "support.dtw_corners"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert ran.returncode == 0, ran.stderr
    assert lanes is None or int(ran.stdout) == lanes


def cell_for(triple, cpu, features):
    """Assembly of one cell of the recursion for another machine than this one."""
    module, lanes = ir.Module(), ir.VectorType(ir.FloatType(), LANES)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [lanes.as_pointer()] * 6), "f")
    builder = ir.IRBuilder(function.append_basic_block())
    *values, out = function.args
    values = [builder.load(place, align=4) for place in values]
    builder.store(build_cell(builder, *values, ir.Constant(ir.IntType(8), 0)), out, align=4)
    builder.ret_void()
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    try:
        target = binding.Target.from_triple(triple)
    except RuntimeError:
        pytest.skip(f"this LLVM does not know {triple}")
    machine = target.create_target_machine(cpu=cpu, features=features, opt=3)
    return machine.emit_assembly(binding.parse_assembly(str(module)))


@pytest.mark.parametrize(
    ("triple", "cpu", "features", "wide", "operations"),
    [
        ("aarch64-linux-gnu", "neoverse-n1", "+neon", 4, ["fsub", "fmla", "fcmgt|fcmlt", "smin"]),
        ("x86_64-linux-gnu", "haswell", "+avx2,+fma", 8, ["vsubps", "vfmadd", "vminps", "vpminsd"]),
        ("x86_64-linux-gnu", "znver4", "+avx512f", 16, ["vsubps", "vfmadd", "vminps", "vpminsd"]),
    ],
    ids=["NEON", "AVX2", "AVX-512"],
)
def test_a_cell_is_four_vector_operations(triple, cpu, features, wide, operations):
    if not host_lanes()[1]:
        pytest.skip("this machine does not fuse multiply-add")
    register = {4: r"\.4s", 8: "%ymm", 16: "%zmm"}[wide]
    code = [line for line in cell_for(triple, cpu, features).splitlines() if line[:1] == "\t"]
    for operation in operations:
        found = [line for line in code if re.search(rf"\t({operation}).*{register}", line)]
        assert len(found) == LANES // wide, operation
    assert not [line for line in code if re.match(r"\t(call|bl)\b", line)]


@pytest.mark.parametrize(
    ("cpu", "features", "lanes", "fused"),
    [
        ("znver4", "+avx512f,+fma,+avx2", 64, True),
        ("skylake-avx512", "+avx512f,+fma,+avx2", 32, True),
        ("haswell", "+avx2,+fma,-avx512f", 16, True),
        ("neoverse-n1", "+neon,+fp-armv8", 16, True),
        ("generic", "", 16, False),
    ],
)
def test_lanes_follow_the_host(monkeypatch, cpu, features, lanes, fused):
    monkeypatch.setattr(config, "CPU_NAME", cpu)
    monkeypatch.setattr(config, "CPU_FEATURES", features)
    assert host_lanes() == (lanes, fused)


@pytest.mark.slow
def test_runs_where_no_compiled_code_can_be_kept():
    """A read-only container without a home: numba finds no place for its cache."""
    code = (
        "from numba.core.caching import CacheImpl as c; c._locator_classes = [];"
        "from cpazmal_scale.dtw import distance; print(distance([1.0, 2.0], [1.0, 4.0]))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(ran.stdout) == 2.0


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


def published(name):
    """Errors of ED, DTW with the learned window, full DTW, and the window in percent."""
    with (DATA / "ucr" / "DataSummary.csv").open() as text:
        for row in csv.reader(text):
            if row[2] == name:
                learned, window = re.fullmatch(r"\s*([\d.]+)\s*\((\d+)\)\s*", row[8]).groups()
                return float(row[7]), float(learned), float(row[9]), int(window)
    raise KeyError(name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["GunPoint", "ECG200", "SyntheticControl", "Trace", "ItalyPowerDemand", "ArrowHead"],
)
def test_published_errors_of_one_nearest_neighbour(name):
    train, labels, test, truth = ucr(name)
    euclid, learned, full, percent = published(name)
    # the archive's window is a share of the length, rounded up: 6 % of 60 samples are 3.6,
    # 4 samples give its 0.0167 and 3 would give 0.0133
    window = int(np.ceil(percent / 100 * train.shape[1]))
    for radius, expected in [(0, euclid), (window, learned), (None, full)]:
        nearest = distances(test, train, radius=radius).argmin(axis=1)
        error = float(np.mean(labels[nearest] != truth))
        assert round(error, 4) == expected, (name, radius)
    if name == "SyntheticControl":
        nearest = distances(test, train, radius=3).argmin(axis=1)
        assert round(float(np.mean(labels[nearest] != truth)), 4) == 0.0133
