"""The series that barycenters are learnt from, by class, feature and fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpazmal_scale.dtw.estimators import checked_groups
from cpazmal_scale.dtw.temperature import group_folds

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_FOLDS = 6
"""A sixth of the groups is held out, so that what calibrates is nearly what maps: of a third fewer
polygons, barycenters are right less often."""
AverageKey = tuple[int, int, int]
"""Part, class and feature whose series are averaged."""
RunAverages = Callable[
    [Callable[[AverageKey], "NDArray[np.float64]"], Sequence[AverageKey]],
    Iterator[tuple[AverageKey, "NDArray[np.float64]"]],
]
"""Applies the function, or one that gives the same, to every key; any order."""


class TrainingSet(NamedTuple):
    """Series to average by class and feature: all of them, then each fold's training side."""

    values: NDArray[np.float32]
    """`(N, K, T)`, z-scored."""
    codes: NDArray[np.intp]
    """`(N,)` class positions."""
    parts: tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]
    """Positions learnt from and held out: first all and none, then folds of groups."""
    groups: NDArray[np.intp] | None = None
    """`(N,)` group numbers; none: nothing is held out."""

    @classmethod
    def of(
        cls,
        values: NDArray[np.float32],
        codes: NDArray[np.intp],
        groups: ArrayLike | None,
        seed: int,
    ) -> TrainingSet:
        """Without `groups` nothing is held out.

        Raises:
            ValueError: another number of groups than of series.
        """
        every = np.arange(codes.size)
        parts, numbers = [(every, every[:0])], None
        if groups is not None:
            numbers = checked_groups(groups, codes.size)
            parts += group_folds(codes, numbers, seed, _FOLDS)
        return cls(values, codes, tuple(parts), numbers)

    def keys(self) -> list[AverageKey]:
        """Every average to find."""
        sizes = (len(self.parts), int(self.codes.max()) + 1, self.values.shape[1])
        return [(int(p), int(c), int(k)) for p, c, k in np.ndindex(sizes)]

    def members(self, key: AverageKey) -> NDArray[np.float32]:
        """Series `(n, T)` with at least one valid date that are averaged for a key."""
        part, c, k = key
        rows = self.parts[part][0]
        found = self.values[rows[self.codes[rows] == c], k]
        return np.asarray(found[~np.isnan(found).all(axis=1)])


class HeldOut(NamedTuple):
    """How far held-out series are from barycenters that were learnt without their groups."""

    distances: NDArray[np.float32]
    """`(K, C, n)` in units of tau."""
    codes: NDArray[np.intp]
    """`(n,)` true class positions."""
    groups: NDArray[np.intp]
    """`(n,)` group numbers."""
