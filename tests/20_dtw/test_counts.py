"""How many barycenters: as many as the data need, never looking at what is held out."""

import numpy as np
import pytest

from cpazmal_scale.dtw import NearestBarycenter

DATES = np.arange(20)


def classes(kinds, rng, groups=8, each=6):
    """Two classes; the first is level, the second has `kinds` courses whose mean is level.

    Every group holds all kinds of its class.
    """
    series, labels, numbers = [], [], []
    for group in range(groups):
        for turn in range(each):
            course = np.sin(DATES / 2 + np.pi * (turn % kinds)) if group % 2 else 0.0
            series.append(course + rng.normal(0, 0.25, DATES.size))
            labels.append("many" if group % 2 else "one")
            numbers.append(group)
    return np.array(series)[:, None], np.array(labels), np.array(numbers)


@pytest.mark.parametrize(("kinds", "expected"), [(1, {1}), (2, {2, 4})])
def test_as_many_as_the_classes_have_courses(kinds, expected) -> None:
    values, labels, groups = classes(kinds, np.random.default_rng(0))
    made = NearestBarycenter("sum", barycenters="auto", radius=1).fit(values, labels, groups=groups)
    assert made.count_ in expected
    assert made.barycenters_.shape[1] == made.count_
    assert made.barycenters == "auto"
    arrays, text = made.state()
    again = NearestBarycenter.from_state(arrays, text)
    assert again.count_ == made.count_
    np.testing.assert_array_equal(again.predict(values), made.predict(values))


def test_without_groups_there_is_one() -> None:
    values, labels, _ = classes(2, np.random.default_rng(1))
    assert NearestBarycenter("sum", barycenters="auto", radius=1).fit(values, labels).count_ == 1


def test_groups_are_never_on_both_sides(monkeypatch) -> None:
    """Every fit of the search learns from groups that its tested series are not of."""
    values, labels, groups = classes(2, np.random.default_rng(2))
    values[:, 0, 0] = groups + np.arange(len(groups)) / 1000  # tells whose a series is
    seen = []
    fit, decide = NearestBarycenter.fit, NearestBarycenter.decide

    def watched_fit(self, X, y, groups=None, run=None):
        self.learnt = set(np.asarray(X)[:, 0, 0].astype(int).tolist())
        return fit(self, X, y, groups, run)

    def watched_decide(self, X, days=None):
        seen.append((self.learnt, set(np.asarray(X)[:, 0, 0].astype(int).tolist())))
        return decide(self, X, days)

    monkeypatch.setattr(NearestBarycenter, "fit", watched_fit)
    monkeypatch.setattr(NearestBarycenter, "decide", watched_decide)
    NearestBarycenter("sum", barycenters="auto", radius=1).fit(values, labels, groups=groups)
    assert len(seen) == 9
    assert all(not one & other for one, other in seen)
