"""Minimum mapping unit: patches that are too small join a neighbour (GDAL's sieve)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.execute import PLAIN, Execution, SerialExecutor
from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.mapping.refine.derived import Derivation, DerivedMap, Made, derive
from cpazmal_scale.mapping.refine.source import Source, open_source
from cpazmal_scale.vocabulary import NO_DATA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.config import RunConfig


def sieve(config: RunConfig, map_url: str, how: Execution = PLAIN) -> DerivedMap:
    """Let no class have a patch smaller than the minimum mapping unit.

    A patch is a set of pixels of one class that touch by their sides; smaller ones join their
    largest neighbour, again and again until none can. Patches surrounded by no data stay. Rejected
    pixels count as a class. Only `class` changes: probabilities stay those of the pixel.

    A patch can wind through the whole map, so that it is not cut into blocks: class values lie in
    scratch files of 3 bytes per pixel, and memory grows with the number of patches only.

    Args:
        config: `after.min_area` is the smallest patch in m²; the pixel is that of the middle.
        map_url: a finished map.
        how: block size and progress; the patches are found here, in this process.

    Raises:
        StoreError: the map is not finished, or the workspace cannot be written.
    """
    source = open_source(map_url)
    row, column = (count // 2 for count in source.shape)
    pixel = source.areas.within(Block(row, row + 1, column, column + 1)).item()
    # An area is a whole number of pixels but for rounding.
    least = max(1, math.ceil((config.after.min_area or 0) / pixel - 1e-6))
    with storage.local_scratch() as folder:
        compute = _Sieved(source, least, folder)
        made = Derivation.of_one("sieved", map_url, {"pixels": least}, compute)
        return derive(config, made, how.on(SerialExecutor()))


@dataclass(frozen=True, eq=False)
class _Sieved:
    """Blocks of a map whose classes are sieved as a whole, on first use."""

    source: Source
    least: int
    folder: Path

    def __call__(self, sources: Sequence[Source], block: Block) -> Made:
        products = sources[0].products(block)
        products["class"] = np.array(self.classes[block.y0 : block.y1, block.x0 : block.x1])
        return Made(products, {})

    @cached_property
    def classes(self) -> NDArray[np.uint8]:
        """Sieved class values of the whole map, on disk."""
        height, width = self.source.shape
        codes, spare, valid = (
            np.memmap(self.folder / name, np.uint8, "w+", shape=self.source.shape)
            for name in ("codes", "spare", "valid")
        )
        for y0 in range(0, height, self.source.chunk):
            rows = slice(y0, min(y0 + self.source.chunk, height))
            codes[rows] = self.source.read("class", Block(y0, rows.stop, 0, width))
            valid[rows] = codes[rows] != NO_DATA
        return sieved(codes, spare, valid, self.least)


def sieved(
    codes: NDArray[np.uint8], spare: NDArray[np.uint8], valid: NDArray[np.uint8], least: int
) -> NDArray[np.uint8]:
    """Class values without patches of fewer than `least` pixels, but those alone in no data.

    Args:
        codes: (h, w) class values; overwritten.
        spare: (h, w) to work in; overwritten.
        valid: (h, w) 0 where there is no data.
        least: smallest patch in pixels.

    Returns:
        One of `codes` and `spare`.
    """
    from rasterio.features import sieve as gdal_sieve

    while True:
        with _small_cache():
            gdal_sieve(codes, least, out=spare, mask=valid, connectivity=4)
        if all(np.array_equal(*rows) for rows in _together(codes, spare)):
            return spare
        codes, spare = spare, codes


def _together(
    first: NDArray[np.uint8], second: NDArray[np.uint8]
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    for start in range(0, first.shape[0], 512):
        yield first[start : start + 512], second[start : start + 512]


@contextmanager
def _small_cache() -> Iterator[None]:
    import rasterio

    with rasterio.Env(GDAL_CACHEMAX=64 << 20):
        yield
