"""Polygons of a simulated world as the chips of a dataset, without a file between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.config import NOT_VALID
from cpazmal_scale.published.chips import Group, Orbit, Series
from cpazmal_scale.simulate.given import tables
from cpazmal_scale.simulate.ground import polygons
from cpazmal_scale.simulate.ground.grids import over_massif
from cpazmal_scale.simulate.ground.world import Block, ground_block, make_world
from cpazmal_scale.simulate.passes import imaging

if TYPE_CHECKING:
    from affine import Affine
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from cpazmal_scale.simulate.given.tables import Acquisition


class SimulatedChips:
    """`Chips` of the polygons that a campaign of this seed and size has, one beam, in memory."""

    def __init__(
        self,
        seed: int,
        size: int = 1536,
        beam: str = "DSC37",
        polarisations: Sequence[str] = ("HH",),
        among: Sequence[str] = (),
    ) -> None:
        """Make the world; no pass is flown yet.

        Args:
            seed: of the campaign.
            size: edge of the area in pixels of the authors' grid.
            beam: viewing geometry, one of `simulate.given.tables.beams()`.
            polarisations: channels wanted.
            among: beams of the campaign, this one with them, that all see the polygons, the first
                one best; none: this beam alone.
        """
        self.beam = beam
        self.world = make_world(over_massif("authors", (size, size)), seed, tuple(among) or (beam,))
        self.groups: dict[str, Group] = {}
        self._shapes: dict[str, BaseGeometry] = {}
        drawn = polygons.draw(self.world)
        for number, row in enumerate(drawn.itertuples(), 1):
            label, name, shape = str(row[1]), str(row[2]), row.geometry
            place = shape.representative_point()
            self.groups[name] = Group(
                name, label, name[3:], number, place.y, place.x, np.nan, np.nan, np.nan
            )
            self._shapes[name] = shape
        self.groups = dict(sorted(self.groups.items()))
        passes = [one for one in tables.calendar() if one.beam == beam]
        self._passes = {
            channel: tuple(one for one in passes if channel in one.polarisations)
            for channel in polarisations
        }
        self.series = tuple(
            self._series(name, channel) for name in self.groups for channel in sorted(self._passes)
        )
        self._block: tuple[str, Block, NDArray[np.bool_]] | None = None

    def read(self, series: Series, date: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Power (H, W), linear, NaN outside the polygon and the swath; and mask (H, W)."""
        block, inside = self._ground(series)
        acquisition = self._passes[series.polarisation][date]
        power = imaging.image(self.world, block, acquisition, series.polarisation)
        mask = block.masks[self.beam].copy()
        outside = ~inside | (power == imaging.NODATA)
        power[outside], mask[outside] = np.nan, NOT_VALID
        return power, mask

    def _ground(self, series: Series) -> tuple[Block, NDArray[np.bool_]]:
        """The ground of a group's chip, and its pixels; the last one is kept."""
        from rasterio.features import rasterize

        if self._block is None or self._block[0] != series.group:
            row, column = self._corner(series.group)
            block = ground_block(self.world, row, column, *series.shape)
            shapes = [(self._shapes[series.group], 1)]
            inside = rasterize(shapes, series.shape, transform=series.transform) > 0
            self._block = series.group, block, inside
        return self._block[1], self._block[2]

    def _corner(self, group: str) -> tuple[int, int]:
        left, _, _, top = self._shapes[group].bounds
        grid = self.world.grid
        row, column = (grid.top - top) / grid.resolution, (left - grid.left) / grid.resolution
        return int(np.floor(row)), int(np.floor(column))

    def _series(self, group: str, channel: str) -> Series:
        from affine import Affine

        grid, (row, column) = self.world.grid, self._corner(group)
        _, bottom, right, _ = self._shapes[group].bounds
        shape = (
            int(np.ceil((grid.top - bottom) / grid.resolution)) - row,
            int(np.ceil((right - grid.left) / grid.resolution)) - column,
        )
        place: Affine = Affine(grid.resolution, 0, grid.left, 0, -grid.resolution, grid.top)
        passes: tuple[Acquisition, ...] = self._passes[channel]
        orbit: Orbit = tables.beams()[self.beam].pass_direction
        return Series(
            group=group,
            orbit=orbit,
            polarisation=channel,
            shape=shape,
            dates=tuple(f"{one.start:%Y%m%d}" for one in passes),
            beams=tuple(self.beam for _ in passes),
            passes=tuple(orbit for _ in passes),
            angles=np.array([one.incidence_angle for one in passes], np.float32),
            resolution_range=np.array([one.resolution_range for one in passes], np.float32),
            resolution_azimuth=np.array([one.resolution_azimuth for one in passes], np.float32),
            transform=place * Affine.translation(column, row),
            crs=grid.crs,
        )
