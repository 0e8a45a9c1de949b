"""Scenes that cannot be used: collected for a report, or raised as one error with the remedy."""

from __future__ import annotations

from collections.abc import Callable

from cpazmal_scale.errors import CpazmalError, DemError, GridMismatch, SceneError

Refused = Callable[[CpazmalError], None]
"""Takes what is wrong with a scene that is left out."""


def refuse(error: CpazmalError, refused: Refused | None) -> None:
    """Hand an error over, or raise it where nobody collects them."""
    if refused is None:
        raise error
    refused(error)


def raise_with_setting(error: CpazmalError) -> None:
    """Raise what refuses one of several scenes, and name the setting that ingests the others.

    A raster of elevations is of all scenes: what is wrong with it is raised as it is.
    """
    if isinstance(error, SceneError | GridMismatch) and not isinstance(error, DemError):
        other = "leave scenes that cannot be used out with `ingest.skip_refused: true`"
        error.remedy = other if error.remedy is None else f"{error.remedy}, or {other}"
    raise error
