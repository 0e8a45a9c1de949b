"""Figures people check alignments and barycenters with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.dtw.pairs import path

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike


def alignment_figure(q: ArrayLike, s: ArrayLike, **options: Any) -> Figure:
    """Two series `(T,)` with what is matched, beside the accumulated cost, its band and path.

    `options` are those of `path`; white cells are outside the band.
    """
    from matplotlib.figure import Figure

    found = path(q, s, **options)
    first, second = np.asarray(q, float), np.asarray(s, float)
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    shift = np.nanmax(first) - np.nanmin(second) + 0.25 * (np.nanmax(first) - np.nanmin(first) + 1)
    for i, j in found.path:
        left.plot([i, j], [first[i], second[j] + shift], color="0.8", linewidth=0.8, zorder=1)
    left.plot(first, "o-", markersize=3, color="#0072b2", label="series")
    left.plot(second + shift, "o-", markersize=3, color="#d55e00", label="reference (shifted up)")
    left.set(xlabel="date", ylabel="value", title=f"DTW distance {found.distance:.4g}")
    left.legend()
    shown = np.sqrt(np.where(np.isfinite(found.accumulated), found.accumulated, np.nan))
    picture = right.imshow(shown.T, origin="lower", aspect="auto", cmap="viridis")
    right.plot(found.path[:, 0], found.path[:, 1], color="white", linewidth=1.5)
    right.set(xlabel="date of the series", ylabel="date of the reference")
    figure.colorbar(picture, ax=right, label="accumulated distance")
    return figure


def barycenter_figure(
    values: ArrayLike,
    members: ArrayLike,
    *,
    dates: ArrayLike | None = None,
    title: str = "",
    unit: str = "z-score",
) -> Figure:
    """Barycenters `(M, T)` over the spread of their members `(N, T)`: median, 50 % and 90 % bands.

    Args:
        values: one barycenter `(T,)` or several.
        members: the series they stand for, NaN missing.
        dates: `(T,)` of the horizontal axis; none: positions.
        title: of the figure.
        unit: of the vertical axis.
    """
    from matplotlib.figure import Figure

    centers, spread = np.atleast_2d(np.asarray(values, float)), np.asarray(members, float)
    axis = np.arange(spread.shape[1]) if dates is None else np.asarray(dates)
    known = np.flatnonzero(~np.isnan(spread).all(axis=0))
    shares = np.nanquantile(spread[:, known], [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(axis[known], shares[0], shares[4], color="0.9", label="90 % of the members")
    axes.fill_between(axis[known], shares[1], shares[3], color="0.75", label="50 % of the members")
    axes.plot(axis[known], shares[2], color="0.4", linewidth=1, label="median")
    for number, center in enumerate(centers, start=1):
        place = axis if len(axis) == len(center) else np.arange(len(center))
        name = "barycenter" if len(centers) == 1 else f"barycenter {number}"
        axes.plot(place, center, linewidth=2, label=name)
    axes.set(title=title, ylabel=unit, xlabel="date")
    axes.legend(loc="best", fontsize="small")
    return figure
