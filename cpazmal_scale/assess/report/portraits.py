"""Pictures of the labelled windows: histograms by season, evolution in time, alignments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.assess.report.backscatter import SEASONS, decibels
from cpazmal_scale.assess.report.style import GRID, INK, MUTED, canvas, legend_below, quiet
from cpazmal_scale.features import axis_label
from cpazmal_scale.pictures import dates_along, with_gaps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from cpazmal_scale.assess.report.backscatter import Backscatter
    from cpazmal_scale.assess.report.pairs import Pair

_BANDS = 4
"""Classes whose bands are told apart where they lie over each other."""
_TOLD = 0.005
"""Share of pixels left out of a histogram from which the panel says so."""


def histogram_figure(own: Backscatter, colours: Mapping[str, str]) -> Figure:
    """Pixels' backscatter by polarisation (rows), season (columns) and class.

    Shares are of all pixels; the panel lists the share of those that have no level in dB.
    """
    density, edges = own.density(), own.edges
    middle = (edges[:-1] + edges[1:]) / 2
    common = own.counts.sum(axis=(0, 1, 2)) > 1e-4 * own.counts.sum()
    seen = np.flatnonzero(common)
    rows = len(own.polarisations)
    figure, axes = canvas(rows, len(SEASONS), (12, 2.5 * rows + 0.8), sharex=True, sharey="row")
    for p, s in np.ndindex(axes.shape):
        axis: Axes = axes[p, s]
        for c, name in enumerate(own.classes):
            known = np.isfinite(density[p, c, s])
            levels, values, colour = middle[known], density[p, c, s][known], colours[name]
            axis.fill_between(levels, values, color=colour, alpha=0.15, linewidth=0)
            axis.plot(levels, values, color=colour, linewidth=1.6, label=name)
        _left_out(axis, own, p, s)
        if not (own.counts[p, :, s].any() or own.dark[p, :, s].any()):
            axis.text(0.5, 0.5, "no data", transform=axis.transAxes, ha="center", color=MUTED)
        axis.set_xlim(edges[seen[0]], edges[seen[-1] + 1])
        axis.set_ylim(0, 1.06 * np.nanmax(density[p]))
        quiet(axis)
        if p == 0:
            axis.set_title(SEASONS[s], fontsize=11, color=INK)
        if p == rows - 1:
            axis.set_xlabel(f"{own.coefficient} of a pixel, dB")
        if s == 0:
            axis.set_ylabel(f"{own.polarisations[p]}: share per dB")
    legend_below(figure, axes[0, 0])
    return figure


def _left_out(axis: Axes, own: Backscatter, p: int, s: int) -> None:
    """The classes of which a panel leaves out pixels, and how many."""
    shares = zip(own.classes, own.left_out()[p, :, s], strict=True)
    told = [f"{name} {100 * share:.0f} %" for name, share in shares if share >= _TOLD]
    if told:
        axis.text(
            *(0.03, 0.97, "\n".join(["power ≤ 0:", *told])),
            transform=axis.transAxes,
            va="top",
            fontsize=7,
            color=MUTED,
        )


def evolution_figure(own: Backscatter, colours: Mapping[str, str]) -> Figure:
    """Level of a class's mean power by date, with the middle two thirds of its windows.

    The windows of more than four classes are thin lines beside each other. Dates on which the mean
    is not positive are gaps, marked at the foot of the axis, and so are more than three usual steps
    without a date. Below two polarisations stands the second less the first, in dB.
    """
    count = len(own.polarisations)
    rows = count + (count == 2)
    figure, axes = canvas(rows, 1, (12, 2.9 * rows + 0.5), sharex=True)
    for p, axis in enumerate(axes[:count, 0]):
        foot = _foot(own, p)
        for c, name in enumerate(own.classes):
            known = np.isfinite(own.mean[p, c])
            dates, mean, colour = own.dates[known], own.mean[p, c][known], colours[name]
            level, spread = decibels(mean), decibels(own.span[:, p, c, known])
            low, high = np.where(np.isfinite(spread), spread, foot)
            shown, line, bottom, top = with_gaps(dates, own.dates, level, low, high)
            if len(own.classes) <= _BANDS:
                axis.fill_between(shown, bottom, top, color=colour, alpha=0.16, linewidth=0)
            else:
                beside = dates + _beside(own.dates, c, len(own.classes))
                axis.vlines(beside, low, high, color=colour, alpha=0.45, linewidth=1)
            axis.plot(shown, line, "o-", color=colour, linewidth=1.8, markersize=3, label=name)
            below = dates[mean <= 0]
            if len(below):
                axis.plot(below, np.full(len(below), foot), "v", color=colour, clip_on=False)
        axis.set_ylim(bottom=foot)
        axis.set_ylabel(f"{own.coefficient} {own.polarisations[p]}, dB")
    if rows > count:
        _difference(axes[-1, 0], own, colours)
    for axis in axes[:, 0]:
        quiet(axis)
        dates_along(axis)
    if (own.mean <= 0).any():
        axes[0, 0].plot([], [], "v", color=MUTED, label="below noise")
    legend_below(figure, axes[0, 0])
    return figure


def _difference(axis: Axes, own: Backscatter, colours: Mapping[str, str]) -> None:
    """Level of the second polarisation less that of the first, by class and date."""
    first, second = decibels(own.mean)
    for name, values in zip(own.classes, second - first, strict=True):
        known = np.isfinite(values)
        dates, line = with_gaps(own.dates[known], own.dates, values[known])
        axis.plot(dates, line, "o-", color=colours[name], linewidth=1.8, markersize=3)
    axis.set_ylabel(f"{own.polarisations[1]} − {own.polarisations[0]}, dB")


def _beside(dates: NDArray[np.datetime64], c: int, classes: int) -> np.timedelta64:
    """How far from its dates a class's lines stand, so that those of all classes are apart."""
    step = np.median(np.diff(dates) / np.timedelta64(1, "s")) if len(dates) > 1 else 0.0
    return np.timedelta64(round(0.7 * step * (c - (classes - 1) / 2) / classes), "s")


def _foot(own: Backscatter, p: int) -> float:
    """Where the axis of a polarisation ends, dB: under all that has a level."""
    every = decibels(np.concatenate([own.mean[p].ravel(), own.span[:, p].ravel()]))
    return float(np.min(every, initial=0.0, where=np.isfinite(every))) - 1.0


def alignment_figure(pairs: Sequence[Pair], colours: Mapping[str, str]) -> Figure:
    """Each pair of series as Euclid compares it (left) and as DTW does (right)."""
    figure, axes = canvas(len(pairs), 2, (12, 3.1 * len(pairs)), sharey="row")
    for row, pair in zip(axes, pairs, strict=True):
        _matches(row[0], pair, np.arange(len(pair.dates)).repeat(2).reshape(-1, 2), colours)
        row[0].set_title(f"Euclidean distance {pair.straight:.2f}", fontsize=11, color=INK)
        _matches(row[1], pair, pair.path, colours)
        row[1].set_title(f"DTW distance {pair.warped:.2f}", fontsize=11, color=INK)
        row[0].set_ylabel(axis_label(pair.feature))
        row[0].legend(frameon=False, loc="best", fontsize=9, labelcolor=INK)
    return figure


def _matches(axis: Axes, pair: Pair, matched: NDArray[np.intp], colours: Mapping[str, str]) -> None:
    for i, j in matched:
        axis.plot(
            [pair.dates[i], pair.dates[j]],
            [pair.first[i], pair.second[j]],
            color=MUTED,
            linewidth=0.8,
            alpha=0.6,
            zorder=1,
        )
    for name, values in zip(pair.classes, (pair.first, pair.second), strict=True):
        axis.plot(
            pair.dates,
            values,
            "o-",
            color=colours[name],
            markeredgecolor=GRID,
            markeredgewidth=0.5,
            linewidth=2,
            markersize=4.5,
            label=name,
        )
    quiet(axis)
    dates_along(axis)
