"""SQL on indices of windows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cpazmal_scale.errors import SampleError
from cpazmal_scale.samples.table import BY_DATE, read_index

if TYPE_CHECKING:
    import pandas as pd

_LOCKED = {
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
"""The query sees its tables only: no files, no network, no variables of this process."""

_PER_WINDOW = ("time_start", "time_end", "valid_fraction", "masked_fraction", "incidence_angle")
"""Columns that `windows` gives by date instead."""
_WINDOWS = """
CREATE VIEW windows AS SELECT * EXCLUDE (
    time_start, time_end, dates, valid_fraction, masked_fraction, incidence_angle,
    valid_by_date, masked_by_date, incidence_by_date),
    unnest(dates) AS date, unnest(valid_by_date) AS valid_fraction,
    unnest(masked_by_date) AS masked_fraction, unnest(incidence_by_date) AS incidence_angle
FROM samples"""


def query(sql: str, index: str | pd.DataFrame | Sequence[str | pd.DataFrame]) -> pd.DataFrame:
    """Answer a SELECT (DuckDB) on one or more indices, at any fsspec URL or in memory.

    Two tables: `windows` has one row per window and `date`, with that date's `incidence_angle`,
    `valid_fraction` and `masked_fraction`; `samples` has one row per window, as the index. Both
    have `id`, the window's row in the index (of the first one, then the second …). The words
    `group` and `size` stand in double quotes in SQL. Only these tables are seen: no files, no
    network. Credentials of the store stay with fsspec.

    Example:
        `query("SELECT * FROM windows WHERE class IN ('ICA', 'HAG') AND incidence_angle < 40 "
        "AND date < '2021-01-01'", url)`

    Returns:
        The answer, perhaps without rows: `nothing` then says what there would be.

    Raises:
        StoreMissing: no index is there.
        SampleError: the SQL is wrong, saying where, or is not one SELECT.
    """
    import duckdb

    samples = _table(index)
    with duckdb.connect(config={**_LOCKED, "lock_configuration": "true"}) as connection:
        connection.register("samples", samples)
        try:
            connection.execute(_WINDOWS)
            statements = connection.extract_statements(sql)
            if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
                raise SampleError(
                    "the query fails: not one SELECT", remedy="ask one question, and change nothing"
                )
            answer: pd.DataFrame = connection.execute(statements[0]).df()
            return answer
        except duckdb.Error as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise SampleError(f"the query fails: {reason}", remedy=_remedy(samples)) from None


def require_condition(condition: str) -> None:
    """Check what can be checked of a SQL condition before there are windows.

    Raises:
        SampleError: it is no condition, or chance or the clock decides it: the same run would
            choose other rows another time.
    """
    import duckdb

    try:
        duckdb.SQLExpression(condition)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise SampleError(
            f"the query fails: {reason}", where=condition, remedy="give one SQL condition"
        ) from None
    changing = _changing(condition)
    if changing is not None:
        raise SampleError(
            f"{changing} chooses other windows every time",
            where=condition,
            remedy="leave it out: write dates, or choose by `hash` of a column",
        )


def chosen(index: pd.DataFrame, condition: str) -> pd.DataFrame:
    """The rows of an index that satisfy a SQL condition on the table `samples`.

    Raises:
        SampleError: see `require_condition`, or the table has no such column.
    """
    require_condition(condition)
    kept = query(f"SELECT id FROM samples WHERE ({condition})", index)["id"]  # noqa: S608
    return index.iloc[sorted(kept)]


_CLOCK = {"age", "current_localtime", "current_localtimestamp", "current_time", "localtime"} | {
    *("localtimestamp", "today", "now", "current_date", "current_timestamp"),
}
"""Words that read the clock, though some of their functions are listed as constant."""
_UNSTEADY = """
SELECT DISTINCT lower(function_name) FROM duckdb_functions()
WHERE stability IN ('VOLATILE', 'CONSISTENT_WITHIN_QUERY')
OR regexp_matches(macro_definition, 'current_(time|date)|localtime|now\\(|today\\(|random')"""


def _changing(condition: str) -> str | None:
    """What in a SQL condition is another thing every time: chance, the clock, a sample; or None."""
    import duckdb

    with duckdb.connect(config={**_LOCKED}) as connection:
        unsteady = {row[0] for row in connection.execute(_UNSTEADY).fetchall()} | _CLOCK
        asked = f"SELECT * FROM samples WHERE ({condition})"  # noqa: S608
        (tree,) = connection.execute("SELECT json_serialize_sql(?)", [asked]).fetchall()[0]
    for node in _nodes(json.loads(tree)):
        if node.get("sample"):
            return "a sample"
        names = node.get("column_names", ())
        name = node.get("function_name") or (names[0] if len(names) == 1 else "")
        given = node.get("arguments", node.get("children", ()))  # DuckDB 2, 1
        steady = name.lower() == "age" and len(given) == 2
        if name.lower() in unsteady and not steady:
            return f"`{name}`"
    return None


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects of a JSON document."""
    if isinstance(tree, dict):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(part)


def nothing(index: str | pd.DataFrame | Sequence[str | pd.DataFrame]) -> str:
    """What could have been asked for, in one sentence, for those whose query found no row."""
    one = query(
        "SELECT count(*) AS n, string_agg(DISTINCT class, ', ' ORDER BY class) AS classes, "
        "min(time_start)::DATE AS first, max(time_end)::DATE AS last, "
        "min(incidence_angle) AS low, max(incidence_angle) AS high FROM samples",
        index,
    ).iloc[0]
    if not one["n"]:
        return "no row: the index is empty"
    angles = f", incidence {one['low']:.1f}° to {one['high']:.1f}°" if one["low"] > 0 else ""
    days = f"{str(one['first'])[:10]} to {str(one['last'])[:10]}"
    return f"no row: there are {one['n']} windows of {one['classes']}, {days}{angles}"


def _table(index: str | pd.DataFrame | Sequence[str | pd.DataFrame]) -> Any:
    """All rows as one Arrow table, numbered."""
    import pandas as pd
    import pyarrow as pa

    several = [index] if isinstance(index, (str, pd.DataFrame)) else list(index)
    tables = [read_index(one) if isinstance(one, str) else one for one in several]
    for table, source in zip(tables, several, strict=True):
        if not {*BY_DATE, *_PER_WINDOW} <= set(table.columns):
            raise SampleError(
                "this index does not know its dates",
                where=source if isinstance(source, str) else None,
                remedy="run `cpazmal samples` again",
            )
    whole = pd.concat(tables, ignore_index=True)
    whole.insert(0, "id", range(len(whole)))
    made = pa.Table.from_pandas(whole.drop(columns=list(BY_DATE)), preserve_index=False)
    for name in BY_DATE:  # typed, so that an empty index has lists too
        kind = pa.timestamp("ms") if name == "dates" else pa.float32()
        made = made.append_column(name, pa.array(list(whole[name]), pa.list_(kind)))
    return made


def _remedy(samples: Any) -> str:
    names = ", ".join(name for name in samples.column_names if name not in BY_DATE)
    return (
        "`windows` has a `date` for every row, `samples` one row per window; their columns are "
        f'{names} ("group" and "size" in double quotes)'
    )
