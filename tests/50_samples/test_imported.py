"""Tables of labelled series: long and wide, in any scale, as samples to train and assess on."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command import ended

from cpazmal_scale import catalog
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError, SampleError, StoreMissing
from cpazmal_scale.samples import (
    import_table,
    imported_series,
    on_calendar,
    read_series,
    season_calendar,
)
from cpazmal_scale.stages.assess import assess
from cpazmal_scale.stages.samples import draw_samples, query_samples, training_data
from cpazmal_scale.stages.train import train

DAYS = np.datetime64("2020-01-08") + 11 * np.arange(20)
WIDE = r"(?P<channel>hh|HV)_(?P<date>\d{8})"


def decibels(seed: int = 0, count: int = 24) -> np.ndarray:
    """(N, 2, T) of two classes that part in summer."""
    rng = np.random.default_rng(seed)
    summer = np.exp(-(((np.arange(20) - 14) / 3) ** 2))
    level = np.where(np.arange(count) % 2, -6.0, 3.0)[:, None] * summer
    both = np.stack([-10 + level, -17 + level], axis=1)
    return both + rng.normal(0, 0.8, both.shape)


def labels(count: int = 24) -> tuple[list[str], list[str]]:
    return [f"c{n % 2}" for n in range(count)], [f"p{n // 3}" for n in range(count)]


def wide(path: Path, values: np.ndarray, **more: object) -> Path:
    classes, groups = labels(len(values))
    columns = {"class": classes, "plot": groups, **more}
    for k, name in enumerate(("hh", "HV")):
        for t, day in enumerate(DAYS):
            columns[f"{name}_{str(day).replace('-', '')}"] = values[:, k, t]
    frame = pd.DataFrame(columns)
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
    return path


def long(path: Path, values: np.ndarray, channel: bool) -> Path:
    classes, groups = labels(len(values))
    rows = []
    for n in range(len(values)):
        for t in np.random.default_rng(n).permutation(20):
            told = {"id": n, "class": classes[n], "plot": groups[n], "date": str(DAYS[t])}
            if channel:
                for k, name in enumerate(("HH", "HV")):
                    rows.append({**told, "pol": name, "value": values[n, k, t]})
            else:
                rows.append({**told, "HH": values[n, 0, t], "HV": values[n, 1, t]})
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def run(url: object, folder: object = "ws", **table: object) -> RunConfig:
    return RunConfig.parse(
        {
            "workspace": str(folder),
            "features": {"statistics": ["k1"]},
            "samples": {"table": {"url": str(url), "group": "plot", **table}},
            "classify": {"method": "sum"},
            "assess": {"repeats": 1, "folds": 2, "methods": ["sum", "forest"]},
            "cluster": {"kind": "serial"},
        }
    )


def series(config: RunConfig):
    made = import_table(config.samples)
    return made, imported_series(made, config.features, ("HH", "HV"), config.dtw)


def test_wide_and_long_tables_are_the_same_series(tmp_path: Path) -> None:
    values = decibels()
    values[3, :, 5] = np.nan
    configs = [
        run(wide(tmp_path / "wide.csv", values), values=WIDE),
        run(wide(tmp_path / "wide.parquet", values), values=WIDE),
        run(long(tmp_path / "long.csv", values, channel=False)),
        run(long(tmp_path / "channels.csv", values, channel=True), channel="pol"),
    ]
    expected = values * np.log(10) / 20
    for config in configs:
        made, found = series(config)
        assert found.names == ("HH.k1", "HV.k1", "HV/HH.k1")
        np.testing.assert_array_equal(found.dates, DAYS)
        np.testing.assert_allclose(found.values[:, :2], expected, rtol=1e-6)
        np.testing.assert_allclose(
            found.values[:, 2], expected[:, 1] - expected[:, 0], rtol=1e-4, atol=1e-6
        )
        assert made["class"].tolist() == labels()[0]
        assert made["group"].tolist() == labels()[1]


@pytest.mark.parametrize(
    ("mark", "decimal", "start"),
    [(",", ".", ""), (";", ",", ""), (";", ".", "\ufeff"), ("\t", ".", "")],
)
def test_a_csv_as_spreadsheets_write_it(tmp_path, mark: str, decimal: str, start: str) -> None:
    path = long(tmp_path / "x.csv", decibels(), channel=False)
    _, expected = series(run(path))
    frame = pd.read_csv(path).rename(columns={"HH": "hh", "HV": "Hv"})
    frame.to_csv(path, index=False, sep=mark, decimal=decimal)
    path.write_text(start + path.read_text())
    _, found = series(run(path))
    np.testing.assert_array_equal(found.values, expected.values)


@pytest.mark.parametrize("text", ["<-30", "-12,3", "noise"])
def test_a_value_that_is_no_number_is_not_left_out(tmp_path: Path, text: str) -> None:
    path = long(tmp_path / "x.csv", decibels(), channel=False)
    frame = pd.read_csv(path).astype({"HH": object})
    frame.loc[7, "HH"] = text
    frame.to_csv(path, index=False)
    with pytest.raises(SampleError, match=f"`{text}` of column HH is no number"):
        import_table(run(path).samples)


def test_points_of_one_square_ask_for_groups_of_a_table(tmp_path: Path) -> None:
    path = long(tmp_path / "x.csv", decibels(), channel=False)
    pd.read_csv(path).assign(lat=45.8, lon=6.9).to_csv(path, index=False)
    with pytest.raises(SampleError, match=r"set samples.table.group, or a smaller .*cell_km"):
        import_table(run(path, group=None).samples)


@pytest.mark.parametrize(
    ("scale", "offset", "to_stored"),
    [
        ("dB", 0.0, lambda db: db),
        ("dB", -30.0, lambda db: db + 30),
        ("linear", 0.0, lambda db: 10 ** (db / 10)),
        ("amplitude", 0.0, lambda db: 10 ** (db / 20)),
        ("amplitude", -83.0, lambda db: 10 ** ((db + 83) / 20)),
    ],
)
def test_every_scale_is_the_logarithm_of_the_amplitude(
    tmp_path: Path, scale: str, offset: float, to_stored
) -> None:
    values = decibels()
    stored = to_stored(values)
    stored[2, 0, 7] = 65535
    path = wide(tmp_path / "x.parquet", stored)
    config = run(path, values=WIDE, scale=scale, offset=offset, nodata=[65535])
    _, found = series(config)
    assert np.isnan(found.values[2, 0, 7])
    found.values[2, :, 7] = 0
    values[2, :, 7] = 0
    np.testing.assert_allclose(found.values[:, 0], values[:, 0] * np.log(10) / 20, rtol=2e-5)


@pytest.mark.parametrize(
    "write",
    [
        lambda day: int(str(day).replace("-", "")),
        lambda day: float(str(day).replace("-", "")),
        lambda day: f"{day}T05:44:12Z",
        lambda day: f"{day} 06:44:12+01:00",
        lambda day: str(day).replace("-", "") + "T054412",
    ],
)
def test_dates_are_what_they_say(tmp_path: Path, write) -> None:
    """Numbers such as 20200108 are dates, not nanoseconds since 1970."""
    path = long(tmp_path / "x.csv", decibels(), channel=False)
    frame = pd.read_csv(path)
    frame["date"] = frame["date"].map(write)
    frame.to_csv(path, index=False)
    _, found = series(run(path))
    np.testing.assert_array_equal(found.dates.astype("datetime64[D]"), DAYS)


@pytest.mark.parametrize("date", [1578462252, 0, "soon", "2020-13-01", "08/01/2020", "", 202001])
def test_what_is_no_date_is_refused(tmp_path: Path, date: object) -> None:
    path = long(tmp_path / "x.csv", decibels(), channel=False)
    frame = pd.read_csv(path).astype({"date": object})
    frame.loc[7, "date"] = date
    frame.to_csv(path, index=False)
    with pytest.raises(SampleError, match="its columns cannot be used"):
        import_table(run(path).samples)


def test_series_of_other_years_meet_at_their_season(tmp_path: Path) -> None:
    """Steps of a month from a start of their own, one course over the year: one answer for all."""
    starts = ["2017-01-01", "2016-11-01", "2018-10-01", "2020-04-01", "2019-07-01"] * 6
    rows = []
    for n, start in enumerate(starts):
        months = (int(start[5:7]) - 1 + np.arange(12)) % 12
        course = -12 + 4 * np.cos((months + 0.5 - 7) / 12 * 2 * np.pi)
        rows.append(
            {
                "class": f"c{n % 2}",
                "lat": 45 + n,
                "lon": 7.0,
                "start": start,
                **{f"S-VV-{t}": value for t, value in enumerate(course)},
            }
        )
    path = tmp_path / "points.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    settings = {"group": None, "values": r"S-(?P<channel>VV)-(?P<step>\d+)", "start": "start"}
    config = run(path, **settings)
    made = import_table(config.samples)
    found = imported_series(made, config.features, ("VV",), config.dtw)
    assert found.values.shape == (30, 1, 12)
    assert np.isfinite(found.values).all()
    spread = found.values.std(axis=0) / np.log(10) * 20
    assert spread.max() < 0.15  # dB, of 8 dB over the year: interpolation over some days
    assert made["group"].nunique() > 20


def test_squares_of_points_do_not_depend_on_their_order(tmp_path: Path) -> None:
    values = decibels(count=24)
    rng = np.random.default_rng(1)
    place = {"lat": rng.uniform(-60, 60, 24), "lon": rng.uniform(-180, 180, 24)}
    place["lat"][1], place["lon"][1] = place["lat"][0], place["lon"][0] + 1e-4
    config = run(wide(tmp_path / "x.csv", values, **place), values=WIDE, group=None)
    groups = import_table(config.samples)["group"]
    assert groups[0] == groups[1]
    assert 20 <= groups.nunique() <= 23


def test_a_calendar_is_that_of_the_season() -> None:
    dates = np.datetime64("2020-01-05", "s") + np.arange(36) * np.timedelta64(10, "D")
    later = dates + np.timedelta64(365 * 2 + 4, "D")
    course = np.sin(np.arange(36) / 36 * 2 * np.pi)
    found = on_calendar(course[None, None], dates, later, max_gap_days=33)
    days = np.arange(36) * 10.0
    expected = np.interp(days + 3, days, course)
    np.testing.assert_allclose(found[0, 0], expected, atol=0.02)
    same = season_calendar([dates, dates])
    np.testing.assert_array_equal(same, dates)


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ({"label": "kind"}, "no column kind"),
        ({"group": "field", "values": WIDE}, "no column field"),
        ({"values": r"(?P<channel>xx)_(?P<date>\d{8})"}, "its channels are none"),
        ({"scale": "linear", "values": WIDE}, "no series is left"),
        ({"offset": 90, "values": WIDE}, "the median of HH is 8"),
        ({}, "no column id"),
        ({"group": None, "values": WIDE}, "no column lat"),
    ],
)
def test_tables_that_are_not_what_is_said_are_refused(tmp_path, table, match: str) -> None:
    path = wide(tmp_path / "x.csv", decibels())
    with pytest.raises(SampleError, match=match):
        import_table(run(path, **table).samples)


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    for name, data in (("x.parquet", b"PAR1 no"), ("x.csv", b"\xff\xfe\x00"), ("x.txt", b"a,b")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SampleError):
            import_table(run(tmp_path / name).samples)
    with pytest.raises(StoreMissing):
        import_table(run(tmp_path / "none.csv").samples)
    zeros = pa.array(np.zeros(2_000_000, "u1"))
    pq.write_table(pa.table({f"c{n}": zeros for n in range(140)}), tmp_path / "bomb.parquet")
    assert (tmp_path / "bomb.parquet").stat().st_size < 2**20
    with pytest.raises(SampleError, match="2000000 rows of 140 columns"):
        import_table(run(tmp_path / "bomb.parquet").samples)
    twice = pd.DataFrame({"id": 1, "class": "a", "plot": "p", "date": "2020-01-01", "HH": [-9, -8]})
    twice.to_csv(tmp_path / "twice.csv", index=False)
    with pytest.raises(SampleError, match="two values of a channel on one date"):
        import_table(run(tmp_path / "twice.csv").samples)
    several = twice.assign(date=["2020-01-01", "2020-01-02"], plot=["p", "q"])
    several.to_csv(tmp_path / "several.csv", index=False)
    with pytest.raises(SampleError, match="several classes or groups"):
        import_table(run(tmp_path / "several.csv").samples)


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ({"values": "(?P<channel>HH"}, "no regular expression"),
        ({"values": "(?P<channel>HH)"}, "channel, and date or step"),
        ({"values": r"(?P<channel>HH)(?P<step>\d)"}, "names the column of the date of step 0"),
    ],
)
def test_settings_of_a_table_are_checked(table, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        run("x.csv", **table)
    with pytest.raises(ConfigError, match="not both"):
        RunConfig.parse({"samples": {"polygons": "p.gpkg", "table": {"url": "x.csv"}}})


@pytest.mark.slow
def test_the_verbs_train_and_assess_on_a_table(tmp_path: Path) -> None:
    path = wide(tmp_path / "x.csv", decibels(count=60))
    config = run(path, tmp_path / "ws", values=WIDE, name="plots")
    drawn = draw_samples(config)
    assert drawn.name == "samples_plots"
    assert drawn.metadata["windows"] == {"c0": 30, "c1": 30}
    stored = read_series(f"{tmp_path}/ws/{drawn.path}")
    assert len(stored) == 60
    found, windows = training_data(config)
    assert found.values.shape == (60, 3, 20)
    assert windows["class"].tolist() == labels(60)[0]
    model = train(config)
    assert model.name == "model_plots"
    made = assess(config)
    scores = made.validation.summary()["macro_f1_mean"]
    assert (scores > 0.9).all()
    report = (tmp_path / "ws" / "report.md").read_text()
    assert "Labelled series plots" in report
    assert "clusters" not in report
    names = [entry.name for entry in catalog.entries(str(tmp_path / "ws"))]
    assert "samples_plots" in names
    assert len(catalog.read(str(tmp_path / "ws"), "samples_plots")) == 60
    with pytest.raises(SampleError, match="no windows that SQL"):
        query_samples(config, "SELECT 1")
    windows_only = config.with_values({"features": {"statistics": ["k1", "k2"]}})
    with pytest.raises(SampleError, match="one value per date"):
        training_data(windows_only)


def test_what_follows_an_import_is_named_and_works(tmp_path: Path) -> None:
    path = long(tmp_path / "x.csv", decibels(count=16), channel=False)
    table = ("--samples.table.group", "plot", "--workspace", tmp_path / "ws")
    series = ("--features.statistics", "k1", "--classify.method", "sum", "--cluster.kind", "serial")
    said = ended("samples", "import", path, *table, *series).out
    for verb in ("train", "assess"):
        (line,) = (line for line in said.splitlines() if line.startswith("next: "))
        program, *words = shlex.split(line.removeprefix("next: "), comments=True)
        assert (program, words[0]) == ("cpazmal", verb)
        extra = ("--assess.repeats", 1, "--assess.folds", 2, "--assess.methods", "sum")
        said = ended(*words, *(extra if verb == "assess" else ())).out


@pytest.mark.slow
def test_points_of_the_world_as_they_come(shared_data: Path, tmp_path: Path) -> None:
    """WorldCereal's points: digital numbers, steps of a month from another day for each."""
    table = {
        "url": str(shared_data / "labelled-points" / "worldcereal_testdf.parquet"),
        "label": "LANDCOVER_LABEL",
        "values": r"SAR-(?P<channel>VV|VH)-ts(?P<step>\d+)-20m",
        "start": "start_date",
        "scale": "amplitude",
        "offset": -83,
        "nodata": [65535],
    }
    config = RunConfig.parse(
        {
            "workspace": str(tmp_path),
            "features": {"statistics": ["k1"]},
            "samples": {"table": table, "classes": ["11", "13", "60", "70"]},
            "classify": {"method": "discriminant"},
            "assess": {"repeats": 1, "methods": ["discriminant"]},
            "cluster": {"kind": "serial"},
        }
    )
    drawn = draw_samples(config)
    assert drawn.metadata["windows"] == {"11": 123, "13": 90, "60": 41, "70": 30}
    found, _ = training_data(config)
    assert found.values.shape == (284, 3, 12)
    assert np.isfinite(found.values).mean() > 0.95
    middle = np.nanmedian(found.values[:, 0]) / np.log(10) * 20
    assert -16 < middle < -8
    made = assess(config)
    assert made.validation.summary()["macro_f1_mean"].iloc[0] > 0.4


def test_the_other_hemisphere_meets_at_its_own_season() -> None:
    """What 1 July begins in the south is what 1 January begins in the north."""

    def course(days: np.ndarray) -> np.ndarray:
        return np.sin(days / 365.25 * 2 * np.pi)

    day = np.timedelta64(86400, "s")
    north = np.datetime64("2020-01-04", "s") + np.arange(0, 330, 12) * day
    south = np.datetime64("2018-07-01", "s") + np.arange(0, 365, 6) * day
    values = course((south - np.datetime64("2018-07-01")) / day)[None, None]
    found = on_calendar(values, south, north, max_gap_days=33, own_start="07-01")[0, 0]
    expected = course((north - np.datetime64("2020-01-01")) / day)
    np.testing.assert_allclose(found, expected, atol=0.06)  # the years begin up to 3 days apart
    kept = on_calendar(values, south, north, max_gap_days=33)[0, 0]
    assert np.abs(kept - expected).max() > 1.5
