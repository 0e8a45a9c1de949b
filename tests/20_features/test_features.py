"""Log-cumulant kernels against naive twins, scipy, theory, and themselves elsewhere."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage, special, stats
from support.speckle import assert_close, holes, speckle

from cpazmal_scale.features import XPOL, block_series, names, window_series
from cpazmal_scale.kernels import channels
from cpazmal_scale.kernels.window_sums import TILE

pytestmark = pytest.mark.compiled  # lanes are vector types of the compiler

FLOOR = float(np.float32(10**-3.1))


def naive(
    power: np.ndarray, mask: np.ndarray | None = None, excluded: int = 0, *, window: int = 7,
    xpol: str = "logratio", unbiased: bool = False, min_valid: float = 0.6, floor: float = FLOOR,
) -> np.ndarray:  # fmt: skip
    """The definition, window after window, in float64."""
    power = power.astype(np.float64)
    ok = np.isfinite(power)
    if mask is not None:
        ok &= (mask & excluded) == 0
    p = np.maximum(np.where(ok, power, 1.0), floor)
    a = np.sqrt(p)
    channels = [(np.log(c), good) for c, good in zip(a, ok, strict=True)]
    if len(p) == 2 and xpol != "none":
        third = {
            "logratio": lambda: np.log(a[1] / a[0]),
            "fraction": lambda: np.log(p[1] / (p[0] + p[1])),
            "code": lambda: (a[0] - a[1]) / np.sqrt(p[0] + p[1]),
            "talk": lambda: (a[0] - a[1]) / (a[0] * a[1]),
        }[xpol]()
        channels.append((third, ok[0] & ok[1]))
    _, dates, height, width = p.shape
    out = np.full((3 * len(channels), dates, height - window + 1, width - window + 1), np.nan)
    for (c, (y, good)), t, i, j in itertools.product(
        enumerate(channels), *(range(n) for n in out.shape[1:])
    ):
        box = np.s_[t, i : i + window, j : j + window]
        v = y[box][good[box]]
        n = len(v)
        if n >= min_valid * window**2 - 1e-9 and n >= (3 if unbiased else 1):
            k2, k3 = np.mean((v - v.mean()) ** 2), np.mean((v - v.mean()) ** 3)
            if unbiased:
                k2, k3 = k2 * n / (n - 1), k3 * n**2 / ((n - 1) * (n - 2))
            out[3 * c : 3 * c + 3, t, i, j] = v.mean(), k2, k3
    return out


# Names


def test_names_follow_the_kernel() -> None:
    assert names(["HH"]) == ("HH.k1", "HH.k2", "HH.k3")
    assert names(("VV", "VH"))[3:] == (
        "VH.k1",
        "VH.k2",
        "VH.k3",
        "VH/VV.k1",
        "VH/VV.k2",
        "VH/VV.k3",
    )
    for xpol in XPOL:
        for polarisations in (["HH"], ["HH", "HV"]):
            labels = names(polarisations, xpol)
            power = speckle((len(polarisations), 1, 7, 7))
            assert len(labels) == len(set(labels)) == len(block_series(power, xpol=xpol))
    assert len(names(["HH", "HV"], "none")) == 6
    with pytest.raises(ValueError, match="xpol"):
        names(["HH", "HV"], "ratio")
    with pytest.raises(ValueError, match="one or two"):
        names([])


# Against the definition


@pytest.mark.parametrize("xpol", XPOL)
@pytest.mark.parametrize("unbiased", [False, True])
def test_equals_the_definition(xpol: str, unbiased: bool) -> None:
    power = holes(speckle((2, 3, 14, 17)), 0.15)
    power[:, 1] *= 1e-4  # below the floor
    power[0, 2, :8] = np.nan
    power[0, 0, 3, 3] = np.inf
    power[1, 0, 5, 5] = -0.3
    rng = np.random.default_rng(2)
    mask = (1 << rng.integers(0, 6, (3, 14, 17))).astype(np.uint8)
    mask[rng.random(mask.shape) < 0.6] = 0
    options: dict[str, Any] = {"xpol": xpol, "unbiased": unbiased, "min_valid": 0.5}
    found = block_series(power, mask, 0b100110, **options)
    expected = naive(power, mask, 0b100110, **options)
    assert np.isnan(expected).any()
    if xpol == "talk":  # not scale-free: up to 1/floor
        scale = np.array([1, 1, 1, 1, 1, 1, 30, 900, 27000])[:, None, None, None]
        found, expected = found / scale, expected / scale
    assert_close(found, expected)


@pytest.mark.parametrize("window", [2, 3, 4, 5, 6, 7, 8, 9, 11, 15, 16, 23])
def test_every_window_size_equals_the_definition(window: int) -> None:
    power = holes(speckle((1, 1, 26, 25)), 0.2)
    assert_close(block_series(power, window=window), naive(power, window=window))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3, 1e8, 1e30])
@pytest.mark.parametrize("looks", [1.0, 300.0])
def test_third_cumulant_is_exact_at_any_level(scale: float, looks: float) -> None:
    power = speckle((2, 1, 20, 20), looks=looks) * np.float32(scale)
    floor = 1e-30
    found, expected = block_series(power, floor=floor), naive(power, floor=floor)
    assert_close(found, expected)
    assert np.abs(found[2] - expected[2]).max() < 1e-5 * np.abs(expected[2]).max() + 1e-7


@settings(max_examples=60, deadline=None)
@given(
    power=hnp.arrays(
        np.float32,
        st.tuples(st.just(2), st.integers(1, 2), st.integers(5, 9), st.integers(5, 12)),
        elements=st.one_of(
            st.floats(0, 50, width=32), st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-40])
        ),
    ),
    bits=st.integers(0, 255),
    seed=st.integers(0, 99),
    window=st.sampled_from([3, 5]),
    min_valid=st.sampled_from([0.04, 0.5, 0.6, 1.0]),
    xpol=st.sampled_from(["logratio", "fraction", "code", "none"]),
)
def test_any_input_equals_the_definition(
    power: np.ndarray, bits: int, seed: int, window: int, min_valid: float, xpol: str
) -> None:
    mask = np.random.default_rng(seed).choice(
        np.array([0, 0, 0, 1, 2, 32, 129], np.uint8), power.shape[1:]
    )
    options: dict[str, Any] = {"window": window, "min_valid": min_valid, "xpol": xpol}
    assert_close(block_series(power, mask, bits, **options), naive(power, mask, bits, **options))


# Against public libraries


def test_equals_scipy_kstat_and_moments() -> None:
    power = speckle((1, 1, 9, 9))
    biased, unbiased = block_series(power, window=9), block_series(power, window=9, unbiased=True)
    y = 0.5 * np.log(np.maximum(power, FLOOR).astype(np.float64)).ravel()
    np.testing.assert_allclose(unbiased[:, 0, 0, 0], [stats.kstat(y, n) for n in (1, 2, 3)], 1e-5)
    np.testing.assert_allclose(biased[1:, 0, 0, 0], [stats.moment(y, n) for n in (2, 3)], 1e-5)


def test_equals_scipy_ndimage() -> None:
    power = speckle((1, 2, 40, 300))
    y = 0.5 * np.log(np.maximum(power[0], FLOOR).astype(np.float64))
    m1, m2, m3 = (ndimage.uniform_filter(y**n, (0, 7, 7))[:, 3:-3, 3:-3] for n in (1, 2, 3))
    expected = np.stack([m1, m2 - m1**2, m3 - 3 * m1 * m2 + 2 * m1**3])
    assert_close(block_series(power), expected)


def test_log_is_exact_to_one_unit_in_the_last_place() -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0x00800000, 0x7F800000, 20_000).astype(np.int32)
    near = np.arange(0x3F700000, 0x3F900000, 997).astype(np.int32)  # around 1, where it vanishes
    value = np.concatenate([bits, near]).view(np.float32)
    found = np.array([channels.log(v) for v in value])
    exact = np.log(value.astype(np.float64))
    unit = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    assert (np.abs(found - exact) <= unit).all()
    assert channels.log(np.float32(1)) == 0


# Theory


@pytest.mark.parametrize("looks", [1.0, 3.0, 10.0])
def test_gamma_speckle_has_its_theoretical_cumulants(looks: float) -> None:
    mean, window, count = 0.2, 15, 40
    rng = np.random.default_rng(np.random.SeedSequence([7, int(looks)]))
    power = rng.gamma(looks, mean / looks, (1, 1, window * count, window * count))
    series = block_series(
        power.astype(np.float32), window=window, unbiased=True, floor=1e-12
    )[:, 0, ::window, ::window].reshape(3, -1)  # fmt: skip
    amplitude = np.array([0.5, 0.25, 0.125])  # κr(√I) = κr(I) / 2^r
    theory = amplitude * [
        np.log(mean) + special.psi(looks) - np.log(looks),
        special.polygamma(1, looks),
        special.polygamma(2, looks),
    ]
    error = series.std(1) / np.sqrt(series.shape[1])
    assert (np.abs(series.mean(1) - theory) < 4 * error).all()
    assert (error < 0.02 * np.abs(theory) + 0.002).all()


def test_scaling_adds_to_the_first_cumulant_only() -> None:
    power = speckle((2, 2, 30, 30)) + np.float32(0.01)
    one, four = block_series(power), block_series(power * np.float32(4))
    np.testing.assert_allclose(four[[0, 3]], one[[0, 3]] + np.log(2), atol=1e-6)
    np.testing.assert_allclose(four[[1, 2, 4, 5]], one[[1, 2, 4, 5]], atol=1e-6)
    np.testing.assert_allclose(four[6:], one[6:], atol=1e-6)


def test_swapping_channels_turns_the_ratio_round() -> None:
    power = speckle((2, 1, 20, 20))
    there, back = block_series(power), block_series(power[::-1])
    np.testing.assert_array_equal(there[:3], back[3:6])
    np.testing.assert_array_equal(there[6:], back[6:] * np.array([-1, 1, -1])[:, None, None, None])


def test_constant_windows_have_no_spread() -> None:
    series = block_series(np.full((2, 1, 9, 9), 0.037, np.float32))
    np.testing.assert_allclose(series[0], 0.5 * np.log(0.037), rtol=1e-6)
    np.testing.assert_allclose(series[[1, 2, 4, 5, 7, 8]], 0, atol=1e-12)
    assert (series[[1, 4, 7]] >= 0).all()


# Missing pixels


def test_a_missing_pixel_at_every_position_is_left_out() -> None:
    power = speckle((2, 1, 7, 7))
    for i, j in itertools.product(range(7), range(7)):
        one = power.copy()
        one[1, 0, i, j] = np.nan
        assert_close(block_series(one), naive(one))
        flags = np.zeros((1, 7, 7), np.uint8)
        flags[0, i, j] = 4
        masked = block_series(power, flags, 4)
        assert_close(masked, naive(power, flags, 4))
        np.testing.assert_array_equal(block_series(power, flags, 3), block_series(power))


@pytest.mark.parametrize(("min_valid", "least"), [(0.6, 30), (1.0, 49), (0.5, 25), (1e-6, 1)])
def test_too_few_valid_pixels_give_nan(min_valid: float, least: int) -> None:
    for valid in range(50):
        power = speckle((1, 1, 7, 7))
        power.reshape(-1)[valid:] = np.nan
        series = block_series(power, min_valid=min_valid)
        assert np.isnan(series).all() == (valid < least)
        assert np.isfinite(series).all() == (valid >= least)


def test_a_date_without_the_cross_polarisation_keeps_the_other() -> None:
    power = speckle((2, 3, 20, 20))
    power[1, 1] = np.nan
    series, single = block_series(power), block_series(power[:1])
    np.testing.assert_array_equal(series[:3], single)
    assert np.isnan(series[3:, 1]).all()
    assert np.isfinite(series[3:, [0, 2]]).all()


# The same bits everywhere


@pytest.mark.parametrize("xpol", XPOL)
@pytest.mark.parametrize("window", [3, 7, 11])
def test_a_window_has_the_same_bits_wherever_it_lies(xpol: str, window: int) -> None:
    shape = (2, 2, 60, 2 * TILE + 45)
    power = holes(speckle(shape, seed=5), 0.05)
    power[:, :, :20] = speckle((2, 2, 20, shape[3]), seed=6)  # rows without a gap
    rng = np.random.default_rng(8)
    mask = (rng.random(shape[1:]) < 0.03).astype(np.uint8)
    mask[0] = 0
    options: dict[str, Any] = {"window": window, "xpol": xpol}
    whole = block_series(power, mask, 1, **options)
    for _ in range(25):
        y, x = rng.integers(0, 60 - window), rng.integers(0, shape[3] - window)
        h, w = rng.integers(window, 61 - y), rng.integers(window, shape[3] - x + 1)
        box = np.s_[..., y : y + h, x : x + w]
        np.testing.assert_array_equal(
            block_series(power[box], mask[box], 1, **options),
            whole[..., y : y + h - window + 1, x : x + w - window + 1],
        )
    corners = rng.integers(0, [60 - window + 1, shape[3] - window + 1], (60, 2))
    boxes = [np.s_[..., y : y + window, x : x + window] for y, x in corners]
    separate = window_series(
        np.stack([power[box] for box in boxes]), np.stack([mask[box] for box in boxes]), 1,
        xpol=xpol,
    )  # fmt: skip
    expected = np.stack([whole[:, :, y, x] for y, x in corners])
    np.testing.assert_array_equal(separate, expected)


def test_a_date_has_the_same_bits_whatever_the_others() -> None:
    power = holes(speckle((2, 5, 30, 40)), 0.05)
    power[:, 1] = np.nan
    whole = block_series(power)
    for t in range(5):
        np.testing.assert_array_equal(block_series(power[:, t : t + 1]), whole[:, t : t + 1])


def test_threads_do_not_disturb_each_other() -> None:
    blocks = [holes(speckle((2, 3, 64, 200), seed=s), 0.02) for s in range(4)]
    expected = [block_series(block) for block in blocks]
    found: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        for _ in range(5):
            found[number] = block_series(blocks[number])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, block in enumerate(expected):
        np.testing.assert_array_equal(found[number], block)


def test_writes_into_out_and_leaves_the_input_alone() -> None:
    power = holes(speckle((2, 2, 20, 30)), 0.1)
    before = power.copy()
    out = np.full((9, 2, 14, 24), 7, np.float32)
    assert block_series(power, out=out) is out
    np.testing.assert_array_equal(out, block_series(power))
    np.testing.assert_array_equal(power, before)
    np.testing.assert_array_equal(out, block_series(power[:, :, ::-1][:, :, ::-1]))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    "part",
    [
        np.s_[:, :, 3:30, 5:44],
        np.s_[:, ::2, 1::3],
        np.s_[:1, :, :, 4:],
        np.s_[:, ::-1, ::-1],
        np.s_[..., 41:5:-1],
        np.s_[..., ::2],
        np.s_[:, :0],
    ],
)
def test_parts_of_larger_arrays_are_read_where_they_lie(part: Any, turned: bool) -> None:
    power = holes(speckle((2, 4, 40, 60)), 0.05)
    flags = (np.random.default_rng(4).random(power.shape[1:]) < 0.04).astype(np.uint8)
    if turned:  # the last axis is not the innermost
        power, flags = power.swapaxes(2, 3), flags.swapaxes(1, 2)
    power, mask = power[part], np.broadcast_to(flags, power.shape)[part][0]
    found = block_series(power, mask, 1)
    expected = block_series(np.array(power, order="C"), np.array(mask, order="C"), 1)
    np.testing.assert_array_equal(found, expected)


# Refusals


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"power": np.ones((3, 1, 9, 9), np.float32)}, "P 1 or 2"),
        ({"power": np.ones((1, 9, 9), np.float32)}, "P 1 or 2"),
        ({"mask": np.zeros((2, 9, 9), np.uint8)}, "mask"),
        ({"window": 10}, "does not fit"),
        ({"window": 1}, "does not fit"),
        ({"xpol": "ratio"}, "xpol"),
        ({"floor": 0.0}, "floor"),
        ({"min_valid": 0.0}, "min_valid"),
        ({"out": np.zeros((3, 1, 3, 3))}, "out"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], words: str) -> None:
    arguments: dict[str, Any] = {"power": np.ones((1, 1, 9, 9), np.float32), **change}
    with pytest.raises(ValueError, match=words):
        block_series(arguments.pop("power"), arguments.pop("mask", None), 1, **arguments)


def test_windows_of_any_number_and_wrong_shape() -> None:
    assert window_series(np.zeros((0, 2, 4, 7, 7), np.float32)).shape == (0, 9, 4)
    power = speckle((70, 1, 2, 5, 5))
    found = window_series(power)
    assert found.shape == (70, 3, 2)
    expected = np.stack([block_series(one, window=5)[:, :, 0, 0] for one in power])
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="w, w"):
        window_series(np.zeros((1, 2, 4, 7, 5), np.float32))
