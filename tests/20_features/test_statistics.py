"""Statistics beside κ1–κ3 against a naive twin, scipy, the theory of speckle, and themselves."""

from __future__ import annotations

import itertools
import subprocess
import sys
import typing
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special, stats
from support.speckle import assert_close, holes, speckle

from cpazmal_scale.config import Features, Statistic
from cpazmal_scale.features import (
    LOG_CUMULANTS,
    STATISTICS,
    XPOL,
    axis_label,
    block_series,
    in_words,
    meaning,
    names,
    window_series,
)
from cpazmal_scale.kernels.window_sums import TILE
from cpazmal_scale.vocabulary import BINS

pytestmark = pytest.mark.compiled  # lanes are vector types of the compiler

FLOOR = float(np.float32(10**-3.1))
STEP = 3 * np.log(10) / 20


def naive_window(v: np.ndarray, y: np.ndarray, low: float, step: float, name: str, fair: bool):
    """One statistic of the valid pixels of one window: amplitudes v, what is logged y; float64."""
    n, mean, second = len(v), v.mean(), v.var()
    if name in ("k1", "k2", "k3", "k4"):
        if fair:
            return stats.kstat(y, int(name[1]))
        away = y - y.mean()
        fourth = np.mean(away**4) - 3 * y.var() ** 2
        return (y.mean(), y.var(), np.mean(away**3), fourth)[int(name[1]) - 1]
    if name in ("entropy", "histogram"):
        level = np.clip(np.floor((y - low) / step), 0, BINS - 1).astype(int)
        share = np.bincount(level, minlength=BINS) / n
        return share if name == "histogram" else stats.entropy(share)
    shapeless = second <= 1e-6 * np.mean(v**2)
    return {
        "mean": lambda: mean,
        "std": lambda: v.std(ddof=int(fair)),
        "cv": lambda: v.std(ddof=int(fair)) / mean if mean else np.nan,
        "skewness": lambda: np.nan if shapeless else stats.skew(v, bias=not fair),
        "kurtosis": lambda: np.nan if shapeless else stats.kurtosis(v, bias=not fair),
    }[name]()


def naive(
    power: np.ndarray, mask: np.ndarray | None = None, excluded: int = 0, *, window: int = 7,
    xpol: str = "logratio", statistics: tuple[str, ...] = STATISTICS, unbiased: bool = False,
    min_valid: float = 0.6, floor: float = FLOOR,
) -> np.ndarray:  # fmt: skip
    """The definition, window after window, in float64."""
    power = power.astype(np.float64)
    ok = np.isfinite(power)
    if mask is not None:
        ok &= (mask & excluded) == 0
    p = np.maximum(np.where(ok, power, 1.0), floor)
    a = np.sqrt(p)
    channels = [
        (v, np.log(v), good, np.log(floor) / 2, STEP) for v, good in zip(a, ok, strict=True)
    ]
    if len(p) == 2 and xpol != "none":
        v, low, step = {
            "logratio": lambda: (a[1] / a[0], -11.5 * STEP, STEP),
            "fraction": lambda: (p[1] / (p[0] + p[1]), -32 * STEP, 2 * STEP),
            "code": lambda: ((a[0] - a[1]) / np.sqrt(p[0] + p[1]), -1, 1 / 8),
            "talk": lambda: ((a[0] - a[1]) / (a[0] * a[1]), -8, 2),
        }[xpol]()
        y = v if xpol in ("code", "talk") else np.log(v)
        channels.append((v, y, ok[0] & ok[1], low, step))
    dates, (height, width) = p.shape[1], p.shape[2:]
    rows = []
    for (v, y, good, low, step), name in itertools.product(channels, statistics):
        shape = (dates, height - window + 1, width - window + 1, BINS if name == "histogram" else 1)
        out = np.full(shape, np.nan)
        for t, i, j in itertools.product(*map(range, shape[:3])):
            box = np.s_[t, i : i + window, j : j + window]
            n = int(good[box].sum())
            if n >= min_valid * window**2 - 1e-9 and n >= (4 if unbiased else 1):
                values = (each[box][good[box]] for each in (v, y))
                out[t, i, j] = naive_window(*values, low, step, name, unbiased)
        rows.append(np.moveaxis(out, 3, 0))
    return np.concatenate(rows)


# Names


@pytest.mark.parametrize("xpol", XPOL)
def test_names_follow_the_kernel(xpol: str) -> None:
    for statistics in (STATISTICS, ("cv", "k1"), ("histogram",), ("k3", "histogram", "mean")):
        for polarisations in (["HH"], ["HH", "HV"]):
            labels = names(polarisations, xpol, statistics)
            power = speckle((len(polarisations), 1, 7, 7))
            series = block_series(power, xpol=xpol, statistics=statistics)
            assert len(labels) == len(set(labels)) == len(series)
            assert len({in_words(label) for label in labels}) == len(labels)
    assert names(["HH"], statistics=("cv", "k4")) == ("HH.cv", "HH.k4")
    assert names(["HH", "HV"], "code", ("k4",))[2] == "code(HH,HV).c4"
    assert names(["HH"], statistics=("histogram",))[15] == "HH.h16"
    assert axis_label("HH.k1") == "HH  κ₁ of ln amplitude, Np"
    assert axis_label("HV/HH.k3") == "HV/HH  κ₃ of ln amplitude ratio, Np³"
    assert axis_label("HH.cv") == in_words("HH.cv")
    assert meaning("HV/HH.cv") == "coefficient of variation of the amplitude ratio"
    assert meaning("HH.k4") == "fourth cumulant of the ln amplitude"
    assert meaning("HH.h16") == "share of pixels in level 16 of 16"


def test_the_configuration_knows_the_same_statistics() -> None:
    assert typing.get_args(Statistic) == STATISTICS
    assert Features().statistics == LOG_CUMULANTS
    power = speckle((2, 1, 9, 9))
    chosen = Features(statistics=("cv", "k1"), unbiased=True)
    np.testing.assert_array_equal(
        block_series(power, **chosen.kernel),
        block_series(power, statistics=("cv", "k1"), unbiased=True, floor=10**-3.1),
    )
    with pytest.raises(ValueError, match="k1 is there twice"):
        Features(statistics=("k1", "k1"))
    with pytest.raises(ValueError, match="'k5'"):
        block_series(power, statistics=("k5",))
    with pytest.raises(ValueError, match="each statistic once"):
        names(["HH"], statistics=())


# Against the definition


@pytest.mark.parametrize("xpol", XPOL)
@pytest.mark.parametrize("unbiased", [False, True])
def test_equals_the_definition(xpol: str, unbiased: bool) -> None:
    power = holes(speckle((2, 3, 12, 13)), 0.15)
    power[:, 1] *= 1e-2  # many below the floor
    power[0, 2, :6] = np.nan
    power[0, 0, 3, 3] = np.inf
    power[1, 0, 5, 5] = -0.3
    rng = np.random.default_rng(2)
    mask = (1 << rng.integers(0, 6, (3, 12, 13))).astype(np.uint8)
    mask[rng.random(mask.shape) < 0.6] = 0
    options: dict[str, Any] = {"xpol": xpol, "unbiased": unbiased, "min_valid": 0.5}
    found = block_series(power, mask, 0b100110, statistics=STATISTICS, **options)
    expected = naive(power, mask, 0b100110, **options)
    assert np.isnan(expected).any()
    assert np.isfinite(expected).mean() > 0.4
    for label, ours, theirs in zip(
        names(["HH", "HV"], xpol, STATISTICS), found, expected, strict=True
    ):
        # Not scale-free: the printed ratio reaches 1/√floor, and a mean near zero divides.
        scale = max(1.0, float(np.nanmax(np.abs(theirs)))) if "(" in label else 1.0
        assert_close(ours / scale, theirs / scale)


@pytest.mark.parametrize("window", [2, 3, 4, 7, 8, 11, 16])
def test_every_window_size_equals_the_definition(window: int) -> None:
    power = holes(speckle((1, 1, 18, 17)), 0.2)
    found = block_series(power, window=window, statistics=STATISTICS)
    assert_close(found, naive(power, window=window))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e8, 1e30])
@pytest.mark.parametrize("looks", [1.0, 300.0])
def test_shapes_are_exact_at_any_level(scale: float, looks: float) -> None:
    power = speckle((1, 1, 16, 16), looks=looks) * np.float32(scale)
    shapes = ("k4", "cv", "skewness", "kurtosis")
    found = block_series(power, floor=1e-30, statistics=shapes)
    assert_close(found, naive(power, floor=1e-30, statistics=shapes))


@settings(max_examples=40, deadline=None)
@given(
    power=hnp.arrays(
        np.float32,
        st.tuples(st.just(2), st.just(1), st.integers(5, 7), st.integers(5, 9)),
        elements=st.one_of(
            st.floats(0, 50, width=32), st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-40])
        ),
    ),
    window=st.sampled_from([3, 5]),
    min_valid=st.sampled_from([0.04, 0.6, 1.0]),
    xpol=st.sampled_from(["logratio", "fraction", "none"]),
)
def test_any_input_equals_the_definition(
    power: np.ndarray, window: int, min_valid: float, xpol: str
) -> None:
    chosen = ("k4", "mean", "std", "cv", "skewness", "kurtosis")
    options: dict[str, Any] = {
        "window": window, "min_valid": min_valid, "xpol": xpol, "statistics": chosen,
    }  # fmt: skip
    found, expected = block_series(power, **options), naive(power, **options)
    scale = np.maximum(1, np.nanmax(np.abs(expected), axis=(1, 2, 3), initial=1))
    assert_close(found / scale[:, None, None, None], expected / scale[:, None, None, None])


# Theory


@pytest.mark.parametrize("looks", [1.0, 3.0, 10.0])
def test_gamma_speckle_has_its_theoretical_statistics(looks: float) -> None:
    """The amplitude of L-look Gamma intensity is Nakagami."""
    mean, window, count = 0.2, 31, 20
    rng = np.random.default_rng(np.random.SeedSequence([7, int(looks)]))
    power = rng.gamma(looks, mean / looks, (1, 1, window * count, window * count))
    chosen = ("k4", "mean", "std", "cv", "skewness", "kurtosis")
    series = block_series(
        power.astype(np.float32), window=window, unbiased=True, floor=1e-12, statistics=chosen
    )[:, 0, ::window, ::window].reshape(len(chosen), -1)  # fmt: skip
    law = stats.nakagami(looks, scale=np.sqrt(mean))
    middle, variance, skewness, kurtosis = (float(m) for m in law.stats("mvsk"))
    theory = np.array([
        special.polygamma(3, looks) / 16, middle, variance**0.5, variance**0.5 / middle,
        skewness, kurtosis,
    ])  # fmt: skip
    error = series.std(1) / np.sqrt(series.shape[1])
    bias = np.array([0, 0, 1, 1, 3, 6]) * np.abs(theory) / window**2  # of ratios of moments
    assert (np.abs(series.mean(1) - theory) < 4 * error + bias + [0, 0, 0, 0, 0.01, 0.03]).all()
    assert (error < 0.06 * np.abs(theory) + 0.01).all()


def test_the_entropy_of_constant_and_spread_windows() -> None:
    flat = np.full((1, 1, 4, 4), 0.1, np.float32)
    series = block_series(flat, window=4, statistics=("entropy", "histogram", "skewness", "cv"))
    assert series[0] == 0
    assert series[1:17].sum() == 1
    assert np.isnan(series[17])
    assert abs(series[18]) < 1e-6
    every = (10 ** ((-31 + 3 * (np.arange(16) + 0.5)) / 10)).astype(np.float32)
    spread = block_series(every.reshape(1, 1, 4, 4), window=4, statistics=("entropy", "histogram"))
    assert spread[0] == pytest.approx(np.log(16))
    np.testing.assert_array_equal(spread[1:].ravel(), np.full(16, 1 / 16, np.float32))


# The same numbers everywhere


@pytest.mark.slow
def test_runs_where_no_compiled_code_can_be_kept() -> None:
    """A read-only container without a home: numba finds no place for its cache."""
    code = (
        "from numba.core.caching import CacheImpl as c; c._locator_classes = [];"
        "import numpy as np; from cpazmal_scale.features.blocks import block_series;"
        "power = np.full((1, 1, 3, 3), 0.25, np.float32);"
        "print(*block_series(power, window=3, statistics=('k1',)).ravel())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(ran.stdout) == pytest.approx(np.log(0.5))


def test_a_statistic_has_the_same_bits_whatever_the_others() -> None:
    power = holes(speckle((2, 2, 20, 30)), 0.05)
    every = block_series(power, statistics=STATISTICS)
    labels = names(["HH", "HV"], statistics=STATISTICS)
    default = block_series(power)
    for at, name in enumerate(names(["HH", "HV"])):
        np.testing.assert_array_equal(default[at], every[labels.index(name)])
    for statistic in STATISTICS:
        alone = block_series(power, statistics=(statistic,))
        for at, name in enumerate(names(["HH", "HV"], statistics=(statistic,))):
            np.testing.assert_array_equal(alone[at], every[labels.index(name)])


@pytest.mark.parametrize("window", [3, 7])
def test_windows_and_blocks_give_the_same_bits(window: int) -> None:
    power = holes(speckle((2, 2, 30, TILE + 45), seed=5), 0.05)
    mask = (np.random.default_rng(8).random(power.shape[1:]) < 0.03).astype(np.uint8)
    whole = block_series(power, mask, 1, window=window, statistics=STATISTICS)
    rng = np.random.default_rng(9)
    corners = rng.integers(0, [30 - window + 1, power.shape[3] - window + 1], (60, 2))
    boxes = [np.s_[..., y : y + window, x : x + window] for y, x in corners]
    separate = window_series(
        np.stack([power[box] for box in boxes]), np.stack([mask[box] for box in boxes]), 1,
        statistics=STATISTICS,
    )  # fmt: skip
    np.testing.assert_array_equal(separate, np.stack([whole[:, :, y, x] for y, x in corners]))
    part = np.s_[..., 3:20, 7:45]
    ys, xs = slice(3, 20 - window + 1), slice(7, 45 - window + 1)
    np.testing.assert_array_equal(
        block_series(power[part], mask[part], 1, window=window, statistics=STATISTICS),
        whole[..., ys, xs],
    )
