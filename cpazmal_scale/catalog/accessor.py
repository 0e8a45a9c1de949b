"""`dataset.cpazmal`: what the catalog opens, drawn: map with legend, a pixel's series, alignment.

`open_catalog` and `read` register it. Code that opens products with intake or xarray alone imports
this module.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

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
from cpazmal_scale.words import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    from cpazmal_scale.catalog.pixels import Pixel
    from cpazmal_scale.model import Model

_MOST = 1200
"""Cells along the longer side of a picture; more are left out."""


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
            ConfigError: it is neither a map nor a cube, no pixel of it is left, or it lost
                `spatial_ref`.
        """
        from matplotlib.figure import Figure

        is_map = "class" in self._data and self._data["class"].ndim == 2 and bool(self._codes)
        name = None if is_map else self._channel()
        if {"y", "x"} - set(self._data.dims) or not (is_map or name):
            raise ConfigError(
                "neither a map nor a cube", remedy="open map_… or cube_… of the catalog"
            )
        grid = self._grid
        step = max(1, -(-max(self._data.sizes["y"], self._data.sizes["x"]) // _MOST))
        small = self._data["class" if is_map else name].isel(
            y=slice(None, None, step), x=slice(None, None, step)
        )
        (left, right), (top, bottom) = self._edges("x", step), self._edges("y", step)
        factor, unit = _shown_unit(grid)
        edges = (left * factor, right * factor, bottom * factor, top * factor)
        figure = Figure(figsize=(9, 6.5), layout="compressed")
        axis = figure.subplots()
        if is_map:
            values = _stored(small.transpose("y", "x"))
            axis.imshow(self._colours[values], extent=edges, interpolation="nearest")
            axis.set_title(str(self._data.attrs.get("title", "")))
            handles = self._handles(values)
            figure.legend(handles=handles, loc="outside right upper", frameon=False)
        else:
            power = small.mean([d for d in small.dims if d == "time"]).transpose("y", "x").values
            _draw_power(axis, power, f"mean {name}", edges)
        axis.set(xlim=sorted(edges[:2]), ylim=sorted(edges[2:]), aspect="equal")
        names = ("longitude", "latitude") if unit == "°" else ("x", "y")
        axis.set(xlabel=f"{names[0]} ({unit})", ylabel=f"{names[1]} ({unit})")
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
        to_pixel = self._grid.transform
        return float(to_pixel.a if axis == "x" else to_pixel.e)

    @property
    def _grid(self) -> GeoBox:
        """Where its pixels are.

        Raises:
            ConfigError: none is left, or it lost `spatial_ref`.
        """
        self._require_pixels()
        try:
            return grid_of(self._data)
        except (KeyError, ValueError):
            raise ConfigError(
                "its coordinate `spatial_ref` is lost or altered", remedy="keep it, or open it anew"
            ) from None

    def _require_pixels(self) -> None:
        if not all(self._data.sizes.get(axis) for axis in "yx"):
            raise ConfigError("no rows and columns are left", remedy="select slices of y and x")

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
        from cpazmal_scale.catalog.pixels import series_figure

        said = f"{self._place(y, x)}: {self._said(y, x)}"
        return series_figure(self._pixel(y, x, workspace), self.legend, said)

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

        Dates, band and distance are those of the map where its method aligns each feature with a
        barycenter; of several barycenters the nearest is taken. For other methods it is an
        illustration, as its title says: within the band of one that warps all features together,
        and within as many days as dates of two years may lie apart for one that does not warp.

        Args:
            y: coordinate of the pixel, in the map's CRS.
            x: the same.
            code: class; none: that of the pixel.
            feature: such as `HH.k1`; none: the first.
            workspace: where model and cube are; none: the one the map was opened from.

        Raises:
            ConfigError: as `series`, there is no such class or feature, or the pixel has no class,
                or no valid date, of that feature.
        """
        from cpazmal_scale.catalog.pixels import alignment_of

        own = self.class_at(y, x)
        if code is None and own not in self.legend.classes:
            raise ConfigError(
                f"the pixel at {self._place(y, x)} has no class ({own})",
                remedy=f"name one as `code`: {', '.join(self.legend.classes)}",
            )
        found = self._pixel(y, x, workspace)
        names = found.model.names
        k = _number(feature or names[0], names, "feature")
        c = _number(code or own, found.model.classes, "class")
        return alignment_of(found, c, k, f"{self._place(y, x)}: {self._said(y, x)}")

    @cached_property
    def legend(self) -> Legend:
        """Names, colours, order and glacier of the map's classes.

        Raises:
            ConfigError: it is no map of classes.
        """
        if not self._codes:
            raise ConfigError("no map of classes", remedy="open map_… of the catalog")
        return legend(self._codes, parsed(self._data.attrs.get("legend")))

    @property
    def _codes(self) -> list[str]:
        """Codes of a map's values from 1, whichever classes' probabilities are selected."""
        flags = self._data["class"].attrs if "class" in self._data else {}
        if "flag_meanings" in flags:
            values = zip(flags["flag_values"], str(flags["flag_meanings"]).split(), strict=True)
            return [code for value, code in values if value != REJECTED]
        if "class_name" in self._data.coords and self._data["class_name"].ndim == 1:
            return [str(code) for code in self._data["class_name"].values]
        return []

    def class_at(self, y: float, x: float) -> str:
        """Class code of the pixel around a place in the map's CRS, `rejected` or `no data`.

        Raises:
            ConfigError: the place is outside the map, no pixel of it is left, or it is no map of
                classes.
        """
        names = {**dict(enumerate(self.legend.classes, 1)), REJECTED: "rejected"}
        if "class" not in self._data:
            raise ConfigError("its variable `class` is not there", remedy="open map_… anew")
        self._require_pixels()
        row, column = (self._index(axis, at) for axis, at in (("y", y), ("x", x)))
        if row is None or column is None:
            raise ConfigError(
                f"no pixel at y {y:.9g}, x {x:.9g}",
                remedy="choose a place inside the map, y (north) first",
            )
        at = self._data["class"].isel(y=row, x=column).load()
        value = int(_stored(at).item())
        return names.get(value, "no data")

    def _index(self, axis: str, at: float) -> int | None:
        """The pixel that holds a coordinate, its edges included; none outside."""
        beside = np.abs(self._data[axis].values - at)
        nearest = int(beside.argmin())
        inside = beside[nearest] <= abs(self._pixel_size(axis)) / 2 * (1 + 1e-9)
        return nearest if inside else None

    def _said(self, y: float, x: float) -> str:
        """The class of a pixel, with its name."""
        code = self.class_at(y, x)
        return self.legend.label(code) if code in self.legend.classes else code

    def _place(self, y: float, x: float) -> str:
        """A place in the map's CRS, thousands of metres or feet apart."""
        import pyproj

        crs = pyproj.CRS.from_user_input(str(self._grid.crs))
        if crs.is_geographic:
            return f"y {y:.6f}°, x {x:.6f}°"
        unit = crs.axis_info[0].unit_name.replace("metre", "m")
        return f"y {count(round(y))} {unit}, x {count(round(x))} {unit}"

    @property
    def _colours(self) -> NDArray[np.uint8]:
        """The colour `(256, 3)` of every value."""
        table = np.full((256, 3), rgb(NO_DATA_COLOUR), np.uint8)
        table[REJECTED] = rgb(REJECTED_COLOUR)
        for value, code in enumerate(self.legend.classes, 1):
            table[value] = rgb(self.legend.colours[code])
        return table

    def _handles(self, values: NDArray[np.uint8]) -> list[Any]:
        """The legend's entries: all classes, and what else there is."""
        from matplotlib.patches import Patch

        named = self.legend
        every = [(named.colours[code], named.label(code)) for code in named.order]
        if (values == REJECTED).any():
            every.append((REJECTED_COLOUR, "rejected"))
        if ((values == 0) | ((values > len(named.classes)) & (values != REJECTED))).any():
            every.append((NO_DATA_COLOUR, "no data"))
        return [Patch(color=colour, label=label) for colour, label in every]

    @cached_property
    def _recipe(self) -> Recipe:
        if "recipe" not in self._data.attrs:
            raise ConfigError("no map of classes", remedy="open map_… of the catalog")
        try:
            return Recipe.model_validate_json(self._data.attrs["recipe"])
        except ValueError:
            raise ConfigError(
                "its attribute `recipe` is altered", remedy="keep it, or open it anew"
            ) from None

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
        from cpazmal_scale.catalog.pixels import Pixel
        from cpazmal_scale.cube import open_cube

        model, recipe = self._model(workspace), self._recipe
        cube = open_cube(storage.join(self._workspace(workspace), "cubes", recipe.cube))
        return Pixel.read(cube, model, recipe, y, x)


def _draw_power(
    axis: Axes, power: NDArray[np.floating], name: str, extent: tuple[float, float, float, float]
) -> None:
    """Linear power (y, x) in dB with its bar."""
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = 10 * np.log10(power)
    known = decibels[np.isfinite(decibels)]
    low, high = np.percentile(known, (2, 98)) if known.size else (-30.0, 0.0)
    dark = power <= 0
    share = dark.sum() / max(np.isfinite(power).sum(), 1)
    decibels[dark] = low
    shown = axis.imshow(decibels, extent=extent, cmap="gray", vmin=low, vmax=high)
    told = f"; black also where it is not positive, {100 * share:.2g} %" if dark.any() else ""
    axis.figure.colorbar(shown, ax=axis, label=f"{name} (dB){told}")


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


def _number(name: str, names: tuple[str, ...], what: str) -> int:
    if name not in names:
        raise ConfigError(f"there is no {what} {name}", remedy=f"choose among {', '.join(names)}")
    return names.index(name)
