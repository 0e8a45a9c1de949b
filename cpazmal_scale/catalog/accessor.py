"""`dataset.cpazmal`: what the catalog opens, drawn: map with legend, a pixel's series, alignment.

`open_catalog` and `read` register it. Code that opens products with intake or xarray alone imports
this module.
"""

from __future__ import annotations

import json
import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from cpazmal_scale import storage
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.grid.cf import grid_of
from cpazmal_scale.legend import Legend, legend, parsed
from cpazmal_scale.mapping import Recipe
from cpazmal_scale.palette import NO_DATA as NO_DATA_COLOUR
from cpazmal_scale.palette import REJECTED as REJECTED_COLOUR
from cpazmal_scale.palette import rgb
from cpazmal_scale.pictures import literal
from cpazmal_scale.vocabulary import NO_DATA, REJECTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    from cpazmal_scale.model import Model

_MOST = 1200
"""Cells along the longer side of a picture; more are left out."""
_COLUMNS = 3


class Pixel(NamedTuple):
    """Series of one pixel (K, T), NaN missing, and typical series (C, K, T') in their units."""

    values: NDArray[np.float64]
    days: NDArray[np.float64]
    centres: NDArray[np.float64]
    centre_days: NDArray[np.float64]


@xr.register_dataset_accessor("cpazmal")  # type: ignore[no-untyped-call]
class Accessor:
    """Pictures of a map or of a cube, and of single pixels of a map."""

    def __init__(self, data: xr.Dataset) -> None:
        self._data = data

    def plot(self) -> Figure:
        """A map's classes with their legend, or the mean backscatter of a cube's first channel.

        Mean power that is not positive, where noise was subtracted, is black, as the label says.

        Large areas are thinned, so that memory does not grow with them.

        Raises:
            ConfigError: it is neither a map nor a cube.
        """
        from matplotlib.figure import Figure

        is_map = "class" in self._data and "class_name" in self._data.coords
        is_map = is_map and self._data["class"].ndim == 2
        name = None if is_map else self._channel()
        if {"y", "x"} - set(self._data.dims) or not (is_map or name):
            raise ConfigError(
                "neither a map nor a cube", remedy="open map_… or cube_… of the catalog"
            )
        step = max(1, -(-max(self._data.sizes["y"], self._data.sizes["x"]) // _MOST))
        small = self._data.isel(y=slice(None, None, step), x=slice(None, None, step))
        (left, right), (top, bottom) = self._edges("x", step), self._edges("y", step)
        factor, unit = _shown_unit(grid_of(self._data))
        edges = (left * factor, right * factor, bottom * factor, top * factor)
        figure = Figure(figsize=(9, 6.5), layout="constrained")
        axis = figure.subplots()
        if is_map:
            axis.imshow(self._painted(small["class"]), extent=edges, interpolation="nearest")
            axis.set_title(str(self._data.attrs.get("title", "")))
            figure.legend(handles=self._handles(), loc="outside right upper", frameon=False)
        else:
            power = small[name].mean([d for d in small[name].dims if d == "time"]).values
            with np.errstate(divide="ignore", invalid="ignore"):
                decibels = 10 * np.log10(power)
            known = decibels[np.isfinite(decibels)]
            low, high = np.percentile(known, (2, 98)) if known.size else (-30.0, 0.0)
            dark = power <= 0
            share = dark.sum() / max(np.isfinite(power).sum(), 1)
            decibels[dark] = low
            shown = axis.imshow(decibels, extent=edges, cmap="gray", vmin=low, vmax=high)
            told = f"; black also where it is not positive, {100 * share:.2g} %"
            label = f"mean {name} (dB){told if dark.any() else ''}"
            figure.colorbar(shown, ax=axis, label=label)
        axis.set(xlabel=f"east ({unit})", ylabel=f"north ({unit})", aspect="equal")
        return literal(figure)

    def _edges(self, axis: str, step: int = 1) -> tuple[float, float]:
        """Outer edges of the first and last pixel along an axis, `step` of which are drawn as one.

        A part of a map has the map's transform, so that its own coordinates tell where it is.
        """
        centres = self._data[axis].values
        pixel = self._pixel_size(axis)
        first = float(centres[0]) - pixel / 2
        return first, first + pixel * step * -(-len(centres) // step)

    def _pixel_size(self, axis: str) -> float:
        """Step from one pixel to the next along an axis, negative where coordinates fall."""
        centres = self._data[axis].values
        if len(centres) > 1:
            return float(centres[-1] - centres[0]) / (len(centres) - 1)
        to_pixel = grid_of(self._data).transform
        return float(to_pixel.a if axis == "x" else to_pixel.e)

    def _channel(self) -> str | None:
        """The first channel of a cube that is there; none if there is none."""
        names = self._data.attrs.get("polarisations", ())
        return next((name for name in names if name in self._data), None)

    def series(self, y: float, x: float, workspace: str | None = None) -> Figure:
        """The feature series of a map's pixel beside the typical series of every class.

        Args:
            y: coordinate of the pixel, in the map's CRS; the nearest one is taken.
            x: the same.
            workspace: where model and cube are; none: the one the map was opened from.

        Raises:
            ConfigError: it is no map, or nobody knows its workspace, or the pixel lies at the rim.
            StoreMissing: its cube or model are gone.
        """
        from matplotlib.figure import Figure

        from cpazmal_scale.features import in_words

        model, found = self._model(workspace), self._pixel(y, x, workspace)
        rows = -(-len(model.names) // _COLUMNS)
        figure = Figure(figsize=(12, 2.6 * rows + 0.6), layout="constrained")
        axes = figure.subplots(rows, _COLUMNS, sharex=True, squeeze=False)
        for k, (name, axis) in enumerate(zip(model.names, axes.T.flat, strict=False)):
            for code, centre in zip(model.classes, found.centres[:, k], strict=True):
                colour = self.legend.colours[code]
                axis.plot(found.centre_days, centre, color=colour, lw=1.6, label=code)
            axis.plot(found.days, found.values[k], "k.-", lw=1, ms=4, label="pixel")
            axis.set_title(in_words(name), fontsize=10)
            axis.grid(alpha=0.25)
        for axis in axes[-1]:
            axis.set_xlabel("days since the season began")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
        figure.suptitle(f"y {y:g}, x {x:g}: {self.class_at(y, x)}", fontsize=12)
        return literal(figure)

    def alignment(
        self,
        y: float,
        x: float,
        code: str | None = None,
        *,
        feature: str | None = None,
        workspace: str | None = None,
    ) -> Figure:
        """How DTW matches a pixel's series with the typical series of a class.

        Args:
            y: coordinate of the pixel, in the map's CRS.
            x: the same.
            code: class; none: that of the pixel.
            feature: such as `HH.k1`, the default.
            workspace: where model and cube are; none: the one the map was opened from.

        Raises:
            ConfigError: as `series`, or there is no such class or feature.
        """
        from cpazmal_scale.dtw import alignment_figure

        model, found = self._model(workspace), self._pixel(y, x, workspace)
        wanted = code or self.class_at(y, x)
        c = _place(wanted, model.classes, "class")
        k = _place(feature or model.names[0], model.names, "feature")
        return alignment_figure(
            found.values[k],
            found.centres[c, k],
            dates=(found.days, found.centre_days),
            names=("pixel", wanted),
            unit=model.names[k],
            radius=max(len(found.days), len(found.centre_days)),
        )

    @cached_property
    def legend(self) -> Legend:
        """Names, colours, order and glacier of the map's classes."""
        classes = [str(code) for code in self._data["class_name"].values]
        return legend(classes, parsed(self._data.attrs.get("legend")))

    def class_at(self, y: float, x: float) -> str:
        """Class code of the pixel around a place in the map's CRS, `rejected` or `no data`.

        Raises:
            ConfigError: the place is outside the map.
        """
        row, column = (self._index(axis, at) for axis, at in (("y", y), ("x", x)))
        if row is None or column is None:
            raise ConfigError(
                f"no pixel at y {y:.9g}, x {x:.9g}",
                remedy="choose a place inside the map, y (north) first",
            )
        at = self._data["class"].isel(y=row, x=column).load()
        value = int(_stored(at).item())
        names = {**dict(enumerate(self.legend.classes, 1)), REJECTED: "rejected"}
        return names.get(value, "no data")

    def _index(self, axis: str, at: float) -> int | None:
        """The pixel that holds a coordinate, its edges included; none outside."""
        beside = np.abs(self._data[axis].values - at)
        nearest = int(beside.argmin())
        inside = beside[nearest] <= abs(self._pixel_size(axis)) / 2 * (1 + 1e-9)
        return nearest if inside else None

    def _painted(self, classes: xr.DataArray) -> NDArray[np.uint8]:
        table = np.full((256, 3), rgb(NO_DATA_COLOUR), np.uint8)
        table[REJECTED] = rgb(REJECTED_COLOUR)
        for value, code in enumerate(self.legend.classes, 1):
            table[value] = rgb(self.legend.colours[code])
        return table[_stored(classes)]

    def _handles(self) -> list[Any]:
        from matplotlib.patches import Patch

        named = self.legend
        return [Patch(color=named.colours[code], label=named.label(code)) for code in named.order]

    @cached_property
    def _recipe(self) -> Recipe:
        if "recipe" not in self._data.attrs:
            raise ConfigError("no map of classes", remedy="open map_… of the catalog")
        return Recipe.model_validate(json.loads(self._data.attrs["recipe"]))

    def _workspace(self, workspace: str | None) -> str:
        source = str(self._data.encoding.get("source", ""))
        if workspace is None and "/maps/" not in source:
            raise ConfigError(
                "nobody knows which workspace this map is of", remedy="give it as `workspace`"
            )
        return workspace or source.rpartition("/maps/")[0]

    def _model(self, workspace: str | None) -> Model:
        from cpazmal_scale.model import open_model

        name = f"{self._recipe.model}.zarr"
        return open_model(storage.join(self._workspace(workspace), "models", name))

    def _pixel(self, y: float, x: float, workspace: str | None) -> Pixel:
        """Series of a pixel on the map's dates, out of its window in the cube."""
        import pandas as pd

        from cpazmal_scale.cube import open_cube
        from cpazmal_scale.samples import window_series

        model, recipe = self._model(workspace), self._recipe
        cube = open_cube(storage.join(self._workspace(workspace), "cubes", recipe.cube))
        dates = np.array(recipe.dates, "datetime64[s]")
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
        own: Any = ready.shown
        scale, mean = (np.asarray(own.scale_)[:, None], np.asarray(own.mean_)[:, None])
        centres = own.centres().mean(axis=1) * scale + mean
        return Pixel(found.values[0].astype(np.float64), ready.days, centres, ready.barycenter_days)


def _shown_unit(grid: GeoBox) -> tuple[float, str]:
    """What coordinates of a grid are multiplied by for an axis of a picture, and its unit."""
    import pyproj

    crs = pyproj.CRS.from_user_input(str(grid.crs))
    unit = float(crs.axis_info[0].unit_conversion_factor)
    return (round(math.degrees(unit), 9), "°") if crs.is_geographic else (unit / 1000, "km")


def _stored(classes: xr.DataArray) -> NDArray[np.uint8]:
    """Class values as they are stored, from a map that was opened decoded or not."""
    values = classes.values
    return np.where(np.isnan(values), NO_DATA, values).astype(np.uint8)


def _place(name: str, names: tuple[str, ...], what: str) -> int:
    if name not in names:
        raise ConfigError(f"there is no {what} {name}", remedy=f"choose among {', '.join(names)}")
    return names.index(name)
