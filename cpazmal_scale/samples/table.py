"""The table of labelled windows: one row per window, kept as Parquet."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale.errors import SampleError

if TYPE_CHECKING:
    import pandas as pd


BY_DATE = ("dates", "valid_by_date", "masked_by_date", "incidence_by_date")
"""Columns that hold a list, one value per date of the cube."""


def write_index(index: pd.DataFrame, url: str) -> None:
    """Write an index as Parquet, replacing what is there in one step.

    Raises:
        StoreError: the store cannot be written.
    """
    buffer = io.BytesIO()
    index.to_parquet(buffer, index=False, compression="zstd")
    storage.write_bytes(url, buffer.getvalue())


def read_index(url: str) -> pd.DataFrame:
    """Read an index.

    Raises:
        StoreMissing: nothing is there.
        SampleError: it is not Parquet.
    """
    import pandas as pd
    import pyarrow

    try:
        return pd.read_parquet(io.BytesIO(storage.read_bytes(url)))
    except pyarrow.ArrowInvalid:
        raise SampleError(
            "not a Parquet file", where=url, remedy="make the samples again"
        ) from None
