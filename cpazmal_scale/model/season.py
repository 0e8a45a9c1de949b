"""A model brought to the dates of a cube: its season, wherever the cube's period begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale.dtw import match_dates, match_season
from cpazmal_scale.errors import ModelMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.dtw import MatchedDates
    from cpazmal_scale.model.methods import PixelModel


class OnDates(NamedTuple):
    """A classifier made ready for the dates of a cube."""

    classifier: PixelModel
    """Decides on series whose dates stand in `order`."""
    limits: NDArray[np.int32]
    """What `classify_block` needs to know of these dates."""
    order: NDArray[np.intp]
    """Positions of the cube's dates that are compared, in the order of the training's year."""
    shown: PixelModel
    """Its typical series (C, M, K, T') follow the cube's dates, through its period."""
    days: NDArray[np.float64]
    """(T,) days of the cube's dates since the season began."""
    barycenter_days: NDArray[np.float64]
    """(T',) days of the typical series' dates, on the same count."""
    columns: NDArray[np.intp]
    """(T',) which of the training dates these are."""
    matched: MatchedDates
    """Dates in `order` and those of the classifier's typical series, as they are compared."""


def on_dates(
    fitted: PixelModel,
    trained: NDArray[np.datetime64],
    dates: NDArray[np.datetime64],
    starts: tuple[str, str],
) -> OnDates:
    """A classifier for a cube's dates, season to season.

    Args:
        fitted: the classifier.
        trained: (T',) datetime64 of its training series.
        dates: (T,) datetime64 of the cube, increasing.
        starts: first day of the season of the cube and of the training series, `MM-DD`.

    Raises:
        ModelMismatch: no dates, or too many of one side at a time of the year the other side lacks.
    """
    if len(dates) == 0:
        raise ModelMismatch(
            "the cube has no date in this period",
            remedy="change `start` and `end`, or ingest more scenes",
        )
    how: Any = {
        "band_days": fitted.near_days,
        "starts": starts,
        "open_ends": getattr(fitted, "open_ends", None),
    }
    order, matched = match_season(dates, trained, **how)
    if (fault := matched.fault()) is not None:
        raise ModelMismatch(
            f"{fault} (trained on {_period(trained)}, to be mapped {_period(dates)})",
            remedy="map the months that the model was trained on, or train on these",
        )
    along, ready = match_dates(dates, trained, **how), fitted.on(matched)
    limits = ready.limits(matched.standing, len(order))
    shown = fitted.on(along)
    return OnDates(
        ready, limits, order, shown, along.row_days, along.column_days, along.columns, matched
    )


def in_order(values: NDArray[np.floating], order: NDArray[np.intp]) -> NDArray[np.floating]:
    """Series (K, T, P) with these dates in this order; themselves where it is their own."""
    if np.array_equal(order, np.arange(values.shape[1])):
        return values
    return np.ascontiguousarray(values[:, order])


def _period(dates: NDArray[np.datetime64]) -> str:
    days = np.sort(dates).astype("datetime64[D]")
    return f"{days[0]} to {days[-1]}"
