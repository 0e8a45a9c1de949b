"""The best of several methods by group-wise cross-validation, and what the choice itself is worth.

The choice is nested: on every outer fold the methods are compared once more, on the training side
alone, and the winner of that comparison is tested on polygons that neither trained it nor chose it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.assess.validate.cross_validate import Labelled, cross_validate
from cpazmal_scale.assess.validate.metrics import confusion_counts, scores
from cpazmal_scale.assess.validate.significance import holm
from cpazmal_scale.assess.validate.validation import resampled_macro_f1
from cpazmal_scale.config.methods import method
from cpazmal_scale.execute import SerialExecutor
from cpazmal_scale.model import Workers
from cpazmal_scale.samples import WindowSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cpazmal_scale.assess.validate.validation import CrossValidation
    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.execute import Executor
    from cpazmal_scale.progress import Progress

TIE = 0.01
"""Macro-F1 below which two methods are level, if nothing decides between them."""
FOLDS = 3
TESTED_WINDOWS = 1500
"""Predictions that a choice rests on: fewer windows are divided anew until there are as many."""
MOST_REPEATS = 3
NESTED_GROUPS = 4
"""Groups that each class needs for a choice within a fold: two to train on, and two to test on."""


@dataclass(frozen=True)
class Choice:
    """Which method, by how much, how surely, and what choosing is worth."""

    method: str
    """Setting of the chosen method."""
    macro_f1: dict[str, float]
    """Of all folds together, by setting, best first."""
    next: str | None
    """Setting of the best of the others."""
    difference: float
    """Macro-F1 of the chosen method minus that of the next."""
    low: float
    high: float
    p: float
    """Permutation of polygons."""
    p_corrected: float
    """The same after Holm's correction for the comparisons of the chosen with all others."""
    decided: bool
    """Whether interval and corrected permutation agree that there is a difference, on enough
    polygons."""
    nested_macro_f1: float | None
    """Of the winners of inner comparisons on the outer folds' test sides; none: too few groups."""
    nested_low: float | None
    nested_high: float | None
    nested_winners: dict[str, int]
    """How often each method won an inner comparison."""
    folds: int
    groups: int

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def choose(
    series: WindowSeries,
    y: Sequence[str] | NDArray[Any],
    groups: Sequence[str] | NDArray[Any],
    config: RunConfig,
    *,
    executor: Executor | None = None,
    share: str | None = None,
    progress: Progress | None = None,
) -> Choice:
    """Compare `config.classify.candidates` on whole groups and take the best, ties to the cheapest.

    Two methods are level if less than `TIE` is between them and nothing decides it. Few windows are
    divided into folds up to `MOST_REPEATS` times, since one division of them decides by chance.

    Args:
        series: feature series of N windows.
        y: (N) class of every window.
        groups: (N) group (polygon) of every window.
        config: candidates, band, barycenters and seed.
        executor: computes the folds.
        share: folder where workers of other processes find the series.
        progress: called as (comparisons done, comparisons).

    Raises:
        SampleError: a class within one group.
    """
    labels, polygons = np.asarray(y, str), np.asarray(groups, str)
    fewest = min(len(set(polygons[labels == code])) for code in np.unique(labels))
    folds = min(FOLDS, max(fewest, 2))
    repeats = int(np.clip(TESTED_WINDOWS // len(labels), 1, MOST_REPEATS))
    how: dict[str, Any] = {
        "methods": [method(setting).name for setting in config.classify.candidates],
        "workers": Workers(executor or SerialExecutor(), share),
        "calibrate": False,
    }
    every = Labelled(series, labels, polygons)
    outer = cross_validate(every, _divided(config, folds, repeats), **how)
    steps = 1 + folds * (fewest >= NESTED_GROUPS and len(outer.methods) > 1)
    _tell(progress, 1, steps)
    winners: list[str] = []
    nested = np.zeros_like(outer.counts[0])
    for row in outer.tested[: steps - 1]:
        inside = ~np.isin(polygons, np.asarray(outer.groups)[row])
        inner = cross_validate(_part(every, inside), _divided(config, 2, 1), **how)
        winners.append(winner(inner))
        said = outer.predicted[outer.methods.index(winners[-1])]
        for group in np.flatnonzero(row):
            own = polygons == outer.groups[group]
            nested[group] = confusion_counts(outer.codes[own], said[own], len(outer.classes))
        _tell(progress, 1 + len(winners), steps)
    return _choice(outer, nested, winners)


def _part(every: Labelled, inside: NDArray[np.bool_]) -> Labelled:
    """Some of the windows."""
    series = every.series
    values = WindowSeries(series.values[inside], series.names, series.dates)
    return Labelled(values, np.asarray(every.y)[inside], np.asarray(every.groups)[inside])


def _divided(config: RunConfig, folds: int, repeats: int) -> RunConfig:
    """The run with folds of whole groups."""
    split = {"split": "stratified", "folds": folds, "repeats": repeats, "test_beam": None}
    return config.with_values({"assess": split})


def _choice(outer: CrossValidation, nested: NDArray[np.int64], winners: list[str]) -> Choice:
    best = winner(outer)
    found = {name: float(outer.pooled(name).macro_f1) for name in outer.methods}
    order = sorted(found, key=lambda name: -found[name])
    others = [name for name in order if name != best]
    gaps = [outer.difference(best, name) for name in others]
    fair = holm(np.array([each.p for each in gaps])).tolist()
    gap = gaps[0] if gaps else None
    low = high = None
    if winners:
        low, high = np.quantile(
            resampled_macro_f1(nested, outer.windows, outer.seed), [0.025, 0.975]
        )
    return Choice(
        method=method(best).setting,
        macro_f1={method(name).setting: round(found[name], 6) for name in order},
        next=method(others[0]).setting if others else None,
        difference=gap.value if gap else 0.0,
        low=gap.low if gap else 0.0,
        high=gap.high if gap else 0.0,
        p=gap.p if gap else 1.0,
        p_corrected=fair[0] if gap else 1.0,
        decided=bool(gap and gap._replace(p=fair[0]).decided),
        nested_macro_f1=float(scores(nested.sum(axis=0)).macro_f1) if winners else None,
        nested_low=None if low is None else float(low),
        nested_high=None if high is None else float(high),
        nested_winners=dict(Counter(method(name).setting for name in winners)),
        folds=outer.fold_count,
        groups=int(outer.windows.any(axis=1).sum()),
    )


def winner(own: CrossValidation) -> str:
    """The method of largest macro-F1, or the cheapest that is level with it."""
    found = {name: float(own.pooled(name).macro_f1) for name in own.methods}
    best = max(found, key=lambda name: found[name])
    level = [
        name
        for name in own.methods
        if name == best
        or (found[best] - found[name] < TIE and not own.difference(best, name).decided)
    ]
    return min(level, key=lambda name: method(name).cost)


def _tell(progress: Progress | None, done: int, steps: int) -> None:
    if progress is not None:
        progress(done, steps)
