"""Tables of labelled series, as others have them, to labelled series of ours."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import SampleError
from cpazmal_scale.legend import require_one_spelling
from cpazmal_scale.samples.calendars import gap_of, on_calendar, season_calendar
from cpazmal_scale.samples.draw.polygons import require_groups
from cpazmal_scale.samples.series import WindowSeries
from cpazmal_scale.samples.table_file import as_text, numbers_of, read_table_file, times_of
from cpazmal_scale.storage import seal
from cpazmal_scale.vocabulary import POLARISATIONS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from cpazmal_scale.config import Dtw, Features, Samples, Table

_KM_PER_DEGREE = 111.2
_REMEDY = "correct samples.table, or the file"
_LN_AMPLITUDE = np.log(10) / 20
"""Of a decibel."""


def import_table(samples: Samples) -> pd.DataFrame:
    """The series of a table, one row each: `class`, `group`, `dates`, a list for each channel.

    Channels hold the natural logarithm of the amplitude (the first log-cumulant of one value), NaN
    where there is no data. Series without any value are left out.

    Args:
        samples: `table` says what the file holds, `classes` which classes are wanted.

    Raises:
        StoreMissing: there is no such file.
        SampleError: it is no table, lacks a column, or its values are not what is said.
    """
    table = samples.table
    frame = read_table_file(str(table.url))
    with seal.parsing("its columns cannot be used", table.url, _REMEDY, SampleError):
        _require(frame, [table.label], table)
        made = _wide(frame, table) if table.values else _long(frame, table)
        made = made[made["class"].notna() & made["group"].notna()]
        made = made.assign(**{name: made[name].map(as_text) for name in ("class", "group")})
    channels = channels_of(made)
    known = [any(np.isfinite(row[name]).any() for name in channels) for _, row in made.iterrows()]
    made = made[np.array(known, bool)].reset_index(drop=True)
    if samples.classes is not None:
        made = made[made["class"].isin(samples.classes)].reset_index(drop=True)
    if not len(made):
        raise SampleError("no series is left", where=table.url, remedy=_REMEDY)
    require_one_spelling(made["class"], where=table.url)
    remedy = "set samples.table.group, or a smaller samples.table.cell_km"
    if table.group is not None:
        remedy = f"label series of it in another `{table.group}`"
    require_groups(made, where=table.url, classes=samples.classes, remedy=remedy)
    _check_values(made, channels, table)
    return made


def channels_of(made: pd.DataFrame) -> tuple[str, ...]:
    """Polarisations of an imported table, co-polarised first."""
    return tuple(name for name in POLARISATIONS if name in made)


def write_series(made: pd.DataFrame, url: str) -> None:
    """Write imported series as Parquet with their digest."""
    from cpazmal_scale.samples.table import write_index

    write_index(made, url)


def read_series(url: str) -> pd.DataFrame:
    """Read imported series.

    Raises:
        StoreMissing: nothing is there.
        StoreDamaged: a byte of it was altered.
        SampleError: it is no table of series.
    """
    import pandas as pd

    data = storage.read_bytes(url)
    seal.check_trailer(data, url, "import the table again")
    with seal.parsing("not a table of series", url, "import the table again", SampleError):
        made = pd.read_parquet(io.BytesIO(data))
        for name in ("class", "group"):
            made[name].astype(str)
        lists: dict[str, Any] = {
            "dates": [np.asarray(one, "datetime64[s]") for one in made["dates"]],
            **{n: [np.asarray(one, np.float32) for one in made[n]] for n in channels_of(made)},
        }
        return made.assign(**lists)


def imported_series(
    made: pd.DataFrame, features: Features, polarisations: tuple[str, ...], dtw: Dtw
) -> WindowSeries:
    """Feature series of imported ones, on one calendar for all.

    A table has one value per date, so its only statistic is the first log-cumulant.

    Raises:
        SampleError: another statistic is asked for, or a third channel that needs pixels.
    """
    from cpazmal_scale.dtw import NEW_YEAR
    from cpazmal_scale.features import names

    if features.statistics != ("k1",) or features.xpol not in ("logratio", "none"):
        raise SampleError(
            "a table of series has one value per date, no windows",
            where="features",
            remedy="set features.statistics to [k1], and features.xpol to logratio or none",
        )
    rows: list[list[NDArray[np.float32]]] = []
    for _, row in made.iterrows():
        channels = [row[name] for name in polarisations]
        if len(channels) == 2 and features.xpol == "logratio":
            channels.append(channels[1] - channels[0])
        rows.append(channels)
    start, dates = dtw.season_start or NEW_YEAR, list(made["dates"])
    calendar = season_calendar(dates, start)
    labels = names(polarisations, features.xpol, features.statistics)
    values = np.full((len(rows), len(labels), len(calendar)), np.nan, np.float32)
    gap = gap_of(calendar, dtw.band_days or 0.0)
    alike: dict[bytes, list[int]] = {}
    for number, one in enumerate(dates):
        alike.setdefault(one.tobytes(), []).append(number)
    for members in alike.values():
        some = np.array([rows[n] for n in members])
        values[members] = on_calendar(
            some, dates[members[0]], calendar, max_gap_days=gap, season_start=start
        )
    return WindowSeries(values, labels, calendar)


def _require(frame: pd.DataFrame, names: list[str], table: Table) -> None:
    absent = [name for name in names if name not in frame]
    if absent:
        known = ", ".join(map(str, frame.columns[:12]))
        raise SampleError(
            f"no column {', '.join(absent)}",
            where=table.url,
            remedy=f"name the columns in samples.table; there are {known}",
        )


def _wide(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    import pandas as pd

    pattern = re.compile(str(table.values))
    found = [(str(name), hit) for name in frame if (hit := pattern.fullmatch(str(name)))]
    channels = sorted({hit["channel"].upper() for _, hit in found})
    _known_channels(channels, table)
    by_step = "step" in pattern.groupindex
    key = (lambda hit: int(hit["step"])) if by_step else (lambda hit: hit["date"])
    steps = sorted({key(hit) for _, hit in found})
    if not by_step:
        times = dict(zip(steps, times_of(pd.Series(steps)), strict=True))
        steps.sort(key=times.__getitem__)
    numbers = {name: np.full((len(frame), len(steps)), np.nan) for name in channels}
    for name, hit in found:
        numbers[hit["channel"].upper()][:, steps.index(key(hit))] = numbers_of(frame[name])
    if by_step:
        _require(frame, [str(table.start)], table)
        begun = times_of(frame[str(table.start)])
        dates = [_stepped(one, steps, table.every) for one in begun]
    else:
        dates = [np.array([times[one] for one in steps], "datetime64[s]")] * len(frame)
    return pd.DataFrame(
        {
            "class": frame[table.label].to_numpy(),
            "group": _groups(frame, table).to_numpy(),
            "dates": dates,
            **{name: list(_logarithms(numbers[name], table)) for name in channels},
        }
    )


def _long(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    import pandas as pd

    _require(frame, [table.series, table.date], table)
    if table.channel is not None:
        _require(frame, [table.channel, table.value], table)
        upper = frame[table.channel].astype(str).str.upper()
        channels = sorted(set(upper))
        columns = {name: frame[table.value].where(upper == name) for name in channels}
    else:
        frame = frame.rename(columns=lambda name: _as_channel(str(name)))
        channels = [name for name in POLARISATIONS if name in frame]
        columns = {name: frame[name] for name in channels}
    _known_channels(channels, table)
    dates = times_of(frame[table.date])
    numbers = {name: numbers_of(one) for name, one in columns.items()}
    plain = pd.DataFrame(
        {
            "class": frame[table.label],
            "group": _groups(frame, table),
            "series": frame[table.series],
            "date": dates,
            **{name: _logarithms(one, table) for name, one in numbers.items()},
        }
    )
    rows: list[dict[str, Any]] = []
    for name, part in plain.groupby("series", sort=True):
        told = {column: part[column].dropna().unique() for column in ("class", "group")}
        if any(len(one) > 1 for one in told.values()):
            raise SampleError(
                f"series {name} has several classes or groups", where=table.url, remedy=_REMEDY
            )
        by_date = part.groupby("date", sort=True)[channels]
        if (by_date.count() > 1).to_numpy().any():
            raise SampleError(
                f"series {name} has two values of a channel on one date",
                where=table.url,
                remedy="keep one of them",
            )
        values = by_date.first()
        rows.append(
            {
                **{column: one[0] if len(one) else None for column, one in told.items()},
                "dates": values.index.to_numpy("datetime64[s]"),
                **{channel: values[channel].to_numpy(np.float32) for channel in channels},
            }
        )
    return pd.DataFrame(rows, columns=["class", "group", "dates", *channels])


def _as_channel(name: str) -> str:
    return name.upper() if name.upper() in POLARISATIONS else name


def _known_channels(channels: list[str], table: Table) -> None:
    strange = [name for name in channels if name not in POLARISATIONS]
    if strange or not 1 <= len(channels) <= 2:
        raise SampleError(
            f"its channels are {', '.join(strange or channels) or 'none'}",
            where=table.url,
            remedy=f"choose one or two of {', '.join(POLARISATIONS)} by samples.table",
        )


def _groups(frame: pd.DataFrame, table: Table) -> pd.Series[Any]:
    """The group of each row: a column, or the square that the point lies in."""
    if table.group is not None:
        _require(frame, [table.group], table)
        return frame[table.group]
    _require(frame, [table.latitude, table.longitude], table)
    lat, lon = (frame[name].to_numpy(np.float64) for name in (table.latitude, table.longitude))
    if not (np.abs(lat) <= 90).all() or not (np.abs(lon) <= 360).all():
        raise SampleError("a point lies nowhere", where=table.url, remedy=_REMEDY)
    import pandas as pd

    row = np.floor(lat * _KM_PER_DEGREE / table.cell_km).astype(np.int64)
    # Columns of a row of squares share its middle latitude, so that squares of it do not overlap.
    middle = np.radians((row + 0.5) * table.cell_km / _KM_PER_DEGREE)
    across = np.maximum(np.cos(middle), 0.01) * _KM_PER_DEGREE
    column = np.floor((lon % 360) * across / table.cell_km).astype(np.int64)
    names = [f"{one:+d}/{two:d}" for one, two in zip(row, column, strict=True)]
    return pd.Series(names, index=frame.index)


def _stepped(begun: pd.Timestamp, steps: list[int], every: str | float) -> NDArray[Any]:
    """Dates of steps; the middle of each, which its mean stands for."""
    import pandas as pd

    if every == "month":
        months = np.array([begun + pd.DateOffset(months=step) for step in steps], "datetime64[s]")
        return np.asarray(months + np.timedelta64(15, "D"))
    seconds = (np.array(steps) + 0.5) * float(every) * 86400
    return np.datetime64(begun, "s") + seconds.round().astype("timedelta64[s]")


def _logarithms(values: NDArray[np.float64], table: Table) -> NDArray[np.float32]:
    """Values as natural logarithms of the amplitude, NaN where there is no data."""
    gone = ~np.isfinite(values) | np.isin(values, table.nodata)
    if table.scale == "dB":
        decibels = np.where(gone, np.nan, values)
    else:
        per_decade = 10.0 if table.scale == "linear" else 20.0
        gone |= values <= 0
        decibels = per_decade * np.log10(np.where(gone, 1.0, values))
    plain = (decibels + table.offset) * _LN_AMPLITUDE
    return np.where(gone, np.nan, plain).astype(np.float32)


def _check_values(made: pd.DataFrame, channels: tuple[str, ...], table: Table) -> None:
    """Most values are backscatter: between −60 and +30 dB.

    Raises:
        SampleError: they are something else.
    """
    for name in channels:
        values = np.concatenate(list(made[name])) / _LN_AMPLITUDE
        middle = float(np.median(values[np.isfinite(values)])) if np.isfinite(values).any() else 0
        if not -60 < middle < 30:
            raise SampleError(
                f"the median of {name} is {middle:.0f} dB",
                where=table.url,
                remedy="check samples.table.scale, offset and nodata",
            )
