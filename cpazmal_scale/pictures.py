"""Figures as PNG, their words as they are written."""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_MOST_STEPS = 3
"""Steps between two dates over which a line is drawn."""
_DECIBELS = 20 / math.log(10)
"""Of power, in a neper of amplitude."""


def literal(figure: Figure) -> Figure:
    """Let names in a figure stand as they are: `$` and backslashes mean nothing in them."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
    return figure


def png(figure: Figure, dpi: int = 150) -> bytes:
    """A figure as PNG, its names as they are."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "constrained_layout not applied")  # names too long for it
        literal(figure).savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return buffer.getvalue()


def decibels_beside(axis: Axes) -> None:
    """A second vertical axis in dB, for one of κ1 in nepers: the geometric mean of the power.

    It lies below the mean power, of single-look speckle by 2.5 dB.
    """
    scales = (lambda nepers: nepers * _DECIBELS, lambda decibels: decibels / _DECIBELS)
    beside = axis.secondary_yaxis("right", functions=scales)
    beside.set_ylabel("geometric mean, dB", fontsize=8)
    beside.tick_params(labelsize=8)


def with_gaps(
    dates: NDArray[np.datetime64], every: NDArray[np.datetime64], *series: NDArray[np.floating]
) -> tuple[NDArray[Any], ...]:
    """Dates (T) and series (…, T) with a NaN wherever no date is known for more than three steps.

    `every` holds the dates (T') whose usual step, the median, counts.
    """
    import numpy as np

    if len(every) < 2 or len(dates) < 2:
        return dates, *series
    most = _MOST_STEPS * np.median(np.diff(every))
    far = np.flatnonzero(np.diff(dates) > most) + 1
    between = dates[far - 1] + np.diff(dates)[far - 1] // 2
    return np.insert(dates, far, between), *(
        np.insert(values, far, np.nan, axis=-1) for values in series
    )


def dates_along(axis: Axes) -> None:
    """Dates along the horizontal axis, month and year said once each."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=9)
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))
