"""Scores that are sums over decision trees, kept as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from cpazmal_scale.model.methods.flat import FlatClassifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Nodes(NamedTuple):
    """One tree as its library keeps it, node by node; the root is the first."""

    feature: NDArray[np.integer]
    threshold: NDArray[np.float64]
    left: NDArray[np.integer]
    right: NDArray[np.integer]
    leaf: NDArray[np.bool_]
    missing_left: NDArray[np.bool_]
    values: NDArray[np.float64]
    """`(nodes, V)` what a leaf says."""


class TreeClassifier(FlatClassifier):
    """Trees in one table of nodes, both children of a node side by side.

    Attributes:
        feature_: int32 `(nodes,)` number of the series that a node looks at.
        threshold_: float32 `(nodes,)`; smaller or equal goes to the child, larger to the next one.
        child_: int32 `(nodes,)` first child; a leaf is its own.
        missing_left_: uint8 `(nodes,)` whether a missing number goes to the first child.
        roots_: int32 `(trees,)` first node of each tree.
        leaf_class_: int32 `(trees,)` the class whose score a tree adds to; -1: all of them.
        leaf_values_: float64 `(nodes, V)`.
        start_: float64 `(C,)` scores before the first tree.
    """

    fitted: ClassVar[tuple[str, ...]] = (
        *("feature_", "threshold_", "child_", "missing_left_"),
        *("roots_", "leaf_class_", "leaf_values_", "start_"),
    )

    def keep(
        self,
        trees: Sequence[Nodes],
        leaf_class: NDArray[np.integer],
        start: NDArray[np.float64],
    ) -> None:
        """Take trees as their library made them."""
        parts, roots, first = [], [], 0
        for tree in trees:
            ordered = _side_by_side(tree, first)
            parts.append(ordered)
            roots.append(first)
            first += len(ordered.feature)
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        self.feature_ = columns[0].astype(np.int32)
        self.threshold_ = columns[1].astype(np.float32)
        self.child_ = columns[2].astype(np.int32)
        self.missing_left_ = columns[5].astype(np.uint8)
        self.leaf_values_ = np.ascontiguousarray(columns[6], np.float64)
        self.roots_ = np.array(roots, np.int32)
        self.leaf_class_ = leaf_class.astype(np.int32)
        self.start_ = np.asarray(start, np.float64)

    def check(self) -> None:
        """Refuse a table whose nodes lead outside it, or back."""
        super().check()
        nodes, classes = len(self.feature_), len(self.classes_)
        own = np.arange(nodes)
        leaf = self.child_ == own
        numbers = self.n_features_in_ * self.dates_in_
        good = nodes > 0 and all(
            (
                *(len(a) == nodes for a in (self.threshold_, self.child_, self.missing_left_)),
                self.leaf_values_.shape[:1] == (nodes,),
                ((self.feature_ >= 0) & (self.feature_ < numbers)).all(),
                (leaf | ((self.child_ > own) & (self.child_ + 1 < nodes))).all(),
                ((self.roots_ >= 0) & (self.roots_ < nodes)).all(),
                len(self.leaf_class_) == len(self.roots_),
                ((self.leaf_class_ >= -1) & (self.leaf_class_ < classes)).all(),
                self.leaf_values_.shape[1] == (1 if (self.leaf_class_ >= 0).all() else classes),
                self.start_.shape == (classes,),
            )
        )
        if not good:
            raise ValueError("the table of trees is damaged")

    def seconds_per_pixel(self, limits: NDArray[np.int32]) -> float:  # noqa: ARG002
        """Seconds per pixel on the core that the forecasts were measured on."""
        return self.nanoseconds * 1e-9 * len(self.roots_)


def _side_by_side(tree: Nodes, first: int) -> Nodes:
    """The nodes in an order in which both children of a node follow each other, from `first` on."""
    order, child = [0], []
    for place in range(len(tree.feature)):
        node = order[place]
        if tree.leaf[node]:
            child.append(first + place)
            continue
        child.append(first + len(order))
        order += [int(tree.left[node]), int(tree.right[node])]
    rows = np.array(order)
    leaf = tree.leaf[rows]
    threshold = np.where(leaf, np.inf, _below(tree.threshold[rows]))
    return Nodes(
        np.where(leaf, 0, tree.feature[rows]),
        threshold,
        np.array(child),
        np.array(child) + 1,
        leaf,
        leaf | tree.missing_left[rows],
        tree.values[rows],
    )


def _below(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 not above each value: a float32 is below both or above both."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)


def sklearn_nodes(tree: Any, values: NDArray[np.float64]) -> Nodes:
    """A `sklearn.tree._tree.Tree`, its leaves with `values` `(nodes, V)`."""
    return Nodes(
        tree.feature,
        tree.threshold,
        tree.children_left,
        tree.children_right,
        tree.children_left < 0,
        tree.missing_go_to_left.astype(np.bool_),
        values,
    )


def boosted_nodes(nodes: NDArray[Any]) -> Nodes:
    """The node table of one tree of scikit-learn's histogram gradient boosting."""
    return Nodes(
        nodes["feature_idx"],
        nodes["num_threshold"],
        nodes["left"],
        nodes["right"],
        nodes["is_leaf"].astype(np.bool_),
        nodes["missing_go_to_left"].astype(np.bool_),
        nodes["value"][:, None].astype(np.float64),
    )
