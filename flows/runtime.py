"""What the flows share: how a stage becomes a task, its progress, and what it shows in the UI."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

from prefect import Task, task
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import CubeDamaged, StoreError, StoreMissing, WriterConflict

DEFAULT = RunConfig()
"""Parameters of a run that sets nothing."""

_SECONDS_BETWEEN_UPDATES = 2.0


def stage(name: str, run_name: str | None = None) -> Callable[[Callable[..., Any]], Any]:
    """Make a stage a task: named, never cached, tried again only when a store hiccups."""
    return task(
        name=name,
        task_run_name=run_name or name,
        cache_policy=NO_CACHE,
        retries=2,
        retry_delay_seconds=[5, 30],
        retry_condition_fn=is_transient,
    )


def is_transient(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether the store may answer better in a moment; nothing else is worth a second try."""
    error = state.result(raise_on_failure=False)
    lasting = (StoreMissing, CubeDamaged, WriterConflict)
    return isinstance(error, StoreError) and not isinstance(error, lasting)


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress artifact as a function of (done, total)."""
    artifact = create_progress_artifact(0.0, key=_key(title), description=title)
    last = time.monotonic()

    def update(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if total and (done == total or now - last > _SECONDS_BETWEEN_UPDATES):
            last = now
            update_progress_artifact(cast(UUID, artifact), round(100 * done / total, 1))

    yield update


def show_table(title: str, rows: list[dict[str, Any]]) -> None:
    """A table in the UI."""
    create_table_artifact(rows, key=_key(title), description=title)


def show_product(title: str, facts: Mapping[str, Any]) -> None:
    """A product in the UI: what it is and where."""
    lines = [f"## {title}", *(f"- **{name}**: {value}" for name, value in facts.items())]
    create_markdown_artifact("\n".join(lines), key=_key(title), description=title)


def _key(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
