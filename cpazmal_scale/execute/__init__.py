"""Where blocks are computed: one executor interface over serial code, threads and Dask clusters."""

from cpazmal_scale.execute.clusters import open_executor
from cpazmal_scale.execute.executors import (
    PLAIN,
    DaskExecutor,
    Execution,
    Executor,
    SerialExecutor,
    ThreadExecutor,
)
from cpazmal_scale.execute.sizes import block_memory, cores, workers_of

__all__ = [
    "PLAIN",
    "DaskExecutor",
    "Execution",
    "Executor",
    "SerialExecutor",
    "ThreadExecutor",
    "block_memory",
    "cores",
    "open_executor",
    "workers_of",
]
