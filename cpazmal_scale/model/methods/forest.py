"""Random forest (Breiman 2001), grown by scikit-learn and kept as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cpazmal_scale.kernels.trees import deep_trees
from cpazmal_scale.model.methods.trees import TreeClassifier, sklearn_nodes

if TYPE_CHECKING:
    from numpy.typing import NDArray


TREES = 100


class Forest(TreeClassifier):
    """Mean class shares of the leaves of fully grown trees; scores are their logarithm."""

    nanoseconds: ClassVar[float] = 40.0

    def learn(
        self,
        values: NDArray[np.float64],
        codes: NDArray[np.intp],
        groups: NDArray[np.intp] | None,  # noqa: ARG002
    ) -> None:
        """Learn from vectors `(N, K·T)`, NaN missing, and their class positions."""
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(TREES, random_state=self.seed, n_jobs=1)
        model.fit(values.astype(np.float32), codes)
        trees = [one.tree_ for one in model.estimators_]
        classes = len(self.classes_)
        self.keep(
            [sklearn_nodes(tree, _shares(tree)) for tree in trees],
            np.full(len(trees), -1),
            np.zeros(classes),
        )

    def scores(self, block: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logarithm `(C, P)` of the mean share, half a tree added to every class."""
        found = np.repeat(self.start_[:, None], block.shape[1], axis=1)
        table = (self.feature_, self.threshold_, self.child_, self.missing_left_)
        deep_trees(block, *table, self.roots_, self.leaf_values_, found)
        trees, classes = len(self.roots_), len(self.classes_)
        return np.asarray(np.log((found + 0.5) / (trees + 0.5 * classes)))


def _shares(tree: Any) -> NDArray[np.float64]:
    """Class shares `(nodes, C)` of the training series in every node."""
    counts = tree.value[:, 0, :]
    return np.asarray(counts / counts.sum(axis=1, keepdims=True), np.float64)


make, opened = Forest.of_run, Forest.from_state
