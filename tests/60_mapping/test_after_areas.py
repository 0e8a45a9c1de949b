"""Area-adjusted accuracy: the published example, simulated maps, and the sampling design."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpazmal_scale.assess import (
    Z95,
    allocate,
    draw_units,
    estimate_areas,
    sample_size,
    strata,
    without_slivers,
)
from cpazmal_scale.errors import SampleError

CLASSES = ("deforestation", "forest gain", "stable forest", "stable non-forest")
COUNTS = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
MAPPED = [200_000, 150_000, 3_200_000, 6_450_000]


def test_published_example() -> None:
    """Olofsson et al. 2014, section 5: 640 units, pixels of 30 m.

    The producer's intervals are equation 7 worked by hand: for forest gain
    `1.96 √(1.5e5² (1 − P)² U (1 − U) / 74 + P² 6.45e6² (1 / 325) (324 / 325) / 324) / 129 846`.
    """
    found = estimate_areas(COUNTS, MAPPED, CLASSES)
    table = found.table()
    half = {name: Z95 * getattr(found, f"se_{name}") for name in ("users", "producers", "areas")}
    assert table["users"].round(2).tolist() == [0.88, 0.73, 0.93, 0.96]
    assert half["users"].round(2).tolist() == [0.07, 0.10, 0.04, 0.02]
    assert table["producers"].round(2).tolist() == [0.75, 0.85, 0.93, 0.96]
    assert half["producers"].round(2).tolist() == [0.21, 0.25, 0.03, 0.02]
    shares = [0.0176, 0, 0.0013, 0.0011], [0, 0.0110, 0.0016, 0.0024]
    np.testing.assert_allclose(found.proportions[:2], shares, atol=5e-5)
    assert found.overall == pytest.approx(0.95, abs=0.005)
    assert Z95 * found.se_overall == pytest.approx(0.02, abs=0.005)
    assert found.areas[0] == pytest.approx(235_086, abs=1)
    hectares = 0.09
    assert found.areas[0] * hectares == pytest.approx(21_158, abs=1)
    assert half["areas"][0] * hectares == pytest.approx(6_158, abs=1)
    assert found.areas.sum() == pytest.approx(sum(MAPPED))
    assert found.areas_95[0] * hectares == pytest.approx([15_000, 27_315], abs=2)
    assert "overall accuracy 0.947 (0.9" in str(found)


def test_shares_have_wilsons_interval() -> None:
    """Ends of the score interval are the roots of `(p̂ − p)² = z² p (1 − p) / n`."""
    found = estimate_areas(COUNTS, MAPPED, CLASSES)
    for i, row in enumerate(COUNTS):
        n, share = sum(row), row[i] / sum(row)
        roots = np.roots([1 + Z95**2 / n, -2 * share - Z95**2 / n, share**2])
        np.testing.assert_allclose(found.users_95[i], np.sort(roots.real), atol=1e-7)


def test_published_design() -> None:
    """The same paper's design: 641 units for a standard error of 0.01, rare classes lifted."""
    assert sample_size(MAPPED, [0.7, 0.6, 0.9, 0.95], 0.01) == 641
    assert allocate(MAPPED, 641, floor=75).tolist() == [75, 75, 163, 328]
    assert allocate(MAPPED, 640, floor=0).tolist() == [13, 9, 205, 413]


@pytest.mark.parametrize("error", [1e-9, 1e-300, 5e-324])
def test_an_error_that_no_sample_reaches_is_a_number(error: float) -> None:
    """Its square is beyond every float."""
    assert sample_size(MAPPED, [0.7, 0.6, 0.9, 0.95], error) > 10**15


@pytest.mark.parametrize("units", [0, -1, -(10**30), 10**6 + 1, 10**18])
def test_numbers_of_units_that_are_no_sample(units: int) -> None:
    with pytest.raises(SampleError, match="units are no sample to be interpreted"):
        allocate(MAPPED, units, floor=0)


def test_strata_of_several_classes_cover_the_truth() -> None:
    """Whole maps drawn unit by unit: 40 of a common stratum, which holds two rare classes."""
    rng = np.random.default_rng(8)
    table = np.array([[7000, 300, 50, 20], [200, 2000, 10, 0], [60, 20, 150, 10], [15, 0, 5, 60]])
    strata, units = [0, 1, 2, 2], [150, 80, 40]
    ground = np.repeat([(i, j) for i in range(4) for j in range(4)], table.ravel(), axis=0)
    members = [ground[np.isin(ground[:, 0], rows)] for rows in ([0], [1], [2, 3])]
    mapped, real = table.sum(axis=1), table.sum(axis=0)
    right = np.diagonal(table) / real
    inside, areas, changed = [], [], []
    for _ in range(500):
        counts = np.zeros((4, 4), int)
        for part, n in zip(members, units, strict=True):
            np.add.at(counts, tuple(rng.choice(part, n, replace=False).T), 1)
        found = estimate_areas(counts, mapped, "abcd", strata)
        areas.append(found.areas)
        inside.append(
            [
                *_within(real[:3], found.areas_95[:3]),
                *_within(right[:3], found.producers_95[:3]),
                *_within([np.trace(table) / table.sum()], found.overall_95[None]),
                *_within((np.diagonal(table) / mapped)[:2], found.users_95[:2]),
            ]
        )
        both = found.groups({"changed": "cd", "all": "abcd"})
        changed.append(both["area_low"].iloc[0] <= real[2:].sum() <= both["area_high"].iloc[0])
        assert both["area"].iloc[1] == pytest.approx(table.sum())
    np.testing.assert_allclose(np.mean(areas, axis=0), real, rtol=0.04)
    assert (np.mean(inside, axis=0) > 0.9).all()
    assert 0.9 < np.mean(changed) < 0.995


def test_a_stratum_of_its_own_is_the_published_case() -> None:
    alone = estimate_areas(COUNTS, MAPPED, CLASSES, range(4))
    np.testing.assert_array_equal(alone.areas_95, estimate_areas(COUNTS, MAPPED, CLASSES).areas_95)
    deforested = alone.groups({"deforested": CLASSES[:1]}).iloc[0]
    assert deforested["area"] * 0.09 == pytest.approx(21_158, abs=1)
    assert deforested["area_low"] * 0.09 == pytest.approx(15_000, abs=1)


def test_strata_of_a_map_of_change() -> None:
    """Rare transitions share one stratum, rare ground that stayed another; one pixel joins."""
    codes = ("A", "A-B", "A-C", "B-A", "B", "C", "B-C")
    pixels = [5000, 300, 20, 20, 4000, 30, 0]
    moved = [len(code) == 3 for code in codes]
    found = strata(pixels, moved)
    assert found.max() == 4
    assert found[2] == found[3] == found[6]
    assert len(set(found.tolist())) == 5
    assert strata(pixels).tolist() == list(range(7))
    assert strata([1, 5, 9]).tolist() == [1, 0, 1]
    assert strata([5000, 300, 1, 0, 4000, 0, 0], moved)[2] == 0


def test_perfect_map() -> None:
    found = estimate_areas(np.diag([50, 60, 70]), [1.0, 2.0, 3.0], "abc")
    np.testing.assert_allclose(found.areas, [1, 2, 3])
    assert found.overall == 1
    # No error in n units leaves a rate of at most z² / (n + z²).
    np.testing.assert_allclose(found.users_95[:, 0], [n / (n + Z95**2) for n in (50, 60, 70)])
    np.testing.assert_allclose(found.users_95[:, 1], 1)
    # One unit of class c stands for 3 / 70 of the area, more than one of any other class.
    np.testing.assert_allclose(found.se_areas, 3 / 70)
    assert found.se_overall == pytest.approx(3 / 70 / 6)
    assert found.overall_95 == pytest.approx([139 / (139 + Z95**2), 1])
    assert (found.producers_95[:, 0] < 1 - 1 / 70).all()
    assert "1.000 (0.9" in str(found)


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(
        st.lists(st.integers(0, 40), min_size=3, max_size=3).filter(lambda row: sum(row) > 1),
        min_size=3,
        max_size=3,
    ),
    mapped=st.lists(st.floats(0.01, 1e6), min_size=3, max_size=3),
)
def test_intervals_stay_within_what_there_is(counts, mapped) -> None:
    found = estimate_areas(counts, mapped, "abc")
    for value, ends in (
        (found.users, found.users_95),
        (found.producers, found.producers_95),
        (np.array([found.overall]), found.overall_95[None]),
        (found.areas / sum(mapped), found.areas_95 / sum(mapped)),
    ):
        known = ~np.isnan(value)
        low, high = ends[known].T
        assert (low >= 0).all()
        assert (high <= 1 + 1e-12).all()
        assert (low < high).all()
        assert (low <= value[known] + 1e-12).all()
        assert (value[known] <= high + 1e-12).all()


def test_intervals_cover_the_truth() -> None:
    """Repeated samples of a known map: unbiased, and 95 % intervals that hold."""
    rng = np.random.default_rng(4)
    truth = np.array([[900, 60, 40], [50, 1700, 250], [20, 180, 6800]])
    mapped, real = truth.sum(axis=1), truth.sum(axis=0)
    units = [60, 80, 160]
    right = np.diagonal(truth) / real
    inside, areas = [], []
    for _ in range(600):
        counts = np.stack(
            [rng.multinomial(n, t / t.sum()) for n, t in zip(units, truth, strict=True)]
        )
        found = estimate_areas(counts, mapped, "abc")
        areas.append(found.areas)
        inside.append(
            [
                *_within(real, found.areas_95),
                *_within(right, found.producers_95),
                *_within([np.trace(truth) / truth.sum()], found.overall_95[None]),
                *_within(np.diagonal(truth) / mapped, found.users_95),
            ]
        )
    np.testing.assert_allclose(np.mean(areas, axis=0), real, rtol=0.02)
    assert (np.mean(inside, axis=0) > 0.9).all()
    assert np.mean(inside) < 0.985


def _within(values, ends):
    return (ends[:, 0] <= values) & (values <= ends[:, 1])


def test_class_that_neither_map_nor_sample_has() -> None:
    found = estimate_areas([[9, 1, 0], [2, 8, 0], [0, 0, 0]], [3.0, 7.0, 0.0], "abc")
    two = estimate_areas([[9, 1], [2, 8]], [3.0, 7.0], "ab")
    np.testing.assert_allclose(found.areas[:2], two.areas)
    np.testing.assert_allclose(found.se_producers[:2], two.se_producers)
    assert math.isnan(found.users[2])
    assert math.isnan(found.producers[2])
    assert found.areas[2] == 0


def test_samples_that_say_nothing_are_refused() -> None:
    with pytest.raises(SampleError, match="class b, the sample 1 units"):
        estimate_areas([[5, 0], [0, 1]], [1.0, 1.0], "ab")
    with pytest.raises(SampleError, match="do not fit 3 classes"):
        estimate_areas(np.eye(2), [1.0, 1.0], "abc")
    with pytest.raises(SampleError, match="negative"):
        estimate_areas(np.eye(2) * 5, [1.0, -1.0], "ab")
    with pytest.raises(SampleError, match="too few for 3 classes"):
        allocate([1, 2, 3], 100, floor=50)
    with pytest.raises(SampleError, match="between 0 and 1"):
        sample_size([1, 2], [0.9, 90], 0.01)
    with pytest.raises(SampleError, match="all are zero"):
        allocate([0, 0], 100)


@settings(max_examples=60, deadline=None)
@given(
    areas=st.lists(st.integers(0, 10**8), min_size=1, max_size=8).filter(lambda a: sum(a) > 0),
    extra=st.integers(1, 900),
    floor=st.integers(0, 80),
)
def test_allocation_keeps_its_promises(areas, extra, floor) -> None:
    present = sum(area > 0 for area in areas)
    units = floor * present + extra
    found = allocate(areas, units, floor=floor)
    assert found.sum() == units
    assert all(n >= floor if area > 0 else n == 0 for n, area in zip(found, areas, strict=True))
    order = np.argsort(areas, kind="stable")
    assert (np.diff(found[order]) >= -1).all()


def test_draw_is_random_within_classes_and_knows_no_strips() -> None:
    rng = np.random.default_rng(0)
    codes = rng.choice([1, 2, 3, 255], (60, 50), p=[0.6, 0.3, 0.02, 0.08]).astype(np.uint8)
    pixels = [int((codes == value).sum()) for value in (1, 2, 3)]
    units = [100, 80, 2000]
    whole = draw_units([(0, codes)], pixels, units, seed=5)
    strips = [(y, codes[y : y + 7]) for y in range(0, 60, 7)]
    np.testing.assert_array_equal(draw_units(strips, pixels, units, seed=5), whole)
    assert np.bincount(whole[:, 2])[1:].tolist() == [100, 80, pixels[2]]
    assert (codes[whole[:, 0], whole[:, 1]] == whole[:, 2]).all()
    assert len(np.unique(whole[:, :2], axis=0)) == len(whole)
    assert not np.array_equal(draw_units(strips, pixels, units, seed=6), whole)
    often = np.zeros(codes.shape, int)
    for seed in range(300):
        some = draw_units([(0, codes)], pixels, [100, 0, 0], seed)
        often[some[:, 0], some[:, 1]] += 1
    expected = 300 * 100 / pixels[0]
    assert often[codes == 1].mean() == pytest.approx(expected)
    assert often[codes == 1].std() == pytest.approx(math.sqrt(expected), rel=0.15)


@pytest.mark.parametrize(
    ("counts", "mapped", "says"),
    [
        ([[5, 0], [0, np.nan]], [1.0, 1.0], "not finite"),
        ([[5, 0], [0, np.inf]], [1.0, 1.0], "not finite"),
        ([[5, 0], [-1, 6]], [1.0, 1.0], "negative"),
        ([[5, 0], [0, 5]], [1.0, np.inf], "not finite"),
        ([[5, 0], [0, 5]], [np.nan, 1.0], "not finite"),
        ([[5, 0], [0, 5]], [0.0, 0.0], "all areas are zero"),
        ([[5, 0, 0], [0, 5, 0]], [1.0, 1.0], "do not fit 2 classes"),
        ([[5.5, 0], [0, 5]], [1.0, 1.0], "no whole number"),
        ([[5e300, 0], [0, 5]], [1.0, 1.0], "no whole number"),
        (np.ma.masked_less([[5, 0], [0, 5]], 1), [1.0, 1.0], "not finite"),
        ([[5, 0], [0, 5]], np.ma.masked_less([1.0, 2.0], 2), "not finite"),
        ([[5, 0], [0, 5]], [1e308, 1e308], "not finite"),
        ([[5, 0], [0, 5]], [10**400, 1], "not finite"),
        ([["5", "0"], ["0", "5"]], [1.0, 1.0], "not finite"),
        ([[5, 0], [0, 5j]], [1.0, 1.0], "not finite"),
        ([[5, 0], [0]], [1.0, 1.0], "not finite"),
    ],
)
def test_estimates_of_what_cannot_be_are_refused(counts, mapped, says: str) -> None:
    with pytest.raises(SampleError, match=says) as caught:
        estimate_areas(counts, mapped, "ab")
    assert caught.value.remedy


def test_a_class_that_is_named_twice_is_refused() -> None:
    with pytest.raises(SampleError, match="named twice"):
        estimate_areas([[5, 0], [0, 5]], [1.0, 2.0], "aa")


def test_slivers_of_a_glacier_join_its_largest_class() -> None:
    """A hundred units drawn at random of a glacier of which 2 % are mapped as a third class."""
    rng, share = np.random.default_rng(1), np.array([0.6, 0.38, 0.02])
    right, held = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.5, 0.4, 0.1]]), []
    for _ in range(200):
        units = rng.multinomial(100, share)
        counts = np.stack([rng.multinomial(n, row) for n, row in zip(units, right, strict=True)])
        joined = without_slivers(np.arange(3), units, share)
        assert (joined == (0 if units[2] < 2 else 2))[2]
        found = estimate_areas(counts, share, "abc", joined)
        assert found.areas.sum() == pytest.approx(1)
        held.append(found.areas_95[0, 0] <= share @ right[:, 0] <= found.areas_95[0, 1])
    assert np.mean(held) > 0.9
    few = np.array([9, 1, 1])
    assert without_slivers(np.arange(3), few, [0.9, 0.06, 0.04]).tolist() == [0, 1, 2]
    assert without_slivers(np.arange(3), [0, 0, 1], share).tolist() == [0, 1, 2]
