"""What the command line says and shows: text, complaints and progress bars."""

from __future__ import annotations

import functools
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, get_args

from cyclopts import (
    CycloptsError,
    Group,
    MissingArgumentError,
    Parameter,
    Token,
    UnusedCliTokensError,
)

from cpazmal_scale.addresses import address, without_secrets
from cpazmal_scale.cli.answers import ANSWER, say
from cpazmal_scale.config import RunConfig
from cpazmal_scale.config.written import plain_words
from cpazmal_scale.errors import ConfigError, brief
from cpazmal_scale.progress import Progress

_NUMBERS = re.compile(r"\d+(?![\w.]*\.zarr\b)")
"""Of chunks and dates, and not those in the name of a cube or map."""
_LIKE, _SHOWN = 5, 3
COMMAND = Parameter(group=Group("Command", sort_key=1))
"""Flags of one verb, shown before those of the run configuration."""
CONFIGURATION = Group("Run configuration", sort_key=2)
"""Flags of the run configuration."""
Config = Annotated[RunConfig, Parameter(name="*", group=CONFIGURATION)]
"""A verb's run configuration: every setting is a flag, and its help shows those that count."""
Switch = Annotated[bool, COMMAND]


def _as_address(kind: Any, tokens: Sequence[Token]) -> Any:
    """What a user wrote for a file, folder or URL, expanded once."""
    try:
        written = address(tokens[0].value)
        return Path(written) if Path in (kind, *get_args(kind)) else written
    except ValueError as error:
        raise ConfigError(str(error)) from None


PLACE = Parameter(converter=_as_address)
"""An argument that is a path or URL."""
Place = Annotated[str, PLACE]
Folder = Annotated[Path, PLACE]
PLACE_OF_COMMAND = Parameter(group=COMMAND.group, converter=_as_address)
"""A flag of one verb that is a path or URL."""


@contextmanager
def bar(title: str) -> Iterator[Progress]:
    """A progress bar with rate and remaining time, as a function of (done, total)."""
    with bars(title) as (progress,):
        yield progress


@contextmanager
def bars(*titles: str) -> Iterator[tuple[Progress, ...]]:
    """Progress bars of steps that follow each other; the later ones appear when they begin.

    An error before the first step begins leaves no bar behind.
    """
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    with Bars(*_columns(), console=Console(stderr=True)) as shown:
        tasks = [
            shown.add_task(title, total=None, start=not place, visible=not place)
            for place, title in enumerate(titles)
        ]

        def update(task: TaskID, done: int, total: int) -> None:
            shown.start_task(task)
            shown.update(task, completed=done, total=total, visible=True)

        try:
            yield tuple(functools.partial(update, task) for task in tasks)
        except BaseException:
            for task in shown.tasks:
                shown.update(task.id, visible=task.total is not None)
            raise


def _columns() -> list[Any]:
    """Columns of progress bars: on 80 characters the bar gives way, and no number is cut."""
    from rich.progress import (
        BarColumn,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column
    from rich.text import Text

    def whole() -> Column:
        return Column(no_wrap=True)

    class Done(ProgressColumn):
        def render(self, task: Task) -> Text:
            total = "?" if task.total is None else short(task.total)
            return Text(f"{short(task.completed)}/{total}")

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{short(speed)}/s")

    return [
        TextColumn("{task.description:<26}"),
        BarColumn(bar_width=None, table_column=Column(max_width=40)),
        Done(whole()),
        Rate(whole()),
        TimeElapsedColumn(whole()),
        TextColumn("left"),
        TimeRemainingColumn(table_column=whole()),
    ]


def short(value: float) -> str:
    """A number of at most six characters, such as 9999, 65.5k or 123M, for a progress bar."""
    if value < 10:
        return f"{value:.1f}".removesuffix(".0")
    if value < 9_999.5:
        return f"{value:.0f}"
    for unit in "kMG":
        value /= 1000
        if value < 999.5:
            return f"{value:.3g}{unit}"
    return f"{value / 1000:.3g}T"


def like(lines: Iterable[str]) -> list[str]:
    """The lines, of more than five that differ in numbers alone the first three and how many."""
    alike: dict[str, list[str]] = {}
    for line in lines:
        alike.setdefault(_NUMBERS.sub("#", line), []).append(line)
    said: list[str] = []
    for found in alike.values():
        many = len(found) > _LIKE
        said += found[:_SHOWN] if many else found
        if many:
            said.append(f"… and {len(found) - _SHOWN} like it, the last: {found[-1]}")
    return said


def say_now(text: str, **facts: Any) -> None:
    """Say what a command that goes on has to say; as JSON it is the whole document."""
    say(text, **facts)
    ANSWER.tell()
    sys.stdout.flush()


def say_where(address: str, port: int) -> None:
    """Say where a page is that is served until Ctrl-C."""
    say_now(f"{address}\nCtrl-C ends it", address=address, port=port)


def show_card(title: str, rows: list[tuple[str, str]]) -> None:
    """Print a table of labels and texts under a title to standard output."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if ANSWER.as_json:
        return

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


def complain(text: str) -> None:
    """Print one sentence to standard error."""
    sys.stderr.write(f"cpazmal: {brief(without_secrets(text))}\n")


def first_sentence(error: CycloptsError) -> str:
    """What pydantic or cyclopts found wrong with a flag, in one sentence."""
    if isinstance(error, UnusedCliTokensError):
        verb = " ".join(("cpazmal", *(error.command_chain or ())))
        words = error.unused_tokens or ()
        flag = _meant(error.command_chain or (), words[0]) if len(words) == 1 else None
        remedy = f"{verb} --help lists what it takes" if flag is None else f"write {flag} before it"
        if flag is None and len(words) > 1 and all(Path(word).is_file() for word in words):
            remedy = "the shell made one pattern many files: write the folder, or quote the pattern"
            return f"{verb} takes no further {len(words)} files, such as {words[0]!r}: {remedy}"
        return f"{verb} takes no further argument {', '.join(words)!r}: {remedy}"
    if isinstance(error, MissingArgumentError):
        verb = " ".join(("cpazmal", *(error.command_chain or ())))
        name = next(iter(error.argument.names if error.argument else ()), "another argument")
        return f"{verb} needs {name}: {verb} --help says what it is"
    cause = error.__cause__
    if cause is not None and hasattr(cause, "errors"):
        first = cause.errors()[0]
        where = ".".join(str(part) for part in first["loc"]).replace("_", "-")
        return f"--{where}: {plain_words(first)}" if where else plain_words(first)
    return str(error).strip().splitlines()[-1].strip()


def _meant(verb: Sequence[str], word: str) -> str | None:
    """The flag that a word without one probably belongs to."""
    if word.endswith((".yaml", ".yml")):
        return "--config"
    if not Path(word).is_dir():
        return None
    return "--ingest.scenes" if verb[:1] == ("ingest",) else "--workspace"


class Notes(logging.Handler):
    """Prints what the library notes in passing, such as the Dask dashboard's address."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one note to standard error, above the progress bar."""
        sys.stderr.write(f"{without_secrets(record.getMessage())}\n")
