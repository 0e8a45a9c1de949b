"""What the flows share: how a stage of the library becomes a task, and when it is tried again."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import Any

import httpx
from prefect import Flow, Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger

from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import (
    BlocksFailed,
    ClusterLost,
    CubeDamaged,
    StoreDamaged,
    StoreError,
    StoreMissing,
    WriterConflict,
)
from flows.credentials import use_block

DEFAULT = RunConfig()
"""Parameters of a run that sets nothing."""


def stage(name: str, run_name: str | None = None) -> Callable[[Callable[..., Any]], Any]:
    """Make a stage a task: named, never cached, tried again when a store or cluster hiccups."""

    def made(function: Callable[..., Any]) -> Any:
        @functools.wraps(function)
        def with_credentials(*values: Any, **names: Any) -> Any:
            use_block()
            logging.getLogger("cpazmal_scale").setLevel(logging.INFO)
            return function(*values, **names)

        return task(
            name=name,
            task_run_name=run_name or name,
            cache_policy=NO_CACHE,
            retries=3,
            retry_delay_seconds=[5, 30, 60],
            retry_condition_fn=is_transient,
        )(with_credentials)

    return made


def subflow(flow: Flow[..., Any], config: RunConfig) -> Any:
    """Run a flow inside another one; a Prefect server that is away is waited for.

    Prefect gives up at once when a new flow cannot be made known. To begin it again does no harm:
    what is finished is not done twice.
    """
    for seconds in (5, 15, 30, 60):
        try:
            return flow(config)
        except httpx.TransportError as error:
            name = type(error).__name__
            get_run_logger().warning("the Prefect server is away (%s): waiting %d s", name, seconds)
            time.sleep(seconds)
    return flow(config)


def is_transient(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether store or cluster may answer better in a moment; nothing else is worth another try."""
    error = state.result(raise_on_failure=False)
    if isinstance(error, BlocksFailed):
        error = error.__cause__
    lasting = (StoreMissing, StoreDamaged, CubeDamaged, WriterConflict)
    return isinstance(error, ClusterLost) or (
        isinstance(error, StoreError) and not isinstance(error, lasting)
    )
