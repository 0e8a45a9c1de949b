"""Glacier maps from X-band SAR time series, from scenes to exact per-pixel classification.

`run(RunConfig.load("run.yaml"))` does the main job; `open_catalog(...)` opens what it made.
"""

import lazy_loader

__version__ = "0.2.0.dev0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
