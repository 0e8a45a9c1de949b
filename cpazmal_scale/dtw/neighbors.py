"""k nearest neighbours under DTW, with the scikit-learn interface."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from cpazmal_scale.dtw.band import band_limits
from cpazmal_scale.dtw.estimators import (
    Scaling,
    SeriesClassifier,
    checked_labels,
    checked_series,
    labels_of,
)
from cpazmal_scale.dtw.pairwise import distances
from cpazmal_scale.kernels.k_smallest import keep_smallest

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_ARRAYS = ("classes_", "series_", "codes_", "mean_", "scale_")
_NO_CLASS = 255
_SERIES_AT_ONCE = 8192


class KNeighborsDTW(SeriesClassifier):
    """Majority class of the k nearest training series, features dependent, exact.

    Missing dates of training series are interpolated in sample order, those of the series to be
    classified follow DTW-AROW. `radius=0` is the Euclidean twin.

    Args:
        n_neighbors: k; all training series where there are fewer.
        radius: band in samples; none for `band_days`, or for no band.
        days: days `(T,)` of the dates, for `band_days`.
        band_days: band in days instead of `radius`.
        standardise: z-score each feature with the training mean and standard deviation.
        min_dates: series with fewer valid dates get no class.
        threads: threads at prediction; results do not depend on them.

    Attributes:
        classes_: labels, sorted.
        series_: float32 `(N, K, T)` training series.
        codes_: `(N,)` class positions.
    """

    def __init__(
        self,
        n_neighbors: int = 25,
        radius: int | None = 3,
        days: ArrayLike | None = None,
        band_days: float | None = None,
        standardise: bool = True,
        min_dates: int = 1,
        threads: int = 1,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.days = days
        self.band_days = band_days
        self.standardise = standardise
        self.min_dates = min_dates
        self.threads = threads

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:  # noqa: ARG002
        """Keep series `(N, K, T)` or `(N, T)` and their labels; those all NaN are left out.

        Raises:
            ValueError: shapes, values, labels, band or number of neighbours that do not fit.
        """
        series = checked_series(self, X, reset=True)
        if self.n_neighbors < 1:
            raise ValueError(f"n_neighbors must be 1 or more, not {self.n_neighbors}")
        self._limits(series.shape[2])
        self.classes_, codes = checked_labels(y, len(series))
        count = series.shape[1]
        scaling = Scaling(np.zeros(count), np.ones(count))
        if self.standardise:
            scaling = Scaling.of(series)
        self.mean_, self.scale_ = scaling
        known = np.asarray(~np.any(np.all(np.isnan(series), axis=2), axis=1))
        self.series_, self.codes_ = scaling.apply(_interpolated(series[known])), codes[known]
        return self

    def kneighbors(self, X: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Distances and positions `(N, k)` of the nearest training series, nearest first.

        Ties go to the earlier training series; NaN where a series has too few dates.
        """
        check_is_fitted(self)
        values = Scaling(self.mean_, self.scale_).apply(checked_series(self, X, reset=False))
        length = self.series_.shape[2]
        if values.shape[2] != length:
            raise ValueError(f"series must have the {length} dates of the training")
        table = self._limits(length)
        nearest = np.empty((len(values), min(self.n_neighbors, len(self.series_))), np.intp)
        away = np.empty(nearest.shape, np.float32)
        for start in range(0, len(values), _SERIES_AT_ONCE):
            some = slice(start, start + _SERIES_AT_ONCE)
            every = distances(
                values[some],
                self.series_,
                limits=table,
                min_dates=self.min_dates,
                threads=self.threads,
            )
            keep_smallest(every, away[some], nearest[some])
        return away, nearest

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Share of the neighbours in each class `(N, C)`; NaN where too few dates are valid."""
        away, order = self.kneighbors(X)
        votes = (self.codes_[order][:, :, None] == np.arange(len(self.classes_))).mean(axis=1)
        return np.where(np.isnan(away[:, :1]), np.nan, votes)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Labels `(N,)`, ties to the first class; '' or -1 where too few dates are valid."""
        chances = self.predict_proba(X)
        unknown = np.isnan(chances[:, 0])
        index = np.where(unknown, _NO_CLASS, np.nan_to_num(chances).argmax(axis=1))
        return labels_of(index, self.classes_)

    def _limits(self, length: int) -> NDArray[np.int32]:
        pair = None if self.days is None or self.band_days is None else (self.days, self.days)
        return band_limits(length, length, radius=self.radius, days=pair, band_days=self.band_days)

    def state(self) -> tuple[dict[str, NDArray[Any]], str]:
        """Arrays and a JSON text from which `from_state` makes the same classifier."""
        check_is_fitted(self)
        arrays = {name: np.asarray(getattr(self, name)) for name in _ARRAYS}
        settings = self.get_params(deep=False)
        if settings["days"] is not None:
            arrays["days"] = np.asarray(settings.pop("days"), np.float64)
        return arrays, json.dumps({"settings": settings, "features": self.n_features_in_})

    @classmethod
    def from_state(cls, arrays: dict[str, NDArray[Any]], text: str) -> Self:
        """The classifier whose `state` this is."""
        parts = json.loads(text)
        model = cls(**{**parts["settings"], "days": arrays.get("days")})
        for name in _ARRAYS:
            setattr(model, name, np.asarray(arrays[name]))
        model.n_features_in_ = int(parts["features"])
        return model


def _interpolated(series: NDArray[np.float64]) -> NDArray[np.float64]:
    filled, places = series.copy(), np.arange(series.shape[2])
    for one in filled.reshape(-1, series.shape[2]):
        gone = np.isnan(one)
        if gone.any():
            one[gone] = np.interp(places[gone], places[~gone], one[~gone])
    return filled
