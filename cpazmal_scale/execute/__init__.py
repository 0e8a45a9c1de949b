"""Where blocks are computed: one executor interface over serial code, threads and Dask clusters."""

from cpazmal_scale.execute.clusters import open_executor, workers_found
from cpazmal_scale.execute.executors import (
    PLAIN,
    DaskExecutor,
    Execution,
    Executor,
    SerialExecutor,
    ThreadExecutor,
)
from cpazmal_scale.execute.sizes import block_memory, blocks_at_once, cores, workers_of

__all__ = [
    "PLAIN",
    "DaskExecutor",
    "Execution",
    "Executor",
    "SerialExecutor",
    "ThreadExecutor",
    "block_memory",
    "blocks_at_once",
    "cores",
    "open_executor",
    "workers_found",
    "workers_of",
]
