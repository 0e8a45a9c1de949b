"""A process that ends what another one started once that one is gone, even by SIGKILL.

The guard is a process of its own, in a session of its own. Its standard input is a pipe that only
the guarded process holds; it closes when that process is gone, whatever the reason.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

GRACE_SECONDS = 20


@contextlib.contextmanager
def guarded() -> Iterator[IO[bytes]]:
    """A stream to which the numbers of started processes are written, one a line.

    They end with this process. At the end of the block the guard goes, and ends nothing.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", __file__], stdin=subprocess.PIPE, start_new_session=True
    )
    assert process.stdin is not None
    try:
        yield process.stdin
    finally:
        process.kill()
        process.stdin.close()
        process.wait()


def end(pid: int) -> None:
    """End a process and all that it started, in whatever session they are."""
    import psutil

    try:
        family = psutil.Process(pid).children(recursive=True)
        family.append(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return
    for wait in (GRACE_SECONDS, 5):
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                family += [new for new in one.children(recursive=True) if new not in family]
                one.terminate() if wait == GRACE_SECONDS else one.kill()
        family = psutil.wait_procs(family, timeout=wait)[1]


def main(lines: IO[str]) -> None:
    """Wait until the pipe closes, then end the processes named on it, the last first."""
    for pid in reversed([int(line) for line in lines]):
        end(pid)


if __name__ == "__main__":
    main(sys.stdin)
