"""The typical series of each class: its mean date by date, and how far its members are from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from cpazmal_scale.dtw.band import band_limits
from cpazmal_scale.dtw.block import block_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Typical(NamedTuple):
    """Mean series of C classes, and the spread around them."""

    centres: NDArray[np.float32]
    """`(C, K, T)`, in z-scores; 0 where no member has a valid date."""
    tau: NDArray[np.float64]
    """`(K,)` median distance of a series to the mean of its own class."""

    @classmethod
    def of(cls, values: NDArray[np.float32], codes: NDArray[np.intp]) -> Self:
        """From z-scored series `(N, K, T)`, NaN missing, and their class positions `(N,)`."""
        centres = np.zeros((int(codes.max()) + 1, *values.shape[1:]), np.float32)
        for c in range(len(centres)):
            own = values[codes == c]
            valid = np.isfinite(own)
            total = np.where(valid, own, 0).sum(axis=0, dtype=np.float64)
            centres[c] = total / np.maximum(valid.sum(axis=0), 1)
        found = cls(centres, np.ones(values.shape[1]))
        block = np.ascontiguousarray(values.transpose(1, 2, 0))
        near = found.distances(block)[:, codes, np.arange(codes.size)]
        middle = [float(np.median(row[np.isfinite(row)])) if np.isfinite(row).any() else 0.0
                  for row in near]  # fmt: skip
        return cls(centres, np.array([value if value > 0 else 1.0 for value in middle]))

    def distances(self, block: NDArray[np.float32], min_dates: int = 1) -> NDArray[np.float32]:
        """Euclidean distances `(K, C, P)` of z-scored series `(K, T, P)`, in units of tau."""
        columns = self.centres.shape[2]
        references = np.ascontiguousarray(self.centres.transpose(1, 0, 2))
        straight = band_limits(columns, columns, radius=0)
        found = block_distances(block, references, straight, min_dates=min_dates)
        found /= self.tau[:, None, None].astype(np.float32)
        return found
