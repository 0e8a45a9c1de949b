"""Bands: every table leads from corner to corner, and admits what it should and little else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpazmal_scale.dtw import band_limits, season_days, time_weights
from cpazmal_scale.dtw.band import check_limits


def inside(limits, columns):
    j = np.arange(columns)
    return (j >= limits[:, :1]) & (j < limits[:, 1:])


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 45))
def test_radius_is_the_sakoe_chiba_band_widened_by_the_difference_in_length(rows, columns, radius):
    limits = band_limits(rows, columns, radius=radius)
    lead = np.subtract.outer(np.arange(rows), np.arange(columns))
    low, high = -radius - max(columns - rows, 0), radius + max(rows - columns, 0)
    assert np.array_equal(inside(limits, columns), (lead >= low) & (lead <= high))
    assert check_limits(limits, rows, columns).dtype == np.int32


def test_no_band_admits_everything():
    assert inside(band_limits(3, 5), 5).all()


days_lists = st.lists(st.integers(0, 400), min_size=1, max_size=30).map(sorted)


@settings(deadline=None)
@given(days_lists, days_lists, st.integers(0, 120))
def test_band_in_days_connects_corners_with_least_widening(rows, columns, band):
    limits = band_limits(len(rows), len(columns), days=(rows, columns), band_days=band)
    check_limits(limits, len(rows), len(columns))
    admitted = inside(limits, len(columns))
    near = np.abs(np.subtract.outer(rows, columns)) <= band
    assert admitted[near].all()
    extra_rows = np.count_nonzero(~near.any(axis=1))
    extra_columns = np.count_nonzero(~near.any(axis=0))
    assert np.count_nonzero(admitted & ~near) <= extra_rows + extra_columns


def test_regular_dates_give_the_band_in_samples():
    days = np.arange(30) * 11.0
    in_days = band_limits(30, 30, days=(days, days), band_days=33)
    assert np.array_equal(in_days, band_limits(30, 30, radius=3))


def test_dates_stand_for_their_day_of_the_year():
    rows = np.array(["2020-01-08", "2020-03-19", "2020-12-30"], "datetime64[D]")
    columns = np.array(["2021-01-02", "2021-03-02", "2022-01-04"], "datetime64[ns]")
    days = (season_days(rows), season_days(columns))
    assert days[1][-1] == 368
    expected = band_limits(3, 3, days=days, band_days=33.0)
    assert np.array_equal(band_limits(3, 3, days=(rows, columns)), expected)
    assert np.array_equal(time_weights(rows, columns), time_weights(*days))
    for same in (rows.astype(str).tolist(), rows.tolist()):
        assert np.array_equal(band_limits(3, 3, days=(same, columns)), expected)


def test_seasons_of_two_years_align():
    one = season_days(np.array(["2020-01-08", "2020-01-19"], "datetime64[s]"))
    two = season_days(np.array(["2021-01-08", "2021-01-19"], "datetime64[ns]"))
    assert one.tolist() == two.tolist() == [7.0, 18.0]


def test_time_weights_are_the_logistic_of_the_folded_elapsed_time():
    weights = time_weights([0.0, 100.0], [0.0, 50.0, 364.25])
    elapsed = np.array([[0.0, 50.0, 1.0], [100.0, 50.0, 101.0]])
    assert weights == pytest.approx(1 / (1 + np.exp(-0.1 * (elapsed - 50))), rel=1e-6)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"radius": -1}, "radius"),
        ({"band_days": 33.0}, "dates"),
        ({"radius": 1, "band_days": 33.0}, "not both"),
        ({"radius": 1, "days": ([0, 1, 2], [0, 1, 2])}, "not both"),
        ({"radius": 0.5}, "whole number"),
        ({"days": ([0, 1, 2],)}, "both series"),
        ({"band_days": -1.0, "days": ([0, 1, 2], [0, 1, 2])}, "0 or more"),
        ({"band_days": np.nan, "days": ([0, 1, 2], [0, 1, 2])}, "0 or more"),
        ({"band_days": 3.0, "days": ([0, 2, 1], [0, 1, 2])}, "increasing"),
        ({"band_days": 3.0, "days": ([0, 1], [0, 1, 2])}, "3 dates"),
    ],
)
def test_refusals(options, match):
    with pytest.raises(ValueError, match=match):
        band_limits(3, 3, **options)


def test_no_dates_are_refused():
    with pytest.raises(ValueError, match="at least one date"):
        band_limits(0, 3)


@pytest.mark.parametrize(
    "table",
    [
        [[0, 1], [2, 3], [2, 3]],
        [[1, 2], [1, 3], [1, 3]],
        [[0, 1], [1, 2], [1, 2]],
        [[0, 1], [1, 1], [1, 3]],
        [[0, 2], [0, 1], [0, 3]],
    ],
)
def test_tables_without_a_path_are_refused(table):
    with pytest.raises(ValueError, match="without a gap"):
        check_limits(table, 3, 3)
