"""Typical series of two classes, aligned date by date and by DTW."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.config import Dtw
    from cpazmal_scale.samples import WindowSeries

_ASKED = (("ICA", "HAG", 0), ("ABL", "ACC", 1))
"""The talk's pairs: classes, and the channel they are compared in."""


@dataclass(frozen=True, eq=False)
class Pair:
    """One real window of each of two classes, in one feature, on the dates both have."""

    classes: tuple[str, str]
    feature: str
    dates: NDArray[np.datetime64]
    first: NDArray[np.float64]
    """`(T,)`."""
    second: NDArray[np.float64]
    warped: float
    """DTW distance."""
    straight: float
    """Euclidean distance."""
    path: NDArray[np.intp]
    """`(L, 2)` dates that DTW matches."""


def typical_pairs(
    series: WindowSeries, labels: NDArray[np.str_], classes: Sequence[str], dtw: Dtw
) -> tuple[Pair, ...]:
    """The talk's two pairs of classes, or else the first two, by their most typical windows.

    The typical window of a class is the one nearest, date by date, to the mean of its class.

    Args:
        series: labelled windows.
        labels: `(N,)` class of each.
        classes: names of the classes.
        dtw: the band.
    """
    first_orders = [k for k, name in enumerate(series.names) if name[-2:] in ("k1", "c1")]
    asked = [pair for pair in _ASKED if {*pair[:2]} <= set(classes)]
    asked = asked or [(*pair, 0) for pair in itertools.combinations(classes, 2)][:1]
    found = []
    for one, two, channel in asked:
        k = first_orders[min(channel, len(first_orders) - 1)]
        typical = [_typical(series.values[labels == name, k]) for name in (one, two)]
        both = np.isfinite(typical).all(axis=0)
        if both.sum() > 1:
            first, second = (values[both] for values in typical)
            dates = series.dates[both]
            found.append(_pair((one, two), series.names[k], dates, first, second, dtw))
    return tuple(found)


def _pair(
    classes: tuple[str, str],
    feature: str,
    dates: NDArray[np.datetime64],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    dtw: Dtw,
) -> Pair:
    from cpazmal_scale.dtw import band_limits, path, season_days

    days, count = season_days(dates), len(dates)
    if dtw.radius is None:
        limits = band_limits(count, count, days=(days, days), band_days=dtw.band_days)
    else:
        limits = band_limits(count, count, radius=dtw.radius)
    warped, straight = path(first, second, limits=limits), path(first, second, radius=0)
    return Pair(
        classes, feature, dates, first, second, warped.distance, straight.distance, warped.path
    )


def _typical(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The window `(T,)` of `(n, T)` nearest to their mean, of those with the fewest gaps."""
    valid = np.isfinite(values).sum(axis=1)
    whole = values[valid == valid.max()].astype(np.float64)
    away = np.where(np.isfinite(whole), whole - _means(whole), 0.0)
    return np.asarray(whole[(away**2).sum(axis=1).argmin()])


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    count = np.isfinite(values).sum(axis=0)
    return np.asarray(np.nansum(values, axis=0) / np.maximum(count, 1))
