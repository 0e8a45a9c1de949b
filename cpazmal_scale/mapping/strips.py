"""A block's series, strip after strip of whole cube chunks, the next one read while one is used."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.config import MASK_BITS
from cpazmal_scale.errors import CubeDamaged, ModelMismatch
from cpazmal_scale.mapping.plan import DATES_AT_ONCE

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from cpazmal_scale.mapping.plan import Block


class Strip(NamedTuple):
    """Rows y ≤ … of the output with the series of their windows.

    `power` (P, T, h + 2·halo, w + 2·halo) and `mask` (T, …) belong to h output rows from `y` on;
    `seconds` is what reading them took.
    """

    y: int
    power: NDArray[np.float32]
    mask: NDArray[np.uint8]
    seconds: float


@dataclass(frozen=True)
class CubeReader:
    """Regions of a cube for chosen dates, in order of time whatever the order of storage."""

    url: str
    layers: tuple[zarr.Array[Any], ...]
    mask: zarr.Array[Any]
    positions: NDArray[np.intp]
    chunk: int

    @classmethod
    def open(cls, url: str, polarisations: tuple[str, ...], dates: tuple[str, ...]) -> CubeReader:
        """Open the cube at its last committed state.

        Raises:
            ModelMismatch: it lacks one of the dates.
        """
        import zarr

        store = storage.zarr_store(url, read_only=True)
        group: Any = zarr.open_group(store, mode="r", use_consolidated=True)
        stored = {int(t): i for i, t in enumerate(np.asarray(group["time"][:]))}
        wanted = np.array(dates, "datetime64[s]").astype(np.int64).tolist()
        lacking = [date for date, t in zip(dates, wanted, strict=True) if t not in stored]
        if lacking:
            raise ModelMismatch(
                f"the cube no longer holds {lacking[0]}", where=url, remedy="plan the map again"
            )
        layers = tuple(group[name] for name in polarisations)
        positions = np.array([stored[t] for t in wanted])
        return cls(url, layers, group["mask"], positions, int(layers[0].chunks[-1]))

    def strips(self, block: Block, halo: int) -> Iterator[Strip]:
        """The block from top to bottom, cut where the cube's chunks end, each pixel read once.

        Outside the grid power is NaN and the mask says not valid. The arrays are overwritten two
        strips later.

        Raises:
            CubeDamaged: a chunk's checksum is wrong or it cannot be decoded.
        """
        inner = range(-(-(block.y0 + 1) // self.chunk) * self.chunk, block.y1, self.chunk)
        # A cut nearer to the block's edge than a window would leave a strip without output.
        inner_cuts = [y for y in inner if y - block.y0 > halo]
        cuts = [block.y0 - halo, *inner_cuts, block.y1 + halo]
        pieces = list(itertools.pairwise(cuts))
        tallest = max(y1 - y0 + (2 * halo if i else 0) for i, (y0, y1) in enumerate(pieces))
        width = block.x1 - block.x0 + 2 * halo
        both = [self._buffers(tallest, width) for _ in pieces[:2]]

        def read(i: int) -> Strip:
            began = time.perf_counter()
            (power, mask), (before, mask_before) = both[i % 2], both[(i - 1) % len(both)]
            y0, y1 = pieces[i]
            carry = 2 * halo if i else 0
            if i:
                old = filled[i - 1]
                power[:, :, :carry] = before[:, :, old - carry : old]
                mask[:, :carry] = mask_before[:, old - carry : old]
            filled[i] = rows = carry + y1 - y0
            self._read(power[:, :, carry:rows], mask[:, carry:rows], y0, block.x0 - halo)
            top = y0 - carry + halo
            return Strip(top, power[:, :, :rows], mask[:, :rows], time.perf_counter() - began)

        filled = [0] * len(pieces)
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(read, 0)
            for i in range(len(pieces)):
                strip = coming.result()
                if i + 1 < len(pieces):
                    coming = ahead.submit(read, i + 1)
                yield strip

    def _buffers(self, rows: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        dates = len(self.positions)
        return (
            np.empty((len(self.layers), dates, rows, width), np.float32),
            np.empty((dates, rows, width), np.uint8),
        )

    def _read(self, power: NDArray[np.float32], mask: NDArray[np.uint8], y0: int, x0: int) -> None:
        """Fill the arrays with the region whose top-left pixel is (y0, x0)."""
        height, width = mask.shape[1:]
        _, rows, columns = self.mask.shape
        ys, xs = (
            slice(max(y0, 0), min(y0 + height, rows)),
            slice(max(x0, 0), min(x0 + width, columns)),
        )
        inside = (slice(ys.start - y0, ys.stop - y0), slice(xs.start - x0, xs.stop - x0))
        if (ys.stop - ys.start, xs.stop - xs.start) != (height, width):
            power[...] = np.nan
            mask[...] = MASK_BITS["not_valid"]
        try:
            for first, last in _runs(self.positions):
                stored = slice(self.positions[first], self.positions[last - 1] + 1)
                for p, layer in enumerate(self.layers):
                    power[p, first:last, *inside] = layer[stored, ys, xs]
                mask[first:last, *inside] = self.mask[stored, ys, xs]
        except (RuntimeError, ValueError) as error:
            raise CubeDamaged(
                f"a chunk at rows {ys.start}–{ys.stop}, columns {xs.start}–{xs.stop} cannot be "
                f"decoded ({str(error).splitlines()[0]})",
                where=self.url,
                remedy="run `cpazmal verify`, then restore or ingest again",
            ) from None


def _runs(positions: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Ranges of dates that are stored side by side and in order."""
    first = 0
    for i in range(1, len(positions) + 1):
        ends = i == len(positions) or positions[i] != positions[i - 1] + 1
        if ends or i - first == DATES_AT_ONCE:
            yield first, i
            first = i
