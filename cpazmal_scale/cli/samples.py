"""The verbs on labelled windows: `cpazmal samples` and `cpazmal samples query`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App

from cpazmal_scale import storage
from cpazmal_scale.cli import facts
from cpazmal_scale.cli.answers import ANSWER, say
from cpazmal_scale.cli.console import PLACE_OF_COMMAND, Config, complain
from cpazmal_scale.cli.stages import follow
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.tables import to_csv

DEFAULT = RunConfig()
samples_app = App(name="samples", help="Draw labelled windows of a cube, and ask about them.")


@samples_app.default
def samples(*, config: Config = DEFAULT) -> None:
    """Draw labelled windows of a cube into a table."""
    follow(config, "samples")


@samples_app.command(name="import")
def import_(
    table: Annotated[str | None, PLACE_OF_COMMAND] = None, /, *, config: Config = DEFAULT
) -> None:
    """Take the labelled series of a table as samples; `samples.table` says what it holds.

    The same settings train and assess on them: `cpazmal train`, `cpazmal assess`.

    Args:
        table: CSV or Parquet file; none: `samples.table.url`.
    """
    if table is not None:
        config = config.with_values({"samples": {"table": {"url": table}}})
        ANSWER.flags += ("--samples.table.url", table)
    if config.samples.table.url is None:
        raise ConfigError(
            "no table is given", where="samples.table.url", remedy="name a CSV or Parquet file"
        )
    follow(config, "samples")


@samples_app.command(name="query")
def query(
    sql: str,
    /,
    *,
    config: Config = DEFAULT,
    output: Annotated[Path | None, PLACE_OF_COMMAND] = None,
) -> None:
    """Answer a SQL query on the latest samples.

    Table `windows` has a row for every window and `date`, `samples` one for every window.

    Args:
        sql: one SELECT statement on the table `samples`.
        output: CSV file for the answer; none: the answer is printed.
    """
    from cpazmal_scale.stages import samples as stage

    answer, remark = stage.query_samples(config, sql)
    said = {"rows": facts.rows(answer), "remark": remark or None}
    if remark:
        complain(remark)
    say(answer.to_string(index=False) if output is None and not remark else "", **said)
    if output is not None:
        storage.write_bytes(str(output), to_csv(answer).encode())
