"""Figures of feature series: one panel for each, alike wherever they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cpazmal_scale.pictures import dates_along, decibels_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3


def feature_panels(names: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """A figure with one titled panel of dates for each feature, column by column."""
    from matplotlib.figure import Figure

    from cpazmal_scale.features import axis_label, unit

    rows = -(-len(names) // _COLUMNS)
    figure = Figure(figsize=(12, 2.6 * rows + 0.6), layout="constrained")
    panels = list(figure.subplots(rows, _COLUMNS, sharex=True, squeeze=False).T.flat)
    for axis in panels[len(names) :]:
        axis.set_visible(False)
    for name, axis in zip(names, panels, strict=False):
        axis.set_title(axis_label(name), fontsize=10)
        axis.grid(alpha=0.25)
        dates_along(axis)
        if unit(name) == "Np":
            decibels_beside(axis)
    return figure, panels[: len(names)]


def legend_and_title(figure: Figure, panel: Axes, title: str) -> None:
    """The legend of one panel below the figure, and a title above it."""
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(title, fontsize=12)
