"""A finished map as input: its values, region by region, its recipe and its grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import GridMismatch, ModelMismatch
from cpazmal_scale.grid.areas import PixelAreas, pixel_areas
from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.grid.cf import grid_of
from cpazmal_scale.grid.outlines import (
    MapGrid,
    Outlines,
    known_outlines,
)
from cpazmal_scale.mapping.classify.pixels import blank_of
from cpazmal_scale.mapping.classify.recipe import Recipe
from cpazmal_scale.mapping.classify.store import REMEDY, SHARES, open_map, read_recipe
from cpazmal_scale.storage import groups, seal

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from cpazmal_scale.grid.blocks import Block


@dataclass(frozen=True, eq=False)
class Source:
    """An open map on its grid."""

    url: str
    id: str
    recipe: Recipe
    grid: MapGrid
    group: zarr.Group

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        height, width = self.grid.geobox.shape
        return height, width

    @property
    def chunk(self) -> int:
        """Edge of a chunk in pixels."""
        return self.grid.chunk

    def read(self, name: str, block: Block, halo: int = 0) -> NDArray[Any]:
        """A variable in a block and `halo` pixels around it: (…, h + 2·halo, w + 2·halo).

        Values are as stored; outside the grid they say no data.
        """
        array: Any = self.group[name]
        height, width = self.shape
        top, left = max(block.y0 - halo, 0), max(block.x0 - halo, 0)
        bottom, right = min(block.y1 + halo, height), min(block.x1 + halo, width)
        inner = array[..., top:bottom, left:right]
        if halo == 0:
            return np.asarray(inner)
        size = (block.y1 - block.y0 + 2 * halo, block.x1 - block.x0 + 2 * halo)
        whole = np.full((*inner.shape[:-2], *size), array.fill_value, inner.dtype)
        y, x = top - block.y0 + halo, left - block.x0 + halo
        whole[..., y : y + bottom - top, x : x + right - left] = inner
        return whole

    @property
    def of_change(self) -> bool:
        """Whether it is a map of change."""
        return "change" in self.group

    def at(self, name: str, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[Any]:
        """(n) values of a flat variable, as stored, at n pixels of the grid."""
        array: Any = self.group[name]
        return np.asarray(array.vindex[rows, columns])

    def products(self, block: Block) -> dict[str, NDArray[Any]]:
        """All variables of a map in a block."""
        return {name: self.read(name, block) for name in blank_of(self.recipe, 1, 1)}

    @property
    def shares(self) -> NDArray[np.float64] | None:
        """(C,) shares of the ground that its probabilities suppose; none: not known."""
        held: Any = self.group.attrs.get(SHARES)
        return np.asarray(held, np.float64) if held else None

    @cached_property
    def areas(self) -> PixelAreas:
        """Ground areas of its pixels."""
        return pixel_areas(self.grid.geobox)


def open_source(url: str, *, of_change: bool = False) -> Source:
    """Open a finished map, once per process and again when it is replaced.

    Args:
        url: of the map.
        of_change: whether it may be a map of change, whose classes are transitions and have no
            probabilities.

    Raises:
        StoreMissing: there is none.
        StoreDamaged: it is not what was written.
        StoreError: it is not finished.
        ModelMismatch: it is a map of change, and may not be one.
    """
    source = _open(url, storage.stamp(storage.join(url, groups.ROOT)))
    if source.of_change and not of_change:
        raise ModelMismatch(
            "it is a map of change and has no probabilities of classes",
            where=url,
            remedy="give a map of classes",
        )
    return source


@lru_cache(maxsize=16)
def _open(url: str, stamp: str) -> Source:  # noqa: ARG001 - part of the key
    import zarr

    from cpazmal_scale.storage import stores

    data = open_map(url)
    store = stores.open_checked(url, REMEDY)
    with seal.parsing("the map is damaged", url, REMEDY):
        return Source(
            url=url,
            id=str(data.attrs["id"]),
            recipe=read_recipe(url),
            grid=MapGrid(grid_of(data), max(int(n) for n in data["class"].encoding["chunks"])),
            group=zarr.open_group(store, mode="r", use_consolidated=True),
        )


def check_probabilities(sources: Sequence[Source]) -> None:
    """Check that maps have probabilities.

    Raises:
        ModelMismatch: those of a map are withheld.
    """
    for source in sources:
        if source.recipe.withheld:
            raise ModelMismatch(
                f"it has no probabilities: {source.recipe.withheld}",
                where=source.url,
                remedy="use a modal filter (after.modal), or a map whose probabilities are "
                "calibrated",
            )


def check_alike(sources: Sequence[Source]) -> None:
    """Check that maps share grid and classes.

    Raises:
        GridMismatch: another CRS, transform or shape.
        ModelMismatch: other classes, or in another order.
    """
    first = sources[0]
    for other in sources[1:]:
        for name, here, there in _grids(first, other):
            if here != there:
                raise GridMismatch(
                    f"its {name} is {there}, that of map {first.id} {here}",
                    where=other.url,
                    remedy="map both from cubes of one grid: ingest both with the same ingest.grid "
                    "and ingest.area, rasters with ingest.resample",
                )
        if other.recipe.classes != first.recipe.classes:
            raise ModelMismatch(
                f"its classes are {', '.join(other.recipe.classes)}, those of map {first.id} "
                f"{', '.join(first.recipe.classes)}",
                where=other.url,
                remedy="train both models on the same samples.classes",
            )


def _grids(first: Source, other: Source) -> list[tuple[str, object, object]]:
    import pyproj

    one, two = first.grid.geobox, other.grid.geobox
    here, there = (pyproj.CRS.from_user_input(str(grid.crs)) for grid in (one, two))
    names = (here.name, here.name if here == there else there.name)
    return [
        ("CRS", *names),
        ("shape", first.shape, other.shape),
        ("transform", one.transform.to_gdal(), two.transform.to_gdal()),
    ]


def open_outlines(url: str, map_url: str, zone: str | None, digest: str) -> Outlines:
    """Outlines of known shapes, read once per process and again when file or map are replaced.

    Raises:
        SampleError: the file holds other shapes now.
    """
    stamps = (storage.stamp(url), storage.stamp(storage.join(map_url, groups.ROOT)))
    return _outlines(url, map_url, zone, digest, stamps)


@lru_cache(maxsize=4)
def _outlines(
    url: str,
    map_url: str,
    zone: str | None,
    digest: str,
    stamps: tuple[str, str],  # noqa: ARG001 - part of the key
) -> Outlines:
    return known_outlines(url, open_source(map_url, of_change=True).grid, zone, digest)
