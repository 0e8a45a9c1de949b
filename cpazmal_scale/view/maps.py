"""A map on the screen: its layers at any scale, and what it says of a pixel."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import ConfigError, StoreError
from cpazmal_scale.grid.cf import grid_of
from cpazmal_scale.mapping import (
    OVERVIEWS,
    Recipe,
    about,
    mean_levels,
    mean_shares,
    open_map,
    read_recipe,
)
from cpazmal_scale.palette import REJECTED as REJECTED_COLOUR
from cpazmal_scale.view.paint import Ramp, class_table, picture, ramp_table
from cpazmal_scale.view.pyramid import Pyramid, Ready
from cpazmal_scale.view.reduce import commonest
from cpazmal_scale.vocabulary import NO_DATA, REJECTED

if TYPE_CHECKING:
    import xarray as xr
    import zarr
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    from cpazmal_scale.view.cache import Held

RAMPS: dict[str, Ramp] = {
    "margin": "viridis",
    "entropy": "magma",
    "change": "magma",
    "probability": "viridis",
}
_AT_ONCE = (4, 32)
"""Chunks that are read at the same time: files, and objects of a remote store."""
MOST_BYTES = 1 << 28
"""A decoded chunk of a map has no more."""


@dataclass(frozen=True)
class Made:
    """Where a map's cube and model are; none where they are not."""

    cube: str | None = None
    model: str | None = None

    @classmethod
    def beside(cls, map_url: str, recipe: Recipe) -> Made:
        """In the workspace that holds the map, as far as they are there."""
        root = map_url.rstrip("/").rpartition("/")[0].rpartition("/")[0]
        cube = storage.join(root, "cubes", recipe.cube)
        model = storage.join(root, "models", f"{recipe.model}.zarr")
        found = [url if storage.exists(url) else None for url in (cube, model)]
        return cls(*found)


@dataclass(frozen=True, eq=False)
class ShownMap:
    """A finished map, read chunk by chunk."""

    url: str
    data: xr.Dataset
    recipe: Recipe
    grid: GeoBox
    colours: Mapping[int, str]
    group: zarr.Group
    held: Held
    pool: ThreadPoolExecutor

    @classmethod
    def open(cls, url: str, held: Held) -> ShownMap:
        """Open a finished map.

        Args:
            url: of the map.
            held: keeps what was decoded last.

        Raises:
            StoreMissing: there is none.
            StoreDamaged: it is not what was written.
            StoreError: it is not finished, or its chunks are too large to be shown.
        """
        import zarr

        from cpazmal_scale.storage import stores

        data, recipe = open_map(url), read_recipe(url)
        for name in layers_of(data):
            size = math.prod(data[name].encoding["chunks"]) * data[name].dtype.itemsize
            if size > MOST_BYTES:
                raise StoreError(
                    f"a chunk of {name} has {size / 2**20:.0f} MiB",
                    where=url,
                    remedy="map again with the program's own chunks",
                )
        store = stores.open_checked(url, "remove it and map again")
        pool = ThreadPoolExecutor(_AT_ONCE[storage.is_remote(url)], "view-map")
        group = zarr.open_group(store, mode="r", use_consolidated=True)
        colours = {
            c["value"]: c["colour"]
            for c in about(data, recipe, None, defaultdict(float))["classes"]
        }
        colours = {REJECTED: REJECTED_COLOUR, **colours}
        grid = grid_of(data)
        return cls(url, data, recipe, grid, colours, group, held, pool)

    def close(self) -> None:
        """Give up what is being read."""
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.data.close()

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, as `tile` takes them."""
        return layers_of(self.data)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.data.sizes["y"]), int(self.data.sizes["x"])

    def tile(
        self, layer: str, place: tuple[int, int, int], *, index: int = 0, hidden: Collection[int]
    ) -> bytes:
        """A PNG of EDGE × EDGE cells of a layer; transparent where there is no data.

        Args:
            layer: `class`, `probability`, `entropy`, `margin` or `change`.
            place: level (cells of 2^level pixels), row and column of the tile.
            index: which class, of a probability.
            hidden: values of classes that are not drawn.

        Raises:
            ConfigError: there is no such layer or class.
            StoreDamaged: a chunk is not what was written.
        """
        if layer not in self.layers or not 0 <= index < len(self.recipe.classes):
            raise ConfigError(f"the map has no layer {layer} {index}", where=self.url)
        cells = self.pyramid(layer).tile(*place)
        if layer == "class":
            return picture(cells, class_table(self.colours, hidden))
        values = cells[index] if cells.ndim > 2 else cells
        return picture(values, ramp_table(RAMPS[layer]))

    def at(self, row: int, column: int) -> dict[str, Any]:
        """What the map says of a pixel: class value, probabilities (C), entropy, margin.

        Shares are fractions, none without data.

        Raises:
            StoreDamaged: a chunk is not what was written.
        """
        found: dict[str, Any] = {}
        for name in self.layers:
            edge = self._edge(name)
            chunk = self._chunk(name, row // edge, column // edge)
            values = chunk[..., row % edge, column % edge]
            if name == "class":
                found[name] = int(values)
            else:
                shares = np.where(values == np.iinfo(values.dtype).max, np.nan, values * 1e-4)
                found[name] = shares.tolist()
        return found

    def _edge(self, name: str) -> int:
        return int(max(self.data[name].encoding["chunks"][-2:]))

    def pyramid(self, name: str) -> Pyramid:
        """A variable of the map in cells of any power of two, as the page shows it."""
        count = partial(commonest, _values(self.recipe))
        reduce, again = (count, count) if name == "class" else (mean_shares, mean_levels)
        blank = np.full(self.data[name].shape[:-2], NO_DATA, np.uint8)
        read = partial(self._chunk, name)
        edge = self._edge(name)
        return Pyramid(
            (self.url, name), self.shape, edge, read, reduce, again, blank, self.held, self.pool,
            self._ready(name),
        )  # fmt: skip

    def _ready(self, name: str) -> tuple[Ready, ...]:
        """The map's own overviews of a layer, finest first."""
        flat, found = self.data[name].ndim == 2, []
        for member in OVERVIEWS:
            if member not in self.group:
                continue
            array: Any = self.group[member]
            place = array.attrs["layers"].get(name)
            if place is not None:
                layers = place[0] if flat else slice(*place)
                read = partial(self._cells, member, layers)
                found.append(Ready(array.attrs["step"], read))
        return tuple(found)

    def _cells(self, member: str, layers: int | slice, row: int, column: int) -> NDArray[Any]:
        """Some layers of the cells of a chunk of the map; chunks of an overview are kept whole."""
        array: Any = self.group[member]
        side = -(-self._edge("class") // array.attrs["step"])
        (down, across), (y, x) = array.chunks[-2:], (row * side, column * side)
        top, left = y - y % down, x - x % across

        def read() -> NDArray[Any]:
            return np.asarray(array[:, top : top + down, left : left + across])

        found = self.held.get((self.url, member, top, left), read)
        assert found is not None
        y, x = y - top, x - left
        return found[layers, y : y + side, x : x + side].copy()

    def _chunk(self, name: str, row: int, column: int) -> NDArray[Any]:
        def read() -> NDArray[Any]:
            edge, array = self._edge(name), self.group[name]
            y, x = row * edge, column * edge
            return np.asarray(array[..., y : y + edge, x : x + edge])  # type: ignore[index]

        found = self.held.get((self.url, name, row, column), read)
        assert found is not None
        return found


def _values(recipe: Recipe) -> list[int]:
    return [*range(1, len(recipe.classes) + 1), REJECTED]


def layers_of(data: xr.Dataset) -> tuple[str, ...]:
    """The variables of a map that are shown."""
    return tuple(name for name in ("class", *RAMPS) if name in data)
