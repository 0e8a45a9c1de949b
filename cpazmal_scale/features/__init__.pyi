"""Windows or blocks to series of log-cumulants and other statistics."""

from .blocks import block_series
from .masked import filled
from .series_names import (
    LOG_CUMULANTS,
    STATISTICS,
    XPOL,
    axis_label,
    in_words,
    meaning,
    names,
    require_statistics,
    unit,
)
from .windows import window_series

__all__ = [
    "LOG_CUMULANTS",
    "STATISTICS",
    "XPOL",
    "axis_label",
    "block_series",
    "filled",
    "in_words",
    "meaning",
    "names",
    "require_statistics",
    "unit",
    "window_series",
]
