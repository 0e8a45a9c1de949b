"""Labelled windows: from polygons and cubes to a table, to SQL, and to arrays."""

from __future__ import annotations

from cpazmal_scale.samples.draw.balance import balanced
from cpazmal_scale.samples.draw.drawing import draw_windows, open_windows
from cpazmal_scale.samples.regular import regular_series
from cpazmal_scale.samples.sql import nothing, query
from cpazmal_scale.samples.windows import Normalisation, Windows

__all__ = [
    "Normalisation",
    "Windows",
    "balanced",
    "draw_windows",
    "nothing",
    "open_windows",
    "query",
    "regular_series",
]
