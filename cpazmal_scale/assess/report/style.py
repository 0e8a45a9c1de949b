"""The look that the pictures of an assessment share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#1f2933", "#66727f", "#d8dee4"
COLOURS = (
    "#2b6ca3", "#d9822b", "#4b9b6e", "#8a5ea8", "#b5485d", "#7a7a3a", "#3f8f9b", "#c06c9a",
    "#5c6b7a",
)  # fmt: skip
"""Of methods, in their order."""


def canvas(
    rows: int, columns: int, size: tuple[float, float], **options: Any
) -> tuple[Figure, Any]:
    """A figure of `size` inches and its array of axes `(rows, columns)`, drawn off screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def quiet(axis: Axes) -> None:
    """A light grid, no frame, muted labels."""
    axis.grid(color=GRID, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(GRID)
    axis.tick_params(length=0, labelcolor=INK)
    axis.xaxis.label.set_color(MUTED)
    axis.yaxis.label.set_color(MUTED)


def legend_below(figure: Figure, axis: Axes, columns: int = 9) -> None:
    """One legend for the whole figure, under it."""
    handles, names = axis.get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=min(columns, max(len(names), 1)),
        frameon=False,
        labelcolor=INK,
    )
