"""The experiment of the CPAZMAL talk: its settings, on any campaign."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from cpazmal_scale.config import GLACIER_CLASSES, RunConfig

_LOG = logging.getLogger(__name__)
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
    Settings that differ from their defaults are kept, but for the classes. Those that are given and
    not kept are told.

    Raises:
        ConfigError: the result contradicts itself.
    """
    own = config.model_dump(exclude_defaults=True)
    talk = RunConfig.parse(_PRESET).with_values(own)
    made = talk.with_values({"samples": {"classes": GLACIER_CLASSES}})
    other = list(_others(config.model_dump(exclude_unset=True), made.model_dump()))
    if other:
        _LOG.warning("the talk has its own %s: what was given is not taken", ", ".join(other))
    return made


def _others(given: Mapping[str, Any], taken: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Names of given settings that have other values in what is taken."""
    for name, value in given.items():
        if isinstance(value, Mapping) and isinstance(taken[name], Mapping):
            yield from _others(value, taken[name], f"{before}{name}.")
        elif value != taken[name]:
            yield before + name
