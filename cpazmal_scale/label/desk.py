"""All that the page works on: the polygons, the cube, and the map unless it must not be seen."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from affine import Affine

from cpazmal_scale.config import identity
from cpazmal_scale.errors import ConfigError, SampleError, StoreMissing
from cpazmal_scale.features import names
from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.grid.cf import grid_of, metres
from cpazmal_scale.grid.edges import PixelEdges
from cpazmal_scale.label import means, proposals, rasters
from cpazmal_scale.label.places import Places
from cpazmal_scale.label.shown import Stretch, class_picture, stretch
from cpazmal_scale.label.tiles import Overviews, tile
from cpazmal_scale.palette import colours

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from cpazmal_scale.config import Features
    from cpazmal_scale.cube import ChunkReader
    from cpazmal_scale.label.layer import Polygon
    from cpazmal_scale.label.session import Session
    from cpazmal_scale.mapping import Source

CHIP = 48
"""Edge of a chip in pixels."""
ON_THE_MAP = {"class": "map", "entropy": "map: entropy", "distance": "map: distance"}
_FIXED = {"entropy": (0.0, 1.0)}


@dataclass
class Desk:
    """What one page works on.

    `cube` is open on the dates to be shown and `reader` reads them; `source` is the map, None where
    there is none or nobody may see it; `errors` the groups that decide the errors. `units` says
    that points are interpreted, not polygons drawn. `session` may be another after a save to
    another file.
    """

    session: Session
    cube: xr.Dataset
    reader: ChunkReader
    features: Features
    overviews: Overviews
    source: Source | None = None
    errors: Sequence[proposals.Decisive] = ()
    known: Sequence[str] = ()
    """Classes that may be given, beside those that the polygons have."""
    units: bool = False
    _stretches: dict[str, Stretch] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def edges(self) -> PixelEdges:
        """Where the cube's pixels are."""
        return PixelEdges(self.cube)

    @property
    def polarisations(self) -> tuple[str, ...]:
        """Those that are read."""
        return self.reader.layers[:-1]

    @cached_property
    def times(self) -> tuple[str, ...]:
        """Of the dates, in UTC, to the minute."""
        return tuple(np.datetime_as_string(self.cube["time"].to_numpy(), unit="m").tolist())

    @cached_property
    def statistics(self) -> tuple[str, ...]:
        """Names of the features."""
        return names(self.polarisations, self.features.xpol, self.features.statistics)

    @cached_property
    def place(self) -> dict[str, Any]:
        """The grid as the page needs it: shape, metres of a pixel, transform."""
        grid = grid_of(self.cube)
        return {
            "shape": list(self.reader.shape),
            "metres": list(metres(grid)),
            "transform": list(grid.transform.to_gdal()),
        }

    @cached_property
    def ground(self) -> Places:
        """Coordinates of the page, metres to the right and up, in the file's CRS."""
        tall, wide = self.place["metres"]
        return self._between(Affine.scale(1 / wide, -1 / tall))

    @cached_property
    def pixels(self) -> Places:
        """Columns and rows in the file's CRS."""
        return self._between(Affine.identity())

    def _between(self, onto: Affine) -> Places:
        grid = grid_of(self.cube)
        return Places.between(grid.transform * onto, str(grid.crs), self.session.crs)

    def series(self, shape: Any) -> means.Means:
        """Mean backscatter of the pixels inside a shape (file's CRS), or of a window at a point."""
        if shape.geom_type == "Point":
            column, row = (
                int(np.floor(v)) for v in self.pixels.pixels(*np.array(shape.coords).T)[0]
            )
            where = means.square(row, column, self.features.window, self.reader.shape)
        else:
            where = means.inside(self.edges, self.pixels.on_grid(shape))
        if not len(where[0]):
            raise SampleError("it lies outside the scenes", remedy="draw it on the picture")
        return means.mean_series(
            self.reader, where, self.features.excluded, self.features.min_valid
        )

    def tile(self, layer: str, date: int, step: int, row: int, column: int) -> bytes:
        """A picture of 256 × 256 cells, each of step × step pixels."""
        raster = self._raster(layer, date)
        return self._picture(layer, tile(raster, self.overviews, step, row, column))

    def chip(self, layer: str, date: int, row: int, column: int) -> bytes:
        """A picture of the pixels around one, north up."""
        if layer in ON_THE_MAP:
            raise ConfigError("chips show scenes", remedy="ask for a polarisation")
        half = CHIP // 2
        raster = self._raster(layer, date)
        block = Block(row - half, row + half, column - half, column + half)
        return self._picture(layer, raster.read(block))

    def proposed(self) -> dict[str, Any]:
        """Where a label helps most, and which polygons get in each other's way."""
        layer = self.session.layer
        shapes = [self._in_pixels(polygon) for polygon in layer]
        found: dict[str, Any] = {
            "near": proposals.near(layer, shapes, self.features.window),
            "overlapping": proposals.overlapping(layer, shapes),
            "errors": [one._asdict() for one in self.errors],
            "uncertain": [],
            "far": [],
        }
        for reason, variable in (("uncertain", "entropy"), ("far", "distance")):
            if self.source is not None:
                cells = self.overviews.of(self._raster(variable, 0))
                found[reason] = [p._asdict() for p in proposals.highest(cells, shapes)]
        return found

    def _in_pixels(self, polygon: Polygon) -> Any:
        return shapely.transform(polygon.shape, self._to_pixels)

    def _to_pixels(self, corners: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.pixels.pixels(corners[:, 0], corners[:, 1])

    def classes(self) -> list[dict[str, Any]]:
        """Every class with its colour, polygons and groups, and whether these are too few."""
        layer = self.session.layer
        there = {one.label for one in layer if one.label}
        every = sorted({*self.known, *there})
        shades: Mapping[str, str] = colours(every)
        return [
            {
                "code": code,
                "colour": shades[code],
                "polygons": sum(one.label == code for one in layer),
                "groups": len(layer.groups(code)),
                "few": not self.units and len(layer.groups(code)) < proposals.ENOUGH,
            }
            for code in every
        ]

    def _raster(self, layer: str, date: int) -> rasters.Raster:
        if layer in ON_THE_MAP:
            if self.source is None:
                raise StoreMissing("there is no map here", remedy="run `cpazmal map` first")
            return rasters.Mapped(identity("map", self.source.id, layer), self.source, layer)
        if not 0 <= date < len(self.times):
            raise ConfigError(f"there is no date {date}", remedy="load the page again")
        one = self.cube.isel(time=date)
        content = [str(one[name].item()) for name in ("scene_id", "source_sha256", "polarisations")]
        place = [self.place["transform"], self.place["shape"], *content]
        if layer in self.polarisations:
            reader = rasters.of_date(self.reader, (layer,), date)
            return rasters.Backscatter(identity("power", layer, *place), reader)
        if layer not in self.statistics:
            raise ConfigError(f"there is no layer {layer}", remedy="load the page again")
        reader = rasters.of_date(self.reader, self.polarisations, date)
        name = identity("feature", layer, self.features, *self.polarisations, *place)
        return rasters.Feature(name, reader, self.features, self.statistics.index(layer))

    def _picture(self, layer: str, values: NDArray[np.float32]) -> bytes:
        if layer == "class":
            assert self.source is not None
            shades = colours(self.source.recipe.classes)
            return class_picture(values, list(shades.values()))
        return self._stretch(layer).picture(values)

    def _stretch(self, layer: str) -> Stretch:
        """The same for all dates, so that they can be compared: that of the middle date."""
        with self._guard:
            if layer in self._stretches:
                return self._stretches[layer]
        if layer in _FIXED:
            found = Stretch(*_FIXED[layer], decibel=False, warm=True)
        else:
            raster = self._raster(layer, self.middle(layer))
            found = stretch(self.overviews.of(raster), decibel=layer in self.polarisations)
            found = found._replace(warm=layer in ON_THE_MAP)
        with self._guard:
            self._stretches[layer] = found
        return found

    def middle(self, layer: str) -> int:
        """The date in the middle of those that have what a layer is made of."""
        channel = next((p for p in self.polarisations if layer.startswith(p)), "")
        sent = self.cube["polarisations"].to_numpy().tolist()
        dates = [i for i, text in enumerate(sent) if channel in str(text).split("+")]
        return dates[len(dates) // 2] if dates else len(self.times) // 2
