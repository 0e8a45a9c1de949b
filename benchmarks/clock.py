"""Timing beside peers on a machine others use, too; tables kept in the documentation."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

CORES = os.cpu_count() or 1
DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"

Calls = Mapping[str, Callable[[], object]]


def race(calls: Calls, rounds: int = 5, *, wall: bool = False) -> dict[str, float]:
    """Best seconds of each call over rounds in which all run in turn, after one unmeasured round.

    Processor time of the whole process unless `wall`: what other programs take does not count, and
    what they do to caches and clocks meets all calls alike.
    """
    clock = time.perf_counter if wall else time.process_time
    best = dict.fromkeys(calls, np.inf)
    for turn in range(rounds + 1):
        for name, call in calls.items():
            start = clock()
            call()
            if turn:
                best[name] = min(best[name], clock() - start)
    return best


def machine() -> str:
    """Processor, cores and versions."""
    import numba

    name, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            name = line.split(":")[1].strip()
    return (
        f"{name}, {CORES} cores, numba {numba.__version__}, numpy {np.__version__}, "
        f"Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    )


class Report:
    """Lines that are printed as they come and kept between two marks of `docs/benchmarks.md`."""

    def __init__(self, name: str) -> None:
        self.marks = f"<!-- {name} tables -->\n", f"<!-- end of {name} tables -->\n"
        self.lines: list[str] = []

    def say(self, line: str = "") -> None:
        print(line, flush=True)
        self.lines.append(line)

    def table(self, *columns: str) -> None:
        self.say(f"| {' | '.join(columns)} |")
        self.say("|" + "---|" * len(columns))

    def row(self, *cells: object) -> None:
        self.say(f"| {' | '.join(str(cell) for cell in cells)} |")

    def keep(self, path: Path = DOCUMENT) -> None:
        """Replace what stands between the marks."""
        first, last = self.marks
        before, rest = path.read_text().split(first)
        text = "\n".join(self.lines).strip()
        path.write_text(f"{before}{first}\n{text}\n\n{last}{rest.split(last)[1]}")
