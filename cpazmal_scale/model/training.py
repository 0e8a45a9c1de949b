"""Labelled windows and a configuration to a trained classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import __version__
from cpazmal_scale.config import RunConfig, identity
from cpazmal_scale.config.methods import BEST, method
from cpazmal_scale.errors import ConfigError, ModelMismatch, SampleError
from cpazmal_scale.model import learning, methods
from cpazmal_scale.model.trained import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.samples import WindowSeries


def require_method(config: RunConfig) -> None:
    """Check that the classifier of a run can be made, before its series are read.

    Raises:
        ConfigError: the package it needs is not installed, or a network is none or is not named.
        StoreMissing, StoreError: a network cannot be read.
    """
    if config.classify.method != BEST:
        methods.make(config.classify.method, config, None)


def train(
    series: WindowSeries,
    labels: Sequence[str],
    groups: Sequence[str],
    config: RunConfig,
    *,
    polarisations: tuple[str, ...],
    provenance: Mapping[str, Any],
    workers: learning.Workers | None = None,
) -> Model:
    """Train the classifier of the run on labelled windows.

    Args:
        series: N windows with K features on T dates.
        labels: class of each window.
        groups: polygon of each window; the temperature is fitted on held-out ones.
        config: sections `dtw`, `train`, `classify`, the legend and the seed are used.
        polarisations: co-polarised channel, then the cross-polarised one.
        provenance: plain values that describe the samples; part of the model's identity.
        workers: find barycenters; none: one after the other, here.

    Raises:
        ConfigError: the method is `best`.
        SampleError: fewer than two classes, or a class without any valid series.
    """
    from cpazmal_scale.dtw import NEW_YEAR, season_days

    if len(set(labels)) < 2:
        raise SampleError(
            f"one class cannot be told from none: {', '.join(sorted(set(labels))) or 'no windows'}",
            remedy="label at least two classes",
        )
    if config.classify.method == BEST:
        raise ConfigError(
            "one method can be trained, not the best of several",
            remedy="set classify.method, or to the one that assess.choose names",
        )
    setting, start = config.classify.method, config.dtw.season_start or NEW_YEAR
    known = np.isfinite(series.values).sum(axis=2).max(axis=1) >= config.dtw.min_dates
    short = sorted(set(labels) - set(np.asarray(labels)[known].tolist()))
    if short:
        raise SampleError(
            f"no window of class {short[0]} has {config.dtw.min_dates} valid dates in any feature",
            remedy="use more dates, or lower dtw.min_dates",
        )
    classifier = methods.make(setting, config, season_days(series.dates, start))
    try:
        methods.expect(classifier, series)
        learning.fit(classifier, series.values, np.asarray(labels), np.asarray(groups), workers)
    except ModelMismatch as error:
        where = error.where or config.classify.network
        raise ModelMismatch(error.what, where=where, remedy=error.remedy) from None
    except ValueError as error:
        raise SampleError(str(error), remedy="check the polygons and the period") from None
    facts = {
        **provenance,
        **getattr(classifier, "facts_", {}),
        "software": f"cpazmal-scale {__version__}",
        "windows": {str(c): int((np.asarray(labels) == c).sum()) for c in classifier.classes_},
        "groups": sorted({str(group) for group in groups}),
        "seed": config.seed,
    }
    settings = (config.features, config.dtw, config.train, setting, facts)
    return Model(
        identity("model", *settings, polarisations, series.dates.astype(str).tolist()),
        setting,
        classifier,
        config.features,
        polarisations,
        series.dates,
        facts,
        start,
        config.legend,
        _means(series, labels, classifier.classes_) if method(setting).aligned else None,
    )


def _means(
    series: WindowSeries, labels: Sequence[str], classes: NDArray[Any]
) -> NDArray[np.float32]:
    """Means (C, K, T) of the classes' windows on each date; NaN where none has data."""
    found = np.full((len(classes), *series.values.shape[1:]), np.nan, np.float32)
    for mean, code in zip(found, classes, strict=True):
        members = series.values[np.asarray(labels) == code]
        seen = np.isfinite(members)
        total = np.where(seen, members, 0).sum(axis=0, dtype=np.float64)
        np.divide(total, seen.sum(axis=0), out=mean, where=seen.any(axis=0), casting="same_kind")
    return found
