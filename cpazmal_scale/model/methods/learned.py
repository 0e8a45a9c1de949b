"""Barycenters whose distances a logistic regression weighs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from threadpoolctl import threadpool_limits

from cpazmal_scale.dtw import (
    Calibration,
    Decision,
    NearestBarycenter,
    as_they_are,
    block_distances,
    borne_out,
    calibrated,
    can_calibrate,
    checked_groups,
    decide,
    group_folds,
)
from cpazmal_scale.kernels.scores import decide_scores, linear_scores, sort_rows
from cpazmal_scale.model.methods.flat import imputed
from cpazmal_scale.model.methods.linear import z_scores
from cpazmal_scale.model.methods.shrunk import best_strength, shrunk
from cpazmal_scale.vocabulary import REJECTED

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cpazmal_scale.dtw import HeldOut, RunAverages, TrainingSet


class LearnedBarycenter(NearestBarycenter):
    """Multinomial logistic regression on the distances to all barycenters.

    Its C·M·K numbers are the distances to each class's barycenters, feature by feature, in units of
    tau, the M of a class from near to far (the barycenters of two folds have no common order). It
    is fitted on the distances of held-out groups: those of training series to barycenters that were
    made from themselves are too short. It is drawn to the `sum` (see `best_strength`), and is the
    `sum` where a class has too few groups to calibrate.

    Attributes:
        weights_: float64 `(C, K·C·M)`.
        centre_: float64 `(K·C·M,)` mean distances, which stand for missing ones.
        intercepts_: float64 `(C,)`.
    """

    arrays: ClassVar[tuple[str, ...]] = (
        *NearestBarycenter.arrays,
        *("weights_", "centre_", "intercepts_"),
    )

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        run: RunAverages | None = None,
    ) -> Self:
        """Learn from series `(N, K, T)` or `(N, T)`, NaN missing, their labels and polygons.

        Without groups every series is one of its own. A class within one group cannot be held out;
        its distances are those to its own barycenters, which are too short.

        Raises:
            ValueError: as for `NearestBarycenter`.
        """
        count = len(np.asarray(y))
        self._groups = own = np.arange(count) if groups is None else checked_groups(groups, count)
        with threadpool_limits(1):
            super().fit(X, y, groups=own, run=run)
        return self

    def classify_block(
        self, block: NDArray[np.floating], limits: NDArray[np.int32] | None = None
    ) -> Decision:
        """The decision for raw feature series `(K, T, P)`, pixels innermost."""
        table = self.limits(rows=block.shape[1]) if limits is None else limits
        every = self._numbers(self._ready(block), self.barycenters_, self.tau_, table)
        nearest = np.ascontiguousarray(every[:, :, 0])
        away = decide(nearest, np.ones(len(nearest)), decision="sum").distance
        pixels = block.shape[2]
        scores = np.empty((len(self.classes_), pixels))
        flat = every.reshape(-1, pixels)
        linear_scores(flat, self.centre_, self.weights_, self.intercepts_, scores)
        made = Decision(
            np.empty(pixels, np.uint8),
            np.empty((len(self.classes_), pixels), np.float32),
            np.empty(pixels, np.float32),
            np.empty(pixels, np.float32),
            away,
        )
        known = np.isfinite(away)
        decide_scores(scores, known, 1.0 / self.temperature_, *made[:-1])
        if self.reject is not None:
            made.index[known & (away > self.reject)] = REJECTED
        return borne_out(made, self.confidence_)

    def _numbers(
        self,
        values: NDArray[np.float32],
        centroids: NDArray[np.float32],
        tau: NDArray[np.float64],
        limits: NDArray[np.int32],
    ) -> NDArray[np.float32]:
        """Distances `(K, C, M, P)` of z-scored series, in units of tau, the M from near to far."""
        classes, count, features, columns = centroids.shape
        usable = ~np.isnan(centroids).any(axis=(0, 1, 3))
        references = np.nan_to_num(centroids.transpose(2, 0, 1, 3)).reshape(features, -1, columns)
        ready = np.ascontiguousarray(references)
        every = block_distances(
            values, ready, limits, min_dates=self.min_dates, open_ends=self.open_ends
        )
        every[~usable] = np.nan
        every /= tau[:, None, None].astype(np.float32)
        shaped = every.reshape(features, classes, count, -1)
        sort_rows(shaped)
        return shaped

    def _of_series(
        self,
        values: NDArray[np.float32],
        centroids: NDArray[np.float32],
        tau: NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """The numbers `(N, K·C·M)` of z-scored training series `(N, K, T)`."""
        block = np.ascontiguousarray(values.transpose(1, 2, 0))
        found = self._numbers(block, centroids, tau, self.limits())
        return np.ascontiguousarray(found.reshape(-1, len(values)).T)

    def _holds_out(self) -> bool:
        return True

    def _held_out(self, training: TrainingSet, centroids: NDArray[np.float32]) -> HeldOut | None:
        """Fit the regression on held-out series against the barycenters of their fold."""
        rows, numbers = [], []
        for (train, held), own in zip(training.parts[1:], centroids[1:], strict=True):
            tau = self._tau(training.values[train], training.codes[train], own)
            rows.append(held)
            numbers.append(self._of_series(training.values[held], own, tau))
        every = np.arange(training.codes.size)
        never = np.setdiff1d(training.codes, training.codes[np.concatenate([*rows, every[:0]])])
        if never.size:  # classes within one group, which cannot be held out
            rows.append(every[np.isin(training.codes, never)])
            numbers.append(self._of_series(training.values[rows[-1]], centroids[0], self.tau_))
        order = np.concatenate(rows)
        codes, groups = training.codes[order], self._groups[order]
        whole, _ = imputed(np.concatenate(numbers).astype(np.float64))
        given, (scaled, mean, scale) = -self._sums(whole), z_scores(whole)
        strength = 0.0
        if not never.size and can_calibrate(codes, groups):
            strength = best_strength(scaled, given, codes, groups, self.seed)
        self.strength_ = strength
        made = shrunk(scaled, given, codes, strength)
        self.weights_ = made.weights / scale - made.sharpness * self._summed
        self.intercepts_ = made.intercepts - made.sharpness * self._summed @ mean
        self.centre_ = mean
        if self.temperature is None:
            self._fitted = _calibration(scaled, given, codes, groups, strength, self.seed)
        return None

    @property
    def _summed(self) -> NDArray[np.float64]:
        """`(C, K·C·M)`: 1 where a number is a feature's distance to the class's nearest."""
        classes, count, features, _ = self.barycenters_.shape
        own = np.zeros((classes, features, classes, count))
        own[np.arange(classes), :, np.arange(classes), 0] = 1.0
        return own.reshape(classes, -1)

    def _sums(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums `(N, C)` over the features of the distance to the nearest barycenter of a class."""
        return np.asarray(numbers @ self._summed.T)

    def _calibrate(self) -> None:
        super()._calibrate()
        if self.temperature is None:
            self.temperature_ = self._fitted.temperature
            if self.calibrated_:
                self.confidence_ = self._fitted.confidence
                self.known_within_ = self._fitted.known_within


def _calibration(
    values: NDArray[np.float64],
    given: NDArray[np.float64],
    codes: NDArray[np.intp],
    groups: NDArray[np.intp],
    strength: float,
    seed: int,
) -> Calibration:
    """Temperature and confidence of the regression on groups that it was not fitted on."""
    scores, rows = [], []
    for train, held in group_folds(codes, groups, seed + 1):
        made = shrunk(values[train], given[train], codes[train], strength)
        scores.append(made.scores(values[held], given[held]).T)
        rows.append(held)
    if not scores:
        return Calibration(1.0, as_they_are(int(codes.max()) + 1), 1.0)
    every = np.concatenate(rows)
    return calibrated(np.concatenate(scores, axis=1), codes[every], groups[every])


def opened(arrays: dict[str, NDArray[Any]], text: str) -> LearnedBarycenter:
    """The classifier whose `state` this is.

    Raises:
        ValueError: the arrays do not fit together.
    """
    made = LearnedBarycenter.from_state(arrays, text)
    classes, count, features, _ = made.barycenters_.shape
    shape = (classes, features * classes * count)
    if made.weights_.shape != shape or made.centre_.shape != shape[1:]:
        raise ValueError(f"weights of shape {made.weights_.shape}, expected {shape}")
    if made.intercepts_.shape != shape[:1] or not np.isfinite(made.weights_).all():
        raise ValueError("weights or intercepts are damaged")
    return made
