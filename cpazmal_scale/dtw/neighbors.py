"""k nearest neighbours under DTW, with the scikit-learn interface."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from cpazmal_scale.dtw.band import near_days, trained_limits
from cpazmal_scale.dtw.block import CELLS_PER_SECOND, block_distances
from cpazmal_scale.dtw.checks import settings_of
from cpazmal_scale.dtw.confidence import (
    as_they_are,
    borne_out,
    calibrated,
    can_calibrate,
    stored_width,
)
from cpazmal_scale.dtw.decision import REJECTED, Decision
from cpazmal_scale.dtw.estimators import (
    Scaling,
    SeriesClassifier,
    as_json,
    checked_groups,
    checked_labels,
    checked_series,
)
from cpazmal_scale.dtw.pairwise import distances
from cpazmal_scale.dtw.seasons import stored_days
from cpazmal_scale.dtw.temperature import group_folds
from cpazmal_scale.dtw.typical import Typical
from cpazmal_scale.kernels.k_smallest import keep_smallest
from cpazmal_scale.kernels.scores import decide_scores

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cpazmal_scale.dtw.band import OpenEnds
    from cpazmal_scale.dtw.seasons import MatchedDates

_ARRAYS = ("classes_", "series_", "codes_", "mean_", "scale_")
_SERIES_AT_ONCE = 8192


class KNeighborsDTW(SeriesClassifier):
    """Majority class of the k nearest training series, features dependent, exact.

    Missing dates of training series are interpolated in sample order, those of the series to be
    classified follow DTW-AROW. `radius=0` is the Euclidean twin.

    Args:
        n_neighbors: k; all training series where there are fewer.
        radius: band in samples; `auto`: 3, unless `band_days` is given; none: no band in samples.
        days: days `(T,)` of the dates, for `band_days`.
        band_days: band in days instead of `radius`.
        standardise: z-score each feature with the training mean and standard deviation.
        min_dates: series with fewer valid dates get no class.
        threads: threads at prediction; results do not depend on them.
        reject: reject what is farther from its nearest neighbour than this multiple of how far
            training series are from theirs in other groups.
        temperature: of the probabilities; none: fitted where groups are given, else 1.
        seed: of the folds on which the temperature is fitted.
        open_ends: ends of a series that need not meet the neighbour's.

    Attributes:
        classes_: labels, sorted.
        series_: float32 `(N, K, T)` training series.
        codes_: `(N,)` class positions.
        tau_: typical distance to the nearest neighbour of another group; 1 without groups.
        temperature_: float.
        confidence_: float64 `(C + 1,)` how sure the largest probability may be.
        held_out_: whether groups were held out to fit the temperature.
        calibrated_: whether every class has enough of them to call the result calibrated.
        known_within_: how well they know the share of right decisions; none: not calibrated.
    """

    def __init__(
        self,
        n_neighbors: int = 25,
        radius: int | Literal["auto"] | None = "auto",
        days: ArrayLike | None = None,
        band_days: float | None = None,
        standardise: bool = True,
        min_dates: int = 1,
        threads: int = 1,
        reject: float | None = None,
        temperature: float | None = None,
        seed: int = 0,
        open_ends: OpenEnds | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.days = days
        self.band_days = band_days
        self.standardise = standardise
        self.min_dates = min_dates
        self.threads = threads
        self.reject = reject
        self.temperature = temperature
        self.seed = seed
        self.open_ends = open_ends

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Keep series `(N, K, T)` or `(N, T)` and their labels; those all NaN are left out.

        Raises:
            ValueError: shapes, values, labels, groups, band or number of neighbours that do not
                fit.
        """
        series = checked_series(self, X, reset=True)
        settings_of(self)
        self.limits(rows=series.shape[2], columns=series.shape[2])
        self.classes_, codes = checked_labels(y, len(series))
        numbers = None if groups is None else checked_groups(groups, len(series))
        count = series.shape[1]
        scaling = Scaling(np.zeros(count), np.ones(count))
        if self.standardise:
            scaling = Scaling.of(series)
        self.mean_, self.scale_ = scaling
        known = np.asarray(~np.any(np.all(np.isnan(series), axis=2), axis=1))
        if not known.any():
            raise ValueError("no series has a valid date in every feature")
        lost = np.setdiff1d(codes, codes[known])
        if lost.size:
            raise ValueError(
                f"no series has a valid date in every feature of: {self.classes_[lost].tolist()}"
            )
        self.series_, self.codes_ = scaling.apply(_interpolated(series[known])), codes[known]
        self._calibrate(None if numbers is None else numbers[known])
        return self

    def kneighbors(self, X: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Distances and positions `(N, k)` of the nearest training series, nearest first.

        Ties go to the earlier training series; NaN where a series has too few dates.
        """
        check_is_fitted(self)
        values = Scaling(self.mean_, self.scale_).apply(checked_series(self, X, reset=False))
        return self._neighbors(values, self.limits(rows=values.shape[2]))

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities `(N, C)`; NaN where too few dates are valid.

        Shares of the neighbours, unless a temperature was fitted.
        """
        check_is_fitted(self)
        if not self.held_out_:
            away, order = self.kneighbors(X)
            return np.where(np.isnan(away[:, :1]), np.nan, self._votes(order))
        return super().predict_proba(X)

    def decide(self, X: ArrayLike, days: ArrayLike | None = None) -> Decision:
        """The whole decision for series `(N, K, T)`, on other `days` `(T,)` if given."""
        check_is_fitted(self)
        series = checked_series(self, X, reset=False)
        values = Scaling(self.mean_, self.scale_).apply(series)
        return self._decided(values, self.limits(days, values.shape[2]))

    def classify_block(
        self, block: NDArray[np.floating], limits: NDArray[np.int32] | None = None
    ) -> Decision:
        """The decision for raw feature series `(K, T, P)`, pixels innermost, NaN missing."""
        values = Scaling(self.mean_, self.scale_).apply(block.transpose(2, 0, 1))
        return self._decided(values, self.limits(rows=block.shape[1]) if limits is None else limits)

    def distances_block(
        self, block: NDArray[np.floating], limits: NDArray[np.int32] | None = None
    ) -> NDArray[np.float32]:
        """Distances `(K, C, P)` to each class's mean series, in units of the class's spread."""
        values = Scaling(self.mean_, self.scale_).apply(block.transpose(2, 0, 1))
        table = self.limits(rows=block.shape[1]) if limits is None else limits
        own = Typical.of(self.series_, self.codes_)
        references = np.ascontiguousarray(own.centres.transpose(1, 0, 2))
        ready = np.ascontiguousarray(values.transpose(1, 2, 0))
        found = block_distances(
            ready, references, table, min_dates=self.min_dates, open_ends=self.open_ends
        )
        found /= own.tau[:, None, None].astype(np.float32)
        return found

    def centres(self) -> NDArray[np.float64]:
        """Mean series `(C, 1, K, T)` of every class, in the features' units."""
        own = Typical.of(self.series_, self.codes_).centres
        return np.asarray((own * self.scale_[:, None] + self.mean_[:, None])[:, None], np.float64)

    @property
    def near_days(self) -> float:
        """Days within which the band admits a date, of a band in samples about so many."""
        return near_days(self.radius, self.band_days, self.days)

    def on(self, matched: MatchedDates) -> Self:
        """The same classifier on the dates of series that its own dates were matched to."""
        other = copy.copy(self)
        other.days = matched.column_days
        other.series_ = np.ascontiguousarray(self.series_[..., matched.columns])
        other.tau_ = self.tau_ * np.sqrt(len(matched.row_days) / self.series_.shape[2])
        return other

    def limits(
        self,
        days: ArrayLike | None = None,
        rows: int | None = None,
        columns: int | None = None,
    ) -> NDArray[np.int32]:
        """Column limits for series on the training dates, or on other `days` `(T,)`.

        Raises:
            ValueError: other dates without a band in days, or another number of dates.
        """
        length = self.series_.shape[2] if columns is None else columns
        return trained_limits(self, length, days, rows)

    def seconds_per_pixel(self, limits: NDArray[np.int32]) -> float:
        """Seconds per pixel on the core that the forecasts were measured on."""
        series, features, _ = self.series_.shape
        band = int((limits[:, 1] - limits[:, 0]).sum())
        return float(series * features * band / CELLS_PER_SECOND)

    def _neighbors(
        self,
        values: NDArray[np.float32],
        limits: NDArray[np.int32],
        among: NDArray[np.intp] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Distances and positions `(N, k)` of the nearest of z-scored training series."""
        known = self.series_ if among is None else self.series_[among]
        nearest = np.empty((len(values), min(self.n_neighbors, len(known))), np.intp)
        away = np.empty(nearest.shape, np.float32)
        for start in range(0, len(values), _SERIES_AT_ONCE):
            some = slice(start, start + _SERIES_AT_ONCE)
            every = distances(
                values[some],
                known,
                limits=limits,
                open_ends=self.open_ends,
                min_dates=self.min_dates,
                threads=self.threads,
            )
            keep_smallest(every, away[some], nearest[some])
        return away, nearest if among is None else among[nearest]

    def _votes(self, order: NDArray[np.intp]) -> NDArray[np.float64]:
        """Share `(N, C)` of the neighbours in each class."""
        return np.asarray(
            (self.codes_[order][:, :, None] == np.arange(len(self.classes_))).mean(axis=1)
        )

    def _scores(self, order: NDArray[np.intp]) -> NDArray[np.float64]:
        """Logarithms `(C, N)` of the neighbours in each class, half a one added to each."""
        counts = self._votes(order).T * order.shape[1]
        return np.ascontiguousarray(np.log(counts + (0.5 if self.held_out_ else 1e-9)))

    def _decided(self, values: NDArray[np.float32], limits: NDArray[np.int32]) -> Decision:
        """The decision for z-scored series `(N, K, T)`."""
        away, order = self._neighbors(values, limits)
        count = len(values)
        made = Decision(
            np.empty(count, np.uint8),
            np.empty((len(self.classes_), count), np.float32),
            np.empty(count, np.float32),
            np.empty(count, np.float32),
            away[:, 0] / np.float32(self.tau_),
        )
        known = ~np.isnan(away[:, 0])
        decide_scores(self._scores(order), known, 1.0 / self.temperature_, *made[:-1])
        if self.reject is not None:
            made.index[known & (made.distance > self.reject)] = REJECTED
        return borne_out(made, self.confidence_)

    def _calibrate(self, groups: NDArray[np.intp] | None) -> None:
        """Fit temperature and typical distance on neighbours in other groups."""
        self.temperature_, self.tau_ = float(self.temperature or 1.0), 1.0
        self.confidence_ = as_they_are(len(self.classes_))
        self.held_out_ = self.calibrated_ = False
        self.known_within_ = None
        if groups is None or self.temperature is not None:
            return
        numbers = np.unique(groups, return_inverse=True)[1]
        limits = self.limits(rows=self.series_.shape[2])
        folds = list(group_folds(self.codes_, numbers, self.seed))
        self.held_out_ = bool(folds)
        found = [self._neighbors(self.series_[held], limits, train) for train, held in folds]
        if not folds:
            return
        scores = [self._scores(order) for _, order in found]
        rows = np.concatenate([held for _, held in folds])
        made = calibrated(np.concatenate(scores, axis=1), self.codes_[rows], numbers[rows])
        self.temperature_ = made.temperature
        self.calibrated_ = can_calibrate(self.codes_, numbers)
        if self.calibrated_:
            self.confidence_, self.known_within_ = made.confidence, made.known_within
        nearest = np.concatenate([away[:, 0] for away, _ in found])
        middle = float(np.median(nearest[np.isfinite(nearest)])) if nearest.size else 0.0
        self.tau_ = middle if middle > 0 else 1.0

    def state(self) -> tuple[dict[str, NDArray[Any]], str]:
        """Arrays and a JSON text from which `from_state` makes the same classifier."""
        check_is_fitted(self)
        kept = (*_ARRAYS, "confidence_")
        arrays = {name: np.asarray(getattr(self, name)) for name in kept}
        settings = self.get_params(deep=False)
        if settings["days"] is not None:
            arrays["days"] = stored_days(settings.pop("days"))
        names = ("temperature_", "tau_", "held_out_", "calibrated_", "known_within_")
        fitted = {name: getattr(self, name) for name in names}
        return arrays, as_json(
            {"settings": settings, "features": self.n_features_in_, "fitted": fitted}
        )

    @classmethod
    def from_state(cls, arrays: dict[str, NDArray[Any]], text: str) -> Self:
        """The classifier whose `state` this is."""
        parts = json.loads(text)
        model = cls(**{**parts["settings"], "days": arrays.get("days")})
        for name in _ARRAYS:
            setattr(model, name, np.asarray(arrays[name]))
        model.n_features_in_ = int(parts["features"])
        fitted = parts.get("fitted", {})
        model.temperature_ = float(fitted.get("temperature_", 1.0))
        model.tau_ = float(fitted.get("tau_", 1.0))
        model.calibrated_ = bool(fitted.get("calibrated_", False))
        model.known_within_ = stored_width(fitted.get("known_within_"))
        model.held_out_ = bool(fitted.get("held_out_", model.calibrated_))
        model.confidence_ = arrays.get("confidence_", as_they_are(len(model.classes_)))
        return model


def _interpolated(series: NDArray[np.float64]) -> NDArray[np.float64]:
    filled, places = series.copy(), np.arange(series.shape[2])
    for one in filled.reshape(-1, series.shape[2]):
        gone = np.isnan(one)
        if gone.any():
            one[gone] = np.interp(places[gone], places[~gone], one[~gone])
    return filled
