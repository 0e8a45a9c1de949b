"""Scores that are linear in the numbers of a series."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cpazmal_scale.kernels.scores import linear_scores
from cpazmal_scale.model.methods.flat import FlatClassifier

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LinearClassifier(FlatClassifier):
    """Scores `weights_ (x - centre_) + intercepts_`; a missing number counts as its mean.

    Attributes:
        weights_: float64 `(C, K·T)`, per unit of the raw features.
        centre_: float64 `(K·T,)` mean of each number over the training series.
        intercepts_: float64 `(C,)`.
    """

    fitted: ClassVar[tuple[str, ...]] = ("weights_", "centre_", "intercepts_")
    held_out_folds: ClassVar[int] = 6
    nanoseconds: ClassVar[float] = 0.15

    def scores(self, block: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores `(C, P)` of raw vectors `(K·T, P)`."""
        found = np.empty((len(self.classes_), block.shape[1]))
        linear_scores(block, self.centre_, self.weights_, self.intercepts_, found)
        return found

    def check(self) -> None:
        """Refuse weights of another shape."""
        super().check()
        shape = (len(self.classes_), self.n_features_in_ * self.dates_in_)
        if self.weights_.shape != shape or self.centre_.shape != shape[1:]:
            raise ValueError(f"weights of shape {self.weights_.shape}, expected {shape}")
        if self.intercepts_.shape != shape[:1] or not np.isfinite(self.weights_).all():
            raise ValueError("intercepts or weights are damaged")

    def keep(
        self,
        coefficients: NDArray[np.float64],
        intercepts: NDArray[np.float64],
        mean: NDArray[np.float64],
        scale: NDArray[np.float64],
    ) -> None:
        """Take coefficients `(C, D)`, or `(1, D)` of the second of two classes, of z-scores."""
        self.weights_, self.intercepts_ = raw_weights(coefficients, intercepts, scale)
        self.centre_ = np.ascontiguousarray(mean, np.float64)


def raw_weights(
    coefficients: NDArray[np.float64], intercepts: NDArray[np.float64], scale: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights `(C, D)` per raw unit and intercepts of coefficients of z-scores.

    Of two classes the library gives one row, that of the second.
    """
    if len(coefficients) == 1:
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        intercepts = np.concatenate([np.zeros(1), intercepts])
    return np.ascontiguousarray(coefficients / scale), np.ascontiguousarray(intercepts)


def z_scores(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Columns of complete vectors `(N, D)` with mean 0 and deviation 1, their means and deviations.

    A constant column keeps its scale.
    """
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 1e-9 * np.maximum(np.abs(mean), 1e-30), scale, 1.0)
    return (values - mean) / scale, mean, scale
