"""What the classifiers share that see a series as one vector of numbers."""

from __future__ import annotations

import copy
import json
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from cpazmal_scale.dtw import (
    Decision,
    Scaling,
    SeriesClassifier,
    Typical,
    as_they_are,
    borne_out,
    calibrated,
    can_calibrate,
    checked_groups,
    checked_labels,
    checked_series,
    distance_to,
    group_folds,
    stored_width,
)
from cpazmal_scale.kernels.nearest_mean import nearest_mean
from cpazmal_scale.kernels.scores import decide_scores
from cpazmal_scale.kernels.standardise import standardised
from cpazmal_scale.vocabulary import REJECTED

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.dtw import MatchedDates

_SHARED = ("classes_", "mean_", "scale_", "centres_", "tau_")
NEAREST_DAYS = 33.0
"""A date of another year stands for one of the training if it is as near as this in the season."""


class FlatClassifier(SeriesClassifier):
    """A classifier whose scores are a function of the K·T numbers of a series.

    Series on other dates are brought to the training's dates first: each of these takes the nearest
    date of the season within `nearest_days`, or is missing. The probabilities are the softmax of
    the scores over one temperature, fitted by log-loss on held-out groups; the largest one is as
    sure as these bear it out.

    Args:
        days: days `(T,)` of the training dates; none: other dates cannot be classified.
        nearest_days: how far apart in the season two dates may be to stand for each other.
        min_dates: series with fewer valid dates in every feature get no class.
        reject: reject what is farther from every class's mean series than this multiple of the
            class's own spread.
        temperature: of the probabilities; none: fitted where groups are given.
        seed: of every random choice.

    Attributes:
        classes_: labels, sorted.
        centres_: float32 `(C, K, T)` mean series of each class, z-scored.
        mean_: float64 `(K,)` of the training features.
        scale_: float64 `(K,)`, their standard deviation.
        tau_: float64 `(K,)` median distance of a series to its class's mean.
        temperature_: float.
        confidence_: float64 `(C + 1,)` how sure the largest probability may be.
        calibrated_: whether temperature and confidence were fitted on held-out groups.
        known_within_: how well these know the share of right decisions, see `known_within`; none:
            not calibrated.
    """

    fitted: ClassVar[tuple[str, ...]] = ()
    """Arrays of the subclass that `state` keeps."""
    held_out_folds: ClassVar[int] = 3
    """Fits of the calibration; more of them learn from nearly all polygons."""
    nanoseconds: ClassVar[float] = 1.0
    """Per pixel and number that the scores take, for forecasts."""

    def __init__(
        self,
        days: ArrayLike | None = None,
        nearest_days: float = NEAREST_DAYS,
        min_dates: int = 1,
        reject: float | None = None,
        temperature: float | None = None,
        seed: int = 0,
    ) -> None:
        self.days = days
        self.nearest_days = nearest_days
        self.min_dates = min_dates
        self.reject = reject
        self.temperature = temperature
        self.seed = seed

    @classmethod
    def of_run(cls, config: RunConfig, days: NDArray[np.float64] | None) -> Self:
        """Unfitted, for a run and series on `days` `(T,)` of the season."""
        return cls(
            days, min_dates=config.dtw.min_dates, reject=config.classify.reject, seed=config.seed
        )

    @abstractmethod
    def learn(
        self, values: NDArray[np.float64], codes: NDArray[np.intp], groups: NDArray[np.intp] | None
    ) -> None:
        """Learn from vectors `(N, K·T)`, NaN missing, their class positions and group numbers."""

    @abstractmethod
    def scores(self, block: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores `(C, P)` of raw vectors `(K·T, P)`, NaN missing; the largest is the class's."""

    def chosen(self) -> dict[str, Any]:
        """Settings that `learn` chose and that held-out fits take over."""
        return {}

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Learn from series `(N, K, T)` or `(N, T)`, NaN missing, their labels and polygons.

        Raises:
            ValueError: shapes, values, labels or groups that do not fit, or no valid date at all.
        """
        series = checked_series(self, X, reset=True).astype(np.float32).astype(np.float64)
        self.classes_, codes = checked_labels(y, len(series))
        numbers = None if groups is None else checked_groups(groups, codes.size)
        if not np.isfinite(series).any(axis=(1, 2)).all():
            some = np.isfinite(series).any(axis=(1, 2))
            series, codes = series[some], codes[some]
            numbers = None if numbers is None else numbers[some]
        if np.unique(codes).size < len(self.classes_):
            poor = self.classes_[np.setdiff1d(np.arange(len(self.classes_)), codes)]
            raise ValueError(f"no series with a valid date in: {', '.join(map(str, poor))}")
        self.dates_in_ = series.shape[2]
        scaling = Scaling.of(series)
        self.mean_, self.scale_ = scaling
        self.centres_, self.tau_ = Typical.of(scaling.apply(series), codes)
        with threadpool_limits(1):  # the run has a worker per core already
            self.learn(series.reshape(len(series), -1), codes, numbers)
            self._calibrate(series, codes, numbers)
        return self

    def decide(self, X: ArrayLike, days: ArrayLike | None = None) -> Decision:
        """The whole decision for series `(N, K, T)`, on other `days` `(T,)` if given."""
        check_is_fitted(self)
        series = checked_series(self, X, reset=False)
        limits = self.limits(days, series.shape[2])
        return self.classify_block(series.transpose(1, 2, 0), limits)

    def classify_block(
        self, block: NDArray[np.floating], limits: NDArray[np.int32] | None = None
    ) -> Decision:
        """The decision for raw feature series `(K, T, P)`, pixels innermost, NaN missing."""
        values = self._on_calendar(block, limits)
        pixels = values.shape[2]
        known = np.empty(pixels, np.bool_)
        made = Decision(
            np.empty(pixels, np.uint8),
            np.empty((len(self.classes_), pixels), np.float32),
            np.empty(pixels, np.float32),
            np.empty(pixels, np.float32),
            np.empty(pixels, np.float32),
        )
        nearest_mean(
            values,
            self.mean_.astype(np.float32),
            (1.0 / self.scale_).astype(np.float32),
            self.centres_,
            (1.0 / np.broadcast_to(self.tau_, self.mean_.shape)).astype(np.float32),
            self.min_dates,
            known,
            made.distance,
        )
        scores = self.scores(values.reshape(-1, pixels))
        decide_scores(scores, known, 1.0 / self.temperature_, *made[:-1])
        if self.reject is not None:
            made.index[known & (made.distance > self.reject)] = REJECTED
        return borne_out(made, self.confidence_)

    def distances_block(
        self, block: NDArray[np.floating], limits: NDArray[np.int32] | None = None
    ) -> NDArray[np.float32]:
        """Distances `(K, C, P)` of series to each class's mean series, in units of `tau_`."""
        values = self._z_scores(self._on_calendar(block, limits))
        return self._typical.distances(values, self.min_dates)

    def centres(self) -> NDArray[np.float64]:
        """Mean series `(C, 1, K, T)` of every class, in the features' units."""
        found = self.centres_ * self.scale_[:, None] + self.mean_[:, None]
        found = found[..., getattr(self, "_shown", slice(None))]
        return np.asarray(found[:, None], np.float64)

    @property
    def near_days(self) -> float:
        """Days within which a date may stand for another of the season."""
        return float(self.nearest_days)

    def on(self, matched: MatchedDates) -> Self:
        """The same classifier for series on dates that its own dates were matched to."""
        other = copy.copy(self)
        days = np.full(self.dates_in_, np.nan)
        away = distance_to(matched.row_days, matched.column_days)
        for place in np.argsort(-away, kind="stable"):  # of several years the nearest comes last
            days[matched.columns[place]] = matched.column_days[place]
        other.days, other._shown = days, matched.columns
        return other

    def limits(self, days: ArrayLike | None = None, rows: int | None = None) -> NDArray[np.int32]:
        """Position `(T', 1)` among `days` of the date that stands for each training date, -1 none.

        Raises:
            ValueError: other dates without those of the training, or another number of dates.
        """
        count = self.dates_in_
        if days is None or self.days is None:
            given = rows if days is None else len(np.asarray(days))
            if given not in (None, count):
                raise ValueError(f"series must have the {count} dates of the training, not {given}")
            return np.arange(count, dtype=np.int32)[:, None]
        here, there = np.asarray(days, np.float64), np.asarray(self.days, np.float64)
        apart = np.nan_to_num(np.abs(there[:, None] - here), nan=np.inf)
        nearest = apart.argmin(axis=1).astype(np.int32)
        nearest[apart.min(axis=1) > self.nearest_days] = -1
        return np.asarray(nearest[:, None], np.int32)

    def seconds_per_pixel(self, limits: NDArray[np.int32]) -> float:
        """Seconds per pixel on the core that the forecasts were measured on."""
        numbers = len(limits) * self.n_features_in_ * len(self.classes_)
        return float(self.nanoseconds * 1e-9 * numbers)

    def state(self) -> tuple[dict[str, NDArray[Any]], str]:
        """Arrays and a JSON text from which `from_state` makes the same classifier."""
        check_is_fitted(self)
        names = (*_SHARED, "confidence_", *self.fitted)
        arrays = {name: np.asarray(getattr(self, name)) for name in names}
        settings = self.get_params(deep=False)
        if settings["days"] is not None:
            arrays["days"] = np.asarray(settings.pop("days"), np.float64)
        fitted = {
            "temperature_": self.temperature_,
            "calibrated_": self.calibrated_,
            "known_within_": self.known_within_,
            "n_features_in_": self.n_features_in_,
        }
        return arrays, json.dumps({"settings": settings, "fitted": fitted})

    @classmethod
    def from_state(cls, arrays: dict[str, NDArray[Any]], text: str) -> Self:
        """The classifier whose `state` this is.

        Raises:
            ValueError: the arrays do not fit together.
        """
        parts = json.loads(text)
        model = cls(**{**parts["settings"], "days": arrays.get("days")})
        for name in (*_SHARED, *cls.fitted):
            setattr(model, name, np.asarray(arrays[name]))
        model.confidence_ = arrays.get("confidence_", as_they_are(len(model.classes_)))
        model.temperature_ = float(parts["fitted"]["temperature_"])
        model.calibrated_ = bool(parts["fitted"]["calibrated_"])
        model.known_within_ = stored_width(parts["fitted"].get("known_within_"))
        model.n_features_in_ = int(parts["fitted"]["n_features_in_"])
        model.dates_in_ = model.centres_.shape[2]
        model.check()
        return model

    def check(self) -> None:
        """Refuse arrays that do not fit together; a subclass adds its own.

        Raises:
            ValueError: they do not.
        """
        shape = (len(self.classes_), len(self.mean_), self.dates_in_)
        if self.centres_.shape != shape or len(self.mean_) != self.n_features_in_:
            raise ValueError(f"mean series of shape {self.centres_.shape}, expected {shape}")
        if not (np.isfinite(self.temperature_) and self.temperature_ > 0):
            raise ValueError(f"temperature {self.temperature_}")
        if self.confidence_.shape != (len(self.classes_) + 1,):
            raise ValueError(f"confidence of shape {self.confidence_.shape}")

    def _on_calendar(
        self, block: NDArray[np.floating], limits: NDArray[np.int32] | None
    ) -> NDArray[np.float32]:
        """The block `(K, T', P)` on the training dates, float32, contiguous."""
        table = self.limits(rows=block.shape[1]) if limits is None else limits
        order = table[:, 0]
        if order.size == block.shape[1] and np.array_equal(order, np.arange(order.size)):
            return np.ascontiguousarray(block, np.float32)
        values = np.ascontiguousarray(block[:, np.maximum(order, 0)], np.float32)
        values[:, order < 0] = np.nan
        return values

    def _z_scores(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        ready = np.empty(values.shape, np.float32)
        standardised(values, self.mean_, self.scale_, ready)
        return ready

    @property
    def _typical(self) -> Typical:
        return Typical(self.centres_, self.tau_)

    def _calibrate(
        self,
        series: NDArray[np.float64],
        codes: NDArray[np.intp],
        groups: NDArray[np.intp] | None,
    ) -> None:
        """Fit temperature and confidence on the scores of held-out groups."""
        self.temperature_ = 1.0 if self.temperature is None else float(self.temperature)
        self.confidence_ = as_they_are(len(self.classes_))
        self.calibrated_, self.known_within_ = False, None
        if groups is None or self.temperature is not None:
            return
        found, rows = [], []
        for train, held in group_folds(codes, groups, self.seed, self.held_out_folds):
            other = clone(self).set_params(temperature=1.0, days=None, **self.chosen())
            other.fit(series[train], codes[train], groups=groups[train])
            block = np.ascontiguousarray(series[held].transpose(1, 2, 0), np.float32)
            found.append(other.scores(block.reshape(-1, len(held))))
            rows.append(held)
        if found:
            every = np.concatenate(rows)
            made = calibrated(np.concatenate(found, axis=1), codes[every], groups[every])
            self.temperature_ = made.temperature
            self.calibrated_ = can_calibrate(codes, groups)
            if self.calibrated_:
                self.confidence_, self.known_within_ = made.confidence, made.known_within


def imputed(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Vectors `(N, D)` with column means in place of NaN, and the means `(D,)`, 0 without value."""
    valid = np.isfinite(values)
    mean = np.where(valid, values, 0.0).sum(axis=0) / np.maximum(valid.sum(axis=0), 1)
    return np.where(valid, values, mean), mean
