"""What the flows share: how a stage of the library becomes a task, and when it is tried again."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import httpx
from prefect import Flow, Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger
from prefect.runtime import deployment, flow_run

from cpazmal_scale.addresses import without_secrets
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import (
    BlocksFailed,
    ClusterLost,
    CpazmalError,
    CubeDamaged,
    StoreDamaged,
    StoreError,
    StoreMissing,
    WriterConflict,
)
from cpazmal_scale.grid.projections import check_projections
from flows.credentials import use_block
from flows.wording import run_name

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")

DEFAULT = RunConfig()
"""Parameters of a run that sets nothing."""


class Masked(logging.Filter):
    """Leaves secrets out of what Prefect says: it repeats parameters that are refused."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the secrets out of a record and of the error that it tells, and let it pass."""
        record.msg, record.args = without_secrets(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = without_secrets(_PLAIN.formatException(record.exc_info))
        return True


_PLAIN = logging.Formatter()
_TELLING = (
    *("flows", "flow_runs", "engine", "tasks", "task_runs", "states", "client", "results"),
    *("artifacts", "concurrency", "transactions", "deployment"),
)
"""Loggers of Prefect that tell of a run while it goes on."""
for _name in _TELLING:
    logging.getLogger(f"prefect.{_name}").addFilter(Masked())


def stage(
    name: str, run_name: str | None = None
) -> Callable[[Callable[_Given, _Made]], Task[_Given, _Made]]:
    """Make a stage a task: named, never cached, retried where a store or cluster fails."""

    def made(function: Callable[_Given, _Made]) -> Task[_Given, _Made]:
        @functools.wraps(function)
        def with_credentials(*values: _Given.args, **names: _Given.kwargs) -> _Made:
            use_block()
            check_projections()
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


def named() -> str:
    """The name of the run that begins: its stage, beam and period, or its maps.

    A server that does not answer is no reason to stop a run: then what this run sets names it.
    """
    given = dict(flow_run.parameters or {})
    config = given.get("config", DEFAULT)
    config = config if isinstance(config, RunConfig) else RunConfig.parse(config)
    with contextlib.suppress(CpazmalError, httpx.HTTPError, PrefectException):
        config = deployed(config)
    maps = given.get("names") or [given[k] for k in ("earlier", "later", "name") if k in given]
    return without_secrets(run_name(str(flow_run.flow_name), config, maps))


def refused(
    flow: Flow[..., Any],
    flow_run: FlowRun,
    state: State[Any],  # noqa: ARG001
) -> None:
    """Name a run whose settings contradict each other: Prefect names no run that it cannot read."""
    given = dict(flow_run.parameters or {}).get("config") or {}
    own: dict[str, Any] = {}
    with contextlib.suppress(httpx.HTTPError, PrefectException):
        own = {} if flow_run.deployment_id is None else _defaults(str(flow_run.deployment_id))
    seen = {**own, **given}
    told = {key: seen[key] for key in ("beam", "start", "end") if isinstance(seen.get(key), str)}
    name = without_secrets(run_name(flow.name, RunConfig.model_construct(**told)))
    try:
        RunConfig.parse(own).with_values(given)
    except CpazmalError:
        with (
            contextlib.suppress(httpx.HTTPError, PrefectException),
            get_client(sync_client=True) as client,
        ):
            client.set_flow_run_name(flow_run.id, name)


def deployed(config: RunConfig) -> RunConfig:
    """The deployment's own configuration with what this run sets on top of it.

    Raises:
        ConfigError: together they contradict each other.
    """
    own = {} if deployment.id is None else _defaults(str(deployment.id))
    return RunConfig.parse(own).with_values(config.model_dump(exclude_unset=True))


@functools.lru_cache
def _defaults(deployment_id: str) -> dict[str, Any]:
    with get_client(sync_client=True) as client:
        parameters = client.read_deployment(UUID(deployment_id)).parameters
    return dict(parameters.get("config") or {})


def subflow(flow: Flow[[RunConfig], _Made], config: RunConfig) -> _Made:
    """Run a flow inside another one; a Prefect server that is away is waited for.

    Prefect gives up at once when a new flow cannot be made known. To begin it again does no harm:
    it repeats no finished work.
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
    """Whether store, cluster or server may answer better in a moment; else no other try is made."""
    error = state.result(raise_on_failure=False)
    if isinstance(error, BlocksFailed):
        error = error.__cause__
    lasting = (StoreMissing, StoreDamaged, CubeDamaged, WriterConflict)
    return isinstance(error, ClusterLost | httpx.TransportError) or (
        isinstance(error, StoreError) and not isinstance(error, lasting)
    )
