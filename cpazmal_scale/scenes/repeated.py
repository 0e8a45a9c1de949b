"""One exact value over a connected part of a band, as fill values are and backscatter is not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 0.002
"""Share of a band's pixels from which a connected value is worth a word."""
CONNECTED = 0.5
"""Share of a value's pixels whose neighbour to the left has it too, from which it is connected:
neighbours in speckle hardly ever share one, however coarsely it is stored.
"""
STRAIGHT = 32
"""Pixels in a row or column, one beside the other, from which one value is a line."""


class Repeated:
    """Values that valid pixels share with their neighbours, counted strip by strip."""

    def __init__(self) -> None:
        self.pixels = 0
        self.joined: Counter[float] = Counter()
        self.all: Counter[float] = Counter()
        self.straight: Counter[float] = Counter()

    def add(self, numbers: NDArray[Any], good: NDArray[np.bool_]) -> None:
        """Count a strip (h, w) of stored numbers, where they are valid."""
        self.pixels += numbers.size
        alike = good[:, 1:] & good[:, :-1] & (numbers[:, 1:] == numbers[:, :-1])
        self._lines(numbers, alike)
        below = good[1:] & good[:-1] & (numbers[1:] == numbers[:-1])
        self._lines(numbers.T, below.T)
        if np.count_nonzero(alike) < LEAST * numbers.size:
            return
        values, counts = np.unique(numbers[:, 1:][alike], return_counts=True)
        best = counts.argmax()
        self.joined[float(values[best])] += int(counts[best])
        self.all[float(values[best])] += int(np.count_nonzero(good & (numbers == values[best])))

    def most(self) -> tuple[float, int] | None:
        """The stored number of the largest connected part, and how many pixels have it."""
        for number, count in self.joined.most_common(1):
            if count >= LEAST * self.pixels and count >= CONNECTED * self.all[number]:
                return number, self.all[number]
        for number, count in self.straight.most_common(1):
            return number, count
        return None

    def _lines(self, numbers: NDArray[Any], alike: NDArray[np.bool_]) -> None:
        """Count the pixels of lines that mostly are one value; `alike` (h, w - 1) to the right."""
        long = np.count_nonzero(alike, axis=1)
        for at in np.flatnonzero((long >= STRAIGHT) & (long >= CONNECTED * alike.shape[1])):
            values, counts = np.unique(numbers[at, 1:][alike[at]], return_counts=True)
            if (most := counts.max()) >= STRAIGHT:
                self.straight[float(values[counts.argmax()])] += int(most) + 1
