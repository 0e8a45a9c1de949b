"""Series to distances, barycenters and classifiers."""

from .averaging import Barycenter, Barycenters, barycenter, barycenters
from .band import band_limits, time_weights
from .block import block_distances
from .decision import NO_CLASS, Decision, decide
from .nearest_barycenter import NearestBarycenter
from .neighbors import KNeighborsDTW
from .pairwise import Alignment, distance, distances, path
from .plots import alignment_figure, barycenter_figure
from .seasons import NEW_YEAR, check_start, days_of_season, match_dates, season_days
from .training_set import Key, Lesson

__all__ = [
    "Alignment",
    "Barycenter",
    "Barycenters",
    "Decision",
    "KNeighborsDTW",
    "Key",
    "Lesson",
    "NEW_YEAR",
    "NO_CLASS",
    "NearestBarycenter",
    "alignment_figure",
    "band_limits",
    "barycenter",
    "barycenter_figure",
    "barycenters",
    "block_distances",
    "check_start",
    "days_of_season",
    "decide",
    "distance",
    "distances",
    "match_dates",
    "path",
    "season_days",
    "time_weights",
]
