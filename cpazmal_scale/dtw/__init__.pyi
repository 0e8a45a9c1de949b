"""Series to distances, barycenters and classifiers."""

from .averaging import Barycenter, Barycenters, barycenter, barycenters
from .band import Band, band_limits, time_weights
from .block import block_distances
from .confidence import (
    Calibration,
    as_they_are,
    borne_out,
    calibrated,
    can_calibrate,
    fitted_temperature,
    known_within,
    stored_width,
)
from .decision import NO_CLASS, Decision, decide
from .estimators import (
    Scaling,
    SeriesClassifier,
    checked_groups,
    checked_labels,
    checked_series,
)
from .nearest_barycenter import NearestBarycenter
from .neighbors import KNeighborsDTW
from .pairwise import Alignment, distance, distances, path
from .plots import alignment_figure, barycenter_figure
from .seasons import (
    NEW_YEAR,
    MatchedDates,
    by_season,
    check_start,
    distance_to,
    is_dates,
    match_dates,
    match_season,
    season_days,
)
from .soft import soft_alignment, soft_barycenter, soft_distances, soft_self_distances
from .temperature import group_folds
from .training_set import AverageKey, HeldOut, RunAverages, TrainingSet
from .typical import Typical
from .weibull import wasserstein_series, weibull_parameters

__all__ = [
    "Alignment",
    "Band",
    "Barycenter",
    "Barycenters",
    "Calibration",
    "Decision",
    "HeldOut",
    "KNeighborsDTW",
    "AverageKey",
    "TrainingSet",
    "MatchedDates",
    "NEW_YEAR",
    "NO_CLASS",
    "NearestBarycenter",
    "RunAverages",
    "Scaling",
    "SeriesClassifier",
    "Typical",
    "alignment_figure",
    "as_they_are",
    "band_limits",
    "barycenter",
    "barycenter_figure",
    "barycenters",
    "block_distances",
    "borne_out",
    "by_season",
    "calibrated",
    "can_calibrate",
    "check_start",
    "checked_groups",
    "checked_labels",
    "checked_series",
    "decide",
    "distance",
    "distance_to",
    "distances",
    "fitted_temperature",
    "group_folds",
    "is_dates",
    "known_within",
    "match_dates",
    "match_season",
    "path",
    "season_days",
    "soft_alignment",
    "soft_barycenter",
    "soft_distances",
    "soft_self_distances",
    "stored_width",
    "time_weights",
    "wasserstein_series",
    "weibull_parameters",
]
