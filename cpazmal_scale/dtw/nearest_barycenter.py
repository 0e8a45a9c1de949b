"""Nearest barycenter under DTW, with the scikit-learn interface."""

from __future__ import annotations

import copy
import json
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from cpazmal_scale.dtw.averaging import barycenter, barycenters
from cpazmal_scale.dtw.band import near_days, trained_limits
from cpazmal_scale.dtw.block import CELLS_PER_SECOND, block_distances
from cpazmal_scale.dtw.checks import settings_of, whole
from cpazmal_scale.dtw.confidence import (
    alike,
    as_they_are,
    borne_out,
    can_calibrate,
    fitted_confidence,
    known_within,
    stored_width,
)
from cpazmal_scale.dtw.counts import chosen_count
from cpazmal_scale.dtw.decision import Decision, decide
from cpazmal_scale.dtw.estimators import (
    Scaling,
    SeriesClassifier,
    as_json,
    checked_labels,
    checked_series,
)
from cpazmal_scale.dtw.seasons import is_dates, match_season, stored_days
from cpazmal_scale.dtw.temperature import fit_temperature
from cpazmal_scale.dtw.training_set import HeldOut, TrainingSet
from cpazmal_scale.kernels.standardise import standardised

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cpazmal_scale.dtw.band import OpenEnds
    from cpazmal_scale.dtw.seasons import MatchedDates
    from cpazmal_scale.dtw.training_set import AverageKey, RunAverages


class NearestBarycenter(SeriesClassifier):
    """Class of the nearest DTW barycenter, feature by feature.

    Each feature is z-scored with the training mean and standard deviation. For every class and
    feature `barycenters` DBA averages are found; `tau_` is the median distance of training series
    to the nearest barycenter of their own class; the temperature is fitted by log-loss on held-out
    groups when groups are given, else it is 1. `radius=0` is the Euclidean twin.

    Args:
        decision: how the features' distances become one class, see `decide`.
        barycenters: centroids per class and feature; a class with fewer series repeats one; `auto`:
            by the `sum` on held-out groups, see `chosen_count`.
        radius: band in samples.
        days: days `(T,)` of the training dates, for `band_days`.
        band_days: band in days instead of `radius`; with neither there is no band.
        iterations: most DBA iterations.
        restarts: DBA starts: the mean, then random members; the best is kept.
        reject: reject what is farther from every class than this multiple of tau.
        min_dates: features with fewer valid dates do not count.
        temperature: of the probabilities; none: fitted.
        seed: of every random choice.
        open_ends: ends of a series that need not meet the barycenter's; averages have none.

    Attributes:
        classes_: labels, sorted.
        barycenters_: float32 `(C, M, K, T)`, z-scored.
        tau_: float64 `(K,)`, in z-scores.
        temperature_: float.
        mean_: float64 `(K,)` of the training features.
        scale_: float64 `(K,)`, their standard deviation.
        confidence_: float64 `(C + 1,)` how sure the largest probability may be.
        calibrated_: whether it was fitted on held-out groups, of which every class has enough;
            never of `vote`, which gives shares.
        known_within_: how well these know the share of right decisions; none: not calibrated.
        count_: barycenters per class and feature.
        held_out_: what the temperature was fitted on; none where nothing was held out.
    """

    arrays: ClassVar[tuple[str, ...]] = ("classes_", "barycenters_", "tau_", "mean_", "scale_")
    """What `state` keeps."""

    def __init__(
        self,
        decision: Literal["soft", "vote", "sum"] = "soft",
        barycenters: int | Literal["auto"] = 1,
        radius: int | None = None,
        days: ArrayLike | None = None,
        band_days: float | None = None,
        iterations: int = 30,
        restarts: int = 2,
        reject: float | None = None,
        min_dates: int = 1,
        temperature: float | None = None,
        seed: int = 0,
        open_ends: OpenEnds | None = None,
    ) -> None:
        self.decision = decision
        self.barycenters = barycenters
        self.radius = radius
        self.days = days
        self.band_days = band_days
        self.iterations = iterations
        self.restarts = restarts
        self.reject = reject
        self.min_dates = min_dates
        self.temperature = temperature
        self.seed = seed
        self.open_ends = open_ends

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        run: RunAverages | None = None,
    ) -> Self:
        """Learn from series `(N, K, T)` or `(N, T)`, NaN missing, their labels and polygons.

        `run` applies `average` to the keys of the `training_set`, by threads or on other machines.

        Raises:
            ValueError: shapes, values or labels that do not fit, a class without any valid date.
        """
        settings_of(self)
        if isinstance(self.barycenters, str) and self.barycenters == "auto":
            self.count_ = self.chosen_count(X, y, groups)
        else:
            self.count_ = whole("barycenters", self.barycenters, 1)
        training = self.training_set(X, y, groups)
        centroids = self._averaged(training, run)
        self.barycenters_ = centroids[0]
        self.tau_ = self._tau(training.values, training.codes, centroids[0])
        if not _usable(self.barycenters_).any():
            poor = self.classes_[np.isnan(self.barycenters_).all(axis=(1, 2, 3))]
            raise ValueError(f"no feature has valid dates in every class; none at all in: {poor}")
        numbers = training.groups if self.temperature is None else None
        self._enough_groups = numbers is not None and can_calibrate(training.codes, numbers)
        self.held_out_ = self._held_out(training, centroids)
        self._calibrate()
        return self

    def training_set(
        self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None
    ) -> TrainingSet:
        """What `fit` learns from the same arguments: the series z-scored, and who is held out."""
        series = checked_series(self, X, reset=True)
        self.classes_, codes = checked_labels(y, len(series))
        self.dates_in_ = series.shape[2]
        scaling = Scaling.of(series)
        self.mean_, self.scale_ = scaling
        values = scaling.apply(series)
        held = groups if self._holds_out() else None
        return TrainingSet.of(values, codes, held, self.seed)

    def average(self, training: TrainingSet, key: AverageKey) -> NDArray[np.float64]:
        """Averages `(M, T)` of one class's series of one feature; NaN without any valid date."""
        members, table = training.members(key), self.limits()
        if not len(members):
            return np.full((1, table.shape[0]), np.nan)
        options: dict[str, Any] = {
            "limits": table,
            "iterations": self.iterations,
            "restarts": self.restarts,
            "seed": self.seed,
        }
        count = int(getattr(self, "count_", self.barycenters))
        if count == 1:
            return barycenter(members, **options).values[None]
        found = barycenters(members, count, **options).values
        return np.asarray(found[np.arange(count) % len(found)])

    def chosen_count(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None) -> int:
        """How many barycenters `auto` stands for: the best by the `sum` on held-out groups."""
        settings = self.get_params(deep=False) | {"decision": "sum", "temperature": 1.0}
        settings |= {"reject": None, "restarts": 1, "iterations": min(self.iterations, 8)}

        def make(count: int) -> NearestBarycenter:
            return NearestBarycenter(**{**settings, "barycenters": count})

        return chosen_count(make, X, y, groups, self.seed)

    def with_decision(self, decision: Literal["soft", "vote", "sum"]) -> Self:
        """The same barycenters under another decision, its temperature fitted as by `fit`."""
        check_is_fitted(self)
        other = copy.copy(self)
        other.decision = decision
        other._calibrate()
        return other

    def decide(self, X: ArrayLike, days: ArrayLike | None = None) -> Decision:
        """The whole decision for series `(N, K, T)`, on other `days` `(T,)` if given."""
        check_is_fitted(self)
        series = checked_series(self, X, reset=False)
        fitted = self
        if days is not None and self.days is not None and is_dates(days) and is_dates(self.days):
            order, matched = match_season(days, self.days, band_days=self.near_days)
            series = series[..., order]
            if (fault := matched.fault()) is not None:
                raise ValueError(f"{fault}; train on the same months")
            fitted, days = self.on(matched), matched.standing
        return fitted.classify_block(
            series.transpose(1, 2, 0), fitted.limits(days, series.shape[2])
        )

    def on(self, matched: MatchedDates) -> Self:
        """The same classifier on the dates of series that its own dates were matched to.

        `tau_` is that of as many dates: distances grow with the root of their number.
        """
        other = copy.copy(self)
        other.days, other.dates_in_ = matched.column_days, len(matched.columns)
        other.barycenters_ = np.ascontiguousarray(self.barycenters_[..., matched.columns])
        other.tau_ = self.tau_ * np.sqrt(len(matched.row_days) / self.dates_in_)
        return other

    @property
    def near_days(self) -> float:
        """Days within which the band admits a date, of a band in samples about so many."""
        return near_days(self.radius, self.band_days, self.days)

    def classify_block(
        self, block: NDArray[np.floating], limits: NDArray[np.int32] | None = None
    ) -> Decision:
        """The decision for raw feature series `(K, T, P)`, pixels innermost.

        Args:
            block: features as at training, not z-scored; NaN is a missing date.
            limits: `(T, T')` column limits; none: those of the training dates.
        """
        made = decide(
            self._nearest_of(block, limits),
            self.tau_,
            self.temperature_,
            decision=self.decision,
            reject=self.reject,
        )
        return borne_out(made, self.confidence_)

    def distances_block(
        self, block: NDArray[np.floating], limits: NDArray[np.int32] | None = None
    ) -> NDArray[np.float32]:
        """Distances `(K, C, P)` of series to the nearest barycenter of a class, in units of tau."""
        nearest = self._nearest_of(block, limits)
        return np.asarray(nearest / self.tau_[:, None, None], np.float32)

    def centres(self) -> NDArray[np.float64]:
        """Barycenters `(C, M, K, T)` in the features' units."""
        return np.asarray(self.barycenters_ * self.scale_[:, None] + self.mean_[:, None])

    def seconds_per_pixel(self, limits: NDArray[np.int32]) -> float:
        """Seconds per pixel on the core that the forecasts were measured on."""
        classes, centroids, features, _ = self.barycenters_.shape
        band = int((limits[:, 1] - limits[:, 0]).sum())
        return float(classes * centroids * features * band / CELLS_PER_SECOND)

    def _nearest_of(
        self, block: NDArray[np.floating], limits: NDArray[np.int32] | None
    ) -> NDArray[np.float32]:
        """Distances `(K, C, P)` of raw series to the nearest barycenter of every class."""
        table = self.limits(rows=block.shape[1]) if limits is None else limits
        return self._nearest(self._ready(block), self.barycenters_, table)

    def _ready(self, block: NDArray[np.floating]) -> NDArray[np.float32]:
        """Raw series `(K, T, P)` as distances want them: z-scored."""
        values = np.empty(block.shape, np.float32)
        standardised(np.ascontiguousarray(block), self.mean_, self.scale_, values)
        return values

    def limits(self, days: ArrayLike | None = None, rows: int | None = None) -> NDArray[np.int32]:
        """Column limits for series on the training dates, or on other `days` `(T,)`.

        Raises:
            ValueError: other dates without a band in days, or another number of dates.
        """
        return trained_limits(self, self.dates_in_, days, rows)

    def state(self) -> tuple[dict[str, NDArray[Any]], str]:
        """Arrays and a JSON text from which `from_state` makes the same classifier."""
        check_is_fitted(self)
        names = (*self.arrays, "confidence_")
        arrays = {name: np.asarray(getattr(self, name)) for name in names}
        settings = self.get_params(deep=False)
        if settings["days"] is not None:
            arrays["days"] = stored_days(settings.pop("days"))
        names = ("temperature_", "calibrated_", "known_within_", "n_features_in_")
        fitted = {name: getattr(self, name) for name in names}
        return arrays, as_json({"settings": settings, "fitted": fitted})

    @classmethod
    def from_state(cls, arrays: dict[str, NDArray[Any]], text: str) -> Self:
        """The classifier whose `state` this is."""
        parts = json.loads(text)
        model = cls(**{**parts["settings"], "days": arrays.get("days")})
        for name in cls.arrays:
            setattr(model, name, np.asarray(arrays[name]))
        model.held_out_, model.count_ = None, model.barycenters_.shape[1]
        model.temperature_ = float(parts["fitted"]["temperature_"])
        model.calibrated_ = bool(parts["fitted"].get("calibrated_", False))
        model.known_within_ = stored_width(parts["fitted"].get("known_within_"))
        model.confidence_ = arrays.get("confidence_", as_they_are(len(model.classes_)))
        model._enough_groups = model.calibrated_
        model.n_features_in_ = int(parts["fitted"]["n_features_in_"])
        model.dates_in_ = model.barycenters_.shape[3]
        return model

    def _holds_out(self) -> bool:
        """Whether barycenters without some of the groups are needed."""
        return self.temperature is None

    def _averaged(self, training: TrainingSet, run: RunAverages | None) -> NDArray[np.float32]:
        """Barycenters `(parts, C, M, K, T)`."""
        _, features, columns = training.values.shape
        size = (len(training.parts), len(self.classes_), self.count_, features, columns)
        centroids = np.empty(size, np.float32)
        average, keys = partial(self.average, training), training.keys()
        found = run(average, keys) if run else ((key, average(key)) for key in keys)
        for (part, c, k), values in found:
            centroids[part, c, :, k] = values
        return centroids

    def _tau(
        self, values: NDArray[np.float32], codes: NDArray[np.intp], centroids: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Median distance `(K,)` of series to the nearest centroid of their own class."""
        block = np.ascontiguousarray(values.transpose(1, 2, 0))
        nearest = self._nearest(block, centroids, self.limits())
        own = nearest[:, codes, np.arange(codes.size)].astype(np.float64)
        tau = np.ones(len(own))
        for k in range(len(own)):
            known = own[k][np.isfinite(own[k])]
            middle = float(np.median(known)) if known.size else 0.0
            tau[k] = middle if middle > 0 else (float(known.mean()) if known.size else 0.0) or 1.0
        return tau

    def _held_out(self, training: TrainingSet, centroids: NDArray[np.float32]) -> HeldOut | None:
        """Held-out series against the barycenters of their fold; none if nothing was held out."""
        parts, rows = [], []
        for (train, held), own in zip(training.parts[1:], centroids[1:], strict=True):
            tau = self._tau(training.values[train], training.codes[train], own)
            block = np.ascontiguousarray(training.values[held].transpose(1, 2, 0))
            near = self._nearest(block, own, self.limits())
            parts.append(near / tau[:, None, None].astype(np.float32))
            rows.append(held)
        if not parts or training.groups is None:
            return None
        every = np.concatenate(rows)
        return HeldOut(np.concatenate(parts, axis=2), training.codes[every], training.groups[every])

    def _nearest(
        self,
        block: NDArray[np.float32],
        centroids: NDArray[np.float32],
        limits: NDArray[np.int32],
    ) -> NDArray[np.float32]:
        """Distance `(K, C, P)` of each pixel to the nearest centroid of each class.

        NaN for a feature that has no centroid in some class.
        """
        classes, count, features, columns = centroids.shape
        references = np.nan_to_num(centroids.transpose(2, 0, 1, 3)).reshape(features, -1, columns)
        every = block_distances(
            block,
            np.ascontiguousarray(references),
            limits,
            min_dates=self.min_dates,
            open_ends=self.open_ends,
        )
        every[~_usable(centroids)] = np.nan
        if count == 1:
            return every
        return np.asarray(every.reshape(features, classes, count, -1).min(axis=2))

    def _calibrate(self) -> None:
        """Fit temperature and confidence on the series that were held out."""
        self.temperature_ = 1.0 if self.temperature is None else float(self.temperature)
        self.confidence_ = as_they_are(len(self.classes_))
        self.calibrated_ = self._enough_groups and self.decision != "vote"
        self.known_within_: float | None = None
        if self.temperature is not None or self.held_out_ is None:
            return
        away, codes, groups = self.held_out_
        weights = alike(groups)
        self.temperature_ = fit_temperature(away, codes, self.decision, weights)
        if self.calibrated_:
            made = decide(away, np.ones(len(away)), self.temperature_, decision=self.decision)
            self.confidence_ = fitted_confidence(made.probability, codes, weights)
            right = np.bincount(groups, made.index == codes)
            self.known_within_ = known_within(right, np.bincount(groups))


def _usable(centroids: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Features `(K,)` that have a centroid in every class."""
    return np.asarray(~np.isnan(centroids).any(axis=(0, 1, 3)))
