"""Averages of a classifier found by workers, one class and feature at a time."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.execute import SerialExecutor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.dtw import AverageKey, NearestBarycenter, TrainingSet
    from cpazmal_scale.execute import Executor
    from cpazmal_scale.model.methods import PixelModel
    from cpazmal_scale.progress import Progress


@dataclass(frozen=True, eq=False)
class Workers:
    """Where averages are found or folds evaluated; the result does not depend on it."""

    executor: Executor = field(default_factory=SerialExecutor)
    share: str | None = None
    """Folder (any fsspec URL) where workers of other processes find the series; none: they are
    threads of this one."""
    progress: Progress | None = None
    """Called as (parts done, parts)."""


def fit(
    classifier: PixelModel,
    values: NDArray[np.float32],
    labels: NDArray[Any],
    groups: NDArray[Any],
    workers: Workers | None = None,
) -> None:
    """Fit a classifier on series `(N, K, T)`, barycenters found by `workers` if given.

    Raises:
        ValueError: as `NearestBarycenter.fit`.
    """
    from cpazmal_scale.dtw import NearestBarycenter

    if workers is None or not isinstance(classifier, NearestBarycenter):
        classifier.fit(values, labels, groups=groups)
        return
    if classifier.barycenters == "auto":
        classifier.set_params(barycenters=classifier.chosen_count(values, labels, groups))
    elsewhere = None
    if workers.share is not None:
        settings = classifier.get_params(deep=False)
        days = np.asarray(settings.pop("days"))
        arrays = {"values": values, "labels": labels, "groups": groups, "days": days}
        url = storage.write_arrays(workers.share, arrays)
        elsewhere = functools.partial(_average_at, url, json.dumps(settings, sort_keys=True))

    def run(
        average: Callable[[AverageKey], NDArray[np.float64]], keys: Sequence[AverageKey]
    ) -> Iterator[tuple[AverageKey, NDArray[np.float64]]]:
        found = workers.executor.run(elsewhere or average, keys)
        for done, (key, result) in enumerate(found, start=1):
            if isinstance(result, Exception):
                raise result
            if workers.progress is not None:
                workers.progress(done, len(keys))
            yield key, result

    classifier.fit(values, labels, groups=groups, run=run)


@functools.lru_cache(maxsize=1)
def _training_set_at(url: str, settings: str) -> tuple[NearestBarycenter, TrainingSet]:
    from cpazmal_scale.dtw import NearestBarycenter

    arrays = storage.read_arrays(url)
    classifier = NearestBarycenter(**json.loads(settings), days=arrays["days"])
    return classifier, classifier.training_set(arrays["values"], arrays["labels"], arrays["groups"])


def _average_at(url: str, settings: str, key: AverageKey) -> NDArray[np.float64]:
    classifier, training = _training_set_at(url, settings)
    return classifier.average(training, key)
