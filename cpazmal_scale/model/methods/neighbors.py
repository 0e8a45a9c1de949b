"""k nearest neighbours under DTW or Euclid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpazmal_scale.model.methods.barycenters import band

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.dtw import KNeighborsDTW


def make(config: RunConfig, days: NDArray[np.float64] | None, *, warps: bool) -> KNeighborsDTW:
    """Unfitted, for a run; without warping its Euclidean twin."""
    from cpazmal_scale.dtw import KNeighborsDTW

    return KNeighborsDTW(
        n_neighbors=config.assess.neighbors,
        **band(config, days, warps),
        reject=config.classify.reject,
        min_dates=config.dtw.min_dates,
        seed=config.seed,
    )


def opened(arrays: dict[str, NDArray[Any]], text: str) -> KNeighborsDTW:
    """The classifier whose `state` this is."""
    from cpazmal_scale.dtw import KNeighborsDTW

    return KNeighborsDTW.from_state(arrays, text)
