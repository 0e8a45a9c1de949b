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


class Repeated:
    """Values that valid pixels share with their left neighbours, counted strip by strip."""

    def __init__(self) -> None:
        self.pixels = 0
        self.joined: Counter[float] = Counter()
        self.all: Counter[float] = Counter()

    def add(self, numbers: NDArray[Any], good: NDArray[np.bool_]) -> None:
        """Count a strip (h, w) of stored numbers, where they are valid."""
        self.pixels += numbers.size
        alike = good[:, 1:] & good[:, :-1] & (numbers[:, 1:] == numbers[:, :-1])
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
        return None
