"""The table of labelled windows: one row per window, kept as Parquet."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale.errors import SampleError
from cpazmal_scale.storage import seal

if TYPE_CHECKING:
    import pandas as pd

BY_DATE = ("dates", "valid_by_date", "masked_by_date", "incidence_by_date")
"""Columns that hold a list, one value per date of the cube."""


_PLACE = ("y0", "x0", "size")
_REMEDY = "make the samples again"


def write_index(index: pd.DataFrame, url: str) -> None:
    """Write an index as Parquet with its digest, replacing what is there in one step.

    Any reader of Parquet opens it: the digest lies between data and footer, where none looks.

    Raises:
        StoreError: the store cannot be written.
    """
    buffer = io.BytesIO()
    index.to_parquet(buffer, index=False, compression="zstd")
    data = buffer.getvalue()
    footer = int.from_bytes(data[-8:-4], "little") + 8
    storage.write_bytes(url, seal.with_trailer(data, len(data) - footer))


def read_index(url: str) -> pd.DataFrame:
    """Read an index; one that was written without a digest is taken as it is.

    Raises:
        StoreMissing: nothing is there.
        StoreDamaged: a byte of it was altered.
        SampleError: it is not Parquet, or no index of windows.
    """
    import pandas as pd

    data = storage.read_bytes(url)
    seal.check_trailer(data, url, _REMEDY)
    with seal.parsing("not a Parquet file of samples", url, _REMEDY, SampleError):
        table = pd.read_parquet(io.BytesIO(data))
        for name in _PLACE:
            table[name].astype("int64")
        for name in ("class", "group"):
            table[name].astype(str)
        return table
