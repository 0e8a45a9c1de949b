"""Prefect flows over the library: order, retries and names.

Prefect reads its settings when it is imported, so those that keep a run quiet, offline and patient
without any configuration are set here, before; existing environment variables win.
"""

import os
from importlib.util import find_spec

if find_spec("prefect") is None:
    raise ImportError("the flows need Prefect; pip install 'cpazmal-scale[flows]'")

for _name, _value in {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}.items():
    os.environ.setdefault(_name, _value)
