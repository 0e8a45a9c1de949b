"""What a polygon or a point looks like to the radar: mean backscatter of every date, and chips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale.cube import ChunkReader
from cpazmal_scale.vocabulary import MASK_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_REGIONS = 24
"""Regions of a large polygon that are read; more are represented by evenly chosen ones."""
_BYTES = 192 << 20
"""Of one region."""


class Means(NamedTuple):
    """Mean backscatter of some pixels.

    `decibel` (P, T) float64, NaN on dates with too few valid pixels; `pixels` how many pixels there
    are, `read` how many of them were read, `valid` the largest share of those valid on one date.
    """

    decibel: NDArray[np.float64]
    pixels: int
    read: int
    valid: float


def mean_series(
    reader: ChunkReader,
    pixels: tuple[NDArray[np.int64], NDArray[np.int64]],
    excluded: int = MASK_BITS["not_valid"],
    least: float = 0.6,
) -> Means:
    """Mean power over pixels on every date of a reader, in dB.

    Args:
        reader: of the polarisations and dates wanted.
        pixels: rows and columns (n) in the grid.
        excluded: mask bits whose pixels are left out.
        least: share of valid pixels below which a date has no mean.

    Raises:
        CubeDamaged: a chunk is lost or altered.
    """
    rows, columns = pixels
    layers, dates = len(reader.layers) - 1, len(reader.positions)
    total, valid = np.zeros((layers, dates)), np.zeros((layers, dates), np.int64)
    edge = _edge(reader)
    cells, member = np.unique(
        np.stack([rows // edge, columns // edge], axis=1), axis=0, return_inverse=True
    )
    chosen = np.unique(np.linspace(0, len(cells) - 1, min(len(cells), MOST_REGIONS)).astype(int))
    read = 0
    for cell in chosen.tolist() if len(cells) else []:
        here = member.reshape(-1) == cell
        y, x = rows[here], columns[here]
        y0, x0 = int(y.min()), int(x.min())
        power, mask = reader.buffers(int(y.max()) - y0 + 1, int(x.max()) - x0 + 1)
        reader.read(power, mask, y0, x0)
        values, flags = power[:, :, y - y0, x - x0], mask[:, y - y0, x - x0]
        good = np.isfinite(values) & (flags & excluded == 0)
        total += np.where(good, values, 0).sum(axis=2, dtype=np.float64)
        valid += good.sum(axis=2)
        read += int(here.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(valid >= max(1.0, least * read), total / valid, np.nan)
        decibel = 10 * np.log10(mean)
    decibel[~np.isfinite(decibel)] = np.nan
    return Means(decibel, len(rows), read, float(valid.max(initial=0)) / max(read, 1))


def square(
    row: int, column: int, size: int, shape: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the pixels of a square around a pixel that lie in the grid."""
    half = size // 2
    y, x = np.mgrid[row - half : row + half + 1, column - half : column + half + 1]
    inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
    return y[inside].astype(np.int64), x[inside].astype(np.int64)


def _edge(reader: ChunkReader) -> int:
    """Edge of regions: a chunk, or less where all its dates would be too much."""
    bytes_per_pixel = len(reader.positions) * (4 * (len(reader.layers) - 1) + 1)
    return max(1, min(reader.chunk, int((_BYTES / bytes_per_pixel) ** 0.5)))


def inside(grid: Any, shape: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the pixels inside a shape; that of its centre if it covers none.

    Args:
        grid: the cube's `PixelEdges`.
        shape: in its CRS.
    """
    rows, columns = grid.pixels_inside(shape)
    if len(rows):
        return rows, columns
    centre = shape.representative_point()
    row = int(np.floor((centre.y - grid.top) / grid.dy))
    column = int(np.floor((centre.x - grid.left) / grid.dx))
    if not (0 <= row < grid.height and 0 <= column < grid.width):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.array([row]), np.array([column])
