"""Pixels to the cells of a coarser grid: the commonest class, the mean of power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def commonest(values: list[int], block: NDArray[Any], step: int) -> NDArray[np.uint8]:
    """The commonest of some values in cells of a block (h, w) uint8; 255 where most is none."""
    from cpazmal_scale.mapping import most_frequent

    return block if step == 1 else most_frequent(np.ascontiguousarray(block), step, values)[0]


def mean_power(power: NDArray[Any], step: int) -> NDArray[np.float32]:
    """Means of power (h, w) over the known pixels of each cell; NaN no data."""
    from cpazmal_scale.mapping import Averages

    if step == 1:
        return np.asarray(power, np.float32)
    averages = Averages((power.shape[0], power.shape[1]), step)
    averages.add_power(np.ascontiguousarray(power, np.float32)[None], 0, 0)
    return averages.means()
