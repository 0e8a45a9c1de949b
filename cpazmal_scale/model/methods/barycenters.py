"""Nearest DTW or Euclidean barycenter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from cpazmal_scale.config.methods import BEST

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.dtw import NearestBarycenter


def make(
    config: RunConfig,
    days: NDArray[np.float64] | None,
    *,
    decision: Literal["soft", "vote", "sum", "learned"],
    warps: bool,
) -> NearestBarycenter:
    """Unfitted, for a run; without warping its Euclidean twin."""
    from cpazmal_scale.dtw import NearestBarycenter
    from cpazmal_scale.model.methods.learned import LearnedBarycenter

    kind = LearnedBarycenter if decision == "learned" else NearestBarycenter
    return kind(
        decision=decision,  # type: ignore[arg-type]
        barycenters=count(config),
        **band(config, days, warps),
        iterations=config.train.iterations,
        restarts=config.train.restarts,
        reject=config.classify.reject,
        min_dates=config.dtw.min_dates,
        seed=config.seed,
    )


def count(config: RunConfig) -> int | Literal["auto"]:
    """Barycenters of each class and feature that a run asks for."""
    otherwise: Literal["auto", 1] = "auto" if config.classify.method == BEST else 1
    return config.train.barycenters or otherwise


def band(config: RunConfig, days: NDArray[np.float64] | None, warps: bool) -> dict[str, Any]:
    """Keywords of the band: the run's, or dates of the same day only.

    On other dates than the training's, the twin compares those nearest in the season.
    """
    if warps:
        names = ("radius", "band_days", "open_ends")
        return {"days": days, **{name: getattr(config.dtw, name) for name in names}}
    if days is None:
        return {"radius": 0}
    return {"radius": None, "band_days": 0.0, "days": days}


def opened(arrays: dict[str, NDArray[Any]], text: str) -> NearestBarycenter:
    """The classifier whose `state` this is."""
    import json

    from cpazmal_scale.dtw import NearestBarycenter
    from cpazmal_scale.model.methods import learned

    if json.loads(text)["settings"]["decision"] == "learned":
        return learned.opened(arrays, text)
    return NearestBarycenter.from_state(arrays, text)
