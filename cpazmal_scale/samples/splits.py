"""Splits in which a group (polygon) is never on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.errors import SampleError

Rows = NDArray[np.intp]


def stratified_group_folds(
    y: NDArray[Any], groups: NDArray[Any], folds: int, seed: int
) -> Iterator[tuple[Rows, Rows]]:
    """Folds that keep groups whole and classes balanced, as the authors' evaluation.

    scikit-learn's `StratifiedGroupKFold`, shuffled by `seed`. A class with fewer groups than
    folds is missing from some test sides; the report names it.

    Args:
        y: (N) class of every sample.
        groups: (N) group of every sample.
        folds: number of folds.
        seed: of the shuffle; same seed, same folds.

    Yields:
        Row numbers to train on and to test on.

    Raises:
        SampleError: fewer groups than folds, or a class within one group only.
    """
    import warnings

    from sklearn.model_selection import StratifiedGroupKFold

    y, groups = np.asarray(y), np.asarray(groups)
    _check_groups(y, groups, folds)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = list(splitter.split(np.zeros(len(y)), y, groups))
    for train, test in parts:
        check_disjoint(groups, train, test)
        yield train, test


def cyclic_group_folds(
    y: NDArray[Any],
    groups: NDArray[Any],
    *,
    groups_per_class: int = 1,
    folds: int | None = None,
    seed: int = 0,
) -> Iterator[tuple[Rows, Rows]]:
    """Folds whose test side holds the same number of groups of every class, taken in turn.

    Args:
        y: (N) class of every sample.
        groups: (N) group of every sample.
        groups_per_class: groups of each class on the test side.
        folds: number of folds; none: until every group was tested.
        seed: of the order of groups within each class.

    Yields:
        Row numbers to train on and to test on.

    Raises:
        SampleError: a class has too few groups to leave one to train on, or a group holds more
            than one class, so that classes cannot be counted out by groups.
    """
    y, groups = np.asarray(y), np.asarray(groups)
    generator = np.random.default_rng(np.random.SeedSequence(seed))
    own = {label: generator.permutation(np.unique(groups[y == label])) for label in np.unique(y)}
    for label, members in own.items():
        if len(members) <= groups_per_class:
            raise SampleError(
                f"class {label} has {len(members)} groups, {groups_per_class} of them to test on",
                remedy="add groups or test on fewer",
            )
    if sum(len(members) for members in own.values()) > len(np.unique(groups)):
        raise SampleError(
            "a group holds more than one class",
            remedy="name groups by class, or split with stratified folds",
        )
    turns = folds or max(-(-len(members) // groups_per_class) for members in own.values())
    for turn in range(turns):
        steps = turn * groups_per_class + np.arange(groups_per_class)
        tested = np.concatenate([members[steps % len(members)] for members in own.values()])
        on_test = np.isin(groups, tested)
        train, test = np.flatnonzero(~on_test), np.flatnonzero(on_test)
        check_disjoint(groups, train, test)
        yield train, test


def leave_one_group_out(
    y: NDArray[Any],
    groups: NDArray[Any],
    folds: int = 0,  # noqa: ARG001 - one fold per group, whatever was asked
    seed: int = 0,  # noqa: ARG001 - nothing is drawn
) -> Iterator[tuple[Rows, Rows]]:
    """As many folds as groups, each tested alone, in the order of their names.

    Args:
        y: (N) class of every sample.
        groups: (N) group of every sample.
        folds: not used; all splits take it.
        seed: not used; all splits take it.

    Yields:
        Row numbers to train on and to test on.

    Raises:
        SampleError: a class within one group only.
    """
    y, groups = np.asarray(y), np.asarray(groups)
    _check_groups(y, groups, 2)
    for group in np.unique(groups):
        yield np.flatnonzero(groups != group), np.flatnonzero(groups == group)


def check_disjoint(groups: NDArray[Any], train: Rows, test: Rows) -> None:
    """Check that no group is on both sides.

    Raises:
        SampleError: naming a group that is.
    """
    shared = np.intersect1d(np.asarray(groups)[train], np.asarray(groups)[test])
    if len(shared):
        raise SampleError(
            f"group {shared[0]} is both trained on and tested on", remedy="split by groups"
        )


def _check_groups(y: NDArray[Any], groups: NDArray[Any], folds: int) -> None:
    for label in np.unique(y):
        found = len(np.unique(groups[y == label]))
        if found < 2:
            raise SampleError(
                f"class {label} lies in {found} group only",
                remedy="label it in at least two groups, or leave it out",
            )
    found = len(np.unique(groups))
    if found < folds:
        raise SampleError(
            f"{found} groups cannot make {folds} folds", remedy="lower assess.folds or add groups"
        )
