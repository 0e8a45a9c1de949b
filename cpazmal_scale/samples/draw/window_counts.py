"""Sums over all windows of an image at once, and where to begin a grid of windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def window_sums(values: NDArray[Any], size: int) -> NDArray[np.int64]:
    """Sum over every window, (H - w + 1, W - w + 1), from a summed-area table."""
    table = np.zeros((values.shape[0] + 1, values.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(values, axis=0), axis=1, out=table[1:, 1:])
    return table[size:, size:] - table[:-size, size:] - table[size:, :-size] + table[:-size, :-size]


def best_offset(taken: NDArray[np.bool_], most: int, step: int) -> tuple[int, int]:
    """The first offset below `most` in both axes from which most windows are taken."""
    rows, columns = (-(-length // step) for length in taken.shape)
    whole = np.zeros((rows * step, columns * step), np.bool_)
    whole[: taken.shape[0], : taken.shape[1]] = taken
    counts = whole.reshape(rows, step, columns, step).sum(axis=(0, 2))[:most, :most]
    top, left = np.unravel_index(int(counts.argmax()), counts.shape)
    return int(top), int(left)
