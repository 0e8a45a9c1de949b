"""Labelled windows: from polygons and cubes to a table, to SQL, and to arrays."""

from .calendars import on_calendar, season_calendar, together
from .draw.balance import balanced
from .draw.cluster import self_labelled
from .draw.drawing import draw_windows, open_windows
from .draw.index import window_index
from .draw.polygons import checked_polygons, read_polygons
from .imported import channels_of, import_table, imported_series, read_series, write_series
from .regular import regular_series
from .scale import Scale, WindowRule, to_scale
from .series import WindowSeries, window_series
from .splits import check_disjoint, cyclic_group_folds, leave_one_group_out, stratified_group_folds
from .splitters import CyclicStratifiedGroupKFold, LeakFree
from .sql import nothing, query, require_condition
from .table import BY_DATE, read_index, write_index
from .windows import Normalisation, Windows

__all__ = [
    "together",
    "season_calendar",
    "on_calendar",
    "write_series",
    "read_series",
    "imported_series",
    "import_table",
    "channels_of",
    "BY_DATE",
    "CyclicStratifiedGroupKFold",
    "LeakFree",
    "Normalisation",
    "Scale",
    "WindowRule",
    "WindowSeries",
    "Windows",
    "balanced",
    "check_disjoint",
    "checked_polygons",
    "cyclic_group_folds",
    "draw_windows",
    "leave_one_group_out",
    "nothing",
    "open_windows",
    "query",
    "read_index",
    "read_polygons",
    "regular_series",
    "require_condition",
    "self_labelled",
    "stratified_group_folds",
    "to_scale",
    "window_index",
    "window_series",
    "write_index",
]
