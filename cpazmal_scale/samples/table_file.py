"""A table as its file holds it: columns of text, dates and numbers."""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import SampleError
from cpazmal_scale.storage import seal

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MOST_BYTES = 2 * 2**30
MOST_CELLS = 2**28
_DATE = r"(?:19|20)\d\d(?:-\d\d-\d\d|\d{4})(?:[T ][\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?"


def read_table_file(url: str) -> pd.DataFrame:
    """The columns of a CSV or Parquet file.

    Columns of a CSV stand between commas, semicolons or tabs; between semicolons, a number may have
    a decimal comma.

    Raises:
        StoreMissing: there is no such file.
        SampleError: it is neither, cannot be read, or is too large.
    """
    import pandas as pd
    from pyarrow.parquet import ParquetFile

    suffix = PurePosixPath(url.lower()).suffix
    if suffix not in (".csv", ".parquet", ".pq"):
        raise SampleError(
            "neither CSV nor Parquet by its name", where=url, remedy="give a .csv or .parquet file"
        )
    with (
        storage.open_local(url) as path,
        seal.parsing("not a table that can be read", url, "save it again", SampleError),
    ):
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"larger than {MOST_BYTES / 2**30:.0f} GiB")
        if suffix == ".csv":
            mark, decimal = _manner(path)
            frame = pd.read_csv(path, sep=mark, decimal=decimal, encoding="utf-8-sig")
        else:
            # A few bytes of Parquet may stand for any number of equal values.
            told = ParquetFile(path).metadata
            if told.num_rows * told.num_columns > MOST_CELLS:
                raise ValueError(f"{told.num_rows} rows of {told.num_columns} columns")
            frame = pd.read_parquet(path)
    return pd.DataFrame(frame)


def times_of(column: pd.Series[Any]) -> pd.Series[Any]:
    """Times in UTC, to the second, of what a file holds: dates, ISO text, or numbers YYYYMMDD.

    Raises:
        ValueError: something else, such as seconds since 1970.
    """
    import pandas as pd

    if column.dtype.kind != "M":
        texts = column.map(as_text)
        strange = texts[~texts.str.fullmatch(_DATE)]
        if len(strange):
            raise ValueError(f"`{strange.iloc[0][:40]}` is no date such as 2020-01-08 or 20200108")
        column = pd.to_datetime(texts, utc=True, format="ISO8601")
    elif column.dt.tz is None:
        column = column.dt.tz_localize("UTC")
    plain: pd.Series[Any] = column.dt.tz_convert("UTC").dt.tz_localize(None).dt.floor("s")
    if plain.isna().any():
        raise ValueError("a date is missing")
    return plain


def numbers_of(column: pd.Series[Any]) -> NDArray[np.float64]:
    """Numbers of a column, NaN where it is empty.

    Raises:
        ValueError: a text is no number.
    """
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce")
    strange = column[numbers.isna() & column.notna()]
    if len(strange):
        text = str(strange.iloc[0])[:40]
        raise ValueError(f"`{text}` of column {column.name} is no number")
    return np.asarray(numbers, np.float64)


def _manner(path: Path) -> tuple[str, str]:
    """What stands between columns and before decimals of a CSV, as its first lines show it."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        heading, first = file.readline(2**20), file.readline(2**20)
    split = {mark: len(next(csv.reader([heading], delimiter=mark), [])) for mark in ",;\t"}
    mark = max(split, key=lambda one: split[one])
    comma = mark == ";" and "," in first
    return mark, "," if comma else "."


def as_text(value: object) -> str:
    """A label as text; whole numbers without a point, whatever the file made of them."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    return str(value).strip()
