"""All benchmarks, one after the other, each in a process of its own: `make benchmark`."""

from __future__ import annotations

import subprocess
import sys

for name in ("features", "dtw", "ingest", "mapping"):
    print(f"\n== {name} ==", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
