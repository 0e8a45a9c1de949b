"""Series to distances, barycenters and classifiers.

Everything public is loaded on first use, so that importing the room costs nothing and never pulls
in scikit-learn or matplotlib unless a classifier or a figure is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PLACES = {
    "band_limits": "band",
    "season_days": "band",
    "time_weights": "band",
    "distance": "pairwise",
    "distances": "pairwise",
    "path": "pairwise",
    "Alignment": "pairwise",
    "block_distances": "block",
    "barycenter": "averaging",
    "barycenters": "averaging",
    "Barycenter": "averaging",
    "Barycenters": "averaging",
    "decide": "decision",
    "Decision": "decision",
    "NearestBarycenter": "nearest_barycenter",
    "KNeighborsDTW": "neighbors",
    "alignment_figure": "plots",
    "barycenter_figure": "plots",
}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
