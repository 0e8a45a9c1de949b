"""All that the page works on: the polygons, the cube, and the map unless it must not be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from affine import Affine

from cpazmal_scale.errors import SampleError
from cpazmal_scale.grid.cf import grid_of, metres
from cpazmal_scale.grid.edges import PixelEdges
from cpazmal_scale.label import means, proposals
from cpazmal_scale.label.places import Places
from cpazmal_scale.legend import Styles, legend

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from cpazmal_scale.config import Features
    from cpazmal_scale.label.layer import Polygon
    from cpazmal_scale.label.layers import Layers
    from cpazmal_scale.label.session import Session


@dataclass
class Desk:
    """What one page works on.

    `cube` is open on the dates to be shown, and `layers` show them; `errors` are the groups that
    decide the errors. `units` says that points are interpreted, not polygons drawn. `session` may
    be another after a save to another file.
    """

    session: Session
    cube: xr.Dataset
    layers: Layers
    errors: Sequence[proposals.Decisive] = ()
    known: Sequence[str] = ()
    """Classes that may be given, beside those that the polygons have."""
    styles: Styles = field(default_factory=dict)
    """What the user says of classes: names and colours."""
    units: bool = False

    @property
    def features(self) -> Features:
        """How windows become features."""
        return self.layers.features

    @cached_property
    def edges(self) -> PixelEdges:
        """Where the cube's pixels are."""
        return PixelEdges(self.cube)

    @cached_property
    def times(self) -> tuple[str, ...]:
        """Of the dates, in UTC, to the minute."""
        return tuple(np.datetime_as_string(self.cube["time"].to_numpy(), unit="m").tolist())

    @cached_property
    def place(self) -> dict[str, Any]:
        """The grid as the page needs it: shape, metres of a pixel, transform."""
        grid = grid_of(self.cube)
        return {
            "shape": list(self.layers.cube.shape),
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

    def series(self, shape: BaseGeometry) -> means.Means:
        """Mean backscatter of the pixels inside a shape (file's CRS), or of a window at a point."""
        if shape.geom_type == "Point":
            column, row = (
                int(np.floor(v)) for v in self.pixels.pixels(*np.array(shape.coords).T)[0]
            )
            where = means.square(row, column, self.features.window, self.layers.cube.shape)
        else:
            where = means.inside(self.edges, self.pixels.on_grid(shape))
        if not len(where[0]):
            raise SampleError("it lies outside the scenes", remedy="draw it on the picture")
        reader, features = self.layers.cube.reader, self.features
        return means.mean_series(reader, where, features.excluded, features.min_valid)

    def close(self) -> None:
        """Give everything back; what is not saved stays in the journal."""
        self.session.close()
        self.layers.cube.close()
        if self.layers.map is not None:
            self.layers.map.close()

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
            if self.layers.map is not None and variable in self.layers.map.data:
                cells = self.layers.coarse(variable)
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
        shown = legend(every, self.styles)
        return [
            {
                "code": code,
                "name": shown.name(code),
                "colour": shown.colours[code],
                "polygons": sum(one.label == code for one in layer),
                "groups": len(layer.groups(code)),
                "few": not self.units and len(layer.groups(code)) < proposals.ENOUGH,
            }
            for code in every
        ]
