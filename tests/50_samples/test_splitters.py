"""Splitters in scikit-learn's interface: the authors' folds, and no group on both sides."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpazmal_scale.errors import SampleError
from cpazmal_scale.samples import CyclicStratifiedGroupKFold, LeakFree


def labelled(seed: int, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Classes and groups of windows; a group is of one class."""
    rng = np.random.default_rng(seed)
    y, groups, number = [], [], 0
    for label in range(classes):
        for _ in range(rng.integers(3, 8)):
            many = rng.integers(1, 9)
            y += [label] * many
            groups += [number] * many
            number += 1
    order = rng.permutation(len(y))
    return np.array(y)[order], np.array(groups)[order]


def authors_folds(y, groups, n_splits, per_class, seed):
    """Their notebook's splitter, in its own words."""
    own = {cls: np.unique(groups[y == cls]) for cls in np.unique(y)}
    n_splits = n_splits or max(len(g) for g in own.values())
    rng = np.random.default_rng(seed)
    turns = {cls: cycle(rng.permutation(g)) for cls, g in own.items()}
    for _ in range(n_splits):
        tested = [next(turns[cls]) for cls in own for _ in range(per_class)]
        yield np.flatnonzero(~np.isin(groups, tested)), np.flatnonzero(np.isin(groups, tested))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 2), st.integers(1, 9))
def test_folds_are_the_authors(seed: int, per_class: int, folds: int) -> None:
    y, groups = labelled(seed)
    splitter = CyclicStratifiedGroupKFold(folds, nbGroupTest=per_class, random_state=seed)
    ours = list(splitter.split(np.zeros(len(y)), y, groups))
    theirs = list(authors_folds(y, groups, folds, per_class, seed))
    assert len(ours) == len(theirs) == splitter.get_n_splits()
    for (train, test), (their_train, their_test) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(train, their_train)
        np.testing.assert_array_equal(test, their_test)
        assert not set(groups[train]) & set(groups[test])
        for label in np.unique(y):
            assert len(np.unique(groups[test][y[test] == label])) == per_class


def test_without_a_number_every_group_is_tested() -> None:
    y, groups = labelled(3)
    splitter = CyclicStratifiedGroupKFold()
    tested = {group for _, test in splitter.split(None, y, groups) for group in groups[test]}
    assert tested == set(groups)
    assert splitter.get_n_splits(None, y, groups) == max(
        len(np.unique(groups[y == label])) for label in np.unique(y)
    )
    summary = splitter.fold_summary(y, groups)
    assert set(summary["side"]) == {"train", "test"}
    whole = summary.groupby("fold")["samples"].sum()
    assert (whole == len(y)).all()
    assert (summary["samples"] > 0).all()


def test_it_works_in_a_grid_search() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score

    y, groups = labelled(4)
    X = np.random.default_rng(0).normal(y[:, None], 0.1, (len(y), 2))
    for cv in (CyclicStratifiedGroupKFold(3), LeakFree(GroupKFold(3))):
        search = GridSearchCV(LogisticRegression(), {"C": [0.1, 10]}, cv=cv)
        assert search.fit(X, y, groups=groups).best_score_ > 0.9
        assert len(cross_val_score(LogisticRegression(), X, y, groups=groups, cv=cv)) == 3


def test_a_leak_is_refused_when_it_happens() -> None:
    class ByPixel:
        """A random split that knows nothing of groups."""

        def split(self, *given):
            order = np.random.default_rng(0).permutation(len(given[1]))
            yield order[20:], order[:20]

    y, groups = labelled(5)
    with pytest.raises(SampleError, match="is both trained on and tested on"):
        list(LeakFree(ByPixel()).split(y, y, groups))
    with pytest.raises(SampleError, match="no groups were given"):
        list(LeakFree(ByPixel()).split(y, y))
    with pytest.raises(SampleError, match="no groups were given"):
        list(CyclicStratifiedGroupKFold().split(y, y))
    with pytest.raises(SampleError, match="give both"):
        CyclicStratifiedGroupKFold().get_n_splits()
    with pytest.raises(SampleError, match="of them to test on"):
        list(CyclicStratifiedGroupKFold(nbGroupTest=20).split(y, y, groups))
