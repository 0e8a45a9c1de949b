"""The map as a picture: classes with areas, certainty, scale bar, north arrow, dates."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.grid.cf import grid_of, metres
from cpazmal_scale.legend import Legend
from cpazmal_scale.mapping.classify.acquired import used
from cpazmal_scale.mapping.classify.recipe import Recipe
from cpazmal_scale.mapping.classify.store import legend_of, open_map
from cpazmal_scale.mapping.refine import periods
from cpazmal_scale.mapping.show.thumbnail import Thumbnail, thumbnail
from cpazmal_scale.palette import BESIDE, GAIN, LOSS, STAYED, WITHIN, rgb, transition
from cpazmal_scale.palette import NO_DATA as NO_DATA_COLOUR
from cpazmal_scale.palette import REJECTED as REJECTED_COLOUR
from cpazmal_scale.pictures import png
from cpazmal_scale.vocabulary import REJECTED

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_INK, _FAINT = "#1d2126", "#6b7280"
_LONG_SIDE = 8.4
_LONG_LEGEND = 9
"""Longer legends leave out areas, and classes that are nowhere."""
_NAME = 19
"""Letters of a name at full size; longer ones are set smaller."""
_MOST_LINES = 16
"""Still longer ones keep the largest classes."""
_KINDS = (STAYED, LOSS, GAIN, WITHIN, BESIDE)
_NAMED = 3
"""Transitions of each kind that the legend of a map of change names, the largest."""


def quicklook(map_url: str, png_url: str, *, dpi: int = 160) -> str:
    """Draw a finished map; memory does not grow with its size.

    Classes with legend (code, name, share and area; transitions by kind on a map of change), the
    margin between the two most probable classes or the probability of change, a scale bar and a
    north arrow true at the map's centre, beam and dates.

    Returns:
        `png_url`.

    Raises:
        StoreError: the map is not finished, or the address cannot be written.
    """
    storage.write_bytes(png_url, png(figure_of(open_map(map_url)), dpi))
    return png_url


def figure_of(data: xr.Dataset) -> Figure:
    """The picture of an open map, for notebooks."""
    from matplotlib.figure import Figure

    recipe = Recipe.model_validate_json(data.attrs["recipe"])
    small, named = thumbnail(data), legend_of(data)
    height, width = small.extent
    scale = _LONG_SIDE / max(height, width)
    tall, wide = max(height * scale, 3.2), max(width * scale, 3.2)
    beside = wide <= 1.35 * tall
    size = (wide + 4.6, tall + 1.3) if beside else (wide + 0.4, tall + 4.1)
    figure = Figure(figsize=size, facecolor="white", layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)  # type: ignore[union-attr, call-arg]
    if beside:
        grid = figure.add_gridspec(2, 2, width_ratios=(wide, 4.1), height_ratios=(1, 1))
        main = figure.add_subplot(grid[:, 0])
        legend, certainty = (figure.add_subplot(grid[i, 1]) for i in (0, 1))
    else:
        grid = figure.add_gridspec(2, 2, height_ratios=(tall, 2.6), width_ratios=(1, 1))
        main = figure.add_subplot(grid[0, :])
        legend, certainty = (figure.add_subplot(grid[1, i]) for i in (0, 1))
    _draw_classes(main, small, named)
    _draw_scale_bar(main, small)
    _draw_north(main, small)
    if named.changes:
        _draw_transitions(legend, small, named)
    else:
        _draw_legend(legend, small, named)
    if recipe.withheld:
        _say_withheld(certainty, recipe.withheld)
    else:
        _draw_certainty(certainty, small, figure, change=bool(named.changes))
    _write_title(figure, data, recipe)
    return figure


def _draw_classes(axis: Axes, small: Thumbnail, named: Legend) -> None:
    table = np.full((256, 3), rgb(NO_DATA_COLOUR), np.uint8)
    for value, code in enumerate(named.classes, 1):
        table[value] = rgb(named.colours[code])
    table[REJECTED] = rgb(REJECTED_COLOUR)
    _show(axis, table[small.classes], small)


def _show(axis: Axes, image: NDArray[np.generic], small: Thumbnail, **style: object) -> object:
    height, width = small.extent
    shown = axis.imshow(image, extent=(0, width, height, 0), interpolation="nearest", **style)  # type: ignore[arg-type]
    axis.set(xticks=[], yticks=[], aspect="equal")
    for spine in axis.spines.values():
        spine.set(color=_FAINT, linewidth=0.6)
    return shown


def _draw_scale_bar(axis: Axes, small: Thumbnail) -> None:
    """A bar of 1, 2 or 5 × 10ⁿ metres, at most a quarter of the width, in two halves."""
    from matplotlib.patches import FancyBboxPatch, Rectangle

    height, width = small.extent
    inch = max(height, width) / _LONG_SIDE
    length, thick = bar_length(width), 0.07 * inch
    left, top = 0.3 * inch, height - 0.34 * inch
    corner = (left - 0.08 * inch, top - 0.3 * inch)
    round_corners = f"round,pad={0.06 * inch}"
    style = {"facecolor": "white", "alpha": 0.88, "linewidth": 0}
    size = (length + 0.16 * inch, 0.42 * inch)
    axis.add_patch(FancyBboxPatch(corner, *size, boxstyle=round_corners, **style))  # type: ignore[arg-type]
    for half, colour in ((0, _INK), (1, "white")):
        at = (left + half * length / 2, top)
        axis.add_patch(
            Rectangle(at, length / 2, thick, facecolor=colour, edgecolor=_INK, linewidth=0.8)
        )
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    at = (left + length / 2, top - 0.06 * inch)
    axis.text(*at, text, ha="center", va="bottom", fontsize=11, color=_INK)


def bar_length(width: float) -> float:
    """The largest of 1, 2 or 5 × 10ⁿ metres that is at most a quarter of `width`."""
    target = width / 4
    power = 10.0 ** math.floor(math.log10(target))
    return float(max(step * power for step in (1, 2, 5) if step * power <= target))


def _draw_north(axis: Axes, small: Thumbnail) -> None:
    """An arrow to true north at the middle of the map, which is not always up."""
    from matplotlib.patches import Circle, Polygon

    height, width = small.extent
    unit = 0.22 * max(height, width) / _LONG_SIDE
    centre = np.array([width - 2.1 * unit, 2.3 * unit])
    turn = math.radians(small.north)
    ahead, across = (
        unit * np.array(way)
        for way in ((math.sin(turn), -math.cos(turn)), (math.cos(turn), math.sin(turn)))
    )
    axis.add_patch(Circle(tuple(centre), 1.6 * unit, facecolor="white", alpha=0.88, linewidth=0))
    for side, colour in ((-1, _INK), (1, "white")):
        parts = ((0.55, 0), (-1.0, 0.42 * side), (-0.7, 0))
        corners = [tuple(centre + on * ahead + aside * across) for on, aside in parts]
        axis.add_patch(Polygon(corners, facecolor=colour, edgecolor=_INK, linewidth=0.8))
    x, y = (centre + 0.98 * ahead).tolist()
    axis.text(x, y, "N", ha="center", va="center", fontsize=10, weight="bold")


def _draw_legend(axis: Axes, small: Thumbnail, named: Legend) -> None:
    """One line per class: colour, code and name, share of the mapped area, km²."""
    from matplotlib.patches import Rectangle

    whole = sum(small.square_metres.values()) or 1.0
    classes, groups = named.classes, named.groups()
    order = [code for codes in groups.values() for code in codes] or named.order
    entries = [
        (classes.index(code) + 1, named.colours[code], code, named.names.get(code, ""))
        for code in order
        if len(classes) <= _LONG_LEGEND or small.square_metres[classes.index(code) + 1]
    ]
    largest = sorted((small.square_metres[entry[0]] for entry in entries), reverse=True)
    if len(entries) > _MOST_LINES:
        least = largest[_MOST_LINES - 1]
        entries = [entry for entry in entries if small.square_metres[entry[0]] >= least]
    if small.square_metres[REJECTED]:
        entries.append((REJECTED, REJECTED_COLOUR, "—", "rejected"))
    lines = max(len(entries) + 1, 6)
    roomy = len(entries) <= _LONG_LEGEND
    axis.set(xlim=(0, 1), ylim=(lines, 0))
    axis.axis("off")
    for row, (value, colour, code, name) in enumerate(entries):
        area = small.square_metres[value]
        y = row + 0.55
        swatch = Rectangle((0, y - 0.3), 0.1, 0.6, facecolor=colour, edgecolor=_INK, linewidth=0.6)
        axis.add_patch(swatch)
        axis.text(0.14, y, code, va="center", fontsize=12, weight="bold", color=_INK)
        fitting = min(11.0, 11.0 * _NAME / max(len(name), 1))
        axis.text(0.29, y, name, va="center", fontsize=max(fitting, 6.0), color=_INK)
        share = f"{100 * area / whole:.1f} %"
        axis.text(1, y, share, va="center", ha="right", fontsize=11 if roomy else 9)
        if roomy:
            text = _area(area, whole)
            axis.text(0.82, y, text, va="center", ha="right", fontsize=8.5, color=_FAINT)
    swatch = Rectangle((0, len(entries) + 0.25), 0.1, 0.6, facecolor=NO_DATA_COLOUR, linewidth=0)
    axis.add_patch(swatch)
    last = len(entries) + 0.55
    axis.text(0.14, last, "no data", va="center", fontsize=11, color=_FAINT)
    caption = "of the mapped area"
    axis.text(1, last - 0.3, caption, va="center", ha="right", fontsize=8.5, color=_FAINT)


def transitions_by_kind(
    named: Legend, square_metres: Mapping[int, float]
) -> dict[str, list[tuple[str, float]]]:
    """Classes of a map of change that are somewhere, by kind, with areas, the largest first."""
    found: dict[str, list[tuple[str, float]]] = {}
    for value, code in enumerate(named.classes, 1):
        if square_metres[value]:
            kind = transition(*named.changes[code], named.glacier)
            found.setdefault(kind, []).append((code, square_metres[value]))
    order = sorted(found, key=[*_KINDS].index)
    return {kind: sorted(found[kind], key=lambda one: -one[1]) for kind in order}


def _draw_transitions(axis: Axes, small: Thumbnail, named: Legend) -> None:
    """One line per kind of change with its share, and its largest transitions beneath."""
    from matplotlib.patches import Rectangle

    whole = sum(small.square_metres.values()) or 1.0
    rows: list[tuple[str | None, str, float]] = []
    for kind, members in transitions_by_kind(named, small.square_metres).items():
        rows.append((None, kind, sum(area for _, area in members)))
        rows += [
            (named.colours[code], " → ".join(dict.fromkeys(named.changes[code])), area)
            for code, area in members[:_NAMED]
        ]
    if small.square_metres[REJECTED]:
        rows.append((REJECTED_COLOUR, "rejected", small.square_metres[REJECTED]))
    axis.set(xlim=(0, 1), ylim=(max(len(rows) + 1, 6), 0))
    axis.axis("off")
    for row, (colour, text, area) in enumerate(rows):
        y, weight = row + 0.5, "normal" if colour else "bold"
        if colour:
            axis.add_patch(Rectangle((0.04, y - 0.35), 0.1, 0.7, facecolor=colour, linewidth=0))
        at = 0.18 if colour else 0
        axis.text(at, y, text, va="center", fontsize=9, weight=weight)
        share = f"{100 * area / whole:.1f} %"
        axis.text(1, y, share, va="center", ha="right", fontsize=9, weight=weight)
    caption = "what the two maps say, of the mapped area; the largest of each kind"
    axis.text(1, len(rows) + 0.6, caption, va="center", ha="right", fontsize=8, color=_FAINT)


def _area(square_metres: float, whole: float) -> str:
    """Square kilometres, or hectares where the whole map has less than one of them."""
    if whole < 1e6:
        return f"{square_metres / 1e4:.1f} ha"
    area = square_metres / 1e6
    return f"{area:,.0f} km²" if area >= 100 else f"{area:.2f} km²"


def _say_withheld(axis: Axes, reason: str) -> None:
    axis.axis("off")
    text = textwrap.fill(f"no probabilities: {reason}", 34)
    axis.text(0.5, 0.5, text, ha="center", va="center", fontsize=10.5, color=_FAINT)


def _draw_certainty(axis: Axes, small: Thumbnail, figure: Figure, *, change: bool) -> None:
    from matplotlib import colormaps

    scheme = colormaps["YlGnBu"].with_extremes(bad=NO_DATA_COLOUR)
    shown = _show(axis, small.margin, small, cmap=scheme, vmin=0, vmax=1)
    title = "certainty: margin between the two\nmost probable classes"
    if change:
        known = np.isfinite(small.margin).sum()
        likely = 100 * (small.margin > 0.5).sum() / max(known, 1)
        title = f"probability that the ground changed,\nabove 0.5 on {likely:.1f} % of the picture"
    axis.set_title(title, fontsize=10.5)
    bar = figure.colorbar(shown, ax=axis, orientation="horizontal", shrink=0.8, aspect=28, pad=0.03)  # type: ignore[arg-type]
    ends = ("stayed", "changed") if change else ("doubtful", "certain")
    bar.set_ticks([0, 0.5, 1], labels=[f"0  {ends[0]}", "0.5", f"1  {ends[1]}"])
    bar.ax.tick_params(labelsize=9)
    bar.outline.set_visible(False)


def _write_title(figure: Figure, data: xr.Dataset, recipe: Recipe) -> None:
    days = periods.compared_periods(data.attrs)
    if not days:
        days = periods.in_words(recipe.dates[0], recipe.dates[-1])
        days += f"  ·  {len(recipe.dates)} dates"
    beam = f"beam {recipe.beam}  ·  " if recipe.beam else ""
    figure.suptitle(
        f"{legend_of(data).subject}\n",
        x=0.02,
        ha="left",
        fontsize=16,
        weight="bold",
        color=_INK,
    )
    pixel = pixel_size(data, recipe.features.window)
    figure.text(
        0.02,
        1 - 0.62 / figure.get_figheight(),
        f"{beam}{days}  ·  {used(data, recipe)}  ·  {pixel}{left_out(recipe)}",
        fontsize=11,
        color=_FAINT,
    )


def left_out(recipe: Recipe) -> str:
    """What is said of areas that were left out on purpose; nothing where there are none."""
    return "  ·  excluded areas are no data" if recipe.exclude else ""


def pixel_size(data: xr.Dataset, window: int) -> str:
    """Size of a pixel, of the window of `window` pixels that its class is read from, and CRS."""
    import pyproj

    grid = grid_of(data)
    crs, step = pyproj.CRS.from_user_input(str(grid.crs)), abs(grid.transform.a)
    size = f"{step:.3g}°" if crs.is_geographic else f"{step:g} m"
    edge = f"{window * max(metres(grid)):.3g} m"
    name = f"EPSG:{code}" if (code := crs.to_epsg()) else crs.name
    return f"{size} pixels, {window} × {window} window ({edge}), {name}"
