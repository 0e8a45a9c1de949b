"""Which share of a window's pixels is valid or flagged, and which windows are usable."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.config import MASK_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.config import Samples

VALID, MASKED = "valid_fraction", "masked_fraction"
FLAGS = {f"{name}_fraction": name for name in MASK_BITS if name != "not_valid"}
SHARES = (VALID, MASKED, *FLAGS)
"""Columns with a share of a window's pixels; masked is layover or shadow."""


def seen(
    power: NDArray[np.float32], mask: NDArray[np.uint8], excluded: int
) -> dict[str, NDArray[np.bool_]]:
    """Pixels that are valid, and those with a flag, by the name of their share."""
    either = MASK_BITS["layover"] | MASK_BITS["shadow"]
    return {
        VALID: np.isfinite(power) & (mask & excluded == 0),
        MASKED: mask & either != 0,
        **{column: mask & MASK_BITS[flag] != 0 for column, flag in FLAGS.items()},
    }


def across_dates(
    pixels: dict[str, NDArray[np.bool_]],
    across: str,
    axis: int,
    share: Callable[[NDArray[np.bool_]], NDArray[np.float64]],
) -> dict[str, NDArray[np.float64]]:
    """One share of each kind for all dates.

    Args:
        pixels: as `seen` gives them, with time along `axis`.
        across: `typical`, `every` or `stack`, as `samples.across`.
        axis: of the dates.
        share: shares of windows out of their pixels, which keeps the axes before rows and columns.
    """
    shares = {}
    for name, kind in pixels.items():
        if across == "stack":
            stack = kind.all(axis) if name == VALID else kind.any(axis)
            shares[name] = share(np.asarray(stack))
            continue
        dates = share(kind)
        if across == "every":
            shares[name] = dates.min(axis) if name == VALID else dates.max(axis)
        else:
            shares[name] = np.median(dates, axis) if name == VALID else dates.mean(axis)
    return shares


def usable(shares: Any, samples: Samples) -> dict[str, Any]:
    """Which windows each rule admits, by the name of the rule; from a table or dict of shares."""
    rules = {
        "samples.min_valid": shares[VALID] >= samples.min_valid,
        "samples.max_masked": shares[MASKED] <= samples.max_masked,
    }
    for column, flag in FLAGS.items():
        most = getattr(samples.flags, flag)
        if most is not None:
            rules[f"samples.flags.{flag}"] = shares[column] <= most
    return rules
