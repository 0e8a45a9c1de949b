"""Figures people check alignments and barycenters with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from cpazmal_scale.dtw.band import Band, BandWords, both_days
from cpazmal_scale.dtw.checks import equal_lengths, filled, unmasked
from cpazmal_scale.dtw.pairwise import path
from cpazmal_scale.dtw.seasons import is_dates
from cpazmal_scale.pictures import dates_along, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from cpazmal_scale.dtw.pairwise import Alignment


class _PathWords(BandWords, total=False):
    """Keywords of `path`."""

    band: Band | None
    time_weights: ArrayLike | None


_BLUE, _RED = "#0072b2", "#d55e00"
_COLOURS = (_BLUE, _RED, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MONTHS = ("Jan", "Mar", "May", "Jul", "Sep", "Nov")
_MONTH_DAYS = (0, 59, 120, 181, 243, 304)


def alignment_figure(
    q: ArrayLike,
    s: ArrayLike,
    *,
    dates: tuple[ArrayLike, ArrayLike] | None = None,
    names: tuple[str, str] = ("series", "reference"),
    unit: str = "value",
    title: str | None = None,
    **options: Unpack[_PathWords],
) -> Figure:
    """Two series `(T,)` and `(T',)` and how DTW matches them.

    Left the accumulated distance inside the band, the path, and the series along its sides; right
    the matched pairs. Missing dates are grey: they match one date each, for nothing.

    Args:
        q: the series, NaN missing.
        s: the reference.
        dates: of both, days or datetime64 (then shown by day of the year); none: those of the
            band, else positions.
        names: of both, for the labels.
        unit: of the values.
        title: above the matched pairs; none: the distance.
        options: those of `path`.

    Raises:
        ValueError: as `path`, more than one feature, or no valid date.
    """
    from matplotlib.figure import Figure

    found = path(q, s, **options)
    both = np.asarray(filled(q), float), np.asarray(filled(s), float)
    if both[0].ndim != 1 or both[1].ndim != 1:
        raise ValueError("a figure shows one feature: give (T,) and (T',)")
    if np.isnan(both[0]).all():
        raise ValueError("the series has no valid date to show")
    given: Any = options
    words: Any = {name: given[name] for name in BandWords.__annotations__ if name in given}
    band = Band.of(options.get("band"), words)
    dates = band.dates if dates is None else dates
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 1.15))[0]
    _three_ways(left, found, both, names, band.limits_of(both[0].size, both[1].size))
    axes = right.subplots()
    _matched(axes, found, both, dates, names, unit)
    note = f"DTW distance {found.distance:.4g}" if title is None else title
    note += "   × missing date" if np.isnan(both[0]).any() else ""
    axes.set_title(note, loc="left", fontsize=11)
    return literal(figure)


def _three_ways(
    figure: Any,
    found: Alignment,
    both: tuple[NDArray[np.float64], NDArray[np.float64]],
    names: tuple[str, str],
    limits: NDArray[np.int32],
) -> None:
    """The accumulated distances with the path, the series along the left and lower side."""
    q, s = both
    axes = figure.subplots(
        2, 2, sharex="col", sharey="row", width_ratios=(1, 4), height_ratios=(4, 1)
    )
    (side, middle), (corner, below) = axes
    corner.axis("off")
    shown = np.sqrt(np.where(np.isfinite(found.accumulated), found.accumulated, np.nan))
    picture = middle.imshow(shown, origin="lower", aspect="auto", cmap="YlGnBu")
    middle.set_facecolor("0.94")
    edges = np.arange(q.size + 1) - 0.5
    for column in (limits[:, 0], limits[:, 1]):
        middle.stairs(column - 0.5, edges, orientation="horizontal", color="0.45", lw=0.8)
    middle.plot(found.path[:, 1], found.path[:, 0], "-", color=_RED, lw=2)
    for i in np.flatnonzero(np.isnan(q)):
        middle.axhspan(i - 0.5, i + 0.5, color="0.5", alpha=0.35, lw=0)
        side.axhspan(i - 0.5, i + 0.5, color="0.5", alpha=0.35, lw=0)
    side.plot(q, np.arange(q.size), ".-", color=_BLUE, ms=4, lw=1.2)
    below.plot(s, ".-", color=_RED, ms=4, lw=1.2)
    side.invert_xaxis()
    side.set(ylabel=f"date of the {names[0]}", ylim=(-0.5, q.size - 0.5), xticks=[])
    below.set(xlabel=f"date of the {names[1]}", xlim=(-0.5, s.size - 0.5), yticks=[])
    for axis, hidden in ((side, "top right bottom"), (below, "top right left")):
        axis.spines[hidden.split()].set_visible(False)
    figure.colorbar(picture, ax=axes, location="top", shrink=0.6, aspect=30, pad=0.02).set_label(
        "accumulated distance", fontsize="small"
    )


def _matched(
    axes: Axes,
    found: Alignment,
    both: tuple[NDArray[np.float64], NDArray[np.float64]],
    dates: tuple[ArrayLike, ArrayLike] | None,
    names: tuple[str, str],
    unit: str,
) -> None:
    """Both series over time, the reference above on an axis of its own, matched pairs joined."""
    from matplotlib.ticker import MaxNLocator

    q, s = both
    at: tuple[NDArray[Any], NDArray[Any]] = (np.arange(q.size), np.arange(s.size))
    if dates is not None:
        at = both_days(dates)
    low, high = np.nanmin(q), np.nanmax(q)
    span = max(high - low, np.ptp(s)) or 1.0
    shift = high - np.min(s) + 0.35 * span
    gone = np.isnan(q)
    for i, j in found.path[~gone[found.path[:, 0]]]:
        axes.plot([at[0][i], at[1][j]], [q[i], s[j] + shift], color="0.75", lw=0.8, zorder=1)
    axes.plot(at[0], q, "o-", ms=3.5, lw=1.5, color=_BLUE)
    axes.plot(at[1], s + shift, "o-", ms=3.5, lw=1.5, color=_RED)
    for day in at[0][gone]:
        axes.plot(day, low - 0.1 * span, "x", color="0.45", ms=5)
    bottom, top = low - 0.18 * span, np.max(s) + shift + 0.08 * span
    axes.set_ylim(bottom, top)
    other = axes.twinx()
    other.set_ylim(bottom - shift, top - shift)
    for axis, name, values, colour in ((axes, names[0], q, _BLUE), (other, names[1], s, _RED)):
        ends = np.nanmin(values), np.nanmax(values)
        ticks = [t for t in MaxNLocator(4).tick_values(*ends) if ends[0] <= t <= ends[1]]
        axis.set_yticks(ticks)
        axis.tick_params(axis="y", colors=colour)
        axis.set_ylabel(f"{name}, {unit}", color=colour)
        middle = (np.mean(ends) - axis.get_ylim()[0]) / (top - bottom)
        axis.yaxis.set_label_coords(1.1 if axis is other else -0.09, float(middle))
        axis.spines["top"].set_visible(False)
    _time_axis(axes, None if dates is None else dates[0], np.concatenate(at))


def _time_axis(axes: Axes, dates: ArrayLike | None, days: NDArray[Any]) -> None:
    if dates is None or not is_dates(dates):
        axes.set_xlabel("date" if dates is None else "day")
        return
    first, last = days.min(), days.max()
    years = range(int(first // 365), int(last // 365) + 1)
    ticks = [(365 * y + d, m) for y in years for d, m in zip(_MONTH_DAYS, _MONTHS, strict=True)]
    ticks = [one for one in ticks if first - 31 <= one[0] <= last]
    axes.set_xticks([day for day, _ in ticks], [month for _, month in ticks])
    axes.set_xlabel("day of the year")


def barycenter_figure(
    values: ArrayLike,
    members: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    dates: ArrayLike | None = None,
    title: str = "",
    unit: str = "z-score",
) -> Figure:
    """Barycenters `(M, T)` over the spread of their members `(N, T)`: median, 50 % and 90 % bands.

    Args:
        values: one barycenter `(T,)` or several.
        members: the series they stand for, NaN missing.
        labels: `(N,)` barycenter of each member, as `barycenters` gives them: a panel for each.
        dates: `(T,)` of the horizontal axis, numbers or datetime64; none: positions.
        title: of the figure.
        unit: of the vertical axis.

    Raises:
        ValueError: more than one feature, or masked labels.
    """
    from matplotlib.figure import Figure

    centers = np.atleast_2d(np.asarray(equal_lengths(values, "barycenters"), float))
    every = np.asarray(equal_lengths(members, "members"), float)
    if every.ndim != 2 or centers.ndim != 2:
        raise ValueError("a figure shows one feature: give (M, T) and (N, T)")
    owners = np.zeros(len(every), int)
    if labels is not None:
        owners = np.asarray(unmasked("labels", labels))
    panels = 1 if labels is None else len(centers)
    columns = min(panels, 3)
    lines = -(-panels // columns)
    size = (8, 4) if panels == 1 else (4.2 * columns, 3.2 * lines + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    at = np.arange(every.shape[1]) if dates is None else np.asarray(dates)
    for m, axes in enumerate(grid):
        axes.set_visible(m < panels)
        if m >= panels:
            continue
        own = every[owners == m] if panels > 1 else every
        _spread(axes, at, own)
        drawn = enumerate(centers) if panels == 1 else [(m, centers[m])]
        for number, center in drawn:
            place = at if at.size == center.size else np.arange(center.size)
            name = "barycenter" if len(centers) == 1 else f"barycenter {number + 1}"
            axes.plot(place, center, lw=2.2, color=_COLOURS[number % len(_COLOURS)], label=name)
        count = f"{len(own)} members"
        axes.set_title(
            count if panels > 1 else f"{title}   {count}".strip(), loc="left", fontsize=10
        )
        _dress(axes, dates)
    grid[0].set_ylabel(unit)
    if panels > 1:
        figure.suptitle(title)
    figure.legend(
        *_legend(grid[:panels]),
        loc="outside lower center",
        ncols=6,
        fontsize="small",
        frameon=False,
    )
    return literal(figure)


def _spread(axes: Axes, at: NDArray[Any], members: NDArray[np.float64]) -> None:
    known = np.flatnonzero(~np.isnan(members).all(axis=0))
    if not known.size:
        return
    shares = np.nanquantile(members[:, known], [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
    axes.fill_between(
        at[known], shares[0], shares[4], color="0.92", label="90 % of the members", lw=0
    )
    axes.fill_between(
        at[known], shares[1], shares[3], color="0.8", label="50 % of the members", lw=0
    )
    axes.plot(at[known], shares[2], color="0.45", lw=1, label="median")


def _dress(axes: Axes, dates: ArrayLike | None) -> None:
    if dates is not None and np.asarray(dates).dtype.kind == "M":
        dates_along(axes)
    else:
        axes.set_xlabel("date" if dates is None else "day")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", lw=0.6)
    axes.set_axisbelow(True)


def _legend(grid: NDArray[Any]) -> tuple[list[Any], list[str]]:
    """Each label once."""
    shown: dict[str, Any] = {}
    for axes in grid:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            shown.setdefault(label, handle)
    return list(shown.values()), list(shown)
