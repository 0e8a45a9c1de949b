"""SQL on the index of windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpazmal_scale.errors import SampleError
from cpazmal_scale.samples.index import read_index

if TYPE_CHECKING:
    import pandas as pd


def query(index_url: str, sql: str) -> pd.DataFrame:
    """Answer a SQL query (DuckDB) on the table `windows`, the index at any fsspec URL.

    The query sees this table only: no files, no network.

    Example:
        `query(url, "SELECT * FROM windows WHERE class IN ('ICA', 'HAG') AND incidence_angle < 40")`

    Raises:
        StoreMissing: no index is there.
        SampleError: the SQL is wrong, saying where.
    """
    import duckdb

    windows = read_index(index_url)
    with duckdb.connect(config={"enable_external_access": "false"}) as connection:
        connection.register("windows", windows)
        try:
            answer: pd.DataFrame = connection.sql(sql).df()
            return answer
        except (duckdb.Error, AttributeError) as error:
            reason = str(error).splitlines()[0] if isinstance(error, duckdb.Error) else ""
            raise SampleError(
                f"the query fails: {reason or 'it returns no table'}",
                where=index_url,
                remedy=f"the table is `windows` with columns {', '.join(windows.columns)}",
            ) from None
