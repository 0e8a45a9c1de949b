"""What is freed stays with the process that computes tiles."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="settings of glibc")

TILES = """
import resource, sys, threading
import numpy as np
from cpazmal_scale.execute.memory import keep_memory

def tile():
    [np.ones(700_000, np.float32) for _ in range(6)]

def tiles():
    tile()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        tile()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

if sys.argv[1] == "keep":
    keep_memory()
tiles()
thread = threading.Thread(target=tiles)
thread.start()
thread.join()
"""


def faults(argument: str) -> list[int]:
    """Pages that the system clears for ten tiles, in the main thread and in another one."""
    environment = {name: value for name, value in os.environ.items() if "MALLOC" not in name}
    done = subprocess.run(
        [sys.executable, "-c", TILES, argument],
        env={**environment, "MALLOC_TRIM_THRESHOLD_": "65536"},  # Dask's, for its workers
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(line) for line in done.stdout.split()]


def test_a_tile_gets_the_memory_of_the_one_before() -> None:
    assert min(faults("leave")) > 10_000
    assert max(faults("keep")) < 1_000
