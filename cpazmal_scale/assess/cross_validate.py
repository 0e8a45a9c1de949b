"""Group-wise cross-validation: every method on the same folds, no polygon on both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.assess import methods as known_methods
from cpazmal_scale.assess.metrics import (
    BINS,
    codes_of,
    confusion_counts,
    probability_figures,
    reliability_counts,
    scores,
)
from cpazmal_scale.assess.validation import CrossValidation
from cpazmal_scale.errors import SampleError
from cpazmal_scale.execute import SerialExecutor
from cpazmal_scale.samples.splits import check_disjoint, stratified_group_folds

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.execute import Executor
    from cpazmal_scale.samples.series import WindowSeries

Progress = Callable[[int, int], None]
Split = Callable[
    [Any, Any, int, int], Iterable[tuple["NDArray[np.integer]", "NDArray[np.integer]"]]
]


@dataclass(frozen=True, eq=False)
class _Task:
    """What every fold needs; small enough to travel with its key."""

    values: NDArray[np.float32]
    codes: NDArray[np.intp]
    groups: NDArray[np.intp]
    fold_of: NDArray[np.int16]
    """`(repeats, N)` fold in which a window is tested."""
    days: NDArray[np.float64]
    classes: tuple[str, ...]
    methods: tuple[str, ...]
    config: RunConfig


@dataclass(frozen=True, eq=False)
class _Outcome:
    rows: list[dict[str, Any]]
    counts: NDArray[np.int64]
    """`(methods, groups, C, C + 1)`."""
    reliability: NDArray[np.float64]
    """`(methods, bins, 3)`."""


def cross_validate(
    series: WindowSeries,
    y: ArrayLike,
    groups: ArrayLike,
    config: RunConfig,
    *,
    methods: Sequence[str] = known_methods.DEFAULT,
    executor: Executor | None = None,
    split: Split = stratified_group_folds,
    progress: Progress | None = None,
) -> CrossValidation:
    """Train and test each method on `config.assess.folds` × `repeats` folds of whole groups.

    All learning, z-scores, imputation and temperature included, happens on the training side of
    a fold. Folds whose sides lack a class are evaluated like the others and listed. The result
    does not depend on the executor or its number of workers.

    Args:
        series: feature series of N windows.
        y: (N) class of every window.
        groups: (N) group (polygon) of every window.
        config: folds, repeats, band, barycenters and seed.
        methods: names out of `methods.NAMES`, compared in this order.
        executor: computes the folds; none: one after the other, here.
        split: (y, groups, folds, seed) to the (train, test) rows of one repeat.
        progress: called as (folds done, folds).

    Raises:
        SampleError: no windows, one class only, lengths that differ, a class within one group,
            or a split with a group on both sides.
        ConfigError: unknown method.
    """
    task, names = _task(series, np.asarray(y), np.asarray(groups), config, methods, split)
    keys = [(r, f) for r in range(config.assess.repeats) for f in range(config.assess.folds)]
    found: dict[tuple[int, int], _Outcome] = {}
    for key, outcome in (executor or SerialExecutor()).run(partial(_fold, task), keys):
        if isinstance(outcome, Exception):
            raise outcome
        found[key] = outcome
        if progress is not None:
            progress(len(found), len(keys))
    return _collected(task, names, [found[key] for key in keys])


def _task(
    series: WindowSeries,
    y: NDArray[Any],
    groups: NDArray[Any],
    config: RunConfig,
    methods: Sequence[str],
    split: Split,
) -> tuple[_Task, tuple[str, ...]]:
    """The task and the names of its groups."""
    from cpazmal_scale.dtw import season_days

    days = season_days(series.dates)
    for name in methods:
        known_methods.make(name, days, config)
    present = {str(label) for label in np.unique(y)}
    wanted = config.samples.classes
    classes = tuple(c for c in wanted if c in present) if present <= set(wanted) else ()
    classes = classes or tuple(sorted(present))
    if not len(series.values) == len(y) == len(groups):
        raise SampleError(f"{len(series.values)} series, {len(y)} classes, {len(groups)} groups")
    if len(classes) < 2:
        raise SampleError(
            f"{len(classes)} class cannot be told apart",
            remedy="label at least two classes in two groups each",
        )
    names, numbers = np.unique(groups.astype(str), return_inverse=True)
    codes = codes_of(y, classes)
    fold_of = np.stack([_folds(y, groups, config, seed, split) for seed in _seeds(config)])
    task = _Task(
        np.ascontiguousarray(series.values, np.float32),
        *(codes, numbers.astype(np.intp), fold_of, days, classes, tuple(methods), config),
    )
    return task, tuple(str(name) for name in names)


def _seeds(config: RunConfig) -> Iterator[int]:
    """Seeds of the repeats' splits."""
    for repeat in range(config.assess.repeats):
        yield int(np.random.SeedSequence([config.seed, repeat]).generate_state(1)[0])


def _folds(
    y: NDArray[Any],
    groups: NDArray[Any],
    config: RunConfig,
    seed: int,
    split: Split,
) -> NDArray[np.int16]:
    """Fold `(N,)` in which each window is tested; every window is, once."""
    fold_of = np.full(len(y), -1, np.int16)
    for fold, (train, test) in enumerate(split(y, groups, config.assess.folds, seed)):
        check_disjoint(groups, np.asarray(train, np.intp), np.asarray(test, np.intp))
        fold_of[test] = fold
    if fold_of.min() < 0 or fold_of.max() + 1 != config.assess.folds:
        raise SampleError("the split does not test every window in one of the folds asked for")
    return fold_of


def _fold(task: _Task, key: tuple[int, int]) -> _Outcome:
    """All methods on one fold."""
    repeat, fold = key
    test = np.flatnonzero(task.fold_of[repeat] == fold)
    train = np.flatnonzero(task.fold_of[repeat] != fold)
    check_disjoint(task.groups, train, test)
    size, groups = len(task.classes), int(task.groups.max()) + 1
    counts = np.zeros((len(task.methods), groups, size, size + 1), np.int64)
    reliability = np.zeros((len(task.methods), BINS, 3))
    rows = []
    fitted = known_methods.fit_methods(
        task.methods,
        *(task.values[train], task.codes[train], task.groups[train], task.days, task.config),
    )
    for place, method in enumerate(fitted):
        answer = known_methods.timed_answer(method, task.values[test], size)
        truth, predicted = task.codes[test], answer.codes
        for group in np.unique(task.groups[test]):
            own = task.groups[test] == group
            counts[place, group] = confusion_counts(truth[own], predicted[own], size)
        reliability[place] = reliability_counts(truth, predicted, answer.confidence)
        figures = scores(counts[place].sum(axis=0))
        rows.append(
            {
                "method": method.name,
                "repeat": repeat,
                "fold": fold,
                "macro_f1": float(figures.macro_f1),
                "oa": float(figures.overall_accuracy),
                "kappa": float(figures.kappa),
                "weighted_f1": float(figures.weighted_f1),
                **{f"f1_{n}": float(figures.f1[c]) for c, n in enumerate(task.classes)},
                **probability_figures(truth, predicted, answer.probability),
                "seconds_fit": method.seconds,
                "seconds_predict": answer.seconds,
            }
        )
    return _Outcome(rows, counts, reliability)


def _collected(task: _Task, names: tuple[str, ...], outcomes: list[_Outcome]) -> CrossValidation:
    import pandas as pd

    size = len(task.classes)
    mixture = np.zeros((len(names), size), np.int64)
    np.add.at(mixture, (task.groups, task.codes), 1)
    return CrossValidation(
        classes=task.classes,
        methods=task.methods,
        groups=names,
        windows=mixture,
        folds=pd.DataFrame([row for outcome in outcomes for row in outcome.rows]),
        lacking=_lacking(task),
        counts=np.sum([outcome.counts for outcome in outcomes], axis=0),
        reliability=np.sum([outcome.reliability for outcome in outcomes], axis=0),
        seed=task.config.seed,
    )


def _lacking(task: _Task) -> Any:
    """Table of the classes that one side of a fold lacks."""
    import pandas as pd

    rows = []
    for repeat, fold_of in enumerate(task.fold_of):
        for fold in range(task.config.assess.folds):
            for side, chosen in (("train", fold_of != fold), ("test", fold_of == fold)):
                there = np.bincount(task.codes[chosen], minlength=len(task.classes))
                rows += [(repeat, fold, side, task.classes[c]) for c in np.flatnonzero(there == 0)]
    return pd.DataFrame(rows, columns=["repeat", "fold", "side", "class"])
