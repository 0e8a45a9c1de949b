"""The installed `cpazmal`, with verbs that start workers in one process."""

from __future__ import annotations

import sys
from pathlib import Path

_SCRIPT = """#!/bin/bash
case $1 in
  train | map | change | assess) set -- "$@" --cluster.kind serial ;;
esac
exec {command} "$@"
"""


def path_of_commands(folder: Path) -> str:
    """A `PATH` that finds it in a folder, where it is written.

    The setting changes no result, and each start of two workers costs seconds.
    """
    bin_folder = Path(sys.executable).parent
    script = folder / "cpazmal"
    script.write_text(_SCRIPT.format(command=bin_folder / "cpazmal"))
    script.chmod(0o755)
    return f"{folder}:{bin_folder}:/usr/bin:/bin"
