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

_NEIGHBOURS: tuple[tuple[tuple[slice, slice], tuple[slice, slice]], ...] = (
    (np.s_[:, 1:], np.s_[:, :-1]),
    (np.s_[1:, :], np.s_[:-1, :]),
    (np.s_[1:, 1:], np.s_[:-1, :-1]),
    (np.s_[1:, :-1], np.s_[:-1, 1:]),
)
"""Pixels and their neighbours: left, above, and the two at the corners above."""


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
        alike = [
            good[here] & good[there] & (numbers[here] == numbers[there])
            for here, there in _NEIGHBOURS
        ]
        left, above, *_ = alike
        self._lines(numbers, left)
        self._lines(numbers.T, above.T)
        linked = np.zeros(numbers.shape, bool)
        for pairs, (here, there) in zip(alike, _NEIGHBOURS, strict=True):
            linked[here] |= pairs
            linked[there] |= pairs
        if 0 < np.count_nonzero(linked) < COARSE * numbers.size:
            _count(numbers[linked], numbers, good, self.chained, self.of_chains)
        if np.count_nonzero(left) >= LEAST * numbers.size:
            _count(numbers[:, 1:][left], numbers, good, self.joined, self.all)

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

    def _lines(self, numbers: NDArray[Any], alike: NDArray[np.bool_]) -> None:
        """Count the pixels of lines that mostly are one value; `alike` (h, w - 1) to the right."""
        long = np.count_nonzero(alike, axis=1)
        for at in np.flatnonzero((long >= STRAIGHT) & (long >= CONNECTED * alike.shape[1])):
            values, counts = np.unique(numbers[at, 1:][alike[at]], return_counts=True)
            if (most := counts.max()) >= STRAIGHT:
                self.straight[float(values[counts.argmax()])] += int(most) + 1


def _count(
    some: NDArray[Any],
    numbers: NDArray[Any],
    good: NDArray[np.bool_],
    own: Counter[float],
    every: Counter[float],
) -> None:
    """Count the commonest of some numbers: there, and among all valid ones."""
    values, counts = np.unique(some, return_counts=True)
    best = counts.argmax()
    own[float(values[best])] += int(counts[best])
    every[float(values[best])] += int(np.count_nonzero(good & (numbers == values[best])))
