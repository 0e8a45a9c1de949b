"""Where a cube's pixels and whole windows lie in its CRS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import SampleError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

_COARSEST = 64
"""Edge in pixels of the squares that are tried first."""
_ALMOST = 1e-6
"""Share of a pixel by which a window may overlap its polygon's edge: rounding of coordinates."""


class PixelEdges:
    """Pixel edges of a cube in its own CRS."""

    def __init__(self, cube: xr.Dataset) -> None:
        import rioxarray  # noqa: F401
        import shapely

        self.crs = cube.rio.crs
        if self.crs is None:
            raise SampleError(
                "the cube has no CRS",
                where=cube.attrs.get("beam"),
                remedy="ingest the scenes again",
            )
        self.height, self.width = cube.sizes["y"], cube.sizes["x"]
        y, x = cube["y"].to_numpy(), cube["x"].to_numpy()
        self.dy = (y[-1] - y[0]) / max(1, self.height - 1)
        self.dx = (x[-1] - x[0]) / max(1, self.width - 1)
        self.top, self.left = y[0] - self.dy / 2, x[0] - self.dx / 2
        bottom, right = self.top + self.height * self.dy, self.left + self.width * self.dx
        self.bounds = shapely.box(self.left, min(self.top, bottom), right, max(self.top, bottom))

    def windows_inside(
        self, shape: Any, size: int, stride: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Top-left pixels of the windows of `shape`'s own grid that it covers wholly."""
        import shapely

        shape = shapely.intersection(shape, self.bounds)
        if shape.is_empty:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        west, south, east, north = shape.bounds
        rows = sorted(((north - self.top) / self.dy, (south - self.top) / self.dy))
        columns = sorted(((west - self.left) / self.dx, (east - self.left) / self.dx))
        ys, xs = (
            np.arange(np.ceil(low - _ALMOST), np.floor(high + _ALMOST) - size + 1, stride)
            for low, high in (rows, columns)
        )
        shapely.prepare(shape)
        found: list[NDArray[np.int64]] = [np.zeros((0, 2), np.int64)]
        for y in ys:
            edge_y = self.top + np.array([y + _ALMOST, y + size - _ALMOST]) * self.dy
            west_edges = self.left + (xs + _ALMOST) * self.dx
            east_edges = self.left + (xs + size - _ALMOST) * self.dx
            boxes = shapely.box(west_edges, edge_y.min(), east_edges, edge_y.max())
            inside = xs[shapely.covers(shape, boxes)]
            found.append(np.stack([np.full(len(inside), y), inside], 1).astype(np.int64))
        corners = np.concatenate(found)
        return corners[:, 0], corners[:, 1]

    def pixels_inside(self, shape: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of the pixels that `shape` covers wholly.

        Squares of pixels that it covers or does not touch are decided at once, the others split.
        """
        import shapely

        none = np.zeros(0, np.int64)
        shape = shapely.intersection(shape, self.bounds)
        if shape.is_empty:
            return none, none
        west, south, east, north = shape.bounds
        rows = sorted(((north - self.top) / self.dy, (south - self.top) / self.dy))
        columns = sorted(((west - self.left) / self.dx, (east - self.left) / self.dx))
        ys, xs = (
            np.arange(np.floor(low), np.ceil(high), _COARSEST) for low, high in (rows, columns)
        )
        squares = np.stack(np.meshgrid(ys, xs, indexing="ij"), -1).reshape(-1, 2).astype(np.int64)
        shapely.prepare(shape)
        found, edge = [np.zeros((0, 2), np.int64)], _COARSEST
        while edge:
            boxes = self._boxes(squares, edge)
            inside = shapely.covers(shape, boxes)
            found.append(_split(squares[inside], edge, 1))
            rest = squares[~inside & shapely.intersects(shape, boxes)]
            squares, edge = _split(rest, edge, max(1, edge // 2)), edge // 2
        every = np.concatenate(found)
        return every[:, 0], every[:, 1]

    def _boxes(self, corners: NDArray[np.int64], edge: int) -> Any:
        """Squares of pixels, a hair smaller than they are."""
        import shapely

        low, high = corners + _ALMOST, corners + edge - _ALMOST
        ys = self.top + np.stack([low[:, 0], high[:, 0]]) * self.dy
        xs = self.left + np.stack([low[:, 1], high[:, 1]]) * self.dx
        return shapely.box(xs.min(0), ys.min(0), xs.max(0), ys.max(0))


def _split(corners: NDArray[np.int64], edge: int, into: int) -> NDArray[np.int64]:
    """Corners of the smaller squares that make up squares."""
    steps = np.arange(0, edge, into)
    parts = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(1, -1, 2)
    return np.asarray((corners[:, None] + parts).reshape(-1, 2))
