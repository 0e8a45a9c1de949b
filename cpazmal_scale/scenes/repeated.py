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
SLANTED = 0.5
"""Share of a band's shorter edge from which pixels of one value in a chain are a line across it."""
COARSE = 0.2
"""Share of pixels with a neighbour of the same value from which numbers are too coarse to tell."""


class Repeated:
    """Values that valid pixels share with their neighbours, counted strip by strip."""

    def __init__(self) -> None:
        self.pixels = 0
        self.joined: Counter[float] = Counter()
        self.all: Counter[float] = Counter()
        self.straight: Counter[float] = Counter()
        self.chained: Counter[float] = Counter()
        self.of_chains: Counter[float] = Counter()
        self.shape = 0, 0

    def add(self, numbers: NDArray[Any], good: NDArray[np.bool_]) -> None:
        """Count a strip (h, w) of stored numbers, where they are valid."""
        self.pixels += numbers.size
        self.shape = self.shape[0] + numbers.shape[0], numbers.shape[1]
        alike = good[:, 1:] & good[:, :-1] & (numbers[:, 1:] == numbers[:, :-1])
        self._lines(numbers, alike)
        below = good[1:] & good[:-1] & (numbers[1:] == numbers[:-1])
        self._lines(numbers.T, below.T)
        self._chains(numbers, good, alike, below)
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
        return self._chain()

    def _chain(self) -> tuple[float, int] | None:
        """The stored number of a line that runs slanted, and how many pixels have it."""
        for number, count in self.chained.most_common(1):
            share = count / self.of_chains[number]
            by_chance = 8 * self.of_chains[number] / self.pixels
            long = count >= max(STRAIGHT, SLANTED * min(self.shape))
            if long and share >= CONNECTED and share > 2 * by_chance:
                return number, self.of_chains[number]
        return None

    def _chains(
        self,
        numbers: NDArray[Any],
        good: NDArray[np.bool_],
        alike: NDArray[np.bool_],
        below: NDArray[np.bool_],
    ) -> None:
        """Count the pixels of one value with a neighbour on any side, corners included."""
        linked = np.zeros(numbers.shape, bool)
        linked[:, 1:] |= alike
        linked[:, :-1] |= alike
        linked[1:] |= below
        linked[:-1] |= below
        falling = good[1:, 1:] & good[:-1, :-1] & (numbers[1:, 1:] == numbers[:-1, :-1])
        linked[1:, 1:] |= falling
        linked[:-1, :-1] |= falling
        rising = good[1:, :-1] & good[:-1, 1:] & (numbers[1:, :-1] == numbers[:-1, 1:])
        linked[1:, :-1] |= rising
        linked[:-1, 1:] |= rising
        if not 0 < np.count_nonzero(linked) < COARSE * numbers.size:
            return
        values, counts = np.unique(numbers[linked], return_counts=True)
        best = counts.argmax()
        self.chained[float(values[best])] += int(counts[best])
        of_all = np.count_nonzero(good & (numbers == values[best]))
        self.of_chains[float(values[best])] += int(of_all)

    def _lines(self, numbers: NDArray[Any], alike: NDArray[np.bool_]) -> None:
        """Count the pixels of lines that mostly are one value; `alike` (h, w - 1) to the right."""
        long = np.count_nonzero(alike, axis=1)
        for at in np.flatnonzero((long >= STRAIGHT) & (long >= CONNECTED * alike.shape[1])):
            values, counts = np.unique(numbers[at, 1:][alike[at]], return_counts=True)
            if (most := counts.max()) >= STRAIGHT:
                self.straight[float(values[counts.argmax()])] += int(most) + 1
