"""Pictures of a cross-validation: methods, confusion, errors by polygon, reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.assess.report.style import COLOURS, INK, MUTED, canvas, legend_below, quiet
from cpazmal_scale.assess.validate.methods import TWINS
from cpazmal_scale.assess.validate.metrics import expected_calibration_error, scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from cpazmal_scale.assess.validate.validation import CrossValidation


_BARS_BESIDE = 4
"""Classes whose polygons are drawn beside each other."""


def methods_figure(own: CrossValidation) -> Figure:
    """Macro-F1 of all folds with its 95 % interval over polygons, one line per method."""
    table = own.summary()
    count, twins = len(table), set(TWINS.values())
    figure, axes = canvas(1, 1, (8.5, 0.42 * count + 1.1))
    axis = axes[0, 0]
    for place, (name, row) in enumerate(table.iterrows()):
        colour = COLOURS[0] if name in TWINS else COLOURS[1] if name in twins else COLOURS[2]
        low, value, high = (row[f"macro_f1_{end}"] for end in ("low", "pooled", "high"))
        axis.plot([low, high], [place, place], color=colour, linewidth=2.2, alpha=0.55)
        axis.plot(value, place, "o", color=colour, markersize=7)
        axis.annotate(
            *(f"{value:.3f}", (value, place)),
            xytext=(0, 6),
            textcoords="offset points",
            **_centred(INK, 8) | {"va": "bottom"},
        )
    chance = 1 / len(own.classes)
    axis.axvline(chance, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axis.annotate(
        "guessing",
        (chance, count - 0.5),
        xytext=(4, 0),
        textcoords="offset points",
        color=MUTED,
        fontsize=8,
        va="bottom",
    )
    axis.set_yticks(range(count), list(table.index))
    left = min(chance, float(table["macro_f1_low"].min())) - 0.05
    axis.set(ylim=(count - 0.4, -0.8), xlim=(left, 1.02), xlabel="macro-F1 of all folds")
    quiet(axis)
    axis.grid(axis="y", visible=False)
    return figure


def polygons_figure(own: CrossValidation, method: str, colours: Mapping[str, str]) -> Figure:
    """What a method takes each polygon for: bars of the predicted classes, worst polygon on top."""
    counts = own.counts[own.methods.index(method)]
    members = [_worst_first(counts[:, c], c) for c in range(len(own.classes))]
    tallest = max(len(rows) for rows in members)
    columns = min(len(own.classes), _BARS_BESIDE)
    lines = -(-len(own.classes) // columns)
    size = (2.6 * columns + 0.6, lines * (0.2 * tallest + 0.9) + 0.5)
    figure, axes = canvas(lines, columns, size, sharex=True)
    for empty in axes.flat[len(own.classes) :]:
        empty.axis("off")
    names = (*own.classes, "no class")
    for c, (axis, rows) in enumerate(zip(axes.flat, members, strict=False)):
        share = counts[rows, c] / counts[rows, c].sum(axis=1, keepdims=True)
        left = np.zeros(len(rows))
        for j, name in enumerate(names):
            axis.barh(
                range(len(rows)),
                100 * share[:, j],
                left=100 * left,
                height=0.8,
                color=colours.get(name, MUTED),
                label=name if j < len(own.classes) or counts[..., -1].any() else None,
            )
            left += share[:, j]
        axis.set_yticks(range(len(rows)), [own.groups[g] for g in rows], fontsize=7)
        axis.set(ylim=(tallest - 0.4, -0.6), xlim=(0, 100))
        axis.set_title(f"polygons of {own.classes[c]}", fontsize=10, color=INK)
        if c + columns >= len(own.classes):
            axis.set_xlabel("predictions, %")
            axis.tick_params(labelbottom=True)
        quiet(axis)
        axis.grid(visible=False)
    legend_below(figure, axes[0, 0])
    return figure


def _worst_first(counts: NDArray[np.integer], code: int) -> NDArray[np.intp]:
    """Polygons with predictions `(G, C + 1)`, the least often right one first."""
    total = counts.sum(axis=1)
    rows = np.flatnonzero(total)
    return np.asarray(rows[np.argsort(counts[rows, code] / total[rows], kind="stable")])


def confusion_figure(
    confusions: Mapping[str, NDArray[np.integer]], classes: Sequence[str]
) -> Figure:
    """Confusion matrices side by side: share of each reference class in per cent, and counts.

    Args:
        confusions: title to counts `(C, C + 1)`; the last column, no class, is drawn if not empty.
        classes: names of the C classes.
    """
    none = any(np.asarray(counts)[:, -1].any() for counts in confusions.values())
    columns = [*classes, "none"] if none else list(classes)
    width = (1.6 + 0.82 * len(columns)) * len(confusions) + 0.4
    figure, axes = canvas(1, len(confusions), (width, 1.8 + 0.74 * len(classes)), sharey=True)
    for place, (axis, (title, counts)) in enumerate(zip(axes[0], confusions.items(), strict=True)):
        _confusion(axis, np.asarray(counts), columns, classes)
        f1 = float(scores(counts).macro_f1)
        axis.set_title(f"{title}\nmacro-F1 {f1:.3f}", fontsize=11, color=INK, pad=10)
        if place == 0:
            axis.set_ylabel("reference", color=MUTED)
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
        colour = "white" if share[i, j] > 0.55 else INK
        axis.text(
            *(j, i - 0.07, f"{100 * share[i, j]:.0f} %"),
            **_centred(colour, 11, "bold" if i == j else "normal"),
        )
        axis.text(*(j, i + 0.22, f"{shown[i, j]:,}".replace(",", "\u2009")), **_centred(colour, 8))
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(classes)), classes)
    axis.set_xlabel("predicted", color=MUTED)
    axis.tick_params(length=0, labelcolor=INK)
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
    table, names = validation.reliability_bins(), tuple(methods or validation.methods)
    figure, axes = canvas(2, 1, (6.8, 6.8), sharex=True, height_ratios=(4, 1))
    upper, lower = axes[:, 0]
    upper.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    upper.annotate(
        "calibrated",
        (0.07, 0.07),
        xytext=(0, 7),
        textcoords="offset points",
        rotation=45,
        rotation_mode="anchor",
        transform_rotates_text=True,
        color=MUTED,
        fontsize=8,
    )
    for place, name in enumerate(names):
        own = table[table["method"] == name]
        share = own["predictions"] / max(int(own["predictions"].sum()), 1)
        error = expected_calibration_error(
            validation.reliability[validation.methods.index(name)].sum(axis=0)
        )
        drawn = own[share >= 0.005]
        colour = COLOURS[place % len(COLOURS)]
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
    lower.set(xlabel="confidence (probability of the predicted class)", ylabel="predictions, %")
    quiet(upper)
    quiet(lower)
    legend_below(figure, upper, columns=2)
    return figure
