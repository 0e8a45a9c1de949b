"""Scenes read by strips of rows onto a grid, whatever the format of their files."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale.config import NOT_VALID
from cpazmal_scale.grid import lattice, warp
from cpazmal_scale.scenes.format import FileReader
from cpazmal_scale.scenes.registry import format_of
from cpazmal_scale.scenes.scene import Scene, SceneFile
from cpazmal_scale.terrain.layers import read_layer

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox


def open_file(file: SceneFile) -> contextlib.AbstractContextManager[FileReader]:
    """A file of a scene, opened by the reader of its format.

    Raises:
        SceneUnreadable: it cannot be opened.
    """
    return format_of(file.format).open(file)


@dataclass(frozen=True)
class _Source:
    """An open file of a scene and where it lies in the grid: top, left, bottom, right."""

    file: SceneFile
    reader: FileReader
    grid: GeoBox
    extent: tuple[int, int, int, int]
    aligned: bool
    sampling: warp.Method

    def meet(self, y0: int, y1: int) -> _Window | None:
        """What of the file lies in rows `y0` to `y1` of the grid; None when nothing does."""
        top, left, bottom, right = self.extent
        rows = slice(max(y0, top), min(y1, bottom))
        columns = slice(max(0, left), min(self.grid.shape[1], right))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return None
        target = slice(rows.start - y0, rows.stop - y0), columns
        if self.aligned:
            here = slice(rows.start - top, rows.stop - top)
            return _Window(here, slice(columns.start - left, columns.stop - left), target, None)
        strip = self.grid[rows, columns]
        needed = warp.source_window(self.file.geobox, strip)
        return None if needed is None else _Window(*needed, target, strip)

    def read(self, window: _Window) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Power (P, h, w) and flags (h, w) on the grid's pixels of a window."""
        power, flags = self.reader.read(window.rows, window.columns)
        if window.strip is None:
            return power, flags
        source = self.file.geobox[window.rows, window.columns]
        if self.sampling == "nearest":
            found = warp.nearest(power, source, window.strip, outside=np.nan)
            return found, warp.nearest(flags, source, window.strip)
        stack = np.empty((len(power), *window.strip.shape), np.float32)
        for channel, values in enumerate(power):
            stack[channel] = warp.area_mean(values, source, window.strip)
        return stack, warp.nearest(flags, source, window.strip)

    def incidence(self, window: _Window) -> NDArray[np.float32] | None:
        """Incidence angles (h, w) on the grid's pixels of a window, if the file holds them."""
        angles = self.reader.incidence(window.rows, window.columns)
        if angles is None or window.strip is None:
            return angles
        source = self.file.geobox[window.rows, window.columns]
        return warp.area_mean(angles, source, window.strip)


class _Window(NamedTuple):
    """Rows and columns of a file, the place in the strip that gets them, and the strip's part of
    the grid where the file has to be resampled onto it.
    """

    rows: slice
    columns: slice
    target: tuple[slice, slice]
    strip: GeoBox | None


class SceneReader:
    """A scene opened for reading by strips onto a grid.

    Files that share the grid's pixel lattice are copied; others are resampled (`scenes.warp`) if
    `resample` is set, else refused.
    """

    def __init__(self, scene: Scene, grid: GeoBox, *, resample: bool = False) -> None:
        self.scene, self.grid, self.resample = scene, grid, resample
        self._stack = contextlib.ExitStack()
        self._sources: list[_Source] = []

    def __enter__(self) -> SceneReader:
        with contextlib.ExitStack() as stack:
            for file in self.scene.files:
                if not self.resample:
                    lattice.offset(file.geobox, self.grid, where=file.url)
                aligned = lattice.difference(file.geobox, self.grid) is None
                extent = lattice.extent(file.geobox, self.grid, where=file.url)
                reader = stack.enter_context(open_file(file))
                how = self.scene.sampling
                self._sources.append(_Source(file, reader, self.grid, extent, aligned, how))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, y0: int, y1: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Rows `y0` to `y1` of the grid.

        Returns:
            Backscatter (P, y1 − y0, W) float32, linear power, NaN for no-data, channels in the
            order of `scene.polarisations`; and mask (y1 − y0, W) uint8 of `MASK_BITS`. Where files
            overlap, backscatter is the mean of the valid ones and mask flags are united.

        Raises:
            SceneUnreadable: a block of a file cannot be decoded.
        """
        shape = (y1 - y0, self.grid.shape[1])
        power = np.full((len(self.scene.polarisations), *shape), np.nan, np.float32)
        count = np.zeros(power.shape, np.uint8)
        flags = np.zeros(shape, np.uint8)
        for source in self._sources:
            window = source.meet(y0, y1)
            if window is None:
                continue
            new, bits = source.read(window)
            np.bitwise_or(flags[window.target], bits, out=flags[window.target])
            for name, values in zip(source.file.polarisations, new, strict=True):
                channel = (self.scene.polarisations.index(name), *window.target)
                self._add(values, power[channel], count[channel])
        if len(self._sources) > 1:
            np.divide(power, count, out=power, where=count > 1)
        nothing = np.isnan(power).all(axis=0)
        # Products tell why; the flags of a raster mean nothing where it has no data.
        told = all(source.file.product is not None for source in self._sources)
        flags[nothing] = NOT_VALID | (flags[nothing] if told else 0)
        return power, flags

    def static(self, layer: str, y0: int, y1: int) -> NDArray[Any] | None:
        """Rows of a layer that is the same on all dates, or None; see `terrain.layers`."""
        if layer == "incidence":
            return self.incidence(y0, y1)
        for source in self._sources:
            product = source.file.product
            if source.aligned and product is not None and product.ground:
                rows, columns = slice(y0, y1), slice(0, self.grid.shape[1])
                return read_layer(product.ground, self.grid, rows, columns, layer)
        return None

    def incidence(self, y0: int, y1: int) -> NDArray[np.float32] | None:
        """Incidence angles in degrees of rows `y0` to `y1`, (y1 − y0, W) float32, NaN unknown.

        None where no file of the scene has any. Where files overlap, the first one counts.

        Raises:
            SceneUnreadable: a block of a file cannot be decoded.
        """
        angles = None
        for source in self._sources:
            window = source.meet(y0, y1)
            new = None if window is None else source.incidence(window)
            if window is None or new is None:
                continue
            if angles is None:
                angles = np.full((y1 - y0, self.grid.shape[1]), np.nan, np.float32)
            here = angles[window.target]
            np.copyto(here, new, where=np.isnan(here))
        return angles

    def _add(
        self, new: NDArray[np.float32], power: NDArray[np.float32], count: NDArray[np.uint8]
    ) -> None:
        """Add one file's values to the sums and counts of the strip, in place."""
        if len(self._sources) == 1:
            power[:] = new
            return
        here = ~np.isnan(new)
        np.copyto(power, np.where(count > 0, power + new, new), where=here)
        count += here


def read(
    scene: Scene, grid: GeoBox, rows: tuple[int, int], *, resample: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Rows of a grid from a scene; see `SceneReader.read`."""
    with SceneReader(scene, grid, resample=resample) as reader:
        return reader.read(*rows)
