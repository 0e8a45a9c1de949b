"""All benchmarks, one after the other, each in a process of its own: `make benchmark`.

`python -m benchmarks.massif` is apart: it needs 30 GB of disk and half an hour.
"""

from __future__ import annotations

import subprocess
import sys

for name in ("features", "dtw", "soft", "ingest", "mapping", "mapping_peers", "terrain"):
    print(f"\n== {name} ==", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
