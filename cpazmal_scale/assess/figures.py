"""Pictures of an assessment: confusion matrices and reliability diagrams."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.assess.metrics import expected_calibration_error, scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from cpazmal_scale.assess.validation import CrossValidation

_INK, _MUTED, _GRID = "#1f2933", "#66727f", "#d8dee4"
_COLOURS = ("#2b6ca3", "#d9822b", "#4b9b6e", "#8a5ea8", "#b5485d", "#7a7a3a", "#3f8f9b")


def confusion_figure(
    confusions: Mapping[str, NDArray[np.integer]], classes: Sequence[str]
) -> Figure:
    """Confusion matrices side by side: share of each reference class in per cent, and counts.

    Args:
        confusions: title to counts `(C, C + 1)`; the last column, no class, is drawn if not empty.
        classes: names of the C classes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    none = any(np.asarray(counts)[:, -1].any() for counts in confusions.values())
    columns = [*classes, "none"] if none else list(classes)
    width = 1.6 + 0.82 * len(columns)
    figure = Figure(
        figsize=(width * len(confusions) + 0.4, 1.8 + 0.74 * len(classes)), layout="constrained"
    )
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(1, len(confusions), sharey=True))
    for place, (axis, (title, counts)) in enumerate(zip(axes, confusions.items(), strict=True)):
        _confusion(axis, np.asarray(counts), columns, classes)
        f1 = float(scores(counts).macro_f1)
        axis.set_title(f"{title}\nmacro-F1 {f1:.3f}", fontsize=11, color=_INK, pad=10)
        if place == 0:
            axis.set_ylabel("reference", color=_MUTED)
    return figure


def _confusion(
    axis: Axes, counts: NDArray[np.integer], columns: Sequence[str], classes: Sequence[str]
) -> None:
    shown = counts[:, : len(columns)]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = shown / counts.sum(axis=1, keepdims=True)
    axis.imshow(np.nan_to_num(share), cmap="Blues", vmin=0, vmax=1, aspect="equal")
    for i, j in np.ndindex(shown.shape):
        if not np.isfinite(share[i, j]):
            continue
        colour = "white" if share[i, j] > 0.55 else _INK
        axis.text(
            *(j, i - 0.07, f"{100 * share[i, j]:.0f} %"),
            **_centred(colour, 11, "bold" if i == j else "normal"),
        )
        axis.text(*(j, i + 0.22, f"{shown[i, j]:,}".replace(",", "\u2009")), **_centred(colour, 8))
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(classes)), classes)
    axis.set_xlabel("predicted", color=_MUTED)
    axis.tick_params(length=0, labelcolor=_INK)
    axis.spines[:].set_visible(False)
    axis.set_xticks(np.arange(0.5, len(columns) - 1), minor=True)
    axis.set_yticks(np.arange(0.5, len(classes) - 1), minor=True)
    axis.grid(which="minor", color="white", linewidth=2)
    axis.tick_params(which="minor", length=0)


def _centred(colour: str, size: int, weight: str = "normal") -> dict[str, Any]:
    return {"ha": "center", "va": "center", "color": colour, "fontsize": size, "weight": weight}


def reliability_figure(validation: CrossValidation, methods: Sequence[str] | None = None) -> Figure:
    """Share of right predictions against confidence, with how often each confidence occurs.

    Bins with fewer than one prediction in two hundred are left out of the curves.

    Args:
        validation: the counted predictions.
        methods: to draw; none: all.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    table, names = validation.reliability_bins(), tuple(methods or validation.methods)
    figure = Figure(figsize=(6.4, 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    upper.plot([0, 1], [0, 1], color=_MUTED, linewidth=1, linestyle=(0, (4, 3)))
    upper.annotate(
        "calibrated",
        (0.07, 0.07),
        xytext=(0, 7),
        textcoords="offset points",
        rotation=45,
        rotation_mode="anchor",
        transform_rotates_text=True,
        color=_MUTED,
        fontsize=8,
    )
    for place, name in enumerate(names):
        own = table[table["method"] == name]
        share = own["predictions"] / max(int(own["predictions"].sum()), 1)
        error = expected_calibration_error(validation.reliability[validation.methods.index(name)])
        drawn = own[share >= 0.005]
        colour = _COLOURS[place % len(_COLOURS)]
        label = f"{name}, ECE {error:.3f}"
        upper.plot(
            *(drawn["confidence"], drawn["accuracy"], "o-"),
            label=label,
            color=colour,
            linewidth=1.8,
            markersize=5,
            clip_on=False,
        )
        edges = [*own["low"], 1.0]
        lower.stairs(100 * share, edges, color=colour, linewidth=1.5)
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of right predictions")
    upper.legend(frameon=False, loc="best", fontsize=9, labelcolor=_INK)
    lower.set(xlabel="confidence (probability of the predicted class)", ylabel="predictions, %")
    for axis in (upper, lower):
        axis.grid(color=_GRID, linewidth=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color(_GRID)
        axis.tick_params(length=0, labelcolor=_INK)
        axis.xaxis.label.set_color(_MUTED)
        axis.yaxis.label.set_color(_MUTED)
    return figure


def png(figure: Figure, *, dpi: int = 150) -> bytes:
    """The figure as the content of a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=dpi, facecolor="white")
    return content.getvalue()
