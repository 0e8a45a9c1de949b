"""Predictions and reference to figures of merit, areas and a report."""

from .against.comparison import MapComparison
from .against.truth import Reader, boundary_share, compare_map, open_on_grid, require_reference
from .areas.estimate import AreaEstimate, estimate_areas, grouped_text
from .areas.intervals import Z95
from .areas.population import Population
from .areas.sampling import (
    FLOOR,
    allocate,
    draw_units,
    sample_size,
    strata,
    without_slivers,
)
from .areas.units import (
    UNKNOWN,
    count_units,
    drawn_in_all,
    place_units,
    read_units,
    write_units,
)
from .report.backscatter import backscatter
from .report.contents import Campaign, Performance, Portraits, Report, Stage
from .report.pairs import typical_pairs
from .report.parts import Picture
from .report.report import read_errors, write_report
from .validate.choose import Choice, choose
from .validate.cross_validate import Labelled, cross_validate, require_comparable
from .validate.folds import by_date, require_folds
from .validate.stored import read_validation, save_validation
from .validate.validation import CrossValidation

__all__ = [
    "AreaEstimate",
    "Campaign",
    "Choice",
    "CrossValidation",
    "FLOOR",
    "Labelled",
    "MapComparison",
    "Performance",
    "Picture",
    "Population",
    "Reader",
    "Portraits",
    "Report",
    "Stage",
    "UNKNOWN",
    "Z95",
    "allocate",
    "backscatter",
    "boundary_share",
    "by_date",
    "choose",
    "compare_map",
    "count_units",
    "cross_validate",
    "draw_units",
    "drawn_in_all",
    "estimate_areas",
    "grouped_text",
    "open_on_grid",
    "place_units",
    "read_errors",
    "read_units",
    "read_validation",
    "require_comparable",
    "require_folds",
    "require_reference",
    "sample_size",
    "save_validation",
    "strata",
    "typical_pairs",
    "without_slivers",
    "write_report",
    "write_units",
]
