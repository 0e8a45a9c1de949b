"""The verbs on labelled windows: `cpazmal samples` and `cpazmal samples query`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App

from cpazmal_scale import storage
from cpazmal_scale.cli import facts
from cpazmal_scale.cli.answers import say
from cpazmal_scale.cli.console import PLACE_OF_COMMAND, Config, complain
from cpazmal_scale.cli.stages import follow
from cpazmal_scale.config import RunConfig
from cpazmal_scale.tables import to_csv

DEFAULT = RunConfig()
samples_app = App(name="samples", help="Draw labelled windows of a cube, and ask about them.")


@samples_app.default
def samples(*, config: Config = DEFAULT) -> None:
    """Draw labelled windows of a cube into a table."""
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
        sql: one SELECT.
        output: CSV file for the answer; none: it is printed.
    """
    from cpazmal_scale.stages import samples as stage

    answer, remark = stage.query_samples(config, sql)
    said = {"rows": facts.rows(answer), "remark": remark or None}
    if remark:
        complain(remark)
    say(answer.to_string(index=False) if output is None and not remark else "", **said)
    if output is not None:
        storage.write_bytes(str(output), to_csv(answer).encode())
