"""Group-wise cross-validation: every method on the same folds, no polygon on both sides."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.assess.validate import methods as known_methods
from cpazmal_scale.assess.validate.folds import Folds, Split
from cpazmal_scale.assess.validate.metrics import (
    BINS,
    codes_of,
    confusion_counts,
    probability_figures,
    reliability_counts,
    scores,
)
from cpazmal_scale.assess.validate.validation import NEVER, CrossValidation
from cpazmal_scale.errors import SampleError
from cpazmal_scale.model import Workers
from cpazmal_scale.samples import check_disjoint

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.samples import WindowSeries


class Labelled(NamedTuple):
    """Windows with what is known of them."""

    series: WindowSeries
    y: ArrayLike
    """`(N,)` class of every window."""
    groups: ArrayLike
    """`(N,)` group (polygon) of every window."""


@dataclass(frozen=True)
class _Plan:
    """Plain values that every fold needs; they travel with its key."""

    classes: tuple[str, ...]
    methods: tuple[str, ...]
    config: RunConfig
    calibrate: bool


_Arrays = Mapping[str, "NDArray[Any]"]
"""What every fold needs: `values, codes, groups` of training windows, the same of tested ones after
`tested_`, `days`, `dates` and `tested_dates` (seconds since 1970), `repeat, fold, tested` of
folds."""


@dataclass(frozen=True, eq=False)
class _Outcome:
    rows: list[dict[str, Any]]
    tested: NDArray[np.intp]
    """`(n,)` positions of the tested windows."""
    predicted: NDArray[np.int16]
    """`(methods, n)`."""
    counts: NDArray[np.int64]
    """`(methods, groups, C, C + 1)`."""
    reliability: NDArray[np.float64]
    """`(methods, groups, bins, 3)`."""


def cross_validate(
    trained: Labelled,
    config: RunConfig,
    *,
    methods: Sequence[str] | None = None,
    tested: Labelled | None = None,
    split: Split | None = None,
    calibrate: bool = True,
    workers: Workers | None = None,
) -> CrossValidation:
    """Train and test each method on the folds of `config.assess`, which are of whole groups.

    All learning, z-scores, imputation and temperature included, happens on the training side of
    a fold. Folds whose sides lack a class are evaluated like the others and listed. The result
    does not depend on the executor or its number of workers.

    Args:
        trained: feature series of N windows with their classes and groups (polygons).
        config: split, folds, repeats, methods, band, barycenters and seed.
        methods: names out of `methods.NAMES`, compared in this order; none: those of the
            configuration.
        tested: other windows to test on, of the same features, as of another beam or year and
            on their own dates; a group is never trained on and tested on even so. None: the
            windows themselves.
        split: (y, groups, folds, seed) to the (train, test) rows of one repeat; none: that of the
            configuration.
        calibrate: fit temperatures; without, classes are the same, and fits several times faster.
        workers: compute the folds; their `share` spares the series the way with every fold, their
            `progress` counts folds; none: one after the other, here.

    Raises:
        SampleError: no windows, one class only, lengths that differ, a class within one group,
            or a split with a group on both sides.
        ConfigError: unknown method.
    """
    workers = workers or Workers()
    plan, arrays, names = _prepared(trained, tested or trained, config, methods, split, calibrate)
    function: Callable[[int], _Outcome] = partial(_fold, plan, arrays)
    if workers.share is not None:
        function = partial(_fold_at, plan, storage.write_arrays(workers.share, arrays))
    keys = range(len(arrays["fold"]))
    found: dict[int, _Outcome] = {}
    for key, outcome in workers.executor.run(function, keys):
        if isinstance(outcome, Exception):
            raise outcome
        found[key] = outcome
        if workers.progress is not None:
            workers.progress(len(found), len(keys))
    return _collected(plan, arrays, names, [found[key] for key in keys])


def require_comparable(
    trained: Labelled, config: RunConfig, *, tested: Labelled | None = None
) -> None:
    """Check what `cross_validate` would refuse, before workers are started for it.

    Raises:
        SampleError: too few groups, or a class within one group.
        ConfigError: unknown method.
    """
    _prepared(trained, tested or trained, config, None, None, True)


def _prepared(
    trained: Labelled,
    tested: Labelled,
    config: RunConfig,
    methods: Sequence[str] | None,
    split: Split | None,
    calibrate: bool,
) -> tuple[_Plan, dict[str, NDArray[Any]], tuple[str, ...]]:
    """The plan, its arrays and the names of the groups."""
    from cpazmal_scale.dtw import NEW_YEAR, season_days

    days = season_days(trained.series.dates, config.dtw.season_start or NEW_YEAR)
    chosen = tuple(known_methods.chosen(config) if methods is None else methods)
    for name in chosen:
        known_methods.make(name, days, config)
    sides = (trained,) if tested is trained else (trained, tested)
    classes = _classes(sides, config)
    y, groups = (np.concatenate([np.asarray(s[i], str) for s in sides]) for i in (1, 2))
    names, numbers = np.unique(groups, return_inverse=True)
    arrays: dict[str, NDArray[Any]] = {"days": days}
    for name, side in (("dates", trained), ("tested_dates", tested)):
        arrays[name] = side.series.dates.astype("datetime64[s]").astype(np.int64)
    start = 0
    for prefix, side in (("", trained), ("tested_", tested)):
        own = slice(start, start + len(side.series.values))
        arrays[f"{prefix}values"] = np.ascontiguousarray(side.series.values, np.float32)
        arrays[f"{prefix}codes"] = codes_of(y[own], classes)
        arrays[f"{prefix}groups"] = numbers[own].astype(np.intp)
        start = own.stop if tested is not trained else 0
    folds = Folds.of(y, numbers.astype(np.intp), config, split)
    plan = _Plan(classes, chosen, config, calibrate)
    return plan, arrays | folds._asdict(), tuple(str(name) for name in names)


def _classes(sides: Sequence[Labelled], config: RunConfig) -> tuple[str, ...]:
    """Classes in the order of the configuration where it knows them all."""
    for series, y, groups in sides:
        count, labels, polygons = len(series.values), len(np.asarray(y)), len(np.asarray(groups))
        if not count == labels == polygons:
            raise SampleError(f"{count} series, {labels} classes, {polygons} groups")
    present = {str(label) for side in sides for label in np.unique(np.asarray(side.y))}
    wanted = config.samples.classes or ()
    classes = tuple(c for c in wanted if c in present) if present <= set(wanted) else ()
    classes = classes or tuple(sorted(present))
    if len(classes) < 2:
        raise SampleError(
            f"{len(classes)} class cannot be told apart",
            remedy="label at least two classes in two groups each",
        )
    return classes


@functools.lru_cache(maxsize=1)
def _arrays_at(url: str) -> _Arrays:
    return storage.read_arrays(url)


def _fold_at(plan: _Plan, url: str, key: int) -> _Outcome:
    return _fold(plan, _arrays_at(url), key)


def _fold(plan: _Plan, arrays: _Arrays, key: int) -> _Outcome:
    """All methods on one fold."""
    own = arrays["tested"][key]
    train = np.flatnonzero(~own[arrays["groups"]])
    test = np.flatnonzero(own[arrays["tested_groups"]])
    truth, groups = arrays["tested_codes"][test], arrays["tested_groups"][test]
    both = np.concatenate([arrays["groups"][train], groups])
    check_disjoint(both, np.arange(train.size), np.arange(train.size, both.size))
    size, methods = len(plan.classes), len(plan.methods)
    outcome = _Outcome(
        [],
        test,
        np.empty((methods, test.size), np.int16),
        np.zeros((methods, own.size, size, size + 1), np.int64),
        np.zeros((methods, own.size, BINS, 3)),
    )
    if not test.size:
        return outcome
    fitted = known_methods.fit_methods(
        plan.methods,
        arrays["values"][train],
        arrays["codes"][train],
        arrays["groups"][train],
        arrays["days"],
        plan.config,
        calibrate=plan.calibrate,
    )
    dates = _other_dates(plan, arrays)
    for place, method in enumerate(fitted):
        answer = known_methods.timed_answer(method, arrays["tested_values"][test], size, dates)
        outcome.predicted[place] = answer.codes
        for group in np.unique(groups):
            some = groups == group
            own_truth, said, sure = truth[some], answer.codes[some], answer.confidence[some]
            outcome.counts[place, group] = confusion_counts(own_truth, said, size)
            outcome.reliability[place, group] = reliability_counts(own_truth, said, sure)
        row = _figures(plan.classes, truth, answer, outcome.counts[place].sum(axis=0))
        where = {name: int(arrays[name][key]) for name in ("repeat", "fold")}
        outcome.rows.append(
            {"method": method.name, **where, **row, "seconds_fit": method.seconds}
            | {"seconds_predict": answer.seconds}
        )
    return outcome


def _other_dates(plan: _Plan, arrays: _Arrays) -> known_methods.Dates | None:
    """Dates of both sides; none where they are the same."""
    from cpazmal_scale.dtw import NEW_YEAR

    if np.array_equal(arrays["dates"], arrays["tested_dates"]):
        return None
    both = [arrays[name].astype("datetime64[s]") for name in ("dates", "tested_dates")]
    start = plan.config.dtw.season_start or NEW_YEAR
    return known_methods.Dates(both[0], both[1], (start, start))


def _figures(
    classes: tuple[str, ...],
    truth: NDArray[np.intp],
    answer: known_methods.Answer,
    counts: NDArray[np.int64],
) -> dict[str, float]:
    """Figures of one method on one fold."""
    figures = scores(counts)
    by_class = {
        f"{name}_{label}": float(getattr(figures, name)[c])
        for name in ("producers", "users", "f1")
        for c, label in enumerate(classes)
    }
    return {
        "macro_f1": float(figures.macro_f1),
        "oa": float(figures.overall_accuracy),
        "kappa": float(figures.kappa),
        "weighted_f1": float(figures.weighted_f1),
        **by_class,
        **probability_figures(truth, answer.codes, answer.probability),
    }


def _collected(
    plan: _Plan, arrays: _Arrays, names: tuple[str, ...], outcomes: list[_Outcome]
) -> CrossValidation:
    import pandas as pd

    codes, groups = arrays["tested_codes"], arrays["tested_groups"]
    mixture = np.zeros((len(names), len(plan.classes)), np.int64)
    np.add.at(mixture, (groups, codes), 1)
    predicted = np.full((len(plan.methods), codes.size), NEVER, np.int16)
    for outcome in reversed(outcomes):
        predicted[:, outcome.tested] = outcome.predicted
    return CrossValidation(
        classes=plan.classes,
        methods=plan.methods,
        groups=names,
        windows=mixture,
        folds=pd.DataFrame([row for outcome in outcomes for row in outcome.rows]),
        sides=_sides(plan, arrays),
        counts=np.sum([outcome.counts for outcome in outcomes], axis=0),
        reliability=np.sum([outcome.reliability for outcome in outcomes], axis=0),
        codes=codes,
        predicted=predicted,
        tested=arrays["tested"],
        split=plan.config.assess.split,
        seed=plan.config.seed,
    )


def _sides(plan: _Plan, arrays: _Arrays) -> Any:
    """Table of the windows of each class on either side of every fold."""
    import pandas as pd

    rows = []
    folds = Folds(*(arrays[name] for name in Folds._fields))
    for repeat, fold, tested in zip(*folds, strict=True):
        sides = {
            "train": arrays["codes"][~tested[arrays["groups"]]],
            "test": arrays["tested_codes"][tested[arrays["tested_groups"]]],
        }
        for side, codes in sides.items():
            counts = np.bincount(codes, minlength=len(plan.classes)).tolist()
            where = (int(repeat), int(fold), side)
            rows += [(*where, name, n) for name, n in zip(plan.classes, counts, strict=True)]
    return pd.DataFrame(rows, columns=["repeat", "fold", "side", "class", "windows"])
