"""Which polygons each fold tests, so that none is on both sides, and which dates are held out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale.dtw import NEW_YEAR, season_days
from cpazmal_scale.errors import SampleError
from cpazmal_scale.samples import (
    WindowSeries,
    check_disjoint,
    cyclic_group_folds,
    leave_one_group_out,
    stratified_group_folds,
)

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from cpazmal_scale.config import RunConfig

Split = Callable[
    [Any, Any, int, int], Iterable[tuple["NDArray[np.integer]", "NDArray[np.integer]"]]
]


class Folds(NamedTuple):
    """F folds over G groups."""

    repeat: NDArray[np.intp]
    """`(F,)` which seed a fold belongs to."""
    fold: NDArray[np.intp]
    """`(F,)` its number within the repeat."""
    tested: NDArray[np.bool_]
    """`(F, G)` groups on the test side; all others are trained on."""

    @classmethod
    def of(
        cls, y: NDArray[Any], groups: NDArray[np.intp], config: RunConfig, split: Split | None
    ) -> Folds:
        """The folds of a configuration.

        Args:
            y: `(N,)` class of every window.
            groups: `(N,)` group numbers from 0.
            config: split, folds, repeats and seed.
            split: (y, groups, folds, seed) to the (train, test) rows of one repeat; none: that of
                `assess.split`.

        Raises:
            SampleError: a class within one group, a group on both sides, or one never tested.
        """
        split = split or _split(config)
        repeats, numbers, tested = [], [], []
        count = int(groups.max()) + 1
        for repeat, seed in enumerate(_seeds(config)):
            for number, (train, test) in enumerate(split(y, groups, config.assess.folds, seed)):
                check_disjoint(groups, np.asarray(train, np.intp), np.asarray(test, np.intp))
                repeats.append(repeat)
                numbers.append(number)
                tested.append(np.bincount(groups[test], minlength=count) > 0)
        found = cls(np.array(repeats), np.array(numbers), np.stack(tested))
        for repeat in range(repeats[-1] + 1):
            if not found.tested[found.repeat == repeat].any(axis=0).all():
                raise SampleError("the split does not test every group in one of its folds")
        return found


def require_folds(y: NDArray[Any], groups: NDArray[Any], config: RunConfig) -> None:
    """Check that windows of classes `y` `(N,)` and `groups` `(N,)` make the folds of a run.

    Raises:
        SampleError: fewer groups than folds, or a class within one group.
    """
    _, numbers = np.unique(np.asarray(groups, str), return_inverse=True)
    Folds.of(np.asarray(y, str), numbers.astype(np.intp), config, None)


def by_date(
    series: WindowSeries, until: date | None, season: str = NEW_YEAR
) -> tuple[WindowSeries, WindowSeries]:
    """The series up to a date (none: the end of its first year), and those of the dates after it.

    A year begins on the first day of the `season`, `MM-DD`.

    Raises:
        SampleError: one side has no dates.
    """
    dates = series.dates.astype("datetime64[D]")
    last = np.datetime64(until) if until else _end_of_year(series.dates[0], season)
    early = dates <= last
    if early.all() or not early.any():
        raise SampleError(
            f"all {len(dates)} dates lie {'before' if early.all() else 'after'} {last}",
            remedy="set assess.train_until between them, and `end` to a later date",
        )
    sides = (early, ~early)
    one, two = (WindowSeries(series.values[..., s], series.names, series.dates[s]) for s in sides)
    return one, two


def _split(config: RunConfig) -> Split:
    if config.assess.split == "cyclic":
        return partial(_cyclic, config.assess.groups_per_class)
    return leave_one_group_out if _is_single(config) else stratified_group_folds


def _cyclic(
    groups_per_class: int, y: NDArray[Any], groups: NDArray[Any], _folds: int, seed: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    return cyclic_group_folds(y, groups, groups_per_class=groups_per_class, seed=seed)


def _is_single(config: RunConfig) -> bool:
    """Whether the split knows no chance, so that repeating it says nothing new."""
    return config.assess.split == "leave-one-group-out"


def _seeds(config: RunConfig) -> Iterator[int]:
    """Seeds of the repeats' splits."""
    for repeat in range(1 if _is_single(config) else config.assess.repeats):
        yield int(np.random.SeedSequence([config.seed, repeat]).generate_state(1)[0])


def _end_of_year(first: np.datetime64, season: str) -> np.datetime64:
    """Last day of the year that the first date lies in."""
    began = first.astype("datetime64[D]") - int(season_days([first], season)[0])
    following = began + np.timedelta64(366, "D")
    return np.datetime64(following - int(season_days([following], season)[0]) - 1, "D")
