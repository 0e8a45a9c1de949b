"""Scenes read by strips of rows onto a grid, whatever the format of their files."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cpazmal_scale.config import NOT_VALID
from cpazmal_scale.scenes import lattice
from cpazmal_scale.scenes.geotiff import open_geotiff
from cpazmal_scale.scenes.scene import Scene, SceneFile

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox


class FileReader(Protocol):
    """One open file of a scene."""

    def read(self, rows: slice, columns: slice) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """A window of the file's own grid.

        Returns:
            Linear power (P, h, w) float32 in the order of the file's polarisations, NaN for
            no-data; and `MASK_BITS` flags (h, w) uint8, 0 where no polarisation is valid.
        """


def open_file(file: SceneFile) -> contextlib.AbstractContextManager[FileReader]:
    """A file of a scene, opened by the reader of its format.

    Raises:
        SceneUnreadable: it cannot be opened.
    """
    return open_geotiff(file)


class SceneReader:
    """A scene opened for reading by strips onto a grid that shares its pixel lattice."""

    def __init__(self, scene: Scene, grid: GeoBox) -> None:
        self.scene, self.grid = scene, grid
        self._stack = contextlib.ExitStack()
        self._files: list[tuple[SceneFile, FileReader, int, int]] = []

    def __enter__(self) -> SceneReader:
        with contextlib.ExitStack() as stack:
            for file in self.scene.files:
                row, column = lattice.offset(file.geobox, self.grid, where=file.url)
                self._files.append((file, stack.enter_context(open_file(file)), row, column))
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
        for file, reader, row, column in self._files:
            window = lattice.overlap(row, column, file.geobox, (y0, y1), shape[1])
            if window is None:
                continue
            new, bits = reader.read(*window[:2])
            np.bitwise_or(flags[window[2:]], bits, out=flags[window[2:]])
            for name, values in zip(file.polarisations, new, strict=True):
                channel = (self.scene.polarisations.index(name), *window[2:])
                self._add(values, power[channel], count[channel])
        if len(self._files) > 1:
            np.divide(power, count, out=power, where=count > 1)
        flags[np.isnan(power).all(axis=0)] |= NOT_VALID
        return power, flags

    def _add(
        self, new: NDArray[np.float32], power: NDArray[np.float32], count: NDArray[np.uint8]
    ) -> None:
        """Add one file's values to the sums and counts of the strip, in place."""
        if len(self._files) == 1:
            power[:] = new
            return
        here = ~np.isnan(new)
        np.copyto(power, np.where(count > 0, power + new, new), where=here)
        count += here


def read(
    scene: Scene, grid: GeoBox, rows: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Rows of a grid from a scene; see `SceneReader.read`."""
    with SceneReader(scene, grid) as reader:
        return reader.read(*rows)
