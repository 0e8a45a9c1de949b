"""The experiment of the CPAZMAL talk: its settings, on any campaign."""

from __future__ import annotations

from cpazmal_scale.config import GLACIER_CLASSES, RunConfig

_PRESET = {
    "start": "2020-01-01",
    "end": "2020-12-31",
    "samples": {"max_per_group": None, "balance": True},
    "features": {"window": 7, "xpol": "talk"},
    "dtw": {"radius": 3},
    "train": {"barycenters": 1},
    "classify": {"method": "vote"},
    "assess": {"split": "stratified", "folds": 3, "repeats": 20, "neighbors": 25, "report": "talk"},
}


def settings(config: RunConfig) -> RunConfig:
    """The run as the talk did it, over 2020, when HV was acquired.

    Four glacier classes, balanced 7 × 7 windows, κ₁ to κ₃ of HH, HV and (HH − HV) / (HH · HV), one
    DBA barycenter per class and feature, a band of three dates, a majority vote.
    Settings that differ from their defaults are kept, but for the classes.

    Raises:
        ConfigError: the result contradicts itself.
    """
    own = config.model_dump(exclude_defaults=True)
    talk = RunConfig.parse(_PRESET).with_values(own)
    return talk.with_values({"samples": {"classes": GLACIER_CLASSES}})
