"""Seasons: series of any period meet references of any other at the same time of the year."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpazmal_scale.dtw import (
    NearestBarycenter,
    band_limits,
    by_season,
    check_start,
    distances,
    match_dates,
    match_season,
    season_days,
)


def every(first: str, count: int, step: int = 11) -> np.ndarray:
    return np.datetime64(first, "s") + np.arange(count) * np.timedelta64(step * 86400, "s")


def days_of_season(dates: np.ndarray, start: str = "01-01") -> np.ndarray:
    """Days since the season of each date began, in [0, 366)."""
    years = dates.astype("datetime64[Y]").astype(int) + 1970
    this, last = (
        np.array([np.datetime64(f"{year - back}-{start}", "s") for year in years])
        for back in (0, 1)
    )
    return (dates - np.where(this <= dates, this, last)) / np.timedelta64(1, "D")


def seasonal(dates: np.ndarray, phase: float, start: str = "01-01") -> np.ndarray:
    return np.sin(2 * np.pi * (days_of_season(dates, start) / 365.25 + phase))


CALENDAR = every("2020-01-03", 33)


@settings(deadline=None)
@given(st.dates(date(1999, 1, 1), date(2040, 1, 1)), st.sampled_from([6, 11, 12]))
def test_a_year_from_any_day_meets_a_calendar_year_everywhere(first, step):
    rows = every(first.isoformat(), 365 // step + 1, step)
    matched = match_dates(rows, CALENDAR, band_days=33)
    assert not matched.alone.any()
    assert matched.fault() is None
    assert np.all(np.diff(matched.column_days) >= 0)
    moved = matched.column_days - matched.row_days[0]
    phase = days_of_season(rows)[0] + moved - days_of_season(CALENDAR)[matched.columns]
    away = np.abs((phase + 180) % 365.25 - 180)
    assert away.max() <= 2


def test_the_same_dates_stay_as_they_are():
    for rows in (CALENDAR, every("2020-01-03", 36), every("2020-01-03", 80), CALENDAR[:1]):
        matched = match_dates(rows, rows, band_days=33)
        assert matched.columns.tolist() == list(range(len(rows)))
        np.testing.assert_array_equal(matched.row_days, matched.column_days)


def test_one_december_scene_more_changes_no_pairing():
    with_december = np.concatenate([every("2019-12-23", 1), CALENDAR])
    matched = match_dates(with_december, CALENDAR, band_days=33)
    np.testing.assert_array_equal(matched.row_days[1:], matched.column_days)
    limits = band_limits(34, 33, days=(with_december, CALENDAR), band_days=33)
    plain = (season_days(with_december) - 365, season_days(CALENDAR))
    np.testing.assert_array_equal(limits, band_limits(34, 33, days=plain, band_days=33))


def test_winters_of_other_years_meet_across_new_year():
    rows, columns = every("2021-12-04", 9), every("2019-12-01", 9)
    matched = match_dates(rows, columns, band_days=33)
    assert np.abs(matched.row_days - matched.column_days).max() <= 4
    assert band_limits(9, 9, days=(rows, columns), band_days=4).tolist() == [
        [i, i + 1] for i in range(9)
    ]


def test_two_years_meet_every_date_of_one_year_twice():
    matched = match_dates(every("2020-01-03", 67), CALENDAR, band_days=33)
    assert matched.fault() is None
    assert np.bincount(matched.columns).tolist() == [2] * 33


def test_hemispheres_meet_by_the_declared_start_of_their_season():
    south = every("2021-04-01", 33)
    matched = match_dates(south, CALENDAR, band_days=33, starts=("07-02", "01-01"))
    assert matched.fault() is None
    expected = days_of_season(south, "07-02")
    found = days_of_season(CALENDAR)[matched.columns]
    away = np.abs((found - expected[: len(found)] + 180) % 365.25 - 180)
    assert away.max() <= 11


@pytest.mark.parametrize(
    ("rows", "columns", "says"),
    [
        (CALENDAR, every("2020-04-01", 16), "dates lie at a time of the year that the training"),
        (every("2020-12-01", 9), CALENDAR, "of the training dates lie at a time"),
        (every("2020-12-01", 9), every("2020-06-01", 9), "9 of 9 dates"),
    ],
)
def test_periods_that_do_not_meet_are_named(rows, columns, says):
    assert says in match_dates(rows, columns, band_days=33).fault()


def test_seasons_that_do_not_meet_are_refused_by_distances():
    summer, winter = every("2020-06-01", 9), every("2020-12-01", 9)
    with pytest.raises(ValueError, match="9 of 9 dates have no date of the references"):
        distances(np.zeros((1, 9)), np.zeros((1, 9)), days=(summer, winter), band_days=33)


def test_a_classifier_keeps_its_accuracy_whatever_day_the_year_begins():
    rng = np.random.default_rng(5)
    phases = rng.normal([[0.0], [0.12]], 0.02, (2, 60)).ravel()
    y = np.repeat(["a", "b"], 60)

    def made(dates):
        clean = np.stack([seasonal(dates, phase) for phase in phases])
        return (clean + rng.normal(0, 0.4, clean.shape))[:, None]

    model = NearestBarycenter(days=CALENDAR, band_days=33, decision="sum").fit(made(CALENDAR), y)
    own = np.mean(model.predict(made(CALENDAR)) == y)
    assert own > 0.9
    for first in ("2019-12-31", "2020-03-01", "2020-07-15", "2021-10-01", "2021-12-01"):
        dates = every(first, 33)
        found = model.classes_[model.decide(made(dates), days=dates).index]
        assert abs(np.mean(found == y) - own) <= 0.05


def test_dates_may_be_written_in_any_way():
    stamps = np.array(["2020-01-08T05:44:21", "2020-12-30T05:44:21"], "datetime64[s]")
    summer = timezone(timedelta(hours=2))
    aware = [one.replace(tzinfo=UTC).astimezone(summer) for one in stamps.tolist()]
    for same in (stamps.astype("datetime64[ns]"), stamps.astype(str).tolist(), aware):
        np.testing.assert_array_equal(season_days(same), season_days(stamps))
    days = [one.date() for one in stamps.tolist()]
    assert season_days(days).tolist() == [7.0, 364.0]
    assert season_days([datetime(2020, 10, 2)], "10-01").tolist() == [1.0]
    assert season_days(["2020-09-30"], "10-01").tolist() == [365.0]


@pytest.mark.parametrize("start", ["02-29", "2-1", "13-01", "W01-1", "04-31", "2021-01-01", ""])
def test_a_start_is_a_day_of_every_year(start):
    with pytest.raises(ValueError, match="MM-DD"):
        check_start(start)


@pytest.mark.parametrize("dates", [["soon"], [np.datetime64("NaT")], [None]])
def test_no_dates(dates):
    with pytest.raises(ValueError, match="dates must"):
        season_days(np.array(dates))


def test_numbers_written_like_dates_are_refused():
    with pytest.raises(ValueError, match="not numbers like 20200119"):
        band_limits(2, 2, days=([20200108, 20200119], [20200108, 20200119]), band_days=33)


@settings(deadline=None)
@given(st.dates(date(2019, 1, 1), date(2024, 1, 1)), st.integers(-5, 5))
def test_a_year_is_read_in_the_order_of_the_training(first, beside):
    """Whatever the day it begins on; dates a few days beside find the whole band all the same."""
    turns = int((np.datetime64(first) - CALENDAR[0]) // np.timedelta64(11 * 86400, "s"))
    rows = CALENDAR[0] + (np.arange(33) + turns) * np.timedelta64(11 * 86400, "s")
    rows = rows + np.timedelta64(beside * 86400, "s")
    order, moved = by_season(rows, CALENDAR, band_days=33)
    assert np.all(np.diff(moved) >= np.timedelta64(0))
    assert sorted(order.tolist()) == list(range(33))
    back = np.abs((rows[order] - moved) / np.timedelta64(1, "D"))
    assert np.all(np.abs(back - 365.25 * np.rint(back / 365.25)) <= 1)
    matched = match_dates(moved, CALENDAR, band_days=33)
    assert matched.fault() is None
    assert np.abs(matched.row_days - matched.standing).max() <= 6
    assert len(matched.columns) >= 32


def test_dates_beyond_the_training_are_left_out():
    """One pass more at the end of a winter; many more are a fault, and stay."""
    winter, longer = every("2020-11-11", 9), every("2021-11-09", 10)
    order, matched = match_season(longer, winter, band_days=33)
    assert order.tolist() == list(range(9))
    assert not matched.beyond.any()
    assert matched.fault() is None
    order, matched = match_season(every("2020-09-01", 20), every("2020-11-11", 9), band_days=33)
    assert len(order) == 20
    assert matched.fault() is not None


@pytest.mark.parametrize("order", [slice(None, None, -1), [1, 0, *range(2, 9)], [5, 6, 7, 8, 0]])
def test_dates_out_of_order_are_refused_as_that(order):
    """A series turned round, two dates exchanged, a winter put before the summer of its year."""
    dates = every("2020-01-08", 9)
    for rows, columns in ((dates[order], dates), (dates, dates[order])):
        with pytest.raises(ValueError, match="dates must increase"):
            match_season(rows, columns, band_days=33)
    assert season_days(np.repeat(dates, 2)).size == 18


def test_a_band_of_whole_cycles_keeps_its_width_in_another_year():
    own = band_limits(33, 33, days=(CALENDAR, CALENDAR), band_days=33)
    for beside in (-3, -1, 2, 4):
        matched = match_dates(CALENDAR + np.timedelta64(beside, "D"), CALENDAR, band_days=33)
        limits = band_limits(33, 33, days=(matched.standing, matched.column_days), band_days=33)
        np.testing.assert_array_equal(limits, own)
