"""Splits as scikit-learn takes them (`cv=`), each checked for groups that are on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import SampleError
from cpazmal_scale.samples.splits import Rows, check_disjoint, cyclic_group_folds

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray


class LeakFree:
    """Any scikit-learn splitter, whose every fold is checked: no group is on both sides.

    Example:
        `GridSearchCV(model, grid, cv=LeakFree(GroupKFold(5))).fit(X, y, groups=groups)`
    """

    def __init__(self, splitter: Any) -> None:
        self.splitter = splitter

    def split(
        self, X: ArrayLike, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[Rows, Rows]]:
        """Rows to train on and to test on.

        Raises:
            SampleError: no groups were given, or a fold has one on both sides.
        """
        names = _given(groups)
        for train, test in self.splitter.split(X, y, names):
            check_disjoint(names, train, test)
            yield train, test

    def get_n_splits(
        self, X: object = None, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> int:
        """Number of folds."""
        return int(self.splitter.get_n_splits(X, y, groups))


class CyclicStratifiedGroupKFold:
    """Folds that test `nbGroupTest` groups of every class, taken in turn: the authors' splitter.

    The same seed gives the authors' folds. A class with few groups is tested on them again and
    again while the others go round.
    """

    def __init__(
        self, n_splits: int | None = None, nbGroupTest: int = 1, random_state: int = 42
    ) -> None:
        """Keep the settings.

        Args:
            n_splits: number of folds; none: until every group of every class was tested.
            nbGroupTest: groups of each class on the test side.
            random_state: seed of the order of groups.
        """
        self.n_splits, self.nbGroupTest = n_splits, nbGroupTest
        self.random_state = random_state

    def split(
        self,
        X: object,  # noqa: ARG002 - scikit-learn's interface
        y: ArrayLike,
        groups: ArrayLike | None = None,
    ) -> Iterator[tuple[Rows, Rows]]:
        """Rows to train on and to test on.

        Raises:
            SampleError: no groups, a class with too few of them, or a group of two classes.
        """
        yield from cyclic_group_folds(
            np.asarray(y),
            _given(groups),
            groups_per_class=self.nbGroupTest,
            folds=self.n_splits,
            seed=self.random_state,
        )

    def get_n_splits(
        self, X: object = None, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> int:
        """Number of folds.

        Raises:
            SampleError: it follows from the groups, and these were not given.
        """
        if self.n_splits is not None:
            return self.n_splits
        if y is None:
            raise SampleError("the number of folds follows from y and groups", remedy="give both")
        return sum(1 for _ in self.split(X, y, groups))

    def fold_summary(self, y: ArrayLike, groups: ArrayLike) -> pd.DataFrame:
        """One row per fold, side and class: `fold, side, class, groups, samples`.

        Every class is in every side, by construction; the table shows by how much.
        """
        import pandas as pd

        labels, names = np.asarray(y), _given(groups)
        rows = []
        for fold, sides in enumerate(self.split(None, labels, names)):
            for side, chosen in zip(("train", "test"), sides, strict=True):
                for label in np.unique(labels):
                    own = chosen[labels[chosen] == label]
                    listed = ", ".join(map(str, np.unique(names[own])))
                    rows.append((fold, side, label, listed, len(own)))
        return pd.DataFrame(rows, columns=["fold", "side", "class", "groups", "samples"])


def _given(groups: ArrayLike | None) -> NDArray[Any]:
    if groups is None:
        raise SampleError("no groups were given", remedy="pass groups= to split or fit")
    return np.asarray(groups)
