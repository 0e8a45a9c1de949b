"""One pixel of a map beside the typical series of the classes: its series, and alignments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale.config.methods import method
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.pictures import literal, with_gaps

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from cpazmal_scale.dtw import Band
    from cpazmal_scale.legend import Legend
    from cpazmal_scale.mapping import Recipe
    from cpazmal_scale.model import Model, OnDates


class Pixel(NamedTuple):
    """Series of one pixel on the dates of a map, and the map's model made ready for them."""

    values: NDArray[np.float64]
    """`(K, T)` in the features' units, NaN missing."""
    dates: NDArray[np.datetime64]
    """`(T,)`."""
    model: Model
    ready: OnDates

    @classmethod
    def read(cls, cube: xr.Dataset, model: Model, recipe: Recipe, y: float, x: float) -> Pixel:
        """Out of the pixel's window in the map's cube.

        Raises:
            ConfigError: there is no whole window around the pixel.
        """
        import pandas as pd

        from cpazmal_scale.samples import window_series

        dates = recipe.days
        cube = cube.sel(time=np.isin(cube["time"].values.astype("datetime64[s]"), dates))
        size = model.features.window
        corner = {
            f"{axis}0": [int(np.abs(cube[axis].values - at).argmin()) - size // 2]
            for axis, at in (("y", y), ("x", x))
        }
        if any(not 0 <= corner[f"{a}0"][0] <= cube.sizes[a] - size for a in ("y", "x")):
            raise ConfigError(
                f"no window of {size} x {size} pixels around y {y:.9g}, x {x:.9g}",
                remedy="choose a pixel inside the map, y (north) first",
            )
        index = pd.DataFrame({**corner, "size": [size]})
        found = window_series(cube, index, model.features, model.polarisations)
        ready = model.on_dates(dates, recipe.season_start)
        return cls(found.values[0].astype(np.float64), dates, model, ready)


def series_figure(pixel: Pixel, legend: Legend, title: str) -> Figure:
    """Every feature's series of a pixel over the typical series of all classes."""
    from cpazmal_scale.model import feature_panels, legend_and_title

    model, ready = pixel.model, pixel.ready
    figure, panels = feature_panels(model.names)
    centres = ready.shown.centres()
    at = _dated(pixel.dates[0], ready.days[0], ready.barycenter_days)
    for k, axis in enumerate(panels):
        for code, own in zip(model.classes, centres[:, :, k], strict=True):
            for m, centre in enumerate(own):
                label = None if m else code
                line = with_gaps(at, at, centre)
                axis.plot(*line, color=legend.colours[code], lw=1.6, label=label)
        own_line = with_gaps(pixel.dates, pixel.dates, pixel.values[k])
        axis.plot(*own_line, "k.-", lw=1, ms=4, label="pixel")
    row = method(model.method)
    typical = f"{row.typical}, {row.aligned}" if row.aligned else row.typical
    legend_and_title(figure, panels[0], f"{title}; the pixel beside the {typical}")
    return literal(figure)


def alignment_of(pixel: Pixel, c: int, k: int, title: str) -> Figure:
    """How a feature of a pixel is matched with the nearest typical series of a class.

    Args:
        pixel: its series.
        c: position of the class.
        k: position of the feature.
        title: what stands above.

    Raises:
        ConfigError: the pixel has no valid date of the feature, or the class no typical series.
    """
    from cpazmal_scale.dtw import alignment_figure, path
    from cpazmal_scale.features import in_words, unit

    model, ready = pixel.model, pixel.ready
    name, code = model.names[k], model.classes[c]
    values, band = pixel.values[k, ready.order], _band(pixel)
    centres = ready.classifier.centres()[c, :, k]
    if not np.isfinite(values).any() or not np.isfinite(centres).all():
        who = "pixel" if np.isfinite(centres).all() else f"class {code}"
        raise ConfigError(
            f"the {who} has no valid date of {name}", remedy="choose another pixel, or feature"
        )
    try:
        found = [path(values, centre, band) for centre in centres]
    except ValueError as error:
        raise ConfigError(f"{name}: {error}", remedy="choose another pixel, or feature") from None
    nearest = int(np.argmin([one.distance for one in found]))
    first, matched = pixel.dates[ready.order[0]], ready.matched
    figure = alignment_figure(
        values,
        centres[nearest],
        dates=(
            _dated(first, matched.row_days[0], matched.row_days),
            _dated(first, matched.row_days[0], matched.column_days),
        ),
        names=("pixel", f"class {code}"),
        unit=unit(name) or in_words(name),
        title=_told(pixel, k, found[nearest].distance),
        band=band,
    )
    figure.suptitle(f"{title}; {in_words(name)} beside {code}", fontsize=12)
    return literal(figure)


def _band(pixel: Pixel) -> Band:
    """The band of the map's method, or of an illustration: as wide as other years may differ."""
    from cpazmal_scale.dtw import Band

    own: Any = pixel.ready.classifier
    if method(pixel.model.method).warps:
        return Band(limits=pixel.ready.limits, open_ends=own.open_ends)
    matched = pixel.ready.matched
    return Band.days(own.near_days, (matched.standing, matched.column_days))


def _told(pixel: Pixel, k: int, distance: float) -> str:
    """What the alignment is to the map: its distance, or an illustration."""
    row, own = method(pixel.model.method), pixel.ready.classifier
    if not row.warps:
        return f"illustration: {row.name} does not warp"
    if not row.aligns_features:
        return f"illustration: {row.name} warps all features together"
    valid = int(np.isfinite(pixel.values[k]).sum())
    if valid < own.min_dates:
        return f"does not count: {valid} valid dates of {own.min_dates}"
    within = own.scale_[k] * np.broadcast_to(own.tau_, own.scale_.shape)[k]
    return f"DTW distance {distance / within:.3g} × that within classes"


def _dated(
    first: np.datetime64, day: np.floating, days: NDArray[np.float64]
) -> NDArray[np.datetime64]:
    """Days as dates, of which one is known."""
    return np.asarray(first + ((days - day) * 86400).round().astype("timedelta64[s]"))
