"""Corners of polygons on the page, in pixels of the cube, and in the file, in its own CRS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    from affine import Affine
    from numpy.typing import NDArray
    from pyproj import Transformer

    from cpazmal_scale.label.edits import Ring, Shape


@dataclass(frozen=True, eq=False)
class Places:
    """Where pixels are in a file's CRS; columns count to the right, rows downwards, from 0."""

    transform: Affine
    to_file: Transformer | None
    to_grid: Transformer | None

    @classmethod
    def between(cls, transform: Affine, grid_crs: str, file_crs: str) -> Places:
        """The way between a grid's pixels and a CRS.

        Raises:
            pyproj.exceptions.ProjError: there is none.
        """
        import pyproj

        grid, file = (pyproj.CRS.from_user_input(crs) for crs in (grid_crs, file_crs))
        if grid.equals(file, ignore_axis_order=True):
            return cls(transform, None, None)
        make = pyproj.Transformer.from_crs
        return cls(transform, make(grid, file, always_xy=True), make(file, grid, always_xy=True))

    def pixels(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 2) columns and rows of places in the file's CRS; infinite where there are none."""
        if self.to_grid is not None:
            x, y = self.to_grid.transform(x, y)
        return _applied(~self.transform, np.asarray(x), np.asarray(y))

    def coordinates(self, corners: Ring) -> list[list[float]]:
        """Places (x, y) in the file's CRS of columns and rows."""
        columns, rows = np.asarray(corners, np.float64).reshape(-1, 2).T
        places = _applied(self.transform, columns, rows)
        if self.to_file is not None:
            places = np.stack(self.to_file.transform(*places.T), axis=-1)
        found: list[list[float]] = places.tolist()
        return found

    def on_grid(self, shape: Any) -> Any:
        """A shape in the grid's own CRS, for what is read from the cube."""
        if self.to_grid is None:
            return shape
        return shapely.transform(shape, self.to_grid.transform, interleaved=False)

    def shown(self, shape: Any) -> list[list[list[list[float]]]]:
        """A polygon or multipolygon as the page has it: polygons of rings of (column, row)."""
        return [
            [self.pixels(*np.array(ring.coords)[:, :2].T).tolist() for ring in _rings(polygon)]
            for polygon in shapely.get_parts(shape)
        ]

    def drawn(self, shown: Shape, before: Any = None) -> list[list[list[list[float]]]]:
        """A shape of the page in the file's CRS.

        Corners that are where a corner of the shape `before` was shown keep its coordinates to the
        last bit.
        """
        known: dict[tuple[float, float], list[float]] = {}
        if before is not None:
            corners = shapely.get_coordinates(before)
            for pixel, corner in zip(
                self.pixels(*corners.T).tolist(), corners.tolist(), strict=True
            ):
                known[tuple(pixel)] = corner
        return [[self._ring(ring, known) for ring in rings] for rings in shown]

    def _ring(self, ring: Ring, known: dict[tuple[float, float], list[float]]) -> list[list[float]]:
        new = self.coordinates(ring)
        return [known.get((c[0], c[1]), place) for c, place in zip(ring, new, strict=True)]


def _applied(
    transform: Affine, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(…, 2) places that a transform gives."""
    a, b, c, d, e, f = transform[:6]
    return np.stack([a * x + b * y + c, d * x + e * y + f], axis=-1)


def _rings(polygon: Any) -> Sequence[Any]:
    return [polygon.exterior, *polygon.interiors]
